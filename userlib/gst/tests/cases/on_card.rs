// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures that stay on the card.

use ax650::Card;

use crate::kit::{bytes, run, same};

/// A clip, decoded.
pub const CLIP: &str = "filesrc location=/share/in/clip.mp4 ! qtdemux ! h264parse ! ax650h264dec";
/// Where it ends.
pub const SINK: &str = "appsink name=sink sync=false";
/// Caps of pictures on the card.
pub const ON_CARD: &str = "video/x-raw(memory:AX650)";

/// Bytes that were copied from the card so far.
pub fn fetched() -> u64 {
    let counters = Card::open_first().unwrap().counters().unwrap();
    counters.0.bytes_from_card
}

/// The host looks at the stream; here, that no picture crossed the bus.
pub fn pictures_stay_on_the_card() {
    let before = fetched();
    let all = run(&format!(
        "{CLIP} ! {ON_CARD} ! ax650h265enc bitrate=2000 ! h265parse ! video/x-h265,stream-format=byte-stream,alignment=au ! {SINK}"
    ));
    let copied = fetched() - before;
    assert_eq!(all.len(), 60);
    let one = 640 * 272 * 3 / 2;
    // Packets, and answers to calls.
    assert!(
        copied < 10 * one,
        "{copied} bytes were copied from the card"
    );
    std::fs::write("/share/out/transcoded.h265", bytes(&all)).unwrap();
    // Without the caps between them they agree on it by themselves.
    let before = fetched();
    run(&format!("{CLIP} ! ax650h264enc ! {SINK}"));
    let copied = fetched() - before;
    assert!(
        copied < 10 * one,
        "{copied} bytes were copied from the card"
    );
}

/// Who maps such a picture sees what it is.
pub fn pictures_on_the_card_can_be_mapped() {
    let all = run(&format!("{CLIP} ! {ON_CARD} ! {SINK} max-buffers=4"));
    assert_eq!(all.len(), 60);
    assert!(all[0].caps.to_string().contains("memory:AX650"));
    same(&all, "clip.nv12");
}

/// A picture that two elements have is not taken from either, and an encoder needs no copy of it.
pub fn two_branches_share_pictures() {
    let all = run(&format!(
        "{CLIP} extra-pictures=16 ! {ON_CARD} ! tee name=t  t. ! queue max-size-buffers=3 ! ax650h264enc ! fakesink sync=false async=false  \
         t. ! queue max-size-buffers=3 ! {SINK} max-buffers=2"
    ));
    same(&all, "clip.nv12");
    let before = fetched();
    run(&format!(
        "{CLIP} extra-pictures=16 ! {ON_CARD} ! tee name=t  t. ! queue max-size-buffers=3 ! ax650h264enc ! fakesink sync=false async=false  \
         t. ! queue max-size-buffers=3 ! ax650h265enc ! {SINK}"
    ));
    let copied = fetched() - before;
    assert!(
        copied < 10 * 640 * 272 * 3 / 2,
        "{copied} bytes were copied from the card"
    );
}
