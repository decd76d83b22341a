// SPDX-License-Identifier: MIT OR Apache-2.0

//! Facts that the driver tells of a card, in Rust's types.

use std::fmt;
use std::time::Duration;

use ax650_uapi::*;
use nix::errno::Errno;

/// A PCI address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PciAddress {
    /// PCI domain.
    pub domain: u32,
    /// PCI bus number.
    pub bus: u8,
    /// Device, 0 to 31.
    pub device: u8,
    /// Function, 0 to 7.
    pub function: u8,
}

impl PciAddress {
    /// Reads `0000:01:00.0`, or `01:00.0` for domain 0.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |text: &str, digits: usize| {
            let good = text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if good {
                u32::from_str_radix(text, 16).ok()
            } else {
                None
            }
        };
        let (rest, function) = text.rsplit_once('.')?;
        let (rest, device) = rest.rsplit_once(':')?;
        let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
        let address = Self {
            domain: hex(domain, 8)?,
            bus: hex(bus, 2)? as u8,
            device: hex(device, 2)? as u8,
            function: hex(function, 1)? as u8,
        };
        (address.device < 32 && address.function < 8).then_some(address)
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            device,
            function,
        } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

/// State of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardState {
    /// Not yet looked at.
    Absent,
    /// Reset, waiting for firmware.
    Loader,
    /// Firmware is being sent.
    Booting,
    /// Firmware started, rings being set up.
    Handshake,
    /// Sessions can be made.
    Running,
    /// Missed a heartbeat; being probed.
    Suspect,
    /// Boot or recovery failed.
    Dead,
    /// A reset is under way.
    Resetting,
    /// Does not answer on the bus any more.
    Gone,
    /// A state of a newer driver.
    Other(u32),
}

impl CardState {
    fn from_raw(raw: u32) -> Self {
        match raw {
            AX650_STATE_ABSENT => Self::Absent,
            AX650_STATE_LOADER => Self::Loader,
            AX650_STATE_BOOTING => Self::Booting,
            AX650_STATE_HANDSHAKE => Self::Handshake,
            AX650_STATE_RUNNING => Self::Running,
            AX650_STATE_SUSPECT => Self::Suspect,
            AX650_STATE_DEAD => Self::Dead,
            AX650_STATE_RESETTING => Self::Resetting,
            AX650_STATE_GONE => Self::Gone,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Absent => "absent",
            Self::Loader => "loader",
            Self::Booting => "booting",
            Self::Handshake => "handshake",
            Self::Running => "running",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Resetting => "resetting",
            Self::Gone => "gone",
            Self::Other(number) => return write!(f, "state {number}"),
        };
        f.pad(name)
    }
}

/// Identity and state of a card.
#[derive(Debug, Clone)]
pub struct CardInfo {
    /// State of the card.
    pub state: CardState,
    /// Number of the card's boot: grows by one at each.
    pub generation: u32,
    /// Error of the last failed boot or recovery.
    pub last_error: Option<Errno>,
    /// PCI address of the card.
    pub pci: PciAddress,
    /// Chip name the card reports, "" if not known.
    pub chip: String,
    /// Unique id of the chip, 0 if not known.
    pub uid: u64,
    /// Firmware version the card reports, "" if not known.
    pub firmware_version: String,
    /// Firmware version in the header of the container that was sent.
    pub firmware_file: String,
    /// Duration of the last boot.
    pub boot_time: Duration,
    /// Time since the last heartbeat.
    pub heartbeat_age: Option<Duration>,
    /// All of it, as the driver gave it.
    pub raw: ax650_card_info,
}

impl CardInfo {
    /// Returns how much of the firmware was sent in the present or last boot, 0 to 1.
    pub fn boot_progress(&self) -> f64 {
        match self.raw.boot_bytes_total {
            0 => 0.0,
            total => (self.raw.boot_bytes_done as f64 / total as f64).min(1.0),
        }
    }

    /// Returns the PCIe generation of the link, from its speed.
    pub fn link_generation(&self) -> Option<u32> {
        match self.raw.link_speed_mtps {
            2500 => Some(1),
            5000 => Some(2),
            8000 => Some(3),
            16000 => Some(4),
            _ => None,
        }
    }

    /// Describes the link in words, such as `Gen2 x2 (5.0 GT/s)`.
    pub fn link(&self) -> String {
        let (speed, width) = (self.raw.link_speed_mtps, self.raw.link_width);
        match self.link_generation() {
            Some(generation) => {
                format!(
                    "Gen{generation} x{width} ({:.1} GT/s)",
                    f64::from(speed) / 1000.0
                )
            }
            None => "unknown".into(),
        }
    }
}

impl From<ax650_card_info> for CardInfo {
    fn from(raw: ax650_card_info) -> Self {
        Self {
            state: CardState::from_raw(raw.state),
            generation: raw.generation,
            last_error: (raw.last_error != 0)
                .then(|| Errno::from_raw(raw.last_error.wrapping_neg())),
            pci: PciAddress {
                domain: raw.pci_domain,
                bus: raw.pci_bus as u8,
                device: (raw.pci_devfn >> 3) as u8 & 0x1F,
                function: raw.pci_devfn as u8 & 7,
            },
            chip: text(&raw.chip),
            uid: raw.uid,
            firmware_version: text(&raw.firmware_version),
            firmware_file: text(&raw.firmware_file),
            boot_time: Duration::from_nanos(raw.boot_time_ns),
            heartbeat_age: (raw.heartbeat_age_ns != u64::MAX)
                .then(|| Duration::from_nanos(raw.heartbeat_age_ns)),
            raw,
        }
    }
}

