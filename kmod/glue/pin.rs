// SPDX-License-Identifier: GPL-2.0

//! Memory of the caller, pinned for the card.
//!
//! A pinned page stays what it is, whatever becomes of the mapping and the process: `munmap()`, `fork()` (the
//! child gets a copy), death, a file that is cut.  It goes back when the last reference to the buffer is dropped.

use core::{
    mem::MaybeUninit,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};

use kernel::{
    bindings,
    error::to_result,
    page::PAGE_SIZE, //
};

use super::{
    pages::Pages,
    prelude::*, //
};

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_charge_locked(pages: c_ulong, user: *mut *mut bindings::user_struct) -> c_int;
    fn ax650_uncharge_locked(pages: c_ulong, user: *mut bindings::user_struct);
    fn ax650_is_unfit(at: c_ulong, write: bool) -> bool;
}

/// How pages are pinned, and who pays for them.
///
/// # Invariants
///
/// `payer` is a user that we have a reference of, and `count` pages are charged to.
pub(super) struct Pinning {
    payer: Option<NonNull<bindings::user_struct>>,
    count: usize,
    /// The card may write to them.
    pub(super) writable: bool,
}

impl Pinning {
    /// Charges `count` pages to the calling user.
    fn charge(count: usize, writable: bool) -> Result<Self> {
        let mut payer = null_mut();
        // SAFETY: writes a pointer, which comes with a reference.
        to_result(unsafe { ax650_charge_locked(count as c_ulong, &mut payer) })?;
        Ok(Self {
            payer: NonNull::new(payer),
            count,
            writable,
        })
    }

    /// Gives pages back.
    ///
    /// # Safety
    ///
    /// They are pinned in this way, and given back once.
    pub(super) unsafe fn unpin(&self, pages: &[NonNull<bindings::page>]) {
        // `NonNull<page>` has the layout of a pointer; the function does not write to the array.
        let array = pages.as_ptr().cast_mut().cast();
        // SAFETY: the caller's promise.  What the card has written to must not be taken for unchanged.
        unsafe {
            bindings::unpin_user_pages_dirty_lock(array, pages.len() as c_ulong, self.writable);
        }
    }
}

impl Drop for Pinning {
    fn drop(&mut self) {
        if let Some(payer) = self.payer {
            // SAFETY: charged in `charge`, with a reference.
            unsafe { ax650_uncharge_locked(self.count as c_ulong, payer.as_ptr()) };
        }
    }
}

impl Pages {
    /// Pins `size` bytes of the caller from `address` on; `writable`: the card may write to them.
    ///
    /// # Errors
    ///
    /// `EFAULT`: they are not all there, or the caller may not write there; `EOPNOTSUPP`: memory of a device,
    /// or of a file that has to know who writes; `ENOMEM`: more than `RLIMIT_MEMLOCK` allows; `EINTR`.
    pub(crate) fn of_caller(address: u64, size: usize, writable: bool) -> Result<Self> {
        let address = usize::try_from(address).map_err(|_| EFAULT)?;
        address.checked_add(size).ok_or(EFAULT)?;
        let skip = address % PAGE_SIZE;
        let count = (skip + size).div_ceil(PAGE_SIZE);
        let mut this = Self::with_room(count)?;
        this.skip = skip;
        this.size = size;
        this.pinning = Some(Pinning::charge(count, writable)?);
        // PANIC: `skip` is a part of `address`.
        this.pin(address - skip, count, writable)?;
        Ok(this)
    }

    /// Adds `count` pages from `first` on, for which there is room.
    fn pin(&mut self, first: usize, count: usize, writable: bool) -> Result {
        let mut flags = bindings::FOLL_LONGTERM as c_uint;
        if writable {
            flags |= bindings::FOLL_WRITE as c_uint;
        }
        while self.pages.len() < count {
            let at = (first + self.pages.len() * PAGE_SIZE) as c_ulong;
            let left = i32::try_from(count - self.pages.len())?;
            let room: &mut [MaybeUninit<_>] = self.pages.spare_capacity_mut();
            // SAFETY: there is room for `left` pointers, which are those of pages with a pin of ours.
            let pinned = unsafe {
                let array = room.as_mut_ptr().cast::<*mut bindings::page>();
                bindings::pin_user_pages_fast(at, left, flags, array)
            };
            if pinned <= 0 {
                return Err(refusal(pinned, at, writable));
            }
            // SAFETY: so many elements were written.
            unsafe { self.pages.inc_len(pinned as usize) };
        }
        Ok(())
    }
}

/// Returns why the page at `at` was not pinned.
fn refusal(code: c_int, at: c_ulong, writable: bool) -> Error {
    match to_result(code).err().unwrap_or(EFAULT) {
        // SAFETY: no preconditions.
        e if e == EFAULT && unsafe { ax650_is_unfit(at, writable) } => EOPNOTSUPP,
        e => e,
    }
}
