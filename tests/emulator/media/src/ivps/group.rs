// SPDX-License-Identifier: MIT OR Apache-2.0

//! A group: pictures go in, and leave by its channels.
//!
//! The work is done in the thread of the one who sends, so a picture has been taken when SendFrame
//! returns.

use std::collections::{HashSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;

use ax650_emu_api::Dram;

use super::attr::{Picture, Pipeline, CHANNELS};
use super::image::Image;
use crate::call::errors::Fault;
use crate::memory::frame::VideoFrame;
use crate::memory::session::Owner;
use crate::pool::{Kind, PoolConfig, Pools};
use crate::work::shared::Shared;
use crate::work::wait::Deadline;

/// Number of the module in `enModId` and in links, as in its codes.
pub const MODULE: u32 = 0x0d;
/// Blocks of a channel's own pool beyond what its queue holds: those that the client has.
const SPARE_BLOCKS: u32 = 8;

/// A channel.
#[derive(Debug, Default)]
pub struct Channel {
    /// Pictures leave by it.
    pub enabled: bool,
    /// Pool to take blocks from, if the client has set one.
    pub attached: Option<u32>,
    /// Pool made for it, and the bytes of its blocks.
    own_pool: Option<(u32, u64)>,
    ready: VecDeque<VideoFrame>,
    held: HashSet<u32>,
    credit: f32,
    next_seq: u64,
    /// Pictures that the client has taken.
    pub delivered: u64,
    /// Pictures that got no block.
    pub lost: u64,
}

impl Channel {
    /// Pictures waiting, and pictures that the client has.
    pub fn load(&self) -> (usize, usize) {
        (self.ready.len(), self.held.len())
    }
}

/// What changes under the group's lock.
#[derive(Default)]
pub struct State {
    /// What SetPipelineAttr brought: as it came, and read.
    pub pipeline: Option<(Vec<u8>, Pipeline)>,
    /// SetGrpCrop: as it came, and read.
    pub crop: Option<(Vec<u8>, Option<[i32; 4]>)>,
    /// Between Start and StopGrp.
    pub started: bool,
    /// Somebody is sending a picture: the next one waits.
    sending: bool,
    /// The source to which the group is linked has ended its stream.
    ended: bool,
    /// StopGrp was called: what is there can be taken, nothing follows.
    stopped: bool,
    /// The channels.
    pub channels: [Channel; CHANNELS],
    /// Pictures that have come.
    pub received: u64,
}

/// The turn of one who sends a picture.
struct Turn<'a>(&'a Group);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state().sending = false;
        self.0.notify();
    }
}

/// A group.
pub struct Group {
    /// Its number.
    pub id: u32,
    /// Its session.
    pub owner: Owner,
    pools: Arc<Pools>,
    shared: Shared<State>,
}

impl Deref for Group {
    type Target = Shared<State>;

    fn deref(&self) -> &Self::Target {
        &self.shared
    }
}

impl Group {
    /// A group without attributes.
    pub fn new(id: u32, owner: Owner, pools: &Arc<Pools>) -> Self {
        Self {
            id,
            owner,
            pools: pools.clone(),
            shared: Shared::default(),
        }
    }

    /// Drops the pictures that wait in `channel`.
    pub fn clear(&self, channel: &mut Channel) {
        for frame in channel.ready.drain(..) {
            let _ = self.pools.release(self.owner, frame.block[0]);
        }
    }

    /// StartGrp.
    pub fn start(&self) -> Result<(), Fault> {
        let mut state = self.alive()?;
        if state.pipeline.is_none() {
            return Err(Fault::NotConfig);
        }
        (state.started, state.stopped) = (true, false);
        Ok(())
    }

    /// StopGrp.
    pub fn stop(&self) -> Result<(), Fault> {
        let mut state = self.alive()?;
        // A group that never ran has nothing to end.
        state.stopped |= state.started;
        state.started = false;
        Ok(())
    }

    /// Whether the group's source has ended its stream, as opposed to a client that has stopped the
    /// group.
    pub fn source_ended(&self) -> bool {
        self.state().ended
    }

    /// Ends everything; who waits learns that the group does not exist.
    pub fn destroy(&self) {
        let mut state = self.close();
        state.started = false;
        for channel in &mut state.channels {
            self.clear(channel);
            if let Some((pool, _)) = channel.own_pool.take() {
                let _ = self.pools.destroy(self.owner, Kind::Codec, pool);
            }
        }
        drop(state);
        self.notify();
    }

    /// SendFrame: works on the picture, waiting for room in the queues of the channels.
    pub fn send(&self, dram: &Dram, frame: &VideoFrame, deadline: Deadline) -> Result<(), Fault> {
        let mut state = self.alive()?;
        let pipeline = loop {
            if !state.started {
                return Err(Fault::NotPermitted);
            }
            let (_, pipeline) = state.pipeline.as_ref().ok_or(Fault::NotConfig)?;
            let channels = state.channels.iter().zip(pipeline.depths);
            let mut channels = channels.take(pipeline.outputs);
            let room = channels.all(|(c, depth)| !c.enabled || c.ready.len() < depth);
            if room && !state.sending {
                let pipeline = pipeline.clone();
                state.sending = true;
                break pipeline;
            }
            state = self.wait(state, deadline, Fault::NoBuffer)?;
        };
        let crop = state.crop.as_ref().and_then(|(_, part)| *part);
        drop(state);
        let _turn = Turn(self);

        let image = Image::of_client(frame, dram, &self.pools, self.owner)?;
        let rect = match crop {
            Some(part) => image.part(part)?,
            None => image.crop(frame)?,
        };
        let picture = pipeline.common(Picture {
            video: image.read(dram, rect)?,
            format: image.format,
            stride: 0,
        })?;
        for channel in 0..pipeline.outputs {
            if self.wants(channel, pipeline.share(channel)) {
                let picture = pipeline.channel(channel, picture.clone())?;
                self.deliver(dram, channel, &pipeline, &picture, frame)?;
            }
        }
        let mut state = self.state();
        state.received += 1;
        state.ended = false;
        drop(state);
        self.notify();
        Ok(())
    }

