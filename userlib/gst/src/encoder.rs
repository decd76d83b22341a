// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the encoders have in common: pictures go in from the streaming thread, packets come out by a [`Worker`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ax650::media::{Codec, Encoder, EncoderConfig, Packet, RateControl, Received};
use ax650::{Buffer, Error};
use gst::glib;
use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::video_codec_state::Readable;
use gst_video::{VideoCodecFrameFlags, VideoCodecState, VideoEncoder};

use crate::card::{is_full, lock, Seat, LOG};
use crate::codec::{deliver, Base, Flow, Progress};
use crate::worker::{Source, Worker};
use crate::{memory, packet_caps, picture};

/// How long the card may take to take one picture.
const SEND: Duration = Duration::from_secs(5);
/// Pictures per second of streams that do not tell.
const FRAME_RATE: f32 = 30.0;

/// Rate control as users choose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "Ax650RateControl")]
#[repr(u32)]
pub enum Rate {
    /// Steady quality below a rate.
    #[default]
    #[enum_value(name = "Steady quality, bitrate is the upper limit", nick = "vbr")]
    Variable,
    /// Always the rate.
    #[enum_value(name = "Always the bitrate", nick = "cbr")]
    Constant,
    /// As variable, and still scenes cost less.
    #[enum_value(name = "As vbr, and still scenes cost less", nick = "avbr")]
    Adaptive,
    /// Quality as the scene needs it.
    #[enum_value(
        name = "Quality as the scene needs it, around the bitrate",
        nick = "qvbr"
    )]
    Quality,
    /// A fixed quantiser.
    #[enum_value(name = "Always the quantiser qp", nick = "fixqp")]
    Fixed,
}

/// What users set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The card.
    pub device: Option<String>,
    /// kbit/s; 0: what suits size and pictures per second.
    pub bitrate: u32,
    /// Rate control.
    pub rate: Rate,
    /// Quantiser.
    pub qp: u32,
    /// Pictures from one intra picture to the next; 0: 4 seconds.
    pub gop: u32,
}

impl crate::element::Settings for Settings {
    fn set(&mut self, name: &str, value: &glib::Value) {
        match name {
            "device" => self.device = value.get().unwrap_or_default(),
            "rate-control" => self.rate = value.get().unwrap_or_default(),
            "bitrate" => self.bitrate = value.get().unwrap_or_default(),
            "qp" => self.qp = value.get().unwrap_or_default(),
            _ => self.gop = value.get().unwrap_or_default(),
        }
    }

    fn get(&self, name: &str) -> glib::Value {
        match name {
            "device" => self.device.to_value(),
            "rate-control" => self.rate.to_value(),
            "bitrate" => self.bitrate.to_value(),
            "qp" => self.qp.to_value(),
            _ => self.gop.to_value(),
        }
    }
}

/// An encoder element without its GObject.
#[derive(Debug)]
pub struct Common {
    codec: Codec,
    /// What users have set.
    pub settings: Mutex<Settings>,
    /// Card and state of the stream, and whether caps were negotiated.
    pub base: Base<Running, bool>,
}

/// An encoder on the card, with what belongs to it.
#[derive(Debug)]
pub struct Running {
    seat: Arc<Seat>,
    encoder: Arc<Encoder>,
    worker: Worker<Packet>,
    /// Where pictures go to the card from; one at a time.
    buffer: Mutex<Option<Buffer>>,
    /// Numbers of the frames whose packets were not pushed; they are sent as the pictures' times.
    inside: Mutex<VecDeque<u32>>,
}

impl crate::codec::Running for Running {
    type Item = Packet;

    fn worker(&self) -> &Worker<Packet> {
        &self.worker
    }

    fn into_worker(self) -> Worker<Packet> {
        self.worker
    }
}

impl Running {
    /// Sends a picture, which is in the books before its packet can come.
    fn send(&self, number: u32, send: impl FnOnce(u64) -> ax650::Result<()>) -> ax650::Result<()> {
        lock(&self.inside).push_back(number);
        send(number.into()).inspect_err(|_| {
            lock(&self.inside).pop_back();
        })
    }

    /// Returns the number of the frame that a packet belongs to.
    fn came(&self, stamp: u64) -> Option<u32> {
        let mut inside = lock(&self.inside);
        // Encoders keep the order: the packets of those ahead are lost.
        let at = inside.iter().position(|sent| u64::from(*sent) == stamp)?;
        let number = inside[at];
        inside.drain(..=at);
        Some(number)
    }
}

/// The way out of an encoder.
struct Packets(Arc<Encoder>);

impl Source for Packets {
    type Item = Packet;

