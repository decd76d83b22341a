// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/ax_mmb_dev` (7).

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::{Context, HIGH_MEMORY, NONCOHERENT, SWIOTLB, USUAL};
use ax650_test_kit::guarded::Guarded;
use ax650_test_kit::kernel::page_size;
use ax650_test_kit::process::{self, End};

use super::support::{canary, card, ready, refused, within};
use crate::client::{pattern, Device};
use crate::node::buffer::{
    list_argument, pieces_of, BufferNode, Single, ALLOCATE, ALLOCATE_CACHED, FLUSH, INVALIDATE,
    LIST, PIECES, POOL, SCATTER, SINGLE,
};
use crate::node::get32;

ax650_test_kit::cases!["axcl_abi":
    S7_2_contiguous,
    S7_2_scatter,
    S7_2_scatter_failures,
    S7_2_other_requests,
    S7_2_bad_pointers,
    S7_2_no_read_write_poll,
    S7_3_one_buffer_for_each_file,
    S7_3_pages_are_zeroed,
    S7_3_memory_comes_back { timeout_s: 120 },
    S7_3_largest_list { timeout_s: 90 },
    S7_4_mmap,
    S7_4_mapping_outlives_the_file,
    S7_4_pieces_are_the_mapping {
        machines: &[USUAL, HIGH_MEMORY, SWIOTLB, NONCOHERENT], timeout_s: 90,
    },
    S7_5_cache_requests,
];

/// Nr 4 and 5: in id and size, out the bus address only.
fn S7_2_contiguous(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    for code in [ALLOCATE, ALLOCATE_CACHED] {
        for size in [1, 4095, 4096, 4097, 100_000, 1 << 20, 4 << 20] {
            let file = BufferNode::open()?;
            let asked = Single {
                device: id,
                size,
                bus: 0,
                address: 0x1122_3344_5566_7788,
            };
            let mut bytes = asked.to_bytes();
            ensure!(
                file.node
                    .bytes(code, &mut bytes)
                    .with_context(|| format!("{size} bytes"))?
                    == 0
            );
            let given = Single::from_bytes(&bytes);
            ensure!(
                given.bus != 0 && given.bus % page_size() as u64 == 0,
                "{given:x?}"
            );
            ensure!(
                Single { bus: 0, ..given } == asked,
                "{given:x?} of {asked:x?}"
            );
            let map = file.map(0, size as usize)?;
            let data = pattern(size as usize, u64::from(size));
            ensure!(
                map.read(0, data.len()).iter().all(|&byte| byte == 0),
                "R44: not zeroed"
            );
            map.write(0, &data);
            ensure!(map.read(0, data.len()) == data);
        }
        let file = BufferNode::open()?;
        let cached = code == ALLOCATE_CACHED;
        refused(file.allocate(id, 0, cached), &[libc::EINVAL], "no bytes")?;
        for other in [0, id + 1, 255, 256, 1 << 28, u32::MAX] {
            refused(
                file.allocate(other, 4096, cached),
                &[libc::ENODEV],
                &format!("card {other}"),
            )?;
        }
        for size in [u32::MAX, 1 << 31] {
            let begin = Instant::now();
            refused(
                file.allocate(id, size, cached),
                &[libc::ENOMEM, libc::EINVAL],
                "too much",
            )?;
            within(begin, Duration::from_secs(5), "refusing too much")?;
        }
        // None of these has used the file up.
        file.allocate(id, 4096, cached)?;
    }
    canary()
}

