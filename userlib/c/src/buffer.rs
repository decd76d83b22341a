// SPDX-License-Identifier: MIT OR Apache-2.0

//! Buffers, and memory on the card.

use ax650::{Buffer, CardMemory};

use crate::pointer::{end, give, object, place};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};
use crate::session::ax650_session;

/// Host memory that the card reaches by DMA.  Made by ax650_buffer_alloc(), ended by ax650_buffer_free().
pub struct ax650_buffer(pub(crate) Buffer);

/// Makes a buffer of `size` bytes, zeroed.
///
/// @return AX650_ERR_NO_MEMORY; AX650_ERR_BUSY: more than the driver gives to one process or user.
#[no_mangle]
pub unsafe extern "C" fn ax650_buffer_alloc(
    session: *const ax650_session,
    size: usize,
    out: *mut *mut ax650_buffer,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (session, out) = unsafe { (object(session)?, place(out)?) };
        *out = give(ax650_buffer(session.0.buffer(size)?));
        Ok(AX650_OK)
    })
}

/// Ends a buffer.  Its memory, which ax650_buffer_data() gave, is gone when no job uses it any more.
#[no_mangle]
pub unsafe extern "C" fn ax650_buffer_free(buffer: *mut ax650_buffer) {
    // SAFETY: the header's promise.
    unsafe { end(buffer) }
}

/// Gives the bytes of a buffer, in place, until ax650_buffer_free().  They are not to be looked at, nor written to, while
/// a call that was given the buffer is under way in another thread.
///
/// @return AX650_ERR_BUSY: such a call is under way; AX650_ERR_CARD: a copy into the buffer was broken off, and its bytes
/// can never be looked at again.
#[no_mangle]
pub unsafe extern "C" fn ax650_buffer_data(
    buffer: *const ax650_buffer,
    data: *mut *mut u8,
    size: *mut usize,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (buffer, data, size) = unsafe { (object(buffer)?, place(data)?, place(size)?) };
        let mut bytes = buffer.0.write()?;
        // The guard ends here; from now on it is the caller who keeps to what the header says.
        (*data, *size) = (bytes.as_mut_ptr(), bytes.len());
        Ok(AX650_OK)
    })
}

/// Memory on the card.  Made by ax650_memory_alloc(), ended by ax650_memory_free().
pub struct ax650_memory(CardMemory);

/// Allocates `size` bytes on the card.
///
/// @return AX650_ERR_NO_MEMORY.
#[no_mangle]
pub unsafe extern "C" fn ax650_memory_alloc(
    session: *const ax650_session,
    size: u64,
    out: *mut *mut ax650_memory,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (session, out) = unsafe { (object(session)?, place(out)?) };
        *out = give(ax650_memory(CardMemory::new(&session.0.stream(), size)?));
        Ok(AX650_OK)
    })
}

/// Ends memory on the card; it is given back when no job uses it any more.
#[no_mangle]
pub unsafe extern "C" fn ax650_memory_free(memory: *mut ax650_memory) {
    // SAFETY: the header's promise.
    unsafe { end(memory) }
}

/// Copies `size` bytes at `from` of a buffer to `to` in card memory, and waits for it.
///
/// @return AX650_ERR_INVALID: not within both.
#[no_mangle]
pub unsafe extern "C" fn ax650_memory_write(
    memory: *const ax650_memory,
    to: u64,
    buffer: *const ax650_buffer,
    from: usize,
    size: usize,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (memory, buffer) = unsafe { (object(memory)?, object(buffer)?) };
        let end = from.checked_add(size).ok_or(OVERFLOW)?;
        memory.0.fill(to, &buffer.0, from..end)?;
        Ok(AX650_OK)
    })
}

/// Copies `size` bytes at `from` in card memory to `to` of a buffer, and waits for it.
///
/// @return AX650_ERR_INVALID: not within both.
#[no_mangle]
pub unsafe extern "C" fn ax650_memory_read(
    memory: *const ax650_memory,
    from: u64,
    buffer: *const ax650_buffer,
    to: usize,
    size: usize,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (memory, buffer) = unsafe { (object(memory)?, object(buffer)?) };
        let end = to.checked_add(size).ok_or(OVERFLOW)?;
        memory.0.fetch(from, &buffer.0, to..end)?;
        Ok(AX650_OK)
    })
}

const OVERFLOW: Failure = Failure::Argument("a range that ends behind all memory");
