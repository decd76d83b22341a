// SPDX-License-Identifier: MIT OR Apache-2.0

//! The image processor: crops, scales and converts images where they are, in card memory [rpc 7.4].

use super::image::{CardImage, Rect, FORMAT_BGR};
use super::picture::PictureLayout;
use super::FORMAT_NV12;
use crate::call::Call;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::memory::CardMemory;
use crate::model::Model;
use crate::native::{self, Api};
use crate::pending::Done;
use crate::proto::axclrpc::native::{IvpsApi, Module};
use crate::service::Service;
use crate::session::Session;
use crate::stream::Stream;

/// `AX_IVPS_ASPECT_RATIO_T`: its inside is not known, but that zeros ask for nothing.
const NO_ASPECT: [u8; 24] = [0; 24];
/// Bytes of `AX_VIDEO_FRAME_T`, which comes back.
const FRAME: usize = 232;
/// Bytes that the rows of pictures are a multiple of, as those of decoders.
const ROW: u32 = 128;

const fn api(what: &'static str, api: IvpsApi, outputs: &'static [usize]) -> Api {
    Api {
        what,
        module: Module::Ivps,
        number: api as i32,
        outputs,
    }
}
const INIT: Api = api("start the image processor", IvpsApi::AxIvpsInit, &[]);
const RESIZE: [Api; 3] = [
    api("scale an image", IvpsApi::AxIvpsCropResizeTdp, &[FRAME]),
    api("scale an image", IvpsApi::AxIvpsCropResizeVpp, &[FRAME]),
    api("scale an image", IvpsApi::AxIvpsCropResizeVgp, &[FRAME]),
];
const CONVERT: [Api; 3] = [
    api("convert an image", IvpsApi::AxIvpsCscTdp, &[FRAME]),
    api("convert an image", IvpsApi::AxIvpsCscVpp, &[FRAME]),
    api("convert an image", IvpsApi::AxIvpsCscVgp, &[FRAME]),
];

/// One of the three engines of the image processor.  They differ in speed and in what they can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ImageEngine {
    /// TDP.
    Tdp,
    /// VPP.
    #[default]
    Vpp,
    /// VGP.
    Vgp,
}

/// What the card takes the stride of BGR images for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stride {
    Bytes,
    Pixels,
}

/// The image processor, for the calls of one stream.
///
/// Its operations are steps of jobs.  Where they belong to the stream of a model ([`ImageProcessor::for_model`]), a job
/// that scales a picture, converts it and runs the model on it goes to the card with one doorbell, and neither picture nor
/// tensor crosses the link.
#[derive(Debug, Clone)]
pub struct ImageProcessor {
    stream: Stream,
    engine: ImageEngine,
    stride: Stride,
}

impl ImageProcessor {
    /// Starts the image processor with a stream of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card has none; [`Error::Answer`]: it does not do what it is asked to.
    pub fn new(session: &Session, engine: ImageEngine) -> Result<Self> {
        Self::on(session.new_context()?, engine)
    }

    /// Starts the image processor for the stream that `model` runs in.
    ///
    /// # Errors
    ///
    /// As [`ImageProcessor::new`].
    pub fn for_model(model: &Model, engine: ImageEngine) -> Result<Self> {
        Self::on(model.stream().clone(), engine)
    }

    fn on(stream: Stream, engine: ImageEngine) -> Result<Self> {
        let services = stream.session().services();
        services.start(Service::ImageProcessor, || {
            stream.native(&INIT, &[], None).map(drop)
        })?;
        let mut processor = Self {
            stream,
            engine,
            stride: Stride::Bytes,
        };
        processor.stride = processor.find_stride()?;
        Ok(processor)
    }

    /// Finds out whether the stride of BGR images counts bytes or pixels, which no document tells: by converting two
    /// grey rows and looking where the second went.
    fn find_stride(&self) -> Result<Stride> {
        const WIDTH: u32 = 64;
        let source = self.canvas(WIDTH, 2, 128)?;
        let room = self.bgr_room(WIDTH, 2);
        let target = CardMemory::new(&self.stream, room)?;
        target.set(0)?;
        self.convert(&source, &CardImage::bgr(&target, (WIDTH, 2), 3 * WIDTH))?;
        let buffer = self.session().buffer(room as usize)?;
        target.fetch(0, &buffer, 0..room as usize)?;
        let bytes = buffer.read()?;
        let row = 3 * WIDTH as usize;
        let is_there = |from: usize| bytes[from..from + row].iter().all(|byte| *byte != 0);
        match (is_there(0), is_there(row), is_there(3 * row)) {
            (true, true, false) => Ok(Stride::Bytes),
            (true, false, true) => Ok(Stride::Pixels),
            _ => Err(Error::answer(
                CONVERT[self.engine as usize].what,
                "two rows of BGR are neither so many bytes nor so many pixels apart as asked for",
            )),
        }
    }

    /// Returns the session that it belongs to.
    pub fn session(&self) -> &Session {
        self.stream.session()
    }

