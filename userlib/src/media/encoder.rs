// SPDX-License-Identifier: MIT OR Apache-2.0

//! Video encoding: pictures in, packets out (spec 7.2).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::decoder::{millis, run_in_order, Frame, Received};
use super::picture::PictureLayout;
use super::structs::{VencChannel, VencModule, VencStream, VideoFrame};
use super::{Codec, FORMAT_NV12};
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::job::Part;
use crate::memory::CardMemory;
use crate::native::{self, Api};
use crate::proto::axclrpc::native::{Module, VencApi};
use crate::service::Service;
use crate::session::{Session, Stream};
use crate::system::MARGIN;

/// How long the card may sit on one call.
const TURN: Duration = Duration::from_millis(1000);
/// Pictures that may be in the encoder at a time.
const DEPTH: usize = 4;
/// No packet is longer: a picture without any compression would be shorter.
const MAX_PACKET: u32 = 64 << 20;

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
const GET: Api = api(
    "get a packet",
    VencApi::AxVencGetStream,
    &[VencStream::SIZE],
);
const RELEASE: Api = api("give a packet back", VencApi::AxVencReleaseStream, &[]);

/// What an encoder is made for.
#[derive(Debug, Clone, Copy)]
pub struct EncoderConfig {
    /// Codec.
    pub codec: Codec,
    /// Columns, even.
    pub width: u32,
    /// Rows, even.
    pub height: u32,
    /// Pictures per second.
    pub frame_rate: f32,
    /// kbit/s; JPEG does not use it.
    pub bit_rate: u32,
    /// Pictures from one intra picture to the next; JPEG does not use it.
    pub gop: u32,
    /// [`Encoder::send`] gives up when the encoder takes nothing for so long.
    pub patience: Duration,
}

impl EncoderConfig {
    /// With defaults for everything else: 30 pictures per second, an intra picture every 2 seconds, and a bit rate by
    /// the size.
    pub fn new(codec: Codec, width: u32, height: u32) -> Self {
        // 0.1 bit per pixel, as a rule of thumb.
        let bit_rate =
            (u64::from(width) * u64::from(height) * 30 / 10_000).clamp(200, 60_000) as u32;
        let patience = Duration::from_secs(20);
        Self {
            codec,
            width,
            height,
            frame_rate: 30.0,
            bit_rate,
            gop: 60,
            patience,
        }
    }

    fn attributes(&self) -> VencChannel {
        let channel = VencChannel::new()
            .with_codec(self.codec.number())
            .with_max_width(self.width)
            .with_max_height(self.height)
            .with_width(self.width)
            .with_height(self.height)
            .with_link_mode(1)
            .with_input_fifo(DEPTH as u8)
            .with_output_fifo(DEPTH as u8)
            .with_first_qp(-1)
            .with_source_rate(self.frame_rate)
            .with_target_rate(self.frame_rate);
        let channel = match self.codec {
            // Profile main, level 5.1, constant bit rate.
            Codec::H264 => channel.with_profile(10).with_level(51).with_rate_control(1),
            Codec::H265 => channel
                .with_profile(0)
                .with_level(153)
                .with_rate_control(11),
            // Fixed quantiser; the card's own choice of it.
            Codec::Jpeg => return channel.with_rate_control(10),
        };
        channel
            .with_gop(self.gop)
            .with_bit_rate(self.bit_rate)
            .with_max_qp(51)
            .with_min_qp(16)
            .with_max_intra_qp(51)
            .with_min_intra_qp(16)
            .with_max_intra_ratio(40)
            .with_min_intra_ratio(10)
            .with_intra_qp_delta(-2)
            .with_idr_qp_range(10)
    }
}

/// An encoder on the card.
///
/// It takes [`Encoder::depth`] pictures; then packets must be received before the next.  There is one packet per
/// picture, in the order they were sent.
#[derive(Debug)]
pub struct Encoder {
    channel: Channel,
    receive: Stream,
    config: EncoderConfig,
    layout: PictureLayout,
    sending: Mutex<()>,
    state: Mutex<State>,
}

/// The encoder as the card knows it.
#[derive(Debug)]
struct Channel {
    stream: Stream,
    number: [u8; 4],
}

#[derive(Debug, Default)]
struct State {
    /// Pictures whose packets have not been received, oldest first.
    inside: VecDeque<Source>,
    /// Card memory for pictures, not in use now.
    free: Vec<CardMemory>,
    /// Where packets are copied to.
    staging: Option<Buffer>,
}

