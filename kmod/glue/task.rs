// SPDX-License-Identifier: GPL-2.0

//! Who is calling.

use core::ptr::NonNull;

use kernel::{
    bindings,
    prelude::*, //
};

use super::shim;

/// A reference to the identity of a process.
///
/// # Invariants
///
/// The pid is one that `self` has a reference of.
pub(crate) struct Process(NonNull<bindings::pid>);

// SAFETY: `struct pid` is reference counted and immutable but for the count.
unsafe impl Send for Process {}
// SAFETY: as above.
unsafe impl Sync for Process {}

impl Process {
    /// Returns the calling process.
    ///
    /// # Errors
    ///
    /// `ESRCH`, not in practice: a task that runs has a pid.
    pub(crate) fn current() -> Result<Self> {
        // SAFETY: takes a reference to the pid of the current task.
        NonNull::new(unsafe { shim::ax650_current_pid() })
            .map(Self)
            .ok_or(ESRCH)
    }

    /// Returns the calling thread.
    ///
    /// # Errors
    ///
    /// As [`Self::current`].
    pub(crate) fn current_thread() -> Result<Self> {
        // SAFETY: takes a reference to the pid of the current task.
        NonNull::new(unsafe { shim::ax650_current_thread() })
            .map(Self)
            .ok_or(ESRCH)
    }

    /// Returns whether the process is the calling one.
    ///
    /// # Errors
    ///
    /// As [`Self::current`].
    pub(crate) fn is_current(&self) -> Result<bool> {
        Ok(*self == Self::current()?)
    }

    /// Returns the process's number in the initial namespace; never 0.
    pub(crate) fn number(&self) -> i32 {
        // SAFETY: we hold a reference.
        unsafe { shim::ax650_pid_number(self.0.as_ptr()) }
    }

    /// Returns the process's number for the calling process, 0 if it cannot see it.
    pub(crate) fn number_for_caller(&self) -> i32 {
        // SAFETY: we hold a reference.
        unsafe { shim::ax650_pid_in_current_ns(self.0.as_ptr()) }
    }

    /// Returns the process's number and its name `comm` as the calling process may know them: 0 and nothing
    /// if it cannot see the process.
    pub(crate) fn shown_to_caller(&self, comm: [u8; 16]) -> (i32, [u8; 16]) {
        match self.number_for_caller() {
            0 => (0, [0; 16]),
            number => (number, comm),
        }
    }
}

/// A pid that is referenced is nobody else's.
impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: gives up the reference of `current`.
        unsafe { bindings::put_pid(self.0.as_ptr()) };
    }
}

/// Returns whether the calling task must not wait any longer: it is being killed, or the system goes to
/// sleep.
pub(crate) fn must_leave() -> bool {
    // SAFETY: no preconditions.
    unsafe { shim::ax650_must_leave() }
}

/// Gives the calling kernel thread the priority of those that handle interrupts.
pub(crate) fn be_prompt() {
    // SAFETY: no preconditions.
    unsafe { shim::ax650_be_prompt() }
}

/// Lets a moment pass in a loop that waits; false if another task wants the CPU.
pub(crate) fn relax() -> bool {
    // SAFETY: no preconditions.
    unsafe {
        shim::ax650_cpu_relax();
        !shim::ax650_need_resched()
    }
}

/// Returns whether the caller is no less urgent than a usual program: it may hold what others wait for.
pub(crate) fn is_urgent() -> bool {
    // SAFETY: no preconditions.
    unsafe { shim::ax650_is_urgent() }
}

/// Returns the user who answers for the caller, in the initial namespace: who has made the outermost user namespace of
/// the caller's, if there is one.
pub(crate) fn accountable_user() -> u32 {
    // SAFETY: no preconditions.
    unsafe { shim::ax650_accountable_user() }
}

/// Returns whether the caller may reach all memory anyway.
pub(crate) fn is_raw_io() -> bool {
    // SAFETY: no preconditions.
    unsafe { bindings::capable(bindings::CAP_SYS_RAWIO as c_int) }
}

/// Returns whether limits of users are not for the caller.
pub(crate) fn may_exceed() -> bool {
    // SAFETY: no preconditions.
    unsafe { bindings::capable(bindings::CAP_SYS_RESOURCE as c_int) }
}

/// Returns whether the caller may administer the system.
pub(crate) fn is_admin() -> bool {
    // SAFETY: no preconditions.
    unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as c_int) }
}
