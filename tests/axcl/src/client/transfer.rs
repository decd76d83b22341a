// SPDX-License-Identifier: MIT OR Apache-2.0

//! The two patterns in which bytes move [rpc 2.3].

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};

use super::{patience, Window};
use crate::node::buffer::Piece;
use crate::node::message::MessageNode;
use crate::wire::transport::{total, Message, LONGEST};

/// The next message of a transaction.
pub fn next(port: &MessageNode) -> Result<Message> {
    let deadline = Instant::now() + patience();
    while Instant::now() < deadline {
        let message = port
            .receive(LONGEST, Duration::from_millis(500))
            .context("reading a transaction port")?;
        if let Some(message) = message {
            return Message::from_bytes(&message);
        }
        let events = port.node.poll(libc::POLLIN, Duration::ZERO)?;
        ensure!(
            events & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) == 0,
            "the port has hung up: {events:#x}"
        );
    }
    bail!("the card says nothing")
}

/// Sends a message of a transaction.
pub fn send(port: &MessageNode, message: &Message) -> Result<()> {
    port.send(&message.to_bytes())
        .with_context(|| format!("{message:?}"))
}

/// The card takes `data`, through the window.
pub fn pull(port: &MessageNode, window: &Window, data: &[u8]) -> Result<()> {
    let room = room(port)?;
    let chunk = window.capacity().min(room);
    for now in data.chunks(chunk) {
        window.put(now);
        send(port, &Message::LinkedList(window.pieces(now.len())))?;
        taken(port, now.len())?;
    }
    Ok(())
}

/// The card takes `size` bytes from a bus address.
pub fn pull_bus(port: &MessageNode, bus: u64, size: u32) -> Result<()> {
    let room = room(port)?.min(u32::MAX as usize) as u32;
    let mut done = 0;
    while done < size {
        let now = room.min(size - done);
        let piece = Piece {
            bus: bus + u64::from(done),
            size: now,
        };
        send(port, &Message::LinkedList(vec![piece]))?;
        taken(port, now as usize)?;
        done += now;
    }
    Ok(())
}

/// How much the card takes at a time.
fn room(port: &MessageNode) -> Result<usize> {
    match next(port)? {
        Message::SglistInfo(pieces) => Ok(total(&pieces) as usize),
        other => bail!("{other:?} instead of the card's list"),
    }
}

fn taken(port: &MessageNode, bytes: usize) -> Result<()> {
    match next(port)? {
        Message::ReadDone(n) if n as usize == bytes => Ok(()),
        other => bail!("{other:?} for {bytes} bytes"),
    }
}

/// The card gives `size` bytes, through the window.
pub fn push(port: &MessageNode, window: &Window, size: usize) -> Result<Vec<u8>> {
    let chunk = window.capacity().min(size);
    send(port, &Message::SglistInfo(window.pieces(chunk)))?;
    let mut data = Vec::with_capacity(size);
    while data.len() < size {
        let bytes = given(port, chunk.min(size - data.len()))?;
        data.extend(window.take(bytes));
        send(port, &Message::ReadDone(bytes as u32))?;
    }
    Ok(data)
}

/// The card gives `size` bytes to a bus address.
pub fn push_bus(port: &MessageNode, bus: u64, size: u32) -> Result<()> {
    send(port, &Message::SglistInfo(vec![Piece { bus, size }]))?;
    let mut done = 0;
    while done < size as usize {
        let bytes = given(port, size as usize - done)?;
        done += bytes;
        send(port, &Message::ReadDone(bytes as u32))?;
    }
    Ok(())
}

/// The card says how much it has written; its own window may be smaller than what there is room for.
fn given(port: &MessageNode, most: usize) -> Result<usize> {
    match next(port)? {
        Message::TaskDone(n) if (1..=most).contains(&(n as usize)) => Ok(n as usize),
        other => bail!("{other:?} with {most} bytes to come"),
    }
}
