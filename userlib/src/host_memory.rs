// SPDX-License-Identifier: MIT OR Apache-2.0

//! Memory of the program that the card can reach in place.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use nix::errno::Errno;

use crate::transport::Mapping;

/// Memory of the program that a [`Buffer`](crate::Buffer) can be made of: nothing is copied on the host then.
///
/// A `Vec<u8>` is such memory, and so are [`HostPages`].  The driver pins the pages as long as the buffer is there, and
/// counts them in `RLIMIT_MEMLOCK` of the user.
///
/// # Safety
///
/// [`HostMemory::as_mut_ptr`] must return the same address each time, also after the value was moved;
/// [`HostMemory::size`] bytes there must be initialised and valid for reads and writes as long as the value lives; and
/// while nobody uses the value nobody else may look at them or change them.
pub unsafe trait HostMemory: Send + Sync + 'static {
    /// Returns the address of the first byte.
    fn as_mut_ptr(&mut self) -> *mut u8;

    /// Returns the number of bytes.
    fn size(&self) -> usize;
}

// SAFETY: the bytes of a vector are its own, and stay where they are when it is moved.
unsafe impl HostMemory for Vec<u8> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_slice().as_mut_ptr()
    }

    fn size(&self) -> usize {
        self.len()
    }
}

/// Whole pages of memory of their own, in huge pages where the system has some: the card reaches those in few pieces.
#[derive(Debug)]
pub struct HostPages(Mapping);

impl HostPages {
    /// Allocates `len` bytes, zeroed.
    ///
    /// # Errors
    ///
    /// As the system says: `InvalidInput` for 0 bytes, `OutOfMemory`.
    pub fn new(len: usize) -> std::io::Result<Self> {
        Ok(Self(Mapping::anonymous(len)?))
    }
}

impl Deref for HostPages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: a mapping of its own, zeroed at first, to which there are no references but by this value.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.0.len()) }
    }
}

impl DerefMut for HostPages {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), self.0.len()) }
    }
}

// SAFETY: as for a vector.
unsafe impl HostMemory for HostPages {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_ptr()
    }

    fn size(&self) -> usize {
        self.0.len()
    }
}

/// The owner of a buffer's memory, if it is not the driver.
pub(crate) struct Lender(Box<dyn Any + Send + Sync>);

impl Lender {
    /// Takes `memory`; also returns where it is.
    pub(crate) fn new<M: HostMemory>(memory: M) -> Result<(Self, Mapping), Errno> {
        let mut memory = Box::new(memory);
        let start = NonNull::new(memory.as_mut_ptr()).ok_or(Errno::EINVAL)?;
        // SAFETY: by the trait, as long as the lender has the value; a buffer keeps both.
        let mapping = unsafe { Mapping::over(start, memory.size()) }?;
        Ok((Self(memory), mapping))
    }

    /// Gives the memory back, if it is an `M`.
    pub(crate) fn into_memory<M: HostMemory>(self) -> Result<M, Self> {
        match self.0.downcast() {
            Ok(memory) => Ok(*memory),
            Err(other) => Err(Self(other)),
        }
    }

    /// Keeps the memory for ever.
    pub(crate) fn leak(self) {
        std::mem::forget(self.0);
    }
}
