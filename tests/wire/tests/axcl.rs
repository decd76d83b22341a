// SPDX-License-Identifier: MIT OR Apache-2.0

//! The AXCL ABI: layouts against the offsets of the specification, ids, reach, transfers looked on.

use ax650_wire_tests::wire::{
    axcl::{
        flow::{Flow, FromHost, Through},
        host::{self, BootFailure, Location, PidList, Status},
        ids::Ids,
        mmb::{self, Wanted},
        msg, p2p,
        reach::{covered, overlap},
    },
    frame::COPY,
    transfer::{encode_list, ListKind, Transfer, MAX_LIST},
};
use proptest::prelude::*;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// `_IOC(direction, type, number, size)` of the generic encoding.
fn code(direction: u32, ty: u8, number: u32, size: usize) -> u32 {
    (direction << 30) | ((size as u32) << 16) | (u32::from(ty) << 8) | number
}

#[test]
fn request_codes() {
    const W: u32 = 1;
    const R: u32 = 2;
    assert_eq!(host::CONTROL, code(R | W, b'A', 1, 40));
    assert_eq!(host::STATUS, code(R, b'A', 2, host::STATUS_SIZE));
    assert_eq!(host::LIST, code(R | W, b'A', 4, host::LIST_SIZE));
    assert_eq!(host::WAKE, code(R | W, b'A', 5, 40));
    assert_eq!(host::RESET, code(R | W, b'A', 6, 40));
    assert_eq!(host::REBOOT, code(R | W, b'A', 7, 40));
    assert_eq!(host::BUS_INFO, code(R | W, b'A', 8, host::BUS_INFO_SIZE));
    assert_eq!(host::PID_COUNT, code(R | W, b'A', 9, host::PID_COUNT_SIZE));
    assert_eq!(host::PID_LIST, code(R | W, b'A', 10, host::PID_LIST_SIZE));
    assert_eq!(mmb::ALLOC, code(R | W, b'H', 4, mmb::SINGLE_SIZE));
    assert_eq!(mmb::ALLOC_CACHED, code(R | W, b'H', 5, mmb::SINGLE_SIZE));
    assert_eq!(mmb::FLUSH, code(W, b'H', 6, mmb::SINGLE_SIZE));
    assert_eq!(mmb::INVALIDATE, code(W, b'H', 7, mmb::SINGLE_SIZE));
    assert_eq!(mmb::ALLOC_SCATTER, code(W, b'H', 8, mmb::SCATTER_SIZE));
}

#[test]
fn status_and_list() {
    let mut map = [0; host::STATUS_SIZE];
    let cards = [(3, Status::Alive), (7, Status::Dead), (1000, Status::Alive)];
    host::status_map(cards.into_iter(), &mut map);
    for id in 0..256 {
        let wanted = match id {
            3 => 1,
            7 => 0,
            _ => u32::MAX,
        };
        assert_eq!(u32_at(&map, 4 * id), wanted, "id {id}");
    }
    let mut list = [0xAA; host::LIST_SIZE];
    host::list([3, 7].into_iter(), &mut list);
    assert_eq!((u32_at(&list, 0), u32_at(&list, 4)), (0, 2));
    assert_eq!((u32_at(&list, 8), u32_at(&list, 12)), (3, 7));
    assert!(list[16..].iter().all(|&byte| byte == 0), "entries beyond");
    host::list(0..300, &mut list);
    assert_eq!(u32_at(&list, 4), 256);
    assert_eq!(u32_at(&list, 1028), 255);
}

#[test]
fn bus_info_and_pids() {
    let mut bytes = [9; host::BUS_INFO_SIZE];
    let location = Location {
        domain: 1,
        slot: 2,
        function: 3,
    };
    host::bus_info(location, &mut bytes);
    assert_eq!(bytes[..4], [9; 4]);
    let words = [4, 8, 12].map(|at| u32_at(&bytes, at));
    assert_eq!(words, [1, 2, 3]);
    let mut bytes = [0; host::PID_LIST_SIZE];
    bytes[0] = 5;
    bytes[4] = 6;
    bytes[15] = 0x80;
    let wanted = PidList {
        device: 5,
        capacity: 6,
        user: 0x80 << 56,
    };
    assert_eq!(PidList::parse(&bytes), Some(wanted));
}

