// SPDX-License-Identifier: MIT OR Apache-2.0

//! Caps of what encoders give out: they tell what is in the stream, not what was asked for.

use ax650::media::{annexb, Codec, Profile};
use gst::prelude::*;

/// Profiles of H.264 that can be asked for, the one with the smallest streams first.
const H264_PROFILES: [(&str, Profile); 4] = [
    ("high", Profile::High),
    ("main", Profile::Main),
    ("baseline", Profile::Baseline),
    ("constrained-baseline", Profile::Baseline),
];

/// Returns all that an encoder for `codec` may give out.
pub fn template(codec: Codec) -> gst::Caps {
    let builder = match codec {
        Codec::H264 => {
            let names = H264_PROFILES.map(|(name, _)| name);
            gst::Caps::builder("video/x-h264").field("profile", gst::List::new(names))
        }
        Codec::H265 => gst::Caps::builder("video/x-h265").field("profile", "main"),
        Codec::Jpeg => return gst::Caps::new_empty_simple("image/jpeg"),
    };
    builder
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build()
}

/// Returns the profile that the next element insists on; `None`: it takes the best.
pub fn wanted_profile(codec: Codec, pad: &gst::Pad) -> Option<Profile> {
    if codec != Codec::H264 {
        return None;
    }
    let allowed = pad.allowed_caps()?;
    let accepts = |name: &str| {
        let mut caps = template(codec);
        caps.make_mut().set("profile", name);
        caps.can_intersect(&allowed)
    };
    let found = H264_PROFILES.into_iter().find(|(name, _)| accepts(name))?;
    Some(found.1).filter(|profile| *profile != Profile::High)
}

/// Returns the caps of a stream that begins with `packet`.
pub fn of(codec: Codec, packet: &[u8]) -> gst::Caps {
    let mut caps = template(codec);
    let kind = |nal: &&[u8]| match codec {
        Codec::H264 => nal.first().is_some_and(|head| head & 0x1F == 7),
        _ => nal.first().is_some_and(|head| (head >> 1) & 0x3F == 33),
    };
    let set = (codec != Codec::Jpeg)
        .then(|| annexb::nal_units(packet).find(kind))
        .flatten();
    let caps_mut = caps.make_mut();
    let told = match (codec, set) {
        (Codec::H264, Some(set)) if set.len() > 4 => {
            gst_pbutils::codec_utils_h264_caps_set_level_and_profile(caps_mut, &set[1..]).is_ok()
        }
        (Codec::H265, Some(set)) => {
            let set = unescaped(set);
            // Behind the head of the unit and one byte of numbers.
            set.get(3..).is_some_and(|set| {
                gst_pbutils::codec_utils_h265_caps_set_level_tier_and_profile(caps_mut, set).is_ok()
            })
        }
        _ => codec == Codec::Jpeg,
    };
    if !told {
        // Nobody knows.
        for structure in caps_mut.iter_mut() {
            structure.remove_field("profile");
        }
    }
    caps
}

/// Removes the bytes that keep start codes out of a NAL unit.
fn unescaped(nal: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for byte in nal {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        bytes.push(*byte);
    }
    bytes
}
