// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every call answers with all blobs at their full size, whatever it is given, and does not
//! panic.

mod common;

use std::collections::BTreeSet;

use common::vdec::{self, Decoder};
use common::venc::{self, Encoder};
use common::{call_sizes, Card, DMADIM, IVE, IVPS, SYS, VDEC, VENC};

use ax650_emu_media::Media;

fn calls() -> impl Iterator<Item = (u32, u32)> {
    [SYS, VDEC, VENC, IVPS, IVE, DMADIM]
        .into_iter()
        .flat_map(|m| (0..256).map(move |api| (m, api)))
        .filter(|&(m, api)| Media::implemented(m, api))
}

#[test]
fn every_call_of_the_notes_is_there() {
    let have: BTreeSet<_> = calls()
        .map(|(m, api)| Media::name(m, api).unwrap().to_owned())
        .collect();
    let missing: Vec<_> = call_sizes().keys().filter(|n| !have.contains(*n)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn sizes_for_any_arguments() {
    let card = Card::new();
    let client = card.client(21);
    let sizes = [
        0, 1, 2, 4, 8, 12, 16, 20, 24, 32, 36, 56, 68, 96, 112, 120, 224, 232, 240, 440, 584, 736,
        1176, 1200, 6144,
    ];
    for (module, api) in calls() {
        client.call(module, api, &[]);
        for size in sizes {
            for fill in [0, 1, 0xff] {
                let blob = vec![fill; size];
                for count in 1..5 {
                    client.call(module, api, &vec![blob.as_slice(); count]);
                }
            }
        }
    }
}

/// With the right sizes and any content.
#[test]
fn any_content() {
    let card = Card::with_memory(64 << 20);
    let client = card.client(21);
    // Group and channel 0, for the calls to get beyond the look-up.
    let decoder = Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
    let encoder = Encoder::new(&client, &venc::cbr(venc::H264, 320, 240, 10, 500));
    assert_eq!((decoder.id, encoder.id), (0, 0));
    let mut seed = 1_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..100 {
        for (module, api) in calls() {
            if waits_or_destroys(module, api) {
                continue;
            }
            let sizes = Media::request_sizes(module, api).unwrap();
            let blobs: Vec<Vec<u8>> = sizes
                .iter()
                .map(|&size| {
                    let size = size.unwrap_or(round % 40);
                    let words = (0..size.div_ceil(4)).flat_map(|_| match random() % 8 {
                        // Mostly small numbers, so that checks are passed; timeouts stay short.
                        0 => (random() as u32 & 0xffff).to_le_bytes(),
                        1 => [0, 0, 0, 1],
                        n => ((random() % (n * n)) as u32).to_le_bytes(),
                    });
                    words.take(size).collect()
                })
                .collect();
            let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
            client.call(module, api, &blobs);
        }
    }
    card.media.session_end(21);
    assert_eq!(card.link.cmm_used(), 0);
}

/// The calls with a timeout, Deinit and Destroy.
fn waits_or_destroys(module: u32, api: u32) -> bool {
    matches!(
        (module, api),
        (VDEC, 1 | 7 | 16..=18) | (VENC, 1 | 4..=7 | 13) | (IVPS, 1 | 4 | 11 | 12)
    )
}

#[test]
fn unknown_calls() {
    let card = Card::new();
    for (module, api, code) in [
        (VDEC, 36, 0x8008_0114_u32),
        (VENC, 12, 0x8007_0214),
        (9, 9, 0x800b_0114),
    ] {
        assert!(!Media::implemented(module, api));
        assert_eq!(card.media.call(21, module, api, &[]), [code.to_le_bytes()]);
    }
}
