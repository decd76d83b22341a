// SPDX-License-Identifier: MIT OR Apache-2.0

//! Buffers: zeroed, bounded, alive as long as somebody can reach them, and right data wherever in
//! the guest's memory they are.

use std::io;
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use crate::card::Card;
use crate::case::{Context, HIGH_MEMORY, NONCOHERENT, NONCOHERENT_HIGH, SWIOTLB, USUAL};
use crate::client::{canary, pattern, Client};
use crate::errors::{errno, expect};
use crate::map::Map;
use crate::process::{self, End};
use crate::{failures, kernel};

crate::cases!["buffers":
    R44_zeroed,
    R44_limits_and_accounting { timeout_s: 90 },
    R45_mappings_stay_inside,
    R45_mapping_outlives_handle_and_file,
    R46_allocation_failures { kernels: &["debug"], timeout_s: 120, allow: &["page allocation failure"] },
    P16_fragmented_memory { timeout_s: 90 },
    C5_few_pieces { machines: &[USUAL, HIGH_MEMORY, SWIOTLB] },
    R48_no_addresses_in_the_interface,
    R49_data {
        machines: &[USUAL, HIGH_MEMORY, SWIOTLB, NONCOHERENT, NONCOHERENT_HIGH], timeout_s: 120,
    },
    R49_addresses_above_4_gib { machines: &[HIGH_MEMORY] },
    card_that_takes_less_than_before,
];

/// Whatever the memory held before: another process's secrets do not come with it.
fn R44_zeroed(_: &mut Context) -> Result<()> {
    let client = Client::new(0)?;
    for round in 0..6 {
        let size = 1 << (12 + 2 * round);
        let dirty = client.buffer(size)?;
        dirty.map.write(0, &pattern(size, 1));
        client.give_up(dirty)?;
        let fresh = client.buffer(size)?;
        ensure!(
            fresh.map.read(0, size).iter().all(|&b| b == 0),
            "{size} bytes are not 0"
        );
        client.give_up(fresh)?;
    }
    Ok(())
}

/// A counter of the driver's debugfs.
pub(super) fn counter(name: &str) -> Result<u64> {
    let text = kernel::read("/sys/kernel/debug/ax650-0/counters")?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    let found = pairs.find(|(other, _)| *other == name);
    let (_, value) = found.with_context(|| format!("no counter {name}"))?;
    value.parse().context("a counter")
}

/// Buffers are made of large blocks: few bus addresses, so that lists and tables of an IOMMU are short.
/// Bounce buffers hold no more than 256 KiB in a piece.
fn C5_few_pieces(_: &mut Context) -> Result<()> {
    const SIZE: usize = 16 << 20;
    let mut client = Client::new(0)?;
    let before = counter("buffer_pieces")?;
    let begin = std::time::Instant::now();
    let buffer = client.buffer(SIZE)?;
    let took = begin.elapsed();
    let pieces = counter("buffer_pieces")? - before;
    eprintln!("16 MiB in {pieces} pieces, made in {took:?}");
    let bounced = kernel::read("/proc/cmdline")?.contains("swiotlb=force");
    let most = if bounced { 160 } else { 40 };
    ensure!((1..=most).contains(&pieces), "{pieces} pieces");
    // All of it is there, in order, for the process and for the card.
    let data = pattern(SIZE, 5);
    buffer.map.write(0, &data);
    let address = client.malloc(SIZE as u32)?;
    let there = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, SIZE);
    client.run(&[there])?;
    buffer.map.write(0, &vec![0; SIZE]);
    let back = client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, SIZE);
    client.run(&[back])?;
    ensure!(buffer.map.read(0, SIZE) == data, "not what was sent");
    client.give_up(buffer)?;
    ensure!(counter("buffer_pieces")? == before, "pieces are left");
    Ok(())
}

