// SPDX-License-Identifier: GPL-2.0

//! The card's PCI function: its registers, its configuration, its interrupt.
//!
//! Registers are reached by read() and write(), not mapped: a card that has gone gives an error then, and no signal.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use vfio_bindings::bindings::vfio::{
    vfio_region_info, VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
};

use crate::error::{refused, Error, Result};
use crate::ioctl::{self, IrqSet};
use crate::poll;
use crate::wire::register::{Bar, FixedRegister, Io, Register};
use crate::wire::reset::{RESET, RESET_LARGE, SMALL_WINDOW};

/// The register COMMAND of configuration space, and bits of it.
const COMMAND: u64 = 4;
const MEMORY: u16 = 2;
const MASTER: u16 = 4;
/// The kernel's own copy of this bit stands in for the card's.
const INTX_DISABLE: u16 = 0x400;

/// BARs from 0 to 5.
const BARS: usize = 6;

/// Between looks for the card.
const LOOK: Duration = Duration::from_millis(10);
// TIMEOUT: as in kmod/card/reset.rs: loader and link are back within a second [pcie 2.9].
const BACK: Duration = Duration::from_secs(30);
// TIMEOUT: the same at the end, when somebody waits.
const QUIESCE: Duration = Duration::from_secs(10);
/// A card whose configuration is still there so long after the reset has kept it.
const WIPE: Duration = Duration::from_secs(2);

/// Where a region is in the device's file.
#[derive(Clone, Copy)]
struct Region {
    offset: u64,
    size: u64,
}

/// What the card's configuration looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Nobody answers.
    Absent,
    /// It does not decode memory: it has been reset.
    Blank,
    /// As it was left.
    Configured,
}

/// The card's PCI function.  Dropping it resets the chip, which keeps it from memory.
pub(crate) struct Function {
    file: File,
    bars: [Region; BARS],
    config: Region,
}

impl Function {
    /// Looks where the registers are.
    pub(crate) fn new(file: File) -> Result<Self> {
        let region = |index: u32| {
            let mut info = vfio_region_info {
                argsz: size_of::<vfio_region_info>() as u32,
                index,
                ..Default::default()
            };
            // SAFETY: the argument is the structure that the request takes.
            unsafe { ioctl::device_get_region_info(file.as_raw_fd(), &mut info) }
                .map_err(refused("ask where the registers are"))?;
            Ok::<_, Error>(Region {
                offset: info.offset,
                size: info.size,
            })
        };
        let mut bars = [Region { offset: 0, size: 0 }; BARS];
        for (index, bar) in (0..).zip(&mut bars) {
            *bar = region(index)?;
        }
        let config = region(VFIO_PCI_CONFIG_REGION_INDEX)?;
        Ok(Self { file, bars, config })
    }

    fn command(&self) -> io::Result<u16> {
        let mut bytes = [0; 2];
        self.file
            .read_exact_at(&mut bytes, self.config.offset + COMMAND)?;
        Ok(u16::from_le_bytes(bytes))
    }

    /// Writes COMMAND.  If the card has lost its BARs the kernel gives them back to it at this.
    fn set_command(&self, value: u16) -> io::Result<()> {
        self.file
            .write_all_at(&value.to_le_bytes(), self.config.offset + COMMAND)
    }

    fn presence(&self) -> Presence {
        match self.command() {
            // The identity is the kernel's copy; this register is the card's own.
            Err(_) => Presence::Absent,
            Ok(command) if command | INTX_DISABLE == u16::MAX => Presence::Absent,
            Ok(command) if command & MEMORY == 0 => Presence::Blank,
            Ok(_) => Presence::Configured,
        }
    }

    /// Returns whether the card answers, with its registers in place.
    pub(crate) fn answers(&self) -> bool {
        self.presence() == Presence::Configured
    }

    /// Lets the card reach memory.
    pub(crate) fn set_master(&self) -> io::Result<()> {
        self.set_command(MEMORY | MASTER)
    }

    /// Resets the chip and leaves it in its loader, without a way to memory.
    pub(crate) fn reset(&self) -> Result<()> {
        self.reset_within(BACK)
    }

    fn reset_within(&self, limit: Duration) -> Result<()> {
        self.set_command(MEMORY)?;
        self.write_reset()?;
        let start = Instant::now();
        sleep(LOOK);
        let mut absent = false;
        let back = poll::until(LOOK, limit, || {
            match self.presence() {
                Presence::Blank => return Ok(Some(())),
                Presence::Absent => absent = true,
                Presence::Configured if absent => return Ok(Some(())),
                Presence::Configured if start.elapsed() > WIPE => {
                    log::warn!("the reset left the configuration as it was");
                    return Ok(Some(()));
                }
                Presence::Configured => {}
            }
            Ok::<_, Error>(None)
        })?;
        back.ok_or_else(|| Error::Card("is not back on the bus after a reset".into()))?;
        self.set_command(MEMORY)?;
        match self.answers() {
            true => Ok(()),
            false => Err(Error::Card(
                "does not take its configuration after the reset".into(),
            )),
        }
    }

    /// Writes the reset register.  It must not be read back: the chip goes down at once.
    fn write_reset(&self) -> io::Result<()> {
        if self.bars[4].size == SMALL_WINDOW as u64 {
            RESET::zeroed().with(RESET::CHIP, true).write(self)
        } else {
            RESET_LARGE::zeroed()
                .with(RESET_LARGE::CHIP, true)
                .write(self)
        }
    }

    /// Keeps the card from memory, for good: bus mastering off, chip reset.
    pub(crate) fn stop(&self) {
        let stopped = match self.presence() {
            // The IOMMU will have to keep it out, should it come back.
            Presence::Absent => Err(Error::Card("is not there to be stopped".into())),
            _ => self.reset_within(QUIESCE),
        };
        if let Err(error) = stopped {
            log::warn!("{error}");
        }
    }

    /// Has the kernel tell of the card's interrupt [pcie 1.5].
    pub(crate) fn interrupt(&self) -> io::Result<EventFd> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_value_and_flags(0, flags)?;
        let set = IrqSet {
            argsz: size_of::<IrqSet>() as u32,
            flags: VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
            index: VFIO_PCI_MSI_IRQ_INDEX,
            start: 0,
            count: 1,
            eventfd: event.as_fd().as_raw_fd(),
        };
        // SAFETY: the argument is a structure of the form that the request takes; the kernel holds the event by itself.
        unsafe { ioctl::device_set_irqs(self.file.as_raw_fd(), &set) }?;
        Ok(event)
    }

    /// Returns where a register is in the device's file.
    fn register(&self, bar: u32, offset: usize) -> io::Result<u64> {
        let region = self.bars.get(bar as usize);
        region
            .filter(|region| offset as u64 + 4 <= region.size)
            .map(|region| region.offset + offset as u64)
            .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}

impl<B: Bar> Io<B> for Function {
    type Error = io::Error;

    fn load(&self, offset: usize) -> io::Result<u32> {
        let mut bytes = [0; 4];
        let at = self.register(B::BAR, offset)?;
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn store(&self, offset: usize, value: u32) -> io::Result<()> {
        let at = self.register(B::BAR, offset)?;
        self.file.write_all_at(&value.to_le_bytes(), at)
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.stop();
    }
}
