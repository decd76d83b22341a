// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card: its parts, and what joins them.

mod bars;
mod interrupts;
mod wait;

use std::fmt::Arguments;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;
use std::time::Duration;

use ax650_emu_api::{Cmm, Daemon, Dram, Link};
use log::{info, warn};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;

use crate::counters::Counters;
use crate::dma::HostMemory;
use crate::event::Event;
use crate::function::{Bar4, ConfigSpace, Msi, Subsystem};
use crate::parts::{Bar0, Hostility, Images, Interrupts, Life, Mailbox, OnChipRam, Service, State};
use crate::rings::Transport;
use crate::switches::{ServiceSwitches, SwitchError, Switches};

/// How a card is made.
#[derive(Debug, Clone)]
pub struct CardOptions {
    /// The id that the card calls itself: the bus number that its endpoint has captured [pcie 1.7].
    /// vfio-user does not pass bus numbers on; without one here the card goes by what the host calls
    /// it in its messages.
    pub card_id: Option<u8>,
    /// Size of BAR4 after reset.
    pub bar4: Bar4,
    /// Bytes of DRAM.
    pub memory: u64,
    /// Subsystem ids.
    pub subsystem: Subsystem,
    /// Time from finish to the swap of BAR0.
    pub boot_delay: Duration,
    /// How long a chip reset keeps the link down.
    pub reset_time: Duration,
    /// Slots of the mailbox.
    pub mailbox_slots: usize,
    /// Base and size of step 0 must be there with the flag.
    pub strict: bool,
    /// Heartbeats are those of V2 firmware [pcie 10].
    pub heartbeat_v2: bool,
    /// Switches that the service reads.
    pub service_switches: ServiceSwitches,
}

impl Default for CardOptions {
    fn default() -> Self {
        Self {
            card_id: None,
            bar4: Bar4::Small,
            memory: 8 << 30,
            subsystem: Subsystem::default(),
            boot_delay: Duration::from_millis(2000),
            reset_time: Duration::from_millis(200),
            mailbox_slots: 8,
            strict: false,
            heartbeat_v2: false,
            service_switches: &[],
        }
    }
}

impl CardOptions {
    /// DRAM that Linux on the card keeps for itself: an 8 GiB card has 7040 MiB of CMM.
    pub const SYSTEM_MEMORY: u64 = 1152 << 20;
}

/// Starts the service on the card, once per boot.
pub type StartService = Box<dyn Fn(Arc<dyn Link>) -> Arc<dyn Daemon> + Send + Sync>;

/// The whole card.
pub struct Card {
    /// How it was made.
    pub options: CardOptions,
    /// Everything counted.
    pub counters: Arc<Counters>,
    /// Fault switches.
    pub switches: Switches,
    /// Host memory.
    pub host: Arc<HostMemory>,
    /// Configuration space.
    pub config: Mutex<ConfigSpace>,
    /// MSI.
    pub msi: Msi,
    /// What is behind BAR0.
    pub bar0: Bar0,
    /// What is behind BAR1.
    pub mailbox: Mailbox,
    /// Card memory.
    pub dram: Arc<Dram>,
    /// Allocator of card memory.
    pub cmm: Arc<Cmm>,
    /// Memory before DRAM is up.
    pub on_chip: OnChipRam,
    /// Firmware images of this boot.
    pub images: Images,
    /// The message interrupt.
    pub interrupts: Interrupts,
    /// The service on the card.
    pub service: Service,
    /// What it does to its host by the switch `hostile`.
    pub(crate) hostility: Hostility,
    /// State of the card's life.
    pub(crate) life: Life,
    /// Held while a doorbell is served.
    pub(crate) doorbell_busy: Mutex<()>,
    /// Something that the card's own thread may wait for has happened.
    pub(crate) event: Event,
    pub(crate) start_service: StartService,
    /// What the host calls the card.
    address: AtomicU8,
    transport: RwLock<Option<Arc<Transport>>>,
}

impl Card {
    /// A card, switched off; [`Card::power_on`] starts it.
    pub fn new(options: CardOptions, start_service: StartService) -> std::io::Result<Arc<Self>> {
        let counters = Arc::new(Counters::default());
        let cmm_size = options
            .memory
            .checked_sub(CardOptions::SYSTEM_MEMORY)
            .filter(|&size| size > 0)
            .ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(Arc::new(Self {
            counters: counters.clone(),
            switches: Switches::new(options.service_switches),
            host: Arc::new(HostMemory::new(counters)),
            config: Mutex::new(ConfigSpace::new(options.subsystem, options.bar4)),
            msi: Msi::default(),
            bar0: Bar0::default(),
            mailbox: Mailbox::new(options.mailbox_slots),
            dram: Arc::new(Dram::new(options.memory)?),
            cmm: Arc::new(Cmm::new(Dram::BASE + CardOptions::SYSTEM_MEMORY, cmm_size)),
            on_chip: OnChipRam::default(),
            images: Images::default(),
            interrupts: Interrupts::default(),
            service: Service::default(),
            hostility: Hostility::default(),
            life: Life::default(),
            doorbell_busy: Mutex::new(()),
            event: Event::default(),
            start_service,
            address: AtomicU8::new(1),
            transport: RwLock::default(),
            options,
        }))
    }

