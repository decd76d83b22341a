// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where one picture's part of a stream ends: judged by the number of packets that ffprobe's parser
//! finds in the same stream.

mod common;

use common::vdec::{self, Decoder};
use common::{ffmpeg, Card};

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;
const FRAMES: u32 = 20;

/// Pictures of the stream that a group gives which gets it in calls of `step` bytes, and the decoder's
/// errors.
fn pictures(codec: u32, stream: &[u8], step: usize) -> (usize, u64) {
    let card = Card::new();
    let decoder = Decoder::new(&card.client(21), codec, vdec::STREAM, WIDTH, HEIGHT);
    let feeder = decoder.feed(stream.chunks(step).map(<[u8]>::to_vec).collect());
    let count = decoder.take_all().len();
    feeder.join().unwrap();
    (count, card.link.counter("vdec_errors"))
}

#[track_caller]
fn check(what: &str, codec: u32, format: &str, stream: &[u8]) {
    let packets = ffmpeg::packets(stream, format);
    assert_eq!(packets, FRAMES as usize, "{what}: the stream itself");
    for step in [usize::MAX, 1000, 97] {
        let (count, errors) = pictures(codec, stream, step.min(stream.len()));
        assert_eq!((count, errors), (packets, 0), "{what} in steps of {step}");
    }
}

fn h264(options: &str) -> Vec<u8> {
    let codec = format!("-c:v libx264 -preset veryfast -g 10 {options} -f h264");
    ffmpeg::clip(WIDTH, HEIGHT, FRAMES, &codec)
}

/// Puts a prefix unit (type 14) ahead of each slice, as the base layer of a scalable stream has them.
fn with_prefix_units(stream: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        let rest = &stream[at..];
        if rest.starts_with(&[0, 0, 1]) && rest.get(3).is_some_and(|h| matches!(h & 0x1f, 1 | 5)) {
            let idr = rest[3] & 0x1f == 5;
            let importance = rest[3] & 0x60;
            // svc_extension_flag, idr_flag, priority; layers 0; flags.
            let extension = [0x80 | (u8::from(idr) << 6), 0x80, 0x07];
            out.extend([0, 0, 1, importance | 14]);
            out.extend(extension);
            // store_ref_base_pic_flag 0, additional_prefix_nal_unit_extension_flag 0, stop bit.
            out.push(0x20);
        }
        out.push(stream[at]);
        at += 1;
    }
    out
}

#[test]
fn h264_kinds() {
    for (what, options) in [
        ("plain", ""),
        ("slices", "-x264-params slices=4"),
        ("delimiters", "-x264-params aud=1"),
        (
            "slices, delimiters, SEI",
            "-x264-params slices=4:aud=1:nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500",
        ),
        (
            "SEI",
            "-bsf:v h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+hello",
        ),
        ("parameter sets", "-bsf:v dump_extra=freq=all"),
        (
            "filler",
            "-x264-params slices=2:nal-hrd=cbr:vbv-maxrate=800:vbv-bufsize=800:bitrate=800",
        ),
    ] {
        check(what, vdec::H264, "h264", &h264(options));
    }
}

#[test]
fn prefix_units_belong_to_their_slices() {
    for options in ["", "-x264-params slices=4", "-x264-params slices=4:aud=1"] {
        let stream = with_prefix_units(&h264(options));
        check(
            &format!("prefix units, {options}"),
            vdec::H264,
            "h264",
            &stream,
        );
    }
}

#[test]
fn h265_kinds() {
    for (what, options) in [
        ("plain", ""),
        ("slices", "slices=2"),
        ("delimiters", "aud=1"),
        (
            "slices, delimiters, prefix SEI",
            "slices=2:aud=1:hrd=1:vbv-maxrate=500:vbv-bufsize=500",
        ),
        ("suffix SEI", "hash=1:slices=2"),
        ("parameter sets", "repeat-headers=1:keyint=1"),
    ] {
        let options = [options, "log-level=none:ctu=16"].join(":");
        let codec = format!(
            "-c:v libx265 -preset ultrafast -x265-params {} -f hevc",
            options.trim_start_matches(':')
        );
        let stream = ffmpeg::clip(WIDTH, HEIGHT, FRAMES, &codec);
        check(what, vdec::H265, "hevc", &stream);
    }
}
