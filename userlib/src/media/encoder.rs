// SPDX-License-Identifier: MIT OR Apache-2.0

//! Video encoding: pictures in, packets out [rpc 7.2].

mod receive;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::decoder::{millis, run_in_order, Frame};
use super::encoder_config::{is_illegal, EncoderConfig, DEPTH};
use super::image::CardImage;
use super::inside::Inside;
use super::picture::PictureLayout;
use super::structs::VideoFrame;
use super::venc_structs::VencModule;
use super::waiting::{give_back, send_patiently, Turns, TURN};
use super::FORMAT_NV12;
use crate::buffer::Buffer;
use crate::error::{Error, Request, Result};
use crate::memory::CardMemory;
use crate::native::{self, Api};
use crate::part::Part;
use crate::proto::axclrpc::native::{Module, VencApi};
use crate::service::Service;
use crate::session::Session;
use crate::stream::Stream;
use crate::system::MARGIN;

pub use receive::Packet;

const fn api(what: &'static str, api: VencApi, outputs: &'static [usize]) -> Api {
    Api {
        what,
        module: Module::Venc,
        number: api as i32,
        outputs,
    }
}
const INIT: Api = api("start the encoder", VencApi::AxVencInit, &[]);
const CREATE: Api = api("create an encoder", VencApi::AxVencCreateChnEx, &[4]);
const DESTROY: Api = api("destroy an encoder", VencApi::AxVencDestroyChn, &[]);
const START: Api = api("start encoding", VencApi::AxVencStartRecvFrame, &[]);
const STOP: Api = api("stop encoding", VencApi::AxVencStopRecvFrame, &[]);
const SEND: Api = api(
    "send a picture to the encoder",
    VencApi::AxVencSendFrame,
    &[],
);

/// An encoder on the card.
///
/// It takes [`Encoder::depth`] pictures; then packets must be received before the next.  There is one packet per
/// picture, in the order they were sent.  Any thread may send or receive.
#[derive(Debug)]
pub struct Encoder {
    channel: Channel,
    receive: Stream,
    config: EncoderConfig,
    layout: PictureLayout,
    sending: Mutex<()>,
    /// Where packets are copied to; one thread receives at a time, so that packets stay in order.
    staging: Turns<Option<Buffer>>,
    state: Mutex<State>,
}

/// The encoder as the card knows it.
#[derive(Debug)]
struct Channel {
    stream: Stream,
    number: [u8; 4],
    ended: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Pictures whose packets have not been received.
    inside: Inside<Source>,
    /// Card memory for pictures, not in use now.
    free: Vec<CardMemory>,
}

/// What keeps a picture in card memory.
#[derive(Debug)]
enum Source {
    Memory(CardMemory),
    Image { _image: Box<CardImage> },
}

impl Encoder {
    /// Makes an encoder.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: impossible sizes, rates or settings; [`Error::Card`]: the card does not do what was asked
    /// for, or has no encoder left, or no memory.
    pub fn new(session: &Session, config: &EncoderConfig) -> Result<Self> {
        config.check()?;
        let attributes = config.attributes()?;
        let (width, height) = (config.width, config.height);
        let layout = PictureLayout::new(width, height, width.next_multiple_of(16))?;
        let stream = session.new_context()?;
        session.services().start(Service::Encoder, || {
            let module = VencModule::new().with_kind(3).with_threads(1);
            stream.native(&INIT, &[module.as_bytes()], None).map(drop)
        })?;
        // The second blob is the table of another GOP mode.
        let create = |attributes: &[u8]| {
            session.with_room(|| stream.native(&CREATE, &[attributes, &[]], None))
        };
        let mut number = create(attributes[0].as_bytes());
        for other in &attributes[1..] {
            match &number {
                Err(Error::Card { code, .. }) if is_illegal(*code) => {
                    log::info!("{config}: {code}; trying plainer settings");
                    // What is told in the end is why the settings proper were refused.
                    number = create(other.as_bytes()).or(number);
                }
                _ => break,
            }
        }
        let number = number.map_err(|error| config.refused(error))?[0]
            .as_slice()
            .try_into()
            .expect("4 bytes, as was checked");
        let channel = Channel {
            stream,
            number,
            ended: false,
        };
        let all = (-1_i32).to_le_bytes();
        run_in_order(&channel.stream, &[(&START, &[&channel.number, &all])], None)?;
        let receive = session.new_context()?;
        Ok(Self {
            channel,
            receive,
            config: *config,
            layout,
            sending: Mutex::default(),
            staging: Turns::new(None),
            state: Mutex::default(),
        })
    }

