// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoders and encoders: what comes out of them.

use gst::prelude::*;

use crate::kit::{bytes, file, psnr, run, same, Pipeline};

const SINK: &str = "appsink name=sink sync=false";
/// Columns and rows of the clips.
const SIZE: (usize, usize) = (640, 272);
/// Reads the pictures that are encoded.
const SOURCE: &str = "filesrc location=/share/in/source.nv12 ! rawvideoparse format=nv12 width=640 height=272 framerate=25/1";

/// Pictures come out bit by bit as libavcodec decodes them, each with its time.
pub fn h264_pictures_equal_those_of_libav() {
    let all = run(&format!(
        "filesrc location=/share/in/clip.mp4 ! qtdemux ! h264parse ! ax650h264dec ! {SINK}"
    ));
    assert_eq!(all.len(), 60);
    same(&all, "clip.nv12");
    // Packets that were cut off leave gaps at the end of the clip.
    let times = String::from_utf8(file("clip.times")).unwrap();
    let want: Vec<u64> = times
        .lines()
        .map(|line| line.trim().parse().unwrap())
        .collect();
    let first = all[0].pts.unwrap();
    let got: Vec<_> = all
        .iter()
        .map(|out| (out.pts.unwrap() - first).mseconds())
        .collect();
    let want: Vec<_> = want.iter().map(|time| time - want[0]).collect();
    assert_eq!(got, want, "each picture has the time that the file says");
}

/// The same of H.265.
pub fn h265_pictures_equal_those_of_libav() {
    let all = run(&format!(
        "filesrc location=/share/in/hevc.mp4 ! qtdemux ! h265parse ! ax650h265dec ! {SINK}"
    ));
    assert_eq!(all.len(), 30);
    same(&all, "hevc.nv12");
}

/// A stream whose size changes gives caps that change, and no picture is lost.
pub fn size_changes_in_the_stream() {
    let all = run(&format!(
        "filesrc location=/share/in/change.h264 ! h264parse ! ax650h264dec ! {SINK}"
    ));
    let width = |caps: &gst::Caps| caps.structure(0).unwrap().get::<i32>("width").unwrap();
    let widths: Vec<_> = all.iter().map(|out| width(&out.caps)).collect();
    let want: Vec<_> = [320, 640, 320]
        .into_iter()
        .flat_map(|width| [width; 12])
        .collect();
    assert_eq!(widths, want);
    same(&all, "change.nv12");
}

/// Who only says "decode" gets the card.
pub fn decodebin3_prefers_the_card() {
    let description = format!("filesrc location=/share/in/clip.mp4 ! decodebin3 ! {SINK}");
    let pipeline = Pipeline::new(&description);
    let sink = pipeline.sink();
    pipeline.play();
    let mut count = 0;
    while sink
        .try_pull_sample(gst::ClockTime::from_seconds(60))
        .is_some()
    {
        count += 1;
    }
    pipeline.wait().unwrap();
    assert_eq!(count, 60);
    let factories: Vec<_> = pipeline
        .0
        .iterate_recurse()
        .into_iter()
        .flatten()
        .filter_map(|element| element.factory().map(|factory| factory.name()))
        .collect();
    assert!(
        factories.iter().any(|name| name == "ax650h264dec"),
        "{factories:?}"
    );
    assert!(
        !factories.iter().any(|name| name == "openh264dec"),
        "{factories:?}"
    );
}

/// What the card does not decode it does not claim to: caps do not fit, and autopluggers look elsewhere.
pub fn ten_bits_are_left_to_others() {
    let pipeline = Pipeline::new(
        "filesrc location=/share/in/ten-bits.mp4 ! qtdemux ! h264parse ! ax650h264dec ! fakesink",
    );
    pipeline.play();
    let error = pipeline.wait().expect_err("it was decoded");
    assert!(!error.is_empty());
}

fn encode(element: &str, file: &str) -> Vec<crate::kit::Out> {
    let all = run(&format!("{SOURCE} ! {element} ! {SINK}"));
    let path = format!("/share/out/{file}");
    std::fs::write(path, bytes(&all)).unwrap();
    all
}

