// SPDX-License-Identifier: MIT OR Apache-2.0

//! Single images: JpegDecodeOneFrame.

use std::sync::Arc;

use ax650_emu_api::Link;

use super::attr::{Codec, GroupAttr, Stream};
use super::decode::{Decoder, Options};
use super::split::MAX_UNIT;
use crate::call::blobs::{Record, View};
use crate::call::errors::Fault;
use crate::memory::frame::{Nv12, VideoFrame, FRAME_SIZE, NV12};
use crate::memory::picture::{to_card, Scaler};

/// JpegDecodeOneFrame: `AX_VDEC_DEC_ONE_FRM_T` with the image's card address and the addresses
/// and strides of the frame to fill; returns the same with the frame's size filled in.  When
/// scaling, the frame's width and height are those wanted.
pub fn decode_one(link: &Arc<dyn Link>, v: View) -> Result<Vec<u8>, Fault> {
    const FRAME: usize = 56;
    let stream = Stream::parse(v);
    let mut frame = VideoFrame::parse(View(v.0.get(FRAME..FRAME + FRAME_SIZE).unwrap_or_default()));
    let scale = match v.u32(288) {
        0 => false,
        2 => true,
        _ => return Err(Fault::NotSupported),
    };
    if v.u32(292) != NV12 {
        return Err(Fault::NotSupported);
    }
    if stream.phys == 0 || stream.len == 0 || frame.phys[0] == 0 {
        return Err(Fault::NullPointer);
    }
    if stream.len as usize > MAX_UNIT {
        return Err(Fault::IllegalParam);
    }
    let dram = link.dram();
    let bytes = dram
        .read_vec(stream.phys, stream.len.into())
        .map_err(|_| Fault::BadAddress)?;
    let mut picture = decode(&bytes)?;
    if !scale {
        (frame.width, frame.height) = (picture.width(), picture.height());
    }
    frame.format = NV12;
    let mut target = Nv12::packed(frame.width, frame.height, frame.stride[0], frame.phys[0])?;
    if frame.phys[1] != 0 {
        target.chroma = frame.phys[1];
    }
    target.check_memory(dram)?;
    to_card(
        dram,
        &mut picture,
        scale,
        (0, 0),
        &target,
        &mut Scaler::default(),
    )?;
    link.count("jpeg_decoded", 1);
    let mut done = target.frame();
    done.block = frame.block;
    done.pts = stream.pts;
    done.user_data = stream.user_data;
    done.private_data = stream.private_data;
    let mut r = Record::from_bytes(v.0);
    r.bytes(FRAME, &done.write(FRAME_SIZE));
    Ok(r.finish())
}

fn decode(bytes: &[u8]) -> Result<ffmpeg_next::frame::Video, Fault> {
    let options = Options {
        decode_order: true,
        mode: 0,
        max_width: GroupAttr::MAX_SIDE,
        max_height: GroupAttr::MAX_SIDE,
        any_format: true,
    };
    let mut decoder = Decoder::new(Codec::Jpeg, options).map_err(|_| Fault::NotSupported)?;
    let mut picture = None;
    let mut keep = |result| picture = Some(result);
    decoder.decode(bytes, Stream::default(), &mut keep);
    decoder.drain(&mut keep);
    match picture {
        Some(Ok(decoded)) => Ok(decoded.frame),
        _ => Err(Fault::Codec),
    }
}
