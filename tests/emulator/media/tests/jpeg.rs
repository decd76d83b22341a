// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG images, in groups and channels and one at a time.

mod common;

use ax650_emu_api::Link;
use common::vdec::{self, Decoder};
use common::venc::{self, attr, Encoder};
use common::{ffmpeg, n32, n64, record, u32_at, u64_at, Card, VDEC, VENC};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// One image of the test picture; `format` of its samples.
fn image(format: &str) -> Vec<u8> {
    ffmpeg::run(
        &format!(
            "-f lavfi -i testsrc2=size={WIDTH}x{HEIGHT} -frames:v 1 -pix_fmt {format} -q:v 2 -f mjpeg -"
        ),
        &[],
    )
}

/// Decoded by ffmpeg, the samples as they are: the card converts no ranges.
fn decoded(jpeg: &[u8]) -> Vec<u8> {
    let planes = ffmpeg::run("-f mjpeg -i - -f rawvideo -pix_fmt yuvj420p -", jpeg);
    let size = (WIDTH * HEIGHT) as usize;
    planes
        .chunks(size * 3 / 2)
        .flat_map(|p| {
            let (luma, chroma) = p.split_at(size);
            let (u, v) = chroma.split_at(size / 4);
            let pairs = u.iter().zip(v).flat_map(|(u, v)| [*u, *v]);
            luma.iter().copied().chain(pairs).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn groups() {
    let card = Card::new();
    let jpeg = image("yuvj420p");
    let decoder = Decoder::new(&card.client(21), vdec::JPEG, vdec::FRAME, WIDTH, HEIGHT);
    // Padding behind an image does no harm.
    let padded = [jpeg.as_slice(), &[0; 100]].concat();
    let feeder = decoder.feed(vec![jpeg.clone(), padded]);
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    assert_eq!(pictures.len(), 2);
    assert_eq!(pictures[1].pts(), 40_000);
    assert!(pictures.iter().all(|p| p.pixels == decoded(&jpeg)));
    assert_eq!(card.link.counter("vdec_errors"), 0);
}

/// Other samplings become 4:2:0.
#[test]
fn samplings() {
    for format in ["yuvj422p", "yuvj444p", "gray"] {
        let card = Card::new();
        let jpeg = image(format);
        let decoder = Decoder::new(&card.client(21), vdec::JPEG, vdec::STREAM, WIDTH, HEIGHT);
        let feeder = decoder.feed(jpeg.chunks(100).map(<[u8]>::to_vec).collect());
        let pictures = decoder.take_all();
        feeder.join().unwrap();
        assert_eq!(pictures.len(), 1);
        let psnr = ffmpeg::psnr(&pictures[0].pixels, &decoded(&jpeg));
        assert!(psnr > 40.0, "{format}: {psnr}");
    }
}

/// The quality of SetJpegParam counts.
#[test]
fn channels() {
    let card = Card::new();
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 1);
    let encoder = Encoder::new(&card.client(21), &attr(venc::JPEG, WIDTH, HEIGHT, 0, &[]));
    let mut sizes = Vec::new();
    for quality in [95, 30] {
        encoder.ok(41, &[&record(440, &[(0, quality)])]);
        assert_eq!(encoder.send(&pixels, 0, -1), 0);
        let packet = encoder.get(10_000).unwrap();
        assert_eq!(encoder.release(&packet), 0);
        let psnr = ffmpeg::psnr(&decoded(&packet.bytes), &pixels);
        assert!(
            psnr > if quality == 95 { 35.0 } else { 22.0 },
            "{quality}: {psnr}"
        );
        sizes.push(packet.bytes.len());
    }
    assert!(sizes[0] > 2 * sizes[1], "{sizes:?}");
    assert_eq!(
        encoder.status(41, &[&record(440, &[(0, 100)])]),
        0x8007_020a
    );
    assert!(card.media.proc_text("jenc").contains("JPEG"));
}

#[test]
fn video_of_images() {
    let card = Card::new();
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 10);
    let encoder = Encoder::new(
        &card.client(21),
        &attr(venc::MJPEG, WIDTH, HEIGHT, 8, &[1, 8000]),
    );
    let packets = encoder.encode(&pixels);
    assert!(packets
        .iter()
        .all(|p| p.kind() == 0 && p.bytes.starts_with(&[0xff, 0xd8])));
    let psnr = ffmpeg::psnr(&decoded(&venc::join(&packets)), &pixels);
    assert!(psnr > 30.0, "{psnr}");
}

/// JpegDecodeOneFrame and JpegEncodeOneFrame.
#[test]
fn one_at_a_time() {
    let card = Card::new();
    let client = card.client(21);
    client.ok(VDEC, 0, &[&record(16, &[(0, 1)])]);
    client.ok(VENC, 0, &[&record(20, &[(0, 2)])]);
    let jpeg = image("yuvj420p");
    let size = (WIDTH * HEIGHT * 3 / 2) as usize;
    let (input, picture) = (client.alloc(jpeg.len()), client.alloc(size));
    let dram = card.link.dram();
    dram.write(input, &jpeg).unwrap();
    let mut one = record(
        296,
        &[
            (28, jpeg.len() as u32),
            (56 + 32, WIDTH),
            (288, 0),
            (292, 3),
        ],
    );
    one[40..48].copy_from_slice(&n64(input));
    one[56 + 56..56 + 64].copy_from_slice(&n64(picture));
    let done = client.ok(VDEC, 33, &[&one]).remove(0);
    assert_eq!([56, 60, 64].map(|at| u32_at(&done, at)), [WIDTH, HEIGHT, 3]);
    assert_eq!(u32_at(&done, 56 + 228), size as u32);
    assert_eq!(u64_at(&done, 56 + 64), picture + u64::from(WIDTH * HEIGHT));
    let pixels = dram.read_vec(picture, size as u64).unwrap();
    assert_eq!(pixels, decoded(&jpeg));

    let output = client.alloc(size);
    let mut one = record(584, &[(248, size as u32), (256, 90)]);
    one[..232].copy_from_slice(&done[56..288]);
    one[232..240].copy_from_slice(&n64(output));
    let done = client.ok(VENC, 43, &[&one]).remove(0);
    let bytes = dram.read_vec(output, u32_at(&done, 252).into()).unwrap();
    let psnr = ffmpeg::psnr(&decoded(&bytes), &pixels);
    assert!(psnr > 35.0, "{psnr}");

    // A failed call gives its structure back as it came.
    one[248..252].copy_from_slice(&n32(100));
    let failed = client.call(VENC, 43, &[&one]);
    assert_eq!(u32_at(&failed[0], 0), venc::NO_BUFFER);
    assert_eq!(failed[1], one);
    dram.fill(input, 100, 0).unwrap();
    let mut broken = record(296, &[(28, 100), (292, 3)]);
    broken[40..48].copy_from_slice(&n64(input));
    broken[112..120].copy_from_slice(&n64(picture));
    assert_eq!(client.status(VDEC, 33, &[&broken]), 0x8008_0181);
    broken[112..120].copy_from_slice(&n64(1));
    assert_ne!(client.status(VDEC, 33, &[&broken]), 0);
}
