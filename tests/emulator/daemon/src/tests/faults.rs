// SPDX-License-Identifier: MIT OR Apache-2.0

//! The fault switches do what their list says.

use std::time::{Duration, Instant};

use super::client::{packet, send_packet, Client, PLAIN};
use super::Rig;
use crate::protocol::messages::{Control, Piece};
use crate::protocol::record::{Kind, Record, COPY_NOW};
use crate::wire::memory::{Api, RequestBody};
use crate::SWITCHES;

const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(60);

#[test]
fn port_11() {
    let rig = Rig::new();
    let ports = [21, 22, 23, 24];
    let create = || send_packet(&rig, packet(1, 9, ports, 0));
    let reply = || rig.host.receive(11, SOON).unwrap();
    for (switch, value, len) in [
        ("port11.short", serde_json::json!(true), 20),
        ("port11.short", serde_json::json!(0), 0),
        ("port11.long", serde_json::json!(true), 41),
        ("port11.long", serde_json::json!(100), 100),
    ] {
        rig.host.set(switch, value);
        create();
        assert_eq!(reply().len(), len, "{switch}");
        rig.host.clear(switch);
    }
    rig.host.set("port11.fail", 1);
    create();
    assert_eq!(reply()[0], 5);
    create();
    assert_eq!(reply()[0], 3);
    rig.host.clear("port11.fail");
    rig.host.set("port11.no_reply", 1);
    create();
    assert_eq!(rig.host.receive(11, SHORT), None);
    create();
    assert_eq!(reply()[0], 3);
    rig.host.set("port11.late_ms", 80);
    let start = Instant::now();
    create();
    assert_eq!(reply()[0], 3);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[test]
fn answers() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let call = || client.send_memory(1, Api::Free, RequestBody::default());
    let set = |name, value: i32| rig.host.set(name, value);

    set("rpc.drop", 2);
    for _ in 0..2 {
        let header = call();
        assert!(client.answer_frame(&header, SHORT).is_none());
    }
    let header = call();
    assert!(client.answer(&header).is_some());

    set("rpc.wrong_sequence", 1);
    let mut header = call();
    assert!(client.answer_frame(&header, SHORT).is_none());
    header.sequence += 1;
    assert!(client.answer_frame(&header, SOON).is_some());
    // That number is the next call's.
    client.header(0, 0);

    set("rpc.duplicate", 1);
    let header = call();
    assert!(client.answer_frame(&header, SOON).is_some());
    assert!(client.answer_frame(&header, SOON).is_some());
    let header = call();
    assert!(client.answer_frame(&header, SOON).is_some());
    assert!(client.answer_frame(&header, SHORT).is_none());

    rig.host.set("rpc.delay_ms", 80);
    let start = Instant::now();
    let header = call();
    assert!(client.answer(&header).is_some());
    assert!(start.elapsed() >= Duration::from_millis(80));
    // A delay does not outlive the session.
    rig.host.set("rpc.delay_ms", 3_600_000);
    call();
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    client.close();
}

/// Only a host that does not wait for the card's word finds out.
#[test]
fn early_lists() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(4096).unwrap();
    rig.host.set("dma.early_list", true);
    assert!(client.copy_to_card(card, &[3; 4096]));
    let record = Record {
        header: client.header(COPY_NOW, 0),
        kind: Kind::FromHost,
        source: 0,
        target: card,
        host: 0,
        len: 4096,
    };
    let announce = Control::Transfer {
        kind: COPY_NOW,
        size: 57,
    };
    let list = Control::Pieces(vec![Piece {
        address: 0x1000,
        len: 4096,
    }]);
    for message in [announce.bytes(), record.bytes(), list.bytes()] {
        client.message(0, message);
    }
    rig.host.wait_counter("bulk.lost_lists", 1);
    client.close();
}

#[test]
fn transactions() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(100_000).unwrap();
    let data = vec![3; 100_000];

    rig.host.set("dma.short_list", 999);
    assert!(client.copy_to_card(card, &data));
    assert!(client.copy_from_card(card, 100_000).unwrap() == data);
    rig.host.clear("dma.short_list");

    rig.host.set("dma.wrong_count", true);
    assert!(!client.copy_to_card(card, &data));
    rig.host.clear("dma.wrong_count");

    rig.host.set("dma.stall_ms", 80);
    let start = Instant::now();
    assert!(client.copy_to_card(card, &data));
    assert!(start.elapsed() >= Duration::from_millis(80));
    rig.host.clear("dma.stall_ms");

    rig.host.set("p0.ignore", true);
    client.message(0, Control::Sync(5).bytes());
    rig.host.wait_counter("p0.ignored", 1);
    rig.host.clear("p0.ignore");
    assert!(client.copy_to_card(card, &data));
    client.close();
}

#[test]
fn no_dma_after_the_end_of_a_session() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(4096).unwrap();
    rig.host.set("dma.stall_ms", 3_600_000);
    let copying = {
        let client = client.clone();
        std::thread::spawn(move || client.copy_to_card(card, &[9; 4096]))
    };
    rig.host.wait_counter("copy.to_card", 1);
    std::thread::sleep(SHORT);
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    // The host may give the memory to somebody else now: the copy that was waiting did not happen.
    assert_eq!(rig.host.counter("bulk.pull_bytes"), 0);
    drop(copying);
    client.close();
}

#[test]
fn every_switch_is_described_once() {
    let mut names: Vec<_> = SWITCHES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SWITCHES.len());
    assert!(SWITCHES
        .iter()
        .all(|(name, text)| name.contains('.') && !text.is_empty()));
}
