// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an encoder channel may be asked for: profiles, levels, GOP modes, rate controls and their
//! parameters; and what its packets are called.

#![allow(non_snake_case)]

mod common;

use common::venc::{attr, cbr, join, Encoder, H264, H265, JPEG, MJPEG};
use common::{ffmpeg, n32, record, u32_at, Card, Client, VENC};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
const ILLEGAL: u32 = 0x8007_020a;
const UNSUPPORTED: u32 = 0x8007_0214;

fn with(mut attr: Vec<u8>, fields: &[(usize, u32)]) -> Vec<u8> {
    for &(at, n) in fields {
        attr[at..at + 4].copy_from_slice(&n32(n));
    }
    attr
}

/// Creates channel 3, and destroys it if that went well.
fn create(client: &Client, attr: &[u8]) -> u32 {
    let code = client.status(VENC, 2, &[&n32(3), attr, &[]]);
    if code == 0 {
        client.ok(VENC, 4, &[&n32(3)]);
    }
    code
}

fn encode(attr: &[u8], pictures: u32) -> (usize, f64) {
    let card = Card::new();
    let encoder = Encoder::new(&card.client(21), attr);
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, pictures);
    let packets = encoder.encode(&pixels);
    assert_eq!(packets.len(), pictures as usize);
    let stream = join(&packets);
    let psnr = match u32_at(attr, 0) {
        H264 => ffmpeg::psnr(&ffmpeg::nv12(&stream, "h264"), &pixels),
        H265 => ffmpeg::psnr(&ffmpeg::nv12(&stream, "hevc"), &pixels),
        _ => 0.0,
    };
    (stream.len(), psnr)
}

/// D7: what begins a stream anew is of type 19 and can be decoded from there on.
#[test]
fn D7_key_pictures_of_h265_are_idr_w_radl() {
    let card = Card::new();
    let encoder = Encoder::new(&card.client(21), &cbr(H265, WIDTH, HEIGHT, 5, 2000));
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 15);
    let packets = encoder.encode(&pixels);
    for (i, packet) in packets.iter().enumerate() {
        let kinds: Vec<_> = packet.nals().iter().map(|n| n[0]).collect();
        let slices: Vec<_> = kinds.iter().filter(|k| **k < 32).collect();
        let want: &[&u32] = if i % 5 == 0 { &[&19] } else { &[&1] };
        assert_eq!(slices, want, "picture {i}: {kinds:?}");
        assert_eq!(packet.kind(), u32::from(i % 5 != 0));
        // The bytes say what the list says.
        for [kind, offset, _] in packet.nals() {
            let bytes = &packet.bytes[offset as usize..];
            let start = bytes.iter().position(|b| *b == 1).unwrap();
            assert_eq!(u32::from((bytes[start + 1] >> 1) & 0x3f), kind);
        }
    }
    let want = ffmpeg::psnr(&ffmpeg::nv12(&join(&packets), "hevc"), &pixels);
    assert!(want > 30.0, "{want}");
    let size = (WIDTH * HEIGHT * 3 / 2) as usize;
    let rest = ffmpeg::psnr(
        &ffmpeg::nv12(&join(&packets[5..]), "hevc"),
        &pixels[5 * size..],
    );
    assert!(rest > 30.0, "{rest}");
}

#[test]
fn profiles_levels_and_gop_modes() {
    let card = Card::new();
    let client = card.client(21);
    client.ok(VENC, 0, &[&record(20, &[(0, 3)])]);
    let (profile, level, gop) = (20, 24, 192);
    for (codec, at, good, bad, code) in [
        (
            H264,
            profile,
            &[9, 10, 11, 12][..],
            &[0, 8, 13][..],
            UNSUPPORTED,
        ),
        (H265, profile, &[0, 2], &[1, 3, 4, 11], UNSUPPORTED),
        (H264, gop, &[0, 1, 2], &[3, u32::MAX], ILLEGAL),
        (H265, gop, &[0, 1, 2], &[3, u32::MAX], ILLEGAL),
    ] {
        for (values, want) in [(good, 0), (bad, code)] {
            for value in values {
                let attr = with(cbr(codec, WIDTH, HEIGHT, 10, 1000), &[(at, *value)]);
                let got = create(&client, &attr);
                assert_eq!(got, want, "codec {codec}, {value} at {at}: {got:#x}");
            }
        }
    }
    // Of levels that a codec does not have, the encoder makes its own; one that it has is in the stream.
    for (codec, value) in [(H264, 1), (H264, 153), (H265, 51), (H265, u32::MAX)] {
        let attr = with(cbr(codec, WIDTH, HEIGHT, 10, 1000), &[(level, value)]);
        assert_eq!(create(&client, &attr), 0, "codec {codec}, level {value}");
    }
    for (value, idc) in [(41, 41), (99, 11)] {
        let attr = with(
            cbr(H264, WIDTH, HEIGHT, 10, 1000),
            &[(profile, 9), (level, value)],
        );
        let card = Card::new();
        let encoder = Encoder::new(&card.client(21), &attr);
        let stream = join(&encoder.encode(&ffmpeg::pictures(WIDTH, HEIGHT, 2)));
        let sps = stream
            .windows(4)
            .position(|w| w[..3] == [0, 0, 1] && w[3] & 0x1f == 7);
        let sps = &stream[sps.unwrap() + 4..];
        assert_eq!((sps[0], sps[2]), (66, idc), "profile and level {value}");
    }
}

