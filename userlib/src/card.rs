// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cards: finding, opening and asking them.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ax650_uapi::*;
use nix::errno::Errno;

use crate::discover;
use crate::error::{Error, Request, Result};
use crate::info::{CardInfo, Client, Counters, PciAddress, Telemetry};
use crate::session::Session;
#[cfg(feature = "transport")]
use crate::transport::Transport;
use crate::transport::{Device, Kernel};

/// An open card.  Clones share the open file, and with it the driver's limits per file.
///
/// A child made by `fork()` can ask an inherited card for facts; to use it, it has to open it itself.
#[derive(Clone)]
pub struct Card {
    device: Arc<Device>,
    path: PathBuf,
}

/// Card that the system has, with its node.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed {
    /// N of `/dev/ax650-N`; only a hint, as it may change from boot to boot.
    pub index: u32,
    /// The device node.
    pub path: PathBuf,
    /// What the driver says of it, or why it cannot be asked.
    pub info: Result<CardInfo>,
}

impl Listed {
    /// Makes an entry of a list, for programs that get theirs from elsewhere.
    pub fn new(index: u32, path: impl Into<PathBuf>, info: Result<CardInfo>) -> Self {
        let path = path.into();
        Self { index, path, info }
    }
}

impl Card {
    /// Lists the cards that have a device node, by index.
    pub fn list() -> Vec<Listed> {
        discover::nodes()
            .into_iter()
            .map(|(index, path)| {
                let info = Card::open_path(&path).and_then(|card| card.info());
                Listed { index, path, info }
            })
            .collect()
    }

    /// Opens the card that `name` names: an index (`0`), a path (`/dev/ax650-0`), a node's name (`ax650-0`) or a PCI
    /// address (`0000:01:00.0` or `01:00.0`).
    ///
    /// # Errors
    ///
    /// [`Error::NoCard`], [`Error::Open`]; [`Error::Invalid`] if `name` is nothing of these.
    pub fn open(name: &str) -> Result<Self> {
        if let Ok(index) = name.parse() {
            return Self::open_index(index);
        }
        if let Some(address) = PciAddress::parse(name) {
            return Self::open_pci(address);
        }
        if name.starts_with("ax650-") {
            return Self::open_path(&discover::device_directory().join(name));
        }
        if name.contains('/') {
            return Self::open_path(Path::new(name));
        }
        Err(Error::invalid(format!(
            "`{name}` names no card: give an index, a path or a PCI address such as 0000:01:00.0"
        )))
    }

    /// Opens the first card.
    ///
    /// # Errors
    ///
    /// [`Error::NoCard`]: there is none; [`Error::Open`]: its node cannot be opened.
    pub fn open_first() -> Result<Self> {
        let nodes = discover::nodes();
        let Some((_, first)) = nodes.first() else {
            return Err(Error::NoCard(discover::why_none()));
        };
        Self::open_path(first)
    }

    /// Opens the card with the node `/dev/ax650-index`.
    ///
    /// # Errors
    ///
    /// [`Error::NoCard`]: there is no such card; [`Error::Open`]: its node cannot be opened.
    pub fn open_index(index: u32) -> Result<Self> {
        let path = discover::device_directory().join(format!("ax650-{index}"));
        if !path.exists() {
            let nodes = discover::nodes();
            return Err(Error::NoCard(match nodes.len() {
                0 => discover::why_none(),
                n => format!("there is no card {index}; this system has {n}, see `ax650 list`"),
            }));
        }
        Self::open_path(&path)
    }

    /// Opens the card at a PCI address.
    ///
    /// # Errors
    ///
    /// [`Error::NoCard`]: no card has this address; [`Error::Open`]: its node cannot be opened.
    pub fn open_pci(address: PciAddress) -> Result<Self> {
        let mut refused = None;
        for (_, path) in discover::nodes() {
            // sysfs knows without opening, but it is not there in every container.
            if discover::pci_address(&path).is_some_and(|known| known != address) {
                continue;
            }
            match Self::open_path(&path).and_then(|card| Ok((card.info()?, card))) {
                Ok((info, card)) if info.pci == address => return Ok(card),
                Ok(_) => {}
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| {
            Error::NoCard(format!(
                "there is no card at PCI address {address}, see `ax650 list`"
            ))
        }))
    }

    /// Opens a device node.
    ///
    /// # Errors
    ///
    /// [`Error::Open`]: the node does not exist, cannot be opened, or is not one of this driver.
    pub fn open_path(path: &Path) -> Result<Self> {
        let device = Kernel::open(path).map_err(|errno| Error::Open {
            path: path.into(),
            errno,
        })?;
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let card = Self {
            device: Device::new(Arc::new(device), &name),
            path: path.into(),
        };
        match card.info() {
            Ok(info) => {
                log::debug!("{}: {} at {}", card.name(), info.state, info.pci);
                Ok(card)
            }
            // A terminal or a file answers ENOTTY: the name was wrong.
            Err(Error::Driver {
                errno: Errno::ENOTTY,
                ..
            }) => Err(Error::Open {
                path: path.into(),
                errno: Errno::ENOTTY,
            }),
            Err(error) => Err(error),
        }
    }

