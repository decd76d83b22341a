// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files of many kinds, made by ffmpeg: what a clip gives is what ffmpeg sees in the file.
//!
//! All encodings times all containers are some hundred files; a sample of them is tried, the same each time, and all with
//! `AX650_MEDIA_MATRIX=all`.  The pass rates by kind are printed (`--nocapture`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::clip::Clip;
use super::ffmpeg_tests::{checksums, ffmpeg, shown, units, Scratch};

/// Of the files, one in so many is tried.
const SAMPLE: usize = 10;

/// Encodings: name, size, arguments.
const ENCODINGS: &[(&str, &str, &str)] = &[
    ("h264-intra", "64x48", "-c:v libx264 -g 1"),
    (
        "h264-baseline",
        "176x144",
        "-c:v libx264 -profile:v baseline -g 5",
    ),
    (
        "h264-b",
        "130x98",
        "-c:v libx264 -g 8 -bf 3 -b_strategy 0 -x264-params b-pyramid=normal:aud=1",
    ),
    (
        "h264-opengop",
        "96x80",
        "-c:v libx264 -g 7 -bf 2 -x264-params open-gop=1:scenecut=0",
    ),
    (
        "h264-slices",
        "64x128",
        "-c:v libx264 -g 12 -slices 4 -bf 2",
    ),
    (
        "h264-interlaced",
        "96x96",
        "-c:v libx264 -g 6 -flags +ilme+ildct -x264-params tff=1",
    ),
    (
        "h264-refresh",
        "96x80",
        "-c:v libx264 -x264-params intra-refresh=1:keyint=10",
    ),
    (
        "h265-b",
        "130x98",
        "-c:v libx265 -x265-params log-level=none:keyint=8:bframes=3",
    ),
    (
        "h265-p",
        "64x64",
        "-c:v libx265 -x265-params log-level=none:keyint=5:bframes=0:aud=1:slices=2",
    ),
    (
        "h265-opengop",
        "96x80",
        "-c:v libx265 -x265-params log-level=none:keyint=7:bframes=2:open-gop=1",
    ),
];

/// Containers: kind, extension, arguments behind `-c copy`, and whether it has audio.
const CONTAINERS: &[(&str, &str, &str, bool)] = &[
    ("plain", "mp4", "", false),
    ("plain", "mp4", "-movflags +faststart", false),
    ("plain", "m4v", "-f ipod", false),
    ("plain", "mov", "", false),
    ("plain", "3gp", "", false),
    ("time", "mp4", "-video_track_timescale 90000", false),
    ("time", "mp4", "-movflags +negative_cts_offsets", false),
    ("time", "mp4", "-use_editlist 0", false),
    ("time", "mov", "-write_tmcd 1 -timecode 01:00:00:00", false),
    ("audio", "mp4", "-c:a aac", true),
    ("audio", "mov", "-c:a pcm_s16le", true),
    ("audio", "mov", "-c:a aac -write_tmcd 1", true),
    ("audio", "mp4", "-c:a alac -movflags +faststart", true),
    ("audio", "mp4", "-c:a libopus -strict -2", true),
    (
        "fragments",
        "mp4",
        "-movflags frag_keyframe+empty_moov",
        false,
    ),
    ("fragments", "mp4", "-movflags frag_keyframe", false),
    (
        "fragments",
        "mp4",
        "-movflags frag_every_frame+empty_moov+default_base_moof",
        false,
    ),
    (
        "fragments",
        "mp4",
        "-movflags frag_keyframe+empty_moov+omit_tfhd_offset",
        false,
    ),
    (
        "fragments",
        "mp4",
        "-movflags cmaf+delay_moov+frag_keyframe",
        false,
    ),
    (
        "fragments",
        "mp4",
        "-movflags dash+frag_keyframe+global_sidx",
        false,
    ),
    (
        "fragments",
        "mp4",
        "-c:a aac -movflags frag_keyframe+empty_moov+separate_moof",
        true,
    ),
    (
        "fragments",
        "mp4",
        "-c:a aac -frag_duration 200000 -movflags empty_moov+negative_cts_offsets",
        true,
    ),
    ("edits", "mp4", "-ss 0.2 -t 0.4", false),
    ("edits", "mov", "-ss 0.32 -c:a aac", true),
    ("edits", "mp4", "-t 0.3 -c:a aac", true),
    ("edits", "mp4", "-itsoffset 0.5", false),
    ("piped", "mp4", "-movflags +faststart", false),
    (
        "piped",
        "mp4",
        "-movflags frag_keyframe+empty_moov+default_base_moof",
        false,
    ),
    (
        "piped",
        "mp4",
        "-c:a aac -movflags frag_keyframe+empty_moov",
        true,
    ),
    ("streams", "raw", "", false),
];

