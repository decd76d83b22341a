// SPDX-License-Identifier: MIT OR Apache-2.0

//! Encoders.

use std::time::Duration;

use ax650::media::{Encoder, EncoderConfig, Packet, RateControl, Received};

use crate::buffer::ax650_buffer;
use crate::decoder::{ax650_frame, ax650_layout, codec, taken};
use crate::image::ax650_image;
use crate::pointer::{end, give, object, place};
use crate::result::ax650_result::{self, *};
use crate::result::call;
use crate::session::ax650_session;

/// What an encoder is made for; what is 0 but for sizes and codec is chosen by the library.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ax650_encoder_config {
    /// Size of this structure: sizeof(struct ax650_encoder_config).
    pub struct_size: usize,
    /// enum ax650_codec.
    pub codec: u32,
    /// Columns, even.
    pub width: u32,
    /// Rows, even.
    pub height: u32,
    /// Pictures per second; 0: 30.
    pub frame_rate: f32,
    /// Pictures from one intra picture to the next; 0: 4 seconds.
    pub gop: u32,
    /// Bits per second / 1000 that are always spent; 0: steady quality.
    pub bit_rate: u32,
}

/// An encoder on the card.  Made by ax650_encoder_new(), ended by ax650_encoder_free().  It takes a few pictures; then
/// packets must be received before the next.  There is one packet per picture, in order.
pub struct ax650_encoder(Encoder);

/// What an encoder has made of one picture.  Given by ax650_encoder_receive(), ended by ax650_packet_free().
pub struct ax650_packet(Packet);

/// Makes an encoder.
///
/// @return AX650_ERR_INVALID: impossible settings; AX650_ERR_CARD: the card does not do that, or has no encoder left.
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_new(
    session: *const ax650_session,
    config: *const ax650_encoder_config,
    out: *mut *mut ax650_encoder,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (session, config, out) = unsafe { (object(session)?, object(config)?, place(out)?) };
        if config.struct_size != size_of::<ax650_encoder_config>() {
            return Err(crate::result::Failure::Argument(
                "struct_size is not that of struct ax650_encoder_config",
            ));
        }
        let mut wanted = EncoderConfig::new(codec(config.codec)?, config.width, config.height);
        if config.frame_rate != 0.0 {
            wanted = wanted.frame_rate(config.frame_rate);
        }
        if config.gop != 0 {
            wanted = wanted.gop(config.gop);
        }
        if config.bit_rate != 0 {
            let bit_rate = config.bit_rate;
            wanted = wanted.rate(RateControl::Constant { bit_rate });
        }
        *out = give(ax650_encoder(Encoder::new(&session.0, &wanted)?));
        Ok(AX650_OK)
    })
}

/// Ends an encoder, with the pictures that are in it.
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_free(encoder: *mut ax650_encoder) {
    // SAFETY: the header's promise.
    unsafe { end(encoder) }
}

/// Tells how pictures must lie in a buffer for ax650_encoder_send().
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_layout(
    encoder: *const ax650_encoder,
    out: *mut ax650_layout,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (encoder, out) = unsafe { (object(encoder)?, place(out)?) };
        *out = encoder.0.layout().into();
        Ok(AX650_OK)
    })
}

/// Returns how many pictures an encoder can take now; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_room(encoder: *const ax650_encoder) -> usize {
    // SAFETY: the header's promise.
    unsafe { object(encoder) }.map_or(0, |encoder| {
        encoder.0.depth().saturating_sub(encoder.0.pending())
    })
}

/// Sends the picture at the beginning of a buffer; `pts` comes back with its packet.
///
/// @return AX650_ERR_INVALID: the buffer is too small, or the encoder is full; AX650_ERR_CARD: nothing was taken for 20 s.
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_send(
    encoder: *const ax650_encoder,
    picture: *const ax650_buffer,
    pts: u64,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (encoder, picture) = unsafe { (object(encoder)?, object(picture)?) };
        encoder.0.send(&picture.0, pts)?;
        Ok(AX650_OK)
    })
}

/// Sends a decoded picture, which stays where it is on the card, and ends its handle, whatever comes of it.
///
/// @return As ax650_encoder_send(); AX650_ERR_INVALID also for a picture of another session or size.
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_send_frame(
    encoder: *const ax650_encoder,
    frame: *mut ax650_frame,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (frame, encoder) = unsafe { (taken(frame)?, object(encoder)?) };
        encoder.0.send_frame(frame)?;
        Ok(AX650_OK)
    })
}

/// Sends an image, NV12, which stays where it is on the card and whose handle stays the caller's.  It is not to be written to
/// until its packet was received.
///
/// @return As ax650_encoder_send(); AX650_ERR_INVALID also for an image of another session, size or format, or a part.
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_send_image(
    encoder: *const ax650_encoder,
    image: *const ax650_image,
    pts: u64,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (encoder, image) = unsafe { (object(encoder)?, object(image)?) };
        encoder.0.send_image(image.0.clone(), pts)?;
        Ok(AX650_OK)
    })
}

/// Waits for a packet, for `timeout_ms` at most.
///
/// @return AX650_NOTHING: none yet.
#[no_mangle]
pub unsafe extern "C" fn ax650_encoder_receive(
    encoder: *const ax650_encoder,
    timeout_ms: u32,
    out: *mut *mut ax650_packet,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (encoder, out) = unsafe { (object(encoder)?, place(out)?) };
        match encoder
            .0
            .receive(Duration::from_millis(timeout_ms.into()))?
        {
            Received::Some(packet) => {
                *out = give(ax650_packet(packet));
                Ok(AX650_OK)
            }
            Received::Nothing => Ok(AX650_NOTHING),
            Received::End => Ok(AX650_END),
        }
    })
}

/// Gives the bytes of a packet, and the `pts` of its picture and whether it is an intra picture; all may be NULL.
#[no_mangle]
pub unsafe extern "C" fn ax650_packet_get(
    packet: *const ax650_packet,
    data: *mut *const u8,
    size: *mut usize,
    pts: *mut u64,
    key: *mut bool,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let packet = unsafe { &object(packet)?.0 };
        // SAFETY: the header's promise.
        let (data, size) = unsafe { (data.as_mut(), size.as_mut()) };
        // SAFETY: the header's promise.
        let (pts, key) = unsafe { (pts.as_mut(), key.as_mut()) };
        data.into_iter()
            .for_each(|data| *data = packet.data.as_ptr());
        size.into_iter().for_each(|size| *size = packet.data.len());
        pts.into_iter().for_each(|pts| *pts = packet.pts);
        key.into_iter().for_each(|key| *key = packet.key);
        Ok(AX650_OK)
    })
}

/// Ends a packet.
#[no_mangle]
pub unsafe extern "C" fn ax650_packet_free(packet: *mut ax650_packet) {
    // SAFETY: the header's promise.
    unsafe { end(packet) }
}
