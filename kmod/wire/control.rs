// SPDX-License-Identifier: GPL-2.0

//! The control packet: how sessions are asked for and given back on port 11 [pcie 5.2] to [pcie 5.6]. It
//! is also the argument of several requests of the AXCL ABI.

use super::{
    bytes::u32_at,
    header::PORT_COUNT, //
};

/// The port control packets travel on.
pub const NOTIFY_PORT: u32 = 11;
/// Opened by both sides, carries nothing.
pub const HEARTBEAT_PORT: u32 = 10;
/// First of the ports that sessions get.
pub const FIRST_USER_PORT: u32 = 21;
/// Ports of a session.
pub const GROUP: usize = 4;
/// Length of a packet.
pub const PACKET_SIZE: usize = 40;

/// Host to card: a session wants to begin.
pub const CREATE: u32 = 1;
/// Host to card: a session has ended.
pub const DESTROY: u32 = 2;
/// Card to host: it has begun.
pub const CREATE_DONE: u32 = 3;
/// Card to host: it has ended. Defined, but not sent by known firmware.
pub const DESTROY_DONE: u32 = 4;
/// Card to host: it could not begin.
pub const CREATE_FAILED: u32 = 5;
/// Card to host: defined, but not sent by known firmware.
pub const DESTROY_FAILED: u32 = 6;
/// AXCL ABI only, not sent: more ports for the process.
pub const REQUEST_PORTS: u32 = 7;
/// AXCL ABI only, not sent: give them back.
pub const RECYCLE_PORTS: u32 = 8;

/// A control packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Command that is wanted or was carried out.
    pub command: u32,
    /// Device id.
    pub device: u32,
    /// Process id, not 0.
    pub pid: u32,
    /// Ports in use of `ports`.
    pub count: u32,
    /// The session's ports.
    pub ports: [u32; GROUP],
    /// Size of the card's DMA buffer for the process, bytes.
    pub dma_size: u32,
    /// Log level of the card's process.
    pub log_level: u32,
}

impl Packet {
    /// Encodes the packet as it travels.
    pub fn encode(&self) -> [u8; PACKET_SIZE] {
        let [a, b, c, d] = self.ports;
        let words = [
            self.command,
            self.device,
            self.pid,
            self.count,
            a,
            b,
            c,
            d,
            self.dma_size,
            self.log_level,
        ];
        let mut out = [0; PACKET_SIZE];
        for (field, word) in out.chunks_exact_mut(4).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Reads a packet; `None` unless there are exactly 40 bytes (R36).
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != PACKET_SIZE {
            return None;
        }
        Some(Self {
            command: u32_at(bytes, 0)?,
            device: u32_at(bytes, 4)?,
            pid: u32_at(bytes, 8)?,
            count: u32_at(bytes, 12)?,
            ports: [
                u32_at(bytes, 16)?,
                u32_at(bytes, 20)?,
                u32_at(bytes, 24)?,
                u32_at(bytes, 28)?,
            ],
            dma_size: u32_at(bytes, 32)?,
            log_level: u32_at(bytes, 36)?,
        })
    }

    /// Returns the ports in use; `None` if there are more than fit or one does not exist.
    pub fn ports(&self) -> Option<&[u32]> {
        let ports = self.ports.get(..usize::try_from(self.count).ok()?)?;
        ports.iter().all(|&port| port < PORT_COUNT).then_some(ports)
    }

    /// Returns whether this packet is the card's answer to `request`: an answering command, and the
    /// same process and ports. Answers that came too late for an earlier request do not match
    /// (R36).
    pub fn answers(&self, request: &Self) -> bool {
        let command = match request.command {
            CREATE => matches!(self.command, CREATE_DONE | CREATE_FAILED),
            DESTROY => matches!(self.command, DESTROY_DONE | DESTROY_FAILED),
            _ => false,
        };
        command
            && self.pid == request.pid
            && request.ports().is_some()
            && self.ports() == request.ports()
    }

    /// Returns whether the card says that it did what was asked.
    pub fn succeeded(&self) -> bool {
        matches!(self.command, CREATE_DONE | DESTROY_DONE)
    }
}
