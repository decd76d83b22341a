// SPDX-License-Identifier: MIT OR Apache-2.0

//! Child processes that never outlive the rig: each has a process group of its own, which is
//! killed when the handle is dropped, when the rig is interrupted, and by the kernel should the
//! rig die without a chance to do so itself.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Process groups that are alive, for the signal handler's thread.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A running child and all that it starts.
pub struct Group {
    child: Child,
    name: String,
    done: Option<ExitStatus>,
}

impl Group {
    /// Starts `command` in a process group of its own.  `name` is used in messages.
    pub fn spawn(command: &mut Command, name: &str) -> Result<Self> {
        Self::start(command, name, true)
    }

    /// Starts a program that needs the terminal: it stays in the rig's process group.
    pub fn spawn_foreground(command: &mut Command, name: &str) -> Result<Self> {
        Self::start(command, name, false)
    }

    fn start(command: &mut Command, name: &str, own_group: bool) -> Result<Self> {
        if own_group {
            command.process_group(0);
        }
        // SAFETY: prctl is async-signal-safe, and touches nothing of this process's memory.
        unsafe {
            command.pre_exec(|| {
                // Fires when the thread that called spawn ends; those threads live as long as
                // their children are meant to.
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        // The lock is held from before the fork, so that an interrupt cannot miss this child.
        let mut groups = lock_groups();
        if interrupted() {
            anyhow::bail!("interrupted");
        }
        let child = command.spawn().with_context(|| {
            format!(
                "cannot start {name} ({})",
                command.get_program().to_string_lossy()
            )
        })?;
        if own_group {
            groups.insert(child.id() as i32);
        }
        Ok(Self {
            child,
            name: name.to_owned(),
            done: None,
        })
    }

    /// Returns the child's standard streams, if they were piped.
    #[cfg(test)]
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Returns the exit status if the child has ended.  What it left running in its group is killed
    /// then.
    pub fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.done.is_none() && self.ended()? {
            self.kill();
        }
        Ok(self.done)
    }

    /// Whether the child has ended, without reaping it: its id, and so its group's, stays taken.
    fn ended(&self) -> Result<bool> {
        // SAFETY: siginfo_t is plain data, for which zeroes are a valid value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` outlives the call; the id is that of a child not yet waited for.
        let rc = unsafe {
            libc::waitid(
                libc::P_PID,
                self.child.id(),
                &mut info,
                libc::WEXITED | libc::WNOHANG | libc::WNOWAIT,
            )
        };
        if rc != 0 {
            return Err(io::Error::last_os_error())
                .with_context(|| format!("waiting for {}", self.name));
        }
        // SAFETY: waitid has filled in the fields for a child, or left them zero.
        Ok(unsafe { info.si_pid() } != 0)
    }

    /// Waits for the end of the child, at most until `deadline`; `None` when it is still running.
    pub fn wait_until(&mut self, deadline: Instant) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.poll()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the child with everything in its group, and reaps it.
    pub fn kill(&mut self) {
        if self.done.is_some() {
            return;
        }
        let pid = self.child.id() as i32;
        let own_group = lock_groups().remove(&pid);
        // SAFETY: plain system call; the child has not been reaped, so the id is still its own.
        unsafe { libc::kill(if own_group { -pid } else { pid }, libc::SIGKILL) };
        self.done = self.child.wait().ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock_groups() -> std::sync::MutexGuard<'static, BTreeSet<i32>> {
    GROUPS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Returns whether SIGINT, SIGTERM or SIGHUP has come.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Lets SIGINT, SIGTERM and SIGHUP kill every group and end the rig with status 130 from now on.
/// `on_exit` runs in between.
pub fn handle_interrupts(on_exit: impl FnOnce() + Send + 'static) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
        .context("cannot install signal handlers")?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            INTERRUPTED.store(true, Ordering::Relaxed);
            for pid in lock_groups().iter() {
                // SAFETY: plain system call.
                unsafe { libc::kill(-pid, libc::SIGKILL) };
            }
            on_exit();
            std::process::exit(130);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(pid: i32) -> bool {
        // SAFETY: signal 0 only asks whether the process is there.
        unsafe { libc::kill(pid, 0) == 0 }
    }

    #[test]
    fn drop_kills_grandchildren() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "sleep 1000 & echo $!; wait"])
            .stdout(std::process::Stdio::piped());
        let mut group = Group::spawn(&mut command, "sh").unwrap();
        let mut line = String::new();
        let stdout = group.child().stdout.take().unwrap();
        io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line).unwrap();
        let grandchild: i32 = line.trim().parse().unwrap();
        assert!(alive(grandchild));
        drop(group);
        let end = Instant::now() + Duration::from_secs(5);
        // The orphan may be a zombie until init reaps it: accept that state too.
        while alive(grandchild) && !zombie(grandchild) {
            assert!(Instant::now() < end, "grandchild survived");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn zombie(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |s| {
            s.rsplit(')')
                .next()
                .is_some_and(|t| t.trim_start().starts_with('Z'))
        })
    }

    #[test]
    fn wait_until_gives_up_at_the_deadline() {
        let mut group = Group::spawn(Command::new("sleep").arg("1000"), "sleep").unwrap();
        let begin = Instant::now();
        assert!(group
            .wait_until(begin + Duration::from_millis(100))
            .unwrap()
            .is_none());
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}
