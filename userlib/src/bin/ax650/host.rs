// SPDX-License-Identifier: MIT OR Apache-2.0

//! What this system tells of its cards without opening one: `/sys`, `/proc`, `/etc`.

use std::fs;
use std::path::{Path, PathBuf};

use ax650::PciAddress;
use serde_json::{json, Value};

/// PCI vendor and device of the card.
const ID: (&str, &str) = ("0x1f4b", "0x0650");

/// The driver's name, as PCI driver and as module.
pub const DRIVER: &str = "ax650";

/// A tree of files with `/sys`, `/proc`, `/dev` and `/etc` in it.
#[derive(Debug, Clone)]
pub struct System {
    root: PathBuf,
}

/// A card on the PCI bus, with or without a driver.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PciCard {
    /// Address on the bus, `0000:01:00.0`.
    pub address: String,
    /// The driver that it is bound to.
    pub driver: Option<String>,
    /// N of its node `/dev/ax650-N`.
    pub index: Option<u32>,
    /// State, as the driver names it.
    pub state: Option<String>,
    /// How often it has been booted.
    pub generation: Option<u32>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Time in which a model was run, microseconds.
    pub npu_busy_us: Option<u64>,
    /// Milliseconds since the last heartbeat.
    pub heartbeat_ms: Option<u64>,
    /// Errno of the last failed boot or recovery, positive.
    pub last_error: Option<i32>,
    /// The link as it is.
    pub link: Option<Link>,
    /// The link as the card could have it.
    pub link_max: Option<Link>,
    /// The link as the slot could have it.
    pub slot_max: Option<Link>,
    /// What the IOMMU does for the card: `DMA`, `DMA-FQ`, `identity`; `None`: there is none.
    pub iommu: Option<String>,
}

/// A PCI Express link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// In GT/s.
    pub speed: f64,
    /// Lanes.
    pub width: u32,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { speed, width } = self;
        let generation = match (speed * 10.0) as u32 {
            25 => 1,
            50 => 2,
            80 => 3,
            160 => 4,
            320 => 5,
            _ => return write!(f, "x{width} ({speed:.1} GT/s)"),
        };
        write!(f, "Gen{generation} x{width} ({speed:.1} GT/s)")
    }
}

impl System {
    /// Returns the system that the program runs on.
    pub fn here() -> Self {
        Self::at("/")
    }

    /// Returns the system below a directory.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns whether it is the system that the program runs on.
    pub fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Returns where an absolute path of that system is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Reads a file's text, without white space around it.
    pub fn read(&self, path: &str) -> Option<String> {
        read(&self.path(path))
    }

    /// Returns the entries of a directory, sorted.
    pub fn entries(&self, path: &str) -> Vec<PathBuf> {
        entries(&self.path(path))
    }

    /// Returns the release of the running kernel.
    pub fn release(&self) -> Option<String> {
        self.read("/proc/sys/kernel/osrelease")
    }

    /// Returns the version of the loaded driver; `Some("")` if it does not tell.
    pub fn driver_version(&self) -> Option<String> {
        let module = format!("/sys/module/{DRIVER}");
        let loaded = self.path(&module).is_dir();
        loaded.then(|| self.read(&format!("{module}/version")).unwrap_or_default())
    }

    /// Returns all cards on the bus, by address.
    pub fn cards(&self) -> Vec<PciCard> {
        let devices = self.entries("/sys/bus/pci/devices");
        devices.iter().filter_map(|device| card(device)).collect()
    }

    /// Finds the card that `name` names, in the syntax of [`ax650::Card::open`]; without a name the first that has a
    /// node.
    pub fn card(&self, name: Option<&str>) -> Option<PciCard> {
        let mut cards = self.cards().into_iter();
        let Some(name) = name else {
            return cards
                .filter(|card| card.index.is_some())
                .min_by_key(|card| card.index);
        };
        // What udev has made may be a link.
        let real = fs::canonicalize(self.path(name))
            .ok()
            .filter(|_| name.contains('/'));
        let node = real
            .as_deref()
            .unwrap_or(Path::new(name))
            .file_name()
            .and_then(|name| name.to_str());
        let index = node
            .map(|node| node.strip_prefix("ax650-").unwrap_or(node))
            .and_then(|digits| digits.parse().ok());
        let address = PciAddress::parse(name).map(|address| address.to_string());
        cards.find(|card| match &address {
            Some(address) => card.address == *address,
            None => index.is_some() && card.index == index,
        })
    }
}

