// SPDX-License-Identifier: MIT OR Apache-2.0

//! Finding the cards' nodes in `/dev` and sysfs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use crate::info::PciAddress;

/// PCI vendor and device id of the card [pcie 1.1].
const PCI_ID: (&str, &str) = ("0x1f4b", "0x0650");

pub(crate) fn device_directory() -> PathBuf {
    PathBuf::from("/dev")
}

/// Returns the nodes `/dev/ax650-N`, by N.
pub(crate) fn nodes() -> Vec<(u32, PathBuf)> {
    let mut nodes: Vec<_> = entries(&device_directory())
        .filter_map(|path| Some((node_index(&path)?, path)))
        .collect();
    nodes.sort();
    nodes
}

fn node_index(path: &Path) -> Option<u32> {
    let digits = path.file_name()?.to_str()?.strip_prefix("ax650-")?;
    // No sign, and not "ax650-01": the driver does not make such names.
    let index: u32 = digits.parse().ok()?;
    (index.to_string() == digits).then_some(index)
}

/// Returns the PCI address of a node's card, from sysfs.
pub(crate) fn pci_address(node: &Path) -> Option<PciAddress> {
    let number = fs::metadata(node).ok()?.rdev();
    let link = format!("/sys/dev/char/{}:{}/device", major(number), minor(number));
    PciAddress::parse(fs::canonicalize(link).ok()?.file_name()?.to_str()?)
}

/// Tells why there may be no node.
pub(crate) fn why_none() -> String {
    let cards: Vec<_> = entries(Path::new("/sys/bus/pci/devices"))
        .filter(|device| {
            let reads = |name, value| {
                fs::read_to_string(device.join(name)).is_ok_and(|text| text.trim() == value)
            };
            reads("vendor", PCI_ID.0) && reads("device", PCI_ID.1)
        })
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let Some(first) = cards.first() else {
        return "no card found: no PCI device 1f4b:0650, and no /dev/ax650-*".into();
    };
    let loaded = Path::new("/sys/module/ax650").exists();
    if loaded {
        format!("no /dev/ax650-* for the card at {first}: see the kernel log, or pass the node to the container")
    } else {
        format!("the card at {first} has no driver: load the module ax650")
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes() {
        for (name, index) in [
            ("/dev/ax650-0", Some(0)),
            ("/dev/ax650-12", Some(12)),
            ("/dev/ax650-012", None),
            ("/dev/ax650-+1", None),
            ("/dev/ax650-", None),
            ("/dev/ax650-4294967296", None),
            ("/dev/ax651-0", None),
        ] {
            assert_eq!(node_index(Path::new(name)), index, "{name}");
        }
    }
}
