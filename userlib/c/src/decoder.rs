// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoders.

use std::time::Duration;

use ax650::media::{Codec, Decoder, DecoderConfig, Frame, PictureLayout, Received};

use crate::buffer::ax650_buffer;
use crate::pointer::{bytes, end, give, object, place, take};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};
use crate::session::ax650_session;

/// A codec.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ax650_codec {
    /// H.264.
    AX650_H264 = 0,
    /// H.265.
    AX650_H265 = 1,
    /// JPEG.
    AX650_JPEG = 2,
}

/// Returns the codec of a number; what C gives may be any.
pub(crate) fn codec(number: u32) -> Result<Codec, Failure> {
    match number {
        0 => Ok(Codec::H264),
        1 => Ok(Codec::H265),
        2 => Ok(Codec::Jpeg),
        _ => Err(Failure::Argument("there is no such codec")),
    }
}

/// How a picture lies in memory: rows of luma, then rows of chroma, half as many, all of the same stride (NV12), or rows of
/// blue, green and red bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ax650_layout {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next.
    pub stride: u32,
    /// Bytes of the picture.
    pub size: usize,
}

impl From<PictureLayout> for ax650_layout {
    fn from(layout: PictureLayout) -> Self {
        Self {
            width: layout.width,
            height: layout.height,
            stride: layout.stride,
            size: layout.size(),
        }
    }
}

/// A decoder on the card.  Made by ax650_decoder_new(), ended by ax650_decoder_free().  One thread may send while another
/// receives; it has room for a few pictures only, so who sends without receiving waits in vain.
pub struct ax650_decoder(Decoder);

/// A decoded picture in card memory.  Given by ax650_decoder_receive(), ended by ax650_frame_free(),
/// ax650_frame_download() or ax650_encoder_send_frame().
pub struct ax650_frame(pub(crate) Frame);

/// Makes a decoder of enum ax650_codec for pictures of up to `width` x `height`.
///
/// @return AX650_ERR_INVALID: impossible sizes; AX650_ERR_CARD: the card has no decoder left.
#[no_mangle]
pub unsafe extern "C" fn ax650_decoder_new(
    session: *const ax650_session,
    codec: u32,
    width: u32,
    height: u32,
    out: *mut *mut ax650_decoder,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (session, out) = unsafe { (object(session)?, place(out)?) };
        let config = DecoderConfig::new(self::codec(codec)?, width, height);
        *out = give(ax650_decoder(Decoder::new(&session.0, &config)?));
        Ok(AX650_OK)
    })
}

/// Ends a decoder.
#[no_mangle]
pub unsafe extern "C" fn ax650_decoder_free(decoder: *mut ax650_decoder) {
    // SAFETY: the header's promise.
    unsafe { end(decoder) }
}

/// Sends one packet: all NAL units of one picture, with start codes, or one JPEG picture.  `pts` comes back with the
/// picture.
///
/// @return AX650_ERR_INVALID: empty, or longer than the driver takes; AX650_ERR_CARD: nothing was taken for 20 s.
#[no_mangle]
pub unsafe extern "C" fn ax650_decoder_send(
    decoder: *const ax650_decoder,
    packet: *const u8,
    size: usize,
    pts: u64,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (decoder, packet) = unsafe { (object(decoder)?, bytes(packet, size)?) };
        decoder.0.send(packet, pts)?;
        Ok(AX650_OK)
    })
}

/// Tells a decoder that nothing follows: it gives out the pictures it still has, then AX650_END.
#[no_mangle]
pub unsafe extern "C" fn ax650_decoder_finish(decoder: *const ax650_decoder) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        unsafe { object(decoder) }?.0.finish()?;
        Ok(AX650_OK)
    })
}

/// Waits for a picture, for `timeout_ms` at most.
///
/// @return AX650_NOTHING: none yet; AX650_END: no more will come.
#[no_mangle]
pub unsafe extern "C" fn ax650_decoder_receive(
    decoder: *const ax650_decoder,
    timeout_ms: u32,
    out: *mut *mut ax650_frame,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (decoder, out) = unsafe { (object(decoder)?, place(out)?) };
        match decoder
            .0
            .receive(Duration::from_millis(timeout_ms.into()))?
        {
            Received::Some(frame) => {
                *out = give(ax650_frame(frame));
                Ok(AX650_OK)
            }
            Received::Nothing => Ok(AX650_NOTHING),
            Received::End => Ok(AX650_END),
        }
    })
}

/// Ends a picture: its memory is the decoder's again.
#[no_mangle]
pub unsafe extern "C" fn ax650_frame_free(frame: *mut ax650_frame) {
    // SAFETY: the header's promise.
    unsafe { end(frame) }
}

/// Tells how a picture lies in memory, and its `pts`; both may be NULL.
#[no_mangle]
pub unsafe extern "C" fn ax650_frame_get(
    frame: *const ax650_frame,
    layout: *mut ax650_layout,
    pts: *mut u64,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (frame, layout, pts) = unsafe { (object(frame)?, layout.as_mut(), pts.as_mut()) };
        if let Some(layout) = layout {
            *layout = frame.0.layout().into();
        }
        if let Some(pts) = pts {
            *pts = frame.0.pts();
        }
        Ok(AX650_OK)
    })
}

/// Copies a picture to the beginning of a buffer and ends it, whatever comes of it.
///
/// @return AX650_ERR_INVALID: the buffer is too small.
#[no_mangle]
pub unsafe extern "C" fn ax650_frame_download(
    frame: *mut ax650_frame,
    buffer: *const ax650_buffer,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (frame, buffer) = unsafe { (taken(frame)?, object(buffer)?) };
        frame.download(&buffer.0)?;
        Ok(AX650_OK)
    })
}

/// Takes the picture of a handle that ends.
///
/// # Safety
///
/// As [`take`].
pub(crate) unsafe fn taken(frame: *mut ax650_frame) -> Result<Frame, Failure> {
    // SAFETY: the caller's promise.
    let frame = unsafe { take(frame) }.ok_or(Failure::Argument("an object is NULL"))?;
    Ok(frame.0)
}
