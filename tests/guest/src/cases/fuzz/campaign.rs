// SPDX-License-Identifier: MIT OR Apache-2.0

//! Threads that run sequences of requests until there were enough, guided by what was new.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};

use super::kcov::Kcov;
use super::tally::Tally;
use super::tape::{mutate, Tape};
use crate::random::Random;
use crate::{kernel, process};

/// Seeds of sequences that have found something: one in a line, behind the door's name.
const SEEDS: &str = include_str!("seeds");
const THREADS: u64 = 3;
/// Tapes that are kept.
const CORPUS: usize = 2000;

/// A door of the driver.
pub(super) struct Door {
    pub(super) name: &'static str,
    /// Runs one sequence.
    pub(super) sequence: fn(&mut Tape, &mut Tally, &Shared, &mut Region),
}

/// Handles of all threads: some requests are made with those of another.
#[derive(Default)]
pub(super) struct Shared(Mutex<Vec<(i32, u64)>>);

impl Shared {
    /// Shows a handle, with its file, to other threads.
    pub(super) fn show(&self, file: i32, handle: u64) {
        let mut list = lock(&self.0);
        list.push((file, handle));
        if list.len() > 32 {
            list.remove(0);
        }
    }

    /// A handle, perhaps of another thread.
    pub(super) fn any(&self, tape: &mut Tape) -> Option<(i32, u64)> {
        tape.held(&lock(&self.0))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Addresses that are a thread's own: whatever the kernel writes there does no harm.  They are far below those that
/// the kernel chooses, so that nothing else comes to lie in a hole of them.
pub(super) struct Region {
    start: usize,
}

/// Bytes of a place for a mapping.
pub(super) const PLACE: usize = 4 << 20;
/// Places of a region.
pub(super) const PLACES: usize = 12;
/// Bytes of the arena, which comes first.
pub(super) const ARENA: usize = 64 << 10;

impl Region {
    fn new(thread: u64) -> Result<Self> {
        let start = 0x1000_0000_0000 + thread as usize * 0x1_0000_0000;
        let region = Self { start };
        region.clear(0, (PLACES + 1) * PLACE)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the region is this thread's.
        ensure!(unsafe { libc::mprotect(start as *mut _, ARENA, access) } == 0);
        Ok(region)
    }

    fn clear(&self, offset: usize, len: usize) -> Result<()> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
        let at = (self.start + offset) as *mut libc::c_void;
        // SAFETY: the region is this thread's, and nothing of the program lies in it.
        let map = unsafe { libc::mmap(at, len, libc::PROT_NONE, flags, -1, 0) };
        ensure!(
            map != libc::MAP_FAILED,
            "{}",
            std::io::Error::last_os_error()
        );
        Ok(())
    }

    /// Where a place for a mapping begins.
    pub(super) fn place(&self, number: usize) -> usize {
        self.start + (number % PLACES + 1) * PLACE
    }

    /// Takes away what is mapped at a place.
    pub(super) fn empty(&self, number: usize) {
        let _ = self.clear((number % PLACES + 1) * PLACE, PLACE);
    }

    /// An address in the arena.
    pub(super) fn at(&self, offset: usize) -> u64 {
        (self.start + offset % ARENA) as u64
    }

    /// Puts bytes into the arena.
    pub(super) fn put(&mut self, offset: usize, bytes: &[u8]) -> u64 {
        assert!(offset + bytes.len() <= ARENA);
        let to = (self.start + offset) as *mut u8;
        // SAFETY: inside the arena, which is this thread's.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        to as u64
    }

    /// Takes bytes from the arena.
    pub(super) fn get(&self, offset: usize, into: &mut [u8]) {
        assert!(offset + into.len() <= ARENA);
        let from = (self.start + offset) as *const u8;
        // SAFETY: inside the arena, which is this thread's.
        unsafe { std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) };
    }

    /// An address for the kernel to fail at, or not: in the arena with room, at its end, in a mapping, nowhere.
    pub(super) fn some_address(&self, tape: &mut Tape) -> u64 {
        match tape.below(8) {
            0 => 0,
            1 => 0xffff_8880_0000_1000,
            2 => self.at(ARENA - 8),
            3 => self.place(tape.below(PLACES)) as u64,
            _ => self.at(tape.below(ARENA / 2)),
        }
    }
}

/// What one thread has and shares.
struct Progress {
    wanted: u64,
    made: AtomicU64,
    corpus: Mutex<Vec<Vec<u64>>>,
    seen: Mutex<HashSet<u64>>,
    sum: Mutex<Tally>,
}

