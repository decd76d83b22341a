// SPDX-License-Identifier: MIT OR Apache-2.0

//! Single images: JpegDecodeOneFrame and JpegEncodeOneFrame.

use std::sync::Arc;

use ax650_emu_api::{Dram, Link};

use crate::blobs::{clamp32, Record, View};
use crate::errors::Fault;
use crate::frame::{Nv12, VideoFrame, FRAME_SIZE, NV12};
use crate::picture::{from_card, to_card, Scaler};
use crate::vdec::attr::{Codec, GroupAttr, Stream};
use crate::vdec::decode::{Decoder, Options};
use crate::vdec::split::MAX_UNIT;
use crate::venc::attr::ChannelAttr;
use crate::venc::encode::{pixel, Encoder};

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

/// JpegEncodeOneFrame.  The notes give only the size of the structure (584); here it holds
/// `AX_VIDEO_FRAME_T` (the picture), 232: u64 card address for the image, 240: u64 virtual address,
/// 248: u32 bytes of room there, 252: u32 bytes of the image (output), 256: u32 quality 1 to 99.
pub fn encode_one(link: &Arc<dyn Link>, v: View) -> Result<Vec<u8>, Fault> {
    let frame = VideoFrame::parse(View(v.0.get(..FRAME_SIZE).unwrap_or_default()));
    let (room_at, room, quality) = (v.u64(232), v.u32(248), v.u32(256));
    if room_at == 0 || room == 0 {
        return Err(Fault::NullPointer);
    }
    if !(1..=99).contains(&quality) {
        return Err(Fault::IllegalParam);
    }
    let dram = link.dram();
    let source = Nv12::of_client(&frame)?;
    source.check_memory(dram)?;
    dram.pointer(room_at, room.into())
        .map_err(|_| Fault::BadAddress)?;
    let bytes = encode(dram, &source, quality)?;
    if bytes.len() > room as usize {
        return Err(Fault::NoBuffer);
    }
    dram.write(room_at, &bytes).map_err(|_| Fault::BadAddress)?;
    link.count("jpeg_encoded", 1);
    let mut r = Record::from_bytes(v.0);
    r.u32(252, clamp32(bytes.len()));
    Ok(r.finish())
}

fn encode(dram: &Dram, source: &Nv12, quality: u32) -> Result<Vec<u8>, Fault> {
    let size = (source.width, source.height);
    let attr = ChannelAttr::single_image(size)?;
    let mut picture = from_card(dram, source, (0, 0), size, pixel(attr.codec))?;
    let mut encoder = Encoder::new(&attr, quality)?;
    let mut packets = encoder.encode(&mut picture, true, ())?;
    packets.extend(encoder.drain()?);
    packets.pop().map(|p| p.bytes).ok_or(Fault::Codec)
}
