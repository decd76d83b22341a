// SPDX-License-Identifier: GPL-2.0

//! sysfs attributes of a device, which the kernel crate has no abstraction of; `sysfs.c` has their
//! names.

use core::{
    marker::PhantomData,
    pin::Pin, //
};

use kernel::{
    bindings,
    page::PAGE_SIZE,
    pci,
    prelude::*,
    str::CString, //
};

use super::{
    adapter,
    pci::raw_device, //
};

/// Rust's part of the attributes of a driver's devices.
pub(crate) trait Attributes: pci::Driver {
    /// Returns the text of attribute `name`.
    ///
    /// # Errors
    ///
    /// Are those of reading the attribute.
    fn show(data: Pin<&Self::Data<'_>>, name: &[u8]) -> Result<CString>;

    /// Obeys what was written to `control`, which only root can open: a boot, or a reset.
    ///
    /// # Errors
    ///
    /// Are those of writing the attribute.
    fn control(data: Pin<&Self::Data<'_>>, reset: bool) -> Result;
}

/// `struct ax650_sysfs_ops`.
#[repr(C)]
struct Ops {
    show: unsafe extern "C" fn(*mut bindings::device, *const c_char, *mut u8) -> isize,
    control: unsafe extern "C" fn(*mut bindings::device, bool) -> c_int,
}

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_sysfs_groups(ops: *const Ops) -> *mut *const bindings::attribute_group;
    fn ax650_sysfs_state(dev: *mut bindings::device, state: *const c_char);
}

struct Callbacks<T>(PhantomData<T>);

impl<T: Attributes> Callbacks<T> {
    const OPS: Ops = Ops {
        show: Self::show,
        control: Self::control,
    };

    /// # Safety
    ///
    /// `dev` is bound to the driver; `name` is a string, and `buf` the page that sysfs gives.
    unsafe extern "C" fn show(
        dev: *mut bindings::device,
        name: *const c_char,
        buf: *mut u8,
    ) -> isize {
        // SAFETY: the attributes exist only while the driver is bound.
        let data = unsafe { adapter::data::<T>(dev) };
        // SAFETY: as per the caller.
        let name = unsafe { CStr::from_char_ptr(name) };
        match T::show(data, name.to_bytes()) {
            Ok(text) => {
                let bytes = text.to_bytes();
                let len = bytes.len().min(PAGE_SIZE - 1);
                // SAFETY: `buf` has a page.
                unsafe { buf.copy_from_nonoverlapping(bytes.as_ptr(), len) };
                len as isize
            }
            Err(e) => e.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// `dev` is bound to the driver.
    unsafe extern "C" fn control(dev: *mut bindings::device, reset: bool) -> c_int {
        // SAFETY: the attributes exist only while the driver is bound.
        let data = unsafe { adapter::data::<T>(dev) };
        T::control(data, reset).map_or_else(|e| e.to_errno(), |()| 0)
    }
}

/// Tells that the attribute `state` of a card has changed: by a uevent, and to those who poll the file.
pub(crate) fn state_changed(pdev: &pci::Device, state: &CStr) {
    // SAFETY: a valid device; the text is copied.
    unsafe { ax650_sysfs_state(raw_device(pdev.as_ref()), state.as_char_ptr()) };
}

/// Returns the attribute groups of devices of `T`, the module's only driver with attributes.
pub(super) fn groups<T: Attributes>() -> *mut *const bindings::attribute_group {
    // SAFETY: the operations are `'static`, and set before there is a device whose attributes could be
    // read.
    unsafe { ax650_sysfs_groups(&Callbacks::<T>::OPS) }
}
