// SPDX-License-Identifier: GPL-2.0

//! The card's IOMMU group, in a container of its own: what the card can reach.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::raw::c_int;
use std::sync::{Arc, Mutex, PoisonError};

use vfio_bindings::bindings::vfio::{
    vfio_group_status, vfio_iommu_type1_dma_map, vfio_iommu_type1_dma_unmap, VFIO_TYPE1v2_IOMMU,
    VFIO_API_VERSION, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE, VFIO_GROUP_FLAGS_VIABLE,
};

use crate::error::{refused, Error, Result};
use crate::ioctl;
use crate::space::{Space, GRAIN};
use crate::sysfs::Place;

/// An IOMMU group that this process has.
pub(crate) struct Container {
    file: File,
    group: File,
    space: Mutex<Space>,
}

fn open(path: &str) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(refused(format!("open {path}")))
}

impl Container {
    /// Takes the group of the card at `place`.
    pub(crate) fn open(place: &Place) -> Result<Arc<Self>> {
        let file = open("/dev/vfio/vfio")?;
        let group = open(&format!("/dev/vfio/{}", place.group))?;
        let fd = file.as_raw_fd();
        // SAFETY: the request has no argument.
        let version = unsafe { ioctl::get_api_version(fd) };
        if version != Ok(VFIO_API_VERSION as c_int) {
            return Err(Error::NoCard("this kernel has another VFIO".into()));
        }
        let kind = VFIO_TYPE1v2_IOMMU as c_int;
        // SAFETY: the argument is a number.
        if !unsafe { ioctl::check_extension(fd, kind) }.is_ok_and(|has| has > 0) {
            return Err(Error::NoCard(
                "this kernel has no type 1 IOMMU: is vfio_iommu_type1 loaded?".into(),
            ));
        }
        let mut status = vfio_group_status {
            argsz: size_of::<vfio_group_status>() as u32,
            flags: 0,
        };
        // SAFETY: the argument is the structure that the request takes.
        unsafe { ioctl::group_get_status(group.as_raw_fd(), &mut status) }
            .map_err(refused("ask for the status of the group"))?;
        if status.flags & VFIO_GROUP_FLAGS_VIABLE == 0 {
            return Err(Error::NoCard(format!(
                "other devices of IOMMU group {} belong to drivers of the kernel",
                place.group
            )));
        }
        // SAFETY: the argument is the address of a descriptor.
        unsafe { ioctl::group_set_container(group.as_raw_fd(), &fd) }
            .map_err(refused("put the group into a container"))?;
        // SAFETY: the argument is a number.
        unsafe { ioctl::set_iommu(fd, kind) }.map_err(refused(
            "use the IOMMU (without interrupt remapping the kernel wants vfio_iommu_type1.allow_unsafe_interrupts=1)",
        ))?;
        Ok(Arc::new(Self {
            file,
            group,
            space: Mutex::default(),
        }))
    }

    /// Opens the device at `address`.
    pub(crate) fn device(&self, address: &str) -> Result<File> {
        let what = || format!("open the device {address}");
        let name = CString::new(address).map_err(|_| Error::NoCard(address.into()))?;
        // SAFETY: the argument is a string that ends.
        let fd = unsafe { ioctl::group_get_device_fd(self.group.as_raw_fd(), name.as_ptr()) }
            .map_err(refused(what()))?;
        // SAFETY: the kernel has made the descriptor for this process.
        Ok(unsafe { File::from_raw_fd(fd) })
    }

    /// Lets the card reach `len` bytes at `start`, whole pages, and returns where it does.
    ///
    /// # Safety
    ///
    /// They must be memory of the process that may change at any time, if `writable`, until [`Self::unmap`].  The pages
    /// stay as long, whatever becomes of the addresses.
    pub(crate) unsafe fn map(&self, start: *mut u8, len: usize, writable: bool) -> io::Result<u64> {
        let full = || io::Error::from(io::ErrorKind::OutOfMemory);
        let bus = self.space().take(len as u64).ok_or_else(full)?;
        let write = if writable { VFIO_DMA_MAP_FLAG_WRITE } else { 0 };
        let map = vfio_iommu_type1_dma_map {
            argsz: size_of::<vfio_iommu_type1_dma_map>() as u32,
            flags: VFIO_DMA_MAP_FLAG_READ | write,
            vaddr: start as u64,
            iova: bus,
            size: len as u64,
        };
        // SAFETY: the argument is the structure that the request takes; the memory in it is the caller's to promise.
        let mapped = unsafe { ioctl::iommu_map_dma(self.file.as_raw_fd(), &map) };
        if let Err(errno) = mapped {
            self.space().give_back(bus);
            return Err(errno.into());
        }
        debug_assert_eq!(bus % GRAIN, 0);
        Ok(bus)
    }

    /// Takes memory out of the card's reach again.
    pub(crate) fn unmap(&self, bus: u64, len: usize) {
        // The structure ends with an array of no elements.
        let mut unmap = vfio_iommu_type1_dma_unmap {
            argsz: size_of::<vfio_iommu_type1_dma_unmap>() as u32,
            iova: bus,
            size: len as u64,
            ..Default::default()
        };
        // SAFETY: the argument is the structure that the request takes.
        match unsafe { ioctl::iommu_unmap_dma(self.file.as_raw_fd(), &mut unmap) } {
            Ok(_) => self.space().give_back(bus),
            // What is mapped still is not used again.
            Err(errno) => log::error!("unmap {len} bytes at {bus:#x}: {errno}"),
        }
    }

    fn space(&self) -> std::sync::MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
