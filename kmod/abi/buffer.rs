// SPDX-License-Identifier: GPL-2.0

//! `AX650_IOC_BUFFER_CREATE`, `AX650_IOC_BUFFER_DESTROY` and `AX650_IOC_BUFFER_EXPORT`.

use kernel::{
    fs::file::{
        flags::O_CLOEXEC,
        FileDescriptorReservation, //
    },
    sync::Arc,
    uaccess::UserSlice, //
};

use super::client::Client;
use crate::{
    buffer::{
        account::Payer,
        Buffer,
        MAX_BUFFER, //
    },
    glue::{
        dmabuf::Import,
        plain,
        prelude::*, //
    },
    uapi::{
        BufferCreate,
        BufferDestroy,
        BufferExport,
        BUFFER_DMA_BUF,
        BUFFER_READ_ONLY,
        BUFFER_USER_MEMORY, //
    }, //
};

/// Kinds of memory.
enum Kind {
    Own,
    User,
    DmaBuf,
}

/// Returns what the flags of a request ask for, and whether the card may write to it.
fn kind(args: &BufferCreate) -> Result<(Kind, bool)> {
    let writable = args.flags & BUFFER_READ_ONLY == 0;
    let kind = match args.flags & !BUFFER_READ_ONLY {
        0 if writable => Kind::Own,
        BUFFER_USER_MEMORY => Kind::User,
        BUFFER_DMA_BUF => Kind::DmaBuf,
        _ => return Err(EINVAL),
    };
    // What another kind has a use for.
    let (address, dma_buf) = (args.address != 0, args.dma_buf != 0);
    let (sized, clean) = match kind {
        Kind::Own => (true, !address && !dma_buf),
        Kind::User => (true, !dma_buf),
        Kind::DmaBuf => (false, !address),
    };
    let size_is_good = match sized {
        true => args.size > 0 && args.size <= MAX_BUFFER,
        false => args.size == 0,
    };
    if !clean || !size_is_good || args.reserved != 0 {
        return Err(EINVAL);
    }
    Ok((kind, writable))
}

impl Client {
    /// Makes a buffer.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the card is gone; `EINVAL` for a field that makes no sense; `ENOSPC` for too many buffers;
    /// those of [`Buffer::new`], [`Buffer::of_caller`], [`Import::get`] and [`Buffer::of_dma_buf`].
    pub(super) fn buffer_create(&self, args: &mut BufferCreate) -> Result {
        self.check_there()?;
        let (kind, writable) = kind(args)?;
        self.holdings.lock().buffers.free_slot()?;
        let (memory, payer) = (&self.card.pool.memory, Payer::Buffer(&self.account));
        let size = args.size as usize;
        let buffer = match kind {
            Kind::Own => Buffer::new(memory, size, payer),
            Kind::User => Buffer::of_caller(memory, args.address, size, writable, payer),
            Kind::DmaBuf => Import::get(args.dma_buf, writable)
                .and_then(|import| Buffer::of_dma_buf(memory, import, payer)),
        }?;
        args.size = buffer.size() as u64;
        let buffer = Arc::new(buffer, GFP_KERNEL)?;
        args.handle = self.holdings.lock().buffers.insert(buffer)?;
        args.mmap_offset = match kind {
            Kind::Own => u64::from(args.handle) * MAX_BUFFER,
            _ => 0,
        };
        Ok(())
    }

    /// Makes a dma-buf of a buffer.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a field that must be 0; `ENOENT` if there is no such buffer; `EMFILE`; `EFAULT`; those of
    /// [`Buffer::export`].
    pub(super) fn buffer_export(&self, user: impl Fn() -> UserSlice) -> Result {
        let mut args: BufferExport = plain::read(user())?;
        if args.flags != 0 || args.reserved != 0 {
            return Err(EINVAL);
        }
        let buffer = self.holdings.lock().buffers.get(args.handle)?;
        let exported = buffer.export()?;
        let fd = FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)?;
        args.dma_buf = fd.reserved_fd() as i32;
        // The caller gets the file only with its number.
        plain::write(user(), &args)?;
        exported.install(fd);
        Ok(())
    }

    /// Gives up a handle.
    ///
    /// # Errors
    ///
    /// `EINVAL` for flags; `ENOENT` if there is no such buffer.
    pub(super) fn buffer_destroy(&self, args: &BufferDestroy) -> Result {
        if args.flags != 0 {
            return Err(EINVAL);
        }
        self.end_buffer(args.handle)
    }

    fn end_buffer(&self, handle: u32) -> Result {
        let buffer = self.holdings.lock().buffers.remove(handle)?;
        // Not under the lock: this may be the last reference.
        drop(buffer);
        Ok(())
    }

    /// Takes back a buffer of which its maker does not know.
    pub(super) fn forget_buffer(&self, made: &BufferCreate) {
        // Another thread may have guessed the handle and been faster.
        let _ = self.end_buffer(made.handle);
    }
}
