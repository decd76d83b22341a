// SPDX-License-Identifier: GPL-2.0

//! Plain data: structures of integers, without padding, for copies to and from user space.

use core::mem::size_of;

use kernel::{
    prelude::*,
    uaccess::UserSlice, //
};

/// A structure of the ioctl interface.
///
/// # Safety
///
/// Only integers and arrays of them, no padding, `repr(C)`.
pub(crate) unsafe trait Plain: Copy {
    /// Makes a structure whose fields are all 0.
    fn zeroed() -> Self {
        // SAFETY: all-zero is a value of a structure of integers.
        unsafe { core::mem::zeroed() }
    }

    /// Returns the bytes of the structure.
    fn bytes(&self) -> &[u8] {
        // SAFETY: no padding, so all bytes are initialised.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }

    /// Returns the bytes of the structure, to be changed.
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and every bit pattern is a value.
        unsafe {
            core::slice::from_raw_parts_mut(core::ptr::from_mut(self).cast(), size_of::<Self>())
        }
    }
}

/// Declares a structure of the ioctl interface as plain data; padding does not compile.
macro_rules! plain {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        #[repr(C)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        const _: () = assert!(
            ::core::mem::size_of::<$name>() == 0 $(+ ::core::mem::size_of::<$type>())*,
            concat!("struct ", stringify!($name), " has padding"),
        );

        #[allow(unsafe_code, reason = "the assertion above")]
        // SAFETY: a `repr(C)` structure of integers, and the assertion above rules padding out.
        unsafe impl $crate::glue::plain::Plain for $name {}

        impl Default for $name {
            fn default() -> Self {
                $crate::glue::plain::Plain::zeroed()
            }
        }
    };
}
pub(crate) use plain;

/// Reads a structure of `size` bytes as the caller knows it: what the caller's version lacks is 0,
/// what ours lacks must be 0 (`E2BIG`).
///
/// # Errors
///
/// `EFAULT`; `E2BIG`.
pub(crate) fn read<T: Plain>(user: UserSlice) -> Result<T> {
    let mut reader = user.reader();
    let mut value = T::zeroed();
    let common = reader.len().min(size_of::<T>());
    reader.read_slice(value.bytes_mut().get_mut(..common).ok_or(EINVAL)?)?;
    let mut rest = [0u8; 64];
    while !reader.is_empty() {
        let n = reader.len().min(rest.len());
        let part = rest.get_mut(..n).ok_or(EINVAL)?;
        reader.read_slice(part)?;
        if part.iter().any(|&b| b != 0) {
            return Err(E2BIG);
        }
    }
    Ok(value)
}

/// Writes as much of `value` as the caller has room for.
///
/// # Errors
///
/// `EFAULT`.
pub(crate) fn write<T: Plain>(user: UserSlice, value: &T) -> Result {
    let mut writer = user.writer();
    let common = writer.len().min(size_of::<T>());
    writer.write_slice(value.bytes().get(..common).ok_or(EINVAL)?)
}
