// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/axcl_host`: cards, ports, state, reset [pcie 5.2] to [pcie 5.7] and [pcie 8.1].

use std::io;

use super::{get32, put32, put64, Node};

/// Name of the node.
pub const NAME: &str = "axcl_host";

/// Control packet: create, destroy, extra ports.
pub const PORT_MANAGE: u32 = 0xC028_4101;
/// Status of all 256 device ids.
pub const STATUS: u32 = 0x8400_4102;
/// Heartbeat of the card side; nothing on the host.
pub const HEARTBEAT: u32 = 0x4010_4103;
/// List of cards.
pub const DEVICES: u32 = 0xC408_4104;
/// Raises this file's event.
pub const WAKE: u32 = 0xC028_4105;
/// Chip reset.
pub const RESET: u32 = 0xC028_4106;
/// Chip reset and boot.
pub const REBOOT: u32 = 0xC028_4107;
/// PCI address.
pub const BUS_INFO: u32 = 0xC010_4108;
/// Number of processes with ports.
pub const PID_COUNT: u32 = 0xC008_4109;
/// Processes with ports.
pub const PID_LIST: u32 = 0xC010_410A;

/// Status of a card that runs.
pub const ALIVE: u32 = 1;
/// Status of a card that does not.
pub const DEAD: u32 = 0;
/// Status of a card that does not exist or was never booted.
pub const ABSENT: u32 = 0xFFFF_FFFF;

/// Commands of the control packet.
pub mod command {
    /// Obtain a group of ports.
    pub const CREATE: u32 = 1;
    /// Give it back.
    pub const DESTROY: u32 = 2;
    /// The card's word that a group is ready.
    pub const CREATED: u32 = 3;
    /// The card's word that it is not.
    pub const CREATE_FAILED: u32 = 5;
    /// More ports, which the card hears nothing of.
    pub const EXTRA: u32 = 7;
    /// Gives those back.
    pub const RECYCLE: u32 = 8;
}

/// The control packet, 40 bytes (5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packet {
    /// See [`command`].
    pub command: u32,
    /// Bus number of the card.
    pub device: u32,
    /// Process id, not 0.
    pub pid: u32,
    /// How many of `ports` are valid.
    pub count: u32,
    /// Port numbers.
    pub ports: [u32; 4],
    /// Size of the card's DMA buffer for this process.
    pub buffer_size: u32,
    /// Log level of the card for this process.
    pub log_level: u32,
}

/// Length of the control packet.
pub const PACKET: usize = 40;

impl Packet {
    /// A packet of this process, as a client library fills it in.
    pub fn new(command: u32, device: u32) -> Self {
        Self {
            command,
            device,
            pid: std::process::id(),
            buffer_size: 0x40_0000,
            log_level: 2,
            ..Self::default()
        }
    }

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; PACKET] {
        let mut bytes = [0; PACKET];
        let words = [self.command, self.device, self.pid, self.count];
        let words = words
            .into_iter()
            .chain(self.ports)
            .chain([self.buffer_size, self.log_level]);
        for (at, word) in words.enumerate() {
            put32(&mut bytes, at * 4, word);
        }
        bytes
    }

    /// From its bytes.
    pub fn from_bytes(bytes: &[u8; PACKET]) -> Self {
        let word = |at: usize| get32(bytes, at * 4);
        Self {
            command: word(0),
            device: word(1),
            pid: word(2),
            count: word(3),
            ports: [word(4), word(5), word(6), word(7)],
            buffer_size: word(8),
            log_level: word(9),
        }
    }

    /// The valid ports.
    pub fn valid_ports(&self) -> &[u32] {
        &self.ports[..(self.count as usize).min(4)]
    }
}

/// PCI address of a card, as the driver says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusInfo {
    /// Domain.
    pub domain: u32,
    /// Slot.
    pub slot: u32,
    /// Function.
    pub function: u32,
}

/// An open file of the node.
#[derive(Debug)]
pub struct HostNode {
    /// The file.
    pub node: Node,
}

