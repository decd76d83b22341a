// SPDX-License-Identifier: MIT OR Apache-2.0

//! No input makes a parser panic, hang or take memory without end: each target is fed with mutations of its seeds.
//!
//! The mutations are the same in each run.  `AX650_FUZZ_SECONDS` says how long each target is tried (default: 1; `make
//! test` takes 10), `AX650_FUZZ_SEED` begins elsewhere: `AX650_FUZZ_SECONDS=3600 AX650_FUZZ_SEED=7 cargo test -p
//! ax650-fuzz --release mp4`.  A failure prints the seed of the mutation; `AX650_FUZZ_ONLY` repeats that one, and
//! `AX650_FUZZ_FILE` takes a file that libFuzzer has found instead.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use ax650_fuzz::{good_stream, read_clip, target, with_messages, TARGETS};

/// No input may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers that only look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Damages a file in a few places.
fn mutate(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    const WORDS: [u32; 10] = [
        0,
        1,
        2,
        7,
        8,
        0xFF,
        0x7FFF_FFFF,
        0x8000_0000,
        0xFFFF_FFFF,
        0x0000_0100,
    ];
    let mut bytes = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(9) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            1 if !bytes.is_empty() => bytes[at] = numbers.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + numbers.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + numbers.below(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, part);
            }
            5 => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            // What headers and manifests are made of.
            6 if !bytes.is_empty() => bytes[at] = b"'(),:{}[]\"=/. 9x\xff"[numbers.below(17)],
            7 => {
                let zeros = numbers.below(9);
                bytes.splice(at..at, vec![0; zeros]);
            }
            _ => {
                let mut word = WORDS[numbers.below(WORDS.len())].to_be_bytes();
                if numbers.below(4) == 0 {
                    word.reverse();
                }
                let width = if numbers.below(2) == 0 { 4 } else { 2 };
                for (byte, new) in bytes[at..].iter_mut().zip(&word[4 - width..]) {
                    *byte = *new;
                }
            }
        }
    }
    bytes
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tries a parser with the seeds themselves and with mutations of them.
fn fuzz(seeds: &[Vec<u8>], parser: impl Fn(&[u8])) {
    let seconds = number("AX650_FUZZ_SECONDS").unwrap_or(1);
    let only = number("AX650_FUZZ_ONLY");
    let first = only.or(number("AX650_FUZZ_SEED")).unwrap_or(1);
    let try_one = |seed: u64, bytes: &[u8]| {
        let begin = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| parser(bytes)));
        assert!(result.is_ok(), "seed {seed}, {} bytes: panic", bytes.len());
        let took = begin.elapsed();
        assert!(took < PATIENCE, "seed {seed}: {took:?}");
    };
    if let Some(path) = std::env::var_os("AX650_FUZZ_FILE") {
        return try_one(0, &std::fs::read(path).unwrap());
    }
    for seed in seeds {
        try_one(0, seed);
    }
    let begin = Instant::now();
    for seed in first.. {
        // Neighbours are to have nothing in common.
        let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        try_one(seed, &mutate(seeds, &mut numbers));
        if only.is_some() || begin.elapsed() > Duration::from_secs(seconds) {
            break;
        }
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        /// Targets that have a test.
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            let target = target(stringify!($name));
            fuzz(&(target.seeds)(), target.run);
        })*
    };
}

targets! {
    nal_units streams mp4 mp4_descriptions mp4_writing y4m npy jpeg contents firmware_container firmware_manifest wire_container wire_header wire_ring wire_control wire_transfer wire_policy wire_answer wire_proctext
}

#[test]
fn every_target_has_a_test_and_a_program() {
    let manifest = include_str!("../Cargo.toml");
    let all: Vec<_> = TARGETS
        .iter()
        .copied()
        .flatten()
        .map(|target| target.name)
        .collect();
    assert_eq!(all, TESTED);
    for name in all {
        let (test, seeds) = (
            format!("path = \"fuzz_targets/{name}.rs\""),
            target(name).seeds,
        );
        assert!(manifest.contains(&test), "{name}");
        assert!(!seeds().is_empty(), "{name}");
    }
}

/// Files of a few megabytes that are not worth more time than others.
#[test]
fn no_time_for_what_is_only_much() {
    let good = good_stream();
    for (what, part, times) in [
        ("delimiters", &[0, 0, 1, 9, 0xF0][..], 600_000),
        ("messages", &[0, 0, 0, 1, 6, 5, 1, 0, 0x80], 300_000),
        ("parameter sets", &[0, 0, 1, 0x68, 0xCE], 600_000),
        ("start codes", &[0, 0, 1], 1_000_000),
        ("zeros", &[0], 3_000_000),
        ("a unit that does not end", &[0x65], 3_000_000),
    ] {
        let begin = Instant::now();
        read_clip(&[&part.repeat(times), &good[..]].concat());
        read_clip(&[&good[..], &part.repeat(times)].concat());
        let took = begin.elapsed();
        assert!(took < PATIENCE, "{what}: {took:?}");
    }
    // Samples without a picture, which go with the one that follows.
    let file = with_messages(&good);
    let begin = Instant::now();
    read_clip(&file);
    assert!(
        begin.elapsed() < PATIENCE,
        "samples without a picture: {:?}",
        begin.elapsed()
    );
}
