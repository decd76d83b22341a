// SPDX-License-Identifier: MIT OR Apache-2.0

//! Single JPEG pictures, decoded with one job: copy in, decode, copy out.
//!
//! For encoding make an [`Encoder`](super::Encoder) with [`Codec::Jpeg`](super::Codec::Jpeg).

use super::image::{CardImage, Rect};
use super::picture::PictureLayout;
use super::structs::{VdecModule, VdecOneFrame};
use super::FORMAT_NV12;
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::memory::CardMemory;
use crate::native::{self, Api};
use crate::part::Part;
use crate::pending::Done;
use crate::proto::axclrpc::native::{Module, VdecApi};
use crate::service::Service;
use crate::session::Session;
use crate::stream::Stream;

const INIT: Api = Api {
    what: "start the decoder",
    module: Module::Vdec,
    number: VdecApi::AxVdecInit as i32,
    outputs: &[],
};
const DECODE: Api = Api {
    what: "decode a JPEG picture",
    module: Module::Vdec,
    number: VdecApi::AxVdecJpegDecodeOneFrame as i32,
    outputs: &[VdecOneFrame::SIZE],
};

/// Decodes `jpeg` into a new buffer.
///
/// # Errors
///
/// [`Error::Invalid`]: not a JPEG picture, or one that the decoder cannot do; [`Error::Card`]: the card cannot
/// decode it.
pub fn decode(session: &Session, jpeg: &[u8]) -> Result<(Buffer, PictureLayout)> {
    let work = Work::new(session, jpeg)?;
    let layout = work.layout;
    let target = session.buffer(layout.size())?;
    let (luma, chroma) = (work.request.luma(), work.request.chroma());
    let mut done = work
        .job()
        .then(Part::from_card(&target, 0..layout.luma_size(), luma))
        .along(Part::from_card(
            &target,
            layout.luma_size()..layout.size(),
            chroma,
        ))
        .run()?;
    work.check(&mut done)?;
    Ok((target, layout))
}

/// Decodes `jpeg` into card memory, where the picture stays.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_on_card(session: &Session, jpeg: &[u8]) -> Result<CardImage> {
    let work = Work::new(session, jpeg)?;
    let mut done = work.job().run()?;
    work.check(&mut done)?;
    let (width, height) = (work.layout.width, work.layout.height);
    CardImage::nv12(&work.target, work.rows)?.part(Rect::all(width, height))
}

/// A picture to be decoded, and card memory for both.
struct Work {
    stream: Stream,
    buffer: Buffer,
    source: CardMemory,
    target: CardMemory,
    /// The picture, and the picture as the decoder makes it.
    layout: PictureLayout,
    rows: PictureLayout,
    request: VdecOneFrame,
}

impl Work {
    fn new(session: &Session, jpeg: &[u8]) -> Result<Self> {
        let (width, height) =
            size(jpeg).map_err(|problem| Error::invalid(format!("JPEG: {problem}")))?;
        let layout = PictureLayout::new(width, height, width.next_multiple_of(128))?;
        let stream = session.new_context()?;
        session.services().start(Service::Decoder, || {
            let module = VdecModule::new().with_max_groups(32).with_module(1);
            stream.native(&INIT, &[module.as_bytes()], None).map(drop)
        })?;
        let buffer = session.buffer(jpeg.len())?;
        buffer.write()?.copy_from_slice(jpeg);
        let source = CardMemory::new(&stream, jpeg.len() as u64)?;
        // The decoder works in blocks of 16 rows.
        let rows = PictureLayout {
            height: height.next_multiple_of(16),
            ..layout
        };
        let target = CardMemory::new(&stream, rows.size() as u64)?;
        let request = VdecOneFrame::new()
            .with_size(jpeg.len() as u32)
            .with_address(source.address())
            .with_width(width)
            .with_height(height)
            .with_format(FORMAT_NV12)
            .with_luma_stride(layout.stride)
            .with_chroma_stride(layout.stride)
            .with_luma(target.address())
            .with_chroma(target.address() + rows.luma_size() as u64)
            .with_frame_size(layout.size() as u32)
            .with_output_format(FORMAT_NV12);
        Ok(Self {
            stream,
            buffer,
            source,
            target,
            layout,
            rows,
            request,
        })
    }

