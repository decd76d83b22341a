// SPDX-License-Identifier: MIT OR Apache-2.0

//! Video decoding: packets in, pictures in card memory out [rpc 7.1].

mod frame;

use std::sync::Arc;
use std::time::Duration;

use super::picture::PictureLayout;
use super::structs::{
    VdecChannel, VdecGroup, VdecModule, VdecParam, VdecStatus, VdecStream, VideoFrame,
};
use super::waiting::{give_back, send_patiently, Deadline, TURN};
use super::{Codec, FORMAT_NV12};
use crate::error::{Error, Result};
use crate::native::{self, Api};
use crate::proto::axclrpc::native::{Module, VdecApi};
use crate::service::Service;
use crate::session::Session;
use crate::stream::Stream;
use crate::system::MARGIN;

pub use frame::Frame;

/// Display mode: every picture is shown.
const PLAYBACK: i32 = 1;
/// The only output that is used.
const CHANNEL: [u8; 4] = 0_i32.to_le_bytes();
/// What of a frame is not the packet itself, at most.
const FRAME_OVERHEAD: usize = 512;

const fn api(what: &'static str, api: VdecApi, outputs: &'static [usize]) -> Api {
    Api {
        what,
        module: Module::Vdec,
        number: api as i32,
        outputs,
    }
}
const INIT: Api = api("start the decoder", VdecApi::AxVdecInit, &[]);
const CREATE: Api = api("create a decoder", VdecApi::AxVdecCreateGrpEx, &[4]);
const DESTROY: Api = api("destroy a decoder", VdecApi::AxVdecDestroyGrp, &[]);
const SET_PARAM: Api = api("set up a decoder", VdecApi::AxVdecSetGrpParam, &[]);
const SET_DISPLAY: Api = api(
    "set a decoder's display mode",
    VdecApi::AxVdecSetDisplayMode,
    &[],
);
const SET_CHANNEL: Api = api("set up a decoder's output", VdecApi::AxVdecSetChnAttr, &[]);
const ENABLE: Api = api("enable a decoder's output", VdecApi::AxVdecEnableChn, &[]);
const DISABLE: Api = api("disable a decoder's output", VdecApi::AxVdecDisableChn, &[]);
const START: Api = api("start decoding", VdecApi::AxVdecStartRecvStream, &[]);
const STOP: Api = api("stop decoding", VdecApi::AxVdecStopRecvStream, &[]);
const SEND: Api = api(
    "send a packet to the decoder",
    VdecApi::AxVdecSendStream,
    &[],
);
const GET: Api = api(
    "get a picture",
    VdecApi::AxVdecGetChnFrame,
    &[VideoFrame::SIZE],
);
const STATUS: Api = api(
    "ask a decoder for its state",
    VdecApi::AxVdecQueryStatus,
    &[VdecStatus::SIZE],
);

/// What a decoder is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DecoderConfig {
    /// H.264 or H.265 (or a stream of JPEG pictures).
    pub codec: Codec,
    /// Columns of the largest picture.
    pub width: u32,
    /// Rows of the largest picture.
    pub height: u32,
    /// Pictures per second; only a hint.
    pub frame_rate: f32,
    /// Pictures in card memory, the references included.  More let the caller keep more [`Frame`]s.
    pub pictures: u32,
    /// [`Decoder::send`] gives up when the decoder takes nothing for so long.
    pub patience: Duration,
}

impl DecoderConfig {
    /// Makes a configuration with defaults for everything else.
    pub fn new(codec: Codec, width: u32, height: u32) -> Self {
        let patience = Duration::from_secs(20);
        Self {
            codec,
            width,
            height,
            frame_rate: 25.0,
            pictures: 12,
            patience,
        }
    }

    /// Sets the pictures per second.
    pub fn frame_rate(mut self, frame_rate: f32) -> Self {
        self.frame_rate = frame_rate;
        self
    }

    /// Sets the pictures in card memory.
    pub fn pictures(mut self, pictures: u32) -> Self {
        self.pictures = pictures;
        self
    }

