// SPDX-License-Identifier: GPL-2.0

//! eventfds handed in by user space.

use core::ptr::NonNull;

use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*, //
};

use super::shim;

/// A reference to an eventfd.
///
/// # Invariants
///
/// The context is one that `self` has a reference of.
pub(crate) struct EventFd(NonNull<bindings::eventfd_ctx>);

// SAFETY: eventfd contexts are reference counted and may be signalled from any thread.
unsafe impl Send for EventFd {}
// SAFETY: as above.
unsafe impl Sync for EventFd {}

impl EventFd {
    /// Returns the eventfd that is file descriptor `fd` of the calling process.
    ///
    /// # Errors
    ///
    /// `EBADF` if there is no such descriptor, `EINVAL` if it is no eventfd.
    pub(crate) fn get(fd: i32) -> Result<Self> {
        // SAFETY: checks the descriptor itself.
        let ctx = from_err_ptr(unsafe { bindings::eventfd_ctx_fdget(fd) })?;
        NonNull::new(ctx).map(Self).ok_or(EINVAL)
    }

    /// Adds one to the eventfd's counter.
    pub(crate) fn signal(&self) {
        // SAFETY: we hold a reference.
        unsafe { shim::ax650_eventfd_signal(self.0.as_ptr()) };
    }
}

impl Drop for EventFd {
    fn drop(&mut self) {
        // SAFETY: gives up the reference of `get`.
        unsafe { bindings::eventfd_ctx_put(self.0.as_ptr()) };
    }
}