    /// Makes a card that is reached in some other way than through the kernel's driver.
    #[cfg(feature = "transport")]
    pub fn with_transport(device: Arc<dyn Transport>, name: &str) -> Self {
        Self {
            device: Device::new(device, name),
            path: PathBuf::from(name),
        }
    }

    /// Returns the name of the card's node, `ax650-N`.
    pub fn name(&self) -> &str {
        self.device.card()
    }

    /// Returns the path of the card's node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the driver for identity and state of the card.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the card is gone.
    pub fn info(&self) -> Result<CardInfo> {
        self.query_one::<ax650_card_info>(AX650_QUERY_CARD, "ask for its identity")
            .map(CardInfo::from)
    }

    /// Asks for temperature, loads and memory; the driver asks the card about once a second.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the card is gone, not up, or did not answer in time.
    pub fn telemetry(&self) -> Result<Telemetry> {
        self.query_one::<ax650_telemetry>(AX650_QUERY_TELEMETRY, "ask for its telemetry")
            .map(Telemetry::from)
    }

    /// Asks the driver for its counters since it was bound to the card.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the card is gone.
    pub fn counters(&self) -> Result<Counters> {
        self.query_one(AX650_QUERY_COUNTERS, "ask for its counters")
            .map(Counters)
    }

    /// Asks the driver for the open sessions and the programs of AXCL.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the card is gone.
    pub fn clients(&self) -> Result<Vec<Client>> {
        let what = "ask for its clients";
        let one = size_of::<ax650_client>();
        let mut bytes = Vec::new();
        loop {
            let size = self.query(AX650_QUERY_CLIENTS, &mut bytes, what)?;
            if size <= bytes.len() {
                bytes.truncate(size);
                break;
            }
            // Room for some more, as clients come and go.
            bytes = vec![0; size + 8 * one];
        }
        let clients = bytes.chunks_exact(one).map(|bytes| {
            let mut client = ax650_client::default();
            client.as_bytes_mut().copy_from_slice(bytes);
            Client::from(client)
        });
        Ok(clients.collect())
    }

    /// Asks the driver for its limits.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the card is gone.
    pub fn limits(&self) -> Result<ax650_limits> {
        self.query_one(AX650_QUERY_LIMITS, "ask for its limits")
    }

    /// Opens a session.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the card is not running, or has too many sessions.
    pub fn session(&self) -> Result<Session> {
        Session::new(self.device.clone(), self.limits()?)
    }

    /// Resets the card and boots the installed firmware; `only_if_needed`: unless it is running.  Needs
    /// CAP_SYS_ADMIN.
    ///
    /// Returns at once; [`CardInfo::state`] shows the progress, [`crate::boot_and_wait`] waits for the end.  All sessions of the card end.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the privilege is missing, a boot or reset is under way, or the card is gone.
    pub fn boot(&self, only_if_needed: bool) -> Result<()> {
        self.order_boot(only_if_needed).map(drop)
    }

    /// Resets the card and leaves it in its loader.  Needs CAP_SYS_ADMIN.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the privilege is missing, a boot or reset is under way, or the card is gone.
    pub fn reset(&self) -> Result<()> {
        self.order_reset().map(drop)
    }

    /// Orders a boot for [`Card::boot`] and returns the generation to come.
    pub(crate) fn order_boot(&self, only_if_needed: bool) -> Result<u32> {
        let flags = if only_if_needed {
            AX650_CONTROL_IF_NEEDED
        } else {
            0
        };
        self.control(AX650_CONTROL_BOOT, flags, "boot")
    }

    /// Orders a reset for [`Card::reset`] and returns the generation, which a reset does not change.
    pub(crate) fn order_reset(&self) -> Result<u32> {
        self.control(AX650_CONTROL_RESET, 0, "reset")
    }

    fn control(&self, op: u32, flags: u32, what: &str) -> Result<u32> {
        self.device
            .control(op, flags)
            .map_err(|errno| self.error(what, Request::Control, errno))
    }

    fn query(&self, kind: u32, bytes: &mut [u8], what: &str) -> Result<usize> {
        self.device
            .query(kind, bytes)
            .map_err(|errno| self.error(what, Request::Query, errno))
    }

    /// Asks the driver for one structure; fields that an older driver does not know stay 0.
    fn query_one<T: Plain>(&self, kind: u32, what: &str) -> Result<T> {
        let mut value = T::default();
        self.query(kind, value.as_bytes_mut(), what)?;
        Ok(value)
    }

    fn error(&self, what: &str, request: Request, errno: Errno) -> Error {
        Error::Driver {
            card: self.name().into(),
            what: what.into(),
            request,
            errno,
        }
    }
}

impl AsFd for Card {
    /// Returns the node: readable while ended jobs of any session wait to be looked at, be it by their
    /// [`Pending`](crate::Pending) or, if that was dropped, by [`Session::reap`].  To wait for one job, poll
    /// its `Pending`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.poll_fd()
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
