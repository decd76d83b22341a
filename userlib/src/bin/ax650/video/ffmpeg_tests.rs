// SPDX-License-Identifier: MIT OR Apache-2.0

//! Videos made by ffmpeg can be read, and ffmpeg can play what is written.
//!
//! Needs ffmpeg with libx264 and libx265, as the toolchain root has it; elsewhere the tests say so and stop.

use std::path::{Path, PathBuf};
use std::process::Command;

use ax650::media::{Codec, Packet};

use super::clip::Clip;
use super::packets::PacketFile;

/// Pictures of a test clip.
const PICTURES: usize = 20;

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ffmpeg(arguments: &[&str]) -> Option<String> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: cannot run ffmpeg: {error}");
            return None;
        }
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "ffmpeg {arguments:?}: {complaint}"
    );
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// Checksums of the decoded pictures.
fn checksums(path: &Path) -> Vec<String> {
    let text = ffmpeg(&["-i", path.to_str().unwrap(), "-f", "framemd5", "-"]).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            line.rsplit(',')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .collect()
}

/// A clip of `ffmpeg`, read packet by packet and written as elementary stream and (without B pictures, which the
/// card's encoder does not make) as MP4, is the same clip.
fn there_and_back(name: &str, codec: Codec, encoder: &[&str], b_pictures: bool) {
    let scratch =
        Scratch(std::env::temp_dir().join(format!("ax650-{name}-{}", std::process::id())));
    std::fs::create_dir_all(&scratch.0).unwrap();
    let file = |name: &str| scratch.0.join(name);
    let input = file("in.mp4");
    let source = "testsrc2=size=322x180:rate=30000/1001";
    let count = PICTURES.to_string();
    let mut arguments = vec![
        "-f",
        "lavfi",
        "-i",
        source,
        "-frames:v",
        &count,
        "-pix_fmt",
        "yuv420p",
    ];
    arguments.extend(encoder);
    arguments.push(input.to_str().unwrap());
    if ffmpeg(&arguments).is_none() {
        return;
    }
    let wanted = checksums(&input);
    assert_eq!(wanted.len(), PICTURES);

    let mut clip = Clip::open(&input, None).unwrap();
    assert_eq!(
        (clip.codec, clip.width, clip.height, clip.len()),
        (codec, 322, 180, PICTURES)
    );
    assert!(clip.constant_rate);
    assert_eq!(clip.rate, crate::args::Rate::new(30000, 1001).unwrap());
    let mut times = clip.times().to_vec();
    times.sort_unstable();
    assert_eq!((times[0], times[1]), (0, 33_366));

    let raw_name = if codec == Codec::H264 {
        "out.h264"
    } else {
        "out.h265"
    };
    let raw = file(raw_name);
    let mut output = PacketFile::create(&raw, codec, (322, 180), clip.rate.num).unwrap();
    let mut data = Vec::new();
    for index in 0..clip.len() {
        clip.read(index, &mut data).unwrap();
        output
            .write(
                &raw,
                &Packet {
                    data: data.clone(),
                    pts: 0,
                    key: false,
                },
                0,
            )
            .unwrap();
    }
    output.finish(&raw).unwrap();
    assert_eq!(checksums(&raw), wanted);

    // The elementary stream falls into the same packets again.
    let mut stream = Clip::open(&raw, Some(clip.rate)).unwrap();
    assert_eq!(
        (stream.width, stream.height, stream.len()),
        (322, 180, PICTURES)
    );
    if b_pictures {
        return;
    }
    let mp4 = file("out.mp4");
    let mut output = PacketFile::create(&mp4, codec, (322, 180), clip.rate.num).unwrap();
    for index in 0..stream.len() {
        stream.read(index, &mut data).unwrap();
        let time = index as u64 * u64::from(clip.rate.den);
        output
            .write(
                &mp4,
                &Packet {
                    data: data.clone(),
                    pts: 0,
                    key: false,
                },
                time,
            )
            .unwrap();
    }
    output.finish(&mp4).unwrap();
    assert_eq!(checksums(&mp4), wanted);
    let again = Clip::open(&mp4, None).unwrap();
    assert_eq!(
        (again.codec, again.rate, again.len()),
        (codec, clip.rate, PICTURES)
    );
}

#[test]
fn h264_with_b_pictures() {
    let encoder = ["-c:v", "libx264", "-bf", "2", "-g", "8", "-slices", "3"];
    there_and_back("h264b", Codec::H264, &encoder, true);
}

#[test]
fn h264_without_b_pictures() {
    let encoder = ["-c:v", "libx264", "-profile:v", "baseline", "-g", "5"];
    there_and_back("h264", Codec::H264, &encoder, false);
}

#[test]
fn h265() {
    let encoder = [
        "-c:v",
        "libx265",
        "-tag:v",
        "hvc1",
        "-x265-params",
        "log-level=none:keyint=8:bframes=0:slices=2",
    ];
    there_and_back("h265", Codec::H265, &encoder, false);
}

#[test]
fn h265_with_parameter_sets_in_band() {
    let encoder = [
        "-c:v",
        "libx265",
        "-tag:v",
        "hev1",
        "-x265-params",
        "log-level=none:keyint=6:bframes=2",
    ];
    there_and_back("hev1", Codec::H265, &encoder, true);
}
