// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cases of the elements, run in a guest with a card by `make test-gst`.
//!
//! `gst-cases [GLOB...]`: all cases, or those whose names match a glob of `*`.  Inputs and what is to come out are in
//! `/share/in`; what the host is to judge goes to `/share/out`.

mod codecs;
mod control;
mod inference;
mod kit;
mod on_card;
mod scaling;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Instant;

/// A case: its name, and what it does.
type Case = (&'static str, fn());

macro_rules! cases {
    ($($module:ident: $($name:ident)*;)*) => { &[$($((stringify!($name), $module::$name),)*)*] };
}

const CASES: &[Case] = cases! {
    codecs: h264_pictures_equal_those_of_libav h265_pictures_equal_those_of_libav size_changes_in_the_stream
        decodebin3_prefers_the_card ten_bits_are_left_to_others h264_is_encoded h265_is_encoded jpeg_is_encoded
        jpeg_is_decoded a_profile_is_negotiated key_units_on_demand;
    control: end_of_stream_brings_all_pictures seek_in_a_file late_pictures_are_dropped latency_is_told
        two_pipelines_at_once a_missing_card_is_named garbage_is_no_crash stop_in_the_middle inspect_tells_all;
    inference: a_model_sees_each_picture a_bad_model_is_named overhead;
    on_card: pictures_stay_on_the_card pictures_on_the_card_can_be_mapped two_branches_share_pictures;
    scaling: scaled_like_videoscale pixels_like_videoconvert scaled_pictures_stay_on_the_card what_need_not_be_scaled_is_not
        an_impossible_crop_is_named;
    control: reset_under_way;
};

fn matches(name: &str, glob: &str) -> bool {
    let name = name.strip_prefix("gst/").unwrap_or(name);
    let mut parts = glob.strip_prefix("gst/").unwrap_or(glob).split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut ends_open = !glob.contains('*') && rest.is_empty();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
        ends_open = part.is_empty() || rest.is_empty();
    }
    ends_open
}

fn main() {
    gst::init().expect("GStreamer");
    let globs: Vec<String> = std::env::args().skip(1).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES {
        if !globs.is_empty() && !globs.iter().any(|glob| matches(name, glob)) {
            continue;
        }
        let begin = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(case));
        let seconds = begin.elapsed().as_secs_f32();
        match result {
            Ok(()) => {
                passed += 1;
                println!("ok       gst/{name} ({seconds:.1} s)");
            }
            Err(_) => {
                failed += 1;
                println!("FAILED   gst/{name} ({seconds:.1} s)");
            }
        }
    }
    std::fs::write("/share/out/summary", format!("{passed} {failed}\n")).expect("a summary");
    std::process::exit(i32::from(failed > 0 || passed == 0));
}
