// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decode, look, encode: what happens to a picture from a packet to a result, without it leaving the card.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::decoder::{Decoder, DecoderConfig, Frame, Received};
use super::encoder::{Encoder, Packet};
use super::encoder_config::EncoderConfig;
use super::letterbox::Letterbox;
use super::runner::{PictureResult, PictureRunner, RunnerConfig};
use super::waiting::{Deadline, TURN};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::run::RunTimes;

/// What a pipeline is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PipelineConfig {
    /// The decoder; its [`patience`](DecoderConfig::patience) is how long [`Pipeline::send`] waits for room.
    pub decoder: DecoderConfig,
    /// How the model is run.
    pub runner: RunnerConfig,
    /// Encode the decoded pictures again, on the card.
    pub encoder: Option<EncoderConfig>,
    /// Give the pictures out with the results, see [`Inference::picture`].
    pub keep_pictures: bool,
}

impl PipelineConfig {
    /// Makes a configuration with defaults for everything else.
    pub fn new(decoder: DecoderConfig) -> Self {
        Self {
            decoder,
            runner: RunnerConfig::default(),
            encoder: None,
            keep_pictures: false,
        }
    }

    /// Sets how the model is run.
    pub fn runner(mut self, runner: RunnerConfig) -> Self {
        self.runner = runner;
        self
    }

    /// Has the decoded pictures encoded.
    pub fn encoder(mut self, encoder: EncoderConfig) -> Self {
        self.encoder = Some(encoder);
        self
    }

    /// Has the pictures given out with the results.
    pub fn keep_pictures(mut self) -> Self {
        self.keep_pictures = true;
        self
    }
}

/// A channel: packets in, results of a model out, in the order in which pictures are shown.
///
/// Pictures and the model's input stay on the card.  Over the link go the packets, the model's outputs, and the packets of
/// the encoder if there is one.  Several channels share a model.
///
/// One thread sends while another receives.  There is room for a few pictures; who sends without receiving waits, and in
/// the end in vain.  When a stage fails, [`Pipeline::receive`] tells so, everything that the channel has on the card is given
/// back, and later calls fail.  Dropping a pipeline gives all back too and waits only for pictures in an encoder.
///
/// ```no_run
/// use std::time::Duration;
///
/// use ax650::media::{Codec, DecoderConfig, Pipeline, PipelineConfig, Received};
///
/// # fn main() -> ax650::Result<()> {
/// # let packets: Vec<Vec<u8>> = Vec::new();
/// let session = ax650::Card::open_first()?.session()?;
/// let model = ax650::Model::load_file(&session, "detector.axmodel")?;
/// let config = PipelineConfig::new(DecoderConfig::new(Codec::H264, 1920, 1080));
/// let channel = Pipeline::new(&model, config)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         for (number, packet) in packets.iter().enumerate() {
///             channel.send(packet, number as u64)?;
///         }
///         channel.finish()
///     });
///     loop {
///         match channel.receive(Duration::from_secs(10))? {
///             Received::Some(seen) => println!("{}: {} outputs", seen.pts, seen.outputs.len()),
///             Received::Nothing => continue,
///             Received::End => return Ok(()),
///         }
///     }
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Pipeline {
    patience: Duration,
    /// `None`: a stage has failed.
    decoder: Mutex<Option<Arc<Decoder>>>,
    flow: Mutex<Option<Flow>>,
}

/// What came of a picture.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inference {
    /// Number of the picture in the order in which they are shown, from 0.
    pub number: u64,
    /// Presentation time, as it was sent with the packet.
    pub pts: u64,
    /// The model's outputs, in order.
    pub outputs: Vec<Vec<u8>>,
    /// Where in the model's input the picture was.
    pub place: Letterbox,
    /// Where the time went.
    pub times: RunTimes,
    /// The picture, if [`PipelineConfig::keep_pictures`] says so and there is no encoder, which takes it.
    pub picture: Option<Frame>,
    /// The picture encoded again.
    pub packet: Option<Packet>,
}

/// What is behind the decoder.
#[derive(Debug)]
struct Flow {
    runner: PictureRunner,
    encoder: Option<Encoder>,
    keep_pictures: bool,
    /// Pictures that are looked at, oldest first.
    inside: VecDeque<Inside>,
    /// What came of the oldest, if only its packet is missing.
    result: Option<PictureResult>,
    number: u64,
    has_ended: bool,
}

#[derive(Debug)]
struct Inside {
    number: u64,
    pts: u64,
    picture: Option<Frame>,
}

