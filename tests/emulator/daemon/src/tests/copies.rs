// SPDX-License-Identifier: MIT OR Apache-2.0

//! Memory calls and copies: windows, pieces, kinds, and what the host may do wrong.

use std::time::Duration;

use super::client::{Buffers, Client, PLAIN};
use super::Rig;
use crate::protocol::messages::{Control, Piece};
use crate::protocol::record::{Kind, Record, COPY_NOW};
use crate::wire::memory::{Api, RequestBody};
use crate::wire::system;

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31) ^ (i >> 8) as u8 ^ seed)
        .collect()
}

#[test]
fn copies_through_windows_and_pieces() {
    for (card_window, host_window, pieces) in [
        (64 << 10, 64 << 10, 1),
        (64 << 10, 4 << 20, 64),
        (4 << 20, 64 << 10, 4),
        (1 << 20, 1 << 20, 64),
        (4 << 20, 4 << 20, 3),
    ] {
        let rig = Rig::new();
        let client = Client::open(
            &rig,
            21,
            Buffers {
                card_window,
                host_window,
                pieces,
            },
        );
        for (len, offset) in [(1, 0), (4095, 1), ((1 << 20) + 13, 7), (5 << 20, 0)] {
            let card = client.alloc((len + offset) as u32).unwrap();
            let data = pattern(len, pieces as u8);
            assert!(client.copy_to_card(card + offset as u64, &data));
            let back = client.copy_from_card(card + offset as u64, len).unwrap();
            assert!(
                back == data,
                "{len} bytes, windows {card_window} and {host_window}, {pieces} pieces"
            );
            assert_eq!(client.free(card), 0);
        }
        assert!(rig.host.counter("bulk.pull_bytes") > 5 << 20);
        assert_eq!(rig.host.counter("bulk.violations"), 0);
        client.close();
    }
}

#[test]
fn copies_with_bus_addresses_name_the_whole_range() {
    let rig = Rig::new();
    let client = Client::open(
        &rig,
        21,
        Buffers {
            card_window: 64 << 10,
            ..PLAIN
        },
    );
    let len = (3 << 20) + 5;
    let card = client.alloc(len).unwrap();
    let data = pattern(len as usize, 3);
    let (from, to) = (rig.host.map(len as usize), rig.host.map(len as usize));
    rig.host.write(from, &data);
    let record = |kind, source, target| Record {
        header: client.header(COPY_NOW, 0),
        kind,
        source,
        target,
        host: 0,
        len,
    };
    assert!(client.run_record(&record(Kind::FromBus, from, card), &mut []));
    assert!(client.run_record(&record(Kind::ToBus, card, to), &mut []));
    assert!(rig.host.read(to, len as usize) == data);
    client.close();
}

/// The side that takes the data names its window, and that is all.
#[test]
fn copies_of_nothing() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(64).unwrap();
    for address in [card, 0] {
        assert!(client.copy_to_card(address, &[]));
        assert_eq!(client.copy_from_card(address, 0), Some(vec![]));
    }
    assert!(client.copy_to_card(card, &pattern(64, 5)));
    assert_eq!(client.copy_from_card(card, 64), Some(pattern(64, 5)));
    assert_eq!(rig.host.counter("bulk.violations"), 0);
    client.close();
}

#[test]
fn memory_calls() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let (one, two) = (client.alloc(8192).unwrap(), client.alloc(8192).unwrap());
    let call = |api, addr, from, value| {
        let body = RequestBody {
            addr,
            size: Some(8000),
            from: Some(from),
            value: Some(value),
            ..Default::default()
        };
        client.memory(api, body).status
    };
    assert_eq!(call(Api::Set, one, 0, 0x1a5), 0);
    assert_eq!(
        client.copy_from_card(one, 8192).unwrap()[7999..8001],
        [0xa5, 0]
    );
    assert_eq!(call(Api::Cmp, one, two, 0), 0x8030_050c);
    assert_eq!(call(Api::Sync, two, one, 0), 0);
    assert_eq!(call(Api::Cmp, one, two, 0), 0);
    assert_eq!(
        (
            call(Api::Flush, one, 0, 0),
            call(Api::Invalidate, one, 0, 0)
        ),
        (0, 0)
    );
    // Beyond the block, outside of all memory, over its end.
    for bad in [one + 200, 0, u64::MAX - 5] {
        for api in [Api::Set, Api::Flush, Api::Invalidate, Api::Sync, Api::Cmp] {
            assert_eq!(call(api, bad, one, 0), 0x8030_0581, "{api:?} {bad:#x}");
        }
        assert_eq!(call(Api::Sync, one, bad, 0), 0x8030_0581);
    }
    client.close();
}