    /// No picture follows until the next one: the channels say so when they are empty.
    pub fn end_stream(&self) -> Result<(), Fault> {
        self.alive()?.ended = true;
        self.notify();
        Ok(())
    }

    /// Whether the next picture is to leave by a channel that gets `share` of them.
    fn wants(&self, channel: usize, share: f32) -> bool {
        let channel = &mut self.state().channels[channel];
        channel.credit += share;
        // The sum of thirds is less than one.
        let due = channel.credit > 0.999;
        if due {
            channel.credit -= 1.0;
        }
        due && channel.enabled
    }

    fn deliver(
        &self,
        dram: &Dram,
        index: usize,
        pipeline: &Pipeline,
        picture: &Picture,
        source: &VideoFrame,
    ) -> Result<(), Fault> {
        let (width, height) = (picture.video.width(), picture.video.height());
        let mut frame = VideoFrame {
            width,
            height,
            format: picture.format.number,
            stride: [picture.stride, 0, 0],
            pts: source.pts,
            user_data: source.user_data,
            private_data: source.private_data,
            module: MODULE,
            ..VideoFrame::default()
        };
        let size = Image::bytes(&frame)?;
        let block = match self.block(index, size, pipeline.depths[index]) {
            Ok(block) => block,
            Err(Fault::NoBuffer) => {
                // As the card does when its client keeps all blocks.
                self.state().channels[index].lost += 1;
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        frame.phys[0] = block.phys;
        let written = Image::of_client(&frame, dram, &self.pools, self.owner).and_then(|image| {
            image
                .write(dram, image.all(), &picture.video)
                .map(|()| image)
        });
        let mut state = self.state();
        let channel = &mut state.channels[index];
        match written {
            Ok(image) if channel.enabled => {
                image.complete(&mut frame, block.handle);
                frame.seq = channel.next_seq;
                channel.next_seq += 1;
                channel.ready.push_back(frame);
                Ok(())
            }
            other => {
                let _ = self.pools.release(self.owner, block.handle);
                other.map(drop)
            }
        }
    }

    /// A block for a picture of a channel: of the pool that the client has set, else of its own.
    fn block(&self, index: usize, size: u64, depth: usize) -> Result<crate::pool::Block, Fault> {
        let (attached, own) = {
            let channel = &self.alive()?.channels[index];
            (channel.attached, channel.own_pool)
        };
        if let Some(pool) = attached {
            return self.pools.get(self.owner, pool, size);
        }
        if let Some((pool, _)) = own.filter(|own| own.1 >= size) {
            return self.pools.get(self.owner, pool, size);
        }
        if let Some((pool, _)) = own {
            let _ = self.pools.destroy(self.owner, Kind::Codec, pool);
        }
        let config = PoolConfig {
            meta_size: 0,
            block_size: size,
            count: depth as u32 + SPARE_BLOCKS,
            cached: false,
            partition: String::new(),
            name: format!("ivps_grp{}_chn{index}", self.id),
        };
        let pool = self.pools.create(self.owner, Kind::Codec, config)?;
        let mut state = self.state();
        if self.is_gone() {
            drop(state);
            let _ = self.pools.destroy(self.owner, Kind::Codec, pool);
            return Err(Fault::Unexist);
        }
        let channel = &mut state.channels[index];
        // The blocks of the old pool are gone, and with them what waited in them.
        channel.ready.clear();
        channel.held.clear();
        channel.own_pool = Some((pool, size));
        self.pools.get(self.owner, pool, size)
    }

    /// GetChnFrame: the next picture.
    pub fn get(&self, index: usize, deadline: Deadline) -> Result<VideoFrame, Fault> {
        let mut state = self.alive()?;
        loop {
            let channel = &mut state.channels[index];
            if let Some(frame) = channel.ready.pop_front() {
                channel.held.insert(frame.block[0]);
                channel.delivered += 1;
                self.notify();
                return Ok(frame);
            }
            if !channel.enabled {
                return Err(Fault::Unexist);
            }
            if state.ended || state.stopped {
                return Err(Fault::FlowEnd);
            }
            state = self.wait(state, deadline, Fault::Empty)?;
        }
    }

    /// ReleaseChnFrame: the client names the picture by its pool block.
    pub fn release(&self, index: usize, frame: &VideoFrame) -> Result<(), Fault> {
        let block = frame.block[0];
        if !self.alive()?.channels[index].held.remove(&block) {
            return Err(Fault::Unexist);
        }
        self.pools.release(self.owner, block)
    }
}