fn thread(
    door: &Door,
    number: u64,
    seed: u64,
    kcov: Option<&Kcov>,
    shared: &Shared,
    all: &Progress,
) -> Result<()> {
    let mut random = Random::new(seed ^ (number << 56));
    let mut region = Region::new(number)?;
    let guided = kcov.is_some_and(Kcov::enable);
    let found = SEEDS.lines().filter_map(|line| {
        let line = line.split('#').next()?;
        let (name, seed) = line.trim().split_once(' ')?;
        (name == door.name).then(|| seed.trim().parse::<u64>().ok())?
    });
    let mut first: Vec<u64> = found.collect();
    while all.made.load(Ordering::Relaxed) < all.wanted {
        let old = match first.is_empty() || random.once_in(2) {
            // Half of them are new, half are old ones with changes.
            true if random.once_in(2) => {
                let corpus = lock(&all.corpus);
                match corpus.len() {
                    0 => Vec::new(),
                    _ => {
                        let one = &corpus[random.below(corpus.len() as u64) as usize];
                        let other = &corpus[random.below(corpus.len() as u64) as usize];
                        mutate(one, other, &mut random)
                    }
                }
            }
            _ => Vec::new(),
        };
        let sequence_seed = first.pop().unwrap_or_else(|| random.any());
        let mut tape = Tape::new(sequence_seed, old);
        let mut tally = Tally::default();
        (door.sequence)(&mut tape, &mut tally, shared, &mut region);
        let mut reached = std::mem::take(&mut tally.seen);
        if let (true, Some(kcov)) = (guided, kcov) {
            reached.clear();
            kcov.take(&mut reached);
        }
        let mut seen = lock(&all.seen);
        let before = seen.len();
        seen.extend(reached);
        if seen.len() > before {
            let mut corpus = lock(&all.corpus);
            if corpus.len() == CORPUS {
                let at = random.below(CORPUS as u64) as usize;
                corpus.swap_remove(at);
            }
            corpus.push(tape.made);
        }
        drop(seen);
        all.made.fetch_add(tally.calls(), Ordering::Relaxed);
        lock(&all.sum).add(&tally);
    }
    Ok(())
}

/// Makes requests until there were `wanted`, as an ordinary user, and prints how they ended.
fn run(door: &Door, wanted: u64, seed: u64) -> Result<()> {
    let traces: Vec<Option<Kcov>> = (0..THREADS).map(|_| Kcov::open()).collect();
    process::become_user(1000)?;
    let shared = Shared::default();
    let all = Progress {
        wanted,
        made: AtomicU64::new(0),
        corpus: Mutex::default(),
        seen: Mutex::default(),
        sum: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (shared, all, kcov) = (&shared, &all, traces[number as usize].as_ref());
                scope.spawn(move || thread(door, number, seed, kcov, shared, all))
            })
            .collect();
        let ends = threads.into_iter().map(|thread| thread.join());
        ends.map(|end| end.map_err(|_| anyhow::anyhow!("panic"))?)
            .collect::<Result<Vec<()>>>()
    })?;
    let sum = lock(&all.sum);
    let (calls, good) = (sum.calls(), sum.good());
    let by = if traces[0].is_some() {
        "coverage of the kernel (kcov)"
    } else {
        "the ends of requests; the kernel has no kcov"
    };
    eprintln!(
        "fuzz {}: {calls} requests, {good} ended well ({} %); guided by {by}: {} things seen, {} sequences kept{}",
        door.name,
        100 * good / calls,
        lock(&all.seen).len(),
        lock(&all.corpus).len(),
        sum.table(),
    );
    ensure!(calls >= wanted, "{calls} requests");
    // Requests that are all refused try nothing.
    ensure!(good * 4 >= calls, "{good} of {calls} ended well");
    Ok(())
}

/// Does it in a process of its own.
pub(super) fn fuzz(door: &'static Door, wanted: u64, limit: Duration) -> Result<()> {
    let seed = crate::random::seed(door.name);
    let child = process::fork(move || run(door, wanted, seed))?;
    let end = child.wait(limit * kernel::slowness())?;
    ensure!(
        end == process::End::Exit(0),
        "seed {seed}: {end:?}, see the console"
    );
    Ok(())
}

/// Lets ordinary users open nodes, while `f` runs.
pub(in crate::cases) fn for_everybody(
    nodes: &[String],
    f: impl FnOnce() -> Result<()>,
) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut before = Vec::new();
    for node in nodes {
        let mode = std::fs::metadata(node)
            .with_context(|| node.clone())?
            .permissions();
        before.push(mode);
        std::fs::set_permissions(node, PermissionsExt::from_mode(0o666))?;
    }
    let result = f();
    for (node, mode) in nodes.iter().zip(before) {
        // The node may have gone.
        let _ = std::fs::set_permissions(node, mode);
    }
    result
}