#[test]
fn kinds_of_memory() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let alloc = |size, cache_type, policy| {
        let body = RequestBody {
            size: Some(size),
            cache_type: Some(cache_type),
            policy: Some(policy),
            ..Default::default()
        };
        let answer = client.memory(Api::Alloc, body);
        (answer.status, answer.addr.unwrap())
    };
    client.alloc(4096).unwrap();
    let mut blocks = Vec::new();
    for cache in [0, 1] {
        for policy in 0..4 {
            let (status, address) = alloc(3 << 19, cache, policy);
            assert_eq!((status, address % 4096), (0, 0), "{cache} {policy}");
            if policy == 3 {
                assert_eq!(address % (2 << 20), 0, "aligned to the size");
            }
            blocks.push(address);
        }
    }
    for address in blocks {
        assert_eq!(client.free(address), 0);
    }
    // The card has room for that, but not at a multiple of 64 MiB.
    assert_eq!(alloc(45 << 20, 0, 3).0, 0);
    assert_eq!(alloc(4096, 2, 0), (0x8030_0503, 0));
    assert_eq!(alloc(4096, 0, 4), (0x8030_0503, 0));
    client.close();
}

#[test]
fn allocation_errors() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    assert_eq!(client.alloc(0), Err(0x8030_0503));
    assert_eq!(client.alloc(u32::MAX), Err(0x8030_0507));
    let block = client.alloc(100).unwrap();
    assert_eq!(client.free(block + 4096), 0x8030_0581);
    assert_eq!(client.free(block + 1), 0x8030_0503);
    assert_eq!((client.free(block), client.free(block)), (0, 0x8030_0581));
    // Neither another session's memory nor the DMA buffers.
    let other = Client::open(&rig, 25, PLAIN);
    assert_eq!(other.free(client.alloc(100).unwrap()), 0x8030_0503);
    assert_eq!(client.free(super::host::CMM_BASE), 0x8030_0503);
    rig.host
        .set("memory.limit_bytes", rig.host.cmm_used() + 4096);
    assert!(client.alloc(4096).is_ok());
    assert_eq!(client.alloc(1), Err(0x8030_0507));
    client.close();
    other.close();
}

#[test]
fn copies_that_fail_say_so_and_leave_the_port_usable() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(8192).unwrap();
    // Card addresses that are not allocated.
    assert!(!client.copy_to_card(card + 4096, &[0; 8192]));
    assert!(client.copy_from_card(0x10, 16).is_none());
    rig.host.wait_counter("bulk.bad_ranges", 2);
    // Host memory that is not mapped.
    let bus = rig.host.map(8192);
    rig.host.unmap(bus);
    let mut record = Record {
        header: client.header(COPY_NOW, 0),
        kind: Kind::FromBus,
        source: bus,
        target: card,
        host: 0,
        len: 8192,
    };
    assert!(!client.run_record(&record, &mut []));
    (record.kind, record.source, record.target) = (Kind::ToBus, card, bus);
    assert!(!client.run_record(&record, &mut []));
    rig.host.wait_counter("bulk.dma_errors", 2);
    assert!(client.copy_to_card(card, &[7; 8192]));
    client.close();
}

