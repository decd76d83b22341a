// SPDX-License-Identifier: MIT OR Apache-2.0

//! What channels make of pictures: scaling, cutting, pools, order; many groups and channels.

mod common;

use ax650_emu_api::Link;
use common::vdec::{self, channel_attr, group_attr, Decoder};
use common::venc::{self, cbr, Encoder};
use common::{ffmpeg, n32, n64, record, u32_at, u64_at, Card, SYS, VDEC};

fn set(bytes: &mut [u8], fields: &[(usize, u32)]) {
    for &(at, n) in fields {
        bytes[at..at + 4].copy_from_slice(&n32(n));
    }
}

/// Three channels of a group: original, scaled, cut out.
#[test]
fn three_channels() {
    let card = Card::new();
    let clip = ffmpeg::h264(320, 240, 6);
    let client = card.client(21);
    let group = group_attr(vdec::H264, vdec::STREAM, 320, 240);
    let decoder = Decoder::with(&client, &group, &channel_attr(320, 240, 512));
    let mut scaled = channel_attr(160, 96, 0);
    set(&mut scaled, &[(44, 2)]);
    let mut cut = channel_attr(100, 50, 0);
    set(&mut cut, &[(44, 1), (16, 20), (20, 10)]);
    for (channel, attr) in [(1, &scaled), (2, &cut)] {
        decoder.ok(31, &[&n32(channel), attr]);
        decoder.ok(29, &[&n32(channel)]);
    }
    let feeder = decoder.feed(vec![clip.clone()]);
    let all: Vec<Vec<vdec::Picture>> = std::thread::scope(|scope| {
        let take = |channel| Decoder {
            client: client.clone(),
            channel,
            ..decoder
        };
        let threads: Vec<_> = (0..3)
            .map(|c| (c, take(c)))
            .map(|(_, d)| scope.spawn(move || d.take_all()))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    feeder.join().unwrap();
    let filtered = |filter: &str| {
        let args = format!("-f h264 -i - -vf {filter} -f rawvideo -pix_fmt nv12 -");
        ffmpeg::run(&args, &clip)
    };
    let pixels = |i: usize| {
        all[i]
            .iter()
            .flat_map(|p| p.pixels.clone())
            .collect::<Vec<_>>()
    };
    assert!(pixels(0) == ffmpeg::nv12(&clip, "h264"));
    assert_eq!(u32_at(&all[0][0].info, 32), 512);
    assert_eq!((all[1][0].size(), all[2][0].size()), ((160, 96), (100, 50)));
    assert_eq!(
        u32_at(&all[1][0].info, 32),
        256,
        "the card's choice of stride"
    );
    let psnr = ffmpeg::psnr(&pixels(1), &filtered("scale=160:96"));
    assert!(psnr > 35.0, "{psnr}");
    assert!(pixels(2) == filtered("crop=100:50:20:10"));
}

/// Pictures in blocks of a pool that the client made, and of the common pools.
#[test]
fn pools_of_the_client() {
    let card = Card::new();
    let clip = ffmpeg::h264(320, 240, 8);
    let want = ffmpeg::nv12(&clip, "h264");
    let client = card.client(21);
    let mut group = group_attr(vdec::H264, vdec::STREAM, 320, 240);
    set(&mut group, &[(20, 0)]);
    let mut config = record(96, &[(16, 4)]);
    config[8..16].copy_from_slice(&n64(115_200));
    for attached in [true, false] {
        let decoder = Decoder::with(&client, &group, &channel_attr(320, 240, 320));
        if attached {
            let pool = client.status(SYS, 45, &[&config]);
            assert_eq!(
                decoder.status(27, &[&n32(0), &n32(pool)]),
                0x8008_0115,
                "pictures may come"
            );
            decoder.ok(11, &[]);
            decoder.ok(27, &[&n32(0), &n32(pool)]);
            decoder.ok(10, &[&n32(u32::MAX)]);
            decoder.ok(30, &[&n32(0)]);
            decoder.ok(28, &[&n32(0)]);
            decoder.ok(27, &[&n32(0), &n32(pool)]);
            decoder.ok(29, &[&n32(0)]);
        } else {
            let mut plan = config.clone();
            plan.resize(6144, 0);
            client.ok(SYS, 41, &[&plan]);
            client.ok(SYS, 43, &[]);
        }
        let feeder = decoder.feed(vec![clip.clone()]);
        let first = decoder.get(5000).unwrap();
        let block = u32_at(&first.info, 164);
        assert_eq!(
            u64_at(&client.call(SYS, 50, &[&n32(block)])[0], 0),
            u64_at(&first.info, 56)
        );
        // The client holds the block on its own, beyond the release of the picture.
        client.ok(SYS, 58, &[&n32(block)]);
        assert_eq!(decoder.release(&first), 0);
        let pictures = decoder.take_all();
        feeder.join().unwrap();
        assert_eq!(pictures.len(), 7);
        assert!(pictures.iter().all(|p| u32_at(&p.info, 164) != block));
        let pixels: Vec<_> = pictures.iter().flat_map(|p| p.pixels.clone()).collect();
        assert!(first.pixels == want[..115_200] && pixels == want[115_200..]);
        client.ok(SYS, 48, &[&n32(block)]);
        decoder.ok(7, &[]);
    }
}

/// With enOutputOrder 1 pictures come as they are decoded, without waiting for others.
#[test]
fn decode_order() {
    let card = Card::new();
    let clip = ffmpeg::clip(
        320,
        240,
        12,
        "-c:v libx264 -preset veryfast -bf 0 -bsf:v h264_metadata=aud=insert -f h264",
    );
    let decoder = Decoder::new(&card.client(21), vdec::H264, vdec::FRAME, 320, 240);
    decoder.ok(14, &[&record(12, &[(0, 1)])]);
    for (i, frame) in vdec::cut(&clip, &[0, 0, 0, 1, 9]).iter().enumerate() {
        assert_eq!(decoder.send(frame, i as u64, -1), 0);
        let picture = decoder.get(5000).unwrap();
        assert_eq!(picture.pts(), i as u64);
        assert_eq!(decoder.release(&picture), 0);
    }
}

/// enVdecMode 2: only intra pictures.  bSkipDisplay: decoded, but not shown.
#[test]
fn fewer_pictures() {
    let card = Card::new();
    let codec = "-c:v libx264 -preset veryfast -bf 2 -g 5 -x264-params scenecut=0 \
                 -bsf:v h264_metadata=aud=insert -f h264";
    let frames = vdec::cut(&ffmpeg::clip(320, 240, 20, codec), &[0, 0, 0, 1, 9]);
    let decoder = Decoder::new(&card.client(21), vdec::H264, vdec::FRAME, 320, 240);
    decoder.ok(14, &[&record(12, &[(4, 2)])]);
    let feeder = decoder.feed(frames.clone());
    assert_eq!(decoder.take_all().len(), 4);
    feeder.join().unwrap();
    decoder.ok(14, &[&[0; 12]]);
    decoder.ok(11, &[]);
    decoder.ok(10, &[&n32(u32::MAX)]);
    for (i, frame) in frames.iter().enumerate() {
        let skip = u32::from(i < 15);
        let stream = record(56, &[(16, 1), (24, skip), (28, frame.len() as u32)]);
        decoder.ok(17, &[&stream, &n32(u32::MAX), frame]);
    }
    assert_eq!(decoder.send_end(), 0);
    assert_eq!(decoder.take_all().len(), 5);
}

/// The user picture is shown while no stream comes.
#[test]
fn user_picture() {
    let card = Card::new();
    let decoder = Decoder::new(&card.client(21), vdec::H264, vdec::FRAME, 320, 240);
    let pixels = ffmpeg::pictures(160, 120, 1);
    let at = decoder.client.alloc(pixels.len());
    card.link.dram().write(at, &pixels).unwrap();
    let mut picture = record(736, &[(16, 160), (20, 120), (24, 3), (48, 160), (52, 160)]);
    picture[72..80].copy_from_slice(&n64(at));
    assert_eq!(decoder.status(23, &[]), 0x8008_0113, "no picture");
    decoder.ok(22, &[&picture]);
    assert_eq!(decoder.status(23, &[]), 0x8008_0115, "a stream comes");
    decoder.ok(11, &[]);
    assert_eq!(decoder.get(5000).err(), Some(vdec::FLOW_END));
    decoder.ok(23, &[]);
    decoder.ok(10, &[&n32(u32::MAX)]);
    let shown = decoder.get(5000).unwrap();
    assert!(shown.size() == (160, 120) && shown.pixels == pixels);
    decoder.ok(24, &[]);
    picture[72..80].copy_from_slice(&n64(12));
    assert_eq!(decoder.status(22, &[&picture]), 0x8008_010c);
}

/// What the stream says of itself, and the messages in it.
#[test]
fn stream_information() {
    let card = Card::new();
    let client = card.client(21);
    let encoder = Encoder::new(&client, &cbr(venc::H264, 320, 240, 10, 2000));
    encoder.ok(35, &[&[0; 24], b"a message"]);
    let clip = venc::join(&encoder.encode(&ffmpeg::pictures(320, 240, 3)));
    let decoder = Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
    let feeder = decoder.feed(vec![clip]);
    assert_eq!(decoder.take_all().len(), 3);
    feeder.join().unwrap();
    let user = decoder.ok(20, &[]);
    // x264 puts in a message of its own too.
    assert_eq!(u32_at(&user[0], 16) as usize, user[1].len());
    decoder.ok(21, &[&user[0]]);
    assert_eq!(decoder.status(21, &[&user[0]]), vdec::UNEXIST);
    let vui = decoder.ok(35, &[]).remove(0);
    assert_eq!(
        (u32_at(&vui, 0), u32_at(&vui, 4)),
        (5, 0),
        "unspecified, limited range"
    );
    let info = decoder.ok(34, &[]).remove(0);
    assert_eq!(
        [16, 20, 24].map(|at| u32_at(&info, at)),
        [1 << 20, 0, 1 << 20]
    );
    let status = decoder.ok(12, &[]).remove(0);
    assert_eq!([0, 28, 32].map(|at| u32_at(&status, at)), [96, 1, 3]);
}

/// SelectGrp names the groups and channels that have pictures.
#[test]
fn select() {
    let card = Card::new();
    let client = card.client(21);
    let a = Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
    let b = Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
    let clip = ffmpeg::h264(320, 240, 2);
    let select = |ms: u32| client.ok(VDEC, 16, &[&n32(ms)]).remove(0);
    let feeder = b.feed(vec![clip.clone()]);
    let one = select(5000);
    assert_eq!([0, 8, 12, 16].map(|at| u32_at(&one, at)), [1, b.id, 1, 0]);
    assert!(u64_at(&one, 32) >= 1);
    feeder.join().unwrap();
    let feeder = a.feed(vec![clip]);
    feeder.join().unwrap();
    while u32_at(&select(5000), 0) < 2 {
        std::thread::yield_now();
    }
    let two = select(0);
    assert_eq!([8, 56].map(|at| u32_at(&two, at)), [a.id, b.id]);
    assert_eq!(a.take_all().len() + b.take_all().len(), 4);
}

/// A client that waits for several groups in SelectGrp alone learns of the ends of their streams.
#[test]
fn select_to_the_end() {
    let card = Card::new();
    let client = card.client(21);
    let groups: Vec<_> = (0..2)
        .map(|_| Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240))
        .collect();
    let feeders = [3, 5].map(|frames| ffmpeg::h264(320, 240, frames));
    let feeders = groups
        .iter()
        .zip(feeders)
        .map(|(g, clip)| g.feed(vec![clip]));
    let feeders: Vec<_> = feeders.collect();
    let (mut pictures, mut ends) = (vec![0; 2], 0);
    let last = loop {
        let mut answer = client.call(VDEC, 16, &[&n32(u32::MAX)]);
        match u32_at(&answer[0], 0) {
            0 => (),
            code => break code,
        }
        let set = answer.remove(1);
        for entry in set[8..].chunks(48).take(u32_at(&set, 0) as usize) {
            assert!(u64_at(entry, 24) >= 1);
            let at = groups
                .iter()
                .position(|g| g.id == u32_at(entry, 0))
                .unwrap();
            match groups[at].get(0) {
                Ok(picture) => {
                    pictures[at] += 1;
                    assert_eq!(groups[at].release(&picture), 0);
                }
                Err(code) => {
                    assert_eq!(code, vdec::FLOW_END);
                    ends += 1;
                }
            }
        }
    };
    assert_eq!((last, pictures, ends), (vdec::FLOW_END, vec![3, 5], 2));
    feeders.into_iter().for_each(|f| f.join().unwrap());
    // Another stream is waited for again.
    groups[0].ok(11, &[]);
    groups[0].ok(10, &[&n32(u32::MAX)]);
    assert_eq!(client.status(VDEC, 16, &[&n32(10)]), vdec::TIMED_OUT);
}

/// A client that asks for compressed pictures gets plain ones, which say so.
#[test]
fn compression_is_not_done() {
    let card = Card::new();
    let clip = ffmpeg::h264(320, 240, 3);
    let mut channel = channel_attr(320, 240, 320);
    // Lossy, level 4, in buffers that would hold half a picture.
    set(&mut channel, &[(40, 60_000), (52, 2), (56, 4)]);
    let group = group_attr(vdec::H264, vdec::STREAM, 320, 240);
    let decoder = Decoder::with(&card.client(21), &group, &channel);
    assert_eq!(decoder.ok(32, &[&n32(0)]), [channel]);
    let feeder = decoder.feed(vec![clip.clone()]);
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    assert!(pictures.iter().all(|p| u32_at(&p.info, 16) == 0));
    let pixels: Vec<_> = pictures.into_iter().flat_map(|p| p.pixels).collect();
    assert!(pixels == ffmpeg::nv12(&clip, "h264"));
}

/// 32 groups and 16 channels work at the same time.
#[test]
fn all_groups_and_channels() {
    let card = Card::new();
    let clip = ffmpeg::h264(96, 64, 12);
    let want = ffmpeg::nv12(&clip, "h264");
    let pixels = ffmpeg::pictures(96, 64, 6);
    let (card, clip, want, pixels) = (&card, &clip, &want, &pixels);
    std::thread::scope(|scope| {
        for i in 0..32 {
            scope.spawn(move || {
                let client = card.client(21 + 4 * (i % 3));
                let decoder = Decoder::new(&client, vdec::H264, vdec::STREAM, 96, 64);
                let feeder = decoder.feed(vec![clip.clone()]);
                let all = decoder.take_all();
                let got: Vec<_> = all.into_iter().flat_map(|p| p.pixels).collect();
                assert!(got == *want);
                feeder.join().unwrap();
            });
        }
        for i in 0..16 {
            scope.spawn(move || {
                let codec = if i % 2 == 0 { venc::H264 } else { venc::H265 };
                let attr = cbr(codec, 96, 64, 10, 1000);
                let encoder = Encoder::new(&card.client(21 + 4 * (i % 3)), &attr);
                assert_eq!(encoder.encode(pixels).len(), 6);
            });
        }
    });
    let report = card.media.report();
    assert_eq!(report["vdec"]["groups"].as_array().unwrap().len(), 32);
    assert_eq!(report["venc"]["channels"].as_array().unwrap().len(), 16);
    card.media.stop();
    assert_eq!(card.link.cmm_used(), 0);
}
