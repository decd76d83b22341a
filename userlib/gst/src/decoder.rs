// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the video decoders have in common: packets go in from the streaming thread, pictures come out by a
//! [`Worker`].

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ax650::media::{
    annexb, CardImage, Codec, Decoder, DecoderConfig, Frame, PictureLayout, Received,
};
use ax650::{Buffer, Error};
use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::video_codec_state::Readable;
use gst_video::{VideoCodecState, VideoDecoder};

use crate::card::{is_full, lock, Seat, LOG};
use crate::codec::{deliver, Base, Flow, Progress};
use crate::worker::{Source, Worker};
use crate::{memory, picture};

/// Frames that may be in a decoder; older ones are lost.
const MOST_INSIDE: usize = 64;
/// Pictures in a decoder before one comes out, without reordering.
const PICTURES_INSIDE: u64 = 4;

/// What users set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The card.
    pub device: Option<String>,
    /// Pictures that downstream may keep on the card.
    pub extra_pictures: u32,
}

impl crate::element::Settings for Settings {
    fn set(&mut self, name: &str, value: &gst::glib::Value) {
        match name {
            "device" => self.device = value.get().unwrap_or_default(),
            _ => self.extra_pictures = value.get().unwrap_or_default(),
        }
    }

    fn get(&self, name: &str) -> gst::glib::Value {
        match name {
            "device" => self.device.to_value(),
            _ => self.extra_pictures.to_value(),
        }
    }
}

/// A decoder element without its GObject.
#[derive(Debug)]
pub struct Common {
    codec: Codec,
    /// What users have set.
    pub settings: Mutex<Settings>,
    /// Card and state of the stream; what was negotiated is the pictures' size, and whether they are on the card.
    pub base: Base<Running, Option<(u32, u32, bool)>>,
}

/// A decoder on the card, with what belongs to it.
#[derive(Debug)]
pub struct Running {
    decoder: Arc<Decoder>,
    worker: Worker<Picture>,
    size: (u32, u32),
}

impl crate::codec::Running for Running {
    type Item = Picture;

    fn worker(&self) -> &Worker<Picture> {
        &self.worker
    }

    fn into_worker(self) -> Worker<Picture> {
        self.worker
    }
}

/// What comes out of a decoder.
#[derive(Debug)]
pub enum Picture {
    /// A copy on the host.
    Host {
        /// Number of its frame.
        number: u64,
        /// How it lies in the buffer.
        layout: PictureLayout,
        /// Where it is.
        buffer: Buffer,
    },
    /// It is where the decoder has put it.
    Card(Box<Frame>),
}

impl Picture {
    fn number(&self) -> u64 {
        match self {
            Self::Host { number, .. } => *number,
            Self::Card(frame) => frame.pts(),
        }
    }

    fn layout(&self) -> PictureLayout {
        match self {
            Self::Host { layout, .. } => *layout,
            Self::Card(frame) => frame.layout(),
        }
    }
}

/// The way out of a decoder.
struct Pictures {
    seat: Arc<Seat>,
    decoder: Arc<Decoder>,
    on_card: bool,
}

impl Source for Pictures {
    type Item = Picture;

    fn receive(&mut self, timeout: Duration) -> ax650::Result<Received<Picture>> {
        let frame = match self.decoder.receive(timeout)? {
            Received::Some(frame) => frame,
            Received::Nothing => return Ok(Received::Nothing),
            Received::End => return Ok(Received::End),
        };
        if self.on_card {
            return Ok(Received::Some(Picture::Card(Box::new(frame))));
        }
        let number = frame.pts();
        let buffer = self.seat.session().buffer(frame.layout().size())?;
        let layout = frame.download(&buffer)?;
        Ok(Received::Some(Picture::Host {
            number,
            layout,
            buffer,
        }))
    }

    fn is_idle(&self) -> bool {
        false
    }
}

impl Common {
    /// Makes the common part of a decoder for `codec`.
    pub fn new(codec: Codec) -> Arc<Self> {
        Arc::new(Self {
            codec,
            settings: Mutex::new(Settings {
                device: None,
                extra_pictures: 8,
            }),
            base: Base::default(),
        })
    }

    /// Tells the base class how the element wants to be called.
    pub fn prepare(element: &VideoDecoder) {
        element.set_packetized(true);
        element.set_needs_format(true);
        element.set_use_default_pad_acceptcaps(true);
    }