    /// Returns the configuration that the encoder was made for.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Tells how pictures must lie in a buffer for [`Encoder::send`].
    pub fn layout(&self) -> PictureLayout {
        self.layout
    }

    /// Pictures that it takes before packets must be received.
    pub fn depth(&self) -> usize {
        DEPTH
    }

    /// Pictures that the card has taken and whose packets have not been received.
    pub fn pending(&self) -> usize {
        self.state().inside.pending()
    }

    /// Sends the picture at the beginning of `buffer`, of [`Encoder::layout`].
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the buffer is too small, or the encoder is full.  [`Error::Card`]: nothing was taken for
    /// [`EncoderConfig::patience`].  After other errors the card may have taken the picture all the same; then its
    /// packet comes, and until then [`Encoder::pending`] does not count it.
    pub fn send(&self, buffer: &Buffer, pts: u64) -> Result<()> {
        let size = self.layout.size();
        if buffer.len() < size {
            let given = buffer.len();
            return Err(Error::invalid(format!(
                "a picture of {size} bytes in a buffer of {given}"
            )));
        }
        let _one_sender = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_room()?;
        let stream = &self.channel.stream;
        let spare = self.state().free.pop();
        let memory = match spare {
            Some(memory) => memory,
            None => CardMemory::new(stream, size as u64)?,
        };
        let address = memory.address();
        let picture = VideoFrame::new()
            .with_width(self.layout.width)
            .with_height(self.layout.height)
            .with_format(FORMAT_NV12)
            .with_luma_stride(self.layout.stride)
            .with_chroma_stride(self.layout.stride)
            .with_luma(address)
            .with_chroma(address + self.layout.luma_size() as u64)
            .with_frame_size(size as u32)
            .with_pts(pts);
        let mut copied = false;
        self.send_source(Source::Memory(memory), picture, |call| {
            if copied {
                return stream.call(call, Some(TURN + MARGIN));
            }
            let copy = Part::to_card(buffer, 0..size, address);
            let job = stream.job().then(copy).then(call);
            let mut done = job.timeout(TURN + MARGIN).run()?;
            copied = true;
            done.answer(1)
        })
    }

    /// Sends a decoded picture, which stays where it is; it is given back to its decoder when its packet was
    /// received.
    ///
    /// # Errors
    ///
    /// As [`Encoder::send_image`].
    pub fn send_frame(&self, frame: Frame) -> Result<()> {
        self.send_image(CardImage::from(&frame), frame.pts())
    }

    /// Sends a picture that is in card memory and stays there; what it lies in is let go when its packet was received.
    /// Whoever has other handles of it does not write to it until then.
    ///
    /// # Errors
    ///
    /// As [`Encoder::send`]; [`Error::Invalid`] also if the picture is of another session, not of the encoder's
    /// size, not NV12 or a part of another.
    pub fn send_image(&self, image: CardImage, pts: u64) -> Result<()> {
        let stream = &self.channel.stream;
        if !image.session().is_same(stream.session()) {
            return Err(Error::invalid(format!(
                "a picture of session {} of {} for an encoder of session {} of {}: they must be of the same",
                image.session().handle(),
                image.session().card_name(),
                stream.session().handle(),
                stream.session().card_name()
            )));
        }
        let picture = image.for_encoder()?.with_pts(pts);
        let (is, wanted) = (image.size(), self.layout);
        if is != (wanted.width, wanted.height) {
            return Err(Error::invalid(format!(
                "a picture of {}x{} for an encoder of {}x{}",
                is.0, is.1, wanted.width, wanted.height
            )));
        }
        let _one_sender = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_room()?;
        let source = Source::Image {
            _image: Box::new(image),
        };
        self.send_source(source, picture, |call| {
            stream.call(call, Some(TURN + MARGIN))
        })
    }

