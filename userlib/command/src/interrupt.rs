// SPDX-License-Identifier: MIT OR Apache-2.0

//! Signals: an interrupt ends the program between two pieces of work, so that it cleans up, and soon in any case; a
//! second one ends it at once.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};

use crate::failure::{Failure, INTERRUPTED};

/// How long work may go on after an interrupt, to end in good order.
const GRACE: Duration = Duration::from_millis(1500);

/// Stack of the thread that does the work; as a main thread has.
const STACK: usize = 8 << 20;

static INTERRUPTED_FLAG: AtomicBool = AtomicBool::new(false);

/// Written to by the handler; -1 while nobody waits.
static WAKE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(_: libc::c_int) {
    INTERRUPTED_FLAG.store(true, Ordering::Relaxed);
    let fd = WAKE.load(Ordering::Relaxed);
    if fd >= 0 {
        let one = 1_u64;
        // SAFETY: plain system call, allowed in a signal handler, of 8 bytes that are there; it cannot set errno but
        // by failing, and an eventfd that is open and not full does not fail.
        unsafe { libc::write(fd, (&raw const one).cast(), 8) };
    }
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
        // SAFETY: the handler only stores to an atomic and writes, which is allowed in a signal handler.
        if let Err(errno) = unsafe { sigaction(signal, action) } {
            log::debug!("{signal}: {errno}");
        }
    }
}

/// Does `work` in a thread of its own, and does not wait for its end for long after an interrupt: the program ends then,
/// and the driver gives back what it had on the card.
pub fn watch<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let Ok(wake) = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK) else {
        return work();
    };
    // It is never closed: a signal may come until the end.
    let wake: &'static EventFd = Box::leak(Box::new(wake));
    WAKE.store(wake.as_raw_fd(), Ordering::Relaxed);
    let (send, receive) = mpsc::channel();
    let (start, started) = mpsc::channel::<Box<dyn FnOnce() -> Result<T, Failure> + Send>>();
    let thread = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || {
            // Dropped after the result was sent, and also if there is a panic instead of a result.
            let _end = Wake(wake);
            let send = send;
            if let Ok(work) = started.recv() {
                let _ = send.send(work());
            }
        });
    if thread.is_err() {
        // No more processes for this user: then without a watch.
        return work();
    }
    let _ = start.send(Box::new(work));
    wait(wake);
    match receive.recv_timeout(GRACE) {
        Ok(result) => result,
        // A panic, which has told its reason, unless there is no result because of an interrupt.
        Err(_) => check().and(Err(Failure::of("internal error"))),
    }
}

/// Ends the wait when dropped.
struct Wake(&'static EventFd);

impl Drop for Wake {
    fn drop(&mut self) {
        let _ = self.0.write(1);
    }
}

/// Waits for a signal or the end of the work.
fn wait(wake: &EventFd) {
    let mut fds = [PollFd::new(wake.as_fd(), PollFlags::POLLIN)];
    // Another signal than ours is no reason to stop.
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) if !is_pending() => {}
            _ => return,
        }
    }
}

/// Tells whether there was an interrupt.
pub fn is_pending() -> bool {
    INTERRUPTED_FLAG.load(Ordering::Relaxed)
}

/// Returns an error after an interrupt.
pub fn check() -> Result<(), Failure> {
    if is_pending() {
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

/// Reads and writes through until an interrupt, which is an error then: for code that knows nothing of interrupts and
/// cleans up after errors.
pub struct Interruptible<'a, T>(pub &'a mut T);

fn go_on() -> io::Result<()> {
    if is_pending() {
        // Not ErrorKind::Interrupted, after which one tries again.
        return Err(io::Error::other("interrupted"));
    }
    Ok(())
}

impl<T: Read> Read for Interruptible<'_, T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        go_on()?;
        self.0.read(bytes)
    }
}

impl<T: Write> Write for Interruptible<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        go_on()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<T: Seek> Seek for Interruptible<'_, T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}
