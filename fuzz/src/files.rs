// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files of users: videos, pictures, arrays.

use std::fs::File;
use std::io::{BufReader, Cursor, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use ax650::media::annexb::{self, Splitter};
use ax650::media::{jpeg as jpeg_file, sps, Codec, PictureLayout};
use nix::sys::memfd::{memfd_create, MFdFlags};

use crate::args::Rate;
use crate::npy as npy_file;
use crate::video::clip::Clip;
use crate::video::input::Input;
use crate::video::mp4_write::Mp4Writer;
use crate::video::pictures_in::PictureReader;
use crate::video::sniff::sniff;
use crate::video::y4m as y4m_file;
use crate::Target;

pub const TARGETS: &[Target] = &[
    target("nal_units", nal_units, nal_seeds),
    target("streams", read_clip, || field(&["h264"])),
    target("mp4", read_clip, || field(&["mp4", "mov"])),
    target("mp4_descriptions", read_clip, descriptions),
    target("mp4_writing", mp4_writing, nal_seeds),
    target("y4m", y4m, y4m_seeds),
    target("npy", npy, npy_seeds),
    target("jpeg", jpeg, || field(&["jpg"])),
    target("contents", contents, || {
        field(&["h264", "mp4", "mov", "jpg", "y4m"])
    }),
];

const fn target(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}

/// The files of the field with one of these endings.
fn field(endings: &[&str]) -> Vec<Vec<u8>> {
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
pub fn read_clip(bytes: &[u8]) {
    let (_file, path) = file(bytes);
    let input = Input::open(&path).unwrap();
    let Ok(mut clip) = Clip::from_input(input, &path, None, None) else {
        return;
    };
    let mut total = 0;
    while let Ok(Some(unit)) = clip.next() {
        total += unit.data.len();
        // Edits repeat what there is a few times, no more; parameter sets come with each key picture.
        assert!(total < 100 * (bytes.len() + 4096), "{total} bytes");
    }
}

/// Elementary streams, and what is hardly one.
fn nal_seeds() -> Vec<Vec<u8>> {
    let mut seeds = field(&["h264"]);
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
    seeds
}

/// A stream is cut into the same packets whole and in pieces.
fn nal_units(bytes: &[u8]) {
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
}

/// The descriptions of MP4 files alone: there mutations hit more often.
fn descriptions() -> Vec<Vec<u8>> {
    let files = field(&["mp4", "mov"]).into_iter().map(|file| {
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
    files.collect()
}

/// Writes any packets, or is told why they cannot be written.
fn mp4_writing(bytes: &[u8]) {
    for codec in [Codec::H264, Codec::H265] {
        let file = Cursor::new(Vec::new());
        let mut writer = Mp4Writer::new(file, codec, 64, 64, 25).unwrap();
        let mut written = writer.write(bytes, 3);
        for (packet, time) in annexb::packets(codec, bytes).zip([0, 7, 5, u64::MAX]) {
            // Parameter sets that change are refused.
            written = written.and_then(|()| writer.write(&packet, time));
        }
        // Without parameter sets it cannot be described.
        let _ = writer.finish();
    }
}

fn y4m_seeds() -> Vec<Vec<u8>> {
    let rate = Rate::new(30, 1);
    let header = y4m_file::Header {
        width: 4,
        height: 2,
        rate,
        aspect: Some((4, 3)),
        full_range: true,
    };
    let picture = [b"FRAME\n".as_slice(), &[1; 12]].concat();
    let mut seeds = field(&["y4m"]);
    seeds.push([header.line().as_bytes(), &picture, &picture].concat());
    seeds
}

/// Reads pictures.
fn y4m(bytes: &[u8]) {
    let mut reader = BufReader::new(bytes);
    if y4m_file::Header::read(&mut reader).is_ok() {
        let _ = y4m_file::read_frame_line(&mut reader);
    }
    let (_file, path) = file(bytes);
    // A size that was mutated is not worth the memory here.
    let Ok(mut pictures) = PictureReader::open(&path, None, None) else {
        return;
    };
    let (width, height) = (pictures.width, pictures.height);
    if u64::from(width) * u64::from(height) < 1 << 20 {
        let layout = PictureLayout::packed(width, height).unwrap();
        let mut room = vec![0; layout.size()];
        while pictures.read(&layout, &mut room).is_ok_and(|more| more) {}
    }
}

fn npy_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (descr, shape) in [("<f4", &[2, 3][..]), ("|u1", &[]), ("<i8", &[1, 2, 3, 4])] {
        let mut file = npy_file::header(descr, shape);
        file.extend([0; 24]);
        seeds.push(file);
    }
    seeds
}

/// Reads an array.
fn npy(bytes: &[u8]) {
    npy_file::is_npy(bytes);
    if let Ok(array) = npy_file::parse(bytes) {
        assert!(array.data.len() <= bytes.len());
        assert!(array.shape.len() <= npy_file::MAX_HEADER);
    }
}

/// Reads the head of a picture.
fn jpeg(bytes: &[u8]) {
    let _ = jpeg_file::size(bytes);
    sniff(bytes);
}

/// Opens what is opened by its contents, whatever that is.
fn contents(bytes: &[u8]) {
    let (_file, path) = file(bytes);
    let mut input = Input::open(&path).unwrap();
    sniff(input.peek().unwrap());
}

/// Returns good elementary streams.
pub fn good_stream() -> Vec<u8> {
    field(&["h264"]).concat()
}

/// Writes an MP4 of 100000 samples without a picture, and `good` after them, up to where its parameter sets change.
pub fn with_messages(good: &[u8]) -> Vec<u8> {
    let mut writer = Mp4Writer::new(Cursor::new(Vec::new()), Codec::H264, 64, 64, 25).unwrap();
    for time in 0..100_000 {
        let message = [0, 0, 0, 1, 6, 5, 1, 0, 0x80];
        writer.write(&message, time).unwrap();
    }
    for (packet, time) in annexb::packets(Codec::H264, good).zip(100_000..) {
        if writer.write(&packet, time).is_err() {
            break;
        }
    }
    writer.finish().unwrap().into_inner()
}