/// Nr 8: pieces in order, their sum what was asked for, nothing else written.
fn S7_2_scatter(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let sizes = [
        1,
        2,
        4095,
        4096,
        4097,
        8191,
        65_537,
        100_000,
        1 << 20,
        (1 << 20) + 1,
        4 << 20,
        (4 << 20) - 1,
        (4 << 20) + 4097,
        16 << 20,
    ];
    for size in sizes {
        let file = BufferNode::open()?;
        let mut page = Guarded::new()?;
        page.put_at_end(&list_argument(id, size)[..]);
        // SAFETY: the page is this case's; the structure names no other memory.
        let result = unsafe { file.node.request(SCATTER, page.end_minus(LIST)) };
        ensure!(matches!(result, Ok(0)), "{size} bytes: {result:?}");
        ensure!(page.before(LIST).iter().all(|&byte| byte == Guarded::FILL));
        page.touch();
        let mut bytes = [0; LIST];
        bytes.copy_from_slice(page.tail(LIST));
        ensure!(
            get32(&bytes, 0) == id && get32(&bytes, 4) == size,
            "id or size changed"
        );
        let count = get32(&bytes, 8) as usize;
        ensure!((1..=PIECES).contains(&count), "{count} pieces");
        let pieces = pieces_of(&bytes);
        let sum: u64 = pieces.iter().map(|piece| u64::from(piece.size)).sum();
        ensure!(sum == u64::from(size), "{sum} bytes in pieces, not {size}");
        ensure!(
            pieces.iter().all(|piece| piece.size != 0 && piece.bus != 0),
            "{pieces:x?}"
        );
        ensure!(
            pieces
                .iter()
                .all(|piece| piece.bus % page_size() as u64 == 0),
            "a piece begins inside of a page: {pieces:x?}"
        );
        // No two share memory.
        let mut sorted = pieces.clone();
        sorted.sort_by_key(|piece| piece.bus);
        ensure!(
            sorted
                .windows(2)
                .all(|two| two[0].bus + u64::from(two[0].size) <= two[1].bus),
            "{pieces:x?}"
        );
        // R40: the virtual addresses and all entries behind the last are as they were, zero.
        for at in 0..PIECES {
            let entry = &bytes[16 + at * 24..][..24];
            let rest = if at < count { &entry[16..] } else { entry };
            ensure!(
                rest.iter().all(|&byte| byte == 0),
                "entry {at} of {count}: {entry:x?}"
            );
        }
        eprintln!("{size} bytes in {count} pieces");
    }
    Ok(())
}

/// Any failure is -1; it leaves the file usable (R46).
fn S7_2_scatter_failures(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let file = BufferNode::open()?;
    let begin = Instant::now();
    refused(
        file.scatter(id, 0),
        &[libc::EPERM, libc::EINVAL],
        "no bytes",
    )?;
    for other in [0, id + 1, 255, 256, 1 << 28, u32::MAX] {
        let clean = [libc::EPERM, libc::ENODEV];
        refused(file.scatter(other, 4096), &clean, &format!("card {other}"))?;
    }
    for size in [u32::MAX, 1 << 31, 1 << 30] {
        refused(
            file.scatter(id, size),
            &[libc::EPERM, libc::ENOMEM],
            &format!("{size} bytes"),
        )?;
    }
    within(begin, Duration::from_secs(10), "refusals")?;
    ensure!(!file
        .scatter(id, 1 << 20)
        .context("after refusals")?
        .is_empty());
    canary()
}

/// The code is looked at as a whole; what is not known is ENOTTY.
fn S7_2_other_requests(_: &mut Context) -> Result<()> {
    ready()?;
    let file = BufferNode::open()?;
    let known = [ALLOCATE, ALLOCATE_CACHED, FLUSH, INVALIDATE, SCATTER];
    let mut codes = POOL.to_vec();
    codes.extend((0..=255).map(|nr| 0xC020_4800 | nr));
    codes.extend(known.map(|code| code ^ 0x8000_0000));
    codes.extend(known.map(|code| code ^ 0x0008_0000));
    codes.extend(known.map(|code| code ^ 0x0000_0900));
    for code in codes.into_iter().filter(|code| !known.contains(code)) {
        let mut argument = [0x5a; 4096];
        let result = file.node.bytes(code, &mut argument);
        refused(result, &[libc::ENOTTY], &format!("{code:#x}"))?;
        ensure!(argument == [0x5a; 4096], "{code:#x} has written");
    }
    Ok(())
}

fn S7_2_bad_pointers(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let file = BufferNode::open()?;
    for address in [0_usize, 0x1000, 0xffff_8000_0000_0000, usize::MAX - 7] {
        for code in [ALLOCATE, ALLOCATE_CACHED, FLUSH, INVALIDATE] {
            // SAFETY: nothing is mapped there.
            let result = unsafe { file.node.request(code, address as *mut u8) };
            refused(
                result,
                &[libc::EFAULT],
                &format!("{code:#x} at {address:#x}"),
            )?;
        }
        // SAFETY: as above.
        let result = unsafe { file.node.request(SCATTER, address as *mut u8) };
        let clean = [libc::EFAULT, libc::EPERM];
        refused(result, &clean, &format!("scatter at {address:#x}"))?;
    }
    let page = Guarded::new()?;
    // SAFETY: a page of this case's, whose end cuts the structure.
    let result = unsafe { file.node.request(ALLOCATE, page.end_minus(SINGLE - 1)) };
    refused(result, &[libc::EFAULT], "a byte too few")?;
    // None of these has used the file up.
    file.allocate(id, 4096, false).map(drop)?;
    Ok(())
}

