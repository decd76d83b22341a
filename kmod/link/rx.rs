// SPDX-License-Identifier: GPL-2.0

//! Receiving: the card to host ring [pcie 4.7], [pcie 4.9].
//!
//! The card may write anything anywhere in the ring at any time.  Every header and every payload is
//! copied once, and only the copy is looked at.

use super::{
    device::Device,
    traffic::Traffic, //
};
use crate::{
    glue::{
        prelude::*,
        region,
        time::{
            self,
            Delta,
            Instant, //
        }, //
    },
    wire::{
        header::{
            Header,
            HEADER_SIZE, //
        },
        ring, //
    }, //
};

/// The longest message any receiver of the driver takes; RPC frames above 1024 bytes travel by DMA.
/// Programs that speak the AXCL ABI get messages of any length.
const LONGEST: usize = 4096;

// TIMEOUT: how often, and how far apart, a header is read again whose check word is wrong [pcie 4.7].
const HEADER_TRIES: u32 = 9;
/// So often only for all the messages that are taken at a time: this is the interrupt's thread, and a card that
/// writes bad check words only is not worth waiting for.
pub(super) const MOST_TRIES: u32 = 4 * HEADER_TRIES;
const HEADER_PAUSE: Delta = Delta::from_micros(10);

/// The receiving side of one device.  Empty unless the rings are set up.
pub(crate) struct Rx {
    live: Option<u64>,
    message: KVec<u8>,
    traffic: Traffic,
}

impl Rx {
    /// Makes a receiving side that receives nothing, with room for a message.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            live: None,
            message: KVec::from_elem(0, LONGEST, GFP_KERNEL)?,
            traffic: Traffic::default(),
        })
    }

    /// Begins to receive: the rings have been set up.
    pub(crate) fn start(&mut self) {
        self.live = Some(0);
    }

    /// Ends receiving: nothing comes any more.
    pub(crate) fn stop(&mut self) {
        self.live = None;
    }

    /// Returns the read pointer, 0 if the rings are not set up, and statistics.
    pub(crate) fn facts(&self) -> (u64, Traffic) {
        (self.live.unwrap_or(0), self.traffic)
    }
}

/// Where messages go.
pub(super) trait Delivery {
    /// Returns whether the receiver of what comes on `port` takes messages longer than [`LONGEST`].
    fn takes_long(&self, port: u32) -> bool;
    /// Hands over a message.
    fn deliver(&self, port: u32, message: &[u8]);
}

/// Returns whether the card has put messages into the ring that were not taken.  A hint, without a lock.
pub(super) fn has_news(device: &Device) -> bool {
    let ring = &device.geometry.c2h;
    let [rp, wp] = [ring.rp_at, ring.wp_at].map(|at| device.region.read64(at as usize).ok());
    rp != wp
}

impl Rx {
    /// Takes up to `most` messages out of the ring and hands them over; headers may be read again `tries`
    /// times.  Returns how many.
    pub(super) fn drain(
        &mut self,
        device: &Device,
        to: &impl Delivery,
        most: u32,
        tries: &mut u32,
    ) -> u32 {
        let mut taken = 0;
        while taken < most && take(device, self, to, tries).unwrap_or(false) {
            taken += 1;
        }
        taken
    }
}

/// Takes one message; false if there is none.
fn take(device: &Device, rx: &mut Rx, to: &impl Delivery, tries_left: &mut u32) -> Result<bool> {
    let Some(rp) = rx.live else {
        return Ok(false);
    };
    let ring = &device.geometry.c2h;
    let region = &device.region;
    let wp = region.read64(ring.wp_at as usize)?;
    let available = match ring::pending(rp, wp, ring.size) {
        Ok(0) => return Ok(false),
        Ok(bytes) => bytes,
        Err(error) => {
            dev_err_ratelimited!(device, "card to host ring: {}\n", error);
            device.ring_corrupt("card to host");
            // Drop everything up to where the card says it is.
            rx.live = Some(wp & !u64::from(ring::GRAIN - 1));
            region.write64(ring.rp_at as usize, wp & !u64::from(ring::GRAIN - 1))?;
            return Ok(false);
        }
    };
    region::read_barrier();

    let mut raw = [0u8; HEADER_SIZE as usize];
    let mut tries = 0;
    let header = loop {
        region.copy_out(ring.header_at(rp) as usize, &mut raw)?;
        match Header::parse(&raw, available) {
            Err(crate::wire::header::HeaderError::Check(_))
                if tries < HEADER_TRIES && *tries_left > 0 =>
            {
                tries += 1;
                *tries_left -= 1;
                time::udelay(HEADER_PAUSE);
            }
            other => break other,
        }
    };
    let header = match header {
        Ok(header) => header,
        Err(error) => {
            dev_warn_ratelimited!(device, "bad message: {}\n", error);
            device.counters.bad_messages.add(1);
            device.misbehave();
            advance(device, rx, rp, Header::skip(&raw, available))?;
            return Ok(true);
        }
    };
    let place = ring.place(rp, header.length).ok_or(EPROTO)?;
    if place.advance > available {
        device.counters.bad_messages.add(1);
        advance(device, rx, rp, available)?;
        return Ok(true);
    }
    let len = header.length as usize;
    let begun = Instant::now();
    let copied = if len <= LONGEST {
        copy(device, &place, rx.message.get_mut(..len).ok_or(EPROTO)?)?;
        Ok(None)
    } else {
        copy_long(device, &place, len, to.takes_long(header.port))
    };
    advance(device, rx, rp, place.advance)?;
    let took = begun.elapsed();
    let message = match &copied {
        Ok(Some(long)) => long.get(..),
        _ => rx.message.get(..len.min(LONGEST)),
    };
    let message = message.unwrap_or(&[]);
    rx.traffic.note(header.port, message, begun, took);
    device.counters.messages_received.add(1);
    device.message_was_good(begun);
    match copied {
        Ok(None) => to.deliver(header.port, rx.message.get(..len).ok_or(EPROTO)?),
        Ok(Some(long)) => to.deliver(header.port, &long),
        Err(_) => device.counters.dropped_overflow.add(1),
    }
    Ok(true)
}

/// Copies a message out of the ring.
fn copy(device: &Device, place: &ring::Placement, message: &mut [u8]) -> Result {
    let (first, second) = message
        .split_at_mut_checked(place.first_len as usize)
        .ok_or(EPROTO)?;
    device.region.copy_out(place.first_at as usize, first)?;
    device.region.copy_out(place.second_at as usize, second)
}

/// Copies a message that is so long that not every receiver takes it.
fn copy_long(
    device: &Device,
    place: &ring::Placement,
    len: usize,
    wanted: bool,
) -> Result<Option<KVVec<u8>>> {
    if !wanted {
        return Err(EMSGSIZE);
    }
    let mut message = KVVec::from_elem(0, len, GFP_KERNEL)?;
    copy(device, place, &mut message)?;
    Ok(Some(message))
}

fn advance(device: &Device, rx: &mut Rx, rp: u64, by: u32) -> Result {
    let rp = rp.wrapping_add(by.into());
    rx.live = Some(rp);
    // The card may overwrite what is given back: it must have been read by then.
    region::full_barrier();
    device
        .region
        .write64(device.geometry.c2h.rp_at as usize, rp)
}
