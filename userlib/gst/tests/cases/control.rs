// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ends, jumps, lateness, errors: what pipelines do to their elements.

use std::time::{Duration, Instant};

use ax650::Card;
use gst::prelude::*;

use crate::kit::{file, run, same, Out, Pipeline};

const CLIP: &str =
    "filesrc location=/share/in/clip.mp4 ! qtdemux ! h264parse ! ax650h264dec name=decoder";
const SINK: &str = "appsink name=sink sync=false";
/// Bytes of a picture of the clip.
const ONE: usize = 640 * 272 * 3 / 2;
/// A pipeline is gone after this, whatever the card does.
const GONE: Duration = Duration::from_secs(30);

/// Whoever plays one file twice gets all of it twice.
pub fn end_of_stream_brings_all_pictures() {
    // Without a demuxer: the parser of pipelines links its pads only once.
    let pipeline = Pipeline::new(&format!(
        "filesrc location=/share/in/change.h264 ! h264parse ! ax650h264dec ! {SINK}"
    ));
    for _ in 0..2 {
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
        assert_eq!(count, 36);
        pipeline.stop();
    }
}

/// Behind a jump come the pictures of that time, and nothing of before.
pub fn seek_in_a_file() {
    let pipeline = Pipeline::new(&format!("{CLIP} ! {SINK} max-buffers=3"));
    let sink = pipeline.sink();
    let want = file("clip.nv12");
    let picture = |at: usize| &want[at * ONE..][..ONE];
    pipeline.play();
    for _ in 0..5 {
        sink.try_pull_sample(gst::ClockTime::from_seconds(60))
            .expect("a picture");
    }
    for at in [40_u64, 10, 55, 0] {
        let time = gst::ClockTime::from_mseconds(at * 40);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        pipeline.0.seek_simple(flags, time).expect("a jump");
        let sample = sink
            .try_pull_sample(gst::ClockTime::from_seconds(60))
            .expect("a picture");
        let segment = sample.segment().expect("a segment").clone();
        let out = Out::of(&sample);
        let segment = segment
            .downcast_ref::<gst::ClockTime>()
            .expect("time")
            .clone();
        let shown = segment.to_stream_time(out.pts).expect("in the segment");
        assert_eq!(shown, time);
        assert!(out.bytes == picture(at as usize), "not picture {at}");
    }
    let mut count = 1;
    while sink
        .try_pull_sample(gst::ClockTime::from_seconds(60))
        .is_some()
    {
        count += 1;
    }
    assert_eq!(count, 60);
    pipeline.wait().unwrap();
}

/// Who is told that pictures come too late gives out fewer.
pub fn late_pictures_are_dropped() {
    let pipeline = Pipeline::new(&format!("{CLIP} ! {SINK} max-buffers=1"));
    let sink = pipeline.sink();
    let decoder = pipeline.element("decoder");
    pipeline.play();
    let first = sink
        .try_pull_sample(gst::ClockTime::from_seconds(60))
        .expect("a picture");
    let pts = first
        .buffer()
        .and_then(|buffer| buffer.pts())
        .expect("a time");
    // All before the second 1.2 is too late.
    let qos = gst::event::Qos::new(
        gst::QOSType::Underflow,
        2.0,
        gst::ClockTime::from_mseconds(600).nseconds() as i64,
        pts,
    );
    assert!(decoder.static_pad("src").unwrap().send_event(qos));
    let mut count = 1;
    while sink
        .try_pull_sample(gst::ClockTime::from_seconds(60))
        .is_some()
    {
        count += 1;
    }
    pipeline.wait().unwrap();
    assert!((25..50).contains(&count), "{count} pictures of 60");
}

/// A live pipeline is told how long decoder and encoder keep pictures.
pub fn latency_is_told() {
    let pipeline = Pipeline::new(
        "videotestsrc is-live=true num-buffers=40 ! video/x-raw,format=NV12,width=320,height=240,framerate=10/1 ! ax650h264enc ! h264parse ! ax650h264dec ! appsink name=sink sync=false",
    );
    let sink = pipeline.sink();
    pipeline.play();
    sink.try_pull_sample(gst::ClockTime::from_seconds(60))
        .expect("a picture");
    let mut query = gst::query::Latency::new();
    // Of what is ahead: a sink that does not wait has none.
    assert!(sink.static_pad("sink").unwrap().peer_query(&mut query));
    let (is_live, least, most) = query.result();
    assert!(is_live);
    // Four pictures in the decoder, besides what the parser and the source add.
    assert!(least >= gst::ClockTime::from_mseconds(400), "{least}");
    assert!(most.is_none_or(|most| most >= least));
}

/// Pipelines of one program do not disturb each other.
pub fn two_pipelines_at_once() {
    std::thread::scope(|scope| {
        let decode = || {
            let all = run(&format!("{CLIP} ! {SINK}"));
            same(&all, "clip.nv12");
        };
        let both = [scope.spawn(decode), scope.spawn(decode)];
        let hevc = scope.spawn(|| {
            let all = run("filesrc location=/share/in/hevc.mp4 ! qtdemux ! h265parse ! ax650h265dec ! appsink name=sink sync=false");
            same(&all, "hevc.nv12");
        });
        for thread in both.into_iter().chain([hevc]) {
            thread.join().expect("good pictures");
        }
    });
}

