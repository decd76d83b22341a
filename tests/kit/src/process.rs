// SPDX-License-Identifier: MIT OR Apache-2.0

//! Other processes of a case: forked, so that they share its code, and killed with its group.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::Duration;

use anyhow::{ensure, Result};

use crate::kernel;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// with this status
    Exit(i32),
    /// by this signal
    Signal(i32),
}

/// A child.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    reaped: bool,
}

/// Runs `f` in a child, which exits with 0 if it returns `Ok`, else with 1 after telling why.
///
/// The caller must have no other threads: the child would find their locks held.
pub fn fork(f: impl FnOnce() -> Result<()>) -> Result<Child> {
    // SAFETY: this process has one thread now, by the rule above, so the child is whole.
    let pid = unsafe { libc::fork() };
    ensure!(pid >= 0, "fork: {}", io::Error::last_os_error());
    if pid == 0 {
        let status = match f() {
            Ok(()) => 0,
            Err(e) => {
                eprintln!("child: {e:#}");
                1
            }
        };
        // SAFETY: ends the process without running what is the parent's business at exit.
        unsafe { libc::_exit(status) };
    }
    Ok(Child { pid, reaped: false })
}

impl Child {
    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        if !self.reaped {
            // SAFETY: the child has not been waited for, so the id is its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// How it has ended, if it has.
    pub fn poll(&mut self) -> Result<Option<End>> {
        let mut status = 0;
        // SAFETY: a valid place for the status.
        let rc = unsafe { libc::waitpid(self.pid, &mut status, libc::WNOHANG) };
        ensure!(rc >= 0, "waitpid: {}", io::Error::last_os_error());
        if rc == 0 {
            return Ok(None);
        }
        self.reaped = true;
        Ok(Some(if libc::WIFSIGNALED(status) {
            End::Signal(libc::WTERMSIG(status))
        } else {
            End::Exit(libc::WEXITSTATUS(status))
        }))
    }

    /// Waits for its end.
    pub fn wait(mut self, limit: Duration) -> Result<End> {
        let mut end = None;
        kernel::until(&format!("the end of process {}", self.pid), limit, || {
            end = self.poll()?;
            Ok(end.is_some())
        })?;
        end.ok_or_else(|| anyhow::anyhow!("no end"))
    }

    /// Kills it and waits for its end.
    pub fn kill(self, limit: Duration) -> Result<End> {
        self.signal(libc::SIGKILL);
        self.wait(limit)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(libc::SIGKILL);
            // SAFETY: plain system call.
            unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
        }
    }
}

/// A way for processes to wait for each other.
pub struct Pipe {
    reader: File,
    writer: File,
}

impl Pipe {
    /// To be made before the fork.
    pub fn new() -> Result<Self> {
        let mut fds = [0; 2];
        // SAFETY: room for two descriptors.
        let rc = unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) };
        ensure!(rc == 0, "pipe: {}", io::Error::last_os_error());
        // SAFETY: two fresh descriptors that nobody else owns.
        let (reader, writer) = unsafe { (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1])) };
        Ok(Self { reader, writer })
    }

    /// Lets one waiter go on.
    pub fn send(&mut self) -> Result<()> {
        Ok(self.writer.write_all(&[1])?)
    }

    /// Waits for a `send`.
    pub fn wait(&mut self, limit: Duration) -> Result<()> {
        let events = kernel::poll(self.reader.as_raw_fd(), libc::POLLIN, limit)?;
        ensure!(events & libc::POLLIN != 0, "the other process says nothing");
        Ok(self.reader.read_exact(&mut [0])?)
    }
}

/// Makes the calling process an ordinary user: no capabilities, no groups but this one.
pub fn become_user(group: u32) -> Result<()> {
    const NOBODY: u32 = 1000;
    let groups = [group];
    // SAFETY: plain system calls on this process; the array is valid.
    let done = unsafe {
        libc::setgroups(1, groups.as_ptr()) == 0
            && libc::setgid(NOBODY) == 0
            && libc::setuid(NOBODY) == 0
    };
    ensure!(done, "giving up privileges: {}", io::Error::last_os_error());
    Ok(())
}
