// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models: loading, and what they take and give.

use std::fs::File;
use std::io::{self, Read};

use ax650::{Error, TensorInfo};
use pyo3::prelude::*;

use crate::binding::Binding;
use crate::errors::{closed, exception, invalid, OrRaise};
use crate::slot::Slot;
use crate::wait::seconds;

/// A model on a card.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Model {
    slot: Slot<ax650::Model>,
}

/// A tensor as Python gets it: name, type, numpy's name of the type, order of dimensions, and for each shape group the
/// dimensions and the bytes.
type Told = (
    String,
    String,
    Option<&'static str>,
    String,
    Vec<(Vec<u32>, usize)>,
);

fn tell(tensor: &TensorInfo) -> Told {
    let shapes = tensor.shapes.iter();
    (
        tensor.name.clone(),
        tensor.data_type.to_string(),
        tensor.data_type.numpy_name(),
        tensor.layout.to_string(),
        shapes
            .map(|shape| (shape.dims.clone(), shape.size))
            .collect(),
    )
}

/// Reads a model, and ends that with an error when Python has a signal for us.
struct Interruptible<R> {
    source: R,
    raised: Option<PyErr>,
}

impl<R: Read> Read for Interruptible<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match Python::try_attach(|py| py.check_signals()) {
            Some(Ok(())) => self.source.read(bytes),
            Some(Err(raised)) => {
                self.raised = Some(raised);
                Err(io::Error::other("interrupted"))
            }
            None => Err(io::Error::other("the interpreter has ended")),
        }
    }
}

fn load(
    py: Python<'_>,
    session: &ax650::Session,
    name: &str,
    source: impl Read + Send,
    size: u64,
) -> PyResult<Model> {
    let mut source = Interruptible {
        source,
        raised: None,
    };
    let loaded = py.detach(|| ax650::Model::load_from(session, name, &mut source, size));
    match (loaded, source.raised) {
        (_, Some(raised)) => Err(raised),
        (loaded, None) => Ok(Model {
            slot: Slot::new("model", loaded.or_raise(py)?),
        }),
    }
}

/// Loads the model in a file.
pub fn load_file(py: Python<'_>, session: &ax650::Session, path: &str) -> PyResult<Model> {
    let failed = |error| exception(py, Error::file(path, error));
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(invalid(py, format!("{path}: not a file")));
    }
    load(py, session, path, file, metadata.len())
}

/// Loads a model that is in memory.
pub fn load_bytes(py: Python<'_>, session: &ax650::Session, image: &[u8]) -> PyResult<Model> {
    load(py, session, "model", image, image.len() as u64)
}

#[pymethods]
impl Model {
    /// Returns the inputs.
    fn inputs(&self, py: Python<'_>) -> PyResult<Vec<Told>> {
        Ok(self.slot.get(py)?.inputs().iter().map(tell).collect())
    }

    /// Returns the outputs.
    fn outputs(&self, py: Python<'_>) -> PyResult<Vec<Told>> {
        Ok(self.slot.get(py)?.outputs().iter().map(tell).collect())
    }

    /// Returns the number of shape groups.
    fn groups(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.slot.get(py)?.groups())
    }

    /// Asks the card for the version of the compiler that made the model.
    fn version(&self, py: Python<'_>) -> PyResult<String> {
        let model = self.slot.get(py)?;
        py.detach(|| model.version()).or_raise(py)
    }

    /// Makes room for the inputs and outputs of a shape group.
    fn bind(&self, py: Python<'_>, group: usize) -> PyResult<Binding> {
        let model = self.slot.get(py)?;
        let binding = py.detach(|| model.bind(group)).or_raise(py)?;
        Ok(Binding::new(binding))
    }

    /// Unloads the model; a second time does nothing.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(py, "timeout", timeout)?;
        let Some(model) = self.slot.take() else {
            return Ok(());
        };
        closed(py, py.detach(|| model.close(timeout)))
    }
}
