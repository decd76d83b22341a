// SPDX-License-Identifier: MIT OR Apache-2.0

//! Host memory that the card can reach.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Request, Result};
use crate::host_memory::{HostMemory, Lender};
use crate::transport::{Device, Mapping, FORKED};

/// Host memory that the card can reach, filled and read in place.
///
/// The card is like another thread: while a job uses a buffer, the program must not look at what the card
/// is writing.  So a buffer works like a lock that the program and the card take turns with.  The program
/// takes it with [`Buffer::read`] and [`Buffer::write`], which give slices; a job takes it from submit until
/// its end is seen.  Nobody waits for the lock: who cannot have it gets [`Error::BufferBusy`].
///
/// If a job that writes to the buffer does not end properly (timeout, reset), the card might still write, and
/// the buffer is [lost](Error::BufferLost) for good.  The driver keeps its memory until that is over.
///
/// Clones are handles of the same buffer.
///
/// The memory is the driver's ([`Session::buffer`](crate::Session::buffer)) or the program's own
/// ([`Session::buffer_of`](crate::Session::buffer_of)), which can be had back with [`Buffer::into_memory`].
///
/// # Fork
///
/// A child made by `fork()` has no part in the buffer: dropping it there does nothing, [`Buffer::read`] and
/// [`Buffer::write`] fail, and slices that were taken before the `fork()` are not mapped (SIGSEGV).
#[derive(Clone)]
pub struct Buffer {
    inner: Arc<Inner>,
}

struct Inner {
    device: Arc<Device>,
    handle: u32,
    /// `None`: a dma-buf, which is mapped where it comes from.
    mapping: Option<Mapping>,
    /// Owner of the memory, if it is not the driver.
    lender: Option<Lender>,
    len: usize,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    readers: usize,
    writer: bool,
    lost: bool,
}

impl Buffer {
    pub(crate) fn new(device: Arc<Device>, len: usize) -> Result<Self, nix::errno::Errno> {
        let (handle, mapping) = device.buffer_create(len)?;
        Ok(Self::with(device, handle, Some(mapping), len, None))
    }

    /// Makes a buffer of memory that the program has.
    pub(crate) fn of(
        device: Arc<Device>,
        memory: impl HostMemory,
    ) -> Result<Self, nix::errno::Errno> {
        let len = memory.size();
        let (lender, mapping) = Lender::new(memory)?;
        // SAFETY: the lender has the memory, and goes when no job uses the buffer any more.
        let handle = unsafe { device.buffer_over(mapping.as_ptr(), len, false) }?;
        Ok(Self::with(device, handle, Some(mapping), len, Some(lender)))
    }

    /// Makes a buffer of borrowed bytes, for jobs that only read it.
    ///
    /// # Safety
    ///
    /// It must not be used when `bytes` are not valid any more.  What the card reads then does not matter.
    pub(crate) unsafe fn borrowing(
        device: Arc<Device>,
        bytes: &[u8],
    ) -> Result<Self, nix::errno::Errno> {
        let (start, len) = (NonNull::from(bytes).cast::<u8>(), bytes.len());
        // SAFETY: nobody writes through the view: `hold_exclusive` is for targets of jobs and for guards, of
        // which there are none.
        let mapping = unsafe { Mapping::over(start, len) }?;
        // SAFETY: valid for reads, by the caller.
        let handle = unsafe { device.buffer_over(start.as_ptr(), len, true) }?;
        Ok(Self::with(device, handle, Some(mapping), len, None))
    }

