// SPDX-License-Identifier: MIT OR Apache-2.0

//! Random requests, from several threads: anything for a bounded time, and so many that make sense.  KASAN and
//! lockdep watch.

mod axcl;
mod campaign;
mod kcov;
mod native;
mod tally;
mod tape;

pub(super) use campaign::for_everybody;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650::Kind;
use ax650_uapi::*;

use crate::card::{self, Card, BOOT};
use crate::case::{rounds, Context, Machine, TWO_CARDS, USUAL};
use crate::client::{canary, Client};
use crate::random::Random;
use crate::{frame, kernel, process};

crate::cases!["fuzz":
    // They may ask for all that a file may have, 1 GiB.
    P6_random_requests { timeout_s: 120, machines: &[Machine { memory: 2048, ..USUAL }] },
    P6_random_requests_on_two_cards { timeout_s: 120, machines: &[Machine { memory: 2048, ..TWO_CARDS }] },
    P6_random_frames { timeout_s: 90 },
    // They free what the card is at work on, too.
    P6_requests_that_make_sense { timeout_s: 100, soak_s: 10800, allow: &["card memory freed in use"] },
    P6_requests_that_make_sense_by_axcl { timeout_s: 100, soak_s: 10800, allow: &["card memory freed in use"] },
];

/// How long each of them goes on.
const TIME: Duration = Duration::from_secs(20);
/// Threads of a process.
const THREADS: u64 = 3;

/// Memory that requests may name: whatever the kernel writes there does no harm.
struct Arena(Vec<u64>);

impl Arena {
    const BYTES: usize = 64 << 10;

    fn new(random: &mut Random) -> Self {
        Self((0..Self::BYTES / 8).map(|_| random.number()).collect())
    }

    /// An address in it, or one where there is nothing.
    fn address(&mut self, random: &mut Random) -> u64 {
        let start = self.0.as_mut_ptr() as u64;
        match random.below(10) {
            0 => 0,
            1 => 0xffff_8880_0000_1000,
            2 => 0x1000,
            // The kernel may write far: leave it room.
            _ => start + random.below(Self::BYTES as u64 / 4),
        }
    }
}

fn random_request(card: &Card, random: &mut Random, arena: &mut Arena, made: &AtomicU64) {
    let number = random.below(9);
    let mut words: Vec<u64> = (0..32).map(|_| random.number()).collect();
    let at = arena.address(random);
    let soon = kernel::now_ns() + random.below(2_000_000);
    // Structures with their important fields likely to be good.
    match number {
        0 => {
            // size in the upper half of the first word, then the address
            words[0] = random.below(7) | (random.below(4096) << 32);
            words[1] = at;
            words[2] &= random.of(&[0, 0, 0, u64::MAX]);
        }
        1 => {
            words[0] = (random.below(9) << 32) | random.of(&[0, 0, 1]);
            words[1] = soon;
        }
        2 | 4 => words[0] = random.below(6) | random.of(&[0, 0, 1 << 32]),
        3 => {
            words[0] = random.of(&[1, 4096, 100_000, 1 << 20, words[0]]);
            words[1] = random.of(&[0, 0, 0, words[1]]);
        }
        5 => {
            words[0] = random.below(6);
            words[1] = at;
            words[2] = random.below(5) | ((size_of::<ax650_step>() as u64) << 32);
            words[3] = soon;
            words[5] = random.of(&[0xffff_ffff, 0xffff_ffff, 0, 7]);
            random_steps(arena, at, random);
        }
        6 => {
            words[0] = random.below(50);
            words[1] = random.of(&[0, soon]);
            words[2] = random.of(&[0, at]);
            words[3] = random.below(5) | (random.of(&[32, 8, 64, 0]) << 32);
            words[4] = random.of(&[0, 0, words[4]]);
        }
        _ => {}
    }
    let size = random.of(&[8, 16, 24, 40, 48, 64, 128, 256]);
    let code = (3 << 30) | (size << 16) | (u64::from(AX650_IOC_TYPE) << 8) | number;
    // SAFETY: the structure has the 256 bytes of `words`; the addresses in it are in the arena, with
    // room for all that the kernel may write at once, or nowhere.
    let _ = unsafe { card.raw(code, words.as_mut_ptr().cast()) };
    made.fetch_add(1, Ordering::Relaxed);
}

/// Puts something like an array of steps to `at` in the arena.
fn random_steps(arena: &mut Arena, at: u64, random: &mut Random) {
    let start = arena.0.as_ptr() as u64;
    let end = start + Arena::BYTES as u64 / 2;
    if !(start..end).contains(&at) {
        return;
    }
    let frames = start + Arena::BYTES as u64 / 2;
    let first = ((at - start) / 8) as usize;
    for step in 0..4 {
        let any = random.any();
        let fields = &mut arena.0[first + step * 10..first + step * 10 + 10];
        fields[0] = random.below(4) | (random.below(4) << 32); // op, flags
        fields[1] = random.number(); // sequence
        fields[2] = random.of(&[0, 1 | (1 << 32)]); // context, stream
        fields[3] = random.of(&[0, 1 << 32, any]); // card address
        fields[4] = random.below(4) | (random.below(4) << 32); // buffers
        fields[5] = random.of(&[0, 0, 4096, any]); // offset
        fields[6] = random.of(&[28, 64, 200, 1500, 4096, any]); // size
        fields[7] = random.of(&[0, frames, any]); // frame
        fields[8] = random.of(&[0, 0, 64]); // reply offset
        fields[9] = random.of(&[0, 64, 4096]); // reply capacity
    }
}

