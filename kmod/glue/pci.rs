// SPDX-License-Identifier: GPL-2.0

//! What `kernel::pci` leaves out: configuration space after a reset, bus mastering off, the link.

use core::ptr::{
    self,
    NonNull, //
};

use kernel::{
    bindings,
    device::{
        Core,
        Device,
        DeviceContext, //
    },
    dma::{
        Device as _,
        DmaMask, //
    },
    pci,
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    shim,
    time::{
        read_poll_timeout,
        Delta, //
    }, //
};

/// Returns the C structure of a device: `Device::as_raw` is private to the kernel crate; the type is
/// transparent.
pub(super) fn raw_device<C: DeviceContext>(dev: &Device<C>) -> *mut bindings::device {
    ptr::from_ref(dev).cast_mut().cast()
}

/// Returns the C structure of a PCI device.
pub(super) fn raw<C: DeviceContext>(pdev: &pci::Device<C>) -> *mut bindings::pci_dev {
    ptr::from_ref(pdev).cast_mut().cast()
}

/// The identity of the cards [pcie 1.1], with any subsystem id.
///
/// `pci::Vendor::from_raw` is private to the kernel crate and 0x1f4b is not in its list.
// SAFETY: `pci::DeviceId` is a transparent wrapper of `pci_device_id`.
pub(crate) const CARD_ID: pci::DeviceId = unsafe {
    core::mem::transmute(bindings::pci_device_id {
        vendor: VENDOR as u32,
        device: 0x0650,
        subvendor: bindings::PCI_ANY_ID as u32,
        subdevice: bindings::PCI_ANY_ID as u32,
        class: 0,
        class_mask: 0,
        driver_data: 0,
        override_only: 0,
    })
};

/// PCI vendor id of the cards.
pub(crate) const VENDOR: u16 = 0x1f4b;

/// `PCI_COMMAND`: the card answers to memory accesses.
const COMMAND_MEMORY: u16 = 1 << 1;

/// What the configuration space says right after a reset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// All ones, or something that is no card.
    Absent,
    /// A card whose registers are where the kernel has put them.
    Configured,
    /// A card that has lost its configuration: it has been reset.
    Blank,
}

/// Looks at vendor id, command register and addresses.
pub(crate) fn presence(pdev: &pci::Device) -> Presence {
    let (mut vendor, mut command) = (0xffff, 0xffff);
    // SAFETY: a valid device; writes to locals, all ones on failure.
    unsafe {
        bindings::pci_read_config_word(raw(pdev), 0, &mut vendor);
        if vendor == VENDOR {
            bindings::pci_read_config_word(raw(pdev), 4, &mut command);
        }
    }
    match (vendor, command) {
        (VENDOR, 0xffff) => Presence::Absent,
        (VENDOR, c) if c & COMMAND_MEMORY != 0 && addresses_hold(pdev) => Presence::Configured,
        (VENDOR, _) => Presence::Blank,
        _ => Presence::Absent,
    }
}

/// Returns whether the BARs are where the kernel has put them.
fn addresses_hold(pdev: &pci::Device) -> bool {
    // SAFETY: a valid device.
    unsafe { shim::ax650_pci_addresses_hold(raw(pdev)) }
}

/// Returns whether the card answers to memory accesses, as far as one read can tell.
pub(crate) fn decodes(pdev: &pci::Device) -> bool {
    let mut command = 0xffff;
    // SAFETY: a valid device; writes to a local, all ones on failure.
    unsafe { bindings::pci_read_config_word(raw(pdev), 4, &mut command) };
    command != 0xffff && command & COMMAND_MEMORY != 0
}

/// Returns whether the kernel has cut the device off: it lets nobody see it again.
pub(crate) fn is_cut_off(pdev: &pci::Device) -> bool {
    // SAFETY: a valid device; the field is a word that is read once.
    let state = unsafe { ptr::read_volatile(&raw const (*raw(pdev)).error_state) };
    state == bindings::pci_channel_io_perm_failure
}

// TIMEOUT: a card that is just being reset is back within a second [pcie 2.9]; the rest is patience.
const BACK: Delta = Delta::from_secs(10);
const BACK_PAUSE: Delta = Delta::from_millis(10);

/// A device that was enabled.  Dropping this undoes it, so that the next driver's enabling takes effect.
pub(crate) struct Enabled(ARef<pci::Device>);

impl Drop for Enabled {
    fn drop(&mut self) {
        // SAFETY: a valid device, enabled in `enable`.
        unsafe { bindings::pci_disable_device(raw(&self.0)) };
    }
}

