// SPDX-License-Identifier: MIT OR Apache-2.0

//! POOL and SYS calls.

mod common;

use common::{n32, n64, record, u32_at, u64_at, Card, Client, SYS};

fn config(block: u64, count: u32, meta: u64) -> Vec<u8> {
    let mut bytes = record(96, &[(16, count)]);
    bytes[..8].copy_from_slice(&n64(meta));
    bytes[8..16].copy_from_slice(&n64(block));
    bytes[28..37].copy_from_slice(b"anonymous");
    bytes
}

/// A call that returns a 4 byte value.
fn value(client: &Client, api: u32, args: &[&[u8]]) -> u32 {
    client.status(SYS, api, args)
}

/// A call that returns an 8 byte value.
fn wide(client: &Client, api: u32, args: &[&[u8]]) -> u64 {
    u64_at(&client.call(SYS, api, args)[0], 0)
}

/// Pool, block and address of the worked example in [rpc 9].
#[test]
fn worked_example() {
    let card = Card::new();
    let client = card.client(21);
    let pool = value(&client, 45, &[&config(0x7_0800, 10, 512)]);
    assert_eq!(pool, 1);
    let block = value(&client, 47, &[&n32(pool), &n64(0x7_0800), &[]]);
    assert_eq!(block, 0x5e00_0001);
    let phys = wide(&client, 50, &[&n32(block)]);
    assert_eq!(phys, ax650_emu_api::Dram::BASE);
    // The same number as the card's virtual address.
    assert_eq!(wide(&client, 56, &[&n32(block)]), phys);
    let meta = wide(&client, 51, &[&n32(block)]);
    assert!(meta >= phys + 10 * 0x7_0800);
    assert_eq!(wide(&client, 57, &[&n32(block)]), meta);
    assert_eq!(value(&client, 49, &[&n64(phys + 0x7_07ff)]), block);
    assert_eq!(value(&client, 52, &[&n32(block)]), pool);
    assert_eq!(wide(&client, 53, &[&n32(block)]), 0x7_0800);
    assert_eq!(value(&client, 54, &[&n32(pool)]), 0);
    assert_eq!(value(&client, 55, &[&n32(pool)]), 0);
}

#[test]
fn reference_counts() {
    let card = Card::new();
    let client = card.client(21);
    let pool = value(&client, 45, &[&config(4096, 2, 0)]);
    let get = || value(&client, 47, &[&n32(pool), &n64(1), b"anonymous\0"]);
    let (a, b) = (get(), get());
    assert_ne!(a, b);
    assert_eq!(get(), 0, "the pool is empty");
    assert_eq!(
        value(&client, 46, &[&n32(pool)]),
        0x800b_0111,
        "blocks in use"
    );
    client.ok(SYS, 58, &[&n32(a)]);
    client.ok(SYS, 48, &[&n32(a)]);
    assert_eq!(get(), 0, "one user is left");
    client.ok(SYS, 59, &[&n32(a)]);
    assert_eq!(
        value(&client, 48, &[&n32(a)]),
        0x800b_0117,
        "given back before"
    );
    assert_eq!(wide(&client, 50, &[&n32(a)]), 0);
    assert_eq!(get(), a);
    client.ok(SYS, 48, &[&n32(a)]);
    client.ok(SYS, 48, &[&n32(b)]);
    client.ok(SYS, 46, &[&n32(pool)]);
    assert_eq!(value(&client, 46, &[&n32(pool)]), 0x800b_0117);
    assert_eq!(card.link.cmm_used(), 0);
}

#[test]
fn failures_have_the_values_of_the_notes() {
    let card = Card::with_memory(1 << 20);
    let client = card.client(21);
    for bad in [
        config(0, 1, 0),
        config(4096, 0, 0),
        config(4096, 1025, 0),
        config(1 << 20, 2, 0),
        config(u64::MAX, 2, u64::MAX),
        config(u64::MAX / 2, 2, 0),
        vec![0; 95],
    ] {
        assert_eq!(value(&client, 45, &[&bad]), 0xffff_ffff);
    }
    let pool = value(&client, 45, &[&config(4096, 1, 0)]);
    assert_eq!(value(&client, 47, &[&n32(pool), &n64(4097), &[]]), 0);
    assert_eq!(value(&client, 47, &[&n32(pool + 1), &n64(1), &[]]), 0);
    let block = value(&client, 47, &[&n32(pool), &n64(4096), &[]]);
    assert_ne!(block, 0);
    // Another session's.
    let other = card.client(25);
    assert_eq!(value(&other, 52, &[&n32(block)]), 0xffff_ffff);
    assert_eq!(value(&other, 48, &[&n32(block)]), 0x800b_0117);
    assert_eq!(value(&other, 46, &[&n32(pool)]), 0x800b_0117);
    assert_eq!(value(&other, 47, &[&n32(pool), &n64(1), &[]]), 0);
}

