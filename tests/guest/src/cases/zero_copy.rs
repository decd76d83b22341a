// SPDX-License-Identifier: MIT OR Apache-2.0

//! Buffers of the caller's own memory: the card reads and writes it in place, and whatever the process does
//! meanwhile, no page goes to somebody else before the card has done.

mod dma_buf;
mod memory;

use std::io;
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use crate::card::Card;
use crate::case::{Context, HIGH_MEMORY, NONCOHERENT, SWIOTLB, TWO_CARDS, USUAL};
use crate::client::{pattern, Client};
use crate::errors::{errno, expect};
use crate::process::{self, End};
use crate::{kernel, runner};
use dma_buf::{
    buffers_for_other_drivers, dma_bufs_by_the_library, memory_of_other_drivers,
    unbound_with_dma_bufs,
};
use memory::{copy, over, Own, HUGE};

crate::cases!["zero_copy":
    user_memory_both_ways { machines: &[USUAL, HIGH_MEMORY, SWIOTLB, NONCOHERENT] },
    user_memory_at_any_byte { machines: &[USUAL, SWIOTLB] },
    huge_pages_are_one_piece { kernels: &["trixie-backports", "forky"] },
    memory_that_the_card_only_reads,
    user_memory_that_cannot_be_had,
    pins_count_in_memlock,
    unmapped_while_the_card_writes,
    forked_while_the_card_writes,
    killed_while_the_card_writes,
    memory_of_other_drivers { kernels: &["trixie-backports", "forky"] },
    buffers_for_other_drivers { kernels: &["trixie-backports", "forky"] },
    dma_bufs_by_the_library { machines: &[USUAL, TWO_CARDS], kernels: &["trixie-backports", "forky"] },
    unbound_with_dma_bufs { kernels: &["trixie-backports", "forky"], timeout_s: 90 },
];

const TO: u32 = AX650_STEP_COPY_TO_CARD;
const FROM: u32 = AX650_STEP_COPY_FROM_CARD;
const SOON: Duration = Duration::from_secs(20);

/// Pins that the kernel has given for long, less those that came back.
fn pins() -> Result<i64> {
    // Else each CPU keeps some of its counts to itself.
    kernel::read("/proc/sys/vm/stat_refresh")?;
    let text = kernel::read("/proc/vmstat")?;
    let value = |name: &str| -> Result<i64> {
        let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
        let (_, value) = pairs.find(|(n, _)| *n == name).context(name.to_owned())?;
        Ok(value.parse()?)
    };
    Ok(value("nr_foll_pin_acquired")? - value("nr_foll_pin_released")?)
}

/// All pins have come back, as soon as what holds them ends.
fn all_back(before: i64) -> Result<()> {
    kernel::until("all pins to come back", SOON, || Ok(pins()? == before))
}

/// Sends a part of `out` to the card and has it come back in the same part of `back`; nothing else is touched.
fn there_and_back(
    client: &mut Client,
    (out, back): (&Own, &Own),
    skip: usize,
    size: usize,
) -> Result<()> {
    let around = skip + size + 300;
    let data = pattern(around, skip as u64 + 1);
    out.write(0, &data);
    back.write(0, &vec![0x5A; around]);
    let card = client.malloc(size as u32)?;
    let from = over(client, out.address() + skip as u64, size, 0).context("what is sent")?;
    let to = over(client, back.address() + skip as u64, size, 0).context("what comes back")?;
    let steps = [
        copy(client, TO, from, card, size),
        copy(client, FROM, to, card, size),
    ];
    client.run(&steps)?;
    client.card.end_buffer(from)?;
    client.card.end_buffer(to)?;
    let found = back.read(0, around);
    let end = skip + size;
    ensure!(found[skip..end] == data[skip..end], "not what was sent");
    ensure!(
        found[..skip].iter().all(|b| *b == 0x5A) && found[end..].iter().all(|b| *b == 0x5A),
        "something around it was written to"
    );
    ensure!(out.read(0, around) == data, "the card has written to it");
    ensure!(client.free(card)? == 0);
    Ok(())
}

