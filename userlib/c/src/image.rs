// SPDX-License-Identifier: MIT OR Apache-2.0

//! Images in card memory, and the processor that crops, scales and converts them there.

use ax650::media::{CardImage, ImageEngine, ImageProcessor, Rect};

use crate::buffer::ax650_buffer;
use crate::decoder::{ax650_frame, ax650_layout};
use crate::pointer::{end, give, object, place};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};
use crate::session::ax650_session;

/// An engine of the image processor.  They differ in speed and in what they can do.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ax650_image_engine {
    /// The usual one.
    AX650_ENGINE_VPP = 0,
    /// TDP.
    AX650_ENGINE_TDP = 1,
    /// VGP.
    AX650_ENGINE_VGP = 2,
}

/// A part of an image; `x` and `y` are even.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ax650_rect {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl From<ax650_rect> for Rect {
    fn from(rect: ax650_rect) -> Self {
        Self {
            x: rect.x,
            y: rect.y,
            width: rect.width,
            height: rect.height,
        }
    }
}

/// The image processor of a card.  Made by ax650_processor_new(), ended by ax650_processor_free().
pub struct ax650_processor(ImageProcessor);

/// An image in card memory, NV12 or BGR.  Made by ax650_image_nv12(), ax650_image_bgr(), ax650_image_of_frame() or
/// ax650_image_part(), ended by ax650_image_free().
pub struct ax650_image(pub(crate) CardImage);

/// Starts the image processor, with one engine of enum ax650_image_engine.
///
/// @return AX650_ERR_INVALID: no such engine; AX650_ERR_CARD: the card has none, or it does not do what it is asked to.
#[no_mangle]
pub unsafe extern "C" fn ax650_processor_new(
    session: *const ax650_session,
    engine: u32,
    out: *mut *mut ax650_processor,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (session, out) = unsafe { (object(session)?, place(out)?) };
        let engine = match engine {
            0 => ImageEngine::Vpp,
            1 => ImageEngine::Tdp,
            2 => ImageEngine::Vgp,
            _ => return Err(Failure::Argument("there is no such engine")),
        };
        *out = give(ax650_processor(ImageProcessor::new(&session.0, engine)?));
        Ok(AX650_OK)
    })
}

/// Ends a handle of the image processor.  Images made with it go on.
#[no_mangle]
pub unsafe extern "C" fn ax650_processor_free(processor: *mut ax650_processor) {
    // SAFETY: the header's promise.
    unsafe { end(processor) }
}

/// Makes an NV12 picture of `width` x `height` that is grey in all places: `grey` is its luma.
///
/// @return AX650_ERR_INVALID: impossible sizes; AX650_ERR_NO_MEMORY.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_nv12(
    processor: *const ax650_processor,
    width: u32,
    height: u32,
    grey: u8,
    out: *mut *mut ax650_image,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (processor, out) = unsafe { (object(processor)?, place(out)?) };
        *out = give(ax650_image(processor.0.canvas(width, height, grey)?));
        Ok(AX650_OK)
    })
}

/// Makes an image of `width` x `height` of blue, green and red bytes without gaps, as models take them.
///
/// @return AX650_ERR_INVALID: impossible sizes; AX650_ERR_NO_MEMORY.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_bgr(
    processor: *const ax650_processor,
    width: u32,
    height: u32,
    out: *mut *mut ax650_image,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (processor, out) = unsafe { (object(processor)?, place(out)?) };
        // The image keeps the memory that comes with it.
        let (image, _) = processor.0.tensor(width, height)?;
        *out = give(ax650_image(image));
        Ok(AX650_OK)
    })
}

/// Makes a handle of a decoded picture, which stays the caller's and may be ended or sent to an encoder at any time: its
/// memory is the decoder's again when this has ended, too.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_of_frame(
    frame: *const ax650_frame,
    out: *mut *mut ax650_image,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (frame, out) = unsafe { (object(frame)?, place(out)?) };
        *out = give(ax650_image(CardImage::from(&frame.0)));
        Ok(AX650_OK)
    })
}

/// Makes a handle of a part of an NV12 picture, to be written by ax650_processor_resize(): the rest becomes a border.
///
/// @return AX650_ERR_INVALID: not NV12, or no such part.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_part(
    image: *const ax650_image,
    part: *const ax650_rect,
    out: *mut *mut ax650_image,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (image, part, out) = unsafe { (object(image)?, object(part)?, place(out)?) };
        *out = give(ax650_image(image.0.part(Rect::from(*part))?));
        Ok(AX650_OK)
    })
}

/// Ends a handle of an image; its memory is given back when nothing uses it any more.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_free(image: *mut ax650_image) {
    // SAFETY: the header's promise.
    unsafe { end(image) }
}

/// Tells how an image lies in host memory, after ax650_image_download(), and for ax650_image_upload().  Pixels of BGR images
/// have three bytes.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_layout(
    image: *const ax650_image,
    out: *mut ax650_layout,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (image, out) = unsafe { (&object(image)?.0, place(out)?) };
        let (width, height) = image.size();
        *out = match image.layout() {
            Ok(layout) => layout.into(),
            Err(_) => ax650_layout {
                width,
                height,
                stride: 3 * width,
                size: image.host_size(),
            },
        };
        Ok(AX650_OK)
    })
}

/// Copies the image at the beginning of a buffer into card memory, and waits for it.
///
/// @return AX650_ERR_INVALID: the buffer is too small, or the image is a decoder's or a part of another.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_upload(
    image: *const ax650_image,
    buffer: *const ax650_buffer,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (image, buffer) = unsafe { (object(image)?, object(buffer)?) };
        image.0.fill(&buffer.0)?;
        Ok(AX650_OK)
    })
}

/// Copies an image to the beginning of a buffer, and waits for it.
///
/// @return AX650_ERR_INVALID: the buffer is too small.
#[no_mangle]
pub unsafe extern "C" fn ax650_image_download(
    image: *const ax650_image,
    buffer: *const ax650_buffer,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (image, buffer) = unsafe { (object(image)?, object(buffer)?) };
        image.0.fetch_bytes(&buffer.0)?;
        Ok(AX650_OK)
    })
}

/// Scales `crop` of `source`, or all of it for NULL, to the size of `target`, and waits for it.  Both are NV12.
///
/// @return AX650_ERR_INVALID: images of other formats or of another session, no such part; AX650_ERR_CARD.
#[no_mangle]
pub unsafe extern "C" fn ax650_processor_resize(
    processor: *const ax650_processor,
    source: *const ax650_image,
    crop: *const ax650_rect,
    target: *const ax650_image,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (processor, source, target, crop) = unsafe {
            (
                object(processor)?,
                object(source)?,
                object(target)?,
                crop.as_ref(),
            )
        };
        let crop = crop.map(|crop| Rect::from(*crop));
        processor.0.resize(&source.0, crop, &target.0)?;
        Ok(AX650_OK)
    })
}

/// Converts `source`, which is NV12, to `target`, which is BGR and of the same size, and waits for it.
///
/// @return As ax650_processor_resize().
#[no_mangle]
pub unsafe extern "C" fn ax650_processor_convert(
    processor: *const ax650_processor,
    source: *const ax650_image,
    target: *const ax650_image,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (processor, source, target) =
            unsafe { (object(processor)?, object(source)?, object(target)?) };
        processor.0.convert(&source.0, &target.0)?;
        Ok(AX650_OK)
    })
}
