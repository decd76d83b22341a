// SPDX-License-Identifier: GPL-2.0

//! Driver for Axera AX650N PCIe accelerator cards (1f4b:0650).
//!
//! `docs/architecture.md` is the map.  In short: `card` is the state machine of a card with its own
//! thread, `transport` the message rings, `session` what a client has on the card, `abi` the ioctl
//! interface, `wire` the protocol as pure logic, `glue` the way to the kernel's C side.

// Only `glue` may.
#![deny(unsafe_code)]

use core::pin::Pin;

use kernel::{
    device::Core,
    driver, new_mutex, pci,
    prelude::*,
    str::CString,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex,
    },
    InPlaceModule, ModuleMetadata,
};

/// Logs an error about what a card does, unless it does so too often.
macro_rules! dev_err_ratelimited {
    ($card:expr, $($arg:tt)*) => {
        if $card.may_log() {
            dev_err!($card.pdev, $($arg)*);
        }
    };
}

/// The same, as a warning.
macro_rules! dev_warn_ratelimited {
    ($card:expr, $($arg:tt)*) => {
        if $card.may_log() {
            dev_warn!($card.pdev, $($arg)*);
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
mod observe;
mod session;
mod transport;
mod wire;

use abi::client::Client;
use card::{attendant::Attendant, Card};
use glue::{
    adapter::{Adapter, Callbacks, Channel},
    chardev::Node,
    compat::{Handler, IdInfo, Interrupt},
    thread::Thread,
};

struct Driver;

/// A bound card.  Dropped in this order when it is unbound; [`pci::Driver::unbind`] has ended all
/// activity by then.
#[pin_data]
struct Data<'bound> {
    #[pin]
    node: Node<Client>,
    listed: axcl::registry::Listed,
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
struct Messages {
    card: Arc<Card>,
}

impl Handler for Messages {
    fn handle(&self) {
        self.card.counters.interrupts.add(1);
        transport::rx::drain(&self.card);
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
            let card = Card::new(pdev, index.0)?;
            let messages = Messages { card: card.clone() };
            let name = CString::try_from_fmt(fmt!("ax650-{}", index.0))?;
            let thread_name = CString::try_from_fmt(fmt!("ax650-{}", index.0))?;
            let attendant_name = CString::try_from_fmt(fmt!("ax650-{}-svc", index.0))?;
            let attendant_main = Arc::new(Attendant::new(&card), GFP_KERNEL)?;
            let parent: &kernel::device::Device = pdev.as_ref();
            let node_card = card.clone();
            let thread_card = card.clone();
            let listed = axcl::registry::Listed::new(&card)?;
            Ok(try_pin_init!(Data {
                index,
                listed,
                card,
                irq <- Interrupt::new(pdev, c"ax650", messages),
                thread <- new_mutex!(None, "ax650_thread"),
                attendant <- new_mutex!(None, "ax650_attendant"),
                sensor: observe::sensor(pdev.as_ref(), card)?,
                debug: observe::debug(&name, card)?,
                node <- Node::new(name, Some(parent), node_card),
                _: {
                    *attendant.lock() = Some(Thread::start(attendant_main, &attendant_name)?);
                    thread_card.wake_up();
                    *thread.lock() = Some(Thread::start(thread_card, &thread_name)?);
                },
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
        glue::global::init();
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
