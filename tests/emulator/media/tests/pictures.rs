// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures as they were coded: cropped on all sides, of any range, grey; and those that a card does
//! not decode.

mod common;

use common::vdec::{self, channel_attr, group_attr, Decoder, Picture};
use common::{ffmpeg, n32, u32_at, Card};

const FRAMES: u32 = 5;

fn decode(card: &Card, codec: u32, stream: &[u8], size: (u32, u32)) -> (Vec<Picture>, Vec<u8>) {
    let decoder = Decoder::new(&card.client(21), codec, vdec::STREAM, size.0, size.1);
    let feeder = decoder.feed(vec![stream.to_vec()]);
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    let status = decoder.ok(12, &[]).remove(0);
    decoder.ok(7, &[]);
    (pictures, status)
}

fn pixels(pictures: &[Picture]) -> Vec<u8> {
    pictures.iter().flat_map(|p| p.pixels.clone()).collect()
}

/// The part that a cropping window leaves, against ffmpeg's filter on the same stream without one.
#[test]
fn cropped_on_all_sides() {
    let clip = "-preset ultrafast";
    for (codec, encoder, format, bsf) in [
        (vdec::H264, "libx264", "h264", "h264_metadata"),
        (
            vdec::H265,
            "libx265 -x265-params log-level=none",
            "hevc",
            "hevc_metadata",
        ),
    ] {
        let whole = ffmpeg::clip(
            192,
            144,
            FRAMES,
            &format!("-c:v {encoder} {clip} -f {format}"),
        );
        for (left, top, right, bottom) in
            [(10, 6, 0, 0), (2, 2, 4, 8), (36, 14, 10, 0), (0, 0, 6, 2)]
        {
            let window =
                format!("crop_left={left}:crop_top={top}:crop_right={right}:crop_bottom={bottom}");
            let args = format!("-f {format} -i - -c copy -bsf:v {bsf}={window} -f {format} -");
            let stream = ffmpeg::run(&args, &whole);
            let (w, h) = (192 - left - right, 144 - top - bottom);
            let want = ffmpeg::run(
                &format!(
                    "-f {format} -i - -vf crop={w}:{h}:{left}:{top} -f rawvideo -pix_fmt nv12 -"
                ),
                &whole,
            );
            let (pictures, _) = decode(&Card::new(), codec, &stream, (192, 144));
            assert_eq!(pictures.len(), FRAMES as usize, "{format} {window}");
            assert_eq!(pictures[0].size(), (w, h), "{format} {window}");
            assert!(pixels(&pictures) == want, "{format} {window}");
            // The channel is as small as the visible part.
            let (pictures, _) = decode(&Card::new(), codec, &stream, (w, h));
            assert_eq!(pictures.len(), FRAMES as usize, "{format} {window}, small");
        }
    }
}

/// A picture of luma alone keeps it as it is, and has no colours.
#[test]
fn grey_pictures() {
    let ramp = "-vf geq=lum='mod(X*3+Y*5\\,256)' -pix_fmt gray";
    let made = |size: (u32, u32), encoder: &str| {
        ffmpeg::clip(size.0, size.1, FRAMES, &format!("{ramp} {encoder}"))
    };
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none -f hevc";
    let mono = include_bytes!("data/mono_31x29.h264");
    let grey = include_bytes!("data/grey.jpg");
    for (codec, format, stream) in [
        (vdec::JPEG, "mjpeg", grey.to_vec()),
        (vdec::H265, "hevc", made((320, 240), h265)),
        (vdec::H265, "hevc", made((64, 64), h265)),
        (vdec::H264, "h264", mono.to_vec()),
    ] {
        let planes = "-vf extractplanes=y -f rawvideo -pix_fmt gray -";
        let want = ffmpeg::run(&format!("-f {format} -i - {planes}"), &stream);
        let (pictures, _) = decode(&Card::new(), codec, &stream, (320, 240));
        assert_eq!(pictures.len(), ffmpeg::packets(&stream, format), "{format}");
        let size = pictures[0].size();
        let luma = (size.0 * size.1) as usize;
        assert_eq!(want.len(), luma * pictures.len(), "{format} {size:?}");
        for (picture, want) in pictures.iter().zip(want.chunks(luma)) {
            assert!(picture.pixels[..luma] == *want, "{format} {size:?}");
            let colour = picture.pixels[luma..].iter().find(|c| **c != 128);
            assert_eq!(colour, None, "{format} {size:?}");
        }
    }
}

/// A scaled grey picture too.
#[test]
fn grey_pictures_scaled() {
    let stream = include_bytes!("data/grey.jpg").to_vec();
    let scaled = "-vf extractplanes=y,scale=32:24:flags=bicubic -f rawvideo -pix_fmt gray -";
    let want = ffmpeg::run(&format!("-f mjpeg -i - {scaled}"), &stream);
    assert!(want.iter().max() > Some(&240) && want.iter().min() < Some(&10));
    let card = Card::new();
    let mut channel = channel_attr(32, 24, 0);
    channel[44..48].copy_from_slice(&n32(2));
    let group = group_attr(vdec::JPEG, vdec::FRAME, 64, 48);
    let decoder = Decoder::with(&card.client(21), &group, &channel);
    let feeder = decoder.feed(vec![stream]);
    let picture = decoder.take_all().remove(0);
    feeder.join().unwrap();
    let (luma, colours) = picture.pixels.split_at(32 * 24);
    let psnr = ffmpeg::psnr(luma, &want);
    assert!(psnr > 40.0, "{psnr}");
    assert!(colours.iter().all(|c| c.abs_diff(128) <= 1));
}