fn user_memory_both_ways(_: &mut Context) -> Result<()> {
    const ROOM: usize = 4 << 20;
    let mut client = Client::new(0)?;
    let (before, bytes) = (pins()?, client.card.counters()?.buffer_bytes);
    let anonymous = (Own::anonymous(ROOM)?, Own::anonymous(ROOM)?);
    let files = (Own::memfd(ROOM)?, Own::memfd(ROOM)?);
    for (name, (out, back)) in [("anonymous memory", &anonymous), ("a memfd", &files)] {
        for (skip, size) in [
            (0, 4096),
            (0, 1 << 20),
            (256, 128),
            (3968, 8192),
            (4096, 3 << 20),
        ] {
            there_and_back(&mut client, (out, back), skip, size)
                .with_context(|| format!("{size} bytes of {name}, {skip} bytes behind a page"))?;
        }
    }
    // What the CPU writes and reads in between, by one buffer: there is no other copy of it.
    let own = Own::anonymous(64 << 10)?;
    let buffer = over(&client, own.address(), 64 << 10, 0)?;
    let card = client.malloc(64 << 10)?;
    for round in 0..20 {
        let data = pattern(64 << 10, round);
        own.write(0, &data);
        let step = copy(&mut client, TO, buffer, card, 64 << 10);
        client.run(&[step])?;
        own.write(0, &vec![0; 64 << 10]);
        let step = copy(&mut client, FROM, buffer, card, 64 << 10);
        client.run(&[step])?;
        ensure!(own.read(0, 64 << 10) == data, "round {round}");
    }
    // What was written last is still there when the buffer has gone.
    own.write(100, b"written by its owner");
    client.card.end_buffer(buffer)?;
    ensure!(own.read(100, 20) == b"written by its owner");
    all_back(before)?;
    ensure!(client.card.counters()?.buffer_bytes == bytes);
    Ok(())
}

/// The lists of the card have addresses and lengths in bytes.
fn user_memory_at_any_byte(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let (out, back) = (Own::anonymous(1 << 20)?, Own::anonymous(1 << 20)?);
    for (skip, size) in [(1, 1), (4095, 2), (7, 4096), (1, 70_001), (4093, 300_007)] {
        there_and_back(&mut client, (&out, &back), skip, size)
            .with_context(|| format!("{size} bytes, {skip} bytes behind a page"))?;
    }
    // An answer is written there too.
    let buffer = over(&client, out.address() + 11, 5000, 0)?;
    let (_, frame) = client.echo_frame(&[9; 700]);
    let mut step = client.call_step(&frame, 13, 4000);
    step.reply_buffer = buffer;
    let results = client.run(&[step])?;
    let answer = out.read(11 + 13, results[0].bytes as usize);
    ensure!(answer.windows(700).any(|w| w == [9; 700]), "no echo there");
    Ok(())
}

fn huge_pages_are_one_piece(_: &mut Context) -> Result<()> {
    kernel::write("/proc/sys/vm/nr_hugepages", "4")?;
    let result = huge_pages();
    kernel::write("/proc/sys/vm/nr_hugepages", "0")?;
    result
}

fn huge_pages() -> Result<()> {
    let mut client = Client::new(0)?;
    let before = pins()?;
    {
        let (out, back) = (Own::huge(HUGE)?, Own::huge(HUGE)?);
        there_and_back(&mut client, (&out, &back), 64, 1 << 20)?;
        let pieces = || super::buffers::counter("buffer_pieces");
        let others = pieces()?;
        let buffer = over(&client, out.address(), HUGE, 0)?;
        ensure!(pieces()? == others + 1, "more than one piece");
        client.card.end_buffer(buffer)?;
    }
    all_back(before)
}

