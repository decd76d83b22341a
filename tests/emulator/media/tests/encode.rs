// SPDX-License-Identifier: MIT OR Apache-2.0

//! Encoded streams can be decoded by ffmpeg and look like what was sent.

mod common;

use common::venc::{attr, cbr, join, Encoder, H264, H265};
use common::{ffmpeg, n32, Card};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

/// Encodes the test pictures; returns the packets and the PSNR.
fn encode(attr: &[u8], frames: u32, format: &str) -> (Vec<common::venc::Packet>, f64) {
    let card = Card::new();
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, frames);
    let encoder = Encoder::new(&card.client(21), attr);
    let packets = encoder.encode(&pixels);
    assert_eq!(packets.len(), frames as usize);
    for (i, packet) in packets.iter().enumerate() {
        assert_eq!((packet.seq(), packet.pts()), (i as u64, 40_000 * i as u64));
    }
    let decoded = ffmpeg::nv12(&join(&packets), format);
    assert_eq!(encoder.get(-1).err(), Some(common::venc::FLOW_END));
    assert_eq!(encoder.send(&pixels[..115_200], 0, 0), 0x8007_0215);
    (packets, ffmpeg::psnr(&decoded, &pixels))
}

/// Where the intra pictures are.
fn intra(packets: &[common::venc::Packet]) -> Vec<usize> {
    let all = packets.iter().enumerate();
    all.filter(|(_, p)| p.kind() == 0).map(|(i, _)| i).collect()
}

/// Pictures in other formats than NV12.
#[test]
fn other_formats() {
    use ax650_emu_api::Link;
    let card = Card::new();
    let client = card.client(21);
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 1);
    let (luma, pairs) = pixels.split_at((WIDTH * HEIGHT) as usize);
    let u = pairs.iter().step_by(2).copied();
    let v = pairs.iter().skip(1).step_by(2).copied();
    let planar: Vec<u8> = luma.iter().copied().chain(u).chain(v).collect();
    let swapped: Vec<u8> = pairs.chunks(2).flat_map(|p| [p[1], p[0]]).collect();
    for (format, bytes) in [(1_u32, planar), (4, [luma, &swapped].concat())] {
        let encoder = Encoder::new(&client, &cbr(H264, WIDTH, HEIGHT, 10, 4000));
        client.link.dram().write(encoder.picture, &bytes).unwrap();
        let mut frame = encoder.frame(0);
        frame[8..12].copy_from_slice(&format.to_le_bytes());
        // The other planes follow in their own strides.
        frame[36..40].fill(0);
        frame[236] = 1;
        encoder.ok(5, &[&frame, &(-1_i32).to_le_bytes()]);
        let packets = encoder.take_all();
        let got = ffmpeg::nv12(&join(&packets), "h264");
        let psnr = ffmpeg::psnr(&got, &pixels);
        assert!(psnr > 30.0, "format {format}: {psnr}");
    }
}

#[test]
fn h264_cbr() {
    let (packets, psnr) = encode(&cbr(H264, WIDTH, HEIGHT, 10, 2000), 30, "h264");
    assert!(psnr > 30.0, "{psnr}");
    assert_eq!(intra(&packets), [0, 10, 20]);
    for packet in &packets {
        let nals = packet.nals();
        let kinds: Vec<_> = nals.iter().map(|n| n[0]).collect();
        assert!(
            kinds.contains(&if packet.kind() == 0 { 5 } else { 1 }),
            "{kinds:?}"
        );
        assert_eq!(kinds.contains(&7), packet.kind() == 0);
        // The units lie one after the other and fill the packet.
        let mut end = 0;
        for [_, offset, len] in nals {
            assert_eq!(offset, end);
            end += len;
        }
        assert_eq!(end as usize, packet.bytes.len());
    }
    let kbps = 8.0 * join(&packets).len() as f64 * 25.0 / 30.0 / 1000.0;
    assert!((500.0..3000.0).contains(&kbps), "{kbps}");
}

#[test]
fn h265_cbr() {
    let (packets, psnr) = encode(&cbr(H265, WIDTH, HEIGHT, 10, 2000), 20, "hevc");
    assert!(psnr > 30.0, "{psnr}");
    assert_eq!(intra(&packets), [0, 10]);
    assert!(packets[0].nals().iter().any(|n| n[0] == 32));
}

/// Every mode gives a stream; more bits give more quality.
#[test]
fn all_rate_controls() {
    for (codec, base, format) in [(H264, 0, "h264"), (H265, 10, "hevc")] {
        for mode in [2, 3, 4, 5, 7] {
            let rc: &[u32] = match mode {
                2 => &[10, 1, 1500, 0, 48, 12],
                // CVBR: the QPs come first, then the rates of a short and of a long time.
                5 => &[10, 1, 48, 12, 48, 12, 0, 0, 40, 10, 2000, 1, 10, 1500],
                _ => &[10, 1, 1500, 48, 12],
            };
            let attr = attr(codec, WIDTH, HEIGHT, base + mode, rc);
            let (packets, psnr) = encode(&attr, 12, format);
            assert!(psnr > 28.0, "codec {codec} mode {mode}: {psnr}");
            assert_eq!(intra(&packets), [0, 10]);
        }
        let fixed = |qp| {
            encode(
                &attr(codec, WIDTH, HEIGHT, base + 6, &[10, qp, qp, qp]),
                6,
                format,
            )
        };
        let (good, bad) = (fixed(18), fixed(40));
        assert!(good.1 > bad.1 + 5.0, "codec {codec}: {} {}", good.1, bad.1);
        assert!(join(&good.0).len() > 2 * join(&bad.0).len());
    }
}

