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
    pci::Enabled,
    sysfs::Attributes,
    thread::Thread, //
};
use link::{
    chains::Poller,
    Link, //
};

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
    activity: Activity,
    #[pin]
    irq: Interrupt<'bound, Messages>,
    card: Arc<Card>,
    index: Index,
    enabled: Enabled,
}

/// What a card does by itself.  Ends with unbind, or when this is dropped because probe has failed: there may
/// be open files by then.
struct Activity(Pin<KBox<Threads>>);

impl Drop for Activity {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The threads of a card.
#[pin_data]
struct Threads {
    card: Arc<Card>,
    ended: Atomic<u32>,
    #[pin]
    thread: Mutex<Option<Thread<Card>>>,
    #[pin]
    attendant: Mutex<Option<Thread<Attendant>>>,
    #[pin]
    poller: Mutex<Option<Thread<Poller>>>,
}

impl Threads {
    fn new(card: &Arc<Card>) -> impl PinInit<Self> {
        let card = card.clone();
        pin_init!(Self {
            card,
            ended: Atomic::new(0),
            thread <- new_mutex!(None, "ax650_thread"),
            attendant <- new_mutex!(None, "ax650_attendant"),
            poller <- new_mutex!(None, "ax650_poller"),
        })
    }

    /// Boots the card, in the background.
    fn begin(&self, name: &CStr) -> Result {
        let poller = Arc::new(Poller::new(&self.card.link), GFP_KERNEL)?;
        let poll = CString::try_from_fmt(fmt!("{}-poll", name))?;
        *self.poller.lock() = Some(Thread::start(poller, &poll)?);
        let main = Arc::new(Attendant::new(&self.card), GFP_KERNEL)?;
        let attendant = CString::try_from_fmt(fmt!("{}-svc", name))?;
        *self.attendant.lock() = Some(Thread::start(main, &attendant)?);
        self.card.wake_up();
        *self.thread.lock() = Some(Thread::start(self.card.clone(), name)?);
        Ok(())
    }

    /// Ends it all: nothing touches the card after this, and the card touches nothing of the host.
    fn end(&self) {
        if self.ended.xchg(1, Relaxed) != 0 {
            return;
        }
        // While the interrupt is there that it has masked.
        let poller = self.poller.lock().take();
        drop(poller);
        let thread = self.thread.lock().take();
        drop(thread);
        self.card.begin_removal();
        let attendant = self.attendant.lock().take();
        drop(attendant);
        self.card.remove();
    }
}

/// What the message interrupt announces.
struct Messages(Arc<Link>);

impl Handler for Messages {
    fn handle(&self) {
        self.0.on_interrupt();
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
            let enabled = glue::pci::enable(pdev)?;
            let index = Index::take()?;
            let name = CString::try_from_fmt(fmt!("ax650-{}", index.0))?;
            let link = Link::new(pdev)?;
            let pool = Pool::new(pdev, &link)?;
            let programs = Clients::new(&link, &pool)?;
            let messages = Messages(link.clone());
            let card = Card::new(pdev, link, pool, Follower::new(&programs)?)?;
            Ok(try_pin_init!(Data {
                enabled,
                index,
                irq <- Interrupt::new(pdev, c"ax650", messages),
                activity: Activity(KBox::pin_init(Threads::new(&card), GFP_KERNEL)?),
                listed: Listed::new(&card, &programs)?,
                sensor: observe::sensor(pdev.as_ref(), &card)?,
                debug: observe::debug(&name, &card)?,
                node <- Node::new(CString::try_from(&*name)?, Some(pdev.as_ref()), card.clone()),
                _: { activity.0.begin(&name)? },
                card,
            }? Error))
        })
    }

    fn unbind<'bound>(_: &'bound pci::Device<Core<'_>>, this: Pin<&Self::Data<'bound>>) {
        this.activity.0.end();
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
        card::known::init();
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
