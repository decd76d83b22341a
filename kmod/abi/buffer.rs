// SPDX-License-Identifier: GPL-2.0

//! `AX650_IOC_BUFFER_CREATE` and `AX650_IOC_BUFFER_DESTROY`.

use kernel::sync::Arc;

use super::client::Client;
use crate::{
    buffer::{
        account::Payer,
        Buffer,
        MAX_BUFFER, //
    },
    glue::prelude::*,
    uapi::{
        BufferCreate,
        BufferDestroy,
        BUFFER_READ_ONLY,
        BUFFER_USER_MEMORY, //
    }, //
};

/// Memory of the caller that the card only reads.
const USER_READ_ONLY: u32 = BUFFER_USER_MEMORY | BUFFER_READ_ONLY;

impl Client {
    /// Makes a buffer.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the card is gone; `EINVAL` for a field that makes no sense; `ENOSPC` for too many buffers;
    /// those of [`Buffer::new`] and [`Buffer::of_caller`].
    pub(super) fn buffer_create(&self, args: &mut BufferCreate) -> Result {
        self.check_there()?;
        if args.size == 0 || args.size > MAX_BUFFER {
            return Err(EINVAL);
        }
        let is_own = match args.flags {
            0 => true,
            BUFFER_USER_MEMORY | USER_READ_ONLY => false,
            _ => return Err(EINVAL),
        };
        if is_own && args.address != 0 {
            return Err(EINVAL);
        }
        self.holdings.lock().buffers.free_slot()?;
        let (memory, payer) = (&self.card.pool.memory, Payer::Buffer(&self.account));
        let buffer = if is_own {
            Buffer::new(memory, args.size as usize, payer)
        } else {
            let writable = args.flags & BUFFER_READ_ONLY == 0;
            Buffer::of_caller(memory, args.address, args.size as usize, writable, payer)
        }?;
        args.size = buffer.size() as u64;
        let buffer = Arc::new(buffer, GFP_KERNEL)?;
        args.handle = self.holdings.lock().buffers.insert(buffer)?;
        args.mmap_offset = match is_own {
            true => u64::from(args.handle) * MAX_BUFFER,
            false => 0,
        };
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
