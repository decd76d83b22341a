// SPDX-License-Identifier: GPL-2.0

//! Bytes that the card moves itself [rpc 2.3], one transaction at a time.

use std::time::Instant;

use nix::errno::Errno;

use crate::dma::DmaMemory;
use crate::link::Link;
use crate::wire::transfer::{encode_list, ListKind, Transfer, MAX_LIST};

/// Bytes in memory that the card reaches.
pub(crate) struct Piece<'a> {
    pub(crate) memory: &'a DmaMemory,
    pub(crate) offset: usize,
    pub(crate) len: u32,
}

impl Piece<'_> {
    /// Returns where the card finds `len` bytes of it from `at` on.
    fn bus(&self, at: u32, len: u32) -> Result<u64, Errno> {
        let offset = self.offset.checked_add(at as usize).ok_or(Errno::EINVAL)?;
        self.memory.bus((offset, len as usize)).ok_or(Errno::EINVAL)
    }
}

/// Sends one of the messages of 17 bytes.
pub(crate) fn tell(
    link: &mut Link,
    port: u32,
    what: &Transfer<'_>,
    deadline: Instant,
) -> Result<(), Errno> {
    let message = what.encode().ok_or(Errno::EINVAL)?;
    link.send(port, &message, deadline)
}

/// Tells where `len` bytes are, or go.
pub(crate) fn tell_where(
    link: &mut Link,
    port: u32,
    kind: ListKind,
    (bus, len): (u64, u32),
    deadline: Instant,
) -> Result<(), Errno> {
    let mut message = [0; MAX_LIST];
    let list = encode_list(kind, &[(bus, len)], &mut message);
    let list = list
        .and_then(|len| message.get(..len))
        .ok_or(Errno::EFAULT)?;
    link.send(port, list, deadline)
}

/// Says that a message which makes no sense here has come.
pub(crate) fn out_of_turn(port: u32, message: &[u8]) -> Errno {
    match Transfer::parse(message) {
        Ok(transfer) => log::warn!("port {port}: {transfer:?} out of turn"),
        Err(error) => log::warn!("port {port}: {error}"),
    }
    Errno::EPROTO
}

/// Lets the card fetch a piece; the request has been sent.
pub(crate) fn pull(
    link: &mut Link,
    port: u32,
    piece: &Piece<'_>,
    deadline: Instant,
) -> Result<(), Errno> {
    let (_, message) = link.receive(&[port], deadline)?;
    let window = match Transfer::parse(&message) {
        Ok(Transfer::List(list)) if list.kind == ListKind::Sglist => {
            u32::try_from(list.total()).unwrap_or(u32::MAX)
        }
        _ => return Err(out_of_turn(port, &message)),
    };
    let mut done = 0;
    while done < piece.len {
        let chunk = (piece.len - done).min(window);
        let bus = piece.bus(done, chunk)?;
        tell_where(link, port, ListKind::Linked, (bus, chunk), deadline)?;
        let (_, message) = link.receive(&[port], deadline)?;
        match Transfer::parse(&message) {
            Ok(Transfer::ReadDone { bytes }) if bytes == chunk => done += chunk,
            _ => return Err(out_of_turn(port, &message)),
        }
    }
    Ok(())
}

/// Lets the card write `piece` in one go; the request has been sent.
pub(crate) fn push(
    link: &mut Link,
    port: u32,
    piece: &Piece<'_>,
    deadline: Instant,
) -> Result<(), Errno> {
    let bus = piece.bus(0, piece.len)?;
    tell_where(link, port, ListKind::Sglist, (bus, piece.len), deadline)?;
    let (_, message) = link.receive(&[port], deadline)?;
    match Transfer::parse(&message) {
        Ok(Transfer::TaskDone { bytes }) if bytes == piece.len => {
            tell(link, port, &Transfer::ReadDone { bytes }, deadline)
        }
        // Also a card with a smaller window than it was asked for, which would write all chunks to the same place.
        _ => Err(out_of_turn(port, &message)),
    }
}
