// SPDX-License-Identifier: MIT OR Apache-2.0

//! Single images: JpegEncodeOneFrame.

use std::sync::Arc;

use ax650_emu_api::{Dram, Link};

use super::attr::ChannelAttr;
use super::encode::{pixel, Encoder};
use crate::call::blobs::{clamp32, Record, View};
use crate::call::errors::Fault;
use crate::memory::frame::{Nv12, VideoFrame, FRAME_SIZE};
use crate::memory::picture::from_card;

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
