// SPDX-License-Identifier: MIT OR Apache-2.0

//! Asking the kernel about a card, and to boot it.

use crate::{error::in_file, Error, Result};
use ax650_uapi::{
    ax650_card_info, ax650_control, ax650_query, Plain, AX650_CONTROL_BOOT,
    AX650_CONTROL_IF_NEEDED, AX650_IOC_CONTROL, AX650_IOC_QUERY, AX650_QUERY_CARD,
    AX650_STATE_ABSENT, AX650_STATE_BOOTING, AX650_STATE_DEAD, AX650_STATE_GONE,
    AX650_STATE_HANDSHAKE, AX650_STATE_LOADER, AX650_STATE_RESETTING, AX650_STATE_RUNNING,
    AX650_STATE_SUSPECT,
};
use std::{
    fmt,
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where a card is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardState(pub u32);

impl CardState {
    /// Sessions can be made.
    pub const RUNNING: Self = Self(AX650_STATE_RUNNING);
    /// Boot or recovery failed.
    pub const DEAD: Self = Self(AX650_STATE_DEAD);
    /// Does not answer on the bus.
    pub const GONE: Self = Self(AX650_STATE_GONE);
    /// Firmware is being sent.
    pub const BOOTING: Self = Self(AX650_STATE_BOOTING);
}

impl fmt::Display for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            AX650_STATE_ABSENT => "absent",
            AX650_STATE_LOADER => "in its loader",
            AX650_STATE_BOOTING => "receiving firmware",
            AX650_STATE_HANDSHAKE => "starting",
            AX650_STATE_RUNNING => "running",
            AX650_STATE_SUSPECT => "not answering",
            AX650_STATE_DEAD => "dead",
            AX650_STATE_RESETTING => "resetting",
            AX650_STATE_GONE => "gone",
            other => return write!(f, "in state {other}"),
        })
    }
}

/// What the kernel says of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// State.
    pub state: CardState,
    /// Grows with every boot.
    pub generation: u32,
    /// Errno of the last failed boot, 0 if none.
    pub last_error: i32,
    /// Bytes of firmware sent.
    pub done: u64,
    /// Bytes of firmware in all.
    pub total: u64,
    /// How long the last boot took.
    pub boot_time: Duration,
    /// Version the card reports.
    pub firmware: String,
}

impl From<&ax650_card_info> for Card {
    fn from(info: &ax650_card_info) -> Self {
        let version = info.firmware_version.split(|&byte| byte == 0).next();
        Self {
            state: CardState(info.state),
            generation: info.generation,
            last_error: info.last_error.saturating_neg(),
            done: info.boot_bytes_done,
            total: info.boot_bytes_total,
            boot_time: Duration::from_nanos(info.boot_time_ns),
            firmware: version.unwrap_or_default().escape_ascii().to_string(),
        }
    }
}

/// What booting needs of a card; tests put another thing in its place.
pub trait Control {
    /// Asks for the card's state.
    fn query(&mut self) -> Result<Card>;
    /// Queues a boot and returns the generation that it will lead to. `if_needed`: unless it runs.
    fn boot(&mut self, if_needed: bool) -> Result<u32>;
}

/// A card's device node.
#[derive(Debug)]
pub struct Device {
    path: PathBuf,
    file: File,
}

impl Device {
    /// Opens the node of card `number`.
    pub fn open(number: u32) -> Result<Self> {
        let path = PathBuf::from(format!("/dev/ax650-{number}"));
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(explain(&path, error)),
        }
    }

    fn request<T: Plain>(&self, code: u32, argument: &mut T) -> Result<()> {
        // SAFETY: the file is open, the code's size is that of `T`, and the kernel writes to `T`, for
        // which all bytes are valid, and to what `T` points to, which the callers answer for.
        let result = unsafe {
            libc::ioctl(
                self.file.as_raw_fd(),
                libc::c_ulong::from(code) as _,
                std::ptr::from_mut(argument),
            )
        };
        if result < 0 {
            return Err(explain(&self.path, io::Error::last_os_error()));
        }
        Ok(())
    }
}

impl Control for Device {
    fn query(&mut self) -> Result<Card> {
        let mut info = ax650_card_info::default();
        let mut query = ax650_query {
            kind: AX650_QUERY_CARD,
            size: size_of_val(&info) as u32,
            data: std::ptr::from_mut(&mut info) as u64,
            ..Default::default()
        };
        // The kernel writes at most `size` bytes to `info`.
        self.request(AX650_IOC_QUERY, &mut query)?;
        Ok(Card::from(&info))
    }

    fn boot(&mut self, if_needed: bool) -> Result<u32> {
        let mut control = ax650_control {
            op: AX650_CONTROL_BOOT,
            flags: if if_needed {
                AX650_CONTROL_IF_NEEDED
            } else {
                0
            },
            ..Default::default()
        };
        self.request(AX650_IOC_CONTROL, &mut control)?;
        Ok(control.generation)
    }
}

/// Turns an errno into the error that the caller can act on.
fn explain(path: &Path, error: io::Error) -> Error {
    let node = path.display();
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENXIO) => Error::NoCard(format!(
            "{node}: no such card, or the module ax650 is not loaded"
        )),
        Some(libc::ENODEV) => Error::NoCard(format!("{node}: the card is gone")),
        Some(libc::EACCES) => Error::Permission(format!(
            "{node}: not accessible; be root or a member of its group"
        )),
        Some(libc::EPERM) => Error::Permission(format!("{node}: booting needs CAP_SYS_ADMIN")),
        Some(libc::EBUSY) => Error::Busy(format!("{node}: a boot or reset is already under way")),
        Some(libc::ENOTTY) => Error::NoCard(format!("{node}: not an ax650 card")),
        _ => in_file(path)(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_becomes_card() {
        let mut info = ax650_card_info {
            state: AX650_STATE_DEAD,
            last_error: -110,
            boot_time_ns: 1_500_000_000,
            ..Default::default()
        };
        info.firmware_version[..4].copy_from_slice(b"V1\x1b2");
        let card = Card::from(&info);
        assert_eq!(card.state, CardState::DEAD);
        assert_eq!(card.last_error, 110);
        assert_eq!(card.boot_time, Duration::from_millis(1500));
        assert_eq!(card.firmware, "V1\\x1b2");
    }

    #[test]
    fn errno_is_explained() {
        let class = |errno| {
            explain(
                Path::new("/dev/ax650-7"),
                io::Error::from_raw_os_error(errno),
            )
        };
        assert!(matches!(class(libc::ENOENT), Error::NoCard(_)));
        assert!(matches!(class(libc::ENODEV), Error::NoCard(_)));
        assert!(matches!(class(libc::EACCES), Error::Permission(_)));
        assert!(matches!(class(libc::EPERM), Error::Permission(_)));
        assert!(matches!(class(libc::EBUSY), Error::Busy(_)));
        let other = class(libc::EIO).to_string();
        assert!(other.starts_with("/dev/ax650-7: "), "{other}");
    }
}
