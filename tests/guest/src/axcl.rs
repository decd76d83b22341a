// SPDX-License-Identifier: MIT OR Apache-2.0

//! The nodes of the AXCL ABI, used as Axera's libraries use them (`docs/protocol/pcie-abi.md`).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{ensure, Context, Result};

use crate::{errors::errno, kernel};

/// Names of the nodes.
pub const NODES: [&str; 4] = ["axcl_host", "msg_userdev", "ax_mmb_dev", "p2p"];

/// Control packets: create, destroy, more ports, give those back.
pub const CREATE: u32 = 1;
/// See [`CREATE`].
pub const DESTROY: u32 = 2;

/// Reading a word.
pub fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Writing one.
pub fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// An open node.
#[derive(Debug)]
pub struct Node(pub File);

impl Node {
    /// Opens it.
    pub fn open(name: &str) -> Result<Self> {
        let path = format!("/dev/{name}");
        let file = OpenOptions::new().read(true).write(true).open(&path);
        Ok(Self(file.with_context(|| format!("opening {path}"))?))
    }

    /// A request whose argument has at least as many bytes as its code says.
    pub fn request(&self, code: u32, argument: &mut [u8]) -> io::Result<i32> {
        let size = ((code >> 16) & 0x3fff) as usize;
        assert!(argument.len() >= size, "{size} bytes for {code:#x}");
        // SAFETY: the driver touches no more than the bytes that the code says, or those of the
        // argument of the node's only structure, which is as long.
        let rc = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                code as libc::Ioctl,
                argument.as_mut_ptr(),
            )
        };
        if rc < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(rc)
        }
    }

    /// What poll says, after at most `limit`.
    pub fn poll(&self, limit: Duration) -> Result<i16> {
        kernel::poll(self.0.as_raw_fd(), libc::POLLIN, limit)
    }

    /// Maps the file from its beginning.
    pub fn map(&self, len: usize) -> io::Result<crate::map::Map> {
        crate::map::Map::new(&self.0, 0, len)
    }
}

/// `/dev/axcl_host`.
#[derive(Debug)]
pub struct Host(pub Node);

impl Host {
    /// Opens it.
    pub fn open() -> Result<Self> {
        Node::open("axcl_host").map(Self)
    }

    /// Ids of the cards.
    pub fn list(&self) -> io::Result<Vec<u32>> {
        let mut bytes = [0xAA; 1032];
        self.0.request(0xC408_4104, &mut bytes)?;
        let count = word(&bytes, 4) as usize;
        Ok((0..count).map(|n| word(&bytes, 8 + 4 * n)).collect())
    }

    /// Status of a card.
    pub fn status(&self, id: u32) -> io::Result<u32> {
        let mut bytes = [0; 1024];
        self.0.request(0x8400_4102, &mut bytes)?;
        Ok(word(&bytes, 4 * id as usize))
    }

    /// A control packet; what comes back is in it.
    pub fn control(&self, words: &mut [u32; 10]) -> io::Result<()> {
        let mut bytes = [0; 40];
        for (n, &value) in words.iter().enumerate() {
            put(&mut bytes, 4 * n, value);
        }
        self.0.request(0xC028_4101, &mut bytes)?;
        for (n, value) in words.iter_mut().enumerate() {
            *value = word(&bytes, 4 * n);
        }
        Ok(())
    }

    /// Gets ports on a card.
    pub fn create(&self, id: u32) -> io::Result<[u32; 4]> {
        let mut words = [CREATE, id, std::process::id(), 0, 0, 0, 0, 0, 0x40_0000, 2];
        self.control(&mut words)?;
        assert_eq!((words[0], words[3]), (3, 4), "created, 4 ports: {words:?}");
        Ok([words[4], words[5], words[6], words[7]])
    }

    /// Gives them back.
    pub fn destroy(&self, id: u32, ports: [u32; 4]) -> io::Result<()> {
        let [a, b, c, d] = ports;
        let mut words = [DESTROY, id, std::process::id(), 4, a, b, c, d, 0, 0];
        self.control(&mut words)
    }

    /// Reset (6) or reboot (7).
    pub fn order(&self, number: u32, id: u32) -> io::Result<()> {
        let mut bytes = [0; 40];
        put(&mut bytes, 4, id);
        self.0.request(0xC028_4100 | number, &mut bytes).map(drop)
    }

