// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pictures of a channel: from the decoder's thread to the client and back.

use super::channel::{Picture, Ready};
use super::group::{Group, State};
use crate::call::blobs::{clamp32, Record};
use crate::call::errors::Fault;
use crate::memory::frame::VideoFrame;
use crate::work::wait::Deadline;

impl Group {
    /// GetChnFrame: the next picture.
    pub fn get_frame(&self, channel: usize, deadline: Deadline) -> Result<VideoFrame, Fault> {
        let mut state = self.alive()?;
        loop {
            let c = &mut state.channels[channel];
            if let Some(picture) = c.ready.pop_front() {
                c.held.insert(picture.block);
                c.delivered += 1;
                self.notify();
                return Ok(picture.frame);
            }
            if !c.enabled {
                return Err(Fault::Unexist);
            }
            if c.ended {
                if !std::mem::replace(&mut c.end_told, true) {
                    // One who waits in SelectGrp may have nothing to wait for any more.
                    self.notify_select();
                }
                return Err(Fault::FlowEnd);
            }
            state = self.wait(state, deadline, Fault::Empty)?;
        }
    }

    /// ReleaseChnFrame: the client names the picture by its pool block.
    pub fn release_frame(&self, channel: usize, frame: &VideoFrame) -> Result<(), Fault> {
        let block = frame.block[0];
        let was_held = self.alive()?.channels[channel].held.remove(&block);
        if !was_held && !self.pools.trusts() {
            return Err(Fault::Unexist);
        }
        self.pools.release(self.owner, block)
    }

    /// GetUserData: the next user data message (UUID and data) of the stream.  The notes give only
    /// the size of the structure (112); here it holds the length at 16.
    pub fn take_user_data(&self) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        let mut state = self.alive()?;
        let data = state.user_data.pop_front().ok_or(Fault::Empty)?;
        state.user_data_held += 1;
        let mut r = Record::new(112);
        r.u32(16, clamp32(data.len()));
        Ok((r.finish(), data))
    }

    /// ReleaseUserData: the data have travelled with the answer, so there is nothing to free.
    pub fn release_user_data(&self) -> Result<(), Fault> {
        let mut state = self.alive()?;
        state.user_data_held = state.user_data_held.checked_sub(1).ok_or(Fault::Unexist)?;
        Ok(())
    }

    /// Channels that have something for the client, with the number of pictures; and whether the
    /// client knows of all that are enabled that nothing more comes.
    pub fn ready(state: &State) -> (Vec<(usize, usize)>, bool) {
        let channels = state.channels.iter().enumerate().filter(|(_, c)| c.enabled);
        let all: Vec<_> = channels.map(|(i, c)| (i, c.ready())).collect();
        let over = !all.is_empty() && all.iter().all(|(_, ready)| *ready == Ready::Over);
        let some = all.into_iter().filter_map(|(i, ready)| match ready {
            Ready::Some(n) => Some((i, n)),
            _ => None,
        });
        (some.collect(), over)
    }

    /// Waits until the channel's queue takes another picture.  `None` if it gets none: it is
    /// disabled, or the group has been reset or destroyed since `epoch`.
    pub fn wait_for_room(&self, channel: usize, epoch: u64) -> Option<Room> {
        let mut state = self.state();
        loop {
            let now = self.epochs(channel);
            let wanted = state.attr.auto_pool;
            let c = &mut state.channels[channel];
            let attr = c.attr.filter(|_| c.enabled && now.0 == epoch)?;
            if c.ready.len() < attr.fifo_depth {
                c.writing = true;
                let own = c.own_pool.map(|p| p.0).filter(|_| wanted);
                return Some(Room {
                    attr,
                    pool: c.attached.or(own).unwrap_or(crate::pool::ANY_POOL),
                    epochs: now,
                });
            }
            state = self.wait(state, Deadline::Never, Fault::Busy).ok()?;
        }
    }

    /// Ends what [`Self::wait_for_room`] began: with a picture, unless the epochs have changed.
    pub fn put(&self, channel: usize, room: &Room, picture: Option<Picture>) {
        let mut state = self.state();
        let current = self.epochs(channel) == room.epochs;
        let c = &mut state.channels[channel];
        c.writing = false;
        let mut unused = None;
        match picture {
            Some(mut picture) if current => {
                picture.frame.seq = c.next_seq;
                c.next_seq += 1;
                c.ready.push_back(picture);
            }
            Some(picture) => unused = Some(picture.block),
            None => (),
        }
        drop(state);
        if let Some(block) = unused {
            let _ = self.pools.release(self.owner, block);
        }
        self.notify_all();
    }

    /// The last picture of stream number `stream` has been put.
    pub fn end(&self, stream: u64) {
        let mut state = self.state();
        if state.stream == stream {
            for channel in &mut state.channels {
                channel.ended = true;
            }
        }
        drop(state);
        self.notify_all();
    }
}

/// Room for one picture in a channel's queue.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The channel's attribute.
    pub attr: super::attr::ChannelAttr,
    /// The pool to take a block from.
    pub pool: u32,
    /// Epochs of group and channel when the room was found.
    pub epochs: (u64, u64),
}