/// Makes the memory of a card reachable, whatever state it is in, but not the host's for the card: the
/// first thing that probe does.
///
/// # Errors
///
/// `ENODEV` if there is no card; else what the kernel has against it.
pub(crate) fn enable(pdev: &pci::Device<Core<'_>>) -> Result<Enabled> {
    wait_until_present(pdev)?;
    // Before it is enabled: addresses that a reset has wiped would be decoded as zeros.
    make_reachable(pdev);
    pdev.enable_device_mem()?;
    let enabled = Enabled(pdev.into());
    // A card that still runs somebody else's firmware must not reach memory: bus mastering stays off
    // until the card has been reset.
    clear_master(pdev);
    // SAFETY: no DMA allocation exists yet: this is called in probe, which all of them come after.
    unsafe {
        pdev.dma_set_mask_and_coherent(DmaMask::new::<64>())?;
        pdev.dma_set_max_seg_size(u32::MAX);
    }
    Ok(enabled)
}

/// Waits for a card that is just being reset.  Enabling it would fail.
///
/// # Errors
///
/// `ENODEV` if it does not come back.
fn wait_until_present(pdev: &pci::Device) -> Result {
    let back = read_poll_timeout(
        || Ok(presence(pdev)),
        |presence| *presence != Presence::Absent,
        BACK_PAUSE,
        BACK,
    );
    back.map(|_| ()).map_err(|_| ENODEV)
}

/// Makes the registers of a card reachable whose configuration was wiped by a reset that nobody
/// waited for.
fn make_reachable(pdev: &pci::Device) {
    if presence(pdev) == Presence::Blank {
        // SAFETY: a valid device.
        unsafe { shim::ax650_pci_program_addresses(raw(pdev)) };
    }
}

/// Forbids the card to access memory or to interrupt.
pub(crate) fn clear_master(pdev: &pci::Device) {
    // SAFETY: a valid device.
    unsafe { bindings::pci_clear_master(raw(pdev)) };
}

/// Allows the device to access memory.
pub(crate) fn set_master(pdev: &pci::Device) {
    // SAFETY: a valid device.
    unsafe { bindings::pci_set_master(raw(pdev)) };
}

/// Sets the maximum read request size to what the card's boot code needs: it fails with less than 512
/// bytes, and more is slower [pcie 1.8].
pub(crate) fn set_read_request(pdev: &pci::Device) {
    // SAFETY: a valid device.  Fails only for devices without a PCI Express capability.
    if unsafe { bindings::pcie_set_readrq(raw(pdev), 512) } != 0 {
        dev_warn!(pdev, "cannot set the maximum read request size to 512\n");
    }
}

/// The vector of a device's only message interrupt, as one that can be masked.
///
/// To be dropped before the vector is freed: the number may be another device's afterwards.
pub(crate) struct Vector {
    irq: c_uint,
    masked: bool,
}

impl Vector {
    /// Finds the vector of `pdev`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it has none.
    pub(crate) fn new(pdev: &pci::Device) -> Result<Self> {
        // SAFETY: a valid device.
        let irq = unsafe { bindings::pci_irq_vector(raw(pdev), 0) };
        let irq = c_uint::try_from(irq).map_err(|_| EINVAL)?;
        // SAFETY: any number may be given.
        unsafe { shim::ax650_irq_mask_at_once(irq) };
        Ok(Self { irq, masked: false })
    }

    /// Keeps interrupts back: in the device, if its vectors can be masked, else in the kernel.  A handler
    /// may still be running.
    pub(crate) fn mask(&mut self) {
        if !core::mem::replace(&mut self.masked, true) {
            // SAFETY: any number may be given; this one is the device's.
            unsafe { bindings::disable_irq_nosync(self.irq) };
        }
    }

    /// Lets interrupts come again, with one for those that were kept back.
    pub(crate) fn unmask(&mut self) {
        if core::mem::replace(&mut self.masked, false) {
            // SAFETY: `mask` has disabled it.
            unsafe { bindings::enable_irq(self.irq) };
        }
    }
}

impl Drop for Vector {
    fn drop(&mut self) {
        self.unmask();
    }
}

/// Returns the PCI domain, and bus << 8 | device << 3 | function.
pub(crate) fn location(pdev: &pci::Device) -> (u32, u32) {
    // SAFETY: a valid device.
    unsafe {
        (
            shim::ax650_pci_domain(raw(pdev)).max(0) as u32,
            shim::ax650_pci_location(raw(pdev)),
        )
    }
}

