// SPDX-License-Identifier: MIT OR Apache-2.0

//! Images in card memory, as the image processor takes them.

use std::ops::Range;
use std::sync::Arc;

use super::decoder::Frame;
use super::picture::PictureLayout;
use super::structs::VideoFrame;
use super::FORMAT_NV12;
use crate::buffer::Buffer;
use crate::call::Call;
use crate::cleanup::Keep;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::memory::CardMemory;
use crate::part::Part;
use crate::session::Session;

/// Number of BGR, three bytes a pixel, in the card's interface.
pub const FORMAT_BGR: u32 = 0xa5;
/// Bytes of `AX_VIDEO_FRAME_T`, with which [`VideoFrame`] begins.
const PLAIN: usize = 232;

/// A part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rect {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Rect {
    /// Returns all of a picture of that size.
    pub fn all(width: u32, height: u32) -> Self {
        Self {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    /// Checks that it lies in a picture of that size and, as colours are shared by pairs of columns and rows, begins at
    /// even ones.
    fn check(&self, width: u32, height: u32) -> Result<()> {
        let is_inside = |at: u32, len: u32, all: u32| {
            len > 0 && at % 2 == 0 && at.checked_add(len).is_some_and(|end| end <= all)
        };
        if is_inside(self.x, self.width, width) && is_inside(self.y, self.height, height) {
            return Ok(());
        }
        let Self {
            x,
            y,
            width: w,
            height: h,
        } = self;
        Err(Error::invalid(format!(
            "{w}x{h} at {x},{y} is no part of a picture of {width}x{height} that begins at even columns and rows"
        )))
    }
}

/// Where an image comes from, which says what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A decoder, which looks at it for the pictures that follow.
    Decoder,
    /// Memory that has nothing else in it.
    Memory,
    /// A larger image: rows of that are between its own.
    Part,
}

/// An image in card memory: a decoded [`Frame`], or [`CardMemory`] with what lies in it.
///
/// Clones are handles of the same image.  What it lies in stays until the last of them is dropped and all jobs have ended
/// that use it.
#[derive(Debug, Clone)]
pub struct CardImage {
    frame: VideoFrame,
    session: Session,
    keep: Keep,
    origin: Origin,
}

impl CardImage {
    /// Takes `memory` for a picture that lies in it as `layout` says.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the memory is too small.
    pub fn nv12(memory: &CardMemory, layout: PictureLayout) -> Result<Self> {
        let luma = memory.at(0, layout.size() as u64)?;
        let frame = VideoFrame::new()
            .with_width(layout.width)
            .with_height(layout.height)
            .with_format(FORMAT_NV12)
            .with_luma_stride(layout.stride)
            .with_chroma_stride(layout.stride)
            .with_luma(luma)
            .with_chroma(luma + layout.luma_size() as u64)
            .with_frame_size(layout.size() as u32);
        Ok(Self::new(memory, frame))
    }

    /// Takes `memory` for pixels without gaps, whose rows the card is told to be `stride` apart.
    pub(super) fn bgr(memory: &CardMemory, (width, height): (u32, u32), stride: u32) -> Self {
        let frame = VideoFrame::new()
            .with_width(width)
            .with_height(height)
            .with_format(FORMAT_BGR)
            .with_luma_stride(stride)
            .with_luma(memory.address())
            .with_frame_size(3 * width * height);
        Self::new(memory, frame)
    }

    fn new(memory: &CardMemory, frame: VideoFrame) -> Self {
        Self {
            frame,
            session: memory.session().clone(),
            keep: memory.keep(),
            origin: Origin::Memory,
        }
    }

    /// Makes a handle of a part of a picture, to be written by itself.
    ///
    /// The card is told of whole rows from its corner on, so there must be as many bytes behind the picture as a row
    /// has: [`ImageProcessor::canvas`](super::ImageProcessor::canvas) has them.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: not an NV12 picture, or no part of it that begins at even columns and rows.
    pub fn part(&self, rect: Rect) -> Result<Self> {
        self.check_nv12()?;
        let frame = self.frame;
        rect.check(frame.width(), frame.height())?;
        let stride = u64::from(frame.luma_stride());
        let (x, y) = (u64::from(rect.x), u64::from(rect.y));
        let frame = frame
            .with_width(rect.width)
            .with_height(rect.height)
            .with_luma(frame.luma() + y * stride + x)
            .with_chroma(frame.chroma() + y / 2 * stride + x);
        Ok(Self {
            frame,
            origin: Origin::Part,
            ..self.clone()
        })
    }

