// SPDX-License-Identifier: MIT OR Apache-2.0

//! An open card, with its name, and the process that opened it.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use ax650_uapi::{ax650_session_create, ax650_step_result, ax650_wait};
use nix::errno::Errno;

use super::{Mapping, Submission, Transport};
use crate::fork::Process;

/// The error of requests in a child that was made by `fork()` after the card was opened; the driver has no such one.
pub(crate) const FORKED: Errno = Errno::ECHILD;

/// An open card.  All that was made with one open card shares one of these, so whether two things belong together is
/// whether theirs is the same.
pub(crate) struct Device {
    transport: Arc<dyn Transport>,
    card: Box<str>,
    process: Process,
}

impl Device {
    pub(crate) fn new(transport: Arc<dyn Transport>, card: &str) -> Arc<Self> {
        Arc::new(Self {
            transport,
            card: card.into(),
            process: Process::current(),
        })
    }

    /// Returns the name of the card, `ax650-N`.
    pub(crate) fn card(&self) -> &str {
        &self.card
    }

    /// Returns whether this process only inherited the card: then nothing of it may be given back, as the
    /// parent uses it, nor any lock be taken, as a thread that is not here may hold it.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != Process::current()
    }

    fn own(&self) -> Result<&dyn Transport, Errno> {
        if self.is_inherited() {
            return Err(FORKED);
        }
        Ok(&*self.transport)
    }

    /// Facts may be asked for in children too.
    pub(crate) fn query(&self, kind: u32, data: &mut [u8]) -> Result<usize, Errno> {
        self.transport.query(kind, data)
    }

    pub(crate) fn session_create(&self, request: &mut ax650_session_create) -> Result<(), Errno> {
        self.own()?.session_create(request)
    }

    pub(crate) fn session_destroy(&self, session: u32) -> Result<(), Errno> {
        self.own()?.session_destroy(session)
    }

    pub(crate) fn buffer_create(&self, size: usize) -> Result<(u32, Mapping), Errno> {
        self.own()?.buffer_create(size)
    }

    /// Makes a buffer of memory that the program has.
    ///
    /// # Safety
    ///
    /// As [`Transport::buffer_over`].
    pub(crate) unsafe fn buffer_over(
        &self,
        start: *mut u8,
        len: usize,
        read_only: bool,
    ) -> Result<u32, Errno> {
        // SAFETY: the caller's promise is that of `Transport::buffer_over`.
        unsafe { self.own()?.buffer_over(start, len, read_only) }
    }

    pub(crate) fn buffer_import(
        &self,
        dma_buf: BorrowedFd<'_>,
        read_only: bool,
    ) -> Result<(u32, usize), Errno> {
        self.own()?.buffer_import(dma_buf, read_only)
    }

    pub(crate) fn buffer_export(&self, handle: u32) -> Result<OwnedFd, Errno> {
        self.own()?.buffer_export(handle)
    }

    pub(crate) fn buffer_destroy(&self, handle: u32) -> Result<(), Errno> {
        self.own()?.buffer_destroy(handle)
    }

    /// Submits a job to the card.
    ///
    /// # Safety
    ///
    /// As [`Transport::submit`].
    pub(crate) unsafe fn submit(&self, submission: &Submission<'_>) -> Result<u64, Errno> {
        // SAFETY: the caller's promise is that of `Transport::submit`.
        unsafe { self.own()?.submit(submission) }
    }

    pub(crate) fn wait(
        &self,
        job: u64,
        deadline_ns: u64,
        results: &mut [ax650_step_result],
    ) -> Result<ax650_wait, Errno> {
        self.own()?.wait(job, deadline_ns, results)
    }

    pub(crate) fn control(&self, op: u32, flags: u32) -> Result<u32, Errno> {
        self.own()?.control(op, flags)
    }

    pub(crate) fn poll_fd(&self) -> BorrowedFd<'_> {
        self.transport.poll_fd()
    }
}
