// SPDX-License-Identifier: MIT OR Apache-2.0

//! What GStreamer calls when it loads the plugin.

// The macro makes public items without a word on them.
#![allow(missing_docs)]

fn init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    crate::decoders::H264Decoder::register(plugin)?;
    crate::decoders::H265Decoder::register(plugin)?;
    crate::infer::Infer::register(plugin)?;
    crate::jpeg::JpegDecoder::register(plugin)?;
    crate::scale::Scale::register(plugin)?;
    crate::encoders::H264Encoder::register(plugin)?;
    crate::encoders::H265Encoder::register(plugin)?;
    crate::encoders::JpegEncoder::register(plugin)
}

gst::plugin_define!(
    ax650,
    env!("CARGO_PKG_DESCRIPTION"),
    init,
    env!("CARGO_PKG_VERSION"),
    "MIT/X11",
    "ax650",
    "gst-plugin-ax650",
    "the ax650 project"
);
