// SPDX-License-Identifier: MIT OR Apache-2.0

//! Signals: an interrupt ends the program between two pieces of work, so that it cleans up; a second one ends it
//! at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};

use crate::failure::{Failure, INTERRUPTED};

static INTERRUPTED_FLAG: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_: libc::c_int) {
    INTERRUPTED_FLAG.store(true, Ordering::Relaxed);
}

/// Sets the handlers.
pub fn install() {
    let handler = SigHandler::Handler(on_signal);
    // RESETHAND: the second signal does what it does by default.
    let interrupt = SigAction::new(handler, SaFlags::SA_RESETHAND, SigSet::empty());
    let pipe = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for (signal, action) in [
        (Signal::SIGINT, &interrupt),
        (Signal::SIGTERM, &interrupt),
        (Signal::SIGPIPE, &pipe),
    ] {
        // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler.
        if let Err(errno) = unsafe { sigaction(signal, action) } {
            log::debug!("{signal}: {errno}");
        }
    }
}

/// An error after an interrupt.
pub fn check() -> Result<(), Failure> {
    if INTERRUPTED_FLAG.load(Ordering::Relaxed) {
        return Err(Failure::new(INTERRUPTED, "interrupted"));
    }
    Ok(())
}

/// Sleeps, but not through an interrupt.
pub fn sleep(time: Duration) -> Result<(), Failure> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}
