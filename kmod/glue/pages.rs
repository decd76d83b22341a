// SPDX-License-Identifier: GPL-2.0

//! Pages of host memory: zeroed ones that can be mapped into user space, and those that are pinned (`pin.rs`).

use core::ptr::NonNull;

use kernel::{
    bindings,
    error::to_result,
    mm::virt::VmaNew,
    page::PAGE_SIZE,
    prelude::*, //
};

use super::{
    pin::Pinning,
    shim, //
};

/// The largest piece asked of the page allocator where smaller ones do as well, as a power of two: 2 MiB
/// with pages of 4 KiB, the most that one entry of an IOMMU's tables maps below 1 GiB.
const LARGE_ORDER: u32 = 9;

/// Returns where in the file a mapping begins, in pages.
pub(crate) fn page_offset(vma: &VmaNew) -> u64 {
    // SAFETY: a valid vma; the field does not change while it is being set up.
    unsafe { (*vma.as_ptr()).vm_pgoff as u64 }
}

/// Returns the smallest block, as a power of two, that holds `count` pages.
fn order_of(count: usize) -> u32 {
    count.next_power_of_two().trailing_zeros()
}

/// Pages, each with a reference of its own: a page that is still mapped when this is dropped stays
/// until it is mapped no more.
///
/// # Invariants
///
/// Each element is an allocated page that `self` has a reference of, or with `pinning` a pin.
pub(crate) struct Pages {
    pub(super) pages: KVVec<NonNull<bindings::page>>,
    /// Bytes of the first page that are not meant.
    pub(super) skip: usize,
    /// Bytes that are meant.
    pub(super) size: usize,
    /// The pages are the caller's.
    pub(super) pinning: Option<Pinning>,
}