    /// Sets the time after which [`Decoder::send`] gives up.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// A decoder on the card.
///
/// One thread may send while another receives.  A decoder has room for a few pictures only: who sends without
/// receiving waits in vain.
#[derive(Debug)]
pub struct Decoder {
    inner: Arc<Inner>,
    send: Stream,
    receive: Stream,
    patience: Duration,
    max_packet: usize,
}

/// The decoder as its pictures, and with them jobs, keep it: it does not keep the session going.
#[derive(Debug)]
struct Inner {
    stream: Stream,
    group: [u8; 4],
    ended: bool,
}

/// What came of waiting for something.
#[derive(Debug)]
pub enum Received<T> {
    /// This.
    Some(T),
    /// Nothing yet.
    Nothing,
    /// The end: all of the stream was received.
    End,
}

impl Decoder {
    /// Makes a decoder.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: impossible sizes; [`Error::Card`]: the card has no decoder left, or no memory.
    pub fn new(session: &Session, config: &DecoderConfig) -> Result<Self> {
        let &DecoderConfig {
            codec,
            width,
            height,
            ..
        } = config;
        let layout = PictureLayout::new(width, height, width.next_multiple_of(256))?;
        let stream = session.new_context()?;
        session.services().start(Service::Decoder, || {
            let module = VdecModule::new().with_max_groups(32).with_module(1);
            stream.native(&INIT, &[module.as_bytes()], None).map(drop)
        })?;
        let attributes = VdecGroup::new()
            .with_codec(codec.number())
            .with_input_mode(1)
            .with_max_width(width.next_multiple_of(16))
            .with_max_height(height.next_multiple_of(16))
            .with_stream_buffer((width * height * 2).max(1 << 20))
            .with_auto_pool(1);
        let group = session.with_room(|| stream.native(&CREATE, &[attributes.as_bytes()], None))?;
        let group = group[0]
            .as_slice()
            .try_into()
            .expect("4 bytes, as was checked");
        let inner = Arc::new(Inner {
            stream: stream.without_life(),
            group,
            ended: false,
        });
        inner.start(config, layout)?;
        Ok(Self {
            send: session.new_context()?,
            receive: session.new_context()?,
            patience: config.patience,
            max_packet: (session.limits().max_frame_bytes as usize).saturating_sub(FRAME_OVERHEAD),
            inner,
        })
    }

    /// Sends one packet: all NAL units of one picture, with start codes, or one JPEG picture.  `pts` comes back with
    /// the picture.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: empty, or longer than the driver takes.  [`Error::Card`]: nothing was taken for
    /// [`DecoderConfig::patience`].
    pub fn send(&self, packet: &[u8], pts: u64) -> Result<()> {
        if packet.is_empty() || packet.len() > self.max_packet {
            let (len, max) = (packet.len(), self.max_packet);
            return Err(Error::invalid(format!(
                "a packet of {len} bytes; 1 to {max} are possible"
            )));
        }
        let header = VdecStream::new()
            .with_pts(pts)
            .with_end_of_frame(1)
            .with_size(packet.len() as u32);
        self.send_stream(&header, packet)
    }

    /// Tells the decoder that nothing follows: it gives out the pictures it still has, then the end.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it, or took nothing for the decoder's patience.
    pub fn finish(&self) -> Result<()> {
        self.send_stream(&VdecStream::new().with_end_of_stream(1), &[])
    }

    fn send_stream(&self, header: &VdecStream, packet: &[u8]) -> Result<()> {
        let turn = millis(TURN);
        let blobs: [&[u8]; 4] = [&self.inner.group, header.as_bytes(), &turn, packet];
        send_patiently(self.send.session(), self.patience, || {
            self.send.native(&SEND, &blobs, Some(TURN + MARGIN))
        })
        .map(drop)
    }

    /// Ends the decoder and waits for the card's word that it has, for `timeout` at most.  To drop a decoder does the
    /// same, but waits for nothing and tells nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: a [`Frame`] of it is still there; the decoder ends when the last is dropped.
    pub fn close(self, timeout: Duration) -> Result<()> {
        let Self { inner, .. } = self;
        match Arc::into_inner(inner) {
            Some(mut inner) => inner.end(timeout),
            None => Err(Error::invalid(
                "pictures of the decoder are still in use; it ends with the last of them",
            )),
        }
    }