/// Its pages are pinned and mapped for reading alone, so it may be memory that nobody can write to.
fn memory_that_the_card_only_reads(_: &mut Context) -> Result<()> {
    const SIZE: usize = 8192;
    let mut client = Client::new(0)?;
    let before = pins()?;
    // This program's own code.
    let program = std::fs::File::open("/proc/self/exe")?;
    let code = Own::map(SIZE, libc::PROT_READ, libc::MAP_PRIVATE, Some(&program))?;
    expect(libc::EFAULT, over(&client, code.address(), SIZE, 0), || {
        "memory to be written to that cannot be".into()
    })?;
    let buffer = over(&client, code.address(), SIZE, AX650_BUFFER_READ_ONLY)?;
    let card = client.malloc(SIZE as u32)?;
    let there = copy(&mut client, TO, buffer, card, SIZE);
    let back = client.buffer(SIZE)?;
    let and_back = client.copy_step(FROM, &back, 0, card, SIZE);
    client.run(&[there, and_back])?;
    ensure!(back.map.read(0, SIZE) == code.read(0, SIZE));
    let step = copy(&mut client, FROM, buffer, card, SIZE);
    expect(libc::EROFS, client.submit(&[step]), || "a copy".into())?;
    let (_, frame) = client.echo_frame(&[1; 10]);
    let mut step = client.call_step(&frame, 0, 4096);
    step.reply_buffer = buffer;
    expect(libc::EROFS, client.submit(&[step]), || "an answer".into())?;
    // What is private and was not written to yet: what is written later is what the card reads.
    let own = Own::anonymous(SIZE)?;
    let buffer = over(&client, own.address(), SIZE, AX650_BUFFER_READ_ONLY)?;
    own.write(0, &pattern(SIZE, 3));
    let there = copy(&mut client, TO, buffer, card, SIZE);
    let and_back = client.copy_step(FROM, &back, 0, card, SIZE);
    client.run(&[there, and_back])?;
    ensure!(back.map.read(0, SIZE) == pattern(SIZE, 3));
    client.works()?;
    // A mapping holds the file.
    drop((back, client));
    all_back(before)
}

/// Registers of devices that no driver has claimed, which is when they may be mapped.
fn registers_without_a_driver() -> Result<Vec<Own>> {
    let mut found = Vec::new();
    for device in std::fs::read_dir("/sys/bus/pci/devices")? {
        let device = device?.path();
        if device.join("driver").exists() {
            continue;
        }
        for bar in 0..6 {
            let path = device.join(format!("resource{bar}"));
            let file = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(path);
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let map = file.and_then(|file| Own::map(4096, access, libc::MAP_SHARED, Some(&file)));
            found.extend(map.ok());
        }
    }
    eprintln!("{} such registers", found.len());
    Ok(found)
}

