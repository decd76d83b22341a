// SPDX-License-Identifier: MIT OR Apache-2.0

//! The driver's interface as the header has it, with as little on top as can be: what cases test
//! is this interface, not a library's view of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use ax650_uapi::*;

use crate::kernel;
use crate::map::Map;

/// PCI vendor of the cards.
pub const VENDOR: u16 = 0x1f4b;

/// Longest boot, on any kernel.
pub const BOOT: Duration = Duration::from_secs(90);

/// Longest boot that fails: one whose handshake gets no answer ends after two minutes [pcie 4.5].
const HOPELESS: Duration = Duration::from_secs(150);

/// PCI address of the card in this slot (card 0 is in slot 1), as sysfs writes it.
pub fn address(card: u32) -> Result<String> {
    let slot = format!("/sys/bus/pci/slots/{}/address", card + 1);
    Ok(format!("{}.0", kernel::read(slot)?))
}

/// Directory of the card's PCI device, whether it is there or not.
pub fn sysfs(card: u32) -> Result<PathBuf> {
    Ok(PathBuf::from("/sys/bus/pci/devices").join(address(card)?))
}

/// Cards that the machine has now.
pub fn present() -> Result<Vec<u32>> {
    let mut cards = Vec::new();
    for card in 0.. {
        let Ok(dir) = sysfs(card) else { break };
        let vendor = kernel::read(dir.join("vendor")).unwrap_or_default();
        if vendor == format!("{VENDOR:#06x}") {
            cards.push(card);
        }
    }
    Ok(cards)
}

/// Device nodes of the driver that are there now.
pub fn nodes() -> Result<Vec<PathBuf>> {
    let mut nodes: Vec<PathBuf> = std::fs::read_dir("/dev")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().starts_with("/dev/ax650-"))
        .collect();
    nodes.sort();
    Ok(nodes)
}

