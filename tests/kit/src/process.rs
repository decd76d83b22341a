// SPDX-License-Identifier: MIT OR Apache-2.0

//! Other processes of a case: forked, so that they share its code, and killed with its group.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use nix::fcntl::OFlag;
use nix::sys::signal::{kill, Signal};
use nix::sys::wait::{waitpid, WaitPidFlag, WaitStatus};
use nix::unistd::{pipe2, setgid, setgroups, setuid, ForkResult, Gid, Pid, Uid};

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
    pid: Pid,
    reaped: bool,
}

/// Runs `f` in a child, which exits with 0 if it returns `Ok`, else with 1 after telling why.
///
/// The caller must have no other threads: the child would find their locks held.
pub fn fork(f: impl FnOnce() -> Result<()>) -> Result<Child> {
    // SAFETY: this process has one thread now, by the rule above, so the child is whole.
    match unsafe { nix::unistd::fork()? } {
        ForkResult::Parent { child: pid } => Ok(Child { pid, reaped: false }),
        ForkResult::Child => {
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
    }
}

impl Child {
    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        if !self.reaped {
            // What has ended and was not waited for can still be signalled.
            let _ = kill(self.pid, Signal::try_from(signal).ok());
        }
    }

    /// Returns how the process has ended, if it has.
    pub fn poll(&mut self) -> Result<Option<End>> {
        let end = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, status) => End::Exit(status),
            WaitStatus::Signaled(_, signal, _) => End::Signal(signal as i32),
            _ => return Ok(None),
        };
        self.reaped = true;
        Ok(Some(end))
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
            let _ = waitpid(self.pid, None);
        }
    }
}

/// A way for processes to wait for each other.
pub struct Pipe {
    reader: File,
    writer: File,
}

impl Pipe {
    /// Makes a pipe; to be done before the fork.
    pub fn new() -> Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let (reader, writer) = (reader.into(), writer.into());
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
    become_this_user(1000, group)
}

/// Makes the calling process this ordinary user.
pub fn become_this_user(user: u32, group: u32) -> Result<()> {
    let privileges = "giving up privileges";
    setgroups(&[Gid::from_raw(group)]).context(privileges)?;
    setgid(Gid::from_raw(user)).context(privileges)?;
    setuid(Uid::from_raw(user)).context(privileges)
}
