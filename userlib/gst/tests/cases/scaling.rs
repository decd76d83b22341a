// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650scale`: what GStreamer's own elements make of pictures on the host is what comes out, more or less, as every filter rounds
//! in its own way.

use crate::kit::{bytes, psnr, run, same, Pipeline};
use crate::on_card::{fetched, CLIP, ON_CARD, SINK};

/// Five pictures.
const SOURCE: &str = "filesrc location=/share/in/source.nv12 blocksize=261120 num-buffers=5 ! rawvideoparse format=nv12 width=640 height=272 framerate=25/1";
/// Pictures that look the same, dB.
const ALIKE: f64 = 30.0;

fn alike(ours: &str, theirs: &str) {
    let mut pictures = Vec::new();
    for elements in [ours, theirs] {
        let all = run(&format!("{SOURCE} ! {elements} ! {SINK}"));
        assert_eq!(all.len(), 5, "{elements}");
        pictures.push(bytes(&all));
    }
    let found = psnr(&pictures[0], &pictures[1]);
    println!("  {ours}: {found:.1} dB");
    assert!(found >= ALIKE, "{ours}: {found:.1} dB of {theirs}");
}

/// Smaller, larger, a part, with borders and without.
pub fn scaled_like_videoscale() {
    for (ours, theirs, caps) in [
        ("", "", "width=320,height=136"),
        ("", "", "width=960,height=408"),
        ("", "", "width=320,height=240"),
        (
            "add-borders=false",
            "add-borders=false",
            "width=320,height=240",
        ),
    ] {
        let caps = format!("video/x-raw,format=NV12,pixel-aspect-ratio=1/1,{caps}");
        alike(
            &format!("ax650scale {ours} ! {caps}"),
            &format!("videoscale {theirs} ! {caps}"),
        );
    }
    let crop = "left=64 right=96 top=32 bottom=40";
    let caps = "video/x-raw,format=NV12,pixel-aspect-ratio=1/1,width=240,height=100";
    alike(
        &format!("ax650scale {crop} ! {caps}"),
        &format!("videocrop {crop} ! videoscale ! {caps}"),
    );
    // One side names the other.
    let all = run(&format!(
        "{SOURCE} ! ax650scale ! video/x-raw,width=320 ! {SINK}"
    ));
    let caps = all[0].caps.to_string();
    assert!(caps.contains("height=(int)136"), "{caps}");
}

/// Blue, green and red are what videoconvert makes of the same colours.
pub fn pixels_like_videoconvert() {
    let caps = "video/x-raw,format=BGR,width=320,height=136";
    alike(
        &format!("ax650scale ! {caps}"),
        &format!("videoscale ! video/x-raw,width=320,height=136 ! videoconvert ! {caps}"),
    );
}

/// From a decoder to an encoder no picture crosses the bus; who maps one sees what others get as a copy.
pub fn scaled_pictures_stay_on_the_card() {
    let size = "width=320,height=136";
    let mapped = run(&format!(
        "{CLIP} ! ax650scale ! {ON_CARD},{size} ! {SINK} max-buffers=4"
    ));
    let copied = run(&format!(
        "{CLIP} ! ax650scale ! video/x-raw,{size} ! {SINK}"
    ));
    assert_eq!((mapped.len(), copied.len()), (60, 60));
    assert!(bytes(&mapped) == bytes(&copied), "they are not the same");
    let before = fetched();
    let all = run(&format!(
        "{CLIP} ! ax650scale ! {ON_CARD},{size} ! ax650h264enc ! {SINK}"
    ));
    let moved = fetched() - before;
    assert_eq!(all.len(), 60);
    // Packets, and answers to calls; all pictures would be 60 of these.
    assert!(
        moved < 10 * 320 * 136 * 3 / 2,
        "{moved} bytes were copied from the card"
    );
}

/// Pictures that are to stay as they are go through.
pub fn what_need_not_be_scaled_is_not() {
    let all = run(&format!("{CLIP} ! ax650scale ! {SINK}"));
    same(&all, "clip.nv12");
}

/// What cannot be cut off is told.
pub fn an_impossible_crop_is_named() {
    for crop in ["left=1", "left=320 right=320", "top=300"] {
        let pipeline = Pipeline::new(&format!(
            "{SOURCE} ! ax650scale {crop} ! video/x-raw,width=64,height=64 ! fakesink"
        ));
        pipeline.play();
        let error = pipeline.wait().expect_err("that cannot be cut off");
        assert!(error.contains("cannot be cropped by"), "{crop}: {error}");
    }
}
