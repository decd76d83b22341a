// SPDX-License-Identifier: MIT OR Apache-2.0

//! Standard output, whose errors matter: what was asked for has to arrive.

use std::io::{self, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Runs before Rust's own start, which puts /dev/null in the place of what is closed.
extern "C" fn look() {
    // SAFETY: plain system call.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    CLOSED.store(flags == -1, Ordering::Relaxed);
}

#[used]
#[link_section = ".init_array"]
static LOOK: extern "C" fn() = look;

/// Returns standard output, or EBADF if the program was started without.
pub fn output() -> io::Result<StdoutLock<'static>> {
    if CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(io::stdout().lock())
}

/// Writes a help text or the version with `print`; such texts have to arrive like other output.
pub fn show(print: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    output().map(drop)?;
    print()?;
    io::stdout().flush()
}