// SAFETY: pages are reference counted, their contents are reached by copies only.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Makes room for `count` pages.
    pub(super) fn with_room(count: usize) -> Result<Self> {
        Ok(Self {
            pages: KVVec::with_capacity(count, GFP_KERNEL)?,
            skip: 0,
            size: count * PAGE_SIZE,
            pinning: None,
        })
    }

    /// Allocates `count` pages, charged to the memory cgroup of the caller: large blocks first, then
    /// smaller ones.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let mut this = Self::with_room(count)?;
        // SAFETY: no preconditions.
        let mut order = unsafe { shim::ax650_max_order() }.min(LARGE_ORDER);
        while this.pages.len() < count {
            let left = count - this.pages.len();
            while (1usize << order) > left {
                // PANIC: `left` is not 0, so the loop ends at order 0.
                order -= 1;
            }
            if let Err(e) = this.add_block(order, left, false) {
                order = order.checked_sub(1).ok_or(e)?;
            }
        }
        Ok(this)
    }

    /// Allocates `count` zeroed pages in as few blocks as can be had.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn in_few_blocks(count: usize) -> Result<Self> {
        // SAFETY: no preconditions.
        let mut order = unsafe { shim::ax650_max_order() };
        let mut this = Self::with_room(count)?;
        while this.pages.len() < count {
            let left = count - this.pages.len();
            order = order.min(order_of(left));
            if let Err(e) = this.add_block(order, left, true) {
                order = order.checked_sub(1).ok_or(e)?;
            }
        }
        Ok(this)
    }

    /// Allocates `count` zeroed pages in one block.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn contiguous(count: usize) -> Result<Self> {
        let order = order_of(count);
        // SAFETY: no preconditions.
        if order > unsafe { shim::ax650_max_order() } {
            return Err(ENOMEM);
        }
        let mut this = Self::with_room(count)?;
        this.add_block(order, count, true)?;
        Ok(this)
    }

    /// Adds the first `most` pages of a new block of `1 << order`, which is worth some effort if `eager`.
    /// There is capacity for them.
    fn add_block(&mut self, order: u32, most: usize, eager: bool) -> Result {
        // SAFETY: no preconditions.
        let first = unsafe { shim::ax650_alloc_pages(order, eager) };
        let first = NonNull::new(first).ok_or(ENOMEM)?;
        for n in 0..1 << order {
            // SAFETY: `first` begins `1 << order` pages.
            let page = unsafe { shim::ax650_next_page(first.as_ptr(), n) };
            let page = NonNull::new(page).ok_or(ENOMEM)?;
            if (n as usize) < most {
                self.pages.push(page, GFP_KERNEL)?;
            } else {
                // SAFETY: our own page, which nobody needs.
                unsafe { shim::ax650_put_page(page.as_ptr()) };
            }
        }
        Ok(())
    }

    /// Returns the number of pages.
    pub(crate) fn count(&self) -> usize {
        self.pages.len()
    }

    /// Bytes, whole pages but for memory of the caller.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns how many bytes of the first page are ahead of the memory.
    pub(super) fn skip(&self) -> usize {
        self.skip
    }

    /// Returns whether the card may write to the memory.
    pub(crate) fn is_writable(&self) -> bool {
        self.pinning.as_ref().is_none_or(|pinning| pinning.writable)
    }

    /// Returns the pages, for C functions that take an array of them.
    pub(super) fn as_array(&self) -> *mut *mut bindings::page {
        // `NonNull<page>` has the layout of a pointer; the callers do not write.
        self.pages.as_ptr().cast_mut().cast()
    }

    /// Runs `f(page, offset in the page, bytes, bytes before)` over the pieces of
    /// `[offset, offset + len)`.
    fn walk(
        &self,
        offset: usize,
        len: usize,
        mut f: impl FnMut(*mut bindings::page, usize, usize, usize),
    ) -> Result {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > self.size {
            return Err(EINVAL);
        }
        // PANIC: `size` and `skip` together are not more than the pages.
        let (first, end) = (offset + self.skip, end + self.skip);
        let mut at = first;
        while at < end {
            let page = self.pages.get(at / PAGE_SIZE).ok_or(EINVAL)?;
            let within = at % PAGE_SIZE;
            // PANIC: `within` is less than a page, and `first <= at < end`.
            let n = (PAGE_SIZE - within).min(end - at);
            f(page.as_ptr(), within, n, at - first);
            at += n;
        }
        Ok(())
    }

    /// Copies `data` to `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside.
    pub(crate) fn write(&self, offset: usize, data: &[u8]) -> Result {
        self.walk(offset, data.len(), |page, within, n, done| {
            // SAFETY: `walk` keeps within the page, and `done + n <= data.len()`.
            unsafe { shim::ax650_copy_to_page(page, within, data.as_ptr().add(done), n) }
        })
    }

    /// Copies from `offset` to `to`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside.
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        let to_ptr = to.as_mut_ptr();
        self.walk(offset, to.len(), |page, within, n, done| {
            // SAFETY: `walk` keeps within the page, and `done + n <= to.len()`.
            unsafe { shim::ax650_copy_from_page(to_ptr.add(done), page, within, n) }
        })
    }

    /// Maps the pages from `first` on, in order, into all of `vma`, which may be shorter.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are not so many, or they are the caller's own; `ENOMEM`.
    pub(crate) fn map(&self, vma: &VmaNew, first: usize) -> Result {
        let wanted = (vma.end() - vma.start()) / PAGE_SIZE;
        let is_own = self.pinning.is_none();
        if !is_own || first > self.pages.len() || wanted > self.pages.len() - first {
            return Err(EINVAL);
        }
        let mut left = wanted;
        // SAFETY: the vma is being set up, `wanted` pages are there from `first` on, each is an
        // allocated page that takes a reference for the mapping.
        to_result(unsafe {
            let pages = self.as_array().add(first);
            bindings::vm_insert_pages(vma.as_ptr(), vma.start(), pages, &mut left)
        })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(pinning) = &self.pinning {
            // SAFETY: our own pins.
            unsafe { pinning.unpin(&self.pages) };
            return;
        }
        for page in self.pages.iter() {
            // SAFETY: our own reference.
            unsafe { shim::ax650_put_page(page.as_ptr()) };
        }
    }
}