/// By file and by card, and all of it comes back.
fn R44_limits_and_accounting(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let page = kernel::page_size() as u64;
    let limits = card.limits()?;
    let before = card.counters()?.buffer_bytes;
    let mut handles = Vec::new();
    for _ in 0..limits.max_buffers_per_file {
        handles.push(card.buffer(1)?);
    }
    ensure!(card.counters()?.buffer_bytes == before + handles.len() as u64 * page);
    expect(libc::ENOSPC, card.buffer(1), || "one more".into())?;
    ensure!(handles.iter().all(|b| b.size == page), "not whole pages");
    for buffer in &handles {
        card.end_buffer(buffer.handle)?;
    }
    ensure!(card.counters()?.buffer_bytes == before);
    // As much as a file may have, or as the machine has.
    let mut bytes = 0;
    let refused = loop {
        match card.buffer(32 << 20) {
            Ok(buffer) => bytes += buffer.size,
            Err(e) => break e,
        }
        ensure!(bytes <= limits.max_bytes_per_file, "more than the limit");
    };
    let error = refused.raw_os_error();
    ensure!(
        error == Some(libc::EDQUOT) || error == Some(libc::ENOMEM),
        "{refused}"
    );
    drop(card);
    let card = Card::open(0)?;
    kernel::until("the memory to come back", Duration::from_secs(10), || {
        Ok(card.counters()?.buffer_bytes == before)
    })?;
    canary(0)
}

fn refused(map: io::Result<Map>, what: &str) -> Result<()> {
    expect(libc::EINVAL, map, || what.to_owned())
}

/// No mapping is longer than its buffer, begins elsewhere, or is private.
fn R45_mappings_stay_inside(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let page = kernel::page_size();
    let one = card.buffer(3 * page as u64)?;
    let two = card.buffer(page as u64)?;
    card.map(one.mmap_offset, page)
        .context("a part")?
        .write(0, &[1; 1000]);
    card.map(one.mmap_offset, 3 * page)
        .context("all")?
        .write(2 * page, &[1; 1000]);
    refused(
        card.map(one.mmap_offset, 4 * page),
        "longer than the buffer",
    )?;
    refused(card.map(two.mmap_offset, 1 << 30), "much longer")?;
    refused(
        card.map(one.mmap_offset + 3 * page as u64, page),
        "behind the buffer",
    )?;
    refused(card.map(0, page), "offset 0")?;
    refused(card.map(u64::MAX << 12 >> 1, page), "far away")?;
    card.end_buffer(two.handle)?;
    refused(card.map(two.mmap_offset, page), "given up")?;
    // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
    let private = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            page,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE,
            card.fd(),
            one.mmap_offset as libc::off_t,
        )
    };
    ensure!(private == libc::MAP_FAILED, "a private mapping");
    // It does not grow either, and is not given to be executed.
    let map = card.map(one.mmap_offset, page)?;
    // SAFETY: the mapping is this function's own; it is not used after it has moved.
    let grown = unsafe { libc::mremap(map.address().cast(), page, 2 * page, libc::MREMAP_MAYMOVE) };
    ensure!(grown == libc::MAP_FAILED, "it has grown");
    // SAFETY: as above.
    let rc = unsafe {
        libc::mprotect(
            map.address().cast(),
            page,
            libc::PROT_READ | libc::PROT_EXEC,
        )
    };
    ensure!(rc != 0, "it can be executed");
    Ok(())
}

/// The pages live as long as they are mapped.
fn R45_mapping_outlives_handle_and_file(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let buffer = client.buffer(64 << 10)?;
    let data = pattern(64 << 10, 4);
    buffer.map.write(0, &data);
    client.card.end_buffer(buffer.handle)?;
    ensure!(errno(client.card.end_buffer(buffer.handle)) == libc::ENOENT);
    client.works()?;
    drop(client);
    // Others want memory meanwhile.
    for _ in 0..5 {
        canary(0)?;
    }
    ensure!(
        buffer.map.read(0, 64 << 10) == data,
        "somebody has written to it"
    );
    buffer.map.write(0, &[9; 4096]);
    // A child inherits it.
    let child = process::fork(|| {
        ensure!(buffer.map.read(0, 4096) == [9; 4096]);
        Ok(())
    })?;
    ensure!(child.wait(Duration::from_secs(10))? == End::Exit(0));
    Ok(())
}

