// SPDX-License-Identifier: MIT OR Apache-2.0

//! Wrong calls give distinct codes; damaged streams are counted and do no harm.

mod common;

use common::vdec::{self, channel_attr, group_attr, Decoder};
use common::venc::{self, cbr, Encoder};
use common::{ffmpeg, n32, n64, record, u32_at, Card, VDEC, VENC};

const ILLEGAL: u32 = 0x0a;
const BAD_ADDRESS: u32 = 0x0c;
const NOT_INIT: u32 = 0x12;
const NOT_CONFIG: u32 = 0x13;
const NOT_SUPPORTED: u32 = 0x14;
const NOT_PERMITTED: u32 = 0x15;
const EXISTS: u32 = 0x16;
const UNEXIST: u32 = 0x17;
const NO_MEMORY: u32 = 0x18;
const NO_BUFFER: u32 = 0x19;
const NO_GROUP: u32 = 0x03;
const NO_CHANNEL: u32 = 0x04;

#[track_caller]
fn vdec(code: u32, want: u32) {
    assert_eq!(code, 0x8008_0100 | want, "{code:#x}");
}

#[track_caller]
fn venc(code: u32, want: u32) {
    assert_eq!(code, 0x8007_0200 | want, "{code:#x}");
}

#[test]
fn groups() {
    let card = Card::with_memory(64 << 20);
    let client = card.client(21);
    let attr = group_attr(vdec::H264, vdec::FRAME, 320, 240);
    let create = |id: u32, attr: &[u8]| client.status(VDEC, 5, &[&n32(id), attr]);
    vdec(create(0, &attr), NOT_INIT);
    vdec(client.status(VDEC, 0, &[&record(16, &[])]), ILLEGAL);
    client.ok(VDEC, 0, &[&record(16, &[(0, 3)])]);
    vdec(create(164, &attr), NO_GROUP);
    vdec(create(0, &record(56, &[(0, 1)])), NOT_SUPPORTED);
    let mut huge = attr.clone();
    huge[16..20].copy_from_slice(&n32(65 << 20));
    vdec(create(0, &huge), NO_MEMORY);
    assert_eq!(create(5, &attr), 0);
    vdec(create(5, &attr), EXISTS);
    vdec(client.status(VDEC, 7, &[&n32(4)]), UNEXIST);
    vdec(client.status(VDEC, 7, &[&n32(164)]), NO_GROUP);
    let other = card.client(25);
    other.ok(VDEC, 0, &[&record(16, &[(0, 3)])]);
    vdec(other.status(VDEC, 7, &[&n32(5)]), UNEXIST);
    vdec(other.status(VDEC, 5, &[&n32(5), &attr]), EXISTS);
    // CreateGrpEx takes the first free number; the third group is the last that Init asked for.
    assert_eq!(u32_at(&client.ok(VDEC, 6, &[&attr])[0], 0), 0);
    assert_eq!(u32_at(&client.ok(VDEC, 6, &[&attr])[0], 0), 1);
    vdec(create(7, &attr), NO_BUFFER);

    let channel = channel_attr(320, 240, 320);
    let group = n32(5);
    vdec(client.status(VDEC, 29, &[&group, &n32(0)]), NOT_CONFIG);
    vdec(client.status(VDEC, 29, &[&group, &n32(3)]), NO_CHANNEL);
    vdec(client.status(VDEC, 32, &[&group, &n32(0)]), NOT_CONFIG);
    vdec(
        client.status(VDEC, 18, &[&group, &n32(0), &n32(0)]),
        UNEXIST,
    );
    client.ok(VDEC, 31, &[&group, &n32(0), &channel]);
    assert_eq!(client.ok(VDEC, 32, &[&group, &n32(0)]), [channel.clone()]);
    assert_eq!(client.ok(VDEC, 8, &[&group]), [attr.clone()]);
    let mut many = channel_attr(8192, 8192, 8192);
    many[36..40].copy_from_slice(&n32(64));
    client.ok(VDEC, 31, &[&group, &n32(1), &many]);
    vdec(client.status(VDEC, 29, &[&group, &n32(1)]), NO_MEMORY);
    client.ok(VDEC, 29, &[&group, &n32(0)]);
    vdec(
        client.status(VDEC, 31, &[&group, &n32(0), &channel]),
        NOT_PERMITTED,
    );
    vdec(
        client.status(VDEC, 27, &[&group, &n32(0), &n32(99)]),
        UNEXIST,
    );
    vdec(client.status(VDEC, 25, &[&group, &n32(2)]), ILLEGAL);
    client.ok(VDEC, 25, &[&group, &n32(0)]);
    assert_eq!(client.ok(VDEC, 26, &[&group]), [n32(0)]);
    let param = record(12, &[(0, 1), (4, 2), (8, 30f32.to_bits())]);
    client.ok(VDEC, 14, &[&group, &param]);
    assert_eq!(client.ok(VDEC, 15, &[&group]), [param]);
    vdec(
        client.status(VDEC, 14, &[&group, &record(12, &[(4, 4)])]),
        ILLEGAL,
    );
    let other_codec = group_attr(vdec::H265, vdec::FRAME, 320, 240);
    vdec(
        client.status(VDEC, 9, &[&group, &other_codec]),
        NOT_PERMITTED,
    );
    vdec(client.status(VDEC, 35, &[&group]), NOT_CONFIG);
    vdec(client.status(VDEC, 1, &[]), 0x11);
    for id in [0, 1, 5] {
        client.ok(VDEC, 7, &[&n32(id)]);
        vdec(client.status(VDEC, 7, &[&n32(id)]), UNEXIST);
    }
    client.ok(VDEC, 1, &[]);
    vdec(create(0, &attr), NOT_INIT);
    assert_eq!(card.link.cmm_used(), 0);
}

