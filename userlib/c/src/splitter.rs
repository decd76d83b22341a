// SPDX-License-Identifier: MIT OR Apache-2.0

//! Packets out of an elementary stream.

use ax650::media::annexb::Splitter;

use crate::decoder::codec;
use crate::pointer::{bytes, end, give, object, place};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};

/// Cuts an elementary stream (Annex B) into packets.  Made by ax650_splitter_new(), ended by ax650_splitter_free().  For
/// one thread at a time.
pub struct ax650_splitter {
    splitter: Splitter,
    packet: Vec<u8>,
}

/// Makes a splitter for a stream of enum ax650_codec.
#[no_mangle]
pub unsafe extern "C" fn ax650_splitter_new(
    codec: u32,
    out: *mut *mut ax650_splitter,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let out = unsafe { place(out) }?;
        *out = give(ax650_splitter {
            splitter: Splitter::new(self::codec(codec)?),
            packet: Vec::new(),
        });
        Ok(AX650_OK)
    })
}

/// Ends a splitter.
#[no_mangle]
pub unsafe extern "C" fn ax650_splitter_free(splitter: *mut ax650_splitter) {
    // SAFETY: the header's promise.
    unsafe { end(splitter) }
}

/// Gives a splitter more of the stream, of which it keeps a copy; 0 bytes say that nothing follows.
#[no_mangle]
pub unsafe extern "C" fn ax650_splitter_push(
    splitter: *mut ax650_splitter,
    data: *const u8,
    size: usize,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise; no other thread uses it meanwhile.
        let (splitter, data) = unsafe { (place(splitter)?, bytes(data, size)?) };
        match data {
            [] => splitter.splitter.finish(),
            data => splitter.splitter.push(data),
        }
        Ok(AX650_OK)
    })
}

/// Takes the next packet, all NAL units of one picture; it lives until the next call with this splitter.
///
/// @return AX650_NOTHING: more of the stream is wanted; AX650_END: that was all.
#[no_mangle]
pub unsafe extern "C" fn ax650_splitter_next(
    splitter: *mut ax650_splitter,
    data: *mut *const u8,
    size: *mut usize,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise; no other thread uses it meanwhile.
        let (splitter, data, size) = unsafe { (place(splitter)?, place(data)?, place(size)?) };
        match splitter.splitter.packet() {
            Some(packet) => splitter.packet = packet,
            None if splitter.splitter.is_finished() => return Ok(AX650_END),
            None => return Ok(AX650_NOTHING),
        }
        (*data, *size) = (splitter.packet.as_ptr(), splitter.packet.len());
        Ok(AX650_OK)
    })
}

/// Tells how large the pictures of a stream are, as its parameter sets say.
///
/// @return AX650_NOTHING: none of them has come yet.
#[no_mangle]
pub unsafe extern "C" fn ax650_splitter_picture_size(
    splitter: *const ax650_splitter,
    width: *mut u32,
    height: *mut u32,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (splitter, width, height) =
            unsafe { (object(splitter)?, place(width)?, place(height)?) };
        let Some(set) = splitter.splitter.sps() else {
            return Ok(AX650_NOTHING);
        };
        (*width, *height) = (set.width, set.height);
        if *width == 0 || *height == 0 {
            return Err(Failure::Argument("the stream has pictures of no size"));
        }
        Ok(AX650_OK)
    })
}
