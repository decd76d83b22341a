// SPDX-License-Identifier: MIT OR Apache-2.0

//! The seam between the library and the driver.
//!
//! [`Transport`] is the driver's interface (`docs/uapi.md`), one method a request.  The library has one
//! implementation, the kernel's; with the feature `fake` there is another, a card in the same process.

mod device;
mod kernel;
mod mapping;

use std::os::fd::{BorrowedFd, OwnedFd};

use ax650_uapi::{ax650_session_create, ax650_step_result, ax650_wait};
use nix::errno::Errno;

pub(crate) use device::{Device, FORKED};
pub(crate) use kernel::Kernel;
pub use mapping::Mapping;

/// An open card.
///
/// # Errors
///
/// Those of the driver's requests: `docs/uapi.md` lists them for each.
#[allow(
    clippy::missing_errors_doc,
    reason = "one section for all methods says it"
)]
pub trait Transport: Send + Sync {
    /// Asks for facts (QUERY): fills `data` as far as it goes; returns how many bytes there are in all.
    fn query(&self, kind: u32, data: &mut [u8]) -> Result<usize, Errno>;

    /// Opens a session (SESSION_CREATE): fills the answer into `request`.
    fn session_create(&self, request: &mut ax650_session_create) -> Result<(), Errno>;

    /// Ends a session (SESSION_DESTROY).
    fn session_destroy(&self, session: u32) -> Result<(), Errno>;

    /// Makes a buffer (BUFFER_CREATE and mmap): the handle and the mapped memory, at least `size` bytes,
    /// zeroed.
    fn buffer_create(&self, size: usize) -> Result<(u32, Mapping), Errno>;

    /// Makes a buffer of memory that the program has (BUFFER_CREATE with USER_MEMORY): returns its handle.  What cannot
    /// do that answers EOPNOTSUPP.
    ///
    /// # Safety
    ///
    /// `len` bytes at `start` must be valid for reads, and if not `read_only` for writes, until the buffer was
    /// given back and all jobs that use it have ended.
    unsafe fn buffer_over(
        &self,
        start: *mut u8,
        len: usize,
        read_only: bool,
    ) -> Result<u32, Errno> {
        let _ = (start, len, read_only);
        Err(Errno::EOPNOTSUPP)
    }

    /// Makes a buffer of a dma-buf (BUFFER_CREATE with DMA_BUF): returns its handle and its bytes.  What cannot do that
    /// answers EOPNOTSUPP.
    fn buffer_import(
        &self,
        dma_buf: BorrowedFd<'_>,
        read_only: bool,
    ) -> Result<(u32, usize), Errno> {
        let _ = (dma_buf, read_only);
        Err(Errno::EOPNOTSUPP)
    }

    /// Makes a dma-buf of a buffer (BUFFER_EXPORT).  What cannot do that answers EOPNOTSUPP.
    fn buffer_export(&self, handle: u32) -> Result<OwnedFd, Errno> {
        let _ = handle;
        Err(Errno::EOPNOTSUPP)
    }

    /// Gives a buffer back (BUFFER_DESTROY).
    fn buffer_destroy(&self, handle: u32) -> Result<(), Errno>;

    /// Queues a job (SUBMIT): returns its number.
    ///
    /// # Safety
    ///
    /// Until the job has ended the card may write to the buffer ranges that the steps name as target of
    /// a copy from the card or of an answer: there must be no Rust reference to them, and the mappings
    /// must stay.
    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<u64, Errno>;

    /// Waits for a job (WAIT) until `deadline_ns` (0: just look).  Writes as many results as there is room
    /// for.
    fn wait(
        &self,
        job: u64,
        deadline_ns: u64,
        results: &mut [ax650_step_result],
    ) -> Result<ax650_wait, Errno>;

    /// Orders a boot or reset (CONTROL): returns the generation.
    fn control(&self, op: u32, flags: u32) -> Result<u32, Errno>;

    /// Returns a file that is readable while ended jobs wait to be looked at.
    fn poll_fd(&self) -> BorrowedFd<'_>;
}

/// Job as it is submitted.
#[derive(Debug)]
pub struct Submission<'a> {
    /// Session handle.
    pub session: u32,
    /// The job ends with ETIME then; 0: the driver's default.
    pub deadline_ns: u64,
    /// Eventfd that is signalled when the job ends.
    pub eventfd: Option<BorrowedFd<'a>>,
    /// Steps of the job, at least one.
    pub steps: &'a [Step<'a>],
}

/// A step of a job.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// May be sent before the steps ahead of it are done.
    pub pipelined: bool,
    /// Action of the step.
    pub action: Action<'a>,
}

/// Action of a step.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    /// A copy between a buffer and card memory.
    Copy {
        /// Direction of the copy.
        direction: Direction,
        /// Sequence number.
        sequence: u64,
        /// Queue of the card that carries the copy out.
        place: Place,
        /// Address in card memory.
        card_address: u64,
        /// Buffer handle.
        buffer: u32,
        /// First byte in the buffer.
        offset: u64,
        /// Bytes to copy.
        size: u64,
    },
    /// Call of the card's service.
    Call {
        /// Header and message.
        frame: &'a [u8],
        /// Where the answer goes; `None`: the frame asks for none.
        reply: Option<ReplyRange>,
    },
}

/// Direction of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a buffer to card memory.
    ToCard,
    /// From card memory to a buffer.
    FromCard,
}

/// Place in a buffer for an answer.
#[derive(Debug, Clone, Copy)]
pub struct ReplyRange {
    /// Buffer handle.
    pub buffer: u32,
    /// First byte in the buffer.
    pub offset: u64,
    /// Room, in bytes.
    pub capacity: u32,
}

/// A queue of the card: work of the same place is done in order [rpc 4.1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Context id.
    pub context: u32,
    /// Stream id; 1 is the context's default stream.
    pub stream: u32,
}
