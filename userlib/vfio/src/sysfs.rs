// SPDX-License-Identifier: GPL-2.0

//! Looking for a card that is set aside for user space.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Where the kernel shows PCI devices.
pub(crate) const PCI: &str = "/sys/bus/pci";

/// Vendor and device, as sysfs writes them [pcie 1.1].
const IDS: (&str, &str) = ("0x1f4b", "0x0650");

/// Where a card is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// PCI address, `0000:01:00.0`.
    pub(crate) address: String,
    /// Number of the IOMMU group.
    pub(crate) group: u32,
    /// Number of the bus, which the card is known by [pcie 1.7].
    pub(crate) bus: u8,
}

fn word(device: &Path, name: &str) -> String {
    fs::read_to_string(device.join(name))
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

fn last(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// Finds the first card, or that at `address`.
pub(crate) fn find(pci: &Path, address: Option<&str>) -> Result<Place> {
    let none = || Error::NoCard("there is no AX650N card here (`lspci -d 1f4b:0650`)".into());
    let devices = fs::read_dir(pci.join("devices")).map_err(|_| none())?;
    let mut names: Vec<String> = devices
        .flatten()
        .map(|device| device.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let device = pci.join("devices").join(name);
            (&*word(&device, "vendor"), &*word(&device, "device")) == IDS
        })
        .filter(|name| address.is_none_or(|address| address == name))
        .collect();
    names.sort();
    let name = names.first().ok_or_else(none)?;
    let device = pci.join("devices").join(name);
    match last(&device.join("driver")).as_deref() {
        Some("vfio-pci") => {}
        driver => {
            let driver = driver.unwrap_or("no driver");
            return Err(Error::NoCard(format!(
                "the card at {name} belongs to {driver}, not to vfio-pci: see docs/vfio.md"
            )));
        }
    }
    let group = last(&device.join("iommu_group")).and_then(|group| group.parse().ok());
    let group = group.ok_or_else(|| {
        Error::NoCard(format!(
            "the card at {name} is in no IOMMU group: the IOMMU is off or there is none"
        ))
    })?;
    let bus = name.split(':').nth(1);
    let bus = bus.and_then(|bus| u8::from_str_radix(bus, 16).ok());
    let bus = bus.ok_or_else(|| Error::NoCard(format!("{name} is no PCI address")))?;
    Ok(Place {
        address: name.clone(),
        group,
        bus,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(tree.0.path().join("devices")).unwrap();
            tree
        }

        fn device(&self, name: &str, ids: (&str, &str), driver: Option<&str>, group: Option<u32>) {
            let device = self.0.path().join("devices").join(name);
            fs::create_dir(&device).unwrap();
            fs::write(device.join("vendor"), format!("{}\n", ids.0)).unwrap();
            fs::write(device.join("device"), format!("{}\n", ids.1)).unwrap();
            if let Some(driver) = driver {
                symlink(format!("../../drivers/{driver}"), device.join("driver")).unwrap();
            }
            if let Some(group) = group {
                symlink(
                    format!("../iommu_groups/{group}"),
                    device.join("iommu_group"),
                )
                .unwrap();
            }
        }

        fn find(&self, address: Option<&str>) -> Result<Place, String> {
            find(self.0.path(), address).map_err(|error| error.to_string())
        }
    }

    #[test]
    fn the_first_card_or_that_which_is_named() {
        let tree = Tree::new();
        tree.device("0000:00:1f.0", ("0x8086", "0x2918"), None, Some(1));
        tree.device("0000:41:00.0", IDS, Some("vfio-pci"), Some(17));
        tree.device("0000:0a:00.0", IDS, Some("vfio-pci"), Some(12));
        let place = |address: &str, group, bus| {
            Ok(Place {
                address: address.into(),
                group,
                bus,
            })
        };
        assert_eq!(tree.find(None), place("0000:0a:00.0", 12, 0x0a));
        let named = Some("0000:41:00.0");
        assert_eq!(tree.find(named), place("0000:41:00.0", 17, 0x41));
    }

    #[test]
    fn says_what_is_wrong() {
        let tree = Tree::new();
        assert!(tree.find(None).unwrap_err().contains("there is no"));
        tree.device("0000:01:00.0", IDS, Some("ax650"), Some(1));
        assert!(tree.find(None).unwrap_err().contains("belongs to ax650"));
        tree.device("0000:02:00.0", IDS, None, Some(2));
        let second = tree.find(Some("0000:02:00.0"));
        assert!(second.unwrap_err().contains("belongs to no driver"));
        tree.device("0000:03:00.0", IDS, Some("vfio-pci"), None);
        let third = tree.find(Some("0000:03:00.0"));
        assert!(third.unwrap_err().contains("no IOMMU group"));
        assert!(tree.find(Some("0000:09:00.0")).is_err());
    }
}
