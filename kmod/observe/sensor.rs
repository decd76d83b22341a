// SPDX-License-Identifier: GPL-2.0

//! The junction temperature as a hwmon sensor, so that the host's fan control can use it.

use core::ptr::NonNull;

use kernel::{
    bindings,
    device::{Bound, Device},
    prelude::*,
    sync::Arc,
};

use crate::glue::compat::errno::ENODATA;
use crate::{
    card::{telemetry::MAX_AGE_NS, Card},
    uapi::TELEMETRY_TEMPERATURE,
};

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_sensor_register(
        parent: *mut bindings::device,
        card: *const c_void,
    ) -> *mut bindings::device;
    fn ax650_sensor_unregister(dev: *mut bindings::device);
}

/// A registered sensor.
pub(crate) struct Sensor {
    device: Option<NonNull<bindings::device>>,
    /// The sensor's callbacks have a pointer to it.
    _card: Arc<Card>,
}

// SAFETY: hwmon devices may be unregistered on any thread.
unsafe impl Send for Sensor {}
// SAFETY: no methods.
unsafe impl Sync for Sensor {}

impl Sensor {
    /// Registers the sensor of `card`.  A kernel without hwmon goes without.
    pub(crate) fn new(parent: &Device<Bound>, card: Arc<Card>) -> Self {
        let parent = core::ptr::from_ref(parent).cast_mut().cast();
        // SAFETY: the card outlives the sensor, as `_card` is dropped after `drop` has run.
        let device = unsafe { ax650_sensor_register(parent, Arc::as_ptr(&card).cast()) };
        Self {
            device: NonNull::new(device),
            _card: card,
        }
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        if let Some(device) = self.device {
            // SAFETY: registered in `new`.
            unsafe { ax650_sensor_unregister(device.as_ptr()) };
        }
    }
}

/// Reads the temperature.
///
/// # Safety
///
/// `card` is what was registered; `value` is valid for writes.
#[no_mangle]
unsafe extern "C" fn ax650_sensor_read(card: *const c_void, value: *mut c_long) -> c_int {
    // SAFETY: the sensor keeps the card.
    let card = unsafe { &*card.cast::<Card>() };
    match card.telemetry(MAX_AGE_NS) {
        Ok(telemetry) if telemetry.valid & TELEMETRY_TEMPERATURE != 0 => {
            // SAFETY: as per the caller.
            unsafe { value.write(telemetry.temperature_mc as c_long) };
            0
        }
        Ok(_) => ENODATA.to_errno(),
        Err(e) => e.to_errno(),
    }
}