impl Pipeline {
    /// Makes a channel for `model`, in its session.
    ///
    /// # Errors
    ///
    /// Those of [`Decoder::new`], [`PictureRunner::new`] and [`Encoder::new`].
    pub fn new(model: &Model, config: PipelineConfig) -> Result<Self> {
        let session = model.session();
        let runner = PictureRunner::new(model, config.runner)?;
        let encoder = config.encoder.as_ref();
        let encoder = encoder
            .map(|config| Encoder::new(session, config))
            .transpose()?;
        let depth = encoder.as_ref().map_or(0, Encoder::depth) + config.runner.depth;
        let mut decoder = config.decoder;
        decoder.pictures += depth as u32;
        // Between turns it is looked whether there is still a receiver.
        decoder.patience = decoder.patience.min(TURN);
        Ok(Self {
            patience: config.decoder.patience,
            decoder: Mutex::new(Some(Arc::new(Decoder::new(session, &decoder)?))),
            flow: Mutex::new(Some(Flow {
                runner,
                encoder,
                keep_pictures: config.keep_pictures,
                inside: VecDeque::new(),
                result: None,
                number: 0,
                has_ended: false,
            })),
        })
    }

    /// Sends one packet, as [`Decoder::send`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Decoder::send`]; [`Error::Invalid`] also if a stage has failed.
    pub fn send(&self, packet: &[u8], pts: u64) -> Result<()> {
        self.patiently(|decoder| decoder.send(packet, pts))
    }

    /// Tells that nothing follows: [`Pipeline::receive`] gives out what is inside, then the end.
    ///
    /// # Errors
    ///
    /// As [`Pipeline::send`].
    pub fn finish(&self) -> Result<()> {
        self.patiently(Decoder::finish)
    }

    fn patiently(&self, send: impl Fn(&Decoder) -> Result<()>) -> Result<()> {
        let deadline = Deadline::after(self.patience);
        loop {
            let result = send(&*self.decoder()?);
            let is_full = result.as_ref().err().and_then(Error::card_code);
            let is_full = is_full.is_some_and(|code| code.is_timeout() || code.is_no_memory());
            if !is_full || deadline.left().is_zero() {
                return result;
            }
        }
    }

    fn decoder(&self) -> Result<Arc<Decoder>> {
        let failed = || Error::invalid("a stage of the pipeline has failed; make a new one");
        lock(&self.decoder).clone().ok_or_else(failed)
    }

    /// Waits for what came of the next picture, for `timeout` at most.
    ///
    /// # Errors
    ///
    /// Those of the stages.  Afterwards the pipeline has nothing on the card any more.
    pub fn receive(&self, timeout: Duration) -> Result<Received<Inference>> {
        let mut flow = lock(&self.flow);
        let decoder = self.decoder()?;
        let result = match flow.as_mut() {
            Some(flow) => flow.receive(&decoder, Deadline::after(timeout)),
            None => Ok(Received::Nothing),
        };
        if result.is_err() {
            *lock(&self.decoder) = None;
            *flow = None;
        }
        result
    }
}

impl Flow {
    fn receive(&mut self, decoder: &Decoder, deadline: Deadline) -> Result<Received<Inference>> {
        loop {
            while !self.has_ended && !self.runner.is_full() {
                // Who has nothing else to wait for waits here.
                let wait = match self.inside.is_empty() {
                    true => deadline.left(),
                    false => Duration::ZERO,
                };
                match decoder.receive(wait)? {
                    Received::Some(frame) => self.start(frame)?,
                    Received::Nothing => break,
                    Received::End => self.has_ended = true,
                }
            }
            if self.inside.is_empty() {
                return Ok(match self.has_ended {
                    true => Received::End,
                    false => Received::Nothing,
                });
            }
            if self.result.is_none() {
                self.result = self.runner.receive(deadline.left())?;
            }
            let Some(result) = self.result.take() else {
                return Ok(Received::Nothing);
            };
            let packet = match &self.encoder {
                None => None,
                Some(encoder) => match encoder.receive(deadline.left())? {
                    Received::Some(packet) => Some(packet),
                    Received::Nothing => {
                        self.result = Some(result);
                        return Ok(Received::Nothing);
                    }
                    Received::End => {
                        return Err(Error::answer("get a packet", "the end, before the last"))
                    }
                },
            };
            let Some(inside) = self.inside.pop_front() else {
                continue;
            };
            return Ok(Received::Some(Inference {
                number: inside.number,
                pts: inside.pts,
                outputs: result.outputs,
                place: result.place,
                times: result.times,
                picture: inside.picture,
                packet,
            }));
        }
    }

    fn start(&mut self, frame: Frame) -> Result<()> {
        self.runner.start(&frame, None)?;
        let (number, pts) = (self.number, frame.pts());
        self.number += 1;
        let picture = match &self.encoder {
            Some(encoder) => {
                encoder.send_frame(frame)?;
                None
            }
            None => self.keep_pictures.then_some(frame),
        };
        self.inside.push_back(Inside {
            number,
            pts,
            picture,
        });
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
