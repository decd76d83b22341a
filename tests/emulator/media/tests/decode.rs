// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoded pictures are those of ffmpeg, bit for bit.

mod common;

use common::ffmpeg;
use common::vdec::{cut, Decoder, FRAME, H264, H265, NAL, STREAM};
use common::Card;

fn chunks(bytes: &[u8], len: usize) -> Vec<Vec<u8>> {
    bytes.chunks(len).map(<[u8]>::to_vec).collect()
}

#[track_caller]
fn same(pictures: &[common::vdec::Picture], want: &[u8], count: usize) {
    assert_eq!(pictures.len(), count);
    for (i, (picture, want)) in pictures
        .iter()
        .zip(want.chunks(want.len() / count))
        .enumerate()
    {
        assert_eq!(picture.seq(), i as u64);
        assert!(picture.pixels == want, "picture {i} differs");
    }
}

#[test]
fn h264_in_stream_mode() {
    let clip = ffmpeg::h264(322, 238, 60);
    let want = ffmpeg::nv12(&clip, "h264");
    let card = Card::new();
    let client = card.client(21);
    let decoder = Decoder::new(&client, H264, STREAM, 352, 288);
    let feeder = decoder.feed(chunks(&clip, 1000));
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    same(&pictures, &want, 60);
    assert_eq!(pictures[0].size(), (322, 238));
    assert_eq!(decoder.get(-1).err(), Some(common::vdec::FLOW_END));
    card.media.session_end(21);
    assert_eq!(card.link.counter("vdec_pictures"), 60);
}

#[test]
fn h265_in_stream_mode() {
    let clip = ffmpeg::h265(320, 240, 40);
    let want = ffmpeg::nv12(&clip, "hevc");
    let card = Card::new();
    let decoder = Decoder::new(&card.client(21), H265, STREAM, 320, 240);
    let feeder = decoder.feed(chunks(&clip, 1500));
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    same(&pictures, &want, 40);
}

/// Time stamps stay with their pictures through re-ordering.
#[test]
fn frame_mode_keeps_time_stamps() {
    let codec = "-c:v libx264 -preset veryfast -bf 2 -bsf:v h264_metadata=aud=insert -f h264";
    let clip = ffmpeg::clip(320, 240, 30, codec);
    let want = ffmpeg::nv12(&clip, "h264");
    let frames = cut(&clip, &[0, 0, 0, 1, 9]);
    assert_eq!(frames.len(), 30);
    let card = Card::new();
    let decoder = Decoder::new(&card.client(21), H264, FRAME, 320, 240);
    let feeder = decoder.feed(frames);
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    same(&pictures, &want, 30);
    let stamps: Vec<_> = pictures.iter().map(|p| p.pts()).collect();
    let mut sorted = stamps.clone();
    sorted.sort_unstable();
    assert_ne!(
        stamps, sorted,
        "the clip has B pictures: stamps of sending order come mixed"
    );
    assert_eq!(sorted, (0..30).map(|i| 40_000 * i).collect::<Vec<u64>>());
}

#[test]
fn nal_mode() {
    let codec = "-c:v libx264 -preset veryfast -bf 0 -x264-params slices=3 -f h264";
    let clip = ffmpeg::clip(320, 240, 10, codec);
    let want = ffmpeg::nv12(&clip, "h264");
    let card = Card::new();
    let decoder = Decoder::new(&card.client(21), H264, NAL, 320, 240);
    // Without bEndOfFrame the next picture's first unit tells.
    let mut nals = cut(&clip, &[0, 0, 1]);
    let feeder = std::thread::spawn({
        let decoder = Decoder {
            client: decoder.client.clone(),
            ..decoder
        };
        move || {
            for nal in nals.drain(..) {
                let stream = common::record(56, &[(28, nal.len() as u32)]);
                assert_eq!(decoder.status(17, &[&stream, &[0xff; 4], &nal]), 0);
            }
            assert_eq!(decoder.send_end(), 0);
        }
    });
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    same(&pictures, &want, 10);
}

#[test]
fn several_groups_at_once() {
    let card = Card::new();
    std::thread::scope(|scope| {
        for i in 0..4 {
            let client = card.client(21 + i % 2);
            scope.spawn(move || {
                let width = 160 + 32 * i;
                let clip = ffmpeg::h264(width, 128, 25);
                let want = ffmpeg::nv12(&clip, "h264");
                let decoder = Decoder::new(&client, H264, STREAM, width, 128);
                let feeder = decoder.feed(chunks(&clip, 5000));
                same(&decoder.take_all(), &want, 25);
                feeder.join().unwrap();
            });
        }
    });
    card.media.session_end(21);
    card.media.session_end(22);
    assert_eq!(
        card.media.report()["vdec"]["groups"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}
