// SPDX-License-Identifier: MIT OR Apache-2.0

//! The image processor: takes the nearest pixel, and of colours the luma.

use super::memory::Memory;
use crate::media::{VideoFrame, FORMAT_BGR};
use crate::proto::axclrpc::native::IvpsApi;

/// IVPS: illegal parameter.
const ILLEGAL: u32 = 0x800D_010A;

pub(super) fn process(
    memory: &mut Memory,
    api: IvpsApi,
    blobs: &[Vec<u8>],
) -> Option<Vec<Vec<u8>>> {
    let done = |code: u32| vec![code.to_le_bytes().to_vec()];
    match api {
        IvpsApi::AxIvpsInit => return Some(done(0)),
        IvpsApi::AxIvpsCscTdp
        | IvpsApi::AxIvpsCscVpp
        | IvpsApi::AxIvpsCscVgp
        | IvpsApi::AxIvpsCropResizeTdp
        | IvpsApi::AxIvpsCropResizeVpp
        | IvpsApi::AxIvpsCropResizeVgp => {}
        _ => return None,
    }
    let mut answer = done(match copy(memory, blobs) {
        Some(()) => 0,
        None => ILLEGAL,
    });
    answer.push(blobs.get(1)?.clone());
    Some(answer)
}

fn frame(blob: &[u8]) -> Option<VideoFrame> {
    let mut bytes = blob.to_vec();
    bytes.resize(VideoFrame::SIZE, 0);
    VideoFrame::from_bytes(&bytes)
}

fn copy(memory: &mut Memory, blobs: &[Vec<u8>]) -> Option<()> {
    let (from, to) = (frame(blobs.first()?)?, frame(blobs.get(1)?)?);
    let (x0, y0, width, height) = match (from.crop_width(), from.crop_height()) {
        (0, 0) => (0, 0, from.width(), from.height()),
        (width, height) => (
            from.crop_x() as u32,
            from.crop_y() as u32,
            width as u32,
            height as u32,
        ),
    };
    let mut byte = |address: u64| memory.bytes(address, 1).map(|bytes| bytes[0]);
    let mut writes = Vec::new();
    let at = |plane: u64, stride: u32, x: u32, y: u32| plane + u64::from(stride * y + x);
    for y in 0..to.height() {
        for x in 0..to.width() {
            let (sx, sy) = (x0 + x * width / to.width(), y0 + y * height / to.height());
            let luma = byte(at(from.luma(), from.luma_stride(), sx, sy))?;
            if to.format() == FORMAT_BGR {
                let pixel = at(to.luma(), to.luma_stride(), 3 * x, y);
                writes.extend((0..3).map(|channel| (pixel + channel, luma)));
                continue;
            }
            writes.push((at(to.luma(), to.luma_stride(), x, y), luma));
            if x % 2 == 0 && y % 2 == 0 {
                for channel in 0..2 {
                    let source = at(
                        from.chroma(),
                        from.chroma_stride(),
                        (sx & !1) + channel,
                        sy / 2,
                    );
                    let target = at(to.chroma(), to.chroma_stride(), x + channel, y / 2);
                    writes.push((target, byte(source)?));
                }
            }
        }
    }
    for (address, value) in writes {
        memory.bytes(address, 1)?[0] = value;
    }
    Some(())
}