/// Each rate control finds its numbers where they are: a low and a high rate differ, and a QP out of
/// range is told.
#[test]
fn rate_controls_by_their_layouts() {
    let cvbr = |long: u32| vec![10, 1, 48, 12, 48, 12, 0, 0, 40, 10, 4000, 1, 10, long];
    type Numbers<'a> = &'a dyn Fn(u32) -> Vec<u32>;
    let modes: [(u32, Numbers); 6] = [
        (1, &|rate| vec![10, 1, rate, 51, 10]),
        (2, &|rate| vec![10, 1, rate, 0, 51, 10]),
        (3, &|rate| vec![10, 1, rate, 51, 10]),
        (4, &|rate| vec![10, 1, rate]),
        (5, &cvbr),
        (7, &|rate| vec![10, 1, rate]),
    ];
    for (codec, base) in [(H264, 0), (H265, 10)] {
        for (mode, numbers) in modes {
            let size = |rate| {
                let attr = attr(codec, WIDTH, HEIGHT, base + mode, &numbers(rate));
                encode(&attr, 20).0
            };
            let (low, high) = (size(150), size(4000));
            assert!(
                high * 2 > low * 3,
                "codec {codec} mode {mode}: {low} {high}"
            );
        }
    }
    let card = Card::new();
    let client = card.client(21);
    client.ok(VENC, 0, &[&record(20, &[(0, 3)])]);
    for (mode, numbers) in [
        (1, &[10, 1, 1000, 52, 10][..]),
        (2, &[10, 1, 1000, 0, 52, 10]),
        (3, &[10, 1, 1000, 20, 21]),
        (5, &[10, 1, 52, 10, 0, 0, 0, 0, 0, 0, 1000]),
        (5, &[10, 1, 20, 21, 0, 0, 0, 0, 0, 0, 1000]),
        (6, &[10, 52, 20]),
        (1, &[0, 1, 1000, 51, 10]),
        (4, &[10, 1, 900_000]),
        (8, &[1, 1000]),
        (18, &[10, 1, 1000, 51, 10]),
    ] {
        let got = create(&client, &attr(H264, WIDTH, HEIGHT, mode, numbers));
        assert_eq!(got, ILLEGAL, "mode {mode} {numbers:?}: {got:#x}");
    }
    // JPEG: a rate with limits, or a QP.
    let image = |mode, numbers: &[u32]| encode(&attr(MJPEG, WIDTH, HEIGHT, mode, numbers), 10).0;
    let more = |a: usize, b: usize| assert!(10 * a > 11 * b, "{a} {b}");
    more(image(8, &[1, 8000]), image(8, &[1, 500]));
    more(image(8, &[1, 8000]), image(8, &[1, 8000, 51, 45]));
    more(image(9, &[1, 8000]), image(9, &[1, 500]));
    more(image(10, &[5]), image(10, &[40]));
    let bad = attr(MJPEG, WIDTH, HEIGHT, 8, &[1, 8000, 10, 11]);
    assert_eq!(create(&client, &bad), ILLEGAL);
}

