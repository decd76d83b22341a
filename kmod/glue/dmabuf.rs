// SPDX-License-Identifier: GPL-2.0

//! Memory shared with other drivers: their dma-bufs, and our own pages as one.

use core::ptr::{
    null_mut,
    NonNull, //
};

use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    fs::{
        file::FileDescriptorReservation,
        File, //
    },
    sync::{
        aref::ARef,
        Arc, //
    },
    types::ForeignOwnable, //
};

use super::{
    pages::Pages,
    prelude::*, //
};

/// A C structure behind pointers, which the kernel's bindings may not have.
#[repr(C)]
struct DmaBuf {
    _opaque: [u8; 0],
}

/// Another.
#[repr(C)]
struct Attached {
    _opaque: [u8; 0],
}

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_dmabuf_get(fd: c_int, write: bool, size: *mut usize) -> *mut DmaBuf;
    fn ax650_dmabuf_put(buf: *mut DmaBuf);
    fn ax650_dmabuf_map(
        buf: *mut DmaBuf,
        dev: *mut bindings::device,
        write: bool,
        table: *mut *mut bindings::sg_table,
    ) -> *mut Attached;
    fn ax650_dmabuf_unmap(attach: *mut Attached, table: *mut bindings::sg_table, write: bool);
    fn ax650_dmabuf_copy(
        buf: *mut DmaBuf,
        offset: usize,
        data: *mut c_void,
        len: usize,
        write: bool,
    ) -> c_int;
    fn ax650_dmabuf_export(
        pages: *mut *mut bindings::page,
        count: c_ulong,
        owner: *mut c_void,
        release: unsafe extern "C" fn(*mut c_void),
    ) -> *mut DmaBuf;
    fn ax650_dmabuf_file(buf: *mut DmaBuf) -> *mut bindings::file;
}

/// A dma-buf of another driver, or of ours.
///
/// # Invariants
///
/// We have a reference of it, and it has `size` bytes.
pub(crate) struct Import {
    buf: NonNull<DmaBuf>,
    size: usize,
    writable: bool,
}

// SAFETY: dma-bufs are reference counted, and locked by themselves.
unsafe impl Send for Import {}
// SAFETY: as above.
unsafe impl Sync for Import {}

impl Import {
    /// Takes the dma-buf behind a file descriptor of the caller; `writable`: the card may write to it.
    ///
    /// # Errors
    ///
    /// `EBADF` or `EINVAL` if it is none; `EACCES` if it was opened for reading and is to be writable;
    /// `EOPNOTSUPP` if the kernel has no dma-bufs.
    pub(crate) fn get(fd: i32, writable: bool) -> Result<Self> {
        let mut size = 0;
        // SAFETY: writes the size.  The reference is ours.
        let buf = from_err_ptr(unsafe { ax650_dmabuf_get(fd, writable, &mut size) })?;
        Ok(Self {
            buf: NonNull::new(buf).ok_or(EINVAL)?,
            size,
            writable,
        })
    }

    /// Returns its bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns whether the card may write to it.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    fn check(&self, offset: usize, len: usize) -> Result {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > self.size {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Copies `data` to `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside; what its driver has against it.
    pub(crate) fn write(&self, offset: usize, data: &[u8]) -> Result {
        self.check(offset, data.len())?;
        let from = data.as_ptr().cast_mut().cast();
        // SAFETY: inside, and the function only reads `data`.
        to_result(unsafe { ax650_dmabuf_copy(self.buf.as_ptr(), offset, from, data.len(), true) })
    }

    /// Copies from `offset` to `to`.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        self.check(offset, to.len())?;
        let (data, len) = (to.as_mut_ptr().cast(), to.len());
        // SAFETY: inside, and `to` has room.
        to_result(unsafe { ax650_dmabuf_copy(self.buf.as_ptr(), offset, data, len, false) })
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        // SAFETY: our own reference.
        unsafe { ax650_dmabuf_put(self.buf.as_ptr()) };
    }
}

