// SPDX-License-Identifier: MIT OR Apache-2.0

//! The calls about groups and their channels.

use std::sync::Arc;

use super::attr::{group_crop, Pipeline, CHANNELS};
use super::group::Group;
use super::Ivps;
use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::Args;
use crate::call::errors::Fault;
use crate::memory::frame::{VideoFrame, FRAME_SIZE};
use crate::memory::session::{Owner, Session};
use crate::work::wait::{lock, Deadline};

/// Groups that the card can have; their numbers are below it.
pub const MAX_GROUPS: u32 = 256;

impl Ivps {
    /// Serves a call about groups; `None` if it is none.
    pub(super) fn group_call(&self, session: &Session, api: u32, args: Args) -> Option<Outcome> {
        Some(match api {
            2 => self
                .create(session, Some(args.u32(0)))
                .and_then(|_| Answer::ok()),
            3 => self
                .create(session, None)
                .and_then(|id| Answer::with(id.to_le_bytes().to_vec())),
            4..=13 | 24 | 25 | 28..=31 | 34 => self
                .group(session.owner, args.u32(0))
                .and_then(|group| self.of_group(&group, api, args)),
            _ => return None,
        })
    }

    /// A group of `owner`.
    pub(crate) fn group(&self, owner: Owner, id: u32) -> Result<Arc<Group>, Fault> {
        if id >= MAX_GROUPS {
            return Err(Fault::InvalidGroup);
        }
        let groups = lock(&self.groups);
        let group = groups
            .get(&id)
            .filter(|g| owner.may_use(g.owner, &*self.link));
        group.cloned().ok_or(Fault::Unexist)
    }

    fn create(&self, session: &Session, wanted: Option<u32>) -> Result<u32, Fault> {
        let open = session.state()?;
        if open.ivps_inits == 0 {
            return Err(Fault::NotInit);
        }
        let mut groups = lock(&self.groups);
        let free = |id: &u32| !groups.contains_key(id);
        let id = match wanted {
            Some(id) if id >= MAX_GROUPS => return Err(Fault::InvalidGroup),
            Some(id) if !free(&id) => return Err(Fault::Exists),
            Some(id) => id,
            None => (0..MAX_GROUPS).find(free).ok_or(Fault::NoBuffer)?,
        };
        groups.insert(id, Arc::new(Group::new(id, session.owner, &self.pools)));
        Ok(id)
    }

    fn of_group(&self, group: &Arc<Group>, api: u32, args: Args) -> Outcome {
        match api {
            4 => {
                lock(&self.groups).remove(&group.id);
                group.destroy();
            }
            5 => {
                let pipeline = Pipeline::parse(args.view(1))?;
                let mut state = group.alive()?;
                if state.started {
                    return Err(Fault::NotPermitted);
                }
                state.pipeline = Some((args.bytes(1).to_vec(), pipeline));
            }
            6 => {
                let state = group.alive()?;
                let (raw, _) = state.pipeline.as_ref().ok_or(Fault::NotConfig)?;
                return Answer::with(raw.clone());
            }
            7 => group.start()?,
            8 => group.stop()?,
            11 => {
                let frame = VideoFrame::parse(args.view(1));
                let session = group.owner.session;
                let _used = frame.hold(self.link.cmm(), session, "a picture to process");
                let sent = group.send(self.link.dram(), &frame, Deadline::after(args.i32(2)));
                self.link.count("ivps_frames", sent.is_ok().into());
                sent?;
            }
            28 => {
                let crop = group_crop(args.view(1))?;
                group.alive()?.crop = Some((args.bytes(1).to_vec(), crop));
            }
            29 => {
                let crop = group.alive()?.crop.as_ref().map(|crop| crop.0.clone());
                return Answer::with(crop.unwrap_or_default());
            }
            // The group's filters hand their pictures on at once and need no pool.
            24 => (),
            34 => {
                let mut state = group.alive()?;
                for channel in &mut state.channels {
                    group.clear(channel);
                }
            }
            _ => return self.of_channel(group, api, args),
        }
        group.notify();
        Answer::ok()
    }

    fn of_channel(&self, group: &Arc<Group>, api: u32, args: Args) -> Outcome {
        let index = args.u32(1) as usize;
        if index >= CHANNELS {
            return Err(Fault::InvalidChannel);
        }
        match api {
            9 | 10 => {
                let mut state = group.alive()?;
                let channel = &mut state.channels[index];
                channel.enabled = api == 9;
                if api == 10 {
                    group.clear(channel);
                }
            }
            12 => {
                let frame = group.get(index, Deadline::after(args.i32(2)))?;
                return Answer::with(frame.write(FRAME_SIZE));
            }
            13 => group.release(index, &VideoFrame::parse(args.view(2)))?,
            // Where pictures come from (2: a pool of the client's), number of blocks, pool.
            25 => {
                let attr = args.view(2);
                let pool = (attr.u32(0) == 2).then(|| attr.u32(8));
                group.alive()?.channels[index].attached = pool;
            }
            30 => {
                let mut state = group.alive()?;
                let (raw, pipeline) = state.pipeline.as_mut().ok_or(Fault::NotConfig)?;
                pipeline.set_filter(raw, index, args.u32(2), args.view(3))?;
            }
            31 => {
                let state = group.alive()?;
                let (raw, _) = state.pipeline.as_ref().ok_or(Fault::NotConfig)?;
                return Answer::with(Pipeline::filter_attr(raw, index, args.u32(2))?);
            }
            _ => return Err(Fault::NotSupported),
        }
        group.notify();
        Answer::ok()
    }

    /// Destroys all groups of a session that has ended.
    pub(super) fn end_groups(&self, owner: Owner) {
        let mut gone = Vec::new();
        lock(&self.groups).retain(|_, group| {
            let keep = group.owner != owner;
            if !keep {
                gone.push(group.clone());
            }
            keep
        });
        gone.iter().for_each(|group| group.destroy());
    }
}
