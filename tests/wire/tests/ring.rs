// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ring arithmetic and message headers.

use ax650_wire_tests::wire::{
    header::{Header, HeaderError, MAX_PAYLOAD},
    ring::{free, padded, pending, Geometry, Ring, RingError},
};
use proptest::prelude::*;

fn standard() -> Geometry {
    Geometry::new(0x40_0000).unwrap()
}

#[test]
fn geometry_of_the_standard_region() {
    let ring = |start, size, rp_at, wp_at| Ring {
        start,
        size,
        rp_at,
        wp_at,
    };
    assert_eq!(standard().h2c, ring(0x80, 0x1F_FEC0, 0x40, 0x60));
    assert_eq!(
        standard().c2h,
        ring(0x20_0080, 0x1F_FE40, 0x20_0040, 0x20_0060)
    );
    assert_eq!(standard().h2c.zeroed(), (0x40, 0x1F_FEC0));
    assert_eq!(standard().c2h.zeroed(), (0x20_0040, 0x1F_FE40));
}

#[test]
fn only_regions_that_work_have_a_geometry() {
    for size in [
        0,
        64,
        0x800,
        0x1000 - 64,
        0x40_0040,
        0x3F_FFFF,
        0x20_0020,
        u32::MAX,
    ] {
        assert_eq!(Geometry::new(size), None, "0x{size:x}");
    }
    for size in [0x1000, 0x3F_FFC0, 0x40_0000] {
        assert!(Geometry::new(size).is_some(), "0x{size:x}");
    }
}

#[test]
fn padding_table_of_the_notes() {
    let table = [
        (1, 64),
        (7, 64),
        (8, 96),
        (9, 96),
        (40, 128),
        (100, 160),
        (128, 192),
        (4096, 4160),
        (393_215, 393_280),
    ];
    for (length, total) in table {
        assert_eq!(padded(length), total, "{length}");
    }
    assert_eq!(padded(u32::MAX) % 32, 31, "saturates, does not wrap");
}

/// Six messages of the greatest length, [pcie 4.5].
#[test]
fn long_messages_wrap_where_the_notes_say() {
    let ring = standard().h2c;
    let mut wp = 0u64;
    let mut starts = Vec::new();
    let mut last = None;
    for _ in 0..6 {
        let placement = ring.place(wp, MAX_PAYLOAD).unwrap();
        starts.push(placement.header_at - ring.start);
        wp += u64::from(placement.advance);
        last = Some(placement);
    }
    assert_eq!(
        starts,
        [0, 0x6_0040, 0xC_0080, 0x12_00C0, 0x18_0100, 0x1E_0140]
    );
    let last = last.unwrap();
    assert_eq!((last.first_len, last.second_len), (130_408, 262_807));
    assert_eq!(last.second_at, ring.start);
    assert_eq!(wp, 0x24_0180);
    assert_eq!(ring.header_at(wp) - ring.start, 0x4_02C0);
}

/// Cannot occur in a standard region, but is protocol.
#[test]
fn header_is_not_split() {
    let ring = Ring {
        start: 0x80,
        size: 1000,
        rp_at: 0x40,
        wp_at: 0x60,
    };
    // 40 bytes of tail: header and 16 bytes, the rest at the front.
    let placement = ring.place(960, 100).unwrap();
    assert_eq!((placement.header_at, placement.first_at), (1088, 1112));
    assert_eq!((placement.first_len, placement.second_len), (16, 84));
    assert_eq!(placement.advance, 160);
    // 24 bytes: only the header fits.
    let placement = ring.place(976, 100).unwrap();
    assert_eq!((placement.header_at, placement.first_len), (1104, 0));
    assert_eq!((placement.second_at, placement.second_len), (0x80, 100));
    // 23 bytes: skipped.
    let placement = ring.place(977, 100).unwrap();
    assert_eq!((placement.header_at, placement.first_at), (0x80, 0x80 + 24));
    assert_eq!((placement.first_len, placement.second_len), (100, 0));
    assert_eq!(placement.advance, 160 + 23);
    assert_eq!(ring.header_at(977), 0x80);
    // Too long for the ring.
    assert_eq!(ring.place(0, 2000), None);
    assert_eq!(ring.place(0, MAX_PAYLOAD + 1), None);
    assert_eq!(ring.place(0, u32::MAX), None);
}

#[test]
fn pointers_are_checked() {
    let size = standard().c2h.size;
    assert_eq!(pending(0, 0, size), Ok(0));
    assert_eq!(pending(64, 128, size), Ok(64));
    assert_eq!(pending(0, size.into(), size), Ok(size));
    assert_eq!(free(size.into(), 0, size), Ok(0));
    assert_eq!(free(96, 32, size), Ok(size - 64));
    // Free-running pointers may pass the end of 64 bits.
    assert_eq!(pending(u64::MAX - 31, 32, size), Ok(64));
    assert_eq!(pending(u64::MAX, 0, size), Err(RingError::Dead));
    assert_eq!(pending(0, u64::MAX, size), Err(RingError::Dead));
    for (rp, wp) in [
        (0, u64::from(size) + 32),
        (64, 32),
        (0, 1 << 32),
        (0, 33),
        (16, 32),
    ] {
        assert!(
            matches!(pending(rp, wp, size), Err(RingError::Corrupt { .. })),
            "{rp} {wp}"
        );
    }
}

