// SPDX-License-Identifier: MIT OR Apache-2.0

//! The commands of the control socket.

use std::time::{Duration, Instant};

use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use super::{help, inject, Context, Fail, Request};
use crate::card::Card;
use crate::hex::hex;
use crate::parts::State;

/// Longest piece of card memory that one `dram` command looks at.
const DRAM_LIMIT: u64 = 1 << 30;
/// Longest `wait-state`.
const WAIT_LIMIT: u64 = 3_600_000;

pub(super) fn run(context: &Context, request: &Request) -> Result<Value, Fail> {
    let card = &context.card;
    match request.text("cmd")? {
        "help" => Ok(help::answer()),
        "counters" => Ok(json!({ "counters": counters(card, request.flag("reset")?) })),
        "state" => Ok(json!({ "state": state(card) })),
        "set" => {
            let value = request
                .field("value")
                .ok_or_else(|| Fail("\"value\" is missing".to_owned()))?;
            let switch = request.text("switch")?;
            card.set_switch(switch, value.clone())
                .map_err(|e| Fail(e.to_string()))?;
            Ok(json!({}))
        }
        "clear" => {
            let switch = request
                .field("switch")
                .map(|_| request.text("switch"))
                .transpose()?;
            card.clear_switch(switch).map_err(|e| Fail(e.to_string()))?;
            Ok(json!({}))
        }
        "switches" => Ok(json!({ "switches": card.switches.report() })),
        "images" => Ok(json!({ "images": card.images.report() })),
        "faults" => Ok(json!({ "faults": faults(card, request.flag("reset")?) })),
        "daemon" => Ok(json!({ "daemon": card.service.report() })),
        "dram" => dram(card, request.number("address")?, request.number("size")?),
        "inject" => inject::run(card, request).map(|()| json!({})),
        "wait-state" => wait_state(card, request),
        "reset" => {
            card.chip_reset();
            Ok(json!({}))
        }
        "unplug" => {
            let path = context
                .socket
                .as_ref()
                .ok_or_else(|| Fail("there is no vfio-user socket".to_owned()))?;
            let broken = crate::pci::hang_up(path).map_err(|e| Fail(e.to_string()))?;
            Ok(json!({ "connections": broken }))
        }
        // Done once the answer is out.
        "quit" => Ok(json!({})),
        other => Err(Fail(format!(
            "there is no command \"{other}\"; \"help\" lists them"
        ))),
    }
}

/// All counters; `reset` sets them to 0.
pub fn counters(card: &Card, reset: bool) -> Value {
    let mut counters = card.counters.snapshot(reset);
    match card.cmm.holds().count_freed(reset) {
        0 => {}
        freed => counters["memory.freed_in_use"] = freed.into(),
    }
    counters
}

/// Accesses of the card to host memory that it may not touch, and frees of card memory that it was
/// at work on; `reset` forgets them.
pub fn faults(card: &Card, reset: bool) -> Value {
    let mut faults = card.host.faults(reset);
    let freed = card.cmm.holds().list_freed(reset);
    let freed: Vec<Value> = freed
        .iter()
        .map(|free| {
            json!({
                "block": free.block,
                "address": format!("{:#x}", free.held.address),
                "size": free.held.len,
                "session": free.held.owner,
                "for": free.held.what,
            })
        })
        .collect();
    faults["freed_in_use"] = json!({ "total": freed.len(), "list": freed });
    faults
}

/// The state of the card.
pub fn state(card: &Card) -> Value {
    let life = &card.life;
    let shared = card.transport().map(|transport| {
        let window = &transport.window;
        let pointers = transport.pointers();
        let pointers = pointers.map(|[h2c_rp, h2c_wp, c2h_rp, c2h_wp]| {
            json!({
                "h2c_rp": h2c_rp, "h2c_wp": h2c_wp, "c2h_rp": c2h_rp, "c2h_wp": c2h_wp,
            })
        });
        json!({
            "base": format!("{:#x}", window.base()),
            "size": window.size(),
            "pointers": pointers,
        })
    });
    let clock = life
        .clock()
        .map(|c| json!({ "seconds": c.seconds, "nanoseconds": c.nanoseconds }));
    json!({
        "name": life.state().name(),
        "in_state_ms": life.in_state_ms(),
        "boots": life.boots(),
        "generation": life.generation(),
        "hung": life.hung(),
        "link_down": card.link_down(),
        "host_connected": card.host.connected(),
        "card_id": card.id(),
        "config": card.config.lock().report(),
        "shared": shared,
        "time_sync": clock,
        "cmm": { "size": card.cmm.size(), "used": card.cmm.used(), "blocks": card.cmm.list().len() },
    })
}

fn dram(card: &Card, address: u64, size: u64) -> Result<Value, Fail> {
    if size > DRAM_LIMIT {
        return Err(Fail(format!(
            "\"size\" must be at most {DRAM_LIMIT}, not {size}"
        )));
    }
    let data = match card.on_chip.read(address, size) {
        Some(data) => data,
        None => card
            .dram
            .read_vec(address, size)
            .map_err(|e| Fail(e.to_string()))?,
    };
    Ok(json!({
        "sha256": hex(&Sha256::digest(&data)),
        "head": hex(&data[..data.len().min(64)]),
    }))
}

fn wait_state(card: &Card, request: &Request) -> Result<Value, Fail> {
    let name = request.text("state")?;
    let wanted = State::ALL
        .into_iter()
        .find(|s| s.name() == name)
        .ok_or_else(|| {
            let names: Vec<&str> = State::ALL.iter().map(|s| s.name()).collect();
            Fail(format!(
                "there is no state \"{name}\"; there are {}",
                names.join(", ")
            ))
        })?;
    let boots = request.number_or("boots", 0)?;
    let limit = request.number_or("timeout_ms", 60_000)?.min(WAIT_LIMIT);
    let start = Instant::now();
    let deadline = start.checked_add(Duration::from_millis(limit));
    let life = &card.life;
    card.event
        .until(deadline, None, || {
            (life.state() == wanted && life.boots() >= boots).then_some(())
        })
        .ok_or_else(|| {
            Fail(format!(
                "not in state \"{name}\" (boot {boots}) after {limit} ms, but in \"{}\" (boot {})",
                life.state().name(),
                life.boots()
            ))
        })?;
    Ok(json!({ "waited_ms": start.elapsed().as_millis() as u64, "boots": life.boots() }))
}