#[test]
fn what_the_host_does_wrong_ends_its_transaction() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(8192).unwrap();
    let soon = Duration::from_secs(10);
    let start = |kind, len| {
        let record = Record {
            header: client.header(COPY_NOW, 0),
            kind,
            source: card,
            target: card,
            host: 0,
            len,
        };
        client.message(
            0,
            Control::Transfer {
                kind: COPY_NOW,
                size: 57,
            }
            .bytes(),
        );
        client.message(0, record.bytes());
    };
    let bus = rig.host.map(8192);
    let zero_count = vec![9, 0];
    let too_long = Control::Pieces(vec![Piece {
        address: bus,
        len: 8193,
    }])
    .bytes();
    let mut zero_address = Control::Pieces(vec![Piece { address: 1, len: 1 }]).bytes();
    zero_address[2] = 0;
    for (number, bad) in [
        zero_count,
        too_long,
        zero_address,
        Control::ReadDone(5).bytes(),
        vec![],
    ]
    .into_iter()
    .enumerate()
    {
        start(Kind::FromHost, 8192);
        let window = rig.host.receive(21, soon).unwrap();
        assert!(matches!(Control::parse(&window), Ok(Control::Window(_))));
        client.message(0, bad);
        let done = rig.host.receive(21, soon).unwrap();
        assert_eq!(Control::parse(&done), Ok(Control::ReadDone(0)));
        rig.host.wait_counter("bulk.violations", number as u64 + 1);
    }
    // A push whose window is no window, and one whose end is wrong.
    start(Kind::ToHost, 100);
    client.message(0, Control::TaskDone(1).bytes());
    assert_eq!(
        Control::parse(&rig.host.receive(21, soon).unwrap()),
        Ok(Control::TaskDone(0))
    );
    start(Kind::ToHost, 100);
    client.message(
        0,
        Control::Window(vec![Piece {
            address: bus,
            len: 100,
        }])
        .bytes(),
    );
    assert_eq!(
        Control::parse(&rig.host.receive(21, soon).unwrap()),
        Ok(Control::TaskDone(100))
    );
    client.message(0, Control::ReadDone(99).bytes());
    rig.host.wait_counter("bulk.violations", 7);
    // Records that are none, unknown kinds, stray messages.
    client.message(
        0,
        Control::Transfer {
            kind: COPY_NOW,
            size: 56,
        }
        .bytes(),
    );
    client.message(
        0,
        Control::Transfer {
            kind: COPY_NOW,
            size: 57,
        }
        .bytes(),
    );
    client.message(0, vec![0; 56]);
    client.message(0, vec![200; 17]);
    rig.host.wait_counter("bulk.violations", 10);
    client.message(0, Control::ReadDone(1).bytes());
    rig.host.wait_counter("p0.stray", 1);
    // A new transaction in the middle of another is taken instead of it.
    start(Kind::FromHost, 8192);
    rig.host.receive(21, soon).unwrap();
    start(Kind::ToHost, 100);
    assert_eq!(
        Control::parse(&rig.host.receive(21, soon).unwrap()),
        Ok(Control::ReadDone(0))
    );
    client.message(
        0,
        Control::Window(vec![Piece {
            address: bus,
            len: 100,
        }])
        .bytes(),
    );
    assert_eq!(
        Control::parse(&rig.host.receive(21, soon).unwrap()),
        Ok(Control::TaskDone(100))
    );
    client.message(0, Control::ReadDone(100).bytes());
    assert!(client.copy_to_card(card, &pattern(8192, 1)));
    client.close();
}

#[test]
fn a_host_that_stops_in_the_middle_is_given_up() {
    let rig = Rig::with(crate::Options {
        patience: Duration::from_millis(50),
        ..Default::default()
    });
    let client = Client::open(&rig, 21, PLAIN);
    client.message(
        0,
        Control::Transfer {
            kind: COPY_NOW,
            size: 57,
        }
        .bytes(),
    );
    rig.host.wait_counter("bulk.timeouts", 1);
    let card = client.alloc(64).unwrap();
    assert!(client.copy_to_card(card, &[1; 64]));
    client.close();
}

#[test]
fn long_frames_travel_by_dma_both_ways() {
    let rig = Rig::new();
    let client = Client::open(
        &rig,
        21,
        Buffers {
            card_window: 64 << 10,
            host_window: 1 << 20,
            pieces: 4,
        },
    );
    for len in [0, 900, 996, 1024, 5000, (1 << 20) + 1] {
        let data = pattern(len, 9);
        let echo = system::request_body::Kind::Latency(system::Latency { data: data.clone() });
        let answer = client.system(system::Module::Latency, echo);
        let system::response_body::Kind::Latency(answer) = answer else {
            panic!("{answer:?}");
        };
        assert!(answer.data == data, "{len}");
    }
    // Longer than the card takes.
    let max = crate::Options::default().max_frame;
    client.message(
        0,
        Control::Transfer {
            kind: 0x0001_0000,
            size: max + 1,
        }
        .bytes(),
    );
    let soon = Duration::from_secs(10);
    assert!(matches!(
        Control::parse(&rig.host.receive(21, soon).unwrap()),
        Ok(Control::Window(_))
    ));
    client.message(
        0,
        Control::Pieces(vec![Piece { address: 8, len: 8 }]).bytes(),
    );
    assert_eq!(
        Control::parse(&rig.host.receive(21, soon).unwrap()),
        Ok(Control::ReadDone(0))
    );
    // A short one as the next message, and one that is not what was announced.
    let header = client.header(0x0001_0000, 0);
    let kind = system::request_body::Kind::Latency(system::Latency { data: vec![5; 5] });
    let frame = client.system_frame(&header, system::Module::Latency, kind);
    let size = frame.len() as u32;
    client.message(
        0,
        Control::Transfer {
            kind: header.kind,
            size,
        }
        .bytes(),
    );
    client.message(0, frame.clone());
    assert!(client.answer(&header).is_some());
    client.message(
        0,
        Control::Transfer {
            kind: header.kind + 1,
            size,
        }
        .bytes(),
    );
    client.message(0, frame);
    rig.host.wait_counter("bulk.violations", 2);
    client.close();
}