fn user_memory_that_cannot_be_had(_: &mut Context) -> Result<()> {
    const PAGE: usize = 4096;
    let mut client = Client::new(0)?;
    let before = pins()?;
    let most = client.card.limits()?.max_buffer_bytes as usize;
    let own = Own::anonymous(16 * PAGE)?;
    let at = own.address();
    let refused = |errno, address, size, flags, what: &str| {
        expect(errno, over(&client, address, size, flags), || what.into())
    };
    refused(libc::EINVAL, at, 0, 0, "no bytes")?;
    refused(libc::EINVAL, at, most + 1, 0, "too many bytes")?;
    refused(libc::EINVAL, at, PAGE, 1 << 30, "an unknown flag")?;
    refused(libc::EFAULT, 0, PAGE, 0, "address 0")?;
    refused(libc::EFAULT, u64::MAX - 100, PAGE, 0, "the end of all")?;
    refused(libc::EFAULT, 0xffff_8880_0000_0000, PAGE, 0, "the kernel's")?;
    refused(libc::EFAULT, at, most, 0, "more than there is")?;
    let alone = ax650_buffer_create {
        size: PAGE as u64,
        flags: AX650_BUFFER_READ_ONLY,
        ..Default::default()
    };
    // SAFETY: it names no memory.
    let made = unsafe { client.card.buffer_with(alone) };
    expect(libc::EINVAL, made, || "a flag alone".into())?;
    let address = ax650_buffer_create {
        flags: 0,
        address: at,
        ..alone
    };
    // SAFETY: refused, and the mapping is only copied to and from.
    let made = unsafe { client.card.buffer_with(address) };
    expect(libc::EINVAL, made, || "an address".into())?;
    // A hole.
    // SAFETY: a page of the mapping above, which is not looked at after this.
    unsafe { libc::munmap((at + 8 * PAGE as u64) as *mut _, PAGE) };
    refused(libc::EFAULT, at, 16 * PAGE, 0, "a hole")?;
    for bar in registers_without_a_driver()? {
        for flags in [0, AX650_BUFFER_READ_ONLY] {
            refused(libc::EOPNOTSUPP, bar.address(), PAGE, flags, "registers")?;
        }
    }
    // Steps stay inside what was given, to the byte, and it can be mapped only where it is.
    let buffer = over(&client, at + 100, PAGE, 0)?;
    let card = client.malloc(2 * PAGE as u32)?;
    let step = copy(&mut client, TO, buffer, card, PAGE + 1);
    expect(libc::EINVAL, client.submit(&[step]), || {
        "one byte more".into()
    })?;
    let offset = u64::from(buffer) * most as u64;
    expect(libc::EINVAL, client.card.map(offset, PAGE), || {
        "a mapping".into()
    })?;
    client.works()?;
    drop(client);
    all_back(before)
}

/// Those of a user, by all his files, like other pins.
fn pins_count_in_memlock(_: &mut Context) -> Result<()> {
    const LIMIT: usize = 16 * 4096;
    let before = pins()?;
    let child = process::fork(|| {
        let (one, two) = (Client::new(0)?, Client::new(0)?);
        let limit = libc::rlimit {
            rlim_cur: LIMIT as u64,
            rlim_max: LIMIT as u64,
        };
        // SAFETY: reads the structure.
        ensure!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) } == 0);
        let own = Own::anonymous(2 * LIMIT)?;
        // Root is exempt.
        let buffer = over(&one, own.address(), 2 * LIMIT, 0).context("as root")?;
        one.card.end_buffer(buffer)?;
        process::become_user(1000)?;
        let refused =
            |result: io::Result<u32>, what: &str| expect(libc::ENOMEM, result, || what.to_owned());
        let (at, half) = (own.address(), LIMIT / 2);
        refused(over(&one, at, LIMIT + 1, 0), "a page too much")?;
        refused(over(&one, at + 1, LIMIT, 0), "by a part of a page")?;
        let first = over(&one, at, half, 0)?;
        let other = over(&two, at + LIMIT as u64, half, AX650_BUFFER_READ_ONLY)?;
        refused(over(&one, at, 1, 0), "of one file")?;
        refused(over(&two, at, 1, 0), "of the other")?;
        one.card.end_buffer(first)?;
        one.card.end_buffer(over(&one, at, half, 0)?)?;
        // A file that is closed gives back all that it had.
        let _ = other;
        drop(two);
        kernel::until("room again", SOON, || match over(&one, at, LIMIT, 0) {
            Ok(_) => Ok(true),
            Err(e) => {
                ensure!(e.raw_os_error() == Some(libc::ENOMEM), "{e}");
                Ok(false)
            }
        })?;
        // What is pinned counts, mapped or not.
        drop(own);
        let own = Own::anonymous(4096)?;
        refused(over(&one, own.address(), 4096, 0), "after munmap")
    })?;
    ensure!(child.wait(SOON * runner::slowness())? == End::Exit(0));
    all_back(before)
}