    /// Takes another format of the stream.
    pub fn set_format(
        self: &Arc<Self>,
        element: &VideoDecoder,
        input: &VideoCodecState<'static, Readable>,
    ) -> Result<(), gst::LoggableError> {
        self.drain(element)
            .map_err(|error| gst::loggable_error!(LOG, "cannot drain: {error:?}"))?;
        let fps = input.info().fps();
        if fps.numer() > 0 && fps.denom() > 0 {
            let second = gst::ClockTime::SECOND.nseconds();
            let one = second.saturating_mul(fps.denom() as u64) / fps.numer() as u64;
            let latency = gst::ClockTime::from_nseconds(one.saturating_mul(PICTURES_INSIDE));
            element.set_latency(latency, latency);
        }
        self.base.set_input(input);
        Ok(())
    }

    /// Decodes a packet.
    pub fn handle_frame(
        self: &Arc<Self>,
        element: &VideoDecoder,
        frame: gst_video::VideoCodecFrame<'_>,
    ) -> Flow {
        let number = frame.system_frame_number();
        let flags = frame.flags();
        let input = frame.input_buffer_owned().ok_or(gst::FlowError::Error)?;
        drop(frame);
        self.base.check()?;
        let packet = input.map_readable().map_err(|_| gst::FlowError::Error)?;
        let is_key = flags.contains(gst_video::VideoCodecFrameFlags::SYNC_POINT);
        let running = self.running(element, &packet, is_key, number)?;
        self.patiently(element, &running, |decoder| {
            decoder.send(&packet, number.into())
        })?;
        self.push_ready(element)
    }

    /// Gives out all pictures that are in the decoder, and ends it.
    pub fn drain(self: &Arc<Self>, element: &VideoDecoder) -> Flow {
        self.drain_but(element, None)
    }

