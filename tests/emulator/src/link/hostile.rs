// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card that is out to harm its host: switch `hostile`.  Whatever the card can do to the host it does at random, beside
//! what it does for its users: messages, headers, ring pointers, control page, interrupts, DMA.

use std::time::Duration;

use crate::card::Card;
use crate::parts::Dice;
use crate::rings::{Header, Publish, Transport};

/// Time between events that the card begins by itself.
const PAUSE: Duration = Duration::from_millis(2);
/// How often an idle card looks at the switch.
const LOOK: Duration = Duration::from_millis(100);

/// Runs `what` with the dice of the seed that the switch has, if it is set.
fn with<T>(card: &Card, what: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    card.hostility.with(card.switches.number("hostile"), what)
}

/// What is to become of a message of the service: `None`, nothing is changed; else what goes out in its place.
pub(super) fn spoil(card: &Card, port: u32, payload: &[u8]) -> Option<Vec<(u32, Vec<u8>)>> {
    let spoilt = with(card, |dice| {
        if dice.below(6) != 0 {
            return None;
        }
        let mut bytes = payload.to_vec();
        Some(match dice.below(8) {
            // Not at all, twice, elsewhere.
            0 => Vec::new(),
            1 => vec![(port, bytes.clone()), (port, bytes)],
            2 => vec![(dice.below(140) as u32, bytes)],
            // Shorter, longer.
            3 => {
                bytes.truncate(1 + dice.below(bytes.len() as u64) as usize);
                vec![(port, bytes)]
            }
            4 => {
                let more = 1 + dice.below(2000);
                bytes.extend(dice.bytes(more));
                vec![(port, bytes)]
            }
            _ => {
                for _ in 0..=dice.below(4) {
                    let at = dice.below(bytes.len() as u64) as usize;
                    bytes[at] = dice.number() as u8;
                }
                vec![(port, bytes)]
            }
        })
    })??;
    card.counters.hit("hostile.answer");
    card.counters.hit("hostile.events");
    Some(spoilt)
}

/// Does harm while the switch is set, until the card is switched off.
pub fn serve_hostility(card: &Card) {
    while !card.is_off() {
        let done = with(card, |dice| event(card, dice));
        if let Some(Some(name)) = done {
            card.counters.hit(&format!("hostile.{name}"));
            card.counters.hit("hostile.events");
        }
        std::thread::sleep(if done.is_some() { PAUSE } else { LOOK });
    }
}

/// Does one thing, and names it; `None` if it could not be done.
fn event(card: &Card, dice: &mut Dice) -> Option<&'static str> {
    match dice.below(200) {
        0..=19 => {
            for _ in 0..=dice.below(8) {
                card.raise_any(dice.any());
            }
            Some("interrupt")
        }
        20..=59 => dma(card, dice),
        60..=79 => control_page(&*card.transport()?, dice),
        // A host that has lost the ring resets the card, and nothing else happens for a while.
        80 => pointers(card, &*card.transport()?, dice),
        number => message(card, &*card.transport()?, dice, number > 170),
    }
}

/// DMA to anywhere, and close to what the host has mapped.
fn dma(card: &Card, dice: &mut Dice) -> Option<&'static str> {
    let base = card
        .transport()
        .map_or(0, |transport| transport.window.base());
    let at = match dice.below(6) {
        0 => dice.any(),
        1 => dice.below(1 << 32),
        2 => dice.below(1 << 20),
        3 => base.wrapping_sub(dice.below(1 << 24)),
        4 => base.wrapping_add(0x40_0000 + dice.below(1 << 24)),
        _ => u64::MAX - dice.below(8192),
    };
    let len = 1 + dice.below(5000);
    let mut bytes = dice.bytes(len);
    // The host's protection says no to most of it, which is counted as faults.
    let _ = if dice.below(2) == 0 {
        card.host.write(at, &bytes, "hostile")
    } else {
        card.host.read(at, &mut bytes, "hostile")
    };
    Some("dma")
}

/// Heartbeat, its interval, counters of doorbells.
fn control_page(transport: &Transport, dice: &mut Dice) -> Option<&'static str> {
    let at = match dice.below(8) {
        0..=5 => dice.below(4) * 4,
        6 => 0x20 + dice.below(8) * 4,
        _ => dice.below(1024) * 4,
    };
    // The words that are no heartbeat last as long as the boot.
    if at >= 16 && dice.below(20) != 0 {
        return None;
    }
    transport.window.write_u32(at, dice.number() as u32).ok()?;
    Some("control_page")
}

fn pointers(card: &Card, transport: &Transport, dice: &mut Dice) -> Option<&'static str> {
    let bytes = dice.number() & !u64::from(dice.below(2) == 0).wrapping_mul(31);
    transport.jump(bytes).ok()?;
    card.message_sent();
    Some("pointer")
}

/// A message that nobody asked for; `bad`: with a header that cannot be.
fn message(card: &Card, transport: &Transport, dice: &mut Dice, bad: bool) -> Option<&'static str> {
    let port = match dice.below(8) {
        0 => 11,
        1 => dice.below(21) as u32,
        2 => dice.number() as u32,
        _ => 21 + dice.below(107) as u32,
    };
    let payload = payload(dice);
    let mut header = Header::to_host(card.id(), port, payload.len() as u32);
    if bad {
        match dice.below(40) {
            0 => header.length = dice.number() as u32,
            1 => header.check = dice.number() as u32,
            2..=14 => header.destination = dice.number() as u32,
            15..=26 => header.sender = dice.number() as u32,
            _ => header.reserved = dice.number() as u32,
        }
    }
    let message = Publish {
        header,
        payload: &payload,
        jump: 0,
    };
    transport.publish(message).ok()?;
    card.message_sent();
    Some(if bad { "header" } else { "message" })
}

/// Something like a control packet, a message of a transaction with its lists, a frame; or noise.
fn payload(dice: &mut Dice) -> Vec<u8> {
    let words = |dice: &mut Dice, count: u64| -> Vec<u8> {
        (0..count)
            .flat_map(|_| (dice.number() as u32).to_le_bytes())
            .collect()
    };
    match dice.below(5) {
        0 => words(dice, 10),
        1 => {
            let mut bytes = vec![dice.below(12) as u8];
            bytes.extend(words(dice, 4));
            bytes
        }
        2 => {
            // A list: kind, number of pieces, addresses and sizes.
            let mut bytes = vec![8 + dice.below(2) as u8, dice.below(70) as u8];
            let count = 3 * dice.below(70);
            bytes.extend(words(dice, count));
            bytes
        }
        3 => {
            let mut bytes = words(dice, 7);
            let len = dice.below(900);
            bytes.extend(dice.bytes(len));
            bytes
        }
        _ => {
            let len = 1 + dice.below(3000);
            dice.bytes(len)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_events() {
        let lists = || {
            let mut dice = Dice::new(7);
            (0..100).map(|_| payload(&mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(lists(), lists());
        assert!(lists().iter().all(|bytes| !bytes.is_empty()));
    }
}