/// Returns speed in MT/s and width in lanes of the link, 0 if not known.
pub(crate) fn link(pdev: &pci::Device) -> (u32, u32) {
    let (mut speed, mut width) = (0, 0);
    // SAFETY: a valid device; writes to locals.
    unsafe { shim::ax650_pci_link(raw(pdev), &mut speed, &mut width) };
    (speed, width)
}

/// Returns the first two BAR registers, and bytes of BAR 0.
pub(crate) fn bars(pdev: &pci::Device) -> (u32, u32, u64) {
    let (mut bar0, mut bar1) = (0, 0);
    // SAFETY: a valid device; writes to locals.
    let size = unsafe {
        bindings::pci_read_config_dword(raw(pdev), 0x10, &mut bar0);
        bindings::pci_read_config_dword(raw(pdev), 0x14, &mut bar1);
        shim::ax650_pci_bar_size(raw(pdev), 0)
    };
    (bar0, bar1, size)
}

/// Returns whether the bridge above is that of a switch, not a root port.
pub(crate) fn is_behind_switch(pdev: &pci::Device) -> bool {
    // SAFETY: a valid device.
    unsafe { shim::ax650_pci_behind_switch(raw(pdev)) }
}

/// Returns whether an IOMMU lets the device reach only what is mapped for it.
pub(crate) fn is_translated(pdev: &pci::Device) -> bool {
    // SAFETY: a valid device.
    unsafe { shim::ax650_is_translated(raw_device(pdev.as_ref())) }
}

/// Returns whether the kernel knows that `client` can reach the BARs of `provider`.
pub(crate) fn reaches(client: &pci::Device, provider: &pci::Device) -> bool {
    // SAFETY: valid devices.
    unsafe { shim::ax650_pci_reaches(raw(client), raw(provider)) }
}

/// A copy of the configuration as the kernel programmed it, to be put back after resets [pcie 1.6].
///
/// # Invariants
///
/// Made by `pci_store_saved_state`, and owned.
pub(crate) struct SavedConfig(NonNull<bindings::pci_saved_state>);

// SAFETY: plain memory.
unsafe impl Send for SavedConfig {}

impl SavedConfig {
    /// Copies the configuration of `pdev`, which must not be in reset.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn save(pdev: &pci::Device) -> Result<Self> {
        // SAFETY: a valid device.
        let state = unsafe {
            bindings::pci_save_state(raw(pdev));
            bindings::pci_store_saved_state(raw(pdev))
        };
        NonNull::new(state).map(Self).ok_or(ENOMEM)
    }

    /// Copies the configuration of `pdev`, which is in order, once more: others may have changed it since.
    /// Without memory for that the older copy stays.
    pub(crate) fn refresh(&mut self, pdev: &pci::Device) {
        if let Ok(newer) = Self::save(pdev) {
            // It may have gone, or have reset itself, while it was read.
            if presence(pdev) == Presence::Configured {
                *self = newer;
            }
        }
    }

    /// Writes it back, with the interrupt as it is set up now, and bus mastering off.
    ///
    /// # Errors
    ///
    /// What the kernel has against the saved configuration, which is of this device: none is known.
    pub(crate) fn restore(&self, pdev: &pci::Device) -> Result {
        // SAFETY: the state is one of this device; `pci_restore_state` programs MSI out of the
        // kernel's own descriptors.
        unsafe {
            kernel::error::to_result(bindings::pci_load_saved_state(raw(pdev), self.0.as_ptr()))?;
            shim::ax650_pci_restore_addresses(raw(pdev));
            bindings::pci_restore_state(raw(pdev));
        }
        Ok(())
    }
}

impl Drop for SavedConfig {
    fn drop(&mut self) {
        // SAFETY: made by `pci_store_saved_state`, which allocates with kmalloc.
        unsafe { bindings::kfree(self.0.as_ptr().cast()) };
    }
}

/// Ids of a device.
pub(crate) struct Ids {
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    pub(crate) subsystem_vendor: u16,
    pub(crate) subsystem_device: u16,
}

/// Returns the ids that the kernel read when it found the device.
pub(crate) fn ids(pdev: &pci::Device) -> Ids {
    let raw = raw(pdev);
    // SAFETY: a valid device; these fields do not change.
    unsafe {
        Ids {
            vendor: (*raw).vendor,
            device: (*raw).device,
            subsystem_vendor: (*raw).subsystem_vendor,
            subsystem_device: (*raw).subsystem_device,
        }
    }
}