/// What keeps a picture in card memory.
#[derive(Debug)]
enum Source {
    Memory(CardMemory),
    Frame { _frame: Box<Frame> },
}

/// An encoded picture.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The bytes: NAL units with start codes, or a JPEG picture.
    pub data: Vec<u8>,
    /// Presentation time, as it was sent with the picture.
    pub pts: u64,
    /// Decodable without others.
    pub key: bool,
}

impl Encoder {
    /// Makes an encoder.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: impossible sizes or rates; [`Error::Card`]: the card has no encoder left, or no memory.
    pub fn new(session: &Session, config: &EncoderConfig) -> Result<Self> {
        let &EncoderConfig {
            width,
            height,
            frame_rate,
            bit_rate,
            gop,
            ..
        } = config;
        if width % 2 != 0 || height % 2 != 0 {
            return Err(Error::invalid(format!(
                "{width}x{height}: only even sizes can be encoded"
            )));
        }
        if !(frame_rate > 0.0 && frame_rate <= 1000.0) || bit_rate == 0 || gop == 0 {
            return Err(Error::invalid(format!(
                "cannot encode {frame_rate} pictures per second at {bit_rate} kbit/s, one in {gop} intra"
            )));
        }
        let layout = PictureLayout::new(width, height, width.next_multiple_of(16))?;
        let stream = session.new_context()?;
        session.services().start(Service::Encoder, || {
            let module = VencModule::new().with_kind(3).with_threads(1);
            stream.native(&INIT, &[module.as_bytes()], None).map(drop)
        })?;
        let attributes = config.attributes();
        // The second blob is the table of another GOP mode.
        let number = stream.native(&CREATE, &[attributes.as_bytes(), &[]], None)?;
        let number = number[0]
            .as_slice()
            .try_into()
            .expect("4 bytes, as was checked");
        let channel = Channel { stream, number };
        let all = (-1_i32).to_le_bytes();
        run_in_order(&channel.stream, &[(&START, &[&channel.number, &all])], None)?;
        let receive = session.new_context()?;
        Ok(Self {
            channel,
            receive,
            config: *config,
            layout,
            sending: Mutex::default(),
            state: Mutex::default(),
        })
    }

    /// How pictures must lie in a buffer for [`Encoder::send`].
    pub fn layout(&self) -> PictureLayout {
        self.layout
    }

    /// Pictures that it takes before packets must be received.
    pub fn depth(&self) -> usize {
        DEPTH
    }

    /// Pictures whose packets have not been received.
    pub fn pending(&self) -> usize {
        self.state().inside.len()
    }