    fn with(
        device: Arc<Device>,
        handle: u32,
        mapping: Option<Mapping>,
        len: usize,
        lender: Option<Lender>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                device,
                handle,
                mapping,
                lender,
                len,
                users: Mutex::default(),
            }),
        }
    }

    /// Makes a buffer of a dma-buf.
    pub(crate) fn of_dma_buf(
        device: Arc<Device>,
        dma_buf: BorrowedFd<'_>,
        writable: bool,
    ) -> Result<Self, nix::errno::Errno> {
        let (handle, len) = device.buffer_import(dma_buf, !writable)?;
        Ok(Self::with(device, handle, None, len, None))
    }

    /// Makes a dma-buf of the buffer, for other drivers and other cards
    /// ([`Session::buffer_of_dma_buf`](crate::Session::buffer_of_dma_buf)).
    ///
    /// The lock of the buffer knows nothing of who uses it by the dma-buf: the program has to see to it that nobody
    /// writes to it while it has a guard.
    ///
    /// # Safety
    ///
    /// As long as there are guards of this buffer, nobody may write to it by the dma-buf; as long as there is a
    /// [`WriteGuard`], nobody may read it either.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the memory is not the driver's own, or the kernel has no dma-bufs.
    pub unsafe fn export(&self) -> Result<OwnedFd> {
        let device = &self.inner.device;
        device
            .buffer_export(self.inner.handle)
            .map_err(|errno| Error::Driver {
                card: device.card().into(),
                what: "make a dma-buf of a buffer".into(),
                request: Request::Buffer,
                errno,
            })
    }

    /// Takes the program's memory back that the buffer was made of.
    ///
    /// # Errors
    ///
    /// The buffer itself, if it is used by other handles, by guards or by a job whose end was not seen, if it is
    /// [lost](Error::BufferLost), or if it was not made of an `M`.
    pub fn into_memory<M: HostMemory>(self) -> std::result::Result<M, Self> {
        let mut inner = match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner,
            Err(inner) => return Err(Self { inner }),
        };
        let lost = inner.users().lost;
        let lender = inner.lender.take_if(|_| !lost);
        match lender.map(Lender::into_memory) {
            Some(Ok(memory)) => return Ok(memory),
            Some(Err(lender)) => inner.lender = Some(lender),
            None => {}
        }
        Err(Self {
            inner: Arc::new(inner),
        })
    }

    /// Returns the size in bytes.
    #[allow(clippy::len_without_is_empty)] // a buffer never is empty
    pub fn len(&self) -> usize {
        self.inner.len
    }

    /// Locks the contents for reading.
    ///
    /// # Errors
    ///
    /// [`Error::BufferBusy`] while a job or a [`WriteGuard`] writes to it; [`Error::BufferLost`]; [`Error::Invalid`] for
    /// a dma-buf.
    pub fn read(&self) -> Result<ReadGuard<'_>> {
        let hold = self.hold_shared()?;
        let start = self.start()?;
        // SAFETY: the mapping has `len` bytes and lives as long as `self`; the hold keeps writers away.
        let bytes = unsafe { std::slice::from_raw_parts(start, self.len()) };
        Ok(ReadGuard { bytes, _hold: hold })
    }

    /// Locks the contents for writing and reading.
    ///
    /// # Errors
    ///
    /// [`Error::BufferBusy`] while a job or another guard uses it; [`Error::BufferLost`]; [`Error::Invalid`] for a
    /// dma-buf.
    pub fn write(&self) -> Result<WriteGuard<'_>> {
        let hold = self.hold_exclusive()?;
        let start = self.start()?;
        // SAFETY: the mapping has `len` bytes and lives as long as `self`; the hold keeps all others away.
        let bytes = unsafe { std::slice::from_raw_parts_mut(start, self.len()) };
        Ok(WriteGuard { bytes, _hold: hold })
    }

    pub(crate) fn handle(&self) -> u32 {
        self.inner.handle
    }

    /// Returns the memory, past the lock: for ranges that the library itself keeps apart.
    pub(crate) fn mapping(&self) -> Option<&Mapping> {
        self.inner.mapping.as_ref()
    }

    fn start(&self) -> Result<*mut u8> {
        let start = self.mapping().map(Mapping::as_ptr);
        start.ok_or_else(|| Error::invalid("a dma-buf is read and written where it comes from"))
    }

    /// Takes the buffer for a reader.
    pub(crate) fn hold_shared(&self) -> Result<Hold> {
        self.hold(false)
    }

    /// Takes the buffer for a writer.
    pub(crate) fn hold_exclusive(&self) -> Result<Hold> {
        self.hold(true)
    }

    fn hold(&self, exclusive: bool) -> Result<Hold> {
        if self.inner.device.is_inherited() {
            return Err(Error::Driver {
                card: self.inner.device.card().into(),
                what: "use a buffer".into(),
                request: Request::Buffer,
                errno: FORKED,
            });
        }
        let mut users = self.inner.users();
        if users.lost {
            return Err(Error::BufferLost);
        }
        if users.writer || (exclusive && users.readers > 0) {
            return Err(Error::BufferBusy);
        }
        if exclusive {
            users.writer = true;
        } else {
            users.readers += 1;
        }
        Ok(Hold {
            buffer: self.clone(),
            exclusive,
        })
    }

    /// Returns the open card that the buffer was made with.
    pub(crate) fn device(&self) -> &Arc<Device> {
        &self.inner.device
    }

    /// Returns whether both are handles of the same buffer.
    pub(crate) fn is(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Inner {
    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.device.is_inherited() {
            return;
        }
        // The mapping goes after this; the driver keeps the memory until both are gone and no job uses it.
        if let Err(errno) = self.device.buffer_destroy(self.handle) {
            log::debug!("destroy buffer {}: {errno}", self.handle);
        }
        // The card may still write to what is lost: nobody else must get that memory.
        if self.users().lost {
            if let Some(lender) = self.lender.take() {
                lender.leak();
            }
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("handle", &self.handle())
            .field("len", &self.len())
            .finish()
    }
}

/// One user of a buffer, be it a guard or a job.
///
/// Forgetting a hold keeps the buffer busy for ever, which is safe.
#[derive(Debug)]
pub(crate) struct Hold {
    buffer: Buffer,
    exclusive: bool,
}

impl Hold {
    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// Gives the buffer up for good: the card may write to it for an unknown time.
    pub(crate) fn lose(self) {
        if self.exclusive {
            let len = self.buffer.len();
            log::warn!("lost a buffer of {len} bytes to a failed job");
            self.buffer.inner.users().lost = true;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.buffer.inner.device.is_inherited() {
            return;
        }
        let mut users = self.buffer.inner.users();
        if self.exclusive {
            users.writer = false;
        } else {
            users.readers -= 1;
        }
    }
}

/// The contents of a [`Buffer`], to read.
#[derive(Debug)]
pub struct ReadGuard<'a> {
    bytes: &'a [u8],
    _hold: Hold,
}

impl ReadGuard<'_> {
    /// Narrows the guard to a part of its bytes.
    ///
    /// # Panics
    ///
    /// If `range` is not in it.
    pub fn narrow(self, range: Range<usize>) -> Self {
        Self {
            bytes: &self.bytes[range],
            ..self
        }
    }
}

impl Deref for ReadGuard<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

/// The contents of a [`Buffer`], to write.
#[derive(Debug)]
pub struct WriteGuard<'a> {
    bytes: &'a mut [u8],
    _hold: Hold,
}

impl WriteGuard<'_> {
    /// Narrows the guard to a part of its bytes.
    ///
    /// # Panics
    ///
    /// If `range` is not in it.
    pub fn narrow(self, range: Range<usize>) -> Self {
        Self {
            bytes: &mut self.bytes[range],
            ..self
        }
    }
}

impl Deref for WriteGuard<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl DerefMut for WriteGuard<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes
    }
}
