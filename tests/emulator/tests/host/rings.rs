// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages and doorbells as the host handles them [pcie 4].

use super::{eventually, Buffer, Host};

/// A message that the host has received.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The six header words.
    pub header: [u32; 6],
    pub payload: Vec<u8>,
}

/// Why the host did not send.
#[derive(Debug, PartialEq, Eq)]
pub enum SendError {
    Full,
    /// Published, but not rung: nine doorbells are outstanding.
    FlowControl,
    /// Published, but the mailbox gave this slot.
    NoSlot(u32),
}

/// The shared region.
#[derive(Debug, Clone, Copy)]
pub struct Shared {
    pub region: Buffer,
}

/// Data start and size of a ring for N = 0x400000 [pcie 4.3].
const H2C: (u64, u64) = (0x80, 0x1f_fec0);
const C2H: (u64, u64) = (0x20_0080, 0x1f_fe40);

impl Shared {
    pub fn new(region: Buffer) -> Self {
        assert_eq!(region.len, 0x40_0000);
        Self { region }
    }
}

impl Host {
    fn region(&self) -> Buffer {
        self.shared.expect("no handshake").region
    }

    pub fn pointers(&self) -> [u64; 4] {
        let region = self.region();
        [0x40, 0x60, 0x20_0040, 0x20_0060].map(|at| self.memory.get64(region, at))
    }

    /// Doorbells rung by the host and handled by the card.
    pub fn doorbells(&self) -> (u64, u64) {
        let region = self.region();
        (
            self.memory.get64(region, 0x20),
            self.memory.get64(region, 0x28),
        )
    }

    /// Puts a message into the ring without ringing.
    pub fn publish(&mut self, port: u32, payload: &[u8]) -> Result<(), SendError> {
        let header = [3, 0, port, 0, payload.len() as u32, 0xa65];
        self.publish_raw(header, payload)
    }

    pub fn publish_raw(&mut self, header: [u32; 6], payload: &[u8]) -> Result<(), SendError> {
        let (region, memory) = (self.region(), &self.memory);
        let (start, size) = H2C;
        let (rp, wp) = (memory.get64(region, 0x40), memory.get64(region, 0x60));
        let used = payload.len() as u64 + 24;
        let total = used + 64 - used % 32;
        if total > size - (wp - rp) {
            return Err(SendError::Full);
        }
        let message: Vec<u8> = header
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .chain(payload.iter().copied())
            .collect();
        // R and all positions are multiples of 32, so a header is never split.
        for (i, piece) in message.chunks(8).enumerate() {
            let at = (wp + 8 * i as u64) % size;
            memory.write(region, start + at, piece);
        }
        memory.set64(region, 0x60, wp + total);
        Ok(())
    }

    /// Rings the doorbell as the vendor's host does.
    pub fn ring(&mut self) -> Result<(), SendError> {
        let (rung, handled) = self.doorbells();
        if (rung.wrapping_sub(handled) as u32) > 8 {
            return Err(SendError::FlowControl);
        }
        let slot = self.read(1, 0xc358);
        if slot >= 64 {
            return Err(SendError::NoSlot(slot));
        }
        let slot = u64::from(slot);
        self.write(1, 0xc000 + 4 * slot, 1);
        self.write(1, 0xc000 + 4 * slot, 1);
        self.write(1, 0xc100 + 4 * slot, 0x0500_0008);
        self.memory.set64(self.region(), 0x20, rung + 1);
        Ok(())
    }

    pub fn send(&mut self, port: u32, payload: &[u8]) -> Result<(), SendError> {
        self.publish(port, payload)?;
        self.ring()
    }

    /// The next message of the card, if there is one.
    pub fn receive(&mut self) -> Option<Message> {
        let (region, memory) = (self.region(), &self.memory);
        let (start, size) = C2H;
        let (rp, wp) = (
            memory.get64(region, 0x20_0040),
            memory.get64(region, 0x20_0060),
        );
        if rp == wp {
            return None;
        }
        let at = rp % size;
        let mut header = [0; 6];
        for (i, word) in header.iter_mut().enumerate() {
            *word = memory.get(region, start + at + 4 * i as u64);
        }
        let len = u64::from(header[4]);
        let first = len.min(size - at - 24);
        let mut payload = memory.read(region, start + at + 24, first);
        payload.extend(memory.read(region, start, len - first));
        memory.set64(region, 0x20_0040, rp + (len + 24) / 32 * 32 + 64);
        Some(Message { header, payload })
    }

    /// The next message of the card.
    pub fn expect(&mut self) -> Message {
        eventually("a message", || self.receive())
    }

    /// Sends on a user port and compares the echo.
    pub fn echo(&mut self, port: u32, payload: &[u8]) {
        self.send(port, payload).unwrap();
        let message = self.expect();
        let id = self.card.id();
        assert_eq!(
            message.header,
            [0, id, port, 0, payload.len() as u32, 0xa65]
        );
        assert!(
            message.payload == payload,
            "the echo of {} bytes differs",
            payload.len()
        );
    }
}