/// Each allocation and each copy of a request fails in turn: an error, nothing lost, and the file still works.
fn R46_allocation_failures(_: &mut Context) -> Result<()> {
    let refused =
        |e: &std::io::Error| [Some(libc::ENOMEM), Some(libc::EFAULT)].contains(&e.raw_os_error());
    let mut client = Client::new(0)?;
    // With the memory that a session needs for its first long answer.
    client.echo(&[5; 2000])?;
    let before = client.card.counters()?.buffer_bytes;
    failures::set_up()?;
    let mut failed_requests = 0;
    for nth in 1..60_u32 {
        // The next allocation but nth-1 of this thread fails.
        let (_, frame) = client.echo_frame(&[5; 2000]);
        let step = client.call_step(&frame, 0, 8192);
        failures::arm(nth)?;
        let made = client.card.buffer(100_000);
        let failed = failures::disarm()?;
        match made {
            Ok(buffer) => client.card.end_buffer(buffer.handle)?,
            Err(e) => {
                ensure!(refused(&e), "BUFFER_CREATE: {e}");
                ensure!(failed, "an error without a failure");
                failed_requests += 1;
            }
        }
        failures::arm(nth)?;
        let session = client.card.session();
        failures::disarm()?;
        match session {
            Ok(session) => client.card.end_session(session.session)?,
            Err(_) => failed_requests += 1,
        }
        failures::arm(nth)?;
        let job = client.submit(&[step]);
        failures::disarm()?;
        match job {
            Ok(job) => drop(client.wait(job, 1, Duration::from_secs(40))?),
            Err(e) => {
                ensure!(refused(&e), "SUBMIT: {e}");
                failed_requests += 1;
                // It may run although its number could not be told.
                while client
                    .card
                    .wait(0, kernel::now_ns() + 40_000_000_000, 1)
                    .is_ok()
                {}
            }
        }
        client
            .works()
            .with_context(|| format!("after failure {nth}"))?;
    }
    ensure!(failed_requests > 5, "{failed_requests} failures only");
    // Sessions end in their own time, and their memory with them.
    kernel::until(
        "buffers, as many as before",
        Duration::from_secs(20),
        || Ok(client.card.counters()?.buffer_bytes == before),
    )
}

/// Large buffers are made of small pieces of memory.
fn P16_fragmented_memory(_: &mut Context) -> Result<()> {
    // Every second page of what is free is taken, so that hardly two are left side by side.
    let free = kernel::read("/proc/meminfo")?;
    let kib: usize = free
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .context("no MemAvailable")?;
    let len = ((kib << 10) / 10 * 7) & !8191;
    // SAFETY: a new anonymous mapping.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    ensure!(
        at != libc::MAP_FAILED,
        "mmap: {}",
        io::Error::last_os_error()
    );
    // SAFETY: the mapping above; huge pages would not be fragments.
    unsafe { libc::madvise(at, len, libc::MADV_NOHUGEPAGE) };
    let size = kernel::page_size();
    for page in (0..len).step_by(size) {
        // SAFETY: inside the mapping.
        unsafe { at.cast::<u8>().add(page).write(1) };
    }
    for page in (0..len).step_by(2 * size) {
        // SAFETY: inside the mapping, whole pages.
        unsafe { libc::madvise(at.cast::<u8>().add(page).cast(), size, libc::MADV_DONTNEED) };
    }
    let result = Client::new(0)?.round_trip(24 << 20, 8);
    // SAFETY: the mapping above.
    unsafe { libc::munmap(at, len) };
    result
}

