// SPDX-License-Identifier: MIT OR Apache-2.0

//! No file makes a parser panic, hang or take memory without end: each is fed with mutations of good files.
//!
//! The mutations are the same in each run.  `AX650_FUZZ_SECONDS` says how long each parser is tried (default: 1; `make
//! test` takes 10), `AX650_FUZZ_SEED` begins elsewhere: `AX650_FUZZ_SECONDS=3600 AX650_FUZZ_SEED=7 cargo test -p ax650
//! --release fuzz`.  A failure prints the seed of the mutation; `AX650_FUZZ_ONLY` repeats that one.

use std::fs::File;
use std::io::{BufReader, Cursor, Write};
use std::os::fd::AsRawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ax650::media::annexb::{self, Splitter};
use ax650::media::{jpeg, sps, Codec};
use nix::sys::memfd::{memfd_create, MFdFlags};

use crate::args::Rate;
use crate::run::npy;
use crate::video::clip::Clip;
use crate::video::input::Input;
use crate::video::mp4_write::Mp4Writer;
use crate::video::pictures_in::PictureReader;
use crate::video::sniff::sniff;
use crate::video::y4m;

/// No file may take longer.
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
            6 if !bytes.is_empty() => bytes[at] = b"'(),:{}0 9x\xff"[numbers.below(12)],
            7 => {
                let zeros = numbers.below(9);
                bytes.splice(at..at, vec![0; zeros]);
            }
            _ => {
                let word = WORDS[numbers.below(WORDS.len())].to_be_bytes();
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

/// The files of the field with one of these endings.
fn seeds(endings: &[&str]) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/field");
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| endings.contains(&extension))
        })
        .collect();
    names.sort();
    names
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// A file in memory, and a name by which it can be opened.
fn file(bytes: &[u8]) -> (File, PathBuf) {
    let mut file = File::from(memfd_create("fuzz", MFdFlags::empty()).unwrap());
    file.write_all(bytes).unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    (file, path)
}

/// Reads a clip to its end.
fn read_clip(bytes: &[u8]) {
    let (_file, path) = file(bytes);
    let Ok(mut clip) = Clip::open(&path, None, None) else {
        return;
    };
    let mut total = 0;
    while let Ok(Some(unit)) = clip.next() {
        total += unit.data.len();
        // Edits repeat what there is a few times, no more; parameter sets come with each key picture.
        assert!(total < 100 * (bytes.len() + 4096), "{total} bytes");
    }
}

#[test]
fn fuzz_nal_units() {
    let mut seeds = seeds(&["h264"]);
    for nals in [
        &[0, 0, 1, 0, 0, 0, 1][..],
        &[0, 0, 1],
        &[
            0, 0, 0, 1, 0x40, 1, 0, 0, 1, 0x42, 1, 1, 0, 0, 1, 0x26, 1, 0x80,
        ],
    ] {
        seeds.push(nals.to_vec());
    }
    // The whole of it would take most of the time.
    seeds.iter_mut().for_each(|seed| seed.truncate(6000));
    fuzz(&seeds, |bytes| {
        for codec in [Codec::H264, Codec::H265] {
            let whole: Vec<_> = annexb::packets(codec, bytes).collect();
            let mut splitter = Splitter::new(codec);
            let mut pieces = Vec::new();
            for piece in bytes.chunks(97) {
                splitter.push(piece);
                pieces.extend(std::iter::from_fn(|| splitter.packet()));
            }
            splitter.finish();
            pieces.extend(std::iter::from_fn(|| splitter.packet()));
            assert_eq!(pieces, whole);
            for packet in &whole {
                annexb::is_key(codec, packet);
                annexb::has_picture(codec, packet);
                annexb::is_skipped_leading(codec, packet);
                splitter.sps_of(packet);
            }
            annexb::find_sps(codec, bytes);
        }
        sps::h264(bytes);
        sps::h265(bytes);
        sniff(bytes);
    });
}

/// Files of a few megabytes that are not worth more time than others.
#[test]
fn no_time_for_what_is_only_much() {
    let good = seeds(&["h264"]).concat();
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
    let mut writer = Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 64, 64, 25).unwrap();
    for time in 0..100_000 {
        let message = [0, 0, 0, 1, 6, 5, 1, 0, 0x80];
        writer.write(&message, time).unwrap();
    }
    for (packet, time) in annexb::packets(Codec::H264, &good).zip(100_000..) {
        writer.write(&packet, time).unwrap();
    }
    let begin = Instant::now();
    read_clip(writer.finish().unwrap().get_ref());
    assert!(
        begin.elapsed() < PATIENCE,
        "samples without a picture: {:?}",
        begin.elapsed()
    );
}