/// The node of the card in this slot, if the driver has made one.
pub fn node(card: u32) -> Result<Option<PathBuf>> {
    let wanted = address(card)?;
    for path in nodes()? {
        let Ok(file) = Card::open_path(&path, 0) else {
            continue;
        };
        // An older file of an index may be that of a card which has gone.
        let Ok(info) = file.info() else { continue };
        let found = format!(
            "{:04x}:{:02x}:{:02x}.{}",
            info.pci_domain,
            info.pci_bus,
            info.pci_devfn >> 3,
            info.pci_devfn & 7
        );
        if found == wanted {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// An open file of a card.
#[derive(Debug)]
pub struct Card {
    file: File,
}

impl Card {
    /// Opens the card in this slot, as soon as it has a node.
    pub fn open(card: u32) -> Result<Self> {
        let mut path = None;
        kernel::until(
            &format!("a node for card {card}"),
            Duration::from_secs(10),
            || {
                path = node(card)?;
                Ok(path.is_some())
            },
        )?;
        let path = path.context("no node")?;
        Self::open_path(&path, 0).with_context(|| format!("cannot open {}", path.display()))
    }

    /// Opens a node, with more flags than those for reading and writing.
    pub fn open_path(path: &std::path::Path, flags: i32) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        Ok(Self { file })
    }

    /// The same open file once more.
    pub fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
        })
    }

    /// File descriptor, for poll and mmap.
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// A request with any code and argument.
    ///
    /// # Safety
    ///
    /// What the kernel may write for this request must be this process's to have overwritten:
    /// the structure at `argument` and what its address fields name.
    pub unsafe fn raw(&self, code: u64, argument: *mut u8) -> io::Result<i32> {
        // SAFETY: by the caller.
        let rc = unsafe { libc::ioctl(self.fd(), code as libc::Ioctl, argument) };
        if rc < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(rc)
        }
    }

    /// A request whose structure is as long as this crate knows it.
    ///
    /// # Safety
    ///
    /// The address fields of `argument` must name memory that the kernel may write.
    unsafe fn request<T: Plain>(&self, code: u32, argument: &mut T) -> io::Result<()> {
        // SAFETY: the structure is exclusively borrowed, the rest is by the caller.
        unsafe { self.raw(u64::from(code), std::ptr::from_mut(argument).cast()) }.map(drop)
    }

    /// QUERY of a kind that answers with one structure.
    pub fn query<T: Plain>(&self, kind: u32) -> io::Result<T> {
        let mut value = T::default();
        let mut query = ax650_query {
            kind,
            size: size_of::<T>() as u32,
            data: std::ptr::from_mut(&mut value) as u64,
            ..Default::default()
        };
        // SAFETY: `data` is a local variable of the size given.
        unsafe { self.request(AX650_IOC_QUERY, &mut query) }?;
        Ok(value)
    }

    /// Identity and state.
    pub fn info(&self) -> io::Result<ax650_card_info> {
        self.query(AX650_QUERY_CARD)
    }

    /// Counters of the driver.
    pub fn counters(&self) -> io::Result<ax650_counters> {
        self.query(AX650_QUERY_COUNTERS)
    }

    /// What the driver allows.
    pub fn limits(&self) -> io::Result<ax650_limits> {
        self.query(AX650_QUERY_LIMITS)
    }

    /// What the card says of itself.
    pub fn telemetry(&self) -> io::Result<ax650_telemetry> {
        self.query(AX650_QUERY_TELEMETRY)
    }

    /// Open sessions of the card.
    pub fn clients(&self) -> io::Result<Vec<ax650_client>> {
        let mut clients = vec![ax650_client::default(); 256];
        let mut query = ax650_query {
            kind: AX650_QUERY_CLIENTS,
            size: size_of_val(&clients[..]) as u32,
            data: clients.as_mut_ptr() as u64,
            ..Default::default()
        };
        // SAFETY: `data` is the vector's memory, of the size given.
        unsafe { self.request(AX650_IOC_QUERY, &mut query) }?;
        clients.truncate(query.size as usize / size_of::<ax650_client>());
        Ok(clients)
    }

    /// Opens a session, within the default time.
    pub fn session(&self) -> io::Result<ax650_session_create> {
        self.session_until(0)
    }

    /// Opens a session, until this time.
    pub fn session_until(&self, timeout_ns: u64) -> io::Result<ax650_session_create> {
        let mut session = ax650_session_create {
            log_level: 2,
            timeout_ns,
            ..Default::default()
        };
        // SAFETY: the structure has no addresses.
        unsafe { self.request(AX650_IOC_SESSION_CREATE, &mut session) }?;
        Ok(session)
    }

    /// Ends a session.
    pub fn end_session(&self, session: u32) -> io::Result<()> {
        let mut destroy = ax650_session_destroy { session, flags: 0 };
        // SAFETY: the structure has no addresses.
        unsafe { self.request(AX650_IOC_SESSION_DESTROY, &mut destroy) }
    }

    /// Makes a buffer.
    pub fn buffer(&self, size: u64) -> io::Result<ax650_buffer_create> {
        let mut buffer = ax650_buffer_create {
            size,
            ..Default::default()
        };
        // SAFETY: the structure has no addresses.
        unsafe { self.request(AX650_IOC_BUFFER_CREATE, &mut buffer) }?;
        Ok(buffer)
    }

    /// Makes a buffer of any kind, as the structure says.
    ///
    /// # Safety
    ///
    /// Memory that its address names must be the caller's, with no Rust reference to it, until no job can write
    /// there any more.
    pub unsafe fn buffer_with(
        &self,
        mut buffer: ax650_buffer_create,
    ) -> io::Result<ax650_buffer_create> {
        // SAFETY: the kernel writes nothing but the structure now, and what comes later is by the caller.
        unsafe { self.request(AX650_IOC_BUFFER_CREATE, &mut buffer) }?;
        Ok(buffer)
    }

    /// Makes a dma-buf of a buffer.
    pub fn export(&self, handle: u32) -> io::Result<File> {
        let mut export = ax650_buffer_export {
            handle,
            ..Default::default()
        };
        // SAFETY: the structure has no addresses; the descriptor is a new one.
        unsafe {
            self.request(AX650_IOC_BUFFER_EXPORT, &mut export)?;
            Ok(File::from_raw_fd(export.dma_buf))
        }
    }

    /// Gives up a buffer.
    pub fn end_buffer(&self, handle: u32) -> io::Result<()> {
        let mut destroy = ax650_buffer_destroy { handle, flags: 0 };
        // SAFETY: the structure has no addresses.
        unsafe { self.request(AX650_IOC_BUFFER_DESTROY, &mut destroy) }
    }

    /// Maps `len` bytes of the file from `offset`.
    pub fn map(&self, offset: u64, len: usize) -> io::Result<Map> {
        Map::new(&self.file, offset, len)
    }

    /// Queues a job.
    pub fn submit(&self, session: u32, steps: &[ax650_step]) -> io::Result<u64> {
        let mut submit = ax650_submit {
            session,
            eventfd: -1,
            ..Default::default()
        };
        self.submit_with(&mut submit, steps)
    }

    /// Queues a job with the given settings; `steps` and its sizes are filled in here.
    pub fn submit_with(&self, submit: &mut ax650_submit, steps: &[ax650_step]) -> io::Result<u64> {
        submit.steps = steps.as_ptr() as u64;
        submit.step_count = steps.len() as u32;
        submit.step_size = size_of::<ax650_step>() as u32;
        // SAFETY: SUBMIT only reads what the address fields name.
        unsafe { self.request(AX650_IOC_SUBMIT, submit) }?;
        Ok(submit.job)
    }

    /// Waits for a job, at most until `timeout_ns`, with room for so many results.
    pub fn wait(
        &self,
        job: u64,
        timeout_ns: u64,
        steps: usize,
    ) -> io::Result<(ax650_wait, Vec<ax650_step_result>)> {
        let mut results = vec![ax650_step_result::default(); steps];
        let mut wait = ax650_wait {
            job,
            timeout_ns,
            results: results.as_mut_ptr() as u64,
            result_count: steps as u32,
            result_size: size_of::<ax650_step_result>() as u32,
            ..Default::default()
        };
        // SAFETY: `results` is the vector's memory, of the size given.
        unsafe { self.request(AX650_IOC_WAIT, &mut wait) }?;
        Ok((wait, results))
    }

    /// Reset or boot.
    pub fn control(&self, op: u32, flags: u32) -> io::Result<u32> {
        let mut control = ax650_control {
            op,
            flags,
            ..Default::default()
        };
        // SAFETY: the structure has no addresses.
        unsafe { self.request(AX650_IOC_CONTROL, &mut control) }?;
        Ok(control.generation)
    }

    /// Waits until the card is in this state; a card that is DEAD meanwhile never will be.
    pub fn wait_state(&self, state: u32, limit: Duration) -> Result<ax650_card_info> {
        let mut info = ax650_card_info::default();
        kernel::until(&format!("state {state}"), limit, || {
            info = self.info()?;
            if info.state == AX650_STATE_DEAD && state != AX650_STATE_DEAD {
                bail!("the card is dead, error {}", info.last_error);
            }
            Ok(info.state == state)
        })
        .with_context(|| format!("the card is in state {}", info.state))?;
        Ok(info)
    }

    /// Makes the card run, whatever state it is in.
    pub fn make_running(&self) -> Result<ax650_card_info> {
        // A boot that is under way may fail because of what an earlier case has done.
        for _ in 0..2 {
            let mut state = 0;
            kernel::until("a state that lasts", HOPELESS, || {
                state = self.info()?.state;
                Ok(matches!(
                    state,
                    AX650_STATE_RUNNING | AX650_STATE_DEAD | AX650_STATE_LOADER | AX650_STATE_GONE
                ))
            })?;
            if state == AX650_STATE_RUNNING {
                return Ok(self.info()?);
            }
            ensure!(state != AX650_STATE_GONE, "the card is gone");
            match self.control(AX650_CONTROL_BOOT, 0) {
                Err(e) if e.raw_os_error() != Some(libc::EBUSY) => bail!("boot: {e}"),
                _ => {}
            }
            kernel::until("the boot to begin", Duration::from_secs(10), || {
                let state = self.info()?.state;
                Ok(state != AX650_STATE_DEAD && state != AX650_STATE_LOADER)
            })?;
        }
        self.wait_state(AX650_STATE_RUNNING, BOOT)
    }
}