/// SetRcParam changes the rate of a channel at work; GetRcParam tells what it is.
#[test]
fn parameters_of_the_rate_control() {
    let first = cbr(H264, WIDTH, HEIGHT, 50, 8000);
    let card = Card::new();
    let encoder = Encoder::new(&card.client(21), &first);
    // Mode, frame rates and numbers of the attribute, at places of their own.
    let mut param = encoder.ok(22, &[]).remove(0);
    assert_eq!(u32_at(&param, 16), 1);
    assert_eq!(param[20..28], first[92..100]);
    assert_eq!(param[28..88], first[100..160]);
    let pixels = ffmpeg::pictures(WIDTH, HEIGHT, 50);
    let mut sizes = Vec::new();
    for (rate, fps) in [(8000, 25f32), (150, 25.0), (150, 0.0)] {
        param[20..24].copy_from_slice(&fps.to_le_bytes());
        param[24..28].copy_from_slice(&fps.to_le_bytes());
        param[36..40].copy_from_slice(&n32(rate));
        encoder.ok(21, &[&param]);
        assert_eq!(encoder.ok(22, &[]), [param.clone()]);
        let packets = std::thread::scope(|scope| {
            scope.spawn(|| {
                for picture in pixels.chunks(115_200) {
                    assert_eq!(encoder.send(picture, 0, -1), 0);
                }
                encoder.ok(17, &[]);
            });
            encoder.take_all()
        });
        sizes.push(join(&packets).len());
        encoder.ok(16, &[&n32(u32::MAX)]);
    }
    assert!(sizes[0] > 3 * sizes[1], "{sizes:?}");
    assert!(sizes[1].abs_diff(sizes[2]) < sizes[1] / 10, "{sizes:?}");
    // What cannot be: another codec's mode, no rate, no GOP.
    for (at, n) in [(16, 11), (16, 8), (16, 99), (36, 0), (28, 0), (40, 60)] {
        let bad = with(param.clone(), &[(at, n)]);
        assert_eq!(encoder.status(21, &[&bad]), ILLEGAL, "{n} at {at}");
        assert_eq!(encoder.ok(22, &[]), [param.clone()]);
    }
    // Without a mode it is kept, and nothing changes.
    encoder.ok(21, &[&[0; 120]]);
    assert_eq!(encoder.ok(22, &[]), [vec![0; 120]]);
    // Another attribute brings its own.
    let second = cbr(H264, WIDTH, HEIGHT, 50, 700);
    encoder.ok(27, &[&second, &[]]);
    assert_eq!(u32_at(&encoder.ok(22, &[])[0], 36), 700);
}

/// D8: pictures of 1080p take the encoder's cheapest way and are as good as small ones.
#[test]
fn D8_large_pictures_of_h265() {
    let (width, height) = (1920, 1080);
    let card = Card::new();
    let encoder = Encoder::new(&card.client(21), &cbr(H265, width, height, 30, 20_000));
    let pixels = ffmpeg::pictures(width, height, 6);
    let packets = encoder.encode(&pixels);
    assert_eq!(packets.len(), 6);
    for packet in &packets {
        let slices = packet.nals().iter().filter(|n| n[0] < 32).count();
        assert_eq!(slices, 1, "threads cut no slices");
    }
    let psnr = ffmpeg::psnr(&ffmpeg::nv12(&join(&packets), "hevc"), &pixels);
    assert!(psnr > 30.0, "{psnr}");
}

/// Attributes at the ends of their ranges are answered, not fatal.
#[test]
fn hostile_attributes() {
    let card = Card::with_memory(16 << 20);
    let client = card.client(21);
    client.ok(VENC, 0, &[&record(20, &[(0, 3)])]);
    client.ok(common::VDEC, 0, &[&record(16, &[(0, 3)])]);
    let ends = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX];
    for codec in [H264, H265, MJPEG, JPEG] {
        for mode in 0..20 {
            for end in ends {
                for at in [
                    4, 8, 16, 36, 40, 56, 60, 92, 96, 100, 104, 108, 112, 116, 140, 144, 152,
                ] {
                    let attr = attr(codec, 64, 64, mode, &[end; 23]);
                    create(
                        &client,
                        &with(attr, &[(at, end), (44, u32::from(at == 56))]),
                    );
                }
            }
        }
    }
    for end in ends {
        for fields in [
            vec![(8, end), (12, end)],
            vec![(8, end), (12, end), (16, 0)],
            vec![(16, end)],
            vec![(24, 1), (32, end), (36, end)],
        ] {
            let attr = common::vdec::group_attr(H264, 1, 320, 240);
            let code = client.status(common::VDEC, 5, &[&n32(1), &with(attr, &fields)]);
            if code == 0 {
                for at in (0..68).step_by(4) {
                    let channel = common::vdec::channel_attr(320, 240, 320);
                    let channel = with(channel, &[(at, end)]);
                    client.status(common::VDEC, 31, &[&n32(1), &n32(0), &channel]);
                    client.status(common::VDEC, 29, &[&n32(1), &n32(0)]);
                    client.status(common::VDEC, 30, &[&n32(1), &n32(0)]);
                }
                client.ok(common::VDEC, 7, &[&n32(1)]);
            }
        }
    }
}