#[test]
fn results_of_a_boot() {
    assert_eq!(BootFailure::NoFile.code(), -2);
    assert_eq!(BootFailure::ChunkTimeout.code(), -2);
    assert_eq!(BootFailure::ChunkFailed.code(), -14);
    assert_eq!(BootFailure::Other.code(), -1);
}

#[test]
fn ids_are_unique() {
    assert_eq!(Ids::new([].into_iter()).choose(1), Some(1));
    assert_eq!(Ids::new([1].into_iter()).choose(1), Some(255));
    assert_eq!(Ids::new([1, 255].into_iter()).choose(1), Some(254));
    assert_eq!(Ids::new([].into_iter()).choose(0), Some(255), "the host's");
    assert_eq!(Ids::new([].into_iter()).choose(300), Some(255));
    assert_eq!(Ids::new(1..256).choose(7), None);
}

#[test]
fn message_arguments() {
    let mut bytes = [0; msg::SIZE];
    msg::init(&mut bytes);
    assert_eq!((u32_at(&bytes, 0), u32_at(&bytes, 4)), (u32::MAX, 129));
    assert!(bytes[8..].iter().all(|&byte| byte == 0xFF));
    assert_eq!(msg::target(&bytes), None);
    msg::put_remotes([3, 5].into_iter(), &mut bytes);
    let words = [8, 12, 16].map(|at| u32_at(&bytes, at));
    assert_eq!(words, [3, 5, u32::MAX]);
    let target = |device: i32, port: i32| {
        let mut bytes = [0; msg::SIZE];
        bytes[..4].copy_from_slice(&device.to_le_bytes());
        bytes[4..8].copy_from_slice(&port.to_le_bytes());
        msg::target(&bytes)
    };
    assert_eq!(target(1, 21), Some((1, 21)));
    assert_eq!(target(255, 127), Some((255, 127)));
    for (device, port) in [(0, 21), (256, 21), (-1, 21), (1, 128), (1, -5)] {
        assert_eq!(target(device, port), None, "{device} {port}");
    }
}

#[test]
fn memory_arguments() {
    let mut bytes = [0; mmb::SINGLE_SIZE];
    bytes[0] = 1;
    bytes[8] = 2;
    let wanted = Wanted { device: 1, size: 2 };
    assert_eq!(Wanted::single(&bytes), Some(wanted));
    let mut bytes = [0x55; mmb::SCATTER_SIZE];
    let pieces = [(0x1000, 0x2000), (0x8000, 0x1000)];
    mmb::scatter(pieces.into_iter(), 0x2800, &mut bytes).unwrap();
    assert_eq!(u32_at(&bytes, 8), 2);
    assert_eq!((u32_at(&bytes, 16), u64_at(&bytes, 24)), (0x2000, 0x1000));
    assert_eq!((u32_at(&bytes, 40), u64_at(&bytes, 48)), (0x800, 0x8000));
    assert_eq!(bytes[32..40], [0x55; 8], "virtual address");
    assert_eq!(bytes[64..], [0x55; mmb::SCATTER_SIZE - 64]);
    // A last piece that is not needed is not mentioned.
    mmb::scatter(pieces.into_iter(), 0x2000, &mut bytes).unwrap();
    assert_eq!(u32_at(&bytes, 8), 1);
    assert_eq!(mmb::scatter(pieces.into_iter(), 0x3001, &mut bytes), None);
    let many = (1..=65).map(|n| (n << 12, 0x1000));
    assert_eq!(mmb::scatter(many.clone(), 65 << 12, &mut bytes), None);
    mmb::scatter(many, 64 << 12, &mut bytes).unwrap();
    assert_eq!(u32_at(&bytes, 8), 64);
    assert_eq!(u64_at(&bytes, 16 + 63 * 24 + 8), 64 << 12);
}

