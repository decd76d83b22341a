// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cropping, scaling and converting of pictures as one job each, without a GObject.

use std::sync::Arc;
use std::time::Duration;

use ax650::media::{CardImage, ImageEngine, ImageProcessor, Letterbox, PictureLayout, Rect};
use ax650::{Buffer, Error};

use crate::card::Seat;
use crate::{memory, picture};

/// A picture that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Luma of the border.
const BLACK: u8 = 16;

/// What is cut off pictures, columns and rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crop {
    /// At the left.
    pub left: u32,
    /// At the right.
    pub right: u32,
    /// Above.
    pub top: u32,
    /// Below.
    pub bottom: u32,
}

impl Crop {
    /// Returns what is left of a picture of that size, if anything is.
    pub fn of(&self, width: u32, height: u32) -> ax650::Result<Rect> {
        let left = |all: u32, first: u32, last: u32| {
            let cut = first.checked_add(last)?;
            all.checked_sub(cut).filter(|rest| *rest > 0)
        };
        let (columns, rows) = (
            left(width, self.left, self.right),
            left(height, self.top, self.bottom),
        );
        match (columns, rows) {
            (Some(width), Some(height)) if self.left % 2 == 0 && self.top % 2 == 0 => Ok(Rect {
                x: self.left,
                y: self.top,
                width,
                height,
            }),
            _ => Err(Error::Invalid(format!(
                "a picture of {width}x{height} cannot be cropped by {}, {}, {} and {} at its left, right, top and bottom: \
                 something must be left, and left and top must be even",
                self.left, self.right, self.top, self.bottom
            ))),
        }
    }
}

/// What pictures become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// They stay on the card.
    Card,
    /// NV12 on the host.
    Host,
    /// Blue, green and red bytes on the host.
    Pixels,
}

/// Makes pictures of one format and size of those of another.
#[derive(Debug)]
pub struct Scaler {
    seat: Arc<Seat>,
    processor: ImageProcessor,
    input: gst_video::VideoInfo,
    output: gst_video::VideoInfo,
    target: Target,
    /// `None`: all of it.
    crop: Option<Rect>,
    place: Letterbox,
    /// Where pictures of the host go to, once there was one.
    source: Option<(CardImage, Buffer)>,
    /// Where they become pixels.
    pixels: Option<CardImage>,
    /// Where they come back to.
    result: Option<Buffer>,
    /// Pictures on the card with their border; elements that follow may have them still.
    canvases: Vec<CardImage>,
}

impl Scaler {
    /// Makes one; `stays`: what comes out stays on the card.
    pub fn new(
        seat: &Arc<Seat>,
        input: gst_video::VideoInfo,
        output: gst_video::VideoInfo,
        stays: bool,
        crop: Crop,
        add_borders: bool,
    ) -> ax650::Result<Self> {
        let processor = ImageProcessor::new(seat.session(), ImageEngine::default())?;
        let crop = crop.of(input.width(), input.height())?;
        let (from, to) = ((crop.width, crop.height), (output.width(), output.height()));
        let place = match add_borders {
            true => Letterbox::keep(from, to),
            false => Letterbox::stretch(from, to),
        };
        let is_whole = from == (input.width(), input.height());
        let target = match output.format() {
            gst_video::VideoFormat::Bgr => Target::Pixels,
            _ if stays => Target::Card,
            _ => Target::Host,
        };
        let pixels = match target {
            Target::Pixels => Some(processor.tensor(to.0, to.1)?.0),
            Target::Card | Target::Host => None,
        };
        Ok(Self {
            seat: seat.clone(),
            processor,
            input,
            output,
            target,
            crop: Some(crop).filter(|_| !is_whole),
            place,
            source: None,
            pixels,
            result: None,
            canvases: Vec::new(),
        })
    }

