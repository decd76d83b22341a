// SPDX-License-Identifier: MIT OR Apache-2.0

//! Room for inputs and outputs, and runs.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use ax650::PendingRun;

use crate::errors::{invalid, OrRaise};
use crate::slot::Slot;
use crate::wait::{limit, patiently, seconds};

/// Room for the inputs and outputs of a model, on host and card.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Binding {
    slot: Slot<Arc<ax650::Binding>>,
}

/// Bytes of a tensor, for numpy to look at in place.
///
/// They are there as long as this is.  Nobody but numpy looks at them: what it sees while a run is under way is
/// undefined, as with any memory that a device writes.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Memory {
    address: usize,
    len: usize,
    writable: bool,
    /// Keeps the mapping.
    _binding: Arc<ax650::Binding>,
}

/// A run that is under way, or has ended.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Run {
    slot: Slot<PendingRun>,
    fd: i32,
}

/// Seconds that the stages of a run took.
type Times = (f64, f64, f64, f64, f64, f64);

impl Binding {
    /// Wraps a binding.
    pub fn new(binding: ax650::Binding) -> Self {
        Self {
            slot: Slot::new("binding", Arc::new(binding)),
        }
    }
}

#[pymethods]
impl Binding {
    /// Returns the bytes of an input, to write and read.
    fn input(&self, py: Python<'_>, index: usize) -> PyResult<Memory> {
        let binding = self.slot.get(py)?;
        let (address, len) = {
            let mut bytes = binding.input(index).or_raise(py)?;
            (bytes.as_mut_ptr() as usize, bytes.len())
        };
        Ok(Memory {
            address,
            len,
            writable: true,
            _binding: binding,
        })
    }

    /// Returns the bytes of an output, to read.
    fn output(&self, py: Python<'_>, index: usize) -> PyResult<Memory> {
        let binding = self.slot.get(py)?;
        let (address, len) = {
            let bytes = binding.output(index).or_raise(py)?;
            (bytes.as_ptr() as usize, bytes.len())
        };
        Ok(Memory {
            address,
            len,
            writable: false,
            _binding: binding,
        })
    }

    /// Starts a run.
    fn start(&self, py: Python<'_>) -> PyResult<Run> {
        let binding = self.slot.get(py)?;
        let run = py.detach(|| binding.start()).or_raise(py)?;
        let fd = run.as_fd().as_raw_fd();
        Ok(Run {
            slot: Slot::new("run", run),
            fd,
        })
    }

    /// Runs the model and waits for its outputs.
    fn run(&self, py: Python<'_>) -> PyResult<Times> {
        let binding = self.slot.get(py)?;
        let mut run = py.detach(|| binding.start()).or_raise(py)?;
        patiently(py, None, |slice| run.wait_for(slice))?
            .map(times)
            .ok_or_else(|| invalid(py, "a wait without end ended"))
    }

    /// Frees the room; a second time does nothing.  Whether it is free: arrays that look at it keep it.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(py, "timeout", timeout)?;
        self.slot.end(py, timeout, ax650::Binding::close)
    }
}

fn times(times: ax650::RunTimes) -> Times {
    (
        times.queue.as_secs_f64(),
        times.copy_in.as_secs_f64(),
        times.run.as_secs_f64(),
        times.copy_out.as_secs_f64(),
        times.wake.as_secs_f64(),
        times.total.as_secs_f64(),
    )
}

#[pymethods]
impl Memory {
    /// What numpy asks for to look at memory in place.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("version", 3)?;
        dict.set_item("typestr", "|u1")?;
        dict.set_item("shape", PyTuple::new(py, [self.len])?)?;
        dict.set_item("data", (self.address, !self.writable))?;
        Ok(dict)
    }
}

#[pymethods]
impl Run {
    /// Returns an eventfd, readable from the end of the run on.
    fn fileno(&self) -> i32 {
        self.fd
    }

    /// Waits for the end of the run; None: not within `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Times>> {
        let timeout = limit(py, timeout)?;
        let Some(mut run) = self.slot.take() else {
            let text = "the end of this run was seen, or another thread waits for it";
            return Err(invalid(py, text));
        };
        let found = patiently(py, timeout, |slice| run.wait_for(slice));
        // What an interrupt has left under way can be waited for again.
        let goes_on = match &found {
            Ok(found) => found.is_none(),
            Err(raised) => !raised.is_instance_of::<pyo3::exceptions::PyException>(py),
        };
        if goes_on {
            self.slot.put(run);
        }
        Ok(found?.map(times))
    }
}
