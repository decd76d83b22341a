// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs of models.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ax650::{PendingRun, RunTimes};

use crate::model::ax650_binding;
use crate::pointer::{end, give, object, place};
use crate::result::ax650_result::{self, *};
use crate::result::call;

/// Times of a run's stages, nanoseconds.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ax650_run_times {
    /// From submit until the first message was sent.
    pub queue: u64,
    /// Inputs to the card.
    pub copy_in: u64,
    /// The call: from its message to its answer.
    pub run: u64,
    /// Outputs from the card.
    pub copy_out: u64,
    /// From the end until the waiting thread went on.
    pub wake: u64,
    /// From submit until the waiting thread went on.
    pub total: u64,
}

impl From<RunTimes> for ax650_run_times {
    fn from(times: RunTimes) -> Self {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            queue: ns(times.queue),
            copy_in: ns(times.copy_in),
            run: ns(times.run),
            copy_out: ns(times.copy_out),
            wake: ns(times.wake),
            total: ns(times.total),
        }
    }
}

/// A run that is under way.  Made by ax650_run_start(), ended by ax650_run_free(), which does not end the run itself.
pub struct ax650_run(Mutex<PendingRun>);

/// Runs a model and waits for its outputs.  `times` may be NULL.
///
/// @return AX650_ERR_CARD: the card cannot run it; AX650_ERR_TIMEOUT; AX650_ERR_BUSY: another run of the binding.
#[no_mangle]
pub unsafe extern "C" fn ax650_binding_run(
    binding: *const ax650_binding,
    times: *mut ax650_run_times,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (binding, times) = unsafe { (object(binding)?, times.as_mut()) };
        let taken = binding.0.run()?;
        if let Some(times) = times {
            *times = taken.into();
        }
        Ok(AX650_OK)
    })
}

/// Starts a run.
///
/// @return AX650_ERR_BUSY: another run of the binding, or too many jobs.
#[no_mangle]
pub unsafe extern "C" fn ax650_run_start(
    binding: *const ax650_binding,
    out: *mut *mut ax650_run,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (binding, out) = unsafe { (object(binding)?, place(out)?) };
        *out = give(ax650_run(Mutex::new(binding.0.start()?)));
        Ok(AX650_OK)
    })
}

/// Ends the handle of a run.  A run that is under way goes on, and its binding is busy until it has ended.
#[no_mangle]
pub unsafe extern "C" fn ax650_run_free(run: *mut ax650_run) {
    // SAFETY: the header's promise.
    unsafe { end(run) }
}

/// Returns a file descriptor to poll(): readable from the end of the run on.  It is the run's: do not read or close it.
/// -1 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ax650_run_fd(run: *const ax650_run) -> i32 {
    // SAFETY: the header's promise.
    let run = unsafe { object(run) };
    run.map_or(-1, |run| {
        let run = run.0.lock().unwrap_or_else(PoisonError::into_inner);
        run.as_fd().as_raw_fd()
    })
}

/// Waits for the end of a run, for `timeout_ms` at most; 0 only looks.  `times` may be NULL.  The end is told once.
///
/// @return AX650_NOTHING: it has not ended yet; as ax650_binding_run().
#[no_mangle]
pub unsafe extern "C" fn ax650_run_wait(
    run: *const ax650_run,
    timeout_ms: u32,
    times: *mut ax650_run_times,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (run, times) = unsafe { (object(run)?, times.as_mut()) };
        let mut run = run.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = match timeout_ms {
            0 => run.poll()?,
            _ => run.wait_for(Duration::from_millis(timeout_ms.into()))?,
        };
        let Some(taken) = ended else {
            return Ok(AX650_NOTHING);
        };
        if let Some(times) = times {
            *times = taken.into();
        }
        Ok(AX650_OK)
    })
}