    /// Makes a picture of `input` and puts it into `output`, which has none.
    pub fn scale(&mut self, input: &gst::Buffer, output: &mut gst::BufferRef) -> ax650::Result<()> {
        let (source, upload) = match memory::image(input, &self.seat) {
            Some(image) => (image, None),
            None => {
                let (image, buffer) = self.copied(input)?;
                (image, Some(buffer))
            }
        };
        let target = self.canvas()?;
        let place = match self.place.inner == Rect::all(self.output.width(), self.output.height()) {
            true => target.clone(),
            false => target.part(self.place.inner)?,
        };
        let result = self.result(&target)?;
        let mut job = self.processor.job().timeout(PATIENCE);
        if let Some(buffer) = &upload {
            job = source.add_fill(job, buffer)?;
        }
        let (mut job, scaled) = self.processor.add_resize(job, &source, self.crop, &place)?;
        let mut converted = None;
        if let Some(pixels) = &self.pixels {
            let (longer, step) = self.processor.add_convert(job, &target, pixels)?;
            (job, converted) = (longer, Some(step));
        }
        if let Some(buffer) = &result {
            job = self
                .pixels
                .as_ref()
                .unwrap_or(&target)
                .add_fetch(job, buffer);
        }
        let mut done = job.run()?;
        scaled.finish(&mut done)?;
        if let Some(step) = converted {
            step.finish(&mut done)?;
        }
        match result {
            None => memory::append(output, &self.seat, target).map_err(unusable),
            Some(buffer) => self.deliver(&target.layout()?, &buffer, output),
        }
    }

    /// Copies a picture of the host to where the card can fetch it; where it goes there.
    fn copied(&mut self, input: &gst::Buffer) -> ax650::Result<(CardImage, Buffer)> {
        let (image, buffer) = match &self.source {
            Some(source) => source.clone(),
            None => {
                let (width, height) = (self.input.width(), self.input.height());
                let image = self.processor.canvas(width, height, BLACK)?;
                let buffer = self.seat.session().buffer(image.host_size())?;
                self.source.insert((image, buffer)).clone()
            }
        };
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(input, &self.input)
            .map_err(|_| unusable(gst::FlowError::Error))?;
        let mut bytes = buffer.write()?;
        picture::from_frame(&frame, &image.layout()?, &mut bytes).map_err(unusable)?;
        drop(bytes);
        Ok((image, buffer))
    }

    /// Finds a picture that nobody has any more, or makes one.
    fn canvas(&mut self) -> ax650::Result<CardImage> {
        if let Some(free) = self.canvases.iter().find(|canvas| !canvas.is_shared()) {
            return Ok(free.clone());
        }
        let (width, height) = (self.output.width(), self.output.height());
        let made = self.processor.canvas(width, height, BLACK)?;
        self.canvases.push(made.clone());
        Ok(made)
    }

    /// Returns where what comes out is copied to, unless it stays on the card.
    fn result(&mut self, target: &CardImage) -> ax650::Result<Option<Buffer>> {
        if self.target == Target::Card {
            return Ok(None);
        }
        if self.result.is_none() {
            let size = self.pixels.as_ref().unwrap_or(target).host_size();
            self.result = Some(self.seat.session().buffer(size)?);
        }
        Ok(self.result.clone())
    }

    /// Copies what has come out into a buffer.
    fn deliver(
        &self,
        layout: &PictureLayout,
        buffer: &Buffer,
        output: &mut gst::BufferRef,
    ) -> ax650::Result<()> {
        output.append_memory(gst::Memory::from_mut_slice(vec![0; self.output.size()]));
        let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(output, &self.output)
            .map_err(|_| unusable(gst::FlowError::Error))?;
        let bytes = buffer.read()?;
        match self.target {
            Target::Pixels => picture::pixels_to_frame(&bytes, &mut frame),
            Target::Card | Target::Host => picture::to_frame(layout, &bytes, &mut frame),
        }
        .map_err(unusable)
    }
}

fn unusable(_: gst::FlowError) -> Error {
    Error::Invalid("a picture does not lie in its buffer as its caps say".into())
}