    /// The id the card calls itself.
    pub fn id(&self) -> u32 {
        if let Some(id) = self.switches.number("card_id") {
            return id as u32;
        }
        let captured = || self.address.load(Ordering::Relaxed);
        u32::from(self.options.card_id.unwrap_or_else(captured))
    }

    /// The host has sent a message to `destination`: to a host that goes by bus numbers that is the
    /// one of the card.
    pub(crate) fn addressed_as(&self, destination: u32) {
        let Ok(address @ 1..) = u8::try_from(destination) else {
            return;
        };
        if self.address.swap(address, Ordering::Relaxed) == address {
            return;
        }
        match self.id() {
            id if id == destination => info!("the host calls this card {id}, so that is its id"),
            id => info!(
                "the host calls this card {destination}, it calls itself {id}: a host that goes by \
                 the sender's id drops its messages"
            ),
        }
    }

    /// A host asked for what a real card would not do.
    pub fn refuse(&self, counter: &str, what: Arguments) {
        warn!("refused: {what}");
        self.counters.hit("refused");
        self.counters.hit(&format!("refused.{counter}"));
    }

    /// The rings, once they are set up.
    pub(crate) fn transport(&self) -> Option<Arc<Transport>> {
        self.transport.read().clone()
    }

    pub(crate) fn set_transport(&self, transport: Option<Arc<Transport>>) {
        *self.transport.write() = transport;
    }

    /// `transport` is that of the present boot.
    pub(crate) fn is_current(&self, transport: &Transport) -> bool {
        let now = self.transport.read();
        now.as_ref().is_some_and(|t| std::ptr::eq(&**t, transport)) && !self.life.link_down()
    }

    /// Nothing answers at the function: in a chip reset, or by switch.
    pub fn link_down(&self) -> bool {
        self.life.link_down() || self.switches.flag("all_ones")
    }

    /// The card stands still by switch.
    pub(crate) fn frozen(&self) -> bool {
        self.switches.flag("silent") || self.switches.flag("all_ones")
    }

    /// Sets a fault switch.
    pub fn set_switch(&self, name: &str, value: Value) -> Result<(), SwitchError> {
        info!("switch {name} = {value}");
        self.switches.set(name, value)?;
        self.switches_changed();
        Ok(())
    }

    /// Clears a fault switch, or all.
    pub fn clear_switch(&self, name: Option<&str>) -> Result<(), SwitchError> {
        match name {
            Some(name) => info!("switch {name} cleared"),
            None => info!("all switches cleared"),
        }
        self.switches.clear(name)?;
        self.switches_changed();
        Ok(())
    }

    /// Lets all parts look at the switches again.
    pub fn switches_changed(&self) {
        let booting = matches!(self.life.state(), State::Loader | State::UBoot);
        if let (true, Some(reason)) = (booting, self.switches.number("boot_reason")) {
            self.bar0.set_boot_reason(reason as u32);
        }
        self.host.set_link(!self.link_down());
        self.wake();
    }

    /// Wakes all threads of the card.
    pub(crate) fn wake(&self) {
        self.event.notify();
        self.mailbox.event.notify();
        self.interrupts.event.notify();
    }

    /// Sends an MSI.
    pub fn raise(&self, vector: usize) {
        if !self.link_down() {
            self.msi
                .raise(vector, &mut self.config.lock(), &self.counters);
        }
    }

    // What the host does to the function.

    /// A read of configuration space.
    pub fn config_read(&self, at: usize, data: &mut [u8]) {
        self.counters.hit("config.read");
        if self.link_down() {
            data.fill(0xff);
        } else {
            self.config.lock().read(at, data);
        }
    }

    /// A write to configuration space.
    pub fn config_write(&self, at: usize, data: &[u8]) {
        self.counters.hit("config.write");
        if self.link_down() {
            return;
        }
        let mut config = self.config.lock();
        config.write(at, data);
        self.host.set_bus_master(config.bus_master());
        self.msi.deliver_pending(&mut config, &self.counters);
    }

    /// Configuration space goes back to its reset values; the chip does not notice.
    pub fn function_reset(&self) {
        let mut config = self.config.lock();
        config.reset();
        self.host.set_bus_master(false);
    }
}
