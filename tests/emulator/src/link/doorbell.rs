// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the card does when a doorbell rings [pcie 4.8].

use log::{debug, warn};

use crate::card::Card;
use crate::parts::Doorbell;
use crate::rings::Transport;

/// Ports that exist [pcie 5.1].
const PORTS: u32 = 128;

/// Serves doorbells until the card is switched off.
pub fn serve_doorbells(card: &Card) {
    while let Some(doorbell) = next(card) {
        let _busy = card.doorbell_busy.lock();
        handle(card, &doorbell);
    }
}

fn next(card: &Card) -> Option<Doorbell> {
    card.mailbox.event.until(None, None, || {
        if card.is_off() {
            return Some(None);
        }
        // A card that stands still frees no slot either.
        if card.frozen() {
            return None;
        }
        card.mailbox.take().map(Some)
    })?
}

fn handle(card: &Card, doorbell: &Doorbell) {
    card.counters.hit("doorbell.received");
    let Some(transport) = card.transport() else {
        debug!("doorbell before the rings are set up");
        card.counters.hit("doorbell.early");
        return;
    };
    if card.switches.take("doorbell.ignore") {
        card.counters.hit("doorbell.ignored");
        return;
    }
    if !doorbell.is_good() {
        card.refuse("doorbell", format_args!("doorbell {doorbell:x?}"));
        card.counters.hit("doorbell.bad_count");
        return;
    }
    if transport.window.control_page().count_doorbell().is_err() {
        return;
    }
    if card.switches.flag("ring.stuck") {
        card.counters.hit("ring.h2c.stuck");
        return;
    }
    if drain(card, &transport) == 0 {
        card.counters.hit("doorbell.found_empty");
    }
}

/// Delivers what is in the h2c ring; returns how many messages there were.
fn drain(card: &Card, transport: &Transport) -> usize {
    let mut messages = 0;
    while card.is_current(transport) && !card.frozen() {
        match transport.take() {
            Ok(None) => break,
            Ok(Some((header, payload))) => {
                messages += 1;
                card.counters.hit("ring.h2c.messages");
                card.counters.add("ring.h2c.bytes", payload.len() as u64);
                card.addressed_as(header.destination);
                if header.port >= PORTS {
                    card.refuse("port", format_args!("message on port {}", header.port));
                } else if payload.is_empty() {
                    card.refuse("empty_message", format_args!("port {}", header.port));
                } else {
                    debug!("message on port {}: {} bytes", header.port, payload.len());
                    card.service.deliver(header.port, payload);
                }
            }
            Err(corrupt) => {
                messages += 1;
                warn!("h2c ring is corrupt, dropping what is in it: {corrupt}");
                card.counters.hit("ring.h2c.corrupt");
            }
        }
    }
    messages
}