#[test]
fn intra_picture_on_request() {
    let card = Card::new();
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 6);
    let encoder = Encoder::new(&card.client(21), &cbr(H264, WIDTH, HEIGHT, 100, 2000));
    let mut kinds = Vec::new();
    for (i, picture) in pixels.chunks(115_200).enumerate() {
        if i == 3 {
            encoder.ok(39, &[&n32(1)]);
        }
        assert_eq!(encoder.send(picture, 0, -1), 0);
        // No delay: each picture gives its packet at once.
        let packet = encoder.get(10_000).unwrap();
        assert_eq!(encoder.release(&packet), 0);
        kinds.push(packet.kind());
    }
    assert_eq!(kinds, [0, 1, 1, 0, 1, 1]);
}

/// A new bit rate takes effect with an intra picture; sizes are fixed.
#[test]
fn attributes_change() {
    let card = Card::new();
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 4);
    let first = cbr(H264, WIDTH, HEIGHT, 100, 2000);
    let encoder = Encoder::new(&card.client(21), &first);
    assert_eq!(encoder.ok(28, &[]), [first.clone(), vec![]]);
    let mut kinds = Vec::new();
    for (i, picture) in pixels.chunks(115_200).enumerate() {
        if i == 2 {
            let second = cbr(H264, WIDTH, HEIGHT, 50, 300);
            encoder.ok(27, &[&second, b"svc"]);
            assert_eq!(encoder.ok(28, &[]), [second, b"svc".to_vec()]);
            let larger = cbr(H264, WIDTH, 2 * HEIGHT, 50, 300);
            assert_eq!(encoder.status(27, &[&larger, &[]]), 0x8007_0215);
        }
        assert_eq!(encoder.send(picture, 0, -1), 0);
        let packet = encoder.get(10_000).unwrap();
        kinds.push(packet.kind());
        assert_eq!(encoder.release(&packet), 0);
        assert_eq!(encoder.release(&packet), common::venc::UNEXIST);
    }
    assert_eq!(kinds, [0, 1, 0, 1]);
}

/// Half the frame rate: every second picture.  A cut-out: the part of the picture.
#[test]
fn frame_rate_and_crop() {
    let card = Card::new();
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 8);
    let mut attr = cbr(H264, WIDTH, HEIGHT, 10, 4000);
    attr[96..100].copy_from_slice(&12.5f32.to_le_bytes());
    for (at, n) in [(44, 1), (48, 64), (52, 32), (56, 128), (60, 64)] {
        attr[at..at + 4].copy_from_slice(&n32(n));
    }
    let encoder = Encoder::new(&card.client(21), &attr);
    let packets = encoder.encode(&pixels);
    assert_eq!(packets.len(), 4);
    assert_eq!(packets[1].pts() - packets[0].pts(), 80_000);
    let decoded = ffmpeg::nv12(&join(&packets), "h264");
    let crop = "-vf crop=128:64:64:32 -f rawvideo -pix_fmt nv12 -";
    let all = ffmpeg::run(
        &format!("-f rawvideo -pix_fmt nv12 -s {WIDTH}x{HEIGHT} -i - {crop}"),
        &pixels,
    );
    let size = 128 * 64 * 3 / 2;
    let want: Vec<_> = all
        .chunks(size)
        .skip(1)
        .step_by(2)
        .flatten()
        .copied()
        .collect();
    let psnr = ffmpeg::psnr(&decoded, &want);
    assert!(psnr > 30.0, "{psnr}");
}

#[test]
fn user_data_is_in_the_stream() {
    for (codec, kind) in [(H264, 6), (H265, 39)] {
        let card = Card::new();
        let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 2);
        let encoder = Encoder::new(&card.client(21), &cbr(codec, WIDTH, HEIGHT, 10, 2000));
        encoder.ok(35, &[&[0; 24], b"hello from the client"]);
        let packets = encoder.encode(&pixels);
        let has = |i: usize| packets[i].bytes.windows(5).any(|w| w == b"hello");
        assert!(has(0) && !has(1));
        assert!(packets[0].nals().iter().any(|n| n[0] == kind));
        let format = if codec == H264 { "h264" } else { "hevc" };
        assert_eq!(ffmpeg::nv12(&join(&packets), format).len(), pixels.len());
    }
}

/// Time stamps at the ends of the range are passed through as they are.
#[test]
fn any_time_stamp() {
    let card = Card::new();
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 3);
    let encoder = Encoder::new(&card.client(21), &cbr(H264, WIDTH, HEIGHT, 10, 2000));
    for (picture, pts) in pixels.chunks(115_200).zip([u64::MAX, 1 << 63, 0]) {
        assert_eq!(encoder.send(picture, pts, -1), 0);
        let packet = encoder.get(10_000).unwrap();
        assert_eq!(packet.pts(), pts);
        assert_eq!(encoder.release(&packet), 0);
    }
}