impl HostNode {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            node: Node::open(NAME)?,
        })
    }

    /// Nr 1, with the packet as the driver leaves it.
    pub fn manage(&self, packet: &mut Packet) -> io::Result<()> {
        let mut bytes = packet.to_bytes();
        let result = self.node.bytes(PORT_MANAGE, &mut bytes);
        *packet = Packet::from_bytes(&bytes);
        result.map(drop)
    }

    /// Nr 1, command 1: a group of ports.
    pub fn create(&self, device: u32) -> io::Result<Packet> {
        let mut packet = Packet::new(command::CREATE, device);
        self.manage(&mut packet)?;
        Ok(packet)
    }

    /// Nr 1, command 2: gives it back.
    pub fn destroy(&self, created: &Packet) -> io::Result<()> {
        let mut packet = Packet {
            command: command::DESTROY,
            ..*created
        };
        self.manage(&mut packet)
    }

    /// Nr 1, command 7: `count` more ports.
    pub fn extra(&self, device: u32, count: u32) -> io::Result<Packet> {
        let mut packet = Packet {
            count,
            ..Packet::new(command::EXTRA, device)
        };
        self.manage(&mut packet)?;
        Ok(packet)
    }

    /// Nr 1, command 8: gives them back.
    pub fn recycle(&self, extra: &Packet) -> io::Result<()> {
        let mut packet = Packet {
            command: command::RECYCLE,
            ..*extra
        };
        self.manage(&mut packet)
    }

    /// Nr 2: the status of all ids.
    pub fn status(&self) -> io::Result<Vec<u32>> {
        let mut bytes = [0; 1024];
        self.node.bytes(STATUS, &mut bytes)?;
        Ok((0..256).map(|id| get32(&bytes, id * 4)).collect())
    }

    /// Nr 4: the ids of all cards.
    pub fn devices(&self) -> io::Result<Vec<u32>> {
        let mut bytes = [0; 1032];
        self.node.bytes(DEVICES, &mut bytes)?;
        let count = (get32(&bytes, 4) as usize).min(256);
        Ok((0..count).map(|at| get32(&bytes, 8 + at * 4)).collect())
    }

    /// Nr 5: raises this file's event.
    pub fn wake(&self) -> io::Result<()> {
        self.node.bytes(WAKE, &mut [0; PACKET]).map(drop)
    }

    /// Nr 6: resets a card.
    pub fn reset(&self, device: u32) -> io::Result<()> {
        let mut bytes = Packet::new(0, device).to_bytes();
        self.node.bytes(RESET, &mut bytes).map(drop)
    }

    /// Nr 7: resets a card and boots it.
    pub fn reboot(&self, device: u32) -> io::Result<()> {
        let mut bytes = Packet::new(0, device).to_bytes();
        self.node.bytes(REBOOT, &mut bytes).map(drop)
    }

    /// Nr 8: PCI address; `before` is what the fields hold at first.
    pub fn bus_info(&self, device: u32, before: u32) -> io::Result<BusInfo> {
        let mut bytes = [0; 16];
        for (at, value) in [device, before, before, before].into_iter().enumerate() {
            put32(&mut bytes, at * 4, value);
        }
        self.node.bytes(BUS_INFO, &mut bytes)?;
        Ok(BusInfo {
            domain: get32(&bytes, 4),
            slot: get32(&bytes, 8),
            function: get32(&bytes, 12),
        })
    }

    /// Nr 9: number of processes that have ports of a card.
    pub fn pid_count(&self, device: u32) -> io::Result<u32> {
        let mut bytes = [0; 8];
        put32(&mut bytes, 0, device);
        self.node.bytes(PID_COUNT, &mut bytes)?;
        Ok(get32(&bytes, 4))
    }

    /// Nr 10: these processes, as many as `into` takes.
    pub fn pid_list(&self, device: u32, into: &mut [i32]) -> io::Result<()> {
        // SAFETY: the slice is exclusively borrowed and as long as said.
        unsafe { self.pid_list_raw(device, into.len() as u32, into.as_mut_ptr() as u64) }
    }

    /// Nr 10 with any capacity and address.
    ///
    /// # Safety
    ///
    /// The memory, as far as it exists, must be this process's to have overwritten.
    pub unsafe fn pid_list_raw(&self, device: u32, capacity: u32, at: u64) -> io::Result<()> {
        let mut bytes = [0; 16];
        put32(&mut bytes, 0, device);
        put32(&mut bytes, 4, capacity);
        put64(&mut bytes, 8, at);
        // SAFETY: the structure is a local variable; the list is by the caller.
        unsafe { self.node.request(PID_LIST, bytes.as_mut_ptr()) }.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_is_as_in_5_2() {
        let packet = Packet {
            command: 3,
            device: 1,
            pid: 0x1234,
            count: 4,
            ports: [21, 22, 23, 24],
            buffer_size: 0x40_0000,
            log_level: 2,
        };
        let bytes = packet.to_bytes();
        assert_eq!(get32(&bytes, 8), 0x1234);
        assert_eq!(get32(&bytes, 28), 24);
        assert_eq!(get32(&bytes, 32), 0x40_0000);
        assert_eq!(Packet::from_bytes(&bytes), packet);
    }

    #[test]
    fn codes_are_made_of_their_parts() {
        let parts = |code: u32| {
            (
                code >> 30,
                (code >> 16) & 0x3fff,
                (code >> 8) & 0xff,
                code & 0xff,
            )
        };
        assert_eq!(parts(PORT_MANAGE), (3, 40, 0x41, 1));
        assert_eq!(parts(STATUS), (2, 1024, 0x41, 2));
        assert_eq!(parts(HEARTBEAT), (1, 16, 0x41, 3));
        assert_eq!(parts(DEVICES), (3, 1032, 0x41, 4));
        assert_eq!(parts(WAKE), (3, 40, 0x41, 5));
        assert_eq!(parts(RESET), (3, 40, 0x41, 6));
        assert_eq!(parts(REBOOT), (3, 40, 0x41, 7));
        assert_eq!(parts(BUS_INFO), (3, 16, 0x41, 8));
        assert_eq!(parts(PID_COUNT), (3, 8, 0x41, 9));
        assert_eq!(parts(PID_LIST), (3, 16, 0x41, 10));
    }
}
