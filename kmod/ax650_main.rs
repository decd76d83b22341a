// SPDX-License-Identifier: GPL-2.0

//! Driver for Axera AX650N PCIe accelerator cards (1f4b:0650).
//!
//! `docs/architecture.md` is the map.  In short, from the bottom: `wire` is the protocol as pure logic,
//! `glue` the way to the kernel's C side, `link` the message rings, `buffer` memory, `session` what a
//! client has on the card, `card` the state machine of a card with its own thread, `abi` the ioctl
//! interface, `axcl` that of Axera's user space.

// Only `glue` may.
#![deny(unsafe_code)]

use core::pin::Pin;

use kernel::{
    device::Core,
    driver,
    new_mutex,
    pci,
    str::CString,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    InPlaceModule,
    ModuleMetadata, //
};

use crate::glue::prelude::*;

/// Logs an error about what a card does, unless it does so too often.
macro_rules! dev_err_ratelimited {
    ($link:expr, $($arg:tt)*) => {
        if $link.may_log() {
            dev_err!($link.pdev, $($arg)*);
        }
    };
}

/// Logs a warning about what a card does, unless it does so too often.
macro_rules! dev_warn_ratelimited {
    ($link:expr, $($arg:tt)*) => {
        if $link.may_log() {
            dev_warn!($link.pdev, $($arg)*);
        }
    };
}

mod abi;
mod axcl;
mod buffer;
mod card;
mod counters;
#[allow(unsafe_code)]
mod glue;
mod link;
mod observe;
mod session;
mod uapi;
mod wire;

use abi::client::Client;
use axcl::{
    clients::Clients,
    follower::Follower,
    registry::Listed, //
};
use buffer::pool::Pool;
use card::{
    attendant::Attendant,
    Card, //
};
use glue::{
    adapter::{
        Adapter,
        Callbacks,
        Channel, //
    },
    chardev::Node,
    compat::{
        Handler,
        IdInfo,
        Interrupt, //
    },
    sysfs::Attributes,
    thread::Thread, //
};
use link::Link;

struct Driver;

/// A bound card.  Dropped in this order when it is unbound; [`pci::Driver::unbind`] has ended all
/// activity by then.
#[pin_data]
struct Data<'bound> {
    #[pin]
    node: Node<Client>,
    listed: Listed,
    sensor: observe::Sensor,
    debug: observe::Debug,
    #[pin]
    thread: Mutex<Option<Thread<Card>>>,
    #[pin]
    attendant: Mutex<Option<Thread<Attendant>>>,
    #[pin]
    irq: Interrupt<'bound, Messages>,
    card: Arc<Card>,
    index: Index,
}

/// What the message interrupt announces.
struct Messages(Arc<Link>);

impl Handler for Messages {
    fn handle(&self) {
        self.0.counters.interrupts.add(1);
        self.0.drain();
    }
}

/// Numbers of device nodes in use.
static INDICES: Atomic<u64> = Atomic::new(0);

/// A number nobody else has, the lowest.
struct Index(u32);

impl Index {
    fn take() -> Result<Self> {
        loop {
            let used = INDICES.load(Relaxed);
            let free = (!used).trailing_zeros();
            if free >= u64::BITS {
                return Err(ENOSPC);
            }
            if INDICES.cmpxchg(used, used | 1 << free, Relaxed).is_ok() {
                return Ok(Self(free));
            }
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        loop {
            let used = INDICES.load(Relaxed);
            if INDICES
                .cmpxchg(used, used & !(1 << self.0), Relaxed)
                .is_ok()
            {
                return;
            }
        }
    }
}

glue::compat::pci_table!(
    PCI_TABLE,
    <Driver as pci::Driver>::IdInfo,
    [(glue::pci::CARD_ID, ())]
);

impl pci::Driver for Driver {
    type IdInfo = ();
    type Data<'bound> = Data<'bound>;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: IdInfo<'bound, Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            glue::pci::enable(pdev)?;
            let index = Index::take()?;
            let name = CString::try_from_fmt(fmt!("ax650-{}", index.0))?;
            let attendant_name = CString::try_from_fmt(fmt!("ax650-{}-svc", index.0))?;
            let link = Link::new(pdev)?;
            let pool = Pool::new(pdev, &link)?;
            let programs = Clients::new(&link, &pool)?;
            let messages = Messages(link.clone());
            let card = Card::new(pdev, link, pool, Follower::new(&programs)?)?;
            Ok(try_pin_init!(Data {
                index,
                listed: Listed::new(&card, &programs)?,
                irq <- Interrupt::new(pdev, c"ax650", messages),
                thread <- new_mutex!(None, "ax650_thread"),
                attendant <- new_mutex!(None, "ax650_attendant"),
                sensor: observe::sensor(pdev.as_ref(), &card)?,
                debug: observe::debug(&name, &card)?,
                node <- Node::new(CString::try_from(&*name)?, Some(pdev.as_ref()), card.clone()),
                _: {
                    let main = Arc::new(Attendant::new(&card), GFP_KERNEL)?;
                    *attendant.lock() = Some(Thread::start(main, &attendant_name)?);
                    card.wake_up();
                    *thread.lock() = Some(Thread::start(card.clone(), &name)?);
                },
                card,
            }? Error))
        })
    }

    fn unbind<'bound>(pdev: &'bound pci::Device<Core<'_>>, this: Pin<&Self::Data<'bound>>) {
        let thread = this.thread.lock().take();
        drop(thread);
        this.card.begin_removal();
        let attendant = this.attendant.lock().take();
        drop(attendant);
        this.card.remove();
        glue::pci::disable(pdev);
    }
}

impl Attributes for Driver {
    fn show(data: Pin<&Data<'_>>, name: &[u8]) -> Result<CString> {
        observe::show(&data.card, name)
    }

    fn control(data: Pin<&Data<'_>>, reset: bool) -> Result {
        observe::control(&data.card, reset)
    }
}

impl Callbacks for Driver {
    fn shutdown(data: Pin<&Data<'_>>) {
        data.card.sleep_now();
    }
    fn error_detected(data: Pin<&Data<'_>>, channel: Channel) {
        data.card.bus_error(channel == Channel::Failed);
    }
    fn slot_reset(data: Pin<&Data<'_>>) -> bool {
        data.card.bus_reset()
    }
    fn error_resume(data: Pin<&Data<'_>>) {
        data.card.wake_up();
    }
    fn reset_prepare(data: Pin<&Data<'_>>) {
        data.card.sleep_now();
    }
    fn reset_done(data: Pin<&Data<'_>>) {
        data.card.wake_up();
    }
    fn suspend(data: Pin<&Data<'_>>) {
        data.card.sleep_now();
    }
    fn resume(data: Pin<&Data<'_>>) {
        data.card.wake_up();
    }
}

/// The module: the nodes that all cards share, and the driver.
#[pin_data]
struct Module {
    nodes: axcl::Nodes,
    #[pin]
    driver: driver::Registration<Adapter<Driver>>,
}

impl InPlaceModule for Module {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        axcl::registry::init();
        try_pin_init!(Self {
            driver <- driver::Registration::new(<Self as ModuleMetadata>::NAME, module),
            nodes: axcl::Nodes::new(),
        })
    }
}

module! {
    type: Module,
    name: "ax650",
    authors: ["The ax650 developers"],
    description: "Axera AX650N PCIe accelerator card",
    license: "GPL",
    firmware: ["axcl/ax650_card.pac"],
}