/// Requests of other drivers that took addresses of the caller or of the bus are unknown here, and
/// there is no way to read or write the node.
fn R48_no_addresses_in_the_interface(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let mut words = [0xffff_8880_0000_0000_u64; 16];
    for ty in [b'H', b'A', b'M', b'P'] {
        for number in 0..16_u64 {
            for size in [8, 16, 24, 40, 64] {
                let code = (3 << 30) | (size << 16) | (u64::from(ty) << 8) | number;
                // SAFETY: room for the largest size; unknown requests write nothing.
                let result = unsafe { card.raw(code, words.as_mut_ptr().cast()) };
                ensure!(errno(result) == libc::ENOTTY, "type {ty}, number {number}");
            }
        }
    }
    let mut byte = [0_u8];
    // SAFETY: one byte of room.
    let rc = unsafe { libc::read(card.fd(), byte.as_mut_ptr().cast(), 1) };
    ensure!(rc < 0, "read() works");
    // SAFETY: one byte to write.
    let rc = unsafe { libc::write(card.fd(), byte.as_ptr().cast(), 1) };
    ensure!(rc < 0, "write() works");
    Ok(())
}

/// Both directions, many sizes, much memory.
fn R49_data(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    for round in 0..20 {
        client.round_trip(1 + round * 97_001, round as u64 + 1)?;
        client.echo(&pattern(200 * (round + 1), round as u64))?;
    }
    client.round_trip(12 << 20, 5)?;
    // What the CPU writes after a copy must not be what an earlier copy has left behind.
    let address = client.malloc(8192)?;
    let buffer = client.buffer(8192)?;
    for round in 0..100_u64 {
        let data = pattern(8192, round + 100);
        buffer.map.write(0, &data);
        let step = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, 8192);
        client.run(&[step])?;
        buffer.map.write(0, &[0; 8192]);
        let step = client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, 8192);
        client.run(&[step])?;
        ensure!(buffer.map.read(0, 8192) == data, "round {round}");
    }
    Ok(())
}

/// Most of this machine's memory is above 4 GiB, and there is no IOMMU: the card has to use whole
/// addresses.
fn R49_addresses_above_4_gib(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let buffer = client.buffer(1 << 20)?;
    buffer.map.write(0, &[1; 4096]);
    let physical = physical_address(buffer.map.address())?;
    ensure!(physical >= 1 << 32, "the buffer is at {physical:#x}");
    client.round_trip(8 << 20, 3)?;
    client.works()
}

/// Where a page of this process is, from /proc/self/pagemap.
fn physical_address(at: *const u8) -> Result<u64> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::open("/proc/self/pagemap")?;
    let page = kernel::page_size() as u64;
    let mut entry = [0; 8];
    file.read_exact_at(&mut entry, at as u64 / page * 8)?;
    let entry = u64::from_ne_bytes(entry);
    ensure!(entry >> 63 == 1, "the page is not there");
    Ok((entry & ((1 << 55) - 1)) * page)
}

/// The list of a copy goes ahead of the card's word how much it takes at a time.  If that is less than before, the
/// card refuses the list, and the driver begins again; so with frames that go by DMA.
fn card_that_takes_less_than_before(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let resets = client.card.counters()?.session_resets;
    let long = pattern(9000, 5);
    let refused = |context: &mut Context| -> Result<u64> {
        let counters = context.host.card(0, "counters", serde_json::json!({}))?;
        let count = &counters["counters"]["bulk.violations"];
        Ok(count.as_u64().unwrap_or(0))
    };
    for limit in [1 << 18, 1 << 13] {
        context.host.clear(0)?;
        client.round_trip(1 << 20, 1)?;
        client.round_trip(1 << 20, 2)?;
        let before = refused(context)?;
        context.host.switch(0, "dma.short_list", limit)?;
        // The second time a frame is the first that meets the limit.
        match limit {
            0x2000 => client.echo(&long)?,
            _ => client.round_trip(1 << 20, 3)?,
        }
        ensure!(refused(context)? > before, "nothing went ahead");
        client.round_trip(3 << 20, 4)?;
        client.echo(&long)?;
        client.round_trip(1000, 5)?;
    }
    context.host.clear(0)?;
    client.round_trip(5 << 20, 6)?;
    ensure!(client.card.counters()?.session_resets == resets);
    client.works()
}