    fn receive(&mut self, timeout: Duration) -> ax650::Result<Received<Packet>> {
        self.0.receive(timeout)
    }

    fn is_idle(&self) -> bool {
        self.0.pending() == 0
    }
}

impl Common {
    /// Makes the common part of an encoder for `codec`.
    pub fn new(codec: Codec) -> Arc<Self> {
        Arc::new(Self {
            codec,
            settings: Mutex::new(Settings {
                qp: 26,
                ..Default::default()
            }),
            base: Base::default(),
        })
    }

    /// Takes another format of the pictures.
    pub fn set_format(
        self: &Arc<Self>,
        element: &VideoEncoder,
        input: &VideoCodecState<'static, Readable>,
    ) -> Result<(), gst::LoggableError> {
        self.drain(element)
            .map_err(|error| gst::loggable_error!(LOG, "cannot drain: {error:?}"))?;
        self.base.set_input(input);
        Ok(())
    }

    /// Encodes a picture.
    pub fn handle_frame(
        self: &Arc<Self>,
        element: &VideoEncoder,
        frame: gst_video::VideoCodecFrame<'_>,
    ) -> Flow {
        let number = frame.system_frame_number();
        let is_forced = frame.flags().contains(VideoCodecFrameFlags::FORCE_KEYFRAME);
        self.base.check()?;
        if is_forced {
            // The first picture of an encoder is an intra picture; the crate has no other way to ask for one.
            self.drain(element)?;
        }
        let running = self.running(element)?;
        let input = frame.input_buffer_owned().ok_or(gst::FlowError::Error)?;
        drop(frame);
        let encoder = &running.encoder;
        self.wait_until(element, &running, || encoder.pending() < encoder.depth())?;
        let sent = match memory::image(&input, &running.seat) {
            Some(image) => running.send(number, |stamp| encoder.send_image(image, stamp)),
            None => {
                let buffer = self.upload(&running, &input)?;
                self.patiently(element, &running, &buffer, number)
            }
        };
        sent.map_err(|error| self.base.fail(element, &error))?;
        running.worker.wake();
        self.push_ready(element)
    }

    /// Copies a picture to where the card can fetch it.
    fn upload(&self, running: &Running, input: &gst::Buffer) -> Result<Buffer, gst::FlowError> {
        let info = {
            let state = self.base.state();
            let input = state.input.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
            input.info().clone()
        };
        let layout = running.encoder.layout();
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(input, &info)
            .map_err(|_| gst::FlowError::Error)?;
        let mut room = lock(&running.buffer);
        let buffer = match room.as_ref() {
            Some(buffer) => buffer.clone(),
            None => {
                let session = running.seat.session();
                let made = session.buffer(layout.size());
                room.insert(made.map_err(|_| gst::FlowError::Error)?)
                    .clone()
            }
        };
        let mut bytes = buffer.write().map_err(|_| gst::FlowError::Error)?;
        picture::from_frame(&frame, &layout, &mut bytes)?;
        drop(bytes);
        Ok(buffer)
    }

    /// Sends a picture while the encoder takes none.
    fn patiently(
        self: &Arc<Self>,
        element: &VideoEncoder,
        running: &Running,
        buffer: &Buffer,
        number: u32,
    ) -> ax650::Result<()> {
        let mut progress = Progress::of(&running.worker);
        loop {
            match running.send(number, |stamp| running.encoder.send(buffer, stamp)) {
                Err(error)
                    if is_full(&error) && !progress.is_none() && !self.base.is_stopping() =>
                {
                    // What it holds up is told by the next look.
                    let _ = self.push_ready(element);
                }
                result => return result,
            }
        }
    }

    /// Gives out all packets that are in the encoder, and ends it.
    pub fn drain(self: &Arc<Self>, element: &VideoEncoder) -> Flow {
        let Some(running) = self.base.running() else {
            return Ok(gst::FlowSuccess::Ok);
        };
        self.wait_until(element, &running, || lock(&running.inside).is_empty())?;
        self.base.state().running = None;
        Ok(gst::FlowSuccess::Ok)
    }

    fn wait_until(
        &self,
        element: &VideoEncoder,
        running: &Running,
        is_good: impl Fn() -> bool,
    ) -> Result<(), gst::FlowError> {
        self.base
            .wait_until(element, running, || self.push_ready(element), is_good)
    }

    fn running(self: &Arc<Self>, element: &VideoEncoder) -> Result<Arc<Running>, gst::FlowError> {
        if let Some(running) = self.base.running() {
            return Ok(running);
        }
        self.begin(element)
            .map_err(|error| self.base.fail(element, &error))
    }

