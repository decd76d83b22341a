// SPDX-License-Identifier: MIT OR Apache-2.0

//! An encoder channel: what its client does to it.  Its packets are made by [`super::worker`].

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use ax650_emu_api::{Cmm, Dram};
use ffmpeg_next::frame::Video;

use super::attr::ChannelAttr;
use super::encode::pixel;
use super::params::Params;
use super::rate::Dropper;
use crate::blobs::{clamp32, Record, View};
use crate::errors::Fault;
use crate::frame::{Nv12, VideoFrame};
use crate::memory::CardBlock;
use crate::picture::from_card;
use crate::session::Owner;
use crate::wait::{lock, Activity, Deadline};

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
    /// The channel is gone; its thread ends.
    pub destroyed: bool,
    /// StartRecvFrame was called.
    pub receiving: bool,
    /// Pictures still to be taken, if the client has set a limit.
    pub pictures_left: Option<u64>,
    /// Counts the calls of StartRecvFrame.
    pub stream: u64,
    dropper: Dropper,
    /// What waits for the encoder's thread.
    pub input: VecDeque<Input>,
    /// Pictures that are being copied from card memory into `input`.
    copying: usize,
    /// The thread is encoding a picture.
    pub encoding: bool,
    /// Packets that wait for the client.
    pub ready: VecDeque<Packet>,
    /// Card addresses of the packets that the client has.
    held: HashSet<u64>,
    /// The last packet of the stream has been queued.
    pub ended: bool,
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
    state: Mutex<State>,
    changed: Condvar,
    /// Counts what makes the thread drop what it has: reset and destruction.
    epoch: AtomicU64,
    /// Told of each packet; for SelectGrp.
    activity: Arc<Activity>,
    /// The card's memory for packets, and what of it is in use.
    buffer: CardBlock,
    room: Cmm,
    thread: Mutex<Option<JoinHandle<()>>>,
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
            destroyed: false,
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
            next_seq: 0,
            received: (0, 0),
            encoded: (0, 0),
            errors: 0,
        };
        Self {
            id,
            owner,
            state: Mutex::new(state),
            changed: Condvar::new(),
            epoch: AtomicU64::new(0),
            activity,
            room: Cmm::new(buffer.address(), buffer.size()),
            buffer,
            thread: Mutex::default(),
        }
    }

    /// The channel's state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The state, unless the channel is gone.
    pub fn alive(&self) -> Result<MutexGuard<'_, State>, Fault> {
        let state = self.state();
        if state.destroyed {
            Err(Fault::Unexist)
        } else {
            Ok(state)
        }
    }

    /// Waits for a change of the state.
    pub fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        deadline: Deadline,
        at_once: Fault,
    ) -> Result<MutexGuard<'a, State>, Fault> {
        deadline.wait(&self.changed, state, at_once)
    }

    /// Wakes all who wait for a change, also those in SelectGrp.
    pub fn notify(&self) {
        self.changed.notify_all();
        self.activity.notify();
    }

    /// Changes when what the thread has in hand is to be dropped.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Names the channel's thread.
    pub fn set_thread(&self, thread: JoinHandle<()>) {
        *lock(&self.thread) = Some(thread);
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
            state.ended = false;
        }
        Ok(())
    }

    /// StopRecvFrame: what has been sent is still encoded; it ends the stream.
    pub fn stop(&self) -> Result<(), Fault> {
        Self::end_input(&mut *self.alive()?);
        self.notify();
        Ok(())
    }

    fn end_input(state: &mut State) {
        if state.receiving {
            state.receiving = false;
            let number = state.stream;
            state.input.push_back(Input::End(number));
        }
    }

    /// ResetChn: forgets all pictures and packets; the next picture is an intra picture.
    pub fn reset(&self) -> Result<(), Fault> {
        let mut state = self.alive()?;
        self.clear(&mut state);
        drop(state);
        self.notify();
        Ok(())
    }

    fn clear(&self, state: &mut State) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        state.input.clear();
        state.user_data.clear();
        state.ended = false;
        for packet in std::mem::take(&mut state.ready) {
            let _ = self.room.free(packet.phys);
        }
    }

    /// Ends the channel's thread and wakes all callers.
    pub fn destroy(&self) {
        let mut state = self.state();
        state.destroyed = true;
        self.clear(&mut state);
        drop(state);
        self.notify();
        let thread = lock(&self.thread).take();
        if thread.is_some_and(|t| t.join().is_err()) {
            log::error!("venc: the thread of channel {} panicked", self.id);
        }
    }

    /// SetChnAttr.
    pub fn set_attr(&self, raw: &[u8], svc: &[u8], attr: ChannelAttr) -> Result<(), Fault> {
        let mut state = self.alive()?;
        if !state.attr.allows(&attr) {
            return Err(Fault::NotPermitted);
        }
        state.attr = attr;
        state.raw_attr = (raw.to_vec(), svc.to_vec());
        state.version += 1;
        Ok(())
    }

    /// SendFrame: copies the picture out of the card's memory, waiting for room, so that the
    /// client may use the memory again at once.  A frame without a picture that ends the stream
    /// is fine.
    pub fn send(&self, dram: &Dram, frame: &VideoFrame, deadline: Deadline) -> Result<(), Fault> {
        let picture = match frame.phys[0] {
            0 if frame.end_of_stream => None,
            _ => Some(Nv12::of_client(frame)?),
        };
        let mut state = self.alive()?;
        let attr = state.attr;
        if let Some(picture) = &picture {
            if (picture.width, picture.height) != attr.source {
                return Err(Fault::IllegalParam);
            }
            picture.check_memory(dram)?;
        }
        loop {
            if !state.receiving {
                return Err(Fault::NotPermitted);
            }
            if state.input.len() + state.copying < attr.in_depth {
                break;
            }
            state = self.wait(state, deadline, Fault::NoBuffer)?;
            if state.destroyed {
                return Err(Fault::Unexist);
            }
        }
        if let Some(picture) = picture {
            state.received.0 += 1;
            if state.dropper.keep(&attr.rate) {
                state.copying += 1;
                let epoch = self.epoch();
                drop(state);
                let copy = from_card(dram, &picture, attr.offset, attr.size, pixel(attr.codec));
                state = self.state();
                state.copying -= 1;
                self.changed.notify_all();
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
        self.notify();
        Ok(())
    }

    /// GetStream: the next packet.
    pub fn get(&self, deadline: Deadline) -> Result<Vec<u8>, Fault> {
        let mut state = self.alive()?;
        loop {
            if let Some(packet) = state.ready.pop_front() {
                state.held.insert(packet.phys);
                self.changed.notify_all();
                return Ok(packet.stream);
            }
            if state.ended {
                return Err(Fault::FlowEnd);
            }
            state = self.wait(state, deadline, Fault::Empty)?;
            if state.destroyed {
                return Err(Fault::Unexist);
            }
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
        self.changed.notify_all();
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