/// The range of the samples is left as it is.
#[test]
fn full_range() {
    for (codec, format, encoder) in [
        (vdec::H264, "h264", "-c:v libx264 -preset ultrafast"),
        (
            vdec::H265,
            "hevc",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none",
        ),
        (vdec::JPEG, "mjpeg", "-c:v mjpeg -q:v 2"),
    ] {
        let stream = ffmpeg::clip(
            320,
            240,
            FRAMES,
            &format!("-pix_fmt yuvj420p -color_range pc {encoder} -f {format}"),
        );
        let args = format!("-f {format} -i - -f rawvideo -pix_fmt yuvj420p -");
        let want = ffmpeg::run(&args, &stream);
        let (pictures, _) = decode(&Card::new(), codec, &stream, (320, 240));
        assert_eq!(pictures.len(), FRAMES as usize);
        let size = 320 * 240;
        for (picture, want) in pictures.iter().zip(want.chunks(size * 3 / 2)) {
            assert!(picture.pixels[..size] == want[..size], "{format}");
            let u: Vec<_> = picture.pixels[size..].iter().step_by(2).copied().collect();
            assert!(u == want[size..size * 5 / 4], "{format}");
        }
    }
}

/// More colours than 4:2:0 or more than 10 bits are none of a card's; the switch has them converted.
#[test]
fn formats_that_the_card_does_not_decode() {
    const UNSUPPORTED: usize = 48 + 8;
    let h264 = "-c:v libx264 -preset ultrafast -f h264";
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none -f hevc";
    for (codec, encoder, format, plain) in [
        (vdec::H264, h264, "yuv420p10le", true),
        (vdec::H265, h265, "yuv420p10le", true),
        (vdec::H264, h264, "yuv422p", false),
        (vdec::H264, h264, "yuv444p", false),
        (vdec::H264, h264, "yuv422p10le", false),
        (vdec::H265, h265, "yuv444p", false),
        (vdec::H265, h265, "yuv420p12le", false),
    ] {
        let what = format!("{codec} {format}");
        let stream = ffmpeg::clip(320, 240, FRAMES, &format!("-pix_fmt {format} {encoder}"));
        for converts in [false, true] {
            let card = Card::new();
            card.link.set_switch("vdec.any_format", converts.into());
            let (pictures, status) = decode(&card, codec, &stream, (320, 240));
            if plain || converts {
                let name = if codec == vdec::H264 { "h264" } else { "hevc" };
                let psnr = ffmpeg::psnr(&pixels(&pictures), &ffmpeg::nv12(&stream, name));
                assert!(psnr > 38.0, "{what}: {psnr}");
                assert_eq!(u32_at(&status, UNSUPPORTED), 0, "{what}");
            } else {
                assert_eq!(pictures.len(), 0, "{what}");
                assert_eq!(u32_at(&status, UNSUPPORTED), FRAMES, "{what}");
                assert_eq!(
                    card.link.counter("vdec_errors"),
                    u64::from(FRAMES),
                    "{what}"
                );
            }
        }
    }
}

/// A video of JPEG images has a number of its own; slices come in calls of their own or not at all.
#[test]
fn numbers_of_codecs_and_modes() {
    let images = ffmpeg::clip(160, 120, FRAMES, "-c:v mjpeg -q:v 3 -f mjpeg");
    let (pictures, status) = decode(&Card::new(), 1002, &images, (160, 120));
    assert_eq!(
        (pictures.len(), u32_at(&status, 0)),
        (FRAMES as usize, 1002)
    );
    let codec = "-c:v libx264 -preset ultrafast -g 1 -x264-params slices=2 -f h264";
    let clip = ffmpeg::clip(160, 120, FRAMES, codec);
    let want = ffmpeg::nv12(&clip, "h264");
    for (mode, code) in [(0, 0), (2, 0), (3, 0), (4, 0), (5, 0x8008_010a)] {
        let card = Card::new();
        let client = card.client(21);
        client.ok(common::VDEC, 0, &[&common::record(16, &[(0, 4)])]);
        let attr = group_attr(vdec::H264, mode, 160, 120);
        assert_eq!(
            client.status(common::VDEC, 5, &[&n32(9), &attr]),
            code,
            "{mode}"
        );
        if code == 0 {
            let channel = channel_attr(160, 120, 192);
            let decoder = Decoder::with(&client, &attr, &channel);
            // All four modes of decoding show a stream of intra pictures whole.
            for decoding in 0..4 {
                decoder.ok(14, &[&common::record(12, &[(4, decoding)])]);
                decoder.ok(10, &[&n32(u32::MAX)]);
                let chunks = clip.chunks(700).map(<[u8]>::to_vec).collect::<Vec<_>>();
                for chunk in &chunks {
                    let stream = common::record(56, &[(28, chunk.len() as u32)]);
                    decoder.ok(17, &[&stream, &n32(u32::MAX), chunk]);
                }
                assert_eq!(decoder.send_end(), 0);
                assert!(pixels(&decoder.take_all()) == want, "{mode} {decoding}");
                decoder.ok(11, &[]);
            }
        }
    }
}
