// SPDX-License-Identifier: MIT OR Apache-2.0

//! System calls and kernel files that cases and runner use.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use nix::kmod::{delete_module, init_module, DeleteModuleFlags};
use nix::time::{clock_gettime, ClockId};
use nix::unistd::{sysconf, SysconfVar};

/// Where the harness puts the module.
const MODULE: &str = "/lib/modules/ax650.ko";

/// Writes a line to the kernel's log.
pub fn log(text: &str) -> Result<()> {
    // Without the line's end the kernel would wait for more of it before printing.
    write("/dev/kmsg", &format!("{text}\n"))
}

/// Writes to a file of the kernel; the error names it.
pub fn write(path: impl AsRef<Path>, text: &str) -> Result<()> {
    let path = path.as_ref();
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("writing '{text}' to {}", path.display()))
}

/// Reads a file of the kernel, without white space at its ends; the error names it.
pub fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Waits for one of `events` on a file; the events, 0 at the time limit.  nix has no place for the events
/// of Axera's own that the nodes of AXCL report.
pub fn poll(fd: RawFd, events: i16, limit: Duration) -> Result<i16> {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    let millis = limit.as_millis().clamp(1, 1 << 30) as i32;
    // SAFETY: one valid pollfd.
    let n = unsafe { libc::poll(&mut poll, 1, millis) };
    if n < 0 {
        let error = io::Error::last_os_error();
        ensure!(error.kind() == io::ErrorKind::Interrupted, "poll: {error}");
        return Ok(0);
    }
    Ok(poll.revents)
}

/// Bytes of a page: 4, 16 or 64 KiB.
pub fn page_size() -> usize {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.map_or(4096, |size| size as usize)
}

/// Returns CLOCK_MONOTONIC in nanoseconds.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every kernel has this clock");
    Duration::from(now).as_nanos() as u64
}

/// Waits until `done` says so, at most `limit`; `what` is what was waited for.
pub fn until(what: &str, limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        if done()? {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "not within {:.1} s: {what}",
            limit.as_secs_f64()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Tells how many times slower this guest is, at worst, than a distribution's on an idle machine: others may
/// be at work on the machine, and the debug kernel checks all it does.
pub fn slowness() -> u32 {
    if checks_itself() {
        4
    } else {
        2
    }
}

/// Tells whether this is the debug kernel.
pub fn checks_itself() -> bool {
    // Only that has the checker.
    Path::new("/sys/kernel/debug/kmemleak").exists()
}

/// Tells whether the module is loaded.
pub fn module_loaded() -> bool {
    Path::new("/sys/module/ax650").exists()
}

/// Loads the module, with these parameters.
pub fn load_module(parameters: &str) -> io::Result<()> {
    let image = std::fs::read(MODULE)?;
    Ok(init_module(&image, &CString::new(parameters)?)?)
}

/// Unloads the module.
pub fn unload_module() -> io::Result<()> {
    Ok(delete_module(c"ax650", DeleteModuleFlags::O_NONBLOCK)?)
}

/// Returns the kernel's log so far, oldest line first, without the prefixes of /dev/kmsg.
pub fn dmesg() -> Result<Vec<String>> {
    const READ_ALL: i32 = 3;
    let mut buffer = vec![0_u8; 1 << 20];
    // SAFETY: the buffer is as long as said.
    let n = unsafe { libc::klogctl(READ_ALL, buffer.as_mut_ptr().cast(), buffer.len() as i32) };
    ensure!(n >= 0, "klogctl: {}", io::Error::last_os_error());
    buffer.truncate(n as usize);
    Ok(String::from_utf8_lossy(&buffer)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// A place in the kernel's log.
pub struct Mark(String);

/// Marks the present end of the kernel's log.
pub fn mark() -> Result<Mark> {
    let text = format!("ax650-selftest: mark {}", now_ns());
    log(&text)?;
    Ok(Mark(text))
}

impl Mark {
    /// Returns the lines that have come since the mark.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut lines = dmesg()?;
        let at = lines.iter().rposition(|line| line.ends_with(&self.0));
        // A log so long that the mark is gone is all new.
        Ok(lines.split_off(at.map_or(0, |at| at + 1)))
    }

    /// Tells whether one of the lines since the mark contains this text.
    pub fn saw(&self, text: &str) -> Result<bool> {
        Ok(self.lines()?.iter().any(|line| line.contains(text)))
    }
}
