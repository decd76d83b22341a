// SPDX-License-Identifier: MIT OR Apache-2.0

//! At equal PSNR the library's default is no larger than x264 "veryfast" by 1.3x on the demo's clip.

mod common;

use std::process::Command;

use common::venc::{attr, join, Encoder, H264};
use common::{ffmpeg, Card};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 272;
/// Pictures of the clip that are encoded: three seconds.
const PICTURES: usize = 75;
/// The library's rate for such pictures at 25 a second: variable, at most half as much more than the usual
/// (`f8_defaults_suit_the_size` has the numbers).
const GOP: u32 = 100;
/// How much larger it may be.
const MOST: f64 = 1.3;

/// The pictures of the demo's clip.
fn pictures() -> Vec<u8> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../env/assets.sh");
    let output = Command::new(script).args(["print", "clips"]).output();
    let output = output.expect("assets.sh runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "no clips: {complaint}");
    let directory = String::from_utf8(output.stdout).expect("a path");
    let clip = format!("{}/bikes.mp4", directory.trim());
    let args = format!("-i {clip} -an -frames:v {PICTURES} -f rawvideo -pix_fmt nv12 -");
    ffmpeg::run(&args, &[])
}

#[test]
fn no_larger_than_x264_veryfast_by_a_third() {
    let pixels = pictures();
    assert_eq!(pixels.len(), PICTURES * (WIDTH * HEIGHT * 3 / 2) as usize);
    // Bytes and PSNR of x264 at several qualities, from the best to the worst.
    let x264: Vec<(f64, f64)> = (16..=28)
        .step_by(4)
        .map(|quality| {
            let args = format!(
                "-f rawvideo -pix_fmt nv12 -s {WIDTH}x{HEIGHT} -r 25 -i - -c:v libx264 -preset veryfast -crf {quality} \
                 -pix_fmt yuv420p -f h264 -"
            );
            let stream = ffmpeg::run(&args, &pixels);
            let psnr = ffmpeg::psnr(&ffmpeg::nv12(&stream, "h264"), &pixels);
            (stream.len() as f64, psnr)
        })
        .collect();
    let usual = 6000.0
        * (f64::from(WIDTH * HEIGHT) / (1920.0 * 1080.0)).powf(0.8)
        * (25.0_f64 / 30.0).powf(0.75);
    let most = usual as u32 * 3 / 2;
    let vbr = [GOP, 1, most, 0, 51, 16, 51, 16];
    let card = Card::new();
    let encoder = Encoder::new(&card.client(21), &attr(H264, WIDTH, HEIGHT, 2, &vbr));
    let stream = join(&encoder.encode(&pixels));
    let psnr = ffmpeg::psnr(&ffmpeg::nv12(&stream, "h264"), &pixels);
    // Between two qualities the logarithm of the size is as good as straight.
    let sides = x264
        .windows(2)
        .find(|pair| pair[0].1 >= psnr && psnr >= pair[1].1);
    let [(more, better), (less, worse)] = sides.unwrap_or_else(|| panic!("{psnr} dB: {x264:?}"))
    else {
        unreachable!("pairs");
    };
    let part = (psnr - worse) / (better - worse);
    let equal = (less.ln() + part * (more.ln() - less.ln())).exp();
    let ratio = stream.len() as f64 / equal;
    println!(
        "{} bytes at {psnr:.2} dB, x264 {equal:.0}: {ratio:.2}",
        stream.len()
    );
    assert!(
        ratio <= MOST,
        "{ratio:.2}: {} bytes, {psnr:.2} dB; x264 {x264:?}",
        stream.len()
    );
}