/// A card that is not there gives an error of the element, with the library's words.
pub fn a_missing_card_is_named() {
    for (element, device, words) in [
        ("h264parse ! ax650h264dec", "7", "there is no card 7"),
        ("h264parse ! ax650h264dec", "01:1f.7", "01:1f.7"),
        (
            "h264parse ! ax650h264dec",
            "nonsense",
            "`nonsense` names no card",
        ),
        ("ax650h265enc", "7", "there is no card 7"),
        ("ax650jpegdec", "7", "there is no card 7"),
    ] {
        let pipeline = Pipeline::new(&format!("fakesrc ! {element} device={device} ! fakesink"));
        pipeline.play();
        let error = pipeline.wait().expect_err("there is such a card");
        assert!(error.contains(words), "{device}: {error}");
    }
    // The forms that name the card there is.
    let address = Card::open_first().unwrap().info().unwrap().pci;
    for device in ["0", "ax650-0", "/dev/ax650-0", &address.to_string()] {
        let source = "videotestsrc num-buffers=2 ! video/x-raw,format=NV12,width=64,height=64";
        let all = run(&format!("{source} ! ax650h264enc device={device} ! {SINK}"));
        assert_eq!(all.len(), 2, "{device}");
    }
}

/// Bytes that are no video end in silence or an error, never in a crash or without end.
pub fn garbage_is_no_crash() {
    let caps = "video/x-h264,stream-format=byte-stream,alignment=au,parsed=true,profile=main,width=320,height=240,framerate=25/1";
    let pipeline = Pipeline::new(&format!(
        "appsrc name=source caps={caps} ! ax650h264dec ! fakesink"
    ));
    let source: gst_app::AppSrc = pipeline.element("source").downcast().unwrap();
    pipeline.play();
    let mut seed = 650_u32;
    for length in [1, 2, 5, 100, 5000] {
        let noise = |_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let bytes: Vec<u8> = [0, 0, 0, 1, 0x65]
            .into_iter()
            .chain((0..length).map(noise))
            .collect();
        let _ = source.push_buffer(gst::Buffer::from_mut_slice(bytes));
    }
    let _ = source.end_of_stream();
    let _ = pipeline.wait();
    assert!(pipeline.stop() < GONE);
    // The card is as good as before.
    let all = run(&format!("{CLIP} ! {SINK}"));
    assert_eq!(all.len(), 60);
}

/// Pipelines are stopped while all is under way, and leave nothing on the card.
pub fn stop_in_the_middle() {
    for round in 0..6 {
        let pipeline = Pipeline::new(&format!("{CLIP} ! ax650h264enc ! {SINK} max-buffers=1"));
        let sink = pipeline.sink();
        pipeline.play();
        for _ in 0..round {
            sink.try_pull_sample(gst::ClockTime::from_seconds(60))
                .expect("a packet");
        }
        let took = pipeline.stop();
        assert!(took < GONE, "{took:?}");
    }
    let card = Card::open_first().unwrap();
    let begin = Instant::now();
    while !card.clients().unwrap().is_empty() {
        assert!(begin.elapsed() < GONE, "{:?}", card.clients());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `gst-inspect-1.0` has a word on each element and each property.
pub fn inspect_tells_all() {
    for (element, is_chosen) in [
        ("h264dec", true),
        ("h265dec", true),
        ("jpegdec", true),
        ("h264enc", true),
        ("h265enc", true),
        ("jpegenc", true),
        ("infer", false),
        ("scale", false),
    ] {
        let factory = gst::ElementFactory::find(&format!("ax650{element}")).expect("an element");
        for key in ["long-name", "klass", "description"] {
            assert!(
                factory.metadata(key).is_some_and(|text| text.len() > 10),
                "{element}: {key}"
            );
        }
        assert_eq!(factory.rank() > gst::Rank::PRIMARY, is_chosen, "{element}");
        let element = factory.create().build().unwrap();
        for property in element.list_properties() {
            if property.owner_type() == element.type_() {
                assert!(
                    property.blurb().is_some_and(|blurb| blurb.len() > 10),
                    "{}",
                    property.name()
                );
            }
        }
    }
}

/// A card that is reset under a pipeline is an error of it, not its end; the next one works.
pub fn reset_under_way() {
    let pipeline = Pipeline::new(
        "videotestsrc is-live=true ! video/x-raw,format=NV12,width=320,height=240,framerate=10/1 ! ax650h264enc ! appsink name=sink sync=false",
    );
    let sink = pipeline.sink();
    pipeline.play();
    sink.try_pull_sample(gst::ClockTime::from_seconds(60))
        .expect("a packet");
    let card = Card::open_first().unwrap();
    card.reset().unwrap();
    let error = pipeline.wait().expect_err("the card is gone");
    assert!(error.contains("ax650-0"), "{error}");
    let took = pipeline.stop();
    assert!(took < GONE, "{took:?}");
    let patient = |what: &str, done: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !done() {
            assert!(begin.elapsed() < Duration::from_secs(120), "{what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    // The pipeline may be gone before the reset is over.
    patient("it is reset for ever", &|| match card.boot(false) {
        Ok(()) => true,
        Err(error) if error.kind() == ax650::ErrorKind::Busy => false,
        Err(error) => panic!("{error}"),
    });
    patient("the card does not come up", &|| {
        card.info().unwrap().state == ax650::CardState::Running
    });
    let all = run(&format!("{CLIP} ! {SINK}"));
    same(&all, "clip.nv12");
}
