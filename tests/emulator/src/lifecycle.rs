// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's life, from reset to reset [pcie 2.1].

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ax650_emu_api::priority;
use log::{info, warn};
use parking_lot::Mutex;

use crate::boot;
use crate::card::Card;
use crate::link::{self, DaemonLink, WallClock};

/// Boot reason after a chip reset by software [pcie 3.7].
const SOFTWARE_RESET: u32 = 1;

/// Where the card is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// L0 and L10: the link is down.
    #[default]
    Resetting,
    /// L1: the first-stage loader waits for U-Boot.
    Loader,
    /// L2: U-Boot takes images.
    UBoot,
    /// L3: Linux boots.
    Kernel,
    /// L4: handshake step 0.
    Handshake0,
    /// L5: ring set-up.
    Rings,
    /// L6: handshake step 1.
    Handshake1,
    /// L7: time sync.
    TimeSync,
    /// L8: alive.
    Alive,
}

impl State {
    /// All states, in order.
    pub const ALL: [Self; 9] = [
        Self::Resetting,
        Self::Loader,
        Self::UBoot,
        Self::Kernel,
        Self::Handshake0,
        Self::Rings,
        Self::Handshake1,
        Self::TimeSync,
        Self::Alive,
    ];

    /// Its name on the control socket.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resetting => "resetting",
            Self::Loader => "loader",
            Self::UBoot => "u-boot",
            Self::Kernel => "kernel",
            Self::Handshake0 => "handshake0",
            Self::Rings => "rings",
            Self::Handshake1 => "handshake1",
            Self::TimeSync => "timesync",
            Self::Alive => "alive",
        }
    }
}

/// Number of the time between two resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(u64);

/// The chip was reset, or the card switched off: what was going on is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted(());

/// What the rest of the card and the control socket see of its life.
#[derive(Debug, Default)]
pub struct Life {
    generation: AtomicU64,
    off: AtomicBool,
    link_down: AtomicBool,
    state: Mutex<(State, Option<Instant>)>,
    hung: AtomicBool,
    boots: AtomicU64,
    reset_at: Mutex<Option<Instant>>,
    clock: Mutex<Option<WallClock>>,
}

impl Life {
    /// The present state.
    pub fn state(&self) -> State {
        self.state.lock().0
    }

    /// Milliseconds since the state was entered.
    pub fn in_state_ms(&self) -> u64 {
        let since = self.state.lock().1;
        since.map_or(0, |at| at.elapsed().as_millis() as u64)
    }

    /// The link is down for a chip reset.
    pub fn link_down(&self) -> bool {
        self.link_down.load(Ordering::SeqCst)
    }

    /// The card has met something it cannot go on from; only a reset helps.
    pub fn hung(&self) -> bool {
        self.hung.load(Ordering::SeqCst)
    }

    /// How often the card has become alive.
    pub fn boots(&self) -> u64 {
        self.boots.load(Ordering::SeqCst)
    }

    /// The number of the present time between two resets.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// The time that the host told the card at the last boot.
    pub fn clock(&self) -> Option<WallClock> {
        *self.clock.lock()
    }
}

