// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's life, from reset to reset [pcie 2.1].

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ax650_emu_api::priority;
use log::warn;

use crate::boot;
use crate::card::Card;
use crate::link::{self, DaemonLink};
use crate::parts::{Generation, Interrupted, State};

/// Boot reason after a chip reset by software [pcie 3.7].
const SOFTWARE_RESET: u32 = 1;

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
            spawn("msi", |card| card.serve_interrupts())?,
            spawn("hostile", |card| link::serve_hostility(card))?,
        ];
        Ok(Power {
            card: self.clone(),
            threads,
        })
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
