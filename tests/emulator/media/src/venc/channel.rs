// SPDX-License-Identifier: MIT OR Apache-2.0

//! An encoder channel: what its client does to it.  Its packets are made by [`super::worker`].

use std::collections::{HashSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;

use ax650_emu_api::Cmm;
use ffmpeg_next::frame::Video;

use super::attr::ChannelAttr;
use super::params::Params;
use super::rate::Dropper;
use crate::call::blobs::{clamp32, Record};
use crate::call::errors::Fault;
use crate::memory::block::CardBlock;
use crate::memory::session::Owner;
use crate::work::shared::Shared;
use crate::work::wait::Activity;

/// What goes with a picture through the encoder.
#[derive(Debug, Clone, Default)]
pub struct Tag {
    /// Time stamp.
    pub pts: u64,
    /// The frame's user data.
    pub user_data: u64,
    /// Messages of SetUsrData that are to be put into the packet.
    pub messages: Vec<Vec<u8>>,
}

/// What waits for the encoder's thread.
pub enum Input {
    /// A picture.
    Picture(Box<Video>, Tag),
    /// The end of the stream; the number of the stream.
    End(u64),
}

/// A packet that waits for the client.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The structure that GetStream returns.
    pub stream: Vec<u8>,
    /// Card address of the bytes.
    pub phys: u64,
    /// Number of bytes.
    pub len: usize,
}

/// What changes under the channel's lock.
pub struct State {
    /// What CreateChn or SetChnAttr brought, for GetChnAttr: structure and SVC-T table.
    pub raw_attr: (Vec<u8>, Vec<u8>),
    /// The same, read.
    pub attr: ChannelAttr,
    /// Counts the calls that change how is encoded: the thread makes a new encoder.
    pub version: u64,
    /// What the Set calls brought.
    pub params: Params,
    /// User data for the next picture.
    pub user_data: VecDeque<Vec<u8>>,
    /// The next picture is to be an intra picture.
    pub want_idr: bool,
    /// StartRecvFrame was called.
    pub receiving: bool,
    /// Pictures still to be taken, if the client has set a limit.
    pub pictures_left: Option<u64>,
    /// Counts the calls of StartRecvFrame.
    pub stream: u64,
    /// Drops pictures for the frame rate.
    pub(super) dropper: Dropper,
    /// What waits for the encoder's thread.
    pub input: VecDeque<Input>,
    /// Pictures that are being copied from card memory into `input`.
    pub(super) copying: usize,
    /// The thread is encoding a picture.
    pub encoding: bool,
    /// Packets that wait for the client.
    pub ready: VecDeque<Packet>,
    /// Card addresses of the packets that the client has.
    pub(super) held: HashSet<u64>,
    /// The last packet of the stream has been queued.
    pub ended: bool,
    /// The client has been told so.
    pub end_told: bool,
    /// Number of the next packet.
    pub next_seq: u64,
    /// Pictures sent, and of these dropped for the frame rate.
    pub received: (u64, u64),
    /// Packets and their bytes so far.
    pub encoded: (u64, u64),
    /// Pictures that gave no packet.
    pub errors: u64,
}

/// An encoder channel.
pub struct Channel {
    /// Its number.
    pub id: u32,
    /// Its session.
    pub owner: Owner,
    shared: Arc<Shared<State>>,
    /// The card's memory for packets, and what of it is in use.
    buffer: CardBlock,
    pub(super) room: Cmm,
}

impl Deref for Channel {
    type Target = Arc<Shared<State>>;

    fn deref(&self) -> &Self::Target {
        &self.shared
    }
}

impl Channel {
    /// A channel without a thread.
    pub fn new(
        id: u32,
        owner: Owner,
        raw_attr: (Vec<u8>, Vec<u8>),
        attr: ChannelAttr,
        buffer: CardBlock,
        activity: Arc<Activity>,
    ) -> Self {
        let state = State {
            raw_attr,
            attr,
            version: 0,
            params: Params::default(),
            user_data: VecDeque::new(),
            want_idr: false,
            receiving: false,
            pictures_left: None,
            stream: 0,
            dropper: Dropper::default(),
            input: VecDeque::new(),
            copying: 0,
            encoding: false,
            ready: VecDeque::new(),
            held: HashSet::new(),
            ended: false,
            end_told: false,
            next_seq: 0,
            received: (0, 0),
            encoded: (0, 0),
            errors: 0,
        };
        Self {
            id,
            owner,
            shared: Arc::new(Shared::new(state, activity)),
            room: Cmm::new(buffer.address(), buffer.size()),
            buffer,
        }
    }