#[test]
fn frames_of_the_encoder() {
    let card = Card::with_memory(64 << 20);
    let client = card.client(21);
    let attr = cbr(venc::H264, 320, 240, 10, 500);
    venc(client.status(VENC, 3, &[&attr, &[]]), NOT_INIT);
    let encoder = Encoder::new(&client, &attr);
    let send = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = encoder.frame(0);
        change(&mut frame);
        encoder.status(5, &[&frame, &n32(0)])
    };
    let put = |at: usize, n: u32| move |f: &mut Vec<u8>| f[at..at + 4].copy_from_slice(&n32(n));
    venc(send(&put(0, 640)), ILLEGAL);
    venc(send(&put(8, 0x77)), NOT_SUPPORTED);
    venc(send(&put(16, 1)), NOT_SUPPORTED);
    let both = |f: &mut Vec<u8>| [32, 36].iter().for_each(|&at| put(at, 300)(f));
    venc(send(&both), ILLEGAL);
    venc(send(&put(36, 352)), NOT_SUPPORTED);
    let address = |at: usize, n: u64| move |f: &mut Vec<u8>| f[at..at + 8].copy_from_slice(&n64(n));
    venc(send(&address(56, 0)), 0x0b);
    venc(send(&address(56, 4096)), BAD_ADDRESS);
    venc(send(&address(56, u64::MAX)), BAD_ADDRESS);
    venc(
        send(&address(64, (1 << 32) + (64 << 20) - 100)),
        BAD_ADDRESS,
    );
    assert_eq!(send(&|_| ()), 0);
    venc(encoder.status(16, &[&n32(0)]), ILLEGAL);
    venc(encoder.status(20, &[&n32(8)]), ILLEGAL);
    venc(client.status(VENC, 2, &[&n32(64), &attr, &[]]), NO_CHANNEL);
    venc(
        client.status(VENC, 2, &[&n32(encoder.id), &attr, &[]]),
        EXISTS,
    );
    venc(client.status(VENC, 4, &[&n32(9)]), UNEXIST);
    venc(client.status(VENC, 1, &[]), 0x11);
    // Sixteen at a time, with any number that SelectGrp can name.
    let mut small = cbr(venc::H264, 64, 64, 10, 500);
    small[16..20].copy_from_slice(&n32(4096));
    for id in 49..64 {
        client.ok(VENC, 2, &[&n32(id), &small, &[]]);
    }
    venc(client.status(VENC, 3, &[&small, &[]]), NO_BUFFER);
    card.media.session_end(21);
    assert_eq!(card.link.cmm_used(), 0);
}