/// As an unprivileged user, so that nothing is reset on purpose.
fn fuzz(cards: &[u32], seed: u64) -> Result<()> {
    let files: Vec<Card> = cards
        .iter()
        .map(|&c| Card::open(c))
        .collect::<Result<_>>()?;
    process::become_user(1000)?;
    let made = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (files, made, stop) = (&files, &made, &stop);
            scope.spawn(move || {
                let mut random = Random::new(seed + thread);
                let mut arena = Arena::new(&mut random);
                while !stop.load(Ordering::Relaxed) {
                    let file = &files[random.below(files.len() as u64) as usize];
                    random_request(file, &mut random, &mut arena, made);
                }
            });
        }
        std::thread::sleep(TIME);
        stop.store(true, Ordering::Relaxed);
    });
    let made = made.into_inner();
    eprintln!("fuzz: seed {seed:#x}: {made} requests");
    ensure!(made > 1000, "{made} requests only");
    Ok(())
}

fn fuzz_and_look(cards: &'static [u32]) -> Result<()> {
    let seed = kernel::now_ns() | 1;
    let child = process::fork(move || fuzz(cards, seed))?;
    let end = child.wait(TIME * 3 + Duration::from_secs(20))?;
    ensure!(end == process::End::Exit(0), "seed {seed:#x}: {end:?}");
    cards.iter().try_for_each(|&card| nothing_is_left(card))
}

/// The card works, and all that clients had has come back.
fn nothing_is_left(card: u32) -> Result<()> {
    canary(card)?;
    let file = Card::open(card)?;
    kernel::until("the memory to come back", Duration::from_secs(30), || {
        let counters = file.counters()?;
        Ok(counters.quarantined_bytes == 0 && file.clients()?.is_empty())
    })
}

fn P6_random_requests(_: &mut Context) -> Result<()> {
    fuzz_and_look(&[0])
}

fn P6_random_requests_on_two_cards(_: &mut Context) -> Result<()> {
    fuzz_and_look(&[0, 1])
}

/// Good frames with some bytes changed: refused, or answered by the card; never anything else.
fn P6_random_frames(_: &mut Context) -> Result<()> {
    let seed = kernel::now_ns() | 1;
    let mut random = Random::new(seed);
    let mut client = Client::new(0)?;
    let end = Instant::now() + TIME;
    let mut sent = 0_u32;
    let mut refused = 0_u32;
    while Instant::now() < end {
        let header = client.header(Kind::LATENCY, 0);
        let mut bytes = frame::request(header, frame::echo(&[7; 40]));
        for _ in 0..=random.below(4) {
            // Not the context: one that does not exist is never answered by a card.
            let at = 28 + random.below(bytes.len() as u64 - 28) as usize;
            bytes[at] = random.any() as u8;
        }
        match client.submit(&[client.call_step(&bytes, 0, 4096)]) {
            Err(_) => refused += 1,
            Ok(job) => {
                sent += 1;
                let (wait, _) = client.wait(job, 1, Duration::from_secs(40))?;
                ensure!(wait.job == job, "seed {seed:#x}");
            }
        }
    }
    eprintln!("fuzz: seed {seed:#x}: {sent} sent, {refused} refused");
    ensure!(refused > 10, "{refused} refused, {sent} sent");
    canary(0)
}

/// How many requests are made at least.
fn wanted() -> u64 {
    rounds(10_000, 1_000_000).into()
}

/// How long that may take on a fast kernel.
fn limit() -> Duration {
    Duration::from_secs(rounds(80, 10_000).into())
}

/// The generator knows what it holds: at least a quarter of its requests end well.
fn P6_requests_that_make_sense(_: &mut Context) -> Result<()> {
    let node = card::node(0)?.context("no node")?;
    let nodes = [node.to_string_lossy().into_owned()];
    campaign::for_everybody(&nodes, || campaign::fuzz(&native::DOOR, wanted(), limit()))?;
    nothing_is_left(0)
}

/// The same for the nodes of programs of AXCL.
fn P6_requests_that_make_sense_by_axcl(_: &mut Context) -> Result<()> {
    ax650_axcl_tests::ready()?;
    let nodes = ax650_axcl_tests::node::NODES.map(ax650_axcl_tests::node::path);
    campaign::for_everybody(&nodes, || campaign::fuzz(&axcl::DOOR, wanted(), limit()))?;
    in_order_after_a_reset()
}

/// What a transaction that was cut short might still reach is kept until the chip is reset; nothing else is.
fn in_order_after_a_reset() -> Result<()> {
    canary(0)?;
    let card = Card::open(0)?;
    kernel::until("clients to be gone", Duration::from_secs(30), || {
        Ok(card.clients()?.is_empty())
    })?;
    let counters = card.counters()?;
    let (kept, all) = (counters.quarantined_bytes, counters.buffer_bytes);
    eprintln!("fuzz: {kept} bytes in quarantine of {all} bytes of buffers");
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    card.make_running()?;
    nothing_is_left(0)
}