/// A dma-buf that is mapped for a device.
///
/// # Invariants
///
/// Until [`Self::undo`] it is mapped with `table`, which does not change.
pub(super) struct Attachment {
    attached: NonNull<Attached>,
    table: NonNull<bindings::sg_table>,
    writable: bool,
}

// SAFETY: may be undone on any thread.
unsafe impl Send for Attachment {}

impl Attachment {
    /// Maps `import`, which stays where it is until that is undone.
    ///
    /// # Safety
    ///
    /// `device` is bound, and stays until it is undone; so must `import`.
    ///
    /// # Errors
    ///
    /// What its driver has against it.
    pub(super) unsafe fn new(import: &Import, device: *mut bindings::device) -> Result<Self> {
        let mut table = null_mut();
        // SAFETY: a dma-buf that we have a reference of, and a device that is bound.
        let attached = from_err_ptr(unsafe {
            ax650_dmabuf_map(import.buf.as_ptr(), device, import.writable, &mut table)
        })?;
        Ok(Self {
            attached: NonNull::new(attached).ok_or(EINVAL)?,
            table: NonNull::new(table).ok_or(EINVAL)?,
            writable: import.writable,
        })
    }

    /// Returns the mapped table.
    pub(super) fn table(&self) -> &bindings::sg_table {
        // SAFETY: by the invariant.
        unsafe { self.table.as_ref() }
    }

    /// Undoes the mapping.
    ///
    /// # Safety
    ///
    /// Once, and nobody uses the table after it.
    pub(super) unsafe fn undo(&self) {
        // SAFETY: mapped in `new`.
        unsafe {
            ax650_dmabuf_unmap(self.attached.as_ptr(), self.table.as_ptr(), self.writable);
        }
    }
}

/// Our pages as a dma-buf, of which nobody else knows yet.
pub(crate) struct Exported(NonNull<DmaBuf>);

impl Exported {
    /// Makes a dma-buf of pages that `owner` keeps; it keeps `owner` until nobody has it any more.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if the pages are the caller's, or the kernel has no dma-bufs; `ENOMEM`.
    pub(crate) fn new<T: Send + Sync + 'static>(
        owner: Arc<T>,
        pages: impl Fn(&T) -> Option<&Pages>,
    ) -> Result<Self> {
        let own = pages(&owner).filter(|pages| pages.pinning.is_none());
        let own = own.ok_or(EOPNOTSUPP)?;
        let (array, count) = (own.as_array(), own.count() as c_ulong);
        let owner = owner.into_foreign();
        // SAFETY: the owner keeps the pages and the array, and is given up by `release`.
        let made = from_err_ptr(unsafe { ax650_dmabuf_export(array, count, owner, release::<T>) });
        match made.and_then(|buf| NonNull::new(buf).ok_or(EINVAL)) {
            Ok(buf) => Ok(Self(buf)),
            Err(e) => {
                // SAFETY: nobody else has taken it.
                drop(unsafe { <Arc<T> as ForeignOwnable>::from_foreign(owner) });
                Err(e)
            }
        }
    }

    /// Gives it to the caller as a file.
    pub(crate) fn install(self, fd: FileDescriptorReservation) {
        // SAFETY: the reference that we have is one of its file, and goes to the descriptor.
        let file = unsafe {
            let file = File::from_raw_file(ax650_dmabuf_file(self.0.as_ptr()));
            ARef::from_raw(NonNull::from(file))
        };
        core::mem::forget(self);
        fd.fd_install(file);
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        // SAFETY: our own reference.
        unsafe { ax650_dmabuf_put(self.0.as_ptr()) };
    }
}

/// # Safety
///
/// For `ax650_dmabuf_export`: an owner of [`Exported::new`], given up once.
unsafe extern "C" fn release<T: Send + Sync + 'static>(owner: *mut c_void) {
    // SAFETY: by the caller.
    drop(unsafe { <Arc<T> as ForeignOwnable>::from_foreign(owner) });
}