    fn begin(self: &Arc<Self>, element: &VideoEncoder) -> ax650::Result<Arc<Running>> {
        let (seat, info) = {
            let state = self.base.state();
            let info = state.input.as_ref().map(|input| input.info().clone());
            (state.seat.clone(), info)
        };
        let (Some(seat), Some(info)) = (seat, info) else {
            return Err(Error::Invalid("neither card nor format is known".into()));
        };
        let config = self.config(element, &info);
        gst::debug!(LOG, obj = element, "encoder: {config}");
        let encoder = Arc::new(Encoder::new(seat.session(), &config)?);
        let pictures = Duration::from_secs_f32(encoder.depth() as f32 / config.frame_rate);
        let latency = gst::ClockTime::try_from(pictures).unwrap_or(gst::ClockTime::ZERO);
        element.set_latency(gst::ClockTime::ZERO, latency);
        let source = Packets(encoder.clone());
        let worker = Worker::start(source, deliver(element, self, Self::push_if_wanted))?;
        let running = Arc::new(Running {
            seat,
            encoder,
            worker,
            buffer: Mutex::default(),
            inside: Mutex::default(),
        });
        self.base.state().running = Some(running.clone());
        Ok(running)
    }

    fn config(&self, element: &VideoEncoder, info: &gst_video::VideoInfo) -> EncoderConfig {
        let settings = lock(&self.settings).clone();
        let fps = info.fps();
        let frame_rate = match (fps.numer(), fps.denom()) {
            (numer, denom) if numer > 0 && denom > 0 => numer as f32 / denom as f32,
            _ => FRAME_RATE,
        };
        let (width, height) = (info.width(), info.height());
        let mut config = EncoderConfig::new(self.codec, width, height)
            .frame_rate(frame_rate)
            .patience(SEND);
        if settings.gop > 0 {
            config = config.gop(settings.gop);
        }
        let usual = RateControl::usual_bit_rate(self.codec, width, height, frame_rate);
        let bit_rate = match settings.bitrate {
            0 => usual,
            rate => rate,
        };
        let rate = match settings.rate {
            _ if self.codec == Codec::Jpeg => None,
            // The library's own choice.
            Rate::Variable if settings.bitrate == 0 => None,
            Rate::Variable => Some(RateControl::Variable {
                max_bit_rate: bit_rate,
            }),
            Rate::Constant => Some(RateControl::Constant { bit_rate }),
            Rate::Adaptive => Some(RateControl::Adaptive {
                max_bit_rate: bit_rate,
            }),
            Rate::Quality => Some(RateControl::Quality { bit_rate }),
            Rate::Fixed => Some(fixed(settings.qp)),
        };
        if self.codec == Codec::Jpeg {
            config = config.rate(fixed(settings.qp));
        } else if let Some(rate) = rate {
            config = config.rate(rate);
        }
        match packet_caps::wanted_profile(self.codec, element.src_pad()) {
            Some(profile) => config.profile(profile),
            None => config,
        }
    }

    /// Pushes all packets that are there.  Called with the stream lock held.
    fn push_ready(&self, element: &VideoEncoder) -> Flow {
        self.base.push_ready(element, |running, packet| {
            self.push(element, running, packet)
        })
    }

    /// Does so from the receiving thread.
    fn push_if_wanted(self: &Arc<Self>, element: &VideoEncoder) {
        if !self.base.is_stopping() && self.base.check().is_ok() {
            // The streaming thread hears of an error with its next picture.
            let _ = self.push_ready(element);
        }
    }

    fn push(&self, element: &VideoEncoder, running: &Running, packet: Packet) -> Flow {
        let number = running.came(packet.pts);
        let frame = number.and_then(|number| element.frame(number as i32));
        let Some(mut frame) = frame else {
            gst::warning!(LOG, obj = element, "a packet of no picture: {number:?}");
            return Ok(gst::FlowSuccess::Ok);
        };
        let (is_negotiated, input) = {
            let state = self.base.state();
            (state.output, state.input.clone())
        };
        if !is_negotiated {
            let caps = packet_caps::of(self.codec, &packet.data);
            let output = element.set_output_state(caps, input.as_ref())?;
            element.negotiate(output)?;
            self.base.state().output = true;
        }
        if packet.key || self.codec == Codec::Jpeg {
            frame.set_flags(VideoCodecFrameFlags::SYNC_POINT);
        }
        // There are no pictures predicted both ways.
        let pts = frame.pts();
        frame.set_dts(pts);
        frame.set_output_buffer(gst::Buffer::from_mut_slice(packet.data));
        element.finish_frame(frame)
    }
}

fn fixed(qp: u32) -> RateControl {
    RateControl::Fixed {
        intra: qp,
        predicted: qp,
        both_ways: qp,
    }
}
