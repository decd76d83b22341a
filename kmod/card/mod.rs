// SPDX-License-Identifier: GPL-2.0

//! A card: what is shared by its thread, its interrupt and the open files.
//!
//! The card's own thread (`thread.rs`) is the only one that changes its state, but for whoever finds that
//! the card does not answer (`link/device.rs`).  What takes the card's service to answer is done by a
//! thread of its own (`attendant.rs`).  Nobody waits for the card with a lock held that another card,
//! session or file needs.

pub(crate) mod attendant;
pub(crate) mod boot;
pub(crate) mod dump;
pub(crate) mod error;
pub(crate) mod follower;
mod handshake;
mod info;
pub(crate) mod known;
mod load;
mod power;
mod recovery;
mod reset;
mod service;
mod status;
pub(crate) mod telemetry;
mod thread;

use kernel::{
    device::Bound,
    new_mutex,
    pci,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use crate::{
    buffer::pool::Pool,
    glue::{
        self,
        mmio::Window,
        pci::SavedConfig,
        prelude::*,
        time::Delta, //
    },
    link::{
        life::{
            NotServing,
            OrderError, //
        },
        orders::Order,
        Link, //
    },
    session::{
        job::Board,
        table::Sessions, //
    },
    uapi::Telemetry,
    wire::{
        boot::Bar0,
        register::Io,
        reset::Bar4,
        state::State, //
    }, //
};
use error::BootError;
use follower::Follower;
use service::Service;
use status::Status;
use telemetry::Management;

/// Jobs whose buffers are given up in one turn of the card's thread.
const MOST_SETTLED: u32 = 1024;

/// A card; as long as the driver is bound or a file is open.  Registers answer `ENODEV` after unbind.
#[pin_data]
pub(crate) struct Card {
    pub(crate) pdev: ARef<pci::Device>,
    pub(crate) link: Arc<Link>,
    pub(crate) pool: Arc<Pool>,
    /// Since the last reset.
    #[pin]
    pub(crate) sessions: Sessions,
    /// For the thread, and whoever has paused it.
    boot_window: Window<Bar0>,
    control_window: Window<Bar4>,
    /// Configuration of the card in order, as it was before the last reset.  A leaf.
    #[pin]
    config: Mutex<SavedConfig>,
    /// The reset register was written, and the card has not been seen again since.
    reset_pending: Atomic<u32>,
    /// The state that user space was told of.
    told: Atomic<u32>,
    /// A leaf.
    #[pin]
    status: Mutex<Status>,
    /// Held by the thread while it does something; the outermost lock.
    #[pin]
    activity: Mutex<()>,
    /// Between the thread and the attendant.
    #[pin]
    service: Service,
    /// The driver's own session.
    #[pin]
    management: Management,
    /// Boards of all open files, to be woken when the card goes.  A leaf, but for the boards.
    #[pin]
    boards: Mutex<KVec<Arc<Board>>>,
    /// Who else serves clients of the card.
    follower: Arc<dyn Follower>,
}

impl Card {
    /// Maps the registers of a card.  The card itself is not touched: it may be in any state, and bus
    /// mastering stays off.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of [`Window::map`] and [`SavedConfig::save`].
    pub(crate) fn new(
        pdev: &pci::Device<Bound>,
        link: Arc<Link>,
        pool: Arc<Pool>,
        follower: Arc<dyn Follower>,
    ) -> Result<Arc<Self>> {
        let boot_window = Window::map(pdev, c"ax650 boot")?;
        let control_window = Window::map(pdev, c"ax650 control")?;
        glue::pci::set_read_request(pdev);
        let config = SavedConfig::save(pdev)?;
        let sessions = Sessions::new(&link, &pool)?;
        Arc::pin_init(
            pin_init!(Self {
                pdev: pdev.into(),
                link,
                pool,
                sessions <- sessions,
                boot_window,
                control_window,
                config <- new_mutex!(config, "ax650_config"),
                reset_pending: Atomic::new(0),
                told: Atomic::new(State::Absent as u32),
                status <- new_mutex!(Status::default(), "ax650_status"),
                activity <- new_mutex!((), "ax650_activity"),
                service <- Service::new(),
                management <- Management::new(),
                boards <- new_mutex!(KVec::new(), "ax650_boards"),
                follower,
            }),
            GFP_KERNEL,
        )
    }

    /// Returns where the card is in its life.
    pub(crate) fn state(&self) -> State {
        self.link.life.state()
    }

    /// Returns the number of the present boot.
    pub(crate) fn generation(&self) -> u32 {
        self.link.life.generation()
    }

    /// Returns whether the driver is being unbound, or the card does not answer on the bus: `ENODEV`.
    pub(crate) fn is_gone(&self) -> bool {
        self.link.life.is_gone()
    }

    /// Checks that the card serves sessions of boot `generation`.
    ///
    /// # Errors
    ///
    /// Those of [`Life::check_serving`](crate::link::life::Life::check_serving).
    pub(crate) fn check_serving(&self, generation: u32) -> Result<(), NotServing> {
        self.link.life.check_serving(generation)
    }

    /// Orders a boot or a reset.  Returns the generation to come.
    ///
    /// # Errors
    ///
    /// Those of [`Life::order`](crate::link::life::Life::order).
    pub(crate) fn order(&self, order: Order) -> Result<u32, OrderError> {
        self.link.life.order(order)
    }

    /// Returns the card's values, not older than `max_age`.
    ///
    /// # Errors
    ///
    /// Why the card does not serve ([`NotServing`]); `EAGAIN` if there is no session yet; `ETIMEDOUT` if
    /// the card answers nothing.
    pub(crate) fn telemetry(&self, max_age: Delta) -> Result<Telemetry> {
        self.management.telemetry(&self.link.life, max_age)
    }

    /// Remembers a file's board.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn register_board(&self, board: &Arc<Board>) -> Result {
        self.boards.lock().push(board.clone(), GFP_KERNEL)?;
        Ok(())
    }

    /// Forgets a board that [`Self::register_board`] was given.
    pub(crate) fn unregister_board(&self, board: &Arc<Board>) {
        self.boards
            .lock()
            .retain(|other| !Arc::ptr_eq(other, board));
    }

    /// Gives up what jobs that have ended have worked with.
    fn settle_boards(&self) {
        for _ in 0..MOST_SETTLED {
            // Not with references to boards of its own: who drops the last one of a board waits for RCU, and files are closed
            // by the thousand.
            let spent = self
                .boards
                .lock()
                .iter()
                .find_map(|board| board.take_spent());
            // What goes with a buffer takes its time, so without the lock.
            if spent.is_none() {
                return;
            }
        }
    }

    /// Wakes all who wait for the card: pollers see that it is gone.
    fn wake_waiters(&self) {
        self.link.wake();
        for board in self.boards.lock().iter() {
            board.wake();
        }
    }

    /// Changes the state; false if that cannot be, as the card has gone in the meantime.
    fn set_state(&self, to: State) -> bool {
        let changed = self.link.set_state(to);
        self.tell_state();
        changed
    }

    /// Tells user space of a change of state, if there was one.  Whoever finds the card gone leaves that to the thread:
    /// locks may be held there.
    fn tell_state(&self) -> bool {
        let state = self.state();
        let changed = self.told.xchg(state as u32, Relaxed) != state as u32;
        if changed {
            glue::sysfs::state_changed(&self.pdev, state.c_name());
        }
        changed
    }

    /// Tells of a loss: to tracers, and by a coredump.
    fn tell_loss(&self, reason: &'static CStr) {
        glue::trace::recovery(&self.pdev, reason);
        self.dump(reason.to_str().unwrap_or(""));
    }

    /// Returns whether the thread shall drop what it is doing.
    fn stopping(&self) -> bool {
        self.link.life.orders.stopping()
    }

    /// Checks that the thread may go on.
    fn check_stopping(&self) -> Result<(), BootError> {
        match self.stopping() {
            true => Err(BootError::Interrupted),
            false => Ok(()),
        }
    }

    /// Ends all sessions, and whatever else clients have on the card.
    fn fail_sessions(&self, error: Error) {
        self.follower.down();
        self.link.ports.lock().expect_nothing();
        self.link.lists_lost.set(0);
        // The driver's own is one of those in the table.
        drop(self.management.take());
        self.sessions.fail(error);
        self.link.wake();
    }
}

/// Registers of the boot block and the handshake; their accesses are counted.
///
/// A read that gives all ones fails if the card does not answer.
impl Io<Bar0> for Card {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        self.link.counters.mmio_reads.add(1);
        let value = self.boot_window.load(offset)?;
        if value == u32::MAX {
            self.link.check_present()?;
        }
        Ok(value)
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        self.link.counters.mmio_writes.add(1);
        self.boot_window.store(offset, value)
    }
}

/// The reset register; accesses to it are counted.
impl Io<Bar4> for Card {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        self.link.counters.mmio_reads.add(1);
        self.control_window.load(offset)
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        self.link.counters.mmio_writes.add(1);
        self.control_window.store(offset, value)
    }
}