    /// Asks for counts of packets, pictures and errors so far.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it.
    pub fn status(&self) -> Result<VdecStatus> {
        let stream = &self.inner.stream;
        let answer = stream.native(&STATUS, &[&self.inner.group], Some(TURN + MARGIN))?;
        Ok(VdecStatus::from_bytes(&answer[0]).expect("the size was checked"))
    }

    /// Waits for a picture, for `timeout` at most.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it.
    pub fn receive(&self, timeout: Duration) -> Result<Received<Frame>> {
        let received = Deadline::after(timeout).receive(|turn| {
            let blobs: [&[u8]; 3] = [&self.inner.group, &CHANNEL, &millis(turn)];
            self.receive.native(&GET, &blobs, Some(turn + MARGIN))
        })?;
        let answer = match received {
            Received::Some(answer) => answer,
            Received::Nothing => return Ok(Received::Nothing),
            Received::End => return Ok(Received::End),
        };
        let info = VideoFrame::from_bytes(&answer[0]).expect("the size was checked");
        let session = self.receive.session().clone();
        let frame = Frame::new(self.inner.clone(), session, info);
        Ok(match info.luma() {
            // A frame without a picture only carries the news.
            0 if info.end_of_stream() != 0 => {
                frame.forget();
                Received::End
            }
            _ => Received::Some(frame.checked()?),
        })
    }
}

impl Inner {
    fn start(&self, config: &DecoderConfig, layout: PictureLayout) -> Result<()> {
        let rows = layout.height.next_multiple_of(16);
        let param = VdecParam::new().with_frame_rate(config.frame_rate);
        let channel = VdecChannel::new()
            .with_width(layout.width)
            .with_height(layout.height)
            .with_stride(layout.stride)
            .with_fifo_depth(4)
            .with_buffers(config.pictures)
            .with_buffer_size(layout.stride * rows * 3 / 2)
            .with_format(FORMAT_NV12);
        let all = (-1_i32).to_le_bytes();
        let playback = PLAYBACK.to_le_bytes();
        let calls: [(&Api, &[&[u8]]); 5] = [
            (&SET_PARAM, &[&self.group, param.as_bytes()]),
            (&SET_DISPLAY, &[&self.group, &playback]),
            (&SET_CHANNEL, &[&self.group, &CHANNEL, channel.as_bytes()]),
            (&ENABLE, &[&self.group, &CHANNEL]),
            (&START, &[&self.group, &all]),
        ];
        run_in_order(&self.stream, &calls, None)
    }
}

impl Inner {
    /// Ends the decoder on the card and waits for that.
    fn end(&mut self, timeout: Duration) -> Result<()> {
        self.ended = true;
        let calls: [(&Api, &[&[u8]]); 3] = [
            (&STOP, &[&self.group]),
            (&DISABLE, &[&self.group, &CHANNEL]),
            (&DESTROY, &[&self.group]),
        ];
        run_in_order(&self.stream, &calls, Some(timeout))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.ended || self.stream.session().is_over() {
            return;
        }
        let call = |api, blobs: &[&[u8]]| self.stream.native_call(api, blobs);
        give_back(
            &self.stream,
            [
                call(&STOP, &[&self.group]),
                call(&DISABLE, &[&self.group, &CHANNEL]),
                call(&DESTROY, &[&self.group]),
            ],
        );
    }
}

/// Returns a time as the card counts it.
pub(super) fn millis(time: Duration) -> [u8; 4] {
    i32::try_from(time.as_millis())
        .unwrap_or(i32::MAX)
        .to_le_bytes()
}

/// Makes calls one behind the other, as one job; the first error counts.
pub(super) fn run_in_order(
    stream: &Stream,
    calls: &[(&Api, &[&[u8]])],
    timeout: Option<Duration>,
) -> Result<()> {
    let mut job = stream.job();
    if let Some(timeout) = timeout {
        job = job.timeout(timeout);
    }
    for (api, blobs) in calls {
        job = job.along(stream.native_call(api, blobs));
    }
    let mut done = job.run()?;
    for (index, (api, _)) in calls.iter().enumerate() {
        native::answer(api, done.answer(index)?)?;
    }
    Ok(())
}