/// Where a fourcc is to be another one than ffmpeg's choice.
fn tag(codec: &str, number: usize) -> &'static [&'static str] {
    match (codec, number % 3) {
        ("h264", 0) => &["-tag:v", "avc3"],
        ("h265", 0) => &["-tag:v", "hev1"],
        ("h265", _) => &["-tag:v", "hvc1"],
        _ => &[],
    }
}

/// Makes a file.
fn make(base: &Path, container: usize, number: usize, codec: &str, scratch: &Path) -> PathBuf {
    let (_, extension, arguments, audio) = CONTAINERS[container];
    let extension = if extension == "raw" { codec } else { extension };
    let path = scratch.join(format!("{number}.{extension}"));
    let words: Vec<_> = arguments.split_whitespace().collect();
    // These go ahead of the input.
    let (before, after) = match words[..] {
        ["-ss" | "-itsoffset", ..] => words.split_at(2),
        _ => words.split_at(0),
    };
    let mut line = before.to_vec();
    line.extend(["-i", base.to_str().unwrap()]);
    if audio {
        line.extend(["-f", "lavfi", "-i", "sine=frequency=440:duration=0.96"]);
        line.extend(["-map", "0:v", "-map", "1:a"]);
    }
    line.extend(["-c:v", "copy"]);
    if extension != codec && !["3gp", "m4v"].contains(&extension) {
        line.extend(tag(codec, number));
    }
    line.extend(after);
    line.push(path.to_str().unwrap());
    ffmpeg(&line);
    path
}

/// What a clip gives through a pipe.
fn through_pipe(path: &Path, scratch: &Path) -> Result<Clip, String> {
    let pipe = scratch.join("pipe");
    let _ = std::fs::remove_file(&pipe);
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let name = pipe.clone();
    std::thread::spawn(move || std::fs::write(name, bytes));
    Clip::open(&pipe, None, None).map_err(|failure| failure.message)
}

#[test]
fn files_of_many_kinds() {
    if ffmpeg(&["-version"]).is_none() {
        return;
    }
    let scratch = Scratch::new("matrix");
    let all = std::env::var("AX650_MEDIA_MATRIX").is_ok_and(|value| value == "all");
    let mut rates: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut number = 0;
    for (at, (encoding, size, arguments)) in ENCODINGS.iter().enumerate() {
        let codec = &encoding[..4];
        let base = scratch.0.join(format!("{encoding}.mp4"));
        let source = format!("testsrc2=size={size}:rate=25:duration=0.96");
        let mut line = vec!["-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"];
        line.extend(arguments.split_whitespace());
        line.push(base.to_str().unwrap());
        ffmpeg(&line);
        for (container, (kind, extension, what, _)) in CONTAINERS.iter().enumerate() {
            number += 1;
            // These cannot hold it.
            if codec == "h265" && ["3gp", "m4v"].contains(extension) {
                continue;
            }
            // Another part of the containers for each encoding.
            if !all && (container + at) % SAMPLE != 0 {
                continue;
            }
            let path = make(&base, container, number, codec, &scratch.0);
            let wanted = checksums(&path);
            assert!(!wanted.is_empty(), "{encoding} {kind} {what}");
            let clip = match *kind {
                "piped" => through_pipe(&path, &scratch.0),
                _ => Clip::open(&path, None, None).map_err(|failure| failure.message),
            };
            let got = clip.map(|mut clip| {
                let sums = shown(&units(&mut clip), &scratch.0);
                (sums, clip.problems().to_vec())
            });
            let rate = rates.entry(kind).or_default();
            rate.1 += 1;
            match got {
                Ok((sums, problems)) if sums == wanted && problems.is_empty() => rate.0 += 1,
                Ok((sums, problems)) => wrong.push(format!(
                    "{encoding} {kind} {what}: {} pictures, ffmpeg has {}; {problems:?}",
                    sums.len(),
                    wanted.len()
                )),
                Err(message) => wrong.push(format!("{encoding} {kind} {what}: {message}")),
            }
            std::fs::remove_file(path).unwrap();
        }
    }
    for (kind, (good, all)) in &rates {
        eprintln!("{kind}: {good} of {all}");
    }
    assert!(wrong.is_empty(), "{rates:?} {wrong:#?}");
}