    /// Begins a job that decodes it.
    fn job(&self) -> Job<'_> {
        let range = 0..self.buffer.len();
        let decode = self.stream.native_call(&DECODE, &[self.request.as_bytes()]);
        self.stream
            .job()
            .keep(&self.target)
            .then(Part::to_card(&self.buffer, range, &self.source))
            .then(decode)
    }

    fn check(&self, done: &mut Done) -> Result<()> {
        let answer = native::answer(&DECODE, done.answer(1)?)?;
        let answer = VdecOneFrame::from_bytes(&answer[0]).expect("the size was checked");
        let of = |frame: &VdecOneFrame| {
            let (size, places) = (
                (frame.width(), frame.height()),
                (frame.luma(), frame.chroma()),
            );
            (size, frame.luma_stride(), places)
        };
        if of(&answer) != of(&self.request) {
            return Err(Error::answer(
                DECODE.what,
                format!("a picture elsewhere or of another size: {answer:?}"),
            ));
        }
        Ok(())
    }
}

/// Columns and rows of a JPEG picture, from its frame header.
///
/// # Errors
///
/// What is wrong with the file.
pub fn size(jpeg: &[u8]) -> Result<(u32, u32), &'static str> {
    if !jpeg.starts_with(&[0xFF, 0xD8]) {
        return Err("no start marker");
    }
    let mut at = 2;
    loop {
        let &[first, marker] = jpeg.get(at..at + 2).ok_or(CUT)? else {
            unreachable!("2 bytes")
        };
        if first != 0xFF {
            return Err("no marker where one must be");
        }
        match marker {
            // Fill byte; restart markers and TEM have no content.
            0xFF => {
                at += 1;
                continue;
            }
            0x01 | 0xD0..=0xD7 => {
                at += 2;
                continue;
            }
            0xD9 | 0xDA => return Err("no frame header"),
            _ => {}
        }
        let segment = jpeg.get(at + 2..).ok_or(CUT)?;
        let &[high, low, ..] = segment else {
            return Err(CUT);
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        // Frame headers are C0 to CF but for tables (C4, CC) and an extension (C8).
        if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
            let &[_, _, precision, h1, h2, w1, w2, ..] = segment else {
                return Err(CUT);
            };
            if marker > 0xC1 || precision != 8 {
                return Err("only baseline pictures with 8 bits can be decoded");
            }
            let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
            return match (side(w1, w2), side(h1, h2)) {
                (0, _) | (_, 0) => Err("no size in the frame header"),
                size => Ok(size),
            };
        }
        if len < 2 {
            return Err("a segment of impossible length");
        }
        at += 2 + len;
    }
}

const CUT: &str = "cut short";

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = &[
        0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xFF, 0xC4, 0, 3, 9, 0xFF, 0xC0, 0, 11, 8, 1,
        0x68, 2, 0x80, 1,
    ];

    #[test]
    fn size_of_a_picture() {
        assert_eq!(size(HEAD), Ok((640, 360)));
    }

    #[test]
    fn no_pictures() {
        for cut in 0..HEAD.len() - 1 {
            assert!(size(&HEAD[..cut]).is_err(), "{cut}");
        }
        let with = |at: usize, byte| {
            let mut bytes = HEAD.to_vec();
            bytes[at] = byte;
            size(&bytes)
        };
        assert_eq!(
            with(15, 0xC2),
            Err("only baseline pictures with 8 bits can be decoded")
        );
        assert_eq!(
            with(18, 12),
            Err("only baseline pictures with 8 bits can be decoded")
        );
        assert_eq!(with(15, 0xDA), Err("no frame header"));
        assert_eq!(with(5, 1), Err("a segment of impossible length"));
        assert_eq!(with(8, 0), Err("no marker where one must be"));
        assert_eq!(
            size(&[0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 0, 0, 1, 3]),
            Err("no size in the frame header")
        );
    }
}
