// SPDX-License-Identifier: MIT OR Apache-2.0

//! A channel's thread: encodes the pictures, puts the packets into card memory.

use std::sync::Arc;

use ax650_emu_api::Link;
use ffmpeg_next::frame::Video;

use super::channel::{Channel, Input, Packet, Tag};
use super::encode::{Encoded, Encoder};
use super::nal;
use super::pack::Pack;

/// What the thread has in hand.
pub struct Worker {
    channel: Arc<Channel>,
    link: Arc<dyn Link>,
    epoch: u64,
    /// The encoder, and the version of the settings it was made with.
    encoder: Option<(Encoder<Tag>, u64)>,
}

/// A picture and what is to be done with it.
struct Job {
    picture: Box<Video>,
    tag: Tag,
    intra: bool,
}

impl Worker {
    /// A thread's state for `channel`.
    pub fn new(channel: Arc<Channel>, link: Arc<dyn Link>) -> Self {
        Self {
            epoch: channel.epoch(),
            channel,
            link,
            encoder: None,
        }
    }

    /// Works until the channel is destroyed.
    pub fn run(mut self) {
        while let Some(job) = self.next() {
            match job {
                Ok(job) => self.encode(job),
                Err(stream) => {
                    self.drain();
                    let mut state = self.channel.state();
                    // That of an earlier stream says nothing of this one.
                    state.ended |= state.stream == stream;
                }
            }
            self.channel.state().encoding = false;
            self.channel.notify_all();
        }
    }

    /// The next picture, or the number of the stream that ends.
    fn next(&mut self) -> Option<Result<Job, u64>> {
        let forget = || self.encoder = None;
        self.channel.next(&mut self.epoch, forget, |state| {
            Some(match state.input.pop_front()? {
                Input::Picture(picture, mut tag) => {
                    state.encoding = true;
                    tag.messages = state.user_data.drain(..).collect();
                    Ok(Job {
                        picture,
                        tag,
                        intra: std::mem::take(&mut state.want_idr),
                    })
                }
                Input::End(stream) => Err(stream),
            })
        })
    }

    fn encode(&mut self, mut job: Job) {
        let state = self.channel.state();
        let (attr, version, quality) = (state.attr, state.version, state.params.quality());
        drop(state);
        if self
            .encoder
            .as_ref()
            .is_some_and(|(_, made)| *made != version)
        {
            self.drain();
        }
        let encoder = match self.encoder.take() {
            Some((encoder, _)) => Ok(encoder),
            None => Encoder::new(&attr, quality),
        };
        let result = encoder.and_then(|mut encoder| {
            let packets = encoder.encode(&mut job.picture, job.intra, job.tag)?;
            self.encoder = Some((encoder, version));
            Ok(packets)
        });
        match result {
            Ok(packets) => packets.into_iter().for_each(|p| self.put(p)),
            Err(_) => self.error(),
        }
    }

    fn drain(&mut self) {
        let Some((mut encoder, _)) = self.encoder.take() else {
            return;
        };
        match encoder.drain() {
            Ok(packets) => packets.into_iter().for_each(|p| self.put(p)),
            Err(_) => self.error(),
        }
    }

    fn error(&self) {
        self.link.count("venc_errors", 1);
        self.channel.state().errors += 1;
    }

    fn put(&self, packet: Encoded<Tag>) {
        let codec = self.channel.state().attr.codec;
        let tag = packet.tag;
        // Each goes before those put in earlier, so the last is put in first.
        let messages = tag.messages.iter().rev();
        let bytes = messages.fold(packet.bytes, |bytes, data| {
            nal::with_user_data(codec, &bytes, data)
        });
        let Some(phys) = self.channel.wait_for_room(bytes.len(), self.epoch) else {
            return self.error();
        };
        if self.link.dram().write(phys, &bytes).is_err() {
            self.channel.give_back(phys);
            return self.error();
        }
        self.link.count("venc_packets", 1);
        let mut state = self.channel.state();
        if self.channel.epoch() != self.epoch {
            drop(state);
            return self.channel.give_back(phys);
        }
        let pack = Pack {
            phys,
            pts: tag.pts,
            seq: state.next_seq,
            user_data: tag.user_data,
            key: packet.key,
        };
        state.next_seq += 1;
        state.encoded.0 += 1;
        state.encoded.1 += bytes.len() as u64;
        state.ready.push_back(Packet {
            stream: pack.write(codec, &bytes),
            phys,
            len: bytes.len(),
        });
        drop(state);
        self.channel.notify_all();
    }
}
