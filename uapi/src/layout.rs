// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! What `ax650.rs`, which is made of the header, declares its structures and requests with.

/// A structure of the interface: plain integers, no padding, every bit pattern valid.
///
/// # Safety
///
/// The type must be `repr(C)`, consist of integers and arrays of integers only, and have no padding.
pub unsafe trait Plain: Copy + Default + 'static {
    /// Name in `ax650.h`.
    const NAME: &'static str;
    /// Name, offset and size in bytes of each field, in order.
    const FIELDS: &'static [(&'static str, usize, usize)];

    /// The bytes of the structure, as the kernel sees them.
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: a `Plain` type has no padding, so all its bytes are initialised.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }

    /// The bytes of the structure, to be written to.
    fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and every bit pattern is a valid value.
        unsafe {
            core::slice::from_raw_parts_mut(core::ptr::from_mut(self).cast(), size_of::<Self>())
        }
    }
}

/// Declares structures with all that [`Plain`] promises; padding does not compile.
macro_rules! plain {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        const _: () = assert!(
            size_of::<$name>() == 0 $(+ size_of::<$type>())*,
            concat!("struct ", stringify!($name), " has padding"),
        );

        impl Default for $name {
            /// All zero.
            fn default() -> Self {
                // SAFETY: the fields are integers, for which all zero is a value.
                unsafe { core::mem::zeroed() }
            }
        }

        // SAFETY: repr(C) integers, and the assertion above rules padding out.
        unsafe impl $crate::Plain for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [(&'static str, usize, usize)] = &[$((
                stringify!($field),
                core::mem::offset_of!($name, $field),
                size_of::<$type>(),
            ),)*];
        }
    };
}

/// Declares the codes of requests.
macro_rules! requests {
    ($($name:ident = $kind:ident($number:ident, $type:ident);)*) => {$(
        #[doc = concat!(
            "Code of the request [`", stringify!($number), "`], which takes an [`", stringify!($type), "`].",
        )]
        pub const $name: u32 =
            ioctl_sys::$kind!(AX650_IOC_TYPE, $number, size_of::<$type>()) as u32;
    )*};
}

pub(crate) use {plain, requests};