#[test]
fn peers() {
    let card = |device| p2p::Entry {
        device,
        bar0: 0xb600_0008,
        bar1: 0xb690_0008,
        bar0_size: 0x80_0000,
    };
    let mut table = [0xAA; p2p::TABLE_SIZE];
    p2p::table(&[card(3)], &mut table);
    assert_eq!((u32_at(&table, 0), u32_at(&table, 8)), (1, 3));
    assert_eq!(u64_at(&table, 16), 0xb600_0000);
    assert_eq!(u64_at(&table, 24), 0xb690_0008);
    assert_eq!((u64_at(&table, 32), u64_at(&table, 40)), (0, 0x80_0000));
    assert!(table[48..].iter().all(|&byte| byte == 0));
    let nine: Vec<_> = (1..=9).map(card).collect();
    p2p::table(&nine, &mut table);
    assert_eq!((u32_at(&table, 0), u32_at(&table, 288)), (8, 8));
}

#[test]
fn reach() {
    let pieces = [(0x4000, 0x1000), (0x1000, 0x1000), (0x2000, 0x1000)];
    let covered = |address, length| covered(|| pieces.into_iter(), address, length);
    assert!(covered(0x1000, 0x2000));
    assert!(covered(0x1fff, 2));
    assert!(covered(0x4fff, 1));
    assert!(!covered(0xfff, 2));
    assert!(!covered(0x2fff, 2));
    assert!(!covered(0x4fff, 2));
    assert!(!covered(u64::MAX, 2));
    assert!(!covered(0x1000, u32::MAX));
}

proptest! {
    #[test]
    fn reach_is_that_of_each_byte(
        pieces in prop::collection::vec((0_u64..40, 0_u32..10), 0..6),
        address in 0_u64..50,
        length in 1_u32..12,
    ) {
        let has = |at| pieces.iter().any(|&(bus, len)| (bus..bus + u64::from(len)).contains(&at));
        let all = (address..address + u64::from(length)).all(has);
        prop_assert_eq!(covered(|| pieces.iter().copied(), address, length), all);
    }

    #[test]
    fn overlaps_are_what_both_have(a in (0_u64..40, 0_u32..10), b in (0_u64..40, 0_u32..10)) {
        let has = |r: (u64, u32), at| (r.0..r.0 + u64::from(r.1)).contains(&at);
        let both: Vec<u64> = (0..60).filter(|&at| has(a, at) && has(b, at)).collect();
        let found = overlap(a, b).map_or(0..0, |(bus, len)| bus..bus + u64::from(len));
        prop_assert_eq!(found.collect::<Vec<_>>(), both);
        prop_assert_eq!(overlap((u64::MAX, u32::MAX), (u64::MAX, 1)), None);
    }

    #[test]
    fn looking_on_never_fails(messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 0..50)) {
        for mut flow in [Flow::default(), Flow::besides()] {
            for (host, message) in &messages {
                if !host {
                    flow.received(message);
                } else if let Ok(kind) = flow.look(message) {
                    flow.sent(&kind);
                }
            }
        }
    }
}

fn list(kind: ListKind) -> Vec<u8> {
    let mut out = [0; MAX_LIST];
    let len = encode_list(kind, &[(0x1000, 0x100)], &mut out).unwrap();
    out[..len].to_vec()
}

fn send(flow: &mut Flow, message: &[u8]) {
    let kind = flow.look(message).unwrap();
    flow.sent(&kind);
}

fn message(transfer: Transfer<'_>) -> [u8; 17] {
    transfer.encode().unwrap()
}

/// The card takes two chunks.
#[test]
fn a_pull() {
    let mut flow = Flow::default();
    send(
        &mut flow,
        &message(Transfer::Request {
            frame_type: 1,
            size: 0x200,
        }),
    );
    assert!(
        flow.received(&list(ListKind::Sglist)).is_none(),
        "the card's own memory"
    );
    assert!(!flow.is_exposed());
    for _ in 0..2 {
        send(&mut flow, &list(ListKind::Linked));
        assert!(flow.is_exposed());
        let done = flow.received(&message(Transfer::ReadDone { bytes: 0x100 }));
        assert_eq!(done, Some(Through::Read(0x100)));
        assert!(!flow.is_exposed());
    }
}

