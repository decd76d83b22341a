// SPDX-License-Identifier: MIT OR Apache-2.0

//! A group's thread: takes the stream, decodes it, puts the pictures into card memory.

use std::sync::Arc;

use ax650_emu_api::Link;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::side_data;

use super::attr::{ChannelAttr, InputMode, OutputMode, Stream};
use super::channel::{Picture, CHANNELS};
use super::decode::{DecodeError, Decoded, Decoder, Options};
use super::group::{Group, Input};
use super::output::Room;
use super::split::{Splitter, Unit};
use super::{user_picture, vui};
use crate::call::blobs::View;
use crate::call::errors::Fault;
use crate::memory::frame::Nv12;
use crate::memory::picture::{from_card, to_card, Scaler};

/// Module number of VDEC in a frame's `enModId`.
pub const MODULE: u32 = 8;

/// Switch: pictures that a card's decoder would not take are converted.
const ANY_FORMAT: &str = "vdec.any_format";

/// What the thread has in hand.
pub struct Worker {
    group: Arc<Group>,
    link: Arc<dyn Link>,
    epoch: u64,
    splitter: Splitter,
    decoder: Option<Decoder>,
    scalers: [Scaler; CHANNELS],
}

impl Worker {
    /// A thread's state for `group`.
    pub fn new(group: Arc<Group>, link: Arc<dyn Link>) -> Self {
        Self {
            splitter: Splitter::new(group.codec),
            epoch: group.epoch(),
            decoder: None,
            scalers: Default::default(),
            group,
            link,
        }
    }

    /// Works until the group is destroyed.
    pub fn run(mut self) {
        while let Some(input) = self.next() {
            match input {
                Input::Bytes(bytes, stream) => self.bytes(&bytes, stream),
                Input::End(stream) => {
                    self.finish_unit();
                    self.drain();
                    self.group.end(stream);
                }
                Input::UserPicture => self.user_picture(),
            }
        }
    }

    fn next(&mut self) -> Option<Input> {
        let forget = || {
            self.splitter = Splitter::new(self.group.codec);
            self.decoder = None;
        };
        self.group.next(&mut self.epoch, forget, |state| {
            let input = state.input.pop_front()?;
            if let Input::Bytes(bytes, _) = &input {
                state.input_bytes = state.input_bytes.saturating_sub(bytes.len());
            }
            Some(input)
        })
    }

    fn bytes(&mut self, bytes: &[u8], stream: Stream) {
        let mode = self.group.state().attr.input;
        let whole = match mode {
            InputMode::Frame => true,
            InputMode::Nal => stream.end_of_frame,
            InputMode::Stream => false,
        };
        // Where a JPEG image ends is for the client to say, unless it does not know: there may be
        // padding behind it.
        let look = !self.group.codec.is_jpeg() || mode == InputMode::Stream;
        match self.splitter.push(bytes, stream, look) {
            Ok(units) => units.into_iter().for_each(|unit| self.decode(unit)),
            Err(()) => self.group.state().errors.pack += 1,
        }
        if whole {
            self.finish_unit();
        }
    }

    fn finish_unit(&mut self) {
        if let Some(unit) = self.splitter.finish() {
            self.decode(unit);
        }
    }

    fn decode(&mut self, unit: Unit) {
        let mut decoder = match self.decoder.take().map_or_else(|| self.make_decoder(), Ok) {
            Ok(decoder) => decoder,
            Err(e) => return self.error(e),
        };
        decoder.decode(&unit.bytes, unit.stream, &mut |result| self.show(result));
        self.decoder = Some(decoder);
    }

    fn drain(&mut self) {
        if let Some(mut decoder) = self.decoder.take() {
            decoder.drain(&mut |result| self.show(result));
        }
    }

    /// A decoder with the group's parameters of this moment.
    fn make_decoder(&self) -> Result<Decoder, DecodeError> {
        let state = self.group.state();
        let param = View(&state.param);
        let options = Options {
            decode_order: param.u32(0) == 1,
            mode: param.u32(4),
            max_width: state.attr.max_width,
            max_height: state.attr.max_height,
            any_format: self.link.switch(ANY_FORMAT).is_some_and(|on| on == true),
        };
        drop(state);
        Decoder::new(self.group.codec, options)
    }

    fn error(&self, error: DecodeError) {
        self.link.count("vdec_errors", 1);
        let mut state = self.group.state();
        match error {
            DecodeError::Format => state.errors.format += 1,
            DecodeError::Unsupported => state.errors.unsupported += 1,
            DecodeError::Size => state.errors.pic_size += 1,
        }
    }

