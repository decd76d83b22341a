// SPDX-License-Identifier: GPL-2.0

//! A card: what is shared by its thread, its interrupt and the open files.
//!
//! The card's own thread (`thread.rs`) is the only one that changes its state; the exception is
//! [`Card::mark_unreachable`], as whoever finds that the card does not answer must stop at once.  What
//! takes the card's service to answer is done by a thread of its own (`attendant.rs`).  Nobody waits for
//! the card with a lock held that another card, session or file needs.

pub(crate) mod attendant;
pub(crate) mod boot;
pub(crate) mod handshake;
pub(crate) mod power;
pub(crate) mod recovery;
pub(crate) mod reset;
pub(crate) mod status;
pub(crate) mod telemetry;
pub(crate) mod thread;

use kernel::{
    device::Bound,
    new_condvar, new_mutex, pci,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{Acquire, Atomic, Relaxed, Release},
        Arc, CondVar, Mutex,
    },
};

use crate::glue::compat::errno::{EHOSTDOWN, ESTALE};
use crate::{
    axcl::clients::Clients,
    buffer::{Buffer, Memory},
    counters::{Counter, Counters},
    glue::{
        self,
        dma::Space,
        mmio::Window,
        pci::{Presence, SavedConfig},
        region::Region,
        time,
    },
    session::{job::Board, Session},
    transport::{control::Control, ports::Ports, rx::Rx, tx::Tx},
    wire::{
        boot::Bar0,
        handshake::REGION_SIZE,
        mailbox::Bar1,
        register::Io,
        reset::Bar4,
        ring::Geometry,
        state::{may, State},
    },
};
use attendant::Service;
use status::Status;
use telemetry::Cache;
use thread::Orders;

/// The smallest shared region worth having: U-Boot must fit it in one piece, as it is the bounce
/// buffer of the firmware too [pcie 3.1].
const SMALLEST_REGION: usize = 0x20_0000;

/// As many lines the driver logs about a misbehaving card in [`LOG_WINDOW_NS`].
const LOG_BURST: u32 = 10;
const LOG_WINDOW_NS: u64 = 5 * time::S;

/// Bad messages and pointers, with no good message between, after which a card is reset: it does not
/// follow the protocol.
const MISBEHAVIOUR_LIMIT: u32 = 16;

/// Memory that the card may still write to.
struct Quarantined {
    generation: u32,
    buffer: Arc<Buffer>,
}

/// A card.
#[pin_data]
pub(crate) struct Card {
    pub(crate) pdev: ARef<pci::Device>,
    /// Number of its device node.
    pub(crate) index: u32,
    /// What the protocol calls the card: its bus number as the host sees it.  Only the card's own
    /// use of it depends on it, never the driver [pcie 1.7].
    pub(crate) id: u32,
    pub(crate) region: Region,
    pub(crate) geometry: Geometry,
    pub(crate) memory: Arc<Memory>,
    pub(crate) counters: Counters,
    boot_window: Window<Bar0>,
    mailbox_window: Window<Bar1>,
    control_window: Window<Bar4>,
    config: SavedConfig,
    #[pin]
    pub(crate) tx: Mutex<Tx>,
    #[pin]
    pub(crate) rx: Mutex<Rx>,
    #[pin]
    pub(crate) ports: Mutex<Ports>,
    #[pin]
    pub(crate) control: Control,
    #[pin]
    status: Mutex<Status>,
    /// Copies of the state and generation in `status`, to be read without its lock.  Whoever sees a
    /// state sees the generation that goes with it.
    state: Atomic<u32>,
    generation: Atomic<u32>,
    /// The driver is being unbound.
    removed: Atomic<u32>,
    /// The thread sleeps for long: there was nothing to watch.
    idle: Atomic<u32>,
    /// The card was found with its configuration wiped: it has reset itself.
    blank: Atomic<u32>,
    /// The reset register was written, and the card has not been seen again since.
    reset_pending: Atomic<u32>,
    /// Held by the thread while it does something.
    #[pin]
    activity: Mutex<()>,
    #[pin]
    orders: Mutex<Orders>,
    #[pin]
    wake: CondVar,
    /// What the attendant is to do.
    #[pin]
    service: Mutex<Service>,
    #[pin]
    service_wake: CondVar,
    #[pin]
    quarantine: Mutex<KVec<Quarantined>>,
    /// Bytes that could not even be quarantined, and are lost.
    pub(crate) leaked: Counter,
    #[pin]
    management: Mutex<Option<Arc<Session>>>,
    #[pin]
    telemetry: Mutex<Cache>,
    misbehaviour: Atomic<u32>,
    /// Of all open files, to be woken when the card goes.
    #[pin]
    boards: Mutex<KVec<Arc<Board>>>,
    #[pin]
    log: Mutex<(u64, u32)>,
    /// Programs that speak the AXCL ABI.
    #[pin]
    pub(crate) axcl: Clients,
}