    fn check_room(&self) -> Result<()> {
        let state = self.state();
        if state.inside.pending() >= DEPTH {
            return Err(Error::invalid(format!(
                "the encoder holds {DEPTH} pictures; receive packets first"
            )));
        }
        let doubtful = state.inside.doubtful();
        if doubtful >= DEPTH {
            return Err(Error::invalid(format!(
                "of {doubtful} pictures it is not known whether the encoder has them; make a new encoder"
            )));
        }
        Ok(())
    }

    /// Sends a picture, whose source is kept until nobody uses it any more.
    fn send_source(
        &self,
        source: Source,
        picture: VideoFrame,
        mut send: impl FnMut(crate::call::Call) -> Result<crate::proto::axclrpc::ResponseBody>,
    ) -> Result<()> {
        let stream = &self.channel.stream;
        let number = self.state().inside.book(picture.pts(), source);
        let picture = picture.with_user_data(number);
        let blobs: [&[u8]; 3] = [&self.channel.number, picture.as_bytes(), &millis(TURN)];
        let result = send_patiently(stream.session(), self.config.patience, || {
            let answer = send(stream.native_call(&SEND, &blobs))?;
            native::answer(&SEND, answer)
        });
        match &result {
            Ok(_) => {}
            Err(error) if was_not_taken(error) => {
                let source = self.state().inside.refused(number);
                self.take_back(source);
            }
            Err(_) => self.state().inside.doubt(number),
        }
        result.map(drop)
    }

    /// Sources that are free: memory for the next pictures, images for whoever has made them.
    fn take_back(&self, sources: impl IntoIterator<Item = Source>) {
        for source in sources {
            // Images are dropped without the lock: that may be a call.
            if let Source::Memory(memory) = source {
                self.state().free.push(memory);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a send ended so that the card can not have the picture, and nothing writes to its memory.
fn was_not_taken(error: &Error) -> bool {
    match error {
        Error::Card { .. } | Error::Invalid(_) | Error::BufferBusy | Error::BufferLost => true,
        Error::Driver { request, .. } => matches!(request, Request::Submit | Request::Buffer),
        _ => false,
    }
}

impl Channel {
    /// Ends the encoder on the card and waits for that.
    fn end(&mut self, timeout: Duration) -> Result<()> {
        self.ended = true;
        let calls: [(&Api, &[&[u8]]); 2] = [(&STOP, &[&self.number]), (&DESTROY, &[&self.number])];
        run_in_order(&self.stream, &calls, Some(timeout))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let call = |api| self.stream.native_call(api, &[&self.number]);
        give_back(&self.stream, [call(&STOP), call(&DESTROY)]);
    }
}

impl Encoder {
    /// Ends the encoder, with the pictures that are in it, and waits for the card's word that it has, for `timeout` at
    /// most.  To drop an encoder does the same, tells nothing, and waits only if there are pictures in it, as their
    /// memory is not free before.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it, or did not end in time.
    pub fn close(mut self, timeout: Duration) -> Result<()> {
        self.end(timeout)
    }

    fn end(&mut self, timeout: Duration) -> Result<()> {
        let result = self.channel.end(timeout);
        let health = self.channel.stream.session().health();
        let is_over = match &result {
            Ok(()) | Err(Error::Card { .. }) => true,
            // The session has ended on the card, and all with it.
            Err(_) => health.cleanup_timeout().is_none(),
        };
        let sources = self.state().inside.take_all();
        if !is_over && !sources.is_empty() {
            // The card may go on reading them.
            let count = sources.len();
            log::warn!("an encoder did not end: {count} pictures stay in card memory until this program ends");
            std::mem::forget(sources);
        }
        result
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let is_empty = self.state().inside.is_empty();
        let timeout = self.channel.stream.session().health().cleanup_timeout();
        if let (false, false, Some(timeout)) = (self.channel.ended, is_empty, timeout) {
            if let Err(error) = self.end(timeout) {
                log::debug!("{error}");
            }
        }
    }
}