impl PciCard {
    /// Returns the name of the card's node, or else its address.
    pub fn name(&self) -> String {
        match self.index {
            Some(index) => format!("ax650-{index}"),
            None => self.address.clone(),
        }
    }

    /// Returns the card's state or, without our driver, why there is none.
    pub fn state_or_driver(&self) -> String {
        match (&self.state, self.driver.as_deref()) {
            (Some(state), _) => state.clone(),
            (None, None) => "no driver".into(),
            (None, Some(DRIVER)) => "unknown".into(),
            (None, Some(other)) => format!("driver {other}"),
        }
    }

    /// Returns the card as `ax650 list --json` and `info --json` have it.
    pub fn json(&self) -> Value {
        json!({
            "index": self.index,
            "node": self.index.map(|index| format!("/dev/ax650-{index}")),
            "bus_id": self.address,
            "driver": self.driver,
            "state": self.state,
            "generation": self.generation,
            "firmware": self.firmware,
            "heartbeat_age_seconds": self.heartbeat_ms.map(|ms| ms as f64 / 1e3),
            "last_error": self.last_error.map(|errno| nix::errno::Errno::from_raw(errno).to_string()),
            "link": self.link.map(|link| json!({
                "speed_mtps": (link.speed * 1000.0) as u64,
                "width": link.width,
            })),
        })
    }
}

fn card(device: &Path) -> Option<PciCard> {
    let get = |name: &str| read(&device.join(name)).filter(|text| !text.is_empty());
    if get("vendor")? != ID.0 || get("device")? != ID.1 {
        return None;
    }
    let number = |name: &str| get(name)?.parse::<i64>().ok();
    let real = fs::canonicalize(device).ok();
    let slot = real.as_deref().and_then(Path::parent);
    let group = name_of_link(&device.join("iommu_group"));
    Some(PciCard {
        address: device.file_name()?.to_str()?.to_owned(),
        driver: name_of_link(&device.join("driver")),
        index: entries(&device.join("misc")).iter().find_map(|node| {
            node.file_name()?
                .to_str()?
                .strip_prefix("ax650-")?
                .parse()
                .ok()
        }),
        state: get("state"),
        generation: number("generation").and_then(|n| n.try_into().ok()),
        firmware: get("firmware_version"),
        npu_busy_us: number("npu_busy_time_us").and_then(|n| n.try_into().ok()),
        heartbeat_ms: number("heartbeat_age_ms").and_then(|n| n.try_into().ok()),
        last_error: number("last_error")
            .filter(|n| *n != 0)
            .and_then(|n| i32::try_from(-n).ok()),
        link: link(device, "current"),
        link_max: link(device, "max"),
        slot_max: slot.and_then(|slot| link(slot, "max")),
        iommu: group.map(|_| get("iommu_group/type").unwrap_or_else(|| "unknown".into())),
    })
}

/// Reads `5.0 GT/s PCIe` and the like.
fn link(device: &Path, which: &str) -> Option<Link> {
    let speed = read(&device.join(format!("{which}_link_speed")))?;
    let width = read(&device.join(format!("{which}_link_width")))?;
    let link = Link {
        speed: speed.split_whitespace().next()?.parse().ok()?,
        width: width.parse().ok()?,
    };
    // What has no link says 0 or 255 lanes, and a speed of 2.5 that means nothing.
    (1..=32).contains(&link.width).then_some(link)
}

fn name_of_link(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

fn read(path: &Path) -> Option<String> {
    // What a card says of itself may be there, too.
    let text = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&text);
    Some(
        text.trim()
            .replace(|c: char| c.is_control() && c != '\n', "?"),
    )
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    entries
}