impl Card {
    /// Maps the registers and allocates the shared memory of a card.  The card itself is not
    /// touched: it may be in any state, and bus mastering stays off.
    pub(crate) fn new(pdev: &pci::Device<Bound>, index: u32) -> Result<Arc<Self>> {
        let boot_window = Window::map(pdev, c"ax650 boot")?;
        let mailbox_window = Window::map(pdev, c"ax650 mailbox")?;
        let control_window = Window::map(pdev, c"ax650 control")?;
        let region = Region::new(pdev, REGION_SIZE as usize, SMALLEST_REGION)?;
        if region.size() < REGION_SIZE as usize {
            dev_info!(pdev, "shared memory of {} KiB only\n", region.size() >> 10);
        }
        let geometry = Geometry::new(u32::try_from(region.size())?).ok_or(EINVAL)?;
        glue::pci::set_read_request(pdev);
        let config = SavedConfig::save(pdev)?;
        let space = Arc::pin_init(Space::new(pdev), GFP_KERNEL)?;
        let memory = Arc::new(Memory::new(space), GFP_KERNEL)?;
        let (_, location) = glue::pci::location(pdev);
        let rx = Rx::new()?;
        let ports = Ports::new()?;
        Arc::pin_init(
            try_pin_init!(Self {
                pdev: pdev.into(),
                index,
                id: location >> 8 & 0xff,
                region,
                geometry,
                memory,
                counters: Counters::default(),
                boot_window,
                mailbox_window,
                control_window,
                config,
                tx <- new_mutex!(Tx::default(), "ax650_tx"),
                rx <- new_mutex!(rx, "ax650_rx"),
                ports <- new_mutex!(ports, "ax650_ports"),
                control <- Control::new(),
                status <- new_mutex!(Status::default(), "ax650_status"),
                state: Atomic::new(State::Absent as u32),
                generation: Atomic::new(0),
                removed: Atomic::new(0),
                idle: Atomic::new(0),
                blank: Atomic::new(0),
                reset_pending: Atomic::new(0),
                activity <- new_mutex!((), "ax650_activity"),
                orders <- new_mutex!(Orders::default(), "ax650_orders"),
                wake <- new_condvar!("ax650_wake"),
                service <- new_mutex!(Service::default(), "ax650_service"),
                service_wake <- new_condvar!("ax650_service"),
                quarantine <- new_mutex!(KVec::new(), "ax650_quarantine"),
                leaked: Counter::default(),
                management <- new_mutex!(None, "ax650_management"),
                telemetry <- new_mutex!(Cache::default(), "ax650_telemetry"),
                misbehaviour: Atomic::new(0),
                boards <- new_mutex!(KVec::new(), "ax650_boards"),
                log <- new_mutex!((0, 0), "ax650_log"),
                axcl <- Clients::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// Where the card is in its life.
    pub(crate) fn state(&self) -> State {
        State::from_u32(self.state.load(Acquire)).unwrap_or(State::Absent)
    }

    /// Number of the present boot.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Relaxed)
    }

    /// Whether the driver is being unbound, or the card does not answer on the bus: `ENODEV`.
    pub(crate) fn is_gone(&self) -> bool {
        self.removed.load(Relaxed) != 0 || !self.state().is_on_bus()
    }

    /// Fails unless the card serves sessions of boot `generation`: `ENODEV` gone, `ESTALE` booted
    /// since, `EAGAIN` not up yet, `EHOSTDOWN` will not come up by itself.
    pub(crate) fn check_serving(&self, generation: u32) -> Result {
        let state = self.state();
        if self.is_gone() {
            Err(ENODEV)
        } else if self.generation() != generation {
            Err(ESTALE)
        } else if state.serves_sessions() {
            Ok(())
        } else if matches!(state, State::Dead | State::Loader) && !self.boot_is_due() {
            Err(EHOSTDOWN)
        } else {
            Err(EAGAIN)
        }
    }

    /// Changes the state; false if that cannot be, as the card has gone in the meantime.
    pub(super) fn set_state(&self, to: State) -> bool {
        let mut status = self.status.lock();
        let from = status.state;
        if from == to {
            return true;
        }
        if !may(from, to) {
            return false;
        }
        status.state = to;
        self.state.store(to as u32, Release);
        drop(status);
        dev_info!(self.pdev, "{} -> {}\n", from.name(), to.name());
        true
    }

    /// The card does not answer on the bus.  Its thread looks for it from now on.
    pub(crate) fn mark_unreachable(&self) {
        self.lose(State::Unreachable);
    }

    /// The bus says that the card is lost.
    pub(super) fn mark_gone(&self) {
        self.lose(State::Gone);
    }

    fn lose(&self, to: State) {
        if self.set_state(to) {
            self.status.lock().last_error = ENODEV.to_errno();
            self.control.wake();
            self.wake_files();
            self.kick();
        }
    }

    /// Remembers a file's board.
    pub(crate) fn register_board(&self, board: &Arc<Board>) -> Result {
        self.boards.lock().push(board.clone(), GFP_KERNEL)?;
        Ok(())
    }

    /// Forgets it.
    pub(crate) fn unregister_board(&self, board: &Arc<Board>) {
        self.boards
            .lock()
            .retain(|other| !Arc::ptr_eq(other, board));
    }

    /// Wakes all who wait in a file: pollers see that the card is gone.
    fn wake_files(&self) {
        for board in self.boards.lock().iter() {
            board.wake();
        }
    }

    /// Whether the card is on the bus as it was set up: `ENODEV` it does not answer, `EIO` it has lost its
    /// configuration, so it has reset itself.  In both cases registers must not be touched, and the
    /// thread sees to it.
    pub(crate) fn check_present(&self) -> Result {
        if self.is_gone() {
            return Err(ENODEV);
        }
        // During a reset it is away by intention.
        if self.state() == State::Resetting {
            return Ok(());
        }
        match glue::pci::presence(&self.pdev) {
            Presence::Configured => Ok(()),
            Presence::Absent => {
                self.mark_unreachable();
                Err(ENODEV)
            }
            Presence::Blank => {
                self.blank.store(1, Relaxed);
                self.kick();
                Err(EIO)
            }
        }
    }

    /// The same, without the reason.
    pub(crate) fn is_present(&self) -> bool {
        self.check_present().is_ok()
    }

    /// Keeps `buffer` until the card has been reset, unless it has been since `generation`.
    pub(crate) fn quarantine(&self, generation: u32, buffer: Arc<Buffer>) {
        if self.generation() != generation {
            return;
        }
        let mut list = self.quarantine.lock();
        if list.reserve(1, GFP_KERNEL).is_ok() {
            // There is room now.
            let _ = list.push_within_capacity(Quarantined { generation, buffer });
            return;
        }
        drop(list);
        // Better lost for good than written to by the card after it is somebody else's: the reference is
        // kept for ever, and with it the pages and, until unbind, the mapping.
        self.leaked.add(buffer.size() as u64);
        dev_err!(
            self.pdev,
            "no memory to quarantine a buffer: {} bytes are lost\n",
            buffer.size()
        );
        core::mem::forget(buffer);
    }

    /// Bytes in quarantine.
    pub(crate) fn quarantined_bytes(&self) -> u64 {
        let list = self.quarantine.lock();
        list.iter().map(|entry| entry.buffer.size() as u64).sum()
    }

    /// The card has been reset, or cannot reach memory any more: it writes to nothing of before.
    fn release_quarantine(&self) {
        let released = core::mem::take(&mut *self.quarantine.lock());
        if let Some(last) = released.last() {
            dev_dbg!(
                self.pdev,
                "{} buffers of generation {} released\n",
                released.len(),
                last.generation
            );
        }
    }

    /// A ring pointer of the card makes no sense.
    pub(crate) fn ring_corrupt(&self, ring: &str) {
        self.counters.ring_corrupt.add(1);
        dev_err_ratelimited!(self, "{} ring: pointers are corrupt\n", ring);
        self.misbehave();
    }

    /// A message of the card had a bad header.
    pub(crate) fn message_was_bad(&self) {
        self.misbehave();
    }

    /// A message of the card was in order.
    pub(crate) fn message_was_good(&self) {
        self.misbehaviour.store(0, Relaxed);
    }

    /// A card that goes on like this is reset.
    fn misbehave(&self) {
        let before = self.misbehaviour.fetch_add(1, Relaxed);
        if before.wrapping_add(1) == MISBEHAVIOUR_LIMIT {
            self.kick();
        }
    }

    /// Whether the card has misbehaved too often since it was last booted.
    fn misbehaves(&self) -> bool {
        self.misbehaviour.load(Relaxed) >= MISBEHAVIOUR_LIMIT
    }

    /// Whether one more line may be logged about what the card does.
    pub(crate) fn may_log(&self) -> bool {
        let mut log = self.log.lock();
        let now = time::now();
        if now.saturating_sub(log.0) > LOG_WINDOW_NS {
            *log = (now, 0);
        }
        log.1 = log.1.saturating_add(1);
        log.1 <= LOG_BURST
    }

    /// Ends all sessions.
    fn fail_sessions(&self, error: Error) {
        self.axcl.fail(self);
        // The driver's own is one of those in the table.
        *self.management.lock() = None;
        let sessions = self.ports.lock().sessions();
        let Ok(sessions) = sessions else {
            dev_err!(self.pdev, "no memory to end the sessions\n");
            return;
        };
        for session in sessions.iter() {
            session.fail(error);
            session.retire();
        }
        self.control.wake();
    }

    /// Sessions now open, the driver's own not counted.
    pub(crate) fn sessions(&self) -> Result<KVec<Arc<Session>>> {
        let mut list = self.ports.lock().sessions()?;
        list.retain(|session| session.held.is_some());
        Ok(list)
    }
}

/// Registers of the boot block and the handshake; their accesses are counted.
///
/// A read that gives all ones fails if the card does not answer.
impl Io<Bar0> for Card {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        self.counters.mmio_reads.add(1);
        let value = self.boot_window.load(offset)?;
        if value == u32::MAX {
            self.check_present()?;
        }
        Ok(value)
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        self.counters.mmio_writes.add(1);
        self.boot_window.store(offset, value)
    }
}

/// Registers of the mailbox; their accesses are counted.
impl Io<Bar1> for Card {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        self.counters.mmio_reads.add(1);
        self.mailbox_window.load(offset)
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        self.counters.mmio_writes.add(1);
        self.mailbox_window.store(offset, value)
    }
}

/// The reset register; accesses to it are counted.
impl Io<Bar4> for Card {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        self.counters.mmio_reads.add(1);
        self.control_window.load(offset)
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        self.counters.mmio_writes.add(1);
        self.control_window.store(offset, value)
    }
}