/// What the card says of itself; `None`: it did not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Telemetry {
    /// Age of the values.
    pub age: Duration,
    /// Junction temperature, degrees Celsius.
    pub temperature: Option<f64>,
    /// Load of the card's CPUs, 0 to 1.
    pub cpu_load: Option<f64>,
    /// Load of the NPU, 0 to 1.
    pub npu_load: Option<f64>,
    /// Memory of the card's Linux.
    pub memory: Option<Usage>,
    /// Contiguous memory for models, tensors and pictures.
    pub cmm: Option<Usage>,
}

/// How much of something is in use, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Amount in use.
    pub used: u64,
    /// Amount in all.
    pub total: u64,
}

impl From<ax650_telemetry> for Telemetry {
    fn from(raw: ax650_telemetry) -> Self {
        let has = |bit| raw.valid & bit != 0;
        let load = |value: u32| f64::from(value) / 10_000.0;
        let memory = Usage {
            used: raw.memory_total.saturating_sub(raw.memory_free),
            total: raw.memory_total,
        };
        Self {
            age: Duration::from_nanos(raw.age_ns),
            temperature: has(AX650_TELEMETRY_TEMPERATURE)
                .then(|| f64::from(raw.temperature_mc) / 1000.0),
            cpu_load: has(AX650_TELEMETRY_CPU).then(|| load(raw.cpu_load)),
            npu_load: has(AX650_TELEMETRY_NPU).then(|| load(raw.npu_load)),
            memory: has(AX650_TELEMETRY_MEMORY).then_some(memory),
            cmm: has(AX650_TELEMETRY_CMM).then_some(Usage {
                used: raw.cmm_used,
                total: raw.cmm_total,
            }),
        }
    }
}

/// What happened on a card since the driver was bound.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters(pub ax650_counters);

impl Counters {
    /// Iterates over all counters by name, as they are in `ax650.h`.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ax650_counters::FIELDS.iter().map(|&(name, offset, size)| {
            let bytes = &self.0.as_bytes()[offset..offset + size];
            (
                name,
                u64::from_ne_bytes(bytes.try_into().expect("all counters have 64 bits")),
            )
        })
    }
}

/// An open session of some process, or a program of AXCL.
#[derive(Debug, Clone)]
pub struct Client {
    /// The process, unless it is hidden (another pid namespace).
    pub pid: Option<i32>,
    /// Name of the process.
    pub command: String,
    /// The client is a program of AXCL; the rest use the driver's own interface, as this library does.
    pub axcl: bool,
    /// All of it, as the driver gave it.
    pub raw: ax650_client,
}

impl From<ax650_client> for Client {
    fn from(raw: ax650_client) -> Self {
        Self {
            pid: (raw.pid != 0).then_some(raw.pid),
            command: text(&raw.command),
            axcl: raw.interface == AX650_INTERFACE_AXCL,
            raw,
        }
    }
}

/// Returns the text before the first NUL; control characters, which a card or a process could use to confuse
/// a terminal, become `?`.
fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    text.trim()
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The driver's names are compared with the same words, so all say the same.
    #[test]
    fn states_are_called_as_in_the_header() {
        let header = include_str!("../../uapi/ax650.h");
        let states: Vec<(&str, u32)> = header
            .lines()
            .filter_map(|line| {
                let (name, number) = line.strip_prefix("\tAX650_STATE_")?.split_once(" = ")?;
                Some((name, number.trim_end_matches(',').parse().ok()?))
            })
            .collect();
        assert_eq!(states.len(), 9);
        for (name, number) in states {
            let state = CardState::from_raw(number);
            assert_eq!(state.to_string(), name.to_lowercase());
        }
    }

    #[test]
    fn pci_addresses() {
        let address = PciAddress {
            domain: 0x10,
            bus: 0xA1,
            device: 0x1F,
            function: 7,
        };
        assert_eq!(PciAddress::parse("0010:a1:1f.7"), Some(address));
        assert_eq!(address.to_string(), "0010:a1:1f.7");
        assert_eq!(
            PciAddress::parse("01:00.0").unwrap().to_string(),
            "0000:01:00.0"
        );
        for bad in [
            "",
            "1",
            "01:00",
            "01:20.0",
            "01:00.8",
            "001:00.0",
            "x:00.0",
            "+1:00.0",
            "0:1:2:3.0",
            "/dev/a:0.0",
        ] {
            assert_eq!(PciAddress::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn texts_are_cut_and_cleaned() {
        assert_eq!(text(b"V3.10.2\0junk"), "V3.10.2");
        assert_eq!(text(b"a\x1b[2Jb\n"), "a?[2Jb");
        assert_eq!(text(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn telemetry_without_its_bit_is_unknown() {
        let raw = ax650_telemetry {
            valid: AX650_TELEMETRY_TEMPERATURE | AX650_TELEMETRY_MEMORY,
            temperature_mc: -1500,
            npu_load: 5000,
            memory_total: 100,
            memory_free: 30,
            ..Default::default()
        };
        let telemetry = Telemetry::from(raw);
        assert_eq!(telemetry.temperature, Some(-1.5));
        assert_eq!(telemetry.npu_load, None);
        assert_eq!(
            telemetry.memory,
            Some(Usage {
                used: 70,
                total: 100
            })
        );
    }

    #[test]
    fn counters_by_name() {
        let counters = Counters(ax650_counters {
            buffer_bytes: 7,
            doorbells: 5,
            ..Default::default()
        });
        let by_name: Vec<_> = counters.iter().collect();
        assert_eq!(by_name.len(), 29);
        assert!(by_name.contains(&("doorbells", 5)) && by_name.contains(&("buffer_bytes", 7)));
    }
}