fn S7_2_no_read_write_poll(_: &mut Context) -> Result<()> {
    ready()?;
    let file = BufferNode::open()?;
    refused(file.node.read(&mut [0; 16]), &[libc::EINVAL], "read")?;
    refused(file.node.write(&[0; 16]), &[libc::EINVAL], "write")?;
    Ok(())
}

/// A second request is refused, whatever the first was.
fn S7_3_one_buffer_for_each_file(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let make = |file: &BufferNode, how: usize| match how {
        0 => file.allocate(id, 8192, false).map(drop),
        1 => file.allocate(id, 8192, true).map(drop),
        _ => file.scatter(id, 8192).map(drop),
    };
    for first in 0..3 {
        for second in 0..3 {
            let file = BufferNode::open()?;
            make(&file, first)?;
            let clean: &[i32] = if second == 2 {
                &[libc::EINVAL, libc::EPERM]
            } else {
                &[libc::EINVAL]
            };
            refused(
                make(&file, second),
                clean,
                &format!("{second} after {first}"),
            )?;
            // What there is stays.
            let map = file.map(0, 8192)?;
            map.write(0, &[7; 8192]);
        }
    }
    Ok(())
}

/// R44: nothing of what other processes have had.
fn S7_3_pages_are_zeroed(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    const SIZE: u32 = 8 << 20;
    for round in 0..6 {
        let file = BufferNode::open()?;
        match round % 3 {
            0 | 1 => drop(file.scatter(id, SIZE)?),
            _ => drop(file.allocate(id, 2 << 20, true)?),
        }
        let len = if round % 3 == 2 {
            2 << 20
        } else {
            SIZE as usize
        };
        let map = file.map(0, len)?;
        let dirty = map.read(0, len).iter().filter(|&&byte| byte != 0).count();
        ensure!(dirty == 0, "round {round}: {dirty} bytes of somebody's");
        map.write(0, &vec![0xa5; len]);
    }
    // The part of the last page behind the buffer's end is mapped as well.
    let file = BufferNode::open()?;
    file.scatter(id, page_size() as u32 + 1)?;
    let map = file.map(0, 2 * page_size())?;
    ensure!(map.read(0, 2 * page_size()).iter().all(|&byte| byte == 0));
    Ok(())
}

/// After close, after unmap, after a kill.
fn S7_3_memory_comes_back(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    const SIZE: u32 = 16 << 20;
    // More than the machine has, one after another.
    for round in 0..150 {
        let file = BufferNode::open()?;
        if round % 2 == 0 {
            file.scatter(id, SIZE)
                .with_context(|| format!("round {round}"))?;
        } else {
            file.allocate(id, 2 << 20, false)
                .with_context(|| format!("round {round}"))?;
        }
        let map = file.map(0, page_size())?;
        drop(file);
        drop(map);
    }
    for round in 0..8 {
        let child = process::fork(|| {
            let mut all = Vec::new();
            for _ in 0..8 {
                let file = BufferNode::open()?;
                file.scatter(id, SIZE)?;
                all.push((file.map(0, SIZE as usize)?, file));
            }
            // SAFETY: plain system call.
            unsafe { libc::raise(libc::SIGKILL) };
            Ok(())
        })?;
        let end = child.wait(Duration::from_secs(20))?;
        ensure!(end == End::Signal(libc::SIGKILL), "round {round}: {end:?}");
    }
    canary()
}

/// At most 64 blocks: 128 MiB at best on this kernel.  More is refused; what is given works.
fn S7_3_largest_list(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    for megabytes in [32_u32, 64, 128, 129, 256, 512] {
        let file = BufferNode::open()?;
        match file.scatter(id, megabytes << 20) {
            Ok(pieces) => {
                let sum: u64 = pieces.iter().map(|piece| u64::from(piece.size)).sum();
                ensure!(sum == u64::from(megabytes) << 20 && pieces.len() <= PIECES);
                eprintln!("{megabytes} MiB in {} pieces", pieces.len());
                let map = file.map(0, sum as usize)?;
                map.write(sum as usize - 4, &[1, 2, 3, 4]);
            }
            Err(e) => {
                let errno = e.raw_os_error().unwrap_or(0);
                ensure!(
                    [libc::EPERM, libc::ENOMEM].contains(&errno),
                    "{megabytes} MiB: {e}"
                );
                ensure!(megabytes > 32, "{megabytes} MiB: {e}");
                eprintln!("{megabytes} MiB: {e}");
            }
        }
    }
    canary()
}

