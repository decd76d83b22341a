// SPDX-License-Identifier: MIT OR Apache-2.0

//! GStreamer elements for AX650N accelerator cards; `docs/gstreamer.md` tells what they do.

mod card;
mod codec;
mod decoder;
mod decoders;
mod element;
mod encoder;
mod encoders;
mod infer;
mod jpeg;
mod memory;
mod packet_caps;
mod picture;
mod plugin;
mod scale;
mod scaling;
mod stream_lock;
mod transform;
mod worker;
