// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/msg_userdev`: a message port for each open file [pcie 8.2].

use std::io;
use std::time::Duration;

use super::{get32, put32, Node};

/// Name of the node.
pub const NAME: &str = "msg_userdev";

/// Length of the argument of every request.
pub const ARGUMENT: usize = 1032;

/// Longest message, and 1.
pub const MESSAGE_END: usize = 0x6_0000;

/// Ports of a card, and 1.
pub const PORT_END: i32 = 128;

/// Connects the file to a port.
pub const CONNECT: u32 = 0x4408_4D01;
/// Sees that the card has gone through its handshake.
pub const CHECK: u32 = 0x4408_4D02;
/// Id of the host.
pub const LOCAL_ID: u32 = 0x4408_4D04;
/// Ids of the cards.
pub const REMOTE_IDS: u32 = 0x4408_4D05;
/// Initialises an argument.
pub const INITIALISE: u32 = 0x4408_4D06;
/// Resets a card.
pub const RESET: u32 = 0x4408_4D07;
/// Makes pollers of the file see a hang-up.
pub const STOP: u32 = 0x4408_4D08;

/// poll's bit for a port that was stopped; it is not in libc.
pub const POLLREMOVE: i16 = 0x1000;
/// poll's bits of a port with a message.
pub const POLL_MESSAGE: i16 = libc::POLLIN | libc::POLLRDNORM;

/// The argument of all requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Argument(Box<[u8; ARGUMENT]>);

impl Argument {
    /// With these fields, and -1 as remote ids.
    pub fn new(device: i32, port: i32) -> Self {
        let mut bytes = Box::new([0xff; ARGUMENT]);
        put32(&mut bytes[..], 0, device as u32);
        put32(&mut bytes[..], 4, port as u32);
        Self(bytes)
    }

    /// Device id.
    pub fn device(&self) -> i32 {
        get32(&self.0[..], 0) as i32
    }

    /// Port.
    pub fn port(&self) -> i32 {
        get32(&self.0[..], 4) as i32
    }

    /// Remote ids.
    pub fn remote(&self) -> Vec<i32> {
        (0..256)
            .map(|at| get32(&self.0[..], 8 + 4 * at) as i32)
            .collect()
    }
}

/// An open file of the node.
#[derive(Debug)]
pub struct MessageNode {
    /// The file.
    pub node: Node,
}

impl MessageNode {
    /// Opens it, connected to nothing.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            node: Node::open(NAME)?,
        })
    }

    /// Opens it and connects it.
    pub fn connected(device: u32, port: u32) -> io::Result<Self> {
        let file = Self::open()?;
        file.connect(device as i32, port as i32)?;
        Ok(file)
    }

    /// A request with this argument; what ioctl returns.
    pub fn request(&self, code: u32, argument: &mut Argument) -> io::Result<i32> {
        self.node.bytes(code, &mut argument.0)
    }

    /// Nr 1.
    pub fn connect(&self, device: i32, port: i32) -> io::Result<()> {
        self.request(CONNECT, &mut Argument::new(device, port))
            .map(drop)
    }

    /// Nr 2.
    pub fn check(&self, device: i32) -> io::Result<()> {
        self.request(CHECK, &mut Argument::new(device, 0)).map(drop)
    }

    /// Nr 8.
    pub fn stop(&self) -> io::Result<()> {
        self.request(STOP, &mut Argument::new(-1, 129)).map(drop)
    }

    /// Sends one message.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        match self.node.write(message)? {
            n if n == message.len() => Ok(()),
            n => Err(io::Error::other(format!(
                "{n} of {} bytes written",
                message.len()
            ))),
        }
    }

    /// Takes one message of at most `limit` bytes, waiting for it at most so long; `None` then, and
    /// when the port is stopped.
    pub fn receive(&self, limit: usize, patience: Duration) -> io::Result<Option<Vec<u8>>> {
        let events = self.node.poll(libc::POLLIN, patience)?;
        if events & libc::POLLIN == 0 {
            return Ok(None);
        }
        let mut message = vec![0; limit];
        let n = self.node.read(&mut message)?;
        message.truncate(n);
        Ok(Some(message))
    }
}