/// R45: never past the buffer.
fn S7_4_mmap(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let file = BufferNode::open()?;
    refused(file.map(0, page_size()), &[libc::EPERM], "mmap of nothing")?;
    for scatter in [true, false] {
        let file = BufferNode::open()?;
        if scatter {
            file.scatter(id, 5 * page_size() as u32 - 100)?;
        } else {
            file.allocate(id, 5 * page_size() as u32 - 100, true)?;
        }
        let what = if scatter { "scatter" } else { "contiguous" };
        let whole = file.map(0, 5 * page_size() - 100)?;
        whole.write(0, &pattern(5 * page_size() - 100, 3));
        for pages in 1..=5 {
            let part = file.map(0, pages * page_size())?;
            let len = (pages * page_size()).min(5 * page_size() - 100);
            ensure!(
                part.read(0, len) == pattern(5 * page_size() - 100, 3)[..len],
                "{what}: {pages} pages"
            );
        }
        for (offset, pages) in [
            (0_u64, 6),
            (0, 100),
            (1, 5),
            (4, 2),
            (5, 1),
            (6, 1),
            (1 << 30, 1),
        ] {
            let map = file.map(offset * page_size() as u64, pages * page_size());
            ensure!(
                map.is_err(),
                "{what}: {pages} pages from page {offset} of a buffer of 5"
            );
        }
    }
    Ok(())
}

/// The buffer goes with the last of file and mapping.
fn S7_4_mapping_outlives_the_file(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let device = Device::open()?;
    let memory = device.scope().malloc(4 * page_size() as u32)?;
    let file = BufferNode::open()?;
    let bus = file.allocate(id, 4 * page_size() as u32, true)?;
    let map = file.map(0, 4 * page_size())?;
    drop(file);
    // Others take and dirty what is free.
    for _ in 0..20 {
        let other = BufferNode::open()?;
        other.scatter(id, 1 << 20)?;
        other.map(0, 1 << 20)?.write(0, &vec![0xff; 1 << 20]);
    }
    let data = pattern(4 * page_size(), 11);
    map.write(0, &data);
    // The card still reaches it.
    device
        .scope()
        .write_bus(memory, bus, 4 * page_size() as u32)?;
    ensure!(device.scope().read(memory, 4 * page_size())? == data);
    ensure!(map.read(0, 4 * page_size()) == data);
    device.close()
}

/// The card sees in the pieces, in order, what the process sees in the mapping.
fn S7_4_pieces_are_the_mapping(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let device = Device::open()?;
    let scope = device.scope();
    const SIZE: u32 = (5 << 20) + 12_345;
    let memory = scope.malloc(SIZE)?;
    let file = BufferNode::open()?;
    let pieces = file.scatter(id, SIZE)?;
    let map = file.map(0, SIZE as usize)?;
    let data = pattern(SIZE as usize, 77);
    map.write(0, &data);
    let mut at = 0_u64;
    for piece in &pieces {
        scope.write_bus(memory + at, piece.bus, piece.size)?;
        at += u64::from(piece.size);
    }
    ensure!(scope.read(memory, SIZE as usize)? == data, "to the card");
    map.write(0, &vec![0; SIZE as usize]);
    at = 0;
    for piece in &pieces {
        scope.read_bus(memory + at, piece.bus, piece.size)?;
        at += u64::from(piece.size);
    }
    file.cache(INVALIDATE, id, map.address() as u64, SIZE)?;
    ensure!(map.read(0, SIZE as usize) == data, "from the card");
    device.close()
}

/// Nr 6 and 7: 0 on this machine, and never a fault.
fn S7_5_cache_requests(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let file = BufferNode::open()?;
    file.scatter(id, 64 << 10)?;
    let map = file.map(0, 64 << 10)?;
    map.write(0, &[5; 1000]);
    for code in [FLUSH, INVALIDATE] {
        file.cache(code, id, map.address() as u64, 64 << 10)?;
        for (address, size) in [
            (0, 0),
            (0, u32::MAX),
            (0x1000, 4096),
            (map.address() as u64 + 1, u32::MAX),
            (0xffff_8880_0000_0000, 4096),
            (u64::MAX, 1),
        ] {
            let result = file.cache(code, id, address, size);
            if let Err(e) = &result {
                ensure!(e.raw_os_error() == Some(libc::EINVAL), "{address:#x}: {e}");
            }
        }
        let bare = BufferNode::open()?;
        eprintln!("without a buffer: {:?}", bare.cache(code, id, 0x1000, 4096));
    }
    ensure!(map.read(0, 1000) == [5; 1000]);
    canary()
}
