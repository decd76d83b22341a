// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! Buffers: host memory that the card can reach.

use crate::layout::plain;

plain! {
    /// Host memory that the card can reach.
    ///
    /// The memory is zeroed.  It stays until the handle is destroyed (or the file closed), it is mapped
    /// nowhere any more, and no job uses it.  MAP_SHARED; a mapping may be shorter than the buffer.
    pub struct ax650_buffer_create {
        /// In: bytes, not 0; rounded up to whole pages.
        pub size: u64,
        /// Must be 0.
        pub flags: u32,
        /// Out: handle, in this file.
        pub handle: u32,
        /// Out: offset for mmap() of this file.
        pub mmap_offset: u64,
    }
}

plain! {
    /// Give up a handle.
    pub struct ax650_buffer_destroy {
        /// Handle.
        pub handle: u32,
        /// Must be 0.
        pub flags: u32,
    }
}
