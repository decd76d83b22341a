// SPDX-License-Identifier: MIT OR Apache-2.0

//! A decoder group: what its client does to it.  Its pictures are made by [`super::worker`].

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::attr::{Codec, Errors, GroupAttr, Stream};
use super::channel::{Channel, CHANNELS};
use crate::call::blobs::{clamp32, Record};
use crate::call::errors::Fault;
use crate::memory::block::CardBlock;
use crate::memory::session::Owner;
use crate::pool::{Kind, Pools};
use crate::work::shared::Shared;
use crate::work::wait::{Activity, Deadline};

/// Calls of SendStream whose bytes may wait for decoding.
const INPUT_DEPTH: usize = 32;
/// User data messages that may wait for the client; then the oldest is dropped.
const MAX_USER_DATA: usize = 16;

/// What waits for the decoder's thread.
#[derive(Debug)]
pub enum Input {
    /// Bytes of the stream.
    Bytes(Vec<u8>, Stream),
    /// The end of the stream; the number of the stream.
    End(u64),
    /// Show the user picture.
    UserPicture,
}

/// What changes under the group's lock.
#[derive(Debug)]
pub struct State {
    /// What CreateGrp or SetGrpAttr brought, for GetGrpAttr.
    pub raw_attr: Vec<u8>,
    /// The same, read.
    pub attr: GroupAttr,
    /// `AX_VDEC_GRP_PARAM_T`.
    pub param: Vec<u8>,
    /// 0 preview, 1 playback.  Pictures are never dropped in either.
    pub display_mode: u32,
    /// `AX_VDEC_USRPIC_T`.
    pub user_picture: Option<Vec<u8>>,
    /// EnableUserPic was called.
    pub user_picture_on: bool,
    /// StartRecvStream was called.
    pub receiving: bool,
    /// Pictures still to be made, if the client has set a limit.
    pub pictures_left: Option<u64>,
    /// Counts the calls of StartRecvStream.
    pub stream: u64,
    /// The client has sent the end of the stream.
    pub end_sent: bool,
    /// What waits for the decoder's thread.
    pub input: VecDeque<Input>,
    /// Bytes in `input`.
    pub input_bytes: usize,
    /// The channels.
    pub channels: [Channel; CHANNELS],
    /// Calls of SendStream that brought bytes.
    pub received: u64,
    /// Pictures decoded.
    pub decoded: u64,
    /// Size of the last picture.
    pub picture_size: (u32, u32),
    /// Errors so far.
    pub errors: Errors,
    /// User data messages of the stream that the client has not taken.
    pub user_data: VecDeque<Vec<u8>>,
    /// Messages that it has taken and not released.
    pub user_data_held: u32,
    /// `AX_VDEC_VUI_PARAM_T`, once there was a picture.
    pub vui: Option<Vec<u8>>,
}

impl State {
    /// Keeps a user data message for the client.
    pub fn add_user_data(&mut self, data: &[u8]) {
        if self.user_data.len() >= MAX_USER_DATA {
            self.user_data.pop_front();
        }
        self.user_data.push_back(data.to_vec());
    }
}

/// A decoder group.
pub struct Group {
    /// Its number.
    pub id: u32,
    /// Its session.
    pub owner: Owner,
    /// What it decodes.
    pub codec: Codec,
    /// The card's pools.
    pub pools: Arc<Pools>,
    shared: Arc<Shared<State>>,
    /// Counts what makes the decoder's thread drop what it has of one channel: its being disabled.
    pub(super) channel_epochs: [AtomicU64; CHANNELS],
    /// The card's memory for the waiting stream.
    stream_buffer: Option<CardBlock>,
}

impl Deref for Group {
    type Target = Arc<Shared<State>>;

    fn deref(&self) -> &Self::Target {
        &self.shared
    }
}

impl Group {
    /// A group without a thread.
    pub fn new(
        id: u32,
        owner: Owner,
        raw_attr: &[u8],
        attr: GroupAttr,
        stream_buffer: Option<CardBlock>,
        pools: Arc<Pools>,
        activity: Arc<Activity>,
    ) -> Self {
        let state = State {
            raw_attr: raw_attr.to_vec(),
            attr,
            param: vec![0; 12],
            display_mode: 1,
            user_picture: None,
            user_picture_on: false,
            receiving: false,
            pictures_left: None,
            stream: 0,
            end_sent: false,
            input: VecDeque::new(),
            input_bytes: 0,
            channels: Default::default(),
            received: 0,
            decoded: 0,
            picture_size: (0, 0),
            errors: Errors::default(),
            user_data: VecDeque::new(),
            user_data_held: 0,
            vui: None,
        };
        Self {
            id,
            owner,
            codec: attr.codec,
            pools,
            shared: Arc::new(Shared::new(state, activity)),
            channel_epochs: Default::default(),
            stream_buffer,
        }
    }

    /// Epochs of the group and of a channel.
    pub fn epochs(&self, channel: usize) -> (u64, u64) {
        (
            self.epoch(),
            self.channel_epochs[channel].load(Ordering::SeqCst),
        )
    }

    /// StartRecvStream: `pictures` -1 for no limit, as are 0 and what else is no number of pictures.
    pub fn start(&self, pictures: i32) -> Result<(), Fault> {
        let limit = u64::try_from(pictures).ok().filter(|n| *n > 0);
        let mut state = self.alive()?;
        if state.receiving {
            return Ok(());
        }
        state.receiving = true;
        state.pictures_left = limit;
        state.stream += 1;
        state.end_sent = false;
        state.channels.iter_mut().for_each(Channel::begin);
        Ok(())
    }