    /// Sends the picture at the beginning of `buffer`, of [`Encoder::layout`].
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the buffer is too small, or the encoder is full.  [`Error::Card`]: nothing was taken for
    /// [`EncoderConfig::patience`].
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
        let picture = VideoFrame::new()
            .with_width(self.layout.width)
            .with_height(self.layout.height)
            .with_format(FORMAT_NV12)
            .with_luma_stride(self.layout.stride)
            .with_chroma_stride(self.layout.stride)
            .with_luma(memory.address())
            .with_chroma(memory.address() + self.layout.luma_size() as u64)
            .with_frame_size(size as u32)
            .with_pts(pts);
        let copy = Part::to_card(buffer, 0..size, memory.address());
        let job = stream
            .job()
            .then(copy)
            .then(self.send_call(&picture))
            .timeout(TURN + MARGIN);
        self.sending_source(Source::Memory(memory), || {
            let first = job
                .run()?
                .answer(1)
                .and_then(|answer| native::answer(&SEND, answer));
            self.send_again(first, &picture)
        })
    }

    /// Sends a decoded picture, which stays where it is; it is given back to its decoder when its packet was
    /// received.  Its size must be that of the encoder.
    pub fn send_frame(&self, frame: Frame) -> Result<()> {
        let (is, wanted) = (frame.layout(), self.layout);
        if (is.width, is.height) != (wanted.width, wanted.height) {
            return Err(Error::invalid(format!(
                "a picture of {}x{} for an encoder of {}x{}",
                is.width, is.height, wanted.width, wanted.height
            )));
        }
        let _one_sender = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_room()?;
        let picture = *frame.info();
        let call = self.send_call(&picture);
        self.sending_source(
            Source::Frame {
                _frame: Box::new(frame),
            },
            || {
                let answer = self.channel.stream.call(call, Some(TURN + MARGIN));
                let first = answer.and_then(|answer| native::answer(&SEND, answer));
                self.send_again(first, &picture)
            },
        )
    }

    /// Books the picture before it is sent, as its packet may be received at once.
    fn sending_source(&self, source: Source, send: impl FnOnce() -> Result<()>) -> Result<()> {
        self.state().inside.push_back(source);
        let result = send();
        if result.is_err() {
            // Dropped after the lock was given back: that is a call.
            let _unsent = self.state().inside.pop_back();
        }
        result
    }

    fn check_room(&self) -> Result<()> {
        if self.pending() < DEPTH {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the encoder holds {DEPTH} pictures; receive packets first"
        )))
    }

    fn send_call(&self, picture: &VideoFrame) -> crate::call::Call {
        let blobs: [&[u8]; 3] = [&self.channel.number, picture.as_bytes(), &millis(TURN)];
        self.channel.stream.native_call(&SEND, &blobs)
    }

    /// Repeats a send as long as the card has no room.
    fn send_again(&self, first: Result<Vec<Vec<u8>>>, picture: &VideoFrame) -> Result<()> {
        let begin = Instant::now();
        let mut result = first;
        while let Err(Error::Card { code, .. }) = &result {
            if !(code.is_timeout() || code.is_no_memory()) || begin.elapsed() > self.config.patience
            {
                break;
            }
            let answer = self
                .channel
                .stream
                .call(self.send_call(picture), Some(TURN + MARGIN))?;
            result = native::answer(&SEND, answer);
        }
        result.map(drop)
    }

    /// Waits for a packet, for `timeout` at most.  Nothing comes when [`Encoder::pending`] is 0.
    pub fn receive(&self, timeout: Duration) -> Result<Received<Packet>> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let turn = left.min(TURN);
            let blobs: [&[u8]; 2] = [&self.channel.number, &millis(turn)];
            match self.receive.native(&GET, &blobs, Some(turn + MARGIN)) {
                Ok(answer) => {
                    let stream = VencStream::from_bytes(&answer[0]).expect("the size was checked");
                    let packet = self.fetch(&stream)?;
                    let source = self.state().inside.pop_front();
                    if let Some(Source::Memory(memory)) = source {
                        self.state().free.push(memory);
                    }
                    return Ok(Received::Some(packet));
                }
                Err(Error::Card { code, .. }) if code.is_end() => return Ok(Received::End),
                Err(Error::Card { code, .. }) if code.is_timeout() || code.is_empty() => {
                    if left <= turn {
                        return Ok(Received::Nothing);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Copies a packet to the host and gives its place back, in one job.
    fn fetch(&self, stream: &VencStream) -> Result<Packet> {
        let len = stream.size();
        if len == 0 || len > MAX_PACKET || stream.address() == 0 {
            let address = stream.address();
            return Err(Error::answer(
                GET.what,
                format!("{len} bytes at {address:#x}"),
            ));
        }
        let len = len as usize;
        let buffer = self.staging(len)?;
        let release = self
            .receive
            .native_call(&RELEASE, &[&self.channel.number, stream.as_bytes()]);
        let copy = Part::from_card(&buffer, 0..len, stream.address());
        let mut done = self.receive.job().then(copy).then(release).run()?;
        native::answer(&RELEASE, done.answer(1)?)?;
        let data = buffer.read()?[..len].to_vec();
        Ok(Packet {
            data,
            pts: stream.pts(),
            key: stream.picture_type() == 0,
        })
    }

    /// A buffer for a packet of `len` bytes.
    fn staging(&self, len: usize) -> Result<Buffer> {
        let mut state = self.state();
        if let Some(buffer) = state.staging.as_ref().filter(|buffer| buffer.len() >= len) {
            return Ok(buffer.clone());
        }
        let buffer = self
            .receive
            .session()
            .buffer(len.next_power_of_two().max(256 << 10))?;
        state.staging = Some(buffer.clone());
        Ok(buffer)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let Some(timeout) = self.stream.session().health().cleanup_timeout() else {
            return;
        };
        let calls: [(&Api, &[&[u8]]); 2] = [(&STOP, &[&self.number]), (&DESTROY, &[&self.number])];
        if let Err(error) = run_in_order(&self.stream, &calls, Some(timeout)) {
            log::debug!("{error}");
        }
    }
}