    /// Returns columns and rows.
    pub fn size(&self) -> (u32, u32) {
        (self.frame.width(), self.frame.height())
    }

    /// Returns the session that it belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Tells how an NV12 picture lies in card memory; in host memory after [`CardImage::fetch`] too.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: not an NV12 picture.
    pub fn layout(&self) -> Result<PictureLayout> {
        self.check_nv12()?;
        let (width, height) = self.size();
        Ok(PictureLayout {
            width,
            height,
            stride: self.frame.luma_stride(),
        })
    }

    /// Returns how many bytes it has in host memory.
    pub fn host_size(&self) -> usize {
        let (width, height) = self.size();
        self.layout()
            .map_or(3 * width as usize * height as usize, |nv12| nv12.size())
    }

    /// Tells whether others have handles of what it lies in, or jobs use it whose end was not seen.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.keep) > 1
    }

    /// Copies an NV12 picture to the beginning of `buffer`.  That is what pictures on the card are to save; it is for
    /// looking at them.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: not an NV12 picture, or the buffer is too small.
    pub fn fetch(&self, buffer: &Buffer) -> Result<PictureLayout> {
        let layout = self.layout()?;
        self.fetch_bytes(buffer).map(|_| layout)
    }

    /// Copies an image of any format to the beginning of `buffer`, [`CardImage::host_size`] bytes: NV12 as its layout says,
    /// BGR without gaps.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the buffer is too small.
    pub fn fetch_bytes(&self, buffer: &Buffer) -> Result<usize> {
        let stream = self.session.stream();
        let done = self.add_fetch(stream.job(), buffer).run();
        done.map(|_| self.host_size())
    }

    /// Copies the beginning of `buffer` into the image, which lies there as [`CardImage::fetch_bytes`] puts it.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: a picture of a decoder or a part of one, on which others depend; the buffer is too small.
    pub fn fill(&self, buffer: &Buffer) -> Result<()> {
        let stream = self.session.stream();
        self.add_fill(stream.job(), buffer)?.run().map(drop)
    }

    /// Checks that the image is one that can be filled.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: a picture of a decoder or a part of one, on which others depend.
    pub fn check_fill(&self) -> Result<()> {
        if self.origin != Origin::Memory {
            return Err(Error::invalid(
                "a picture of a decoder, or a part of one, cannot be filled: others depend on it",
            ));
        }
        Ok(())
    }

    /// Adds what [`CardImage::fetch_bytes`] does to a job of the same session.
    pub fn add_fetch<'a>(&self, job: Job<'a>, buffer: &Buffer) -> Job<'a> {
        self.add_copies(job, |range, address| {
            Part::from_card(buffer, range, address)
        })
    }

    /// Adds what [`CardImage::fill`] does to a job of the same session.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: a picture of a decoder or a part of one.
    pub fn add_fill<'a>(&self, job: Job<'a>, buffer: &Buffer) -> Result<Job<'a>> {
        self.check_fill()?;
        Ok(self.add_copies(job, |range, address| Part::to_card(buffer, range, address)))
    }

    fn add_copies<'a>(&self, job: Job<'a>, copy: impl Fn(Range<usize>, u64) -> Part) -> Job<'a> {
        let job = job
            .of_session(&self.session, "an image")
            .keep_thing(self.keep.clone());
        let size = self.host_size();
        match self.layout() {
            Ok(layout) => {
                let luma = layout.luma_size();
                job.then(copy(0..luma, self.frame.luma()))
                    .along(copy(luma..size, self.frame.chroma()))
            }
            Err(_) => job.then(copy(0..size, self.frame.luma())),
        }
    }

    fn check_nv12(&self) -> Result<()> {
        match self.frame.format() {
            FORMAT_NV12 => Ok(()),
            other => Err(Error::invalid(format!(
                "an image of format {other:#x}, where NV12 is needed"
            ))),
        }
    }

    pub(super) fn format(&self) -> u32 {
        self.frame.format()
    }

    /// Checks a part of it that is to be read; all of it if there is none.
    pub(super) fn check_crop(&self, crop: Option<Rect>) -> Result<Rect> {
        let (width, height) = self.size();
        let rect = crop.unwrap_or(Rect::all(width, height));
        rect.check(width, height)?;
        Ok(rect)
    }

    /// Returns the structure for a call that reads `crop` of it, or all.
    pub(super) fn describe(&self, crop: Option<Rect>) -> Result<[u8; PLAIN]> {
        // What a decoder has said of its picture stays, but for what a crop is.
        let mut frame = self
            .frame
            .with_crop_x(0)
            .with_crop_y(0)
            .with_crop_width(0)
            .with_crop_height(0);
        if let Some(rect) = crop {
            let short = |number: u32| {
                i16::try_from(number)
                    .map_err(|_| Error::invalid(format!("a part of a picture at or of {number}")))
            };
            frame = frame
                .with_crop_x(short(rect.x)?)
                .with_crop_y(short(rect.y)?)
                .with_crop_width(short(rect.width)?)
                .with_crop_height(short(rect.height)?);
        }
        let bytes = frame.as_bytes();
        Ok(bytes[..PLAIN].try_into().expect("the first of more"))
    }

    /// Returns what an encoder is told of it.
    pub(super) fn for_encoder(&self) -> Result<VideoFrame> {
        self.check_nv12()?;
        match self.origin {
            Origin::Part => Err(Error::invalid(
                "a part of a picture cannot be encoded; scale it into a picture of its own",
            )),
            Origin::Decoder | Origin::Memory => Ok(self.frame),
        }
    }

    /// Has the job of `call` keep it.
    pub(super) fn kept_by(&self, call: Call) -> Call {
        call.keeping(self.keep.clone())
    }
}

