// SPDX-License-Identifier: MIT OR Apache-2.0

//! The codec: decodes a packet into a picture filled with the sum of its bytes, and encodes a picture into a packet
//! that holds its first bytes.

use std::collections::VecDeque;

use super::memory::Memory;
use crate::media::{
    VdecGroup, VdecStatus, VdecStream, VencChannel, VencStream, VideoFrame, FORMAT_NV12,
};
use crate::proto::axclrpc::native::{SysApi, VdecApi, VencApi};

/// Bytes of a packet of the fake encoder, at most.
const PACKET: usize = 64;
/// Pictures that fit into a decoder.
const DEPTH: usize = 4;

#[derive(Default)]
pub(super) struct Video {
    decoders: Vec<Decoder>,
    encoders: Vec<Encoder>,
    pub check: Option<fn(&VencChannel) -> bool>,
    pub told: Option<Box<dyn Fn(VideoFrame) -> VideoFrame + Send>>,
}

struct Decoder {
    size: (u32, u32),
    ready: VecDeque<VideoFrame>,
    out: Vec<u64>,
    ended: bool,
}

#[derive(Default)]
struct Encoder {
    ready: VecDeque<VencStream>,
}

/// Makes an answer of a return value and what goes with it.
fn give(code: u32, outputs: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let mut blobs = vec![code.to_le_bytes().to_vec()];
    blobs.extend_from_slice(outputs);
    Some(blobs)
}

fn number(blobs: &[Vec<u8>], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        blobs.get(at)?.as_slice().try_into().ok()?,
    ))
}

impl Video {
    /// Pools of which each block is card memory of its own; their handles are its pages.
    pub(super) fn pools(
        &mut self,
        memory: &mut Memory,
        api: SysApi,
        blobs: &[Vec<u8>],
    ) -> Option<Vec<Vec<u8>>> {
        Some(vec![match api {
            SysApi::AxPoolCreatePool | SysApi::AxPoolDestroyPool => vec![0; 4],
            SysApi::AxPoolGetBlock => {
                let size = u64::from_le_bytes(blobs.get(1)?.as_slice().try_into().ok()?);
                let page = memory.allocate(size).map_or(0, |address| address >> 12);
                (page as u32).to_le_bytes().to_vec()
            }
            SysApi::AxPoolHandle2PhysAddr => {
                (u64::from(number(blobs, 0)?) << 12).to_le_bytes().to_vec()
            }
            SysApi::AxPoolReleaseBlock => {
                memory.free(u64::from(number(blobs, 0)?) << 12);
                vec![0; 4]
            }
            _ => return None,
        }])
    }

