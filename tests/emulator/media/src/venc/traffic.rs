// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures into a channel, packets out of it.

use ax650_emu_api::Dram;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;

use super::attr::ChannelAttr;
use super::channel::{Channel, Input, Tag};
use super::encode::pixel;
use crate::call::blobs::View;
use crate::call::errors::Fault;
use crate::ivps::image::Image;
use crate::ivps::scale::convert;
use crate::memory::frame::{Nv12, VideoFrame, NV12};
use crate::memory::picture::from_card;
use crate::work::wait::Deadline;

/// The picture of a frame, in the encoder's own format or in another.
enum Source {
    Own(Nv12),
    Other(Image),
}

impl Source {
    /// The picture that a client's frame describes, which lies in the card's memory.
    fn of_client(dram: &Dram, frame: &VideoFrame) -> Result<Self, Fault> {
        if frame.format == NV12 {
            let picture = Nv12::of_client(frame)?;
            picture.check_memory(dram)?;
            return Ok(Self::Own(picture));
        }
        if frame.phys[0] == 0 {
            return Err(Fault::NullPointer);
        }
        Image::in_memory(frame, dram, frame.phys[0]).map(Self::Other)
    }

    /// The part that a channel encodes, for the encoder.
    fn read(&self, dram: &Dram, attr: &ChannelAttr) -> Result<Video, Fault> {
        let (offset, (width, height)) = (attr.offset, attr.size);
        let format = pixel(attr.codec);
        match self {
            Self::Own(picture) => from_card(dram, picture, offset, attr.size, format),
            Self::Other(image) => {
                let part = [offset.0, offset.1, width, height].map(|n| n as i32);
                let video = image.read(dram, image.part(part)?)?;
                // The range is left as it is, also where the encoder's format has a name of its own.
                let mut video = convert(video, Pixel::YUV420P, width, height)?;
                video.set_format(format);
                Ok(video)
            }
        }
    }
}

impl Channel {
    /// SendFrame: copies the picture out of the card's memory, waiting for room, so that the
    /// client may use the memory again at once.  A frame without a picture that ends the stream
    /// is fine.
    pub fn send(&self, dram: &Dram, frame: &VideoFrame, deadline: Deadline) -> Result<(), Fault> {
        let picture = match frame.phys[0] {
            0 if frame.end_of_stream => None,
            _ => Some(Source::of_client(dram, frame)?),
        };
        let mut state = self.alive()?;
        let attr = state.attr;
        if picture.is_some() && (frame.width, frame.height) != attr.source {
            return Err(Fault::IllegalParam);
        }
        loop {
            if !state.receiving {
                return Err(Fault::NotPermitted);
            }
            if state.input.len() + state.copying < attr.in_depth {
                break;
            }
            state = self.wait(state, deadline, Fault::NoBuffer)?;
        }
        if let Some(picture) = picture {
            state.received.0 += 1;
            if state.dropper.keep(&attr.rate) {
                state.copying += 1;
                let epoch = self.epoch();
                drop(state);
                let copy = picture.read(dram, &attr);
                state = self.state();
                state.copying -= 1;
                self.notify();
                let tag = Tag {
                    pts: frame.pts,
                    user_data: frame.user_data,
                    messages: Vec::new(),
                };
                if epoch == self.epoch() {
                    state.input.push_back(Input::Picture(Box::new(copy?), tag));
                }
            } else {
                state.received.1 += 1;
            }
        }
        let last = state.pictures_left.as_mut().is_some_and(|left| {
            *left = left.saturating_sub(1);
            *left == 0
        });
        if frame.end_of_stream || last {
            Self::end_input(&mut state);
        }
        drop(state);
        self.notify_all();
        Ok(())
    }

    /// GetStream: the next packet.
    pub fn get(&self, deadline: Deadline) -> Result<Vec<u8>, Fault> {
        let mut state = self.alive()?;
        loop {
            if let Some(packet) = state.ready.pop_front() {
                state.held.insert(packet.phys);
                self.notify();
                return Ok(packet.stream);
            }
            if state.ended {
                if !std::mem::replace(&mut state.end_told, true) {
                    // One who waits in SelectGrp may have nothing to wait for any more.
                    self.notify_all();
                }
                return Err(Fault::FlowEnd);
            }
            state = self.wait(state, deadline, Fault::Empty)?;
        }
    }

    /// ReleaseStream: the client names the packet by its card address.
    pub fn release(&self, stream: View) -> Result<(), Fault> {
        let phys = stream.u64(0);
        let mut state = self.alive()?;
        if !state.held.remove(&phys) {
            return Err(Fault::Unexist);
        }
        // With the lock, so that the thread is not between looking for room and waiting for it.
        let _ = self.room.free(phys);
        drop(state);
        self.notify();
        Ok(())
    }

    /// Room for a packet in the channel's buffer, waiting until there is some.  `None` if it can
    /// never fit, or if the channel has been reset or destroyed since `epoch`.
    pub fn wait_for_room(&self, len: usize, epoch: u64) -> Option<u64> {
        if len as u64 > self.room.size() {
            return None;
        }
        let mut state = self.state();
        while self.epoch() == epoch {
            if state.ready.len() < state.attr.out_depth {
                if let Ok(phys) = self.room.alloc(len as u64, "", 0) {
                    return Some(phys);
                }
            }
            state = self.wait(state, Deadline::Never, Fault::Busy).ok()?;
        }
        None
    }

    /// Gives back the room of a packet that nobody will get.
    pub fn give_back(&self, phys: u64) {
        let _ = self.room.free(phys);
    }
}
