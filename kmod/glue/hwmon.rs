// SPDX-License-Identifier: GPL-2.0

//! A temperature sensor of hwmon, which the kernel crate has no abstraction of.

use core::ptr::{
    self,
    NonNull, //
};

use kernel::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::Arc, //
};

use super::pci::raw_device;

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_hwmon_register(
        parent: *mut bindings::device,
        sensor: *const c_void,
    ) -> *mut bindings::device;
    fn ax650_hwmon_unregister(dev: *mut bindings::device);
}

/// Reads a temperature in thousandths of a degree Celsius.
pub(crate) type Read<T> = fn(&T) -> Result<i32>;

/// `struct ax650_hwmon_sensor`, and what is behind it.
#[repr(C)]
struct Callback<T> {
    callback: unsafe extern "C" fn(*const Callback<T>, *mut c_long) -> c_int,
    read: Read<T>,
    target: Arc<T>,
}

/// A registered sensor.
///
/// # Invariants
///
/// The device, if there is one, is registered, and has a pointer to what is in the box.
pub(crate) struct Sensor<T> {
    device: Option<NonNull<bindings::device>>,
    _callback: KBox<Callback<T>>,
}

// SAFETY: hwmon devices may be unregistered on any thread, and `T` may be used on any.
unsafe impl<T: Send + Sync> Send for Sensor<T> {}
// SAFETY: no methods.
unsafe impl<T: Send + Sync> Sync for Sensor<T> {}

impl<T: Send + Sync> Sensor<T> {
    /// Registers a sensor of `target` below `parent`.  A kernel without hwmon goes without.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(parent: &Device<Bound>, target: Arc<T>, read: Read<T>) -> Result<Self> {
        let callback = Callback {
            callback: read_sensor::<T>,
            read,
            target,
        };
        let callback = KBox::new(callback, GFP_KERNEL)?;
        // SAFETY: the box outlives the device, as it is dropped after `drop` has run.
        let device =
            unsafe { ax650_hwmon_register(raw_device(parent), ptr::from_ref(&*callback).cast()) };
        // INVARIANT: the content of a box stays where it is when the box is moved.
        Ok(Self {
            device: NonNull::new(device),
            _callback: callback,
        })
    }
}

impl<T> Drop for Sensor<T> {
    fn drop(&mut self) {
        if let Some(device) = self.device {
            // SAFETY: registered in `new`.
            unsafe { ax650_hwmon_unregister(device.as_ptr()) };
        }
    }
}

/// # Safety
///
/// `sensor` is what [`Sensor::new`] passes; `value` is valid for writes.
unsafe extern "C" fn read_sensor<T>(sensor: *const Callback<T>, value: *mut c_long) -> c_int {
    // SAFETY: hwmon calls this only while the device is registered, which keeps the box.
    let sensor = unsafe { &*sensor };
    match (sensor.read)(&sensor.target) {
        Ok(millidegrees) => {
            // SAFETY: as per the caller.
            unsafe { value.write(millidegrees as c_long) };
            0
        }
        Err(e) => e.to_errno(),
    }
}