    pub(super) fn decoder(
        &mut self,
        memory: &mut Memory,
        api: VdecApi,
        blobs: &[Vec<u8>],
    ) -> Option<Vec<Vec<u8>>> {
        let error = |id: u32| 0x8008_0100 | id;
        if api == VdecApi::AxVdecInit {
            return give(0, &[]);
        }
        if api == VdecApi::AxVdecJpegDecodeOneFrame {
            // The picture stays what the memory was.
            return give(0, &[blobs[0].clone()]);
        }
        if api == VdecApi::AxVdecCreateGrpEx {
            let group = VdecGroup::from_bytes(&blobs[0])?;
            let (ready, out) = (VecDeque::new(), Vec::new());
            let size = (group.max_width(), group.max_height());
            self.decoders.push(Decoder {
                size,
                ready,
                out,
                ended: false,
            });
            return give(
                0,
                &[(self.decoders.len() as u32 - 1).to_le_bytes().to_vec()],
            );
        }
        let decoder = self.decoders.get_mut(number(blobs, 0)? as usize)?;
        match api {
            VdecApi::AxVdecSendStream => {
                let header = VdecStream::from_bytes(&blobs[1])?;
                if header.end_of_stream() != 0 {
                    decoder.ended = true;
                    return give(0, &[]);
                }
                if header.size() as usize != blobs[3].len() {
                    return give(error(0x0A), &[]);
                }
                if decoder.ready.len() + decoder.out.len() >= DEPTH {
                    return give(error(0x27), &[]);
                }
                let sum = blobs[3]
                    .iter()
                    .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
                let ((width, height), stride) = (decoder.size, decoder.size.0.next_multiple_of(64));
                let size = stride * height * 3 / 2;
                let Some(address) = memory.allocate(size.into()) else {
                    return give(error(0x19), &[]);
                };
                memory.bytes(address, size as usize)?.fill(sum);
                let frame = VideoFrame::new()
                    .with_width(width)
                    .with_height(height)
                    .with_format(FORMAT_NV12)
                    .with_luma_stride(stride)
                    .with_chroma_stride(stride)
                    .with_luma(address)
                    .with_chroma(address + u64::from(stride * height))
                    .with_frame_size(size)
                    .with_pts(header.pts());
                decoder.ready.push_back(frame);
                give(0, &[])
            }
            VdecApi::AxVdecGetChnFrame => match decoder.ready.pop_front() {
                Some(frame) => {
                    decoder.out.push(frame.luma());
                    let told = self.told.as_ref().map_or(frame, |told| told(frame));
                    give(0, &[told.as_bytes().to_vec()])
                }
                None => {
                    let code = error(if decoder.ended { 0x28 } else { 0x27 });
                    give(code, &[vec![0; VideoFrame::SIZE]])
                }
            },
            VdecApi::AxVdecQueryStatus => give(0, &[VdecStatus::new().as_bytes().to_vec()]),
            VdecApi::AxVdecReleaseChnFrame => {
                let frame = VideoFrame::from_bytes(&blobs[2])?;
                let Some(at) = decoder.out.iter().position(|out| *out == frame.luma()) else {
                    return give(error(0x17), &[]);
                };
                memory.free(decoder.out.swap_remove(at));
                give(0, &[])
            }
            _ => give(0, &[]),
        }
    }

    pub(super) fn encoder(
        &mut self,
        memory: &mut Memory,
        api: VencApi,
        blobs: &[Vec<u8>],
    ) -> Option<Vec<Vec<u8>>> {
        let error = |id: u32| 0x8007_0200 | id;
        if api == VencApi::AxVencInit {
            return give(0, &[]);
        }
        if api == VencApi::AxVencCreateChnEx {
            let channel = VencChannel::from_bytes(&blobs[0])?;
            if self.check.is_some_and(|check| !check(&channel)) {
                return give(error(0x0A), &[vec![0; 4]]);
            }
            self.encoders.push(Encoder::default());
            return give(
                0,
                &[(self.encoders.len() as u32 - 1).to_le_bytes().to_vec()],
            );
        }
        let encoder = self.encoders.get_mut(number(blobs, 0)? as usize)?;
        match api {
            VencApi::AxVencSendFrame => {
                let frame = VideoFrame::from_bytes(&blobs[1])?;
                let size = (frame.frame_size() as usize).min(PACKET);
                let bytes = memory.bytes(frame.luma(), size)?.to_vec();
                let address = memory.allocate(size as u64)?;
                memory.bytes(address, size)?.copy_from_slice(&bytes);
                encoder.ready.push_back(
                    VencStream::new()
                        .with_address(address)
                        .with_size(size as u32)
                        .with_pts(frame.pts())
                        .with_user_data(frame.user_data())
                        .with_picture_type(1),
                );
                give(0, &[])
            }
            VencApi::AxVencGetStream => match encoder.ready.pop_front() {
                Some(stream) => give(0, &[stream.as_bytes().to_vec()]),
                None => give(error(0x27), &[vec![0; VencStream::SIZE]]),
            },
            VencApi::AxVencReleaseStream => {
                let stream = VencStream::from_bytes(&blobs[1])?;
                give(
                    if memory.free(stream.address()) {
                        0
                    } else {
                        error(0x17)
                    },
                    &[],
                )
            }
            _ => give(0, &[]),
        }
    }
}