#[test]
fn parameters_are_read_back() {
    let card = Card::new();
    let encoder = Encoder::new(&card.client(21), &cbr(venc::H264, 320, 240, 10, 500));
    for (api, size) in [(25, 36), (29, 16), (31, 20), (33, 16), (37, 8)] {
        assert_eq!(encoder.ok(api + 1, &[]), [vec![0; size]]);
        let value: Vec<_> = (1..=size as u8).collect();
        encoder.ok(api, &[&value]);
        assert_eq!(encoder.ok(api + 1, &[]), [value]);
    }
    let roi = record(32, &[(0, 3), (4, 77)]);
    encoder.ok(19, &[&roi]);
    assert_eq!(encoder.ok(20, &[&n32(3)]), [roi]);
    encoder.client.ok(VENC, 23, &[&n32(1), &n32(9)]);
    assert_eq!(encoder.client.ok(VENC, 24, &[&n32(1)]), [n32(9)]);
    assert_eq!(u32_at(&encoder.ok(42, &[])[0], 0), 90);
}

/// Damage in the middle of the stream: errors are counted, the pictures after it are right.
#[test]
fn damaged_stream() {
    let clip = ffmpeg::clip(
        320,
        240,
        50,
        "-c:v libx264 -preset veryfast -g 10 -x264-params scenecut=0 \
         -bsf:v h264_metadata=aud=insert -f h264",
    );
    let want = ffmpeg::nv12(&clip, "h264");
    let mut frames = vdec::cut(&clip, &[0, 0, 0, 1, 9]);
    for (i, frame) in frames[12..16].iter_mut().enumerate() {
        let len = frame.len();
        for byte in frame[len / 3..].iter_mut().step_by(3) {
            *byte = byte.wrapping_mul(31).wrapping_add(i as u8);
        }
    }
    frames.insert(20, vec![0x55; 3000]);
    frames.insert(25, vec![0, 0, 1, 0x67, 0xff, 0xff, 0xff]);
    let card = Card::new();
    let decoder = Decoder::new(&card.client(21), vdec::H264, vdec::FRAME, 320, 240);
    let feeder = decoder.feed(frames);
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    assert!(pictures.len() >= 45, "{}", pictures.len());
    let size = 320 * 240 * 3 / 2;
    let last: Vec<_> = pictures.iter().rev().take(10).collect();
    for (picture, want) in last.iter().zip(want.chunks(size).rev()) {
        assert!(picture.pixels == want);
    }
    let status = decoder.ok(12, &[]).remove(0);
    let errors: u32 = (0..7).map(|i| u32_at(&status, 48 + 4 * i)).sum();
    assert!(errors >= 2, "{errors}");
    assert!(card.link.counter("vdec_errors") > 0);
}

/// Nothing but noise, in every codec and mode.
#[test]
fn noise() {
    let card = Card::new();
    let mut seed = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(200_000)
    .collect();
    for codec in [vdec::H264, vdec::H265, vdec::JPEG] {
        for mode in [vdec::NAL, vdec::FRAME, vdec::STREAM] {
            let decoder = Decoder::new(&card.client(21), codec, mode, 320, 240);
            let feeder = decoder.feed(noise.chunks(20_000).map(<[u8]>::to_vec).collect());
            assert!(decoder.take_all().len() < 50);
            feeder.join().unwrap();
            decoder.ok(7, &[]);
        }
    }
}

/// Pictures larger than group or channel allow are counted and left out.
#[test]
fn picture_sizes() {
    let card = Card::new();
    let clip = ffmpeg::h264(320, 240, 3);
    for (group, channel, error) in [((160, 120), (320, 240), 52), ((320, 240), (160, 120), 68)] {
        let group = group_attr(vdec::H264, vdec::STREAM, group.0, group.1);
        let channel = channel_attr(channel.0, channel.1, 320);
        let decoder = Decoder::with(&card.client(21), &group, &channel);
        let feeder = decoder.feed(vec![clip.clone()]);
        assert_eq!(decoder.take_all().len(), 0);
        feeder.join().unwrap();
        let status = decoder.ok(12, &[]).remove(0);
        assert!(u32_at(&status, error) >= 3, "{status:?}");
        decoder.ok(7, &[]);
    }
    let decoder = Decoder::new(&card.client(21), vdec::H264, vdec::STREAM, 320, 240);
    let code = decoder.send(&vec![0; (1 << 20) + 1], 0, -1);
    vdec(code, ILLEGAL);
    assert_eq!(u32_at(&decoder.ok(12, &[])[0], 72), 1);
}