impl From<&Frame> for CardImage {
    fn from(frame: &Frame) -> Self {
        Self {
            frame: *frame.info(),
            session: frame.session().clone(),
            keep: frame.keep(),
            origin: Origin::Decoder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeCard;

    #[test]
    fn parts_begin_at_even_places_inside() {
        let session = FakeCard::new().open().session().unwrap();
        let layout = PictureLayout::new(64, 32, 128).unwrap();
        let memory = CardMemory::new(&session.stream(), layout.size() as u64 + 128).unwrap();
        let image = CardImage::nv12(&memory, layout).unwrap();
        let rect = |x, y, width, height| Rect {
            x,
            y,
            width,
            height,
        };
        let part = image.part(rect(6, 4, 10, 20)).unwrap();
        assert_eq!(part.size(), (10, 20));
        assert_eq!(part.frame.luma(), memory.address() + 4 * 128 + 6);
        assert_eq!(part.frame.chroma(), memory.address() + (32 + 2) * 128 + 6);
        for bad in [
            rect(1, 0, 10, 10),
            rect(0, 1, 10, 10),
            rect(0, 0, 0, 10),
            rect(0, 0, 65, 10),
            rect(60, 0, 6, 10),
            rect(0, 30, 10, 4),
            rect(u32::MAX - 1, 0, 4, 4),
        ] {
            assert!(image.part(bad).is_err(), "{bad:?}");
            assert!(image.check_crop(Some(bad)).is_err(), "{bad:?}");
        }
        let small = memory.part(0, layout.size() as u64 - 1).unwrap();
        assert!(CardImage::nv12(&small, layout).is_err());
        let buffer = session.buffer(layout.size()).unwrap();
        assert!(part.fill(&buffer).is_err() && part.for_encoder().is_err());
        drop((memory, small));
        assert!(image.is_shared());
        drop(part);
        image.fill(&buffer).unwrap();
        assert!(!image.is_shared());
    }
}