    /// StopRecvStream: what has been sent is still decoded; it ends the stream.
    pub fn stop(&self) -> Result<(), Fault> {
        let mut state = self.alive()?;
        if state.receiving && !state.end_sent {
            state.end_sent = true;
            let number = state.stream;
            state.input.push_back(Input::End(number));
        }
        state.receiving = false;
        drop(state);
        self.notify();
        Ok(())
    }

    /// ResetGrp: forgets all that was sent and all pictures the client has not taken.  The end of a
    /// stream that was stopped stays: a client may wait for it after this.
    pub fn reset(&self) -> Result<(), Fault> {
        let mut state = self.alive()?;
        let blocks = self.clear(&mut state);
        let stopped = state.stream > 0 && !state.receiving;
        state.end_sent = stopped;
        for channel in &mut state.channels {
            channel.ended = stopped;
        }
        state.errors = Errors::default();
        drop(state);
        self.give_back(&blocks);
        Ok(())
    }

    /// Empties all queues; returns the pool blocks to give back without the lock.
    fn clear(&self, state: &mut State) -> Vec<u32> {
        self.next_epoch();
        state.input.clear();
        state.input_bytes = 0;
        state.user_data.clear();
        let mut blocks = Vec::new();
        for channel in &mut state.channels {
            channel.begin();
            blocks.extend(channel.ready.drain(..).map(|p| p.block));
        }
        blocks
    }

    /// Gives blocks back to their pools and wakes all who may wait for that.
    pub(super) fn give_back(&self, blocks: &[u32]) {
        for &block in blocks {
            // The client may have given it back itself, with POOL ReleaseBlock.
            let _ = self.pools.release(self.owner, block);
        }
        self.pools.wake();
        self.notify_all();
    }

    /// Ends the group's thread, wakes all callers and frees the card's memory.
    pub fn destroy(&self) {
        let mut state = self.close();
        let blocks = self.clear(&mut state);
        drop(state);
        self.give_back(&blocks);
        self.join();
        let mut pools = Vec::new();
        for channel in &mut self.state().channels {
            pools.extend(channel.own_pool.take());
        }
        for (pool, _) in pools {
            // Gone already if the session has ended.
            let _ = self.pools.destroy(self.owner, Kind::Codec, pool);
        }
    }

    /// SendStream: queues the bytes, waiting for room, and the end of the stream.
    pub fn send(&self, bytes: &[u8], stream: Stream, deadline: Deadline) -> Result<(), Fault> {
        let mut state = self.alive()?;
        let room = state.attr.buffer_size as usize;
        if bytes.len() > room {
            state.errors.stream_size += 1;
            return Err(Fault::IllegalParam);
        }
        loop {
            if state.end_sent && bytes.is_empty() && stream.end_of_stream {
                return Ok(());
            }
            if !state.receiving || state.end_sent {
                return Err(Fault::NotPermitted);
            }
            if state.input.len() < INPUT_DEPTH && state.input_bytes + bytes.len() <= room {
                break;
            }
            state = self.wait(state, deadline, Fault::NoBuffer)?;
        }
        if !bytes.is_empty() {
            state.received += 1;
            state.input_bytes += bytes.len();
            state.input.push_back(Input::Bytes(bytes.to_vec(), stream));
        }
        if stream.end_of_stream {
            state.end_sent = true;
            let number = state.stream;
            state.input.push_back(Input::End(number));
        }
        self.notify();
        Ok(())
    }

    /// EnableUserPic, DisableUserPic.  The picture is shown once, after all that was sent.
    pub fn enable_user_picture(&self, on: bool) -> Result<(), Fault> {
        let mut state = self.alive()?;
        if state.user_picture.is_none() {
            return Err(Fault::NotConfig);
        }
        if on && state.receiving {
            return Err(Fault::NotPermitted);
        }
        if on && !state.user_picture_on {
            state.input.push_back(Input::UserPicture);
        }
        state.user_picture_on = on;
        self.notify();
        Ok(())
    }

    /// QueryStatus: `AX_VDEC_GRP_STATUS_T`.
    pub fn status(&self) -> Result<Vec<u8>, Fault> {
        let state = self.alive()?;
        let mut r = Record::new(80);
        let full = state.input.len() >= INPUT_DEPTH
            || state.input_bytes >= state.attr.buffer_size as usize;
        r.u32(0, self.codec.number())
            .u32(4, clamp32(state.input_bytes))
            .u32(8, clamp32(state.input.len()));
        for (i, channel) in state.channels.iter().enumerate() {
            r.u32(12 + 4 * i, clamp32(channel.ready.len()));
        }
        r.u32(24, u32::from(state.receiving))
            .u32(28, state.received as u32)
            .u32(32, state.decoded as u32)
            .u32(36, state.picture_size.0)
            .u32(40, state.picture_size.1)
            .u32(44, u32::from(full));
        state.errors.write(&mut r, 48);
        let held: usize = state.channels.iter().map(|c| c.held.len()).sum();
        r.u32(48 + 28, clamp32(held));
        Ok(r.finish())
    }

    /// GetStreamBufInfo: card address, virtual address, size, bytes waiting, bytes free.  The
    /// notes give only the size of this structure (40).
    pub fn buffer_info(&self) -> Result<Vec<u8>, Fault> {
        let state = self.alive()?;
        let own = self.stream_buffer.as_ref().map(CardBlock::address);
        let address = own.unwrap_or(state.attr.buffer);
        let used = clamp32(state.input_bytes);
        let mut r = Record::new(40);
        r.u64(0, address)
            .u64(8, address)
            .u32(16, state.attr.buffer_size)
            .u32(20, used)
            .u32(24, state.attr.buffer_size.saturating_sub(used));
        Ok(r.finish())
    }
}
