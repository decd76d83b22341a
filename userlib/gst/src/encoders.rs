// SPDX-License-Identifier: MIT OR Apache-2.0

//! The elements `ax650h264enc`, `ax650h265enc` and `ax650jpegenc`.

use ax650::media::{Codec, ENCODER_SIDES};
use gst::glib;
use gst::prelude::*;

use crate::card::device_property;
use crate::element::codec_element;
use crate::encoder::{Common, Rate};
use crate::{memory, packet_caps};

/// Pictures that encoders take: of everybody, and such that are on the card already.
fn raw_caps() -> gst::Caps {
    let sides = || {
        let (least, most) = (*ENCODER_SIDES.start() as i32, *ENCODER_SIDES.end() as i32);
        gst::IntRange::with_step(least, most, 2)
    };
    let nv12 = || {
        gst::Caps::builder("video/x-raw")
            .field("format", "NV12")
            .field("width", sides())
            .field("height", sides())
            .field(
                "framerate",
                gst::FractionRange::new(gst::Fraction::new(0, 1), gst::Fraction::new(1000, 1)),
            )
    };
    let mut caps = nv12().build();
    caps.merge(nv12().features([memory::FEATURE]).build());
    caps
}

fn number(name: &str, nick: &str, blurb: &str, most: u32, usual: u32) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .maximum(most)
        .default_value(usual)
        .mutable_ready()
        .build()
}

fn properties(codec: Codec) -> Vec<glib::ParamSpec> {
    let qp = number(
        "qp",
        "Quantiser",
        "Quantiser of fixed quality, 0 (best) to 51",
        51,
        26,
    );
    if codec == Codec::Jpeg {
        return vec![device_property(), qp];
    }
    let rate = glib::ParamSpecEnum::builder::<Rate>("rate-control")
        .nick("Rate control")
        .blurb("What decides how many bits a picture gets")
        .mutable_ready()
        .build();
    vec![
        device_property(),
        rate,
        number(
            "bitrate",
            "Bit rate",
            "kbit/s; 0: what suits size and pictures per second",
            1_000_000,
            0,
        ),
        qp,
        number(
            "gop-size",
            "Distance of intra pictures",
            "Pictures from one intra picture to the next; 0: those of 4 seconds",
            65535,
            0,
        ),
    ]
}

macro_rules! encoder {
    ($module:ident, $type:ident, $name:literal, $element:literal, $codec:expr, $long:literal, $class:literal) => {
        codec_element! {
            $module $type: VideoEncoder, VideoEncoderImpl, Preset PresetImpl;
            names $name $element;
            words $long $class;
            common Common = Common::new($codec);
            properties properties($codec);
            pads raw_caps() => packet_caps::template($codec);
            methods {
                fn propose_allocation(
                    &self,
                    query: &mut gst::query::Allocation,
                ) -> Result<(), gst::LoggableError> {
                    // Rows may have bytes between them.
                    query.add_allocation_meta::<gst_video::VideoMeta>(None);
                    self.parent_propose_allocation(query)
                }
            }
        }
    };
}

encoder!(
    h264,
    H264Encoder,
    "Ax650H264Encoder",
    "ax650h264enc",
    Codec::H264,
    "AX650 H.264 encoder",
    "Codec/Encoder/Video/Hardware"
);
encoder!(
    h265,
    H265Encoder,
    "Ax650H265Encoder",
    "ax650h265enc",
    Codec::H265,
    "AX650 H.265 encoder",
    "Codec/Encoder/Video/Hardware"
);
encoder!(
    jpeg,
    JpegEncoder,
    "Ax650JpegEncoder",
    "ax650jpegenc",
    Codec::Jpeg,
    "AX650 JPEG encoder",
    "Codec/Encoder/Image/Hardware"
);
