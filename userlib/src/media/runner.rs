// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models run on pictures that are on the card: scale, convert, run, as one job.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::image::{CardImage, Rect};
use super::letterbox::Letterbox;
use super::processor::{ImageEngine, ImageProcessor, ImageStep};
use crate::buffer::Buffer;
use crate::card_binding::CardBinding;
use crate::dtype::DataType;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::part::Part;
use crate::pending::Pending;
use crate::run::{RunSteps, RunTimes};

/// Luma of the border around pictures: grey 114, which models are trained with, as BT.601 has it.
const GREY: u8 = 114;
/// Bytes that each output begins at a multiple of.
const ALIGN: usize = 64;

/// How a model is run on pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunnerConfig {
    /// Shape group.
    pub group: usize,
    /// Pictures under way at a time: while the results of one are fetched another is looked at.
    pub depth: usize,
    /// Fill the model's input instead of keeping the picture's proportions.
    pub stretch: bool,
    /// Engine of the image processor.
    pub engine: ImageEngine,
    /// Longest time for one picture; else the driver's default holds.
    pub timeout: Option<Duration>,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            group: 0,
            depth: 2,
            stretch: false,
            engine: ImageEngine::default(),
            timeout: None,
        }
    }
}

/// Runs a model on pictures that are in card memory.
///
/// The model has one input, of bytes in the order NHWC with three channels, blue first: what models compiled for the card
/// usually take.  The picture is scaled and converted into it on the card; what crosses the link is the model's output.
/// Several runners may share a model, which then takes turns.
///
/// Dropping it waits for nothing: what is under way ends on the card, and then all is given back.
#[derive(Debug)]
pub struct PictureRunner {
    processor: ImageProcessor,
    model: Model,
    config: RunnerConfig,
    /// Columns and rows of the model's input.
    size: (u32, u32),
    free: Vec<Slot>,
    running: VecDeque<Running>,
}

/// Card memory for one picture's way, and host memory for what comes of it.
#[derive(Debug)]
struct Slot {
    canvas: CardImage,
    /// What of the canvas pictures have been written to.
    used: Option<Rect>,
    tensor: CardImage,
    binding: CardBinding,
    results: Buffer,
    ranges: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Running {
    pending: Pending,
    images: [ImageStep; 2],
    run: RunSteps,
    slot: Slot,
    place: Letterbox,
}

/// What came of a picture.
#[derive(Debug)]
#[non_exhaustive]
pub struct PictureResult {
    /// The model's outputs, in order.
    pub outputs: Vec<Vec<u8>>,
    /// Where in the model's input the picture was.
    pub place: Letterbox,
    /// Where the time went; the run's stages are without scaling.
    pub times: RunTimes,
}

impl PictureRunner {
    /// Makes room on the card for as many pictures as may be under way.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: a model that does not take such a picture, or no shape group of that number.
    /// [`Error::Card`]: the card has no image processor, or no memory left.
    pub fn new(model: &Model, config: RunnerConfig) -> Result<Self> {
        let size = input_size(model, config.group)?;
        let processor = ImageProcessor::for_model(model, config.engine)?;
        let mut runner = Self {
            processor,
            model: model.clone(),
            config,
            size,
            free: Vec::new(),
            running: VecDeque::new(),
        };
        for _ in 0..config.depth.max(1) {
            let slot = runner.slot()?;
            runner.free.push(slot);
        }
        Ok(runner)
    }

    fn slot(&self) -> Result<Slot> {
        let (width, height) = self.size;
        let (tensor, memory) = self.processor.tensor(width, height)?;
        let mut binding = self.model.bind_on_card(self.config.group)?;
        binding.set_input(0, &memory)?;
        let mut ranges = Vec::new();
        let mut end: usize = 0;
        for tensor in self.model.outputs() {
            let start = end.next_multiple_of(ALIGN);
            end = start + tensor.shapes[self.config.group].size;
            ranges.push(start..end);
        }
        Ok(Slot {
            canvas: self.processor.canvas(width, height, GREY)?,
            used: None,
            tensor,
            binding,
            results: self.model.session().buffer(end.max(1))?,
            ranges,
        })
    }