#[test]
fn fuzz_streams() {
    fuzz(&seeds(&["h264"]), read_clip);
}

#[test]
fn fuzz_mp4() {
    fuzz(&seeds(&["mp4", "mov"]), read_clip);
}

/// The descriptions alone: there mutations hit more often.
#[test]
fn fuzz_mp4_descriptions() {
    let files = seeds(&["mp4", "mov"]).into_iter().map(|file| {
        let mut parts = Vec::new();
        for (kind, body) in crate::video::mp4::fields::boxes(&file) {
            if kind != *b"mdat" {
                parts.extend((body.len() as u32 + 8).to_be_bytes());
                parts.extend(kind);
                parts.extend_from_slice(body);
            }
        }
        // Some bytes for what the tables point to.
        parts.extend([&[0, 0, 0, 0][..], b"mdat", &[0; 64]].concat());
        parts
    });
    fuzz(&files.collect::<Vec<_>>(), read_clip);
}

#[test]
fn fuzz_mp4_writing() {
    let mut seeds = seeds(&["h264"]);
    seeds.push(vec![0, 0, 1, 0, 0, 0, 1]);
    seeds.iter_mut().for_each(|seed| seed.truncate(6000));
    fuzz(&seeds, |bytes| {
        for codec in [Codec::H264, Codec::H265] {
            let file = Cursor::new(Vec::new());
            let mut writer = Mp4Writer::new(file, codec, 64, 64, 25).unwrap();
            writer.write(bytes, 3).unwrap();
            for (packet, time) in annexb::packets(codec, bytes).zip([0, 7, 5, u64::MAX]) {
                writer.write(&packet, time).unwrap();
            }
            // Without parameter sets it cannot be described.
            let _ = writer.finish();
        }
    });
}

#[test]
fn fuzz_y4m() {
    let rate = Rate::new(30, 1);
    let header = y4m::Header {
        width: 4,
        height: 2,
        rate,
        aspect: Some((4, 3)),
        full_range: true,
    };
    let picture = [b"FRAME\n".as_slice(), &[1; 12]].concat();
    let mut seeds = seeds(&["y4m"]);
    seeds.push([header.line().as_bytes(), &picture, &picture].concat());
    fuzz(&seeds, |bytes| {
        let mut reader = BufReader::new(bytes);
        if y4m::Header::read(&mut reader).is_ok() {
            let _ = y4m::read_frame_line(&mut reader);
        }
        let (_file, path) = file(bytes);
        // A size that was mutated is not worth the memory here.
        let Ok(mut pictures) = PictureReader::open(&path, None, None) else {
            return;
        };
        let (width, height) = (pictures.width, pictures.height);
        if u64::from(width) * u64::from(height) < 1 << 20 {
            let layout = ax650::media::PictureLayout::packed(width, height).unwrap();
            let mut room = vec![0; layout.size()];
            while pictures.read(&layout, &mut room).is_ok_and(|more| more) {}
        }
    });
}

#[test]
fn fuzz_npy() {
    let mut seeds = Vec::new();
    for (descr, shape) in [("<f4", &[2, 3][..]), ("|u1", &[]), ("<i8", &[1, 2, 3, 4])] {
        let mut file = npy::header(descr, shape);
        file.extend([0; 24]);
        seeds.push(file);
    }
    fuzz(&seeds, |bytes| {
        npy::is_npy(bytes);
        if let Ok(array) = npy::parse(bytes) {
            assert!(array.data.len() <= bytes.len());
            assert!(
                array.shape.len() <= npy::MAX_HEADER,
                "{}",
                array.shape.len()
            );
        }
    });
}

#[test]
fn fuzz_jpeg() {
    fuzz(&seeds(&["jpg"]), |bytes| {
        let _ = jpeg::size(bytes);
        sniff(bytes);
    });
}

/// What is opened by its contents, whatever that is.
#[test]
fn fuzz_contents() {
    fuzz(&seeds(&["h264", "mp4", "mov", "jpg", "y4m"]), |bytes| {
        let (_file, path) = file(bytes);
        let mut input = Input::open(&path).unwrap();
        sniff(input.peek().unwrap());
    });
}