#[test]
fn common_pools() {
    let card = Card::new();
    let client = card.client(21);
    assert_eq!(value(&client, 43, &[]), 0x800b_0113, "no configuration");
    let mut plan = config(4096, 1, 0);
    plan.extend(config(8192, 1, 0));
    plan.resize(6144, 0);
    client.ok(SYS, 41, &[&plan]);
    assert_eq!(client.ok(SYS, 42, &[]), [plan.clone()]);
    client.ok(SYS, 43, &[]);
    assert_eq!(value(&client, 41, &[&plan]), 0x800b_0115);
    let any = n32(u32::MAX);
    let get = |size: u64| value(&client, 47, &[&any, &n64(size), &[]]);
    let large = get(5000);
    assert_eq!(wide(&client, 53, &[&n32(large)]), 8192);
    assert_eq!(get(5000), 0);
    assert_ne!(get(4096), 0);
    client.ok(SYS, 44, &[]);
    assert_eq!(card.link.cmm_used(), 0);
}

#[test]
fn memory() {
    let card = Card::with_memory(1 << 20);
    let client = card.client(21);
    let alloc = |size: u32, align: u32| {
        let args: [&[u8]; 4] = [&n64(0), &n32(size), &n32(align), b"name\0"];
        let out = client.call(SYS, 2, &args);
        (u32_at(&out[0], 0), u64_at(&out[1], 0))
    };
    let (code, a) = alloc(5000, 0);
    assert_eq!(code, 0);
    assert_eq!(client.ok(SYS, 12, &[&n64(a)])[1], n64(a));
    let info = client.ok(SYS, 12, &[&n64(a + 100)]);
    assert_eq!((u64_at(&info[1], 0), u32_at(&info[2], 0)), (a, 8192));
    assert_eq!(client.ok(SYS, 13, &[&n64(a)])[0], n64(a));
    assert_eq!(wide(&client, 5, &[&n64(a), &n32(5000)]), a);
    assert_eq!(
        wide(&client, 5, &[&n64(a), &n32(9000)]),
        0,
        "beyond the block"
    );
    client.ok(SYS, 10, &[&n64(a), &n64(a), &n32(10)]);
    let (code, b) = alloc(4096, 65536);
    assert_eq!((code, b % 65536), (0, 0));
    assert_eq!(alloc(0, 0).0, 0x800b_010a);
    assert_eq!(alloc(4096, 3).0, 0x800b_010a);
    assert_eq!(alloc(1 << 30, 0).0, 0x800b_0118);
    let status = client.ok(SYS, 17, &[]).remove(0);
    assert_eq!((u32_at(&status, 0), u32_at(&status, 8)), (1024, 2));
    assert_eq!(
        u32_at(&status, 4),
        1024 - (card.link.cmm_used() / 1024) as u32
    );
    let partitions = client.ok(SYS, 14, &[]).remove(0);
    assert_eq!(partitions, status[16..]);
    assert_eq!(u64_at(&partitions, 8), ax650_emu_api::Dram::BASE);
    assert_eq!(&partitions[20..30], b"anonymous\0");
    let other = card.client(25);
    assert_eq!(value(&other, 4, &[&n64(a), &n64(a)]), 0x800b_0117);
    client.ok(SYS, 4, &[&n64(a), &n64(a)]);
    client.ok(SYS, 4, &[&n64(b), &n64(b)]);
    assert_eq!(
        value(&client, 4, &[&n64(a), &n64(a)]),
        0x800b_0117,
        "freed before"
    );
    assert_eq!(card.link.cmm_used(), 0);
}

/// The tables that the card's tool shows as they are.
#[test]
fn every_table_has_a_text() {
    let card = Card::new();
    for name in [
        "vdec",
        "venc",
        "jenc",
        "ivps",
        "rgn",
        "ive",
        "pool",
        "link_table",
    ] {
        assert!(card.media.proc_text(name).contains("-----"), "{name}");
    }
}

#[test]
fn time_stamps() {
    let card = Card::new();
    let client = card.client(21);
    let now = || u64_at(&client.ok(SYS, 71, &[])[0], 0);
    let a = now();
    assert!(now() >= a);
    client.ok(SYS, 72, &[&n64(5_000_000_000)]);
    assert!((5_000_000_000..5_060_000_000).contains(&now()));
    assert_eq!(value(&client, 81, &[]), 2);
}
