// SPDX-License-Identifier: MIT OR Apache-2.0

//! The ffmpeg program: makes clips and judges results.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Runs ffmpeg with `input` on its standard input; returns its standard output.
pub fn run(args: &str, input: &[u8]) -> Vec<u8> {
    let (out, log) = try_run(args, input);
    out.unwrap_or_else(|| panic!("ffmpeg {args}: {log}"))
}

fn try_run(args: &str, input: &[u8]) -> (Option<Vec<u8>>, String) {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "info", "-nostats"])
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg must be installed");
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let input = input.to_vec();
    // Not all programs read all of their input.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let reader = std::thread::spawn(move || {
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    });
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    let status = child.wait().unwrap();
    writer.join().unwrap();
    (status.success().then_some(out), reader.join().unwrap())
}

/// An elementary stream of the test picture; `codec` are ffmpeg's encoder arguments.
pub fn clip(width: u32, height: u32, frames: u32, codec: &str) -> Vec<u8> {
    run(
        &format!(
            "-f lavfi -i testsrc2=size={width}x{height}:rate=25 -frames:v {frames} \
             -pix_fmt yuv420p {codec} -"
        ),
        &[],
    )
}

/// H.264 with B pictures.
pub fn h264(width: u32, height: u32, frames: u32) -> Vec<u8> {
    clip(
        width,
        height,
        frames,
        "-c:v libx264 -preset veryfast -bf 2 -g 20 -f h264",
    )
}

/// H.265 with B pictures.
pub fn h265(width: u32, height: u32, frames: u32) -> Vec<u8> {
    clip(
        width,
        height,
        frames,
        "-c:v libx265 -preset ultrafast -x265-params bframes=2:keyint=20:log-level=none -f hevc",
    )
}

/// All pictures of a stream as NV12, without gaps, decoded by ffmpeg; `format` is the demuxer.
pub fn nv12(stream: &[u8], format: &str) -> Vec<u8> {
    let args = format!("-f {format} -i - -fps_mode passthrough -f rawvideo -pix_fmt nv12 -");
    run(&args, stream)
}

/// The number of packets that ffprobe finds in a stream; `format` is the demuxer.
pub fn packets(stream: &[u8], format: &str) -> usize {
    let args = format!(
        "-v error -f {format} -count_packets -select_streams v:0 \
         -show_entries stream=nb_read_packets -of csv=p=0 -"
    );
    let mut child = Command::new("ffprobe")
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffprobe must be installed");
    let mut stdin = child.stdin.take().unwrap();
    let input = stream.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.trim().trim_end_matches(',');
    number.parse().unwrap_or_else(|_| panic!("ffprobe: {text}"))
}

/// Test pictures as NV12.
pub fn pictures(width: u32, height: u32, frames: u32) -> Vec<u8> {
    run(
        &format!(
            "-f lavfi -i testsrc2=size={width}x{height}:rate=25 -frames:v {frames} \
             -f rawvideo -pix_fmt nv12 -"
        ),
        &[],
    )
}

/// Peak signal to noise ratio in dB of two series of NV12 pictures, over all samples.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square: u64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / square.max(1) as f64).log10()
}
