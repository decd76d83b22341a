// SPDX-License-Identifier: GPL-2.0

//! The requests of VFIO that are made here.

use std::os::raw::{c_char, c_int};

use nix::{
    ioctl_none_bad, ioctl_readwrite_bad, ioctl_write_int_bad, ioctl_write_ptr_bad,
    request_code_none,
};
use vfio_bindings::bindings::vfio::{
    vfio_group_status, vfio_iommu_type1_dma_map, vfio_iommu_type1_dma_unmap, vfio_region_info,
    VFIO_BASE, VFIO_TYPE,
};

/// The request of a device to signal one interrupt through a file: `vfio_irq_set` with its data.
#[repr(C)]
pub(crate) struct IrqSet {
    pub(crate) argsz: u32,
    pub(crate) flags: u32,
    pub(crate) index: u32,
    pub(crate) start: u32,
    pub(crate) count: u32,
    pub(crate) eventfd: i32,
}

ioctl_none_bad!(
    /// Asks a container for the version of the interface.
    get_api_version,
    request_code_none!(VFIO_TYPE, VFIO_BASE)
);
ioctl_write_int_bad!(
    /// Asks a container whether there is a kind of IOMMU.
    check_extension,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 1)
);
ioctl_write_int_bad!(
    /// Has a container use a kind of IOMMU.
    set_iommu,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 2)
);
ioctl_readwrite_bad!(
    /// Asks for the status of a group.
    group_get_status,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 3),
    vfio_group_status
);
ioctl_write_ptr_bad!(
    /// Puts a group into a container.
    group_set_container,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 4),
    c_int
);
ioctl_write_ptr_bad!(
    /// Opens a device of a group.
    group_get_device_fd,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 6),
    c_char
);
ioctl_readwrite_bad!(
    /// Asks a device where a region is.
    device_get_region_info,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 8),
    vfio_region_info
);
ioctl_write_ptr_bad!(
    /// Has a device signal an interrupt.
    device_set_irqs,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 10),
    IrqSet
);
ioctl_write_ptr_bad!(
    /// Lets devices of a container reach memory.
    iommu_map_dma,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 13),
    vfio_iommu_type1_dma_map
);
ioctl_readwrite_bad!(
    /// Takes memory out of the reach of a container's devices.
    iommu_unmap_dma,
    request_code_none!(VFIO_TYPE, VFIO_BASE + 14),
    vfio_iommu_type1_dma_unmap
);