fn is_key(out: &crate::kit::Out) -> bool {
    !out.flags.contains(gst::BufferFlags::DELTA_UNIT)
}

/// The host compares the pictures with the source.
pub fn h264_is_encoded() {
    let all = encode("ax650h264enc bitrate=2000 gop-size=10", "h264enc.h264");
    assert_eq!(all.len(), 30);
    let keys: Vec<_> = (0..30).filter(|at| is_key(&all[*at])).collect();
    assert_eq!(keys, [0, 10, 20]);
    let caps = all[0].caps.to_string();
    for words in [
        "video/x-h264",
        "byte-stream",
        "alignment=(string)au",
        "profile=(string)",
        "level=(string)",
        "width=(int)640",
    ] {
        assert!(caps.contains(words), "no {words} in {caps}");
    }
}

/// The same of H.265.
pub fn h265_is_encoded() {
    let all = encode("ax650h265enc rate-control=cbr bitrate=2000", "h265enc.h265");
    assert_eq!(all.len(), 30);
    let caps = all[0].caps.to_string();
    assert!(
        caps.contains("video/x-h265") && caps.contains("profile=(string)main"),
        "{caps}"
    );
}

/// JPEG pictures, each for itself.
pub fn jpeg_is_encoded() {
    let all = run(&format!("{SOURCE} ! ax650jpegenc qp=20 ! {SINK}"));
    assert_eq!(all.len(), 30);
    assert!(all.iter().all(is_key));
    std::fs::write("/share/out/jpegenc-0.jpg", &all[0].bytes).unwrap();
}

/// Pictures that libjpeg decodes much the same way.
pub fn jpeg_is_decoded() {
    let source = "multifilesrc location=/share/in/picture-%d.jpg index=1 stop-index=5 caps=image/jpeg,framerate=5/1 ! jpegparse";
    let card = run(&format!("{source} ! ax650jpegdec ! {SINK}"));
    let soft = run(&format!(
        "{source} ! jpegdec ! videoconvert ! video/x-raw,format=NV12 ! {SINK}"
    ));
    assert_eq!((card.len(), soft.len()), (5, 5));
    let luma = SIZE.0 * SIZE.1;
    for (card, soft) in card.iter().zip(&soft) {
        let db = psnr(&card.bytes[..luma], &soft.bytes[..luma]);
        assert!(db > 40.0, "{db} dB");
    }
}

/// The next element's wish is heard.
pub fn a_profile_is_negotiated() {
    for profile in ["main", "high"] {
        let all = run(&format!(
            "{SOURCE} ! ax650h264enc ! video/x-h264,profile={profile} ! {SINK}"
        ));
        let caps = all[0].caps.to_string();
        assert!(
            caps.contains(&format!("profile=(string){profile}")),
            "{caps}"
        );
    }
}

/// A request for an intra picture is heard, and no picture is lost by it.
pub fn key_units_on_demand() {
    let pipeline = Pipeline::new(&format!(
        "{SOURCE} ! identity name=gate ! ax650h264enc name=encoder gop-size=300 ! {SINK}"
    ));
    let sink = pipeline.sink();
    let encoder = pipeline.element("encoder");
    let seen = std::sync::atomic::AtomicU32::new(0);
    let pad = encoder.static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        if seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 17 {
            let event = gst_video::UpstreamForceKeyUnitEvent::builder()
                .all_headers(true)
                .build();
            let element = pad.parent_element().expect("an element");
            assert!(element.send_event(event));
        }
        gst::PadProbeReturn::Ok
    });
    pipeline.play();
    let mut keys = Vec::new();
    let mut count = 0;
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(60)) {
        if is_key(&crate::kit::Out::of(&sample)) {
            keys.push(count);
        }
        count += 1;
    }
    pipeline.wait().unwrap();
    assert_eq!(count, file("source.nv12").len() / (SIZE.0 * SIZE.1 * 3 / 2));
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!((17..=18).contains(&keys[1]), "{keys:?}");
}