#[test]
fn headers() {
    let header = Header {
        port: 23,
        length: 100,
    };
    let raw = header.encode(7);
    assert_eq!(
        raw,
        [7, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0x65, 0x0A, 0, 0]
    );
    assert_eq!(Header::parse(&raw, 160), Ok(header));
    assert_eq!(
        Header::parse(&raw, 128),
        Err(HeaderError::Beyond {
            total: 160,
            available: 128
        })
    );
    assert_eq!(Header::skip(&raw, 4096), 160);
    assert_eq!(Header::skip(&raw, 128), 128);

    let mut changed = raw;
    changed[20] = 0;
    assert_eq!(
        Header::parse(&changed, 4096),
        Err(HeaderError::Check(0xA00))
    );
    assert_eq!(Header::skip(&changed, 4096), 160);
    let mut changed = raw;
    changed[8] = 128;
    assert_eq!(Header::parse(&changed, 4096), Err(HeaderError::Port(128)));
    for length in [0u32, 0x6_0000, u32::MAX] {
        let mut changed = raw;
        changed[16..20].copy_from_slice(&length.to_le_bytes());
        assert_eq!(
            Header::parse(&changed, u32::MAX),
            Err(HeaderError::Length(length))
        );
    }
    // The 1 MiB header that stops Axera's driver costs what was written, and no more.
    let mut changed = raw;
    changed[16..20].copy_from_slice(&0x10_0000u32.to_le_bytes());
    assert_eq!(Header::skip(&changed, 96), 96);
}

proptest! {
    #[test]
    fn messages_stay_in_the_ring(
        n in (0x1000u32 / 64..=0x40_0000 / 64).prop_map(|n| n * 64),
        position in any::<u64>(),
        len in 1u32..0x6_0000,
    ) {
        let geometry = Geometry::new(n).unwrap();
        prop_assert!(geometry.h2c.start + geometry.h2c.size <= geometry.c2h.rp_at);
        prop_assert!(geometry.c2h.start + geometry.c2h.size <= n);
        for ring in [geometry.h2c, geometry.c2h] {
            let end = ring.start + ring.size;
            let Some(p) = ring.place(position & !31, len) else {
                prop_assert!(padded(len) > ring.size);
                continue;
            };
            prop_assert!(p.header_at >= ring.start && p.header_at + 24 <= end);
            prop_assert_eq!(p.first_at, p.header_at + 24);
            prop_assert!(p.first_at + p.first_len <= end);
            prop_assert_eq!(p.first_len + p.second_len, len);
            prop_assert!(p.second_len == 0 || p.first_at + p.first_len == end);
            prop_assert!(p.second_at == ring.start && p.second_len <= ring.size);
            prop_assert_eq!(p.advance % 32, 0);
            prop_assert!(p.advance >= len + 24 + 33 && p.advance <= len + 24 + 64);
            prop_assert_eq!(p.header_at, ring.header_at(position & !31));
        }
    }

    /// What a producer writes a consumer finds, through many laps, in rings of any size.
    #[test]
    fn producer_and_consumer_agree(
        size in 600u32..3000,
        lengths in prop::collection::vec(1u32..200, 1..60),
    ) {
        let ring = Ring { start: 0, size, rp_at: 0, wp_at: 0 };
        let mut memory = vec![0u8; size as usize];
        let (mut wp, mut rp) = (0u64, 0u64);
        for (n, &length) in lengths.iter().enumerate() {
            let payload: Vec<u8> = (0..length).map(|i| (i as usize + n) as u8).collect();
            let p = ring.place(wp, length).unwrap();
            let header = Header { port: 21, length };
            memory[p.header_at as usize..][..24].copy_from_slice(&header.encode(1));
            let (first, second) = payload.split_at(p.first_len as usize);
            memory[p.first_at as usize..][..first.len()].copy_from_slice(first);
            memory[p.second_at as usize..][..second.len()].copy_from_slice(second);
            wp += u64::from(p.advance);

            let raw = memory[ring.header_at(rp) as usize..][..24].try_into().unwrap();
            let header = Header::parse(&raw, (wp - rp) as u32).unwrap();
            prop_assert_eq!(header.length, length);
            let p = ring.place(rp, header.length).unwrap();
            let mut found = memory[p.first_at as usize..][..p.first_len as usize].to_vec();
            found.extend(&memory[p.second_at as usize..][..p.second_len as usize]);
            prop_assert_eq!(found, payload);
            rp += u64::from(p.advance);
            prop_assert_eq!(rp, wp);
        }
    }
}