/// The card gives two chunks, in a transaction of its own.
#[test]
fn a_push() {
    let mut flow = Flow::default();
    flow.received(&message(Transfer::Request {
        frame_type: 1,
        size: 0x180,
    }));
    send(&mut flow, &list(ListKind::Sglist));
    assert!(flow.is_exposed());
    let wrote = |flow: &mut Flow, bytes| flow.received(&message(Transfer::TaskDone { bytes }));
    assert_eq!(wrote(&mut flow, 0x100), Some(Through::Wrote(0x100)));
    send(&mut flow, &message(Transfer::ReadDone { bytes: 0x100 }));
    assert!(flow.is_exposed(), "there is more");
    assert_eq!(wrote(&mut flow, 0x80), Some(Through::Wrote(0x80)));
    send(&mut flow, &message(Transfer::ReadDone { bytes: 0x80 }));
    assert!(!flow.is_exposed(), "that was all");
}

/// A copy from the card, of which the record tells the size.
#[test]
fn a_copy() {
    let mut flow = Flow::default();
    send(
        &mut flow,
        &message(Transfer::Request {
            frame_type: COPY,
            size: 57,
        }),
    );
    let mut record = [0; 57];
    record[..4].copy_from_slice(&COPY.to_le_bytes());
    record[53..].copy_from_slice(&0x200_u32.to_le_bytes());
    assert_eq!(flow.look(&record), Ok(FromHost::Copies(0x200)));
    send(&mut flow, &record);
    send(&mut flow, &list(ListKind::Sglist));
    let wrote = |flow: &mut Flow, bytes| flow.received(&message(Transfer::TaskDone { bytes }));
    assert_eq!(wrote(&mut flow, 0x100), Some(Through::Wrote(0x100)));
    send(&mut flow, &message(Transfer::ReadDone { bytes: 0x100 }));
    assert!(flow.is_exposed());
    assert_eq!(wrote(&mut flow, 0), Some(Through::Wrote(0)), "it failed");
    send(&mut flow, &message(Transfer::ReadDone { bytes: 0 }));
    assert!(!flow.is_exposed());
}

/// What the card might take for a list must be one.
#[test]
fn sloppy_lists() {
    let flow = Flow::default();
    let mut longer = list(ListKind::Linked);
    longer.push(0);
    assert!(flow.look(&longer).is_err());
    assert!(flow.look(&[8]).is_err());
    assert!(flow.look(&[9, 0]).is_err());
    assert_eq!(flow.look(b""), Ok(FromHost::Plain));
    assert_eq!(flow.look(&[7; 100]), Ok(FromHost::Plain));
}

/// On ports that a program has besides its four, short data follows its announcement as it is.
#[test]
fn data_of_programs_on_the_card() {
    let mut flow = Flow::besides();
    let announce = |size| {
        message(Transfer::Request {
            frame_type: 0x0909_0909,
            size,
        })
    };
    let named = list(ListKind::Linked);
    // 1023 bytes are data, though they look like a list; what comes after them is one.
    send(&mut flow, &announce(1023));
    assert_eq!(flow.look(&named), Ok(FromHost::Plain));
    send(&mut flow, &named);
    assert!(!flow.is_exposed());
    send(&mut flow, &announce(1024));
    send(&mut flow, &named);
    assert!(flow.is_exposed(), "longer data is fetched");
    let done = flow.received(&message(Transfer::ReadDone { bytes: 0x100 }));
    assert_eq!(done, Some(Through::Read(0x100)));
    // What is no list need not be one.
    assert_eq!(flow.look(&[8; 100]), Ok(FromHost::Plain));
    // The card's short data is no word about ours.
    send(&mut flow, &named);
    assert_eq!(flow.received(&announce(17)), Some(Through::Over));
    send(&mut flow, &named);
    let data = message(Transfer::ReadDone { bytes: 1 });
    assert_eq!(flow.received(&data), None);
    assert_eq!(flow.received(&data), Some(Through::Read(1)));
}
