// SPDX-License-Identifier: MIT OR Apache-2.0

//! NV12 pictures between GStreamer's frames and the card's buffers.

use ax650::media::PictureLayout;
use gst_video::prelude::*;

/// Which of the planes a row is in, and where its visible bytes are, for all rows of an NV12 picture.
fn rows(width: u32, height: u32) -> impl Iterator<Item = (usize, usize, usize)> {
    let width = width as usize;
    let (luma, chroma) = (height as usize, height.div_ceil(2) as usize);
    let even = width.next_multiple_of(2);
    let luma = (0..luma).map(move |row| (0, row, width));
    luma.chain((0..chroma).map(move |row| (1, row, even)))
}

/// Copies a picture of the card, of `layout` in `bytes`, into a frame of the same size.
pub fn to_frame(
    layout: &PictureLayout,
    bytes: &[u8],
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
) -> Result<(), gst::FlowError> {
    let strides = [0, 1].map(|plane| frame.plane_stride()[plane] as usize);
    if bytes.len() < layout.size() {
        return Err(gst::FlowError::Error);
    }
    for ((plane, row, len), from) in rows(layout.width, layout.height).zip(layout.rows(bytes)) {
        let data = frame.plane_data_mut(plane as u32);
        let data = data.map_err(|_| gst::FlowError::Error)?;
        let at = row * strides[plane];
        let to = data.get_mut(at..at + len).ok_or(gst::FlowError::Error)?;
        to.copy_from_slice(from);
    }
    Ok(())
}

/// Copies a frame into `bytes` as a picture of `layout`, which has the frame's size.
pub fn from_frame(
    frame: &gst_video::VideoFrameRef<&gst::BufferRef>,
    layout: &PictureLayout,
    bytes: &mut [u8],
) -> Result<(), gst::FlowError> {
    let strides = [0, 1].map(|plane| frame.plane_stride()[plane] as usize);
    if bytes.len() < layout.size() {
        return Err(gst::FlowError::Error);
    }
    for ((plane, row, len), to) in rows(layout.width, layout.height).zip(layout.rows_mut(bytes)) {
        let data = frame.plane_data(plane as u32);
        let data = data.map_err(|_| gst::FlowError::Error)?;
        let at = row * strides[plane];
        let from = data.get(at..at + len).ok_or(gst::FlowError::Error)?;
        to.copy_from_slice(from);
    }
    Ok(())
}

/// Copies pixels of three bytes without gaps into a frame of the same size.
pub fn pixels_to_frame(
    bytes: &[u8],
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
) -> Result<(), gst::FlowError> {
    let row = 3 * frame.width() as usize;
    let stride = frame.plane_stride()[0] as usize;
    let data = frame.plane_data_mut(0).map_err(|_| gst::FlowError::Error)?;
    for (to, from) in data.chunks_mut(stride).zip(bytes.chunks_exact(row)) {
        let to = to.get_mut(..row).ok_or(gst::FlowError::Error)?;
        to.copy_from_slice(from);
    }
    Ok(())
}