    /// Threads that have ports on a card.
    pub fn threads(&self, id: u32) -> io::Result<Vec<u32>> {
        let mut bytes = [0; 8];
        put(&mut bytes, 0, id);
        self.0.request(0xC008_4109, &mut bytes)?;
        let count = word(&bytes, 4);
        let mut pids = vec![u32::MAX; count as usize + 2];
        let mut bytes = [0; 16];
        put(&mut bytes, 0, id);
        put(&mut bytes, 4, count + 2);
        bytes[8..].copy_from_slice(&(pids.as_mut_ptr() as u64).to_ne_bytes());
        self.0.request(0xC010_410A, &mut bytes)?;
        assert_eq!(pids[count as usize..], [0, 0], "unused entries");
        pids.truncate(count as usize);
        Ok(pids)
    }
}

/// A file of `/dev/msg_userdev`.
#[derive(Debug)]
pub struct Port(pub Node);

impl Port {
    /// Opens it; not connected.
    pub fn open() -> Result<Self> {
        Node::open("msg_userdev").map(Self)
    }

    /// A request with device and port.
    pub fn request(&self, number: u32, device: u32, port: u32) -> io::Result<i32> {
        let mut bytes = [0xFF; 1032];
        put(&mut bytes, 0, device);
        put(&mut bytes, 4, port);
        self.0.request(0x4408_4D00 | number, &mut bytes)
    }

    /// Opens and connects.
    pub fn connect(device: u32, port: u32) -> Result<Self> {
        let this = Self::open()?;
        this.request(1, device, port)
            .with_context(|| format!("connecting to port {port}"))?;
        Ok(this)
    }

    /// Sends a message.
    pub fn send(&self, message: &[u8]) -> io::Result<usize> {
        (&self.0 .0).write(message)
    }

    /// Waits for a message and takes it.
    pub fn receive(&self, limit: Duration) -> Result<Vec<u8>> {
        let events = self.0.poll(limit)?;
        ensure!(events == libc::POLLIN, "poll: {events:#x}");
        let mut message = vec![0; 4096];
        let len = (&self.0 .0).read(&mut message)?;
        message.truncate(len);
        Ok(message)
    }

    /// Reads without waiting; the errno of it.
    pub fn read_errno(&self) -> i32 {
        errno((&self.0 .0).read(&mut [0; 16]))
    }
}

/// A buffer in pieces of `/dev/ax_mmb_dev`.
#[derive(Debug)]
pub struct Memory {
    /// The file.
    pub node: Node,
    /// Bus address and length of the pieces.
    pub pieces: Vec<(u64, u32)>,
}

impl Memory {
    /// Allocates it.
    pub fn scatter(device: u32, size: u32) -> Result<Self> {
        let node = Node::open("ax_mmb_dev")?;
        let mut bytes = [0; 1552];
        put(&mut bytes, 0, device);
        put(&mut bytes, 4, size);
        node.request(0x4610_4808, &mut bytes)?;
        let count = word(&bytes, 8) as usize;
        ensure!((1..=64).contains(&count), "{count} pieces");
        let pieces: Vec<_> = (0..count)
            .map(|n| 16 + 24 * n)
            .map(|at| {
                let high = u64::from(word(&bytes, at + 12));
                let low = u64::from(word(&bytes, at + 8));
                ((high << 32) | low, word(&bytes, at))
            })
            .collect();
        let sum: u64 = pieces.iter().map(|&(_, len)| u64::from(len)).sum();
        ensure!(sum == u64::from(size), "{pieces:x?} are not {size} bytes");
        Ok(Self { node, pieces })
    }

    /// A list message (8 or 9) of its first `len` bytes.
    pub fn list(&self, kind: u8, len: u32) -> Vec<u8> {
        let mut left = len;
        let mut entries = Vec::new();
        for &(bus, size) in &self.pieces {
            let n = size.min(left);
            if n > 0 {
                entries.push((bus, n));
            }
            left -= n;
        }
        list(kind, &entries)
    }
}

/// A list message.
pub fn list(kind: u8, entries: &[(u64, u32)]) -> Vec<u8> {
    let mut message = vec![kind, entries.len() as u8];
    for (address, len) in entries {
        message.extend(address.to_le_bytes());
        message.extend(len.to_le_bytes());
    }
    message
}

/// A control message of a bulk port.
pub fn transfer(kind: u8, first: u32, second: u32) -> [u8; 17] {
    let mut message = [0; 17];
    message[0] = kind;
    put(&mut message, 1, first);
    put(&mut message, 5, second);
    message
}
