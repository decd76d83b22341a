// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the service on the card gets: the [`Link`] of one boot.

use std::sync::Arc;
use std::time::Duration;

use ax650_emu_api::{Cmm, DmaError, Dram, Link, SendError};
use log::warn;

use super::hostile;
use crate::card::Card;
use crate::parts::Generation;
use crate::rings::{Header, Publish, Refused, Transport, MAX_PAYLOAD};

/// How often a full ring is tried again [pcie 4.6].
const RETRIES: usize = 10;
/// A sleep of 1 ms on a kernel with 250 ticks per second.  A guest without hardware virtualisation
/// needs that time to empty its ring, too.
const RETRY_PAUSE: Duration = Duration::from_millis(8);

/// Bytes of bulk DMA between two looks at whether the chip was reset.
const PIECE: u64 = 1 << 20;

/// The link of the boot `generation`; after a reset all calls fail.
pub struct DaemonLink {
    card: Arc<Card>,
    generation: Generation,
    transport: Arc<Transport>,
}

impl DaemonLink {
    /// The link over `transport`.
    pub fn new(card: Arc<Card>, generation: Generation, transport: Arc<Transport>) -> Self {
        Self {
            card,
            generation,
            transport,
        }
    }

    /// Waits while the card stands still; fails after a reset.
    fn alive(&self) -> Result<(), DmaError> {
        self.card.thaw(self.generation).map_err(|_| DmaError::Reset)
    }

    /// Runs `copy(bus, card memory, bytes)` in pieces.
    fn bulk(
        &self,
        bus: u64,
        card: u64,
        len: u64,
        copy: impl Fn(u64, *mut u8, usize) -> Result<(), DmaError>,
    ) -> Result<(), DmaError> {
        let Ok(memory) = self.card.dram.pointer(card, len) else {
            self.card.refuse(
                "dma_card_address",
                format_args!("DMA of {len:#x} bytes at card address {card:#x}"),
            );
            return Err(DmaError::Fault(bus));
        };
        let mut done = 0;
        while done < len {
            self.alive()?;
            let n = PIECE.min(len - done);
            let at = bus.checked_add(done).ok_or(DmaError::Fault(bus))?;
            // SAFETY: `done < len`, and `memory` is good for `len` bytes.
            copy(at, unsafe { memory.add(done as usize) }, n as usize)?;
            done += n;
        }
        Ok(())
    }

    fn message<'a>(&self, port: u32, payload: &'a [u8]) -> Publish<'a> {
        let switches = &self.card.switches;
        let mut header = Header::to_host(self.card.id(), port, payload.len() as u32);
        if let Some(fault) = switches.take_object("header.field") {
            let field = fault["field"].as_str().unwrap_or_default();
            header.set(field, fault["value"].as_u64().unwrap_or(0) as u32);
        }
        if let Some(length) = switches.take_number("header.length") {
            header.length = length as u32;
        }
        if switches.take("header.bad_check") {
            header.check = !header.check;
        }
        let jump = switches.take_number("ring.wp_jump").unwrap_or(0);
        Publish {
            header,
            payload,
            jump,
        }
    }

    /// Publishes a message, with retries while the ring is full.
    pub fn publish(&self, message: Publish) -> Result<(), SendError> {
        let mut tries = 0;
        loop {
            self.alive().map_err(|_| SendError::Reset)?;
            match self.transport.publish(message) {
                Ok(()) => break,
                Err(Refused::Full) if tries < RETRIES => {
                    tries += 1;
                    self.card.counters.hit("ring.c2h.retries");
                    std::thread::sleep(RETRY_PAUSE);
                }
                Err(refused) => {
                    warn!(
                        "message on port {} not sent: {refused:?}",
                        message.header.port
                    );
                    self.card.counters.hit("ring.c2h.full");
                    return Err(SendError::Full);
                }
            }
        }
        self.card.counters.hit("ring.c2h.messages");
        self.card
            .counters
            .add("ring.c2h.bytes", message.payload.len() as u64);
        self.card.message_sent();
        Ok(())
    }
}

impl Link for DaemonLink {
    fn send(&self, port: u32, payload: &[u8]) -> Result<(), SendError> {
        // Empty messages are as impossible as long ones [pcie 4.6].
        if payload.is_empty() || payload.len() >= MAX_PAYLOAD {
            self.card.counters.hit("ring.c2h.bad_length");
            return Err(SendError::TooLong(payload.len()));
        }
        self.alive().map_err(|_| SendError::Reset)?;
        match hostile::spoil(&self.card, port, payload) {
            None => self.publish(self.message(port, payload)),
            Some(messages) => messages
                .iter()
                .try_for_each(|(port, payload)| self.publish(self.message(*port, payload))),
        }
    }

    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> Result<(), DmaError> {
        self.alive()?;
        self.card.host.read(bus, buf, "service")
    }

    fn dma_write(&self, bus: u64, data: &[u8]) -> Result<(), DmaError> {
        self.alive()?;
        self.card.host.write(bus, data, "service")
    }

    fn dma_to_card(&self, bus: u64, card: u64, len: u64) -> Result<(), DmaError> {
        self.bulk(bus, card, len, |bus, memory, n| {
            // SAFETY: `bulk` gives `n` bytes of card memory, which is not host memory.
            unsafe { self.card.host.read_raw(bus, memory, n, "bulk data") }
        })
    }

    fn dma_from_card(&self, card: u64, bus: u64, len: u64) -> Result<(), DmaError> {
        self.bulk(bus, card, len, |bus, memory, n| {
            // SAFETY: `bulk` gives `n` bytes of card memory, which is not host memory.
            unsafe { self.card.host.write_raw(bus, memory, n, "bulk data") }
        })
    }

    fn dram(&self) -> &Arc<Dram> {
        &self.card.dram
    }

    fn cmm(&self) -> &Arc<Cmm> {
        &self.card.cmm
    }

    fn card_id(&self) -> u32 {
        self.card.id()
    }

    fn count(&self, counter: &str, by: u64) {
        self.card.counters.add(counter, by);
    }

    fn switch(&self, name: &str) -> Option<serde_json::Value> {
        self.card.switches.get(name)
    }
}
