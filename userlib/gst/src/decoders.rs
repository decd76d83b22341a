// SPDX-License-Identifier: MIT OR Apache-2.0

//! The elements `ax650h264dec` and `ax650h265dec`.

use ax650::media::Codec;
use gst::glib;
use gst::prelude::*;

use crate::card::device_property;
use crate::decoder::Common;
use crate::element::codec_element;
use crate::memory;

/// Columns and rows of pictures that the card takes.
pub const SIDES: std::ops::RangeInclusive<i32> = 1..=8192;

/// What the card decodes of H.264: 8 bits, 4:2:0.
fn h264_caps() -> gst::Caps {
    gst::Caps::builder("video/x-h264")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .field("parsed", true)
        .field(
            "profile",
            gst::List::new([
                "constrained-baseline",
                "baseline",
                "main",
                "high",
                "constrained-high",
                "progressive-high",
            ]),
        )
        .build()
}

/// What the card decodes of H.265: 8 bits, 4:2:0.
fn h265_caps() -> gst::Caps {
    gst::Caps::builder("video/x-h265")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .field("parsed", true)
        .field("profile", gst::List::new(["main", "main-still-picture"]))
        .build()
}

/// Pictures of the card: for everybody, and for elements that leave them there.
pub fn raw_caps() -> gst::Caps {
    let nv12 = || {
        gst_video::VideoCapsBuilder::new()
            .format(gst_video::VideoFormat::Nv12)
            .width_range(SIDES)
            .height_range(SIDES)
    };
    let mut caps = nv12().build();
    caps.merge(nv12().features([memory::FEATURE]).build());
    caps
}

fn properties() -> Vec<glib::ParamSpec> {
    vec![
        device_property(),
        glib::ParamSpecUInt::builder("extra-pictures")
            .nick("Extra pictures")
            .blurb("Pictures in card memory besides those that decoding needs, where they stay on the card: as many may wait in the elements that follow")
            .minimum(0)
            .maximum(64)
            .default_value(8)
            .mutable_ready()
            .build(),
    ]
}

macro_rules! decoder {
    ($module:ident, $type:ident, $name:literal, $element:literal, $codec:expr, $sink:expr, $long:literal) => {
        codec_element! {
            $module $type: VideoDecoder, VideoDecoderImpl;
            names $name $element;
            words $long "Codec/Decoder/Video/Hardware";
            common Common = Common::new($codec), prepared by Common::prepare;
            properties properties();
            pads $sink => raw_caps();
            methods {
                fn drain(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
                    self.common.drain(self.obj().upcast_ref())
                }
            }
        }
    };
}

decoder!(
    h264,
    H264Decoder,
    "Ax650H264Decoder",
    "ax650h264dec",
    Codec::H264,
    h264_caps(),
    "AX650 H.264 decoder"
);
decoder!(
    h265,
    H265Decoder,
    "Ax650H265Decoder",
    "ax650h265dec",
    Codec::H265,
    h265_caps(),
    "AX650 H.265 decoder"
);