/// Begins a copy from the card to all of a buffer, which the card takes its time for.
fn begin_slowly(
    context: &mut Context,
    client: &mut Client,
    own: &Own,
    size: usize,
) -> Result<(u64, Vec<u8>)> {
    let data = pattern(size, 77);
    let card = client.malloc(size as u32)?;
    own.write(0, &data);
    let buffer = over(client, own.address(), size, 0)?;
    let step = copy(client, TO, buffer, card, size);
    client.run(&[step])?;
    own.write(0, &vec![0; size]);
    context.host.switch(0, "dma.stall_ms", 1500)?;
    let step = copy(client, FROM, buffer, card, size);
    let job = client.submit(&[step])?;
    // The pages stay with the handle gone.
    client.card.end_buffer(buffer)?;
    Ok((job, data))
}

fn unmapped_while_the_card_writes(context: &mut Context) -> Result<()> {
    const SIZE: usize = 1 << 20;
    let before = pins()?;
    let mut client = Client::new(0)?;
    let own = Own::anonymous(SIZE)?;
    let (job, _) = begin_slowly(context, &mut client, &own, SIZE)?;
    ensure!(pins()? >= before + (SIZE / 4096) as i64, "not pinned");
    // Others get memory now, at the same place too.
    drop(own);
    let others: Vec<_> = (0..16)
        .map(|_| Own::anonymous(SIZE))
        .collect::<Result<_>>()?;
    for other in &others {
        other.write(0, &vec![0x33; SIZE]);
    }
    client.finish(job, 1)?;
    for other in &others {
        ensure!(
            other.read(0, SIZE).iter().all(|b| *b == 0x33),
            "overwritten"
        );
    }
    context.host.clear(0)?;
    client.works()?;
    all_back(before)
}

/// The pages stay the parent's, whoever of them writes first.
fn forked_while_the_card_writes(context: &mut Context) -> Result<()> {
    const SIZE: usize = 256 << 10;
    let before = pins()?;
    let mut client = Client::new(0)?;
    let own = Own::anonymous(SIZE)?;
    let (job, data) = begin_slowly(context, &mut client, &own, SIZE)?;
    let child = process::fork(|| {
        own.write(0, &vec![0x44; SIZE]);
        std::thread::sleep(Duration::from_millis(2500));
        ensure!(own.read(0, SIZE).iter().all(|b| *b == 0x44), "the child's");
        Ok(())
    })?;
    client.finish(job, 1)?;
    ensure!(own.read(0, SIZE) == data, "the parent's");
    context.host.clear(0)?;
    ensure!(child.wait(SOON * runner::slowness())? == End::Exit(0));
    client.works()?;
    all_back(before)
}

fn killed_while_the_card_writes(context: &mut Context) -> Result<()> {
    const SIZE: usize = 1 << 20;
    let before = pins()?;
    let mut ready = process::Pipe::new()?;
    context.host.switch(0, "dma.stall_ms", 3000)?;
    let child = process::fork(|| {
        let mut client = Client::new(0)?;
        let own = Own::anonymous(SIZE)?;
        let card = client.malloc(SIZE as u32)?;
        let buffer = over(&client, own.address(), SIZE, 0)?;
        let step = copy(&mut client, FROM, buffer, card, SIZE);
        client.submit(&[step])?;
        ready.send()?;
        std::thread::sleep(SOON);
        Ok(())
    })?;
    ready.wait(SOON)?;
    ensure!(child.kill(SOON)? == End::Signal(libc::SIGKILL));
    // The memory is the card's still.
    ensure!(
        pins()? >= before + (SIZE / 4096) as i64,
        "given back too early"
    );
    let others: Vec<_> = (0..16)
        .map(|_| Own::anonymous(SIZE))
        .collect::<Result<_>>()?;
    for other in &others {
        other.write(0, &vec![0x33; SIZE]);
    }
    all_back(before)?;
    for other in &others {
        ensure!(
            other.read(0, SIZE).iter().all(|b| *b == 0x33),
            "overwritten"
        );
    }
    context.host.clear(0)?;
    super::sessions::all_gone(context)?;
    let mut client = Client::on(Card::open(0)?)?;
    ensure!(errno(client.card.end_buffer(9)) == libc::ENOENT);
    client.works()
}