    /// Begins a job for the processor's own stream, to which operations, and copies of images, are added.
    pub fn job(&self) -> Job<'_> {
        self.stream.job()
    }

    /// Allocates a picture that is grey in all places: `grey` is its luma.  Parts of it can be written
    /// ([`CardImage::part`]), so that the rest is a border.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: impossible sizes; [`Error::Card`]: the card has not that much memory.
    pub fn canvas(&self, width: u32, height: u32, grey: u8) -> Result<CardImage> {
        let layout = PictureLayout::new(width, height, width.next_multiple_of(ROW))?;
        let (luma, chroma) = (layout.luma_size() as u64, layout.chroma_size() as u64);
        let row = u64::from(layout.stride);
        let memory = CardMemory::new(&self.stream, luma + chroma + row)?;
        memory.part(0, luma)?.set(grey)?;
        memory.part(luma, chroma + row)?.set(128)?;
        CardImage::nv12(&memory, layout)
    }

    /// Allocates memory for pixels without gaps, blue, green and red, as models take them that want bytes in the order
    /// NHWC: the image, and the memory, which begins with it, for
    /// [`CardBinding::set_input`](crate::CardBinding::set_input).
    ///
    /// # Errors
    ///
    /// As [`ImageProcessor::canvas`].
    pub fn tensor(&self, width: u32, height: u32) -> Result<(CardImage, CardMemory)> {
        let _possible = PictureLayout::packed(width, height)?;
        let memory = CardMemory::new(&self.stream, self.bgr_room(width, height))?;
        let stride = match self.stride {
            Stride::Bytes => 3 * width,
            Stride::Pixels => width,
        };
        Ok((CardImage::bgr(&memory, (width, height), stride), memory))
    }

    /// Bytes that the driver wants there to be for a BGR image: so many that it is inside whatever the stride counts.
    fn bgr_room(&self, width: u32, height: u32) -> u64 {
        let row = match self.stride {
            Stride::Bytes => 9 * u64::from(width),
            Stride::Pixels => 3 * u64::from(width),
        };
        row * u64::from(height)
    }

    /// Adds to a job of the same session: scales `crop` of `source`, or all, to the size of `target`.  Both are NV12.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: images of other formats or of another session, a crop that is not in the source.
    pub fn add_resize<'a>(
        &self,
        job: Job<'a>,
        source: &CardImage,
        crop: Option<Rect>,
        target: &CardImage,
    ) -> Result<(Job<'a>, ImageStep)> {
        source.check_crop(crop)?;
        for image in [source, target] {
            image.layout()?;
        }
        let api = &RESIZE[self.engine as usize];
        let call = self.call(api, source, crop, target, &[&NO_ASPECT])?;
        Ok(add(job, api, call))
    }

    /// Adds to a job of the same session: converts `source`, which is NV12, to the BGR of `target`, which has its size.
    ///
    /// # Errors
    ///
    /// As [`ImageProcessor::add_resize`].
    pub fn add_convert<'a>(
        &self,
        job: Job<'a>,
        source: &CardImage,
        target: &CardImage,
    ) -> Result<(Job<'a>, ImageStep)> {
        let formats = (source.format(), target.format());
        if formats != (FORMAT_NV12, FORMAT_BGR) || source.size() != target.size() {
            let ((w, h), (x, y)) = (source.size(), target.size());
            let (from, to) = formats;
            return Err(Error::invalid(format!(
                "an image of format {from:#x} and {w}x{h} cannot be converted to format {to:#x} and {x}x{y}"
            )));
        }
        let api = &CONVERT[self.engine as usize];
        let call = self.call(api, source, None, target, &[])?;
        Ok(add(job, api, call))
    }

    /// Scales `crop` of `source`, or all, to the size of `target` and waits for that.
    ///
    /// # Errors
    ///
    /// As [`ImageProcessor::add_resize`]; [`Error::Card`]: the card refused it.
    pub fn resize(&self, source: &CardImage, crop: Option<Rect>, target: &CardImage) -> Result<()> {
        let (job, step) = self.add_resize(self.stream.job(), source, crop, target)?;
        step.finish(&mut job.run()?)
    }

    /// Converts `source` to the BGR of `target` and waits for that.
    ///
    /// # Errors
    ///
    /// As [`ImageProcessor::add_convert`]; [`Error::Card`]: the card refused it.
    pub fn convert(&self, source: &CardImage, target: &CardImage) -> Result<()> {
        let (job, step) = self.add_convert(self.stream.job(), source, target)?;
        step.finish(&mut job.run()?)
    }

    fn call(
        &self,
        api: &Api,
        source: &CardImage,
        crop: Option<Rect>,
        target: &CardImage,
        more: &[&[u8]],
    ) -> Result<Call> {
        for image in [source, target] {
            self.session().same_session(image.session(), "an image")?;
        }
        let (from, to) = (source.describe(crop)?, target.describe(None)?);
        let mut blobs: Vec<&[u8]> = vec![&from, &to];
        blobs.extend_from_slice(more);
        let call = self.stream.native_call(api, &blobs);
        Ok(target.kept_by(source.kept_by(call)))
    }
}

fn add<'a>(job: Job<'a>, api: &Api, call: Call) -> (Job<'a>, ImageStep) {
    let step = ImageStep {
        at: job.len(),
        api: *api,
    };
    (job.then(call), step)
}

/// Which step of a job is an operation of the [`ImageProcessor`].
#[derive(Debug, Clone, Copy)]
pub struct ImageStep {
    at: usize,
    api: Api,
}

impl ImageStep {
    /// Tells how the operation went; `done` is the end of the job that it is in.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card could not do it.  [`Error::Invalid`]: it is in another job, or was asked for already.
    pub fn finish(&self, done: &mut Done) -> Result<()> {
        native::answer(&self.api, done.answer(self.at)?).map(drop)
    }
}