    /// Returns the model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Returns columns and rows of the model's input.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Pictures under way.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Returns whether as many pictures are under way as may be.
    pub fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Starts with a picture, of which only `crop` counts if there is one.  The picture may be dropped or sent elsewhere at once; it stays on
    /// the card until this has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: as many are under way as may be, a picture of another session, a crop that is not in the picture.
    pub fn start(&mut self, picture: impl Into<CardImage>, crop: Option<Rect>) -> Result<()> {
        let picture = picture.into();
        let part = picture.check_crop(crop)?;
        let Some(mut slot) = self.free.pop() else {
            return Err(Error::invalid(format!(
                "{} pictures are under way; take results first",
                self.running.len()
            )));
        };
        let source = (part.width, part.height);
        let place = match self.config.stretch {
            true => Letterbox::stretch(source, self.size),
            false => Letterbox::keep(source, self.size),
        };
        match self.submit(&mut slot, &picture, crop, &place) {
            Ok((pending, images, run)) => {
                self.running.push_back(Running {
                    pending,
                    images,
                    run,
                    slot,
                    place,
                });
                Ok(())
            }
            Err(error) => {
                self.free.push(slot);
                Err(error)
            }
        }
    }

    fn submit(
        &self,
        slot: &mut Slot,
        picture: &CardImage,
        crop: Option<Rect>,
        place: &Letterbox,
    ) -> Result<(Pending, [ImageStep; 2], RunSteps)> {
        if slot.used.is_some_and(|used| used != place.inner) {
            // A border that an earlier picture of another shape was written to.
            let (width, height) = self.size;
            slot.canvas = self.processor.canvas(width, height, GREY)?;
        }
        slot.used = Some(place.inner);
        let target = slot.canvas.part(place.inner)?;
        let job = self.model.stream().job().within(self.config.timeout);
        let (job, scaled) = self.processor.add_resize(job, picture, crop, &target)?;
        let (job, converted) = self
            .processor
            .add_convert(job, &slot.canvas, &slot.tensor)?;
        let (mut job, run) = slot.binding.add_to(job);
        let mut is_first = true;
        for (index, range) in slot.ranges.iter().enumerate() {
            if range.is_empty() {
                continue;
            }
            let part = Part::from_card(&slot.results, range.clone(), slot.binding.output(index)?);
            // Copies and calls travel on different ports: the first waits for the run.
            job = match std::mem::replace(&mut is_first, false) {
                true => job.then(part),
                false => job.along(part),
            };
        }
        Ok((job.submit()?, [scaled, converted], run))
    }

    /// Waits for what came of the picture that was started first, for `timeout` at most; `None`: nothing yet, or nothing
    /// is under way.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card could not do it; [`Error::Job`]: the card failed or was too slow.  Then the picture is
    /// through with, and the next may go well.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<PictureResult>> {
        let Some(mut first) = self.running.pop_front() else {
            return Ok(None);
        };
        let mut done = match first.pending.wait_for(timeout) {
            Ok(Some(done)) => done,
            Ok(None) => {
                self.running.push_front(first);
                return Ok(None);
            }
            // The card may still be at what the slot has, which the session keeps.
            Err(error) => {
                drop(first);
                let slot = self.slot()?;
                self.free.push(slot);
                return Err(error);
            }
        };
        let Running {
            images,
            run,
            slot,
            place,
            ..
        } = first;
        let result = images
            .iter()
            .try_for_each(|step| step.finish(&mut done))
            .and_then(|()| run.finish(&mut done))
            .and_then(|times| {
                let bytes = slot.results.read()?;
                let outputs = slot
                    .ranges
                    .iter()
                    .map(|range| bytes[range.clone()].to_vec());
                Ok(PictureResult {
                    outputs: outputs.collect(),
                    place,
                    times,
                })
            });
        self.free.push(slot);
        result.map(Some)
    }
}

/// Returns columns and rows of the picture that a model takes.
fn input_size(model: &Model, group: usize) -> Result<(u32, u32)> {
    model.check_group(group)?;
    let is = |text: String| {
        Error::invalid(format!(
            "the model takes no picture: it should have one input of uint8 and 1 x rows x columns x 3, but has {text}"
        ))
    };
    let [input] = model.inputs() else {
        return Err(is(format!("{} inputs", model.inputs().len())));
    };
    let shape = &input.shapes[group];
    match *shape.dims.as_slice() {
        [1, height, width, 3] | [height, width, 3]
            if input.data_type == DataType::Uint8
                && u64::from(height) * u64::from(width) * 3 == shape.size as u64 =>
        {
            Ok((width, height))
        }
        _ => Err(is(format!(
            "`{}` of {} and {shape}",
            input.name, input.data_type
        ))),
    }
}