    /// StartRecvFrame: `pictures` -1 for no limit.
    pub fn start(&self, pictures: i32) -> Result<(), Fault> {
        let limit = match pictures {
            -1 => None,
            1.. => Some(u64::from(pictures.unsigned_abs())),
            _ => return Err(Fault::IllegalParam),
        };
        let mut state = self.alive()?;
        if !state.receiving {
            state.receiving = true;
            state.pictures_left = limit;
            state.stream += 1;
            (state.ended, state.end_told) = (false, false);
        }
        Ok(())
    }

    /// StopRecvFrame: what has been sent is still encoded; it ends the stream.
    pub fn stop(&self) -> Result<(), Fault> {
        Self::end_input(&mut *self.alive()?);
        self.notify_all();
        Ok(())
    }

    pub(super) fn end_input(state: &mut State) {
        if state.receiving {
            state.receiving = false;
            let number = state.stream;
            state.input.push_back(Input::End(number));
        }
    }

    /// ResetChn: forgets all pictures and packets; the next picture is an intra picture.  The end of a
    /// stream that was stopped stays: a client may wait for it after this.
    pub fn reset(&self) -> Result<(), Fault> {
        let mut state = self.alive()?;
        self.clear(&mut state);
        state.ended = state.stream > 0 && !state.receiving;
        drop(state);
        self.notify_all();
        Ok(())
    }

    fn clear(&self, state: &mut State) {
        self.next_epoch();
        state.input.clear();
        state.user_data.clear();
        (state.ended, state.end_told) = (false, false);
        for packet in std::mem::take(&mut state.ready) {
            let _ = self.room.free(packet.phys);
        }
    }

    /// Ends the channel's thread and wakes all callers.
    pub fn destroy(&self) {
        let mut state = self.close();
        self.clear(&mut state);
        drop(state);
        self.notify_all();
        self.join();
    }

    /// SetChnAttr.
    pub fn set_attr(&self, raw: &[u8], svc: &[u8], attr: ChannelAttr) -> Result<(), Fault> {
        let mut state = self.alive()?;
        if !state.attr.allows(&attr) {
            return Err(Fault::NotPermitted);
        }
        state.attr = attr;
        state.raw_attr = (raw.to_vec(), svc.to_vec());
        state.params.forget_rate();
        state.version += 1;
        Ok(())
    }

    /// QueryStatus: `AX_VENC_CHN_STATUS_T`.
    pub fn status(&self) -> Result<Vec<u8>, Fault> {
        let state = self.alive()?;
        let pictures = state.input.iter();
        let pictures = pictures.filter(|i| matches!(i, Input::Picture(..))).count();
        let bytes = state.ready.iter().map(|p| p.len).sum();
        let left = state.pictures_left.unwrap_or(0);
        let mut r = Record::new(28);
        r.u32(0, clamp32(pictures))
            .u32(4, clamp32(bytes))
            .u32(8, clamp32(state.ready.len()))
            .u32(12, u32::from(!state.ready.is_empty()))
            .u32(16, u32::try_from(left).unwrap_or(u32::MAX))
            .u32(20, clamp32(pictures + usize::from(state.encoding)));
        Ok(r.finish())
    }

    /// GetStreamBufInfo: card address, virtual address, size.  The notes give only the size of
    /// this structure (24).
    pub fn buffer_info(&self) -> Vec<u8> {
        let mut r = Record::new(24);
        r.u64(0, self.buffer.address())
            .u64(8, self.buffer.address())
            .u32(16, u32::try_from(self.buffer.size()).unwrap_or(u32::MAX));
        r.finish()
    }

    /// Packets that the client has.
    pub fn held(state: &State) -> usize {
        state.held.len()
    }
}
