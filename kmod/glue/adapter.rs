// SPDX-License-Identifier: GPL-2.0

//! What `pci::Driver` leaves out: shutdown, error handlers, power management, sysfs groups.
//!
//! `pci::Adapter::register` fills in name, probe, remove and the id table of a `pci_driver` that it
//! is handed.  This adapter fills in the rest first and then delegates, so that probe, remove and
//! the driver data stay those of the kernel crate.

use core::{
    marker::PhantomData,
    mem::offset_of,
    pin::Pin, //
};

use kernel::{
    bindings,
    device::{
        CoreInternal,
        Device, //
    },
    driver::{
        DriverLayout,
        RegistrationOps, //
    },
    pci,
    prelude::*,
    types::Opaque, //
};

use super::sysfs::{
    self,
    Attributes, //
};

/// How an error on the bus stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The device still answers.
    Normal,
    /// No access until the slot is reset.
    Frozen,
    /// The device will not come back.
    Failed,
}

/// More callbacks.  None of them runs before probe has returned or after remove has begun: the PCI
/// and PM cores hold the device lock around them.
pub(crate) trait Callbacks: Attributes {
    /// Takes notice that the system goes down or hands over to another kernel.
    fn shutdown(data: Pin<&Self::Data<'_>>);
    /// Takes notice of an error on the bus; no more accesses.
    fn error_detected(data: Pin<&Self::Data<'_>>, channel: Channel);
    /// Returns whether the device is there again, after its slot has been reset.
    fn slot_reset(data: Pin<&Self::Data<'_>>) -> bool;
    /// Takes notice that traffic may go on.
    fn error_resume(data: Pin<&Self::Data<'_>>);
    /// Takes notice that the device is about to be reset by somebody else (sysfs, VFIO).
    fn reset_prepare(data: Pin<&Self::Data<'_>>);
    /// Takes notice that the reset by somebody else is done.
    fn reset_done(data: Pin<&Self::Data<'_>>);
    /// Takes notice that the system goes to sleep.
    fn suspend(data: Pin<&Self::Data<'_>>);
    /// Takes notice that the system is awake again.
    fn resume(data: Pin<&Self::Data<'_>>);
}

/// Registers a driver with all callbacks.
pub(crate) struct Adapter<T>(PhantomData<T>);

// SAFETY: as for `pci::Adapter<T>`.
unsafe impl<T: Callbacks> DriverLayout for Adapter<T> {
    type DriverType = bindings::pci_driver;
    type DriverData<'bound> = T::Data<'bound>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(bindings::pci_driver, driver);
}

// SAFETY: delegates to `pci::Adapter<T>`.
unsafe impl<T: Callbacks + 'static> RegistrationOps for Adapter<T> {
    unsafe fn register(
        reg: &Opaque<bindings::pci_driver>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        // SAFETY: not registered yet, so nobody else looks at it.
        unsafe {
            let driver = reg.get();
            (*driver).shutdown = Some(Self::shutdown);
            (*driver).err_handler = &Self::ERRORS;
            (*driver).driver.pm = &Self::PM;
            (*driver).dev_groups = sysfs::groups::<T>();
        }
        // SAFETY: the caller's obligations.
        unsafe { <pci::Adapter<T> as RegistrationOps>::register(reg, name, module) }
    }

    unsafe fn unregister(reg: &Opaque<bindings::pci_driver>) {
        // SAFETY: the caller's obligations.
        unsafe { <pci::Adapter<T> as RegistrationOps>::unregister(reg) }
    }
}

impl<T: Callbacks> Adapter<T> {
    const ERRORS: bindings::pci_error_handlers = bindings::pci_error_handlers {
        error_detected: Some(Self::error_detected),
        slot_reset: Some(Self::slot_reset),
        resume: Some(Self::error_resume),
        reset_prepare: Some(Self::reset_prepare),
        reset_done: Some(Self::reset_done),
        ..pin_init::zeroed()
    };

    const PM: bindings::dev_pm_ops = bindings::dev_pm_ops {
        suspend: Some(Self::suspend),
        resume: Some(Self::resume),
        freeze: Some(Self::suspend),
        thaw: Some(Self::resume),
        poweroff: Some(Self::suspend),
        restore: Some(Self::resume),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `pdev` is bound to this driver and stays so during the call.
    unsafe fn with<R>(pdev: *mut bindings::pci_dev, f: impl FnOnce(Pin<&T::Data<'_>>) -> R) -> R {
        // SAFETY: as per the caller.
        f(unsafe { data::<T>(&raw mut (*pdev).dev) })
    }

    /// # Safety
    ///
    /// For the PCI core: `pdev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn shutdown(pdev: *mut bindings::pci_dev) {
        // SAFETY: called for a bound device under its lock.
        unsafe { Self::with(pdev, T::shutdown) }
    }

    /// # Safety
    ///
    /// For the PCI core: `pdev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn error_detected(
        pdev: *mut bindings::pci_dev,
        state: bindings::pci_channel_state_t,
    ) -> bindings::pci_ers_result_t {
        let (channel, answer) = match state {
            bindings::pci_channel_io_normal => (
                Channel::Normal,
                bindings::pci_ers_result_PCI_ERS_RESULT_NEED_RESET,
            ),
            bindings::pci_channel_io_perm_failure => (
                Channel::Failed,
                bindings::pci_ers_result_PCI_ERS_RESULT_DISCONNECT,
            ),
            _ => (
                Channel::Frozen,
                bindings::pci_ers_result_PCI_ERS_RESULT_NEED_RESET,
            ),
        };
        // SAFETY: as in `shutdown`.
        unsafe { Self::with(pdev, |data| T::error_detected(data, channel)) };
        answer
    }

    /// # Safety
    ///
    /// For the PCI core: `pdev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn slot_reset(pdev: *mut bindings::pci_dev) -> bindings::pci_ers_result_t {
        // SAFETY: as in `shutdown`.
        if unsafe { Self::with(pdev, T::slot_reset) } {
            bindings::pci_ers_result_PCI_ERS_RESULT_RECOVERED
        } else {
            bindings::pci_ers_result_PCI_ERS_RESULT_DISCONNECT
        }
    }

    /// # Safety
    ///
    /// For the PCI core: `pdev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn error_resume(pdev: *mut bindings::pci_dev) {
        // SAFETY: as in `shutdown`.
        unsafe { Self::with(pdev, T::error_resume) }
    }

    /// # Safety
    ///
    /// For the PCI core: `pdev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn reset_prepare(pdev: *mut bindings::pci_dev) {
        // SAFETY: as in `shutdown`.
        unsafe { Self::with(pdev, T::reset_prepare) }
    }

    /// # Safety
    ///
    /// For the PCI core: `pdev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn reset_done(pdev: *mut bindings::pci_dev) {
        // SAFETY: as in `shutdown`.
        unsafe { Self::with(pdev, T::reset_done) }
    }

    /// # Safety
    ///
    /// For the PM core: `dev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn suspend(dev: *mut bindings::device) -> c_int {
        // SAFETY: the PM core calls this for a bound device.
        T::suspend(unsafe { data::<T>(dev) });
        0
    }

    /// # Safety
    ///
    /// For the PM core: `dev` is bound to this driver, and its lock is held.
    unsafe extern "C" fn resume(dev: *mut bindings::device) -> c_int {
        // SAFETY: as in `suspend`.
        T::resume(unsafe { data::<T>(dev) });
        0
    }
}

/// Returns the driver data of a bound device, for callbacks from C.
///
/// # Safety
///
/// `dev` is the `dev` of a `pci_dev` bound to `T`, and stays so during the call.
pub(crate) unsafe fn data<'a, T: pci::Driver>(dev: *mut bindings::device) -> Pin<&'a T::Data<'a>> {
    // SAFETY: `CoreInternal` is what bus callbacks see; probe stored a `T::Data`.
    unsafe { (*dev.cast::<Device<CoreInternal<'_>>>()).drvdata_borrow::<T::Data<'a>>() }
}