    fn show(&mut self, result: Result<Decoded, DecodeError>) {
        let mut decoded = match result {
            Ok(decoded) => decoded,
            Err(e) => return self.error(e),
        };
        self.link.count("vdec_pictures", 1);
        let mut state = self.group.state();
        if self.group.epoch() != self.epoch {
            return;
        }
        state.decoded += 1;
        state.picture_size = (decoded.frame.width(), decoded.frame.height());
        state.vui = Some(vui(&decoded.frame));
        if let Some(data) = decoded.frame.side_data(side_data::Type::SEI_UNREGISTERED) {
            state.add_user_data(data.data());
        }
        // SAFETY: the frame is valid as long as it is borrowed; this is a number in it.
        let damaged = unsafe { (*decoded.frame.as_ptr()).decode_error_flags } != 0;
        if damaged || decoded.frame.is_corrupt() {
            state.errors.reference += 1;
        }
        if state.pictures_left == Some(0) {
            return;
        }
        let mut last = None;
        if let Some(left) = &mut state.pictures_left {
            *left -= 1;
            if *left == 0 {
                state.receiving = false;
                last = Some(state.stream);
            }
        }
        drop(state);
        if !decoded.stream.skip_display {
            self.deliver(&mut decoded);
        }
        if let Some(stream) = last {
            self.group.end(stream);
        }
    }

    fn deliver(&mut self, decoded: &mut Decoded) {
        for channel in 0..CHANNELS {
            let Some(room) = self.group.wait_for_room(channel, self.epoch) else {
                continue;
            };
            let picture = self.write(channel, &room, decoded);
            if let Err(fault) = picture {
                let mut state = self.group.state();
                match fault {
                    Fault::IllegalParam => state.errors.pic_size += 1,
                    Fault::NoBuffer => (),
                    _ => state.errors.buf_size += 1,
                }
            }
            self.group.put(channel, &room, picture.ok());
        }
    }

    /// Writes a picture into a block of the channel's pool.
    fn write(
        &mut self,
        channel: usize,
        room: &Room,
        decoded: &mut Decoded,
    ) -> Result<Picture, Fault> {
        let group = &self.group;
        let source = (decoded.frame.width(), decoded.frame.height());
        let size = Self::layout(&room.attr, source, 0)?.size();
        let cancelled = || group.epochs(channel) != room.epochs;
        let block = group
            .pools
            .wait(group.owner, room.pool, size, cancelled)
            // The pool has gone, or its blocks are too small.
            .map_err(|f| match f {
                Fault::NoBuffer => f,
                _ => Fault::NotConfig,
            })?;
        let attr = room.attr;
        let result = Self::layout(&attr, source, block.phys).and_then(|target| {
            let offset = match attr.mode {
                OutputMode::Crop => (attr.crop_x, attr.crop_y),
                _ => (0, 0),
            };
            to_card(
                self.link.dram(),
                &mut decoded.frame,
                attr.mode == OutputMode::Scale,
                offset,
                &target,
                &mut self.scalers[channel],
            )?;
            let mut frame = target.frame();
            frame.block = [block.handle, block.handle, 0];
            frame.pts = decoded.stream.pts;
            frame.user_data = decoded.stream.user_data;
            frame.private_data = decoded.stream.private_data;
            frame.module = MODULE;
            Ok(frame)
        });
        match result {
            Ok(frame) => Ok(Picture {
                frame,
                block: block.handle,
            }),
            Err(fault) => {
                let _ = group.pools.release(group.owner, block.handle);
                Err(fault)
            }
        }
    }

    /// Where a picture goes in a block at `base`.
    fn layout(attr: &ChannelAttr, source: (u32, u32), base: u64) -> Result<Nv12, Fault> {
        let (width, height) = match attr.mode {
            OutputMode::Original => source,
            OutputMode::Crop | OutputMode::Scale => (attr.width, attr.height),
        };
        Nv12::packed(width, height, attr.stride, base)
    }

    fn user_picture(&mut self) {
        let Some(bytes) = self.group.state().user_picture.clone() else {
            return;
        };
        let picture = user_picture(&bytes).and_then(|(frame, source)| {
            let size = (source.width, source.height);
            let picture = from_card(self.link.dram(), &source, (0, 0), size, Pixel::NV12)?;
            Ok((frame, picture))
        });
        match picture {
            Ok((frame, picture)) => self.deliver(&mut Decoded {
                frame: picture,
                stream: Stream {
                    pts: frame.pts,
                    user_data: frame.user_data,
                    private_data: frame.private_data,
                    ..Stream::default()
                },
            }),
            Err(_) => self.group.state().errors.format += 1,
        }
    }
}