    fn drain_but(self: &Arc<Self>, element: &VideoDecoder, next: Option<u32>) -> Flow {
        let Some(running) = self.base.running() else {
            return Ok(gst::FlowSuccess::Ok);
        };
        self.patiently(element, &running, Decoder::finish)?;
        let push = || self.push_ready(element);
        self.base
            .wait_until(element, &running, push, || running.worker.has_ended())?;
        self.base.state().running = None;
        // What has not come out will not.
        for frame in element.frames() {
            if Some(frame.system_frame_number()) != next {
                element.release_frame(frame);
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// Sends something to the decoder while it has no room, and pushes what comes out meanwhile.
    fn patiently(
        self: &Arc<Self>,
        element: &VideoDecoder,
        running: &Running,
        send: impl Fn(&Decoder) -> ax650::Result<()>,
    ) -> Result<(), gst::FlowError> {
        let mut progress = Progress::of(&running.worker);
        loop {
            self.push_ready(element)?;
            match send(&running.decoder) {
                Ok(()) => return Ok(()),
                Err(error) if is_full(&error) && !progress.is_none() => {}
                Err(error) => return Err(self.base.fail(element, &error)),
            }
            if self.base.is_stopping() {
                return Err(gst::FlowError::Flushing);
            }
        }
    }

    /// Returns the decoder for a packet, which is made or made anew if need be.
    fn running(
        self: &Arc<Self>,
        element: &VideoDecoder,
        packet: &[u8],
        is_key: bool,
        number: u32,
    ) -> Result<Arc<Running>, gst::FlowError> {
        let running = self.base.running();
        let told = if is_key || running.is_none() {
            annexb::find_sps(self.codec, packet).map(|sps| (sps.width, sps.height))
        } else {
            None
        };
        if let Some(running) = running {
            if told.is_none_or(|size| size == running.size) {
                return Ok(running);
            }
            drop(running);
            self.drain_but(element, Some(number))?;
        }
        let of_caps = || {
            let state = self.base.state();
            let info = state.input.as_ref()?.info();
            Some((info.width(), info.height())).filter(|size| size.0 > 0 && size.1 > 0)
        };
        let Some(size) = told.or_else(of_caps) else {
            let text = "neither caps nor stream tell the size of the pictures".into();
            return Err(self.base.fail(element, &Error::Invalid(text)));
        };
        self.begin(element, size)
            .map_err(|error| self.base.fail(element, &error))
    }

    fn begin(
        self: &Arc<Self>,
        element: &VideoDecoder,
        size: (u32, u32),
    ) -> ax650::Result<Arc<Running>> {
        let on_card = memory::is_wanted(element.src_pad());
        let (seat, fps) = {
            let state = self.base.state();
            let fps = state.input.as_ref().map(|input| input.info().fps());
            (state.seat.clone(), fps)
        };
        let seat = seat.ok_or_else(|| Error::Invalid("the card is not open".into()))?;
        let mut config = DecoderConfig::new(self.codec, size.0, size.1).patience(Duration::ZERO);
        if let Some(fps) = fps.filter(|fps| fps.numer() > 0 && fps.denom() > 0) {
            config = config.frame_rate(fps.numer() as f32 / fps.denom() as f32);
        }
        if on_card {
            config.pictures += lock(&self.settings).extra_pictures;
        }
        gst::debug!(
            LOG,
            obj = element,
            "decoder of {size:?}, on the card: {on_card}"
        );
        let decoder = Arc::new(Decoder::new(seat.session(), &config)?);
        let source = Pictures {
            seat,
            decoder: decoder.clone(),
            on_card,
        };
        let worker = Worker::start(source, deliver(element, self, Self::push_if_wanted))?;
        let running = Arc::new(Running {
            decoder,
            worker,
            size,
        });
        self.base.state().running = Some(running.clone());
        Ok(running)
    }

    /// Pushes all pictures that are there.  Called with the stream lock held.
    fn push_ready(&self, element: &VideoDecoder) -> Flow {
        self.base
            .push_ready(element, |_, picture| self.push(element, picture))
    }

    /// Does so from the receiving thread.
    fn push_if_wanted(self: &Arc<Self>, element: &VideoDecoder) {
        if !self.base.is_stopping() && self.base.check().is_ok() {
            // The streaming thread hears of an error with its next packet.
            let _ = self.push_ready(element);
        }
    }

    fn push(&self, element: &VideoDecoder, picture: Picture) -> Flow {
        let number = picture.number();
        let frame = i32::try_from(number).ok().and_then(|at| element.frame(at));
        let Some(mut frame) = frame else {
            gst::warning!(LOG, obj = element, "a picture of no packet: {number}");
            return Ok(gst::FlowSuccess::Ok);
        };
        let layout = picture.layout();
        let on_card = matches!(picture, Picture::Card(_));
        let output = (layout.width, layout.height, on_card);
        let (before, input, seat) = {
            let state = self.base.state();
            (state.output, state.input.clone(), state.seat.clone())
        };
        if before != Some(output) {
            negotiate(element, output, input.as_ref())?;
            self.base.state().output = Some(output);
        }
        if element.max_decode_time(&frame) < 0 {
            gst::debug!(LOG, obj = element, "picture {number} is late");
            return element.drop_frame(frame);
        }
        match picture {
            Picture::Card(picture) => {
                let seat = seat.ok_or(gst::FlowError::Flushing)?;
                let image = CardImage::from(&*picture);
                frame.set_output_buffer(memory::buffer(&seat, image)?);
            }
            Picture::Host { buffer, .. } => {
                element.allocate_output_frame(&mut frame, None)?;
                let info = element
                    .output_state()
                    .ok_or(gst::FlowError::NotNegotiated)?
                    .info()
                    .clone();
                let target = frame.output_buffer_mut().ok_or(gst::FlowError::Error)?;
                let target = gst_video::VideoFrameRef::from_buffer_ref_writable(target, &info);
                let bytes = buffer.read().map_err(|_| gst::FlowError::Error)?;
                let mut target = target.map_err(|_| gst::FlowError::Error)?;
                picture::to_frame(&layout, &bytes, &mut target)?;
            }
        }
        let flow = element.finish_frame(frame)?;
        self.release_lost(element);
        Ok(flow)
    }

    /// Forgets frames whose pictures cannot come any more.
    fn release_lost(&self, element: &VideoDecoder) {
        let mut frames = element.frames();
        frames.sort_by_key(|frame| frame.system_frame_number());
        let lost = frames.len().saturating_sub(MOST_INSIDE);
        for frame in frames.into_iter().take(lost) {
            element.release_frame(frame);
        }
    }
}

fn negotiate(
    element: &VideoDecoder,
    (width, height, on_card): (u32, u32, bool),
    input: Option<&VideoCodecState<'static, Readable>>,
) -> Result<(), gst::FlowError> {
    let format = gst_video::VideoFormat::Nv12;
    let mut output = element.set_output_state(format, width, height, input)?;
    if on_card {
        let info = output.info().clone();
        let mut caps = info.to_caps().map_err(|_| gst::FlowError::NotNegotiated)?;
        caps.make_mut()
            .set_features_simple(Some(memory::features()));
        output.set_caps(&caps);
    }
    element.negotiate(output)
}