impl Card {
    /// Switches the card on: starts its threads.
    pub fn power_on(self: &Arc<Self>) -> std::io::Result<Power> {
        let spawn = |name: &str, run: fn(&Arc<Card>)| {
            let card = self.clone();
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    // The heartbeat must not wait for what the service computes.
                    priority::urgent();
                    run(&card);
                })
        };
        let threads = vec![
            spawn("card", live)?,
            spawn("mailbox", |card| link::serve_doorbells(card))?,
            spawn("msi", |card| link::serve_interrupts(card))?,
        ];
        Ok(Power {
            card: self.clone(),
            threads,
        })
    }

    /// The card has been switched off.
    pub(crate) fn is_off(&self) -> bool {
        self.life.off.load(Ordering::SeqCst)
    }

    fn check(&self, generation: Generation) -> Result<(), Interrupted> {
        if self.life.generation() != generation.0 || self.is_off() {
            return Err(Interrupted(()));
        }
        Ok(())
    }

    /// Waits until `ready` gives a value.
    pub(crate) fn wait<T>(
        &self,
        generation: Generation,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<T, Interrupted> {
        // Without a deadline the wait does not end without a value.
        let value = self.wait_until(generation, None, None, ready)?;
        value.ok_or(Interrupted(()))
    }

    /// Waits until `ready` gives a value, or `deadline` has passed (`None`).  Looks whenever
    /// something happens to the card, and as often as `every` says.  While the card stands still
    /// neither happens.
    pub(crate) fn wait_until<T>(
        &self,
        generation: Generation,
        deadline: Option<Instant>,
        every: Option<Duration>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        loop {
            let seen = self.event.seen();
            self.check(generation)?;
            if self.frozen() {
                self.event.wait(seen, None);
                continue;
            }
            if let Some(value) = ready() {
                return Ok(Some(value));
            }
            let now = Instant::now();
            if deadline.is_some_and(|at| now >= at) {
                return Ok(None);
            }
            let next = every.map(|step| now + step);
            let limit = [deadline, next].into_iter().flatten().min();
            self.event.wait(seen, limit);
        }
    }

    /// Lets time pass.
    pub(crate) fn pause(&self, generation: Generation, time: Duration) -> Result<(), Interrupted> {
        let deadline = Instant::now().checked_add(time);
        self.wait_until(generation, deadline, None, || None::<()>)?;
        Ok(())
    }

    /// Waits while the card stands still.
    pub(crate) fn thaw(&self, generation: Generation) -> Result<(), Interrupted> {
        self.check(generation)?;
        if self.frozen() {
            self.wait(generation, || Some(()))?;
        }
        Ok(())
    }

    /// The card cannot go on: waits for the reset.
    pub(crate) fn hang(&self, generation: Generation) -> Interrupted {
        self.life.hung.store(true, Ordering::SeqCst);
        self.counters.hit("boot.hung");
        warn!("the card hangs in state {}", self.life.state().name());
        match self.wait(generation, || None::<Infallible>) {
            Ok(never) => match never {},
            Err(interrupted) => interrupted,
        }
    }

    fn enter(&self, state: State) {
        let mut now = self.life.state.lock();
        if now.0 != state || now.1.is_none() {
            info!("state: {}", state.name());
            *now = (state, Some(Instant::now()));
        }
        drop(now);
        self.event.notify();
    }

    /// The host has written the reset register: from now on nothing answers, and all work of this
    /// generation fails.  The card's thread does the rest.
    pub fn chip_reset(&self) {
        info!("chip reset");
        self.counters.hit("reset.chip");
        self.life.link_down.store(true, Ordering::SeqCst);
        self.life.generation.fetch_add(1, Ordering::SeqCst);
        *self.life.reset_at.lock() = Some(Instant::now());
        self.host.set_link(false);
        self.function_reset();
        self.enter(State::Resetting);
        self.wake();
    }

    /// Stops what ran before the reset, and brings the hardware to its reset state.  What runs on the
    /// card may be in the middle of something long, which must not keep the link down: its end is left
    /// to a thread, to be waited for by [`Self::clean_up`].
    fn come_down(&self) -> Option<JoinHandle<()>> {
        self.enter(State::Resetting);
        // The reset wakes a card that stood still.
        if self.switches.flag("silent") && self.clear_switch(Some("silent")).is_err() {
            warn!("the switch \"silent\" is not in the table");
        }
        let ending = self.service.take().and_then(|service| {
            let stopped = service.clone();
            let end = std::thread::Builder::new().name("service end".to_owned());
            match end.spawn(move || service.stop()) {
                Ok(thread) => Some(thread),
                Err(_) => {
                    stopped.stop();
                    None
                }
            }
        });
        let transport = self.transport();
        self.set_transport(None);
        if let Some(transport) = transport {
            transport.quiesce();
        }
        drop(self.doorbell_busy.lock());
        self.mailbox.reset();
        self.interrupts.reset();
        self.life.hung.store(false, Ordering::SeqCst);
        *self.life.clock.lock() = None;
        ending
    }

    /// Waits until nothing of the life before uses card memory, and gives that memory back.
    fn clean_up(&self, ending: Option<JoinHandle<()>>) {
        let start = Instant::now();
        if ending.is_some_and(|thread| thread.join().is_err()) {
            warn!("the service has panicked at its end");
        }
        let took = start.elapsed();
        if took > Duration::from_secs(1) {
            warn!("the service took {} ms to stop", took.as_millis());
        }
        self.cmm.clear();
    }

    /// The link comes up again, with the boot registers behind it.
    fn come_up(&self, reason: u32) {
        let reason = self
            .switches
            .number("boot_reason")
            .map_or(reason, |r| r as u32);
        self.bar0.reset(reason);
        self.function_reset();
        self.life.link_down.store(false, Ordering::SeqCst);
        self.host.set_link(!self.link_down());
    }

    /// Starts the service in a thread of its own: threads have the priority of the one that starts
    /// them, and that of the heartbeat is for nobody else.
    fn start_the_service(&self, link: Arc<DaemonLink>) {
        let start = || self.service.start((self.start_service)(link));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                priority::usual();
                start();
            });
        });
    }

    /// Loader to heartbeat; ends with the next reset.
    fn boot(self: &Arc<Self>, generation: Generation) -> Result<Infallible, Interrupted> {
        self.check(generation)?;
        self.enter(State::Loader);
        boot::load(self, generation)?;
        self.enter(State::UBoot);
        boot::serve(self, generation)?;
        self.enter(State::Kernel);
        self.pause(generation, self.options.boot_delay)?;
        self.bar0.swap();
        self.mailbox.start();
        self.enter(State::Handshake0);
        let window = link::find_host(self, generation)?;
        self.enter(State::Rings);
        let transport = link::set_up_rings(window);
        self.set_transport(Some(transport.clone()));
        self.enter(State::Handshake1);
        link::announce(self, generation, &transport)?;
        self.enter(State::TimeSync);
        let clock = link::sync(self, generation, &transport)?;
        *self.life.clock.lock() = clock;
        let link = DaemonLink::new(self.clone(), generation, transport.clone());
        self.start_the_service(Arc::new(link));
        self.life.boots.fetch_add(1, Ordering::SeqCst);
        self.counters.hit("boot.count");
        self.enter(State::Alive);
        Err(link::beat(self, generation, &transport))
    }
}

/// The card's own thread.
fn live(card: &Arc<Card>) {
    let mut reason = 0;
    let mut ending = None;
    while !card.is_off() {
        let generation = Generation(card.life.generation());
        card.come_up(reason);
        card.clean_up(ending.take());
        match card.boot(generation) {
            Ok(never) => match never {},
            Err(Interrupted(())) => ending = card.come_down(),
        }
        reason = SOFTWARE_RESET;
        let slow = card
            .switches
            .number("reset.slow_ms")
            .map(Duration::from_millis);
        let since = card.life.reset_at.lock().unwrap_or_else(Instant::now);
        let up = since.checked_add(slow.unwrap_or(card.options.reset_time));
        card.event.until(up, None, || card.is_off().then_some(()));
    }
    card.clean_up(ending);
}

/// A running card; dropping it switches the card off.
pub struct Power {
    card: Arc<Card>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Power {
    fn drop(&mut self) {
        self.card.life.off.store(true, Ordering::SeqCst);
        self.card.wake();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a thread of the card has panicked");
            }
        }
    }
}
