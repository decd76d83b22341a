// SPDX-License-Identifier: MIT OR Apache-2.0

//! The VDEC calls.

use std::sync::Arc;

use super::attr::{ChannelAttr, Codec, GroupAttr, Stream};
use super::channel::CHANNELS;
use super::group::Group;
use super::jpeg;
use super::split::MAX_UNIT;
use super::worker::Worker;
use super::{user_picture, Vdec, AT_ONCE, MAX_GROUPS};
use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{clamp32, Args, Record};
use crate::call::errors::{Area, Fault};
use crate::memory::block::CardBlock;
use crate::memory::frame::{VideoFrame, INFO_SIZE};
use crate::memory::session::Session;
use crate::work::wait::{lock, Deadline};

impl Vdec {
    /// Serves the VDEC call `api`.
    pub fn call(&self, session: &Session, api: u32, args: Args) -> Outcome {
        match api {
            0 => return init(session, args),
            1 => return self.deinit(session),
            _ if session.state()?.vdec_inits == 0 => return Err(Fault::NotInit),
            4 => return self.header_info(args),
            5 => {
                self.create(session, Some(args.u32(0)), args.bytes(1))?;
                return Answer::ok();
            }
            6 => {
                let id = self.create(session, None, args.bytes(0))?;
                return Answer::with(id.to_le_bytes().to_vec());
            }
            16 => return self.select(session, Deadline::after(args.i32(0))),
            33 => {
                let done = jpeg::decode_one(&self.link, args.view(0));
                return done.map_or_else(
                    |fault| Answer::failed(Area::Vdec, fault, args.bytes(0)),
                    Answer::with,
                );
            }
            _ => (),
        }
        let group = self.group(session.owner, args.u32(0))?;
        match api {
            7 => {
                lock(&self.groups).remove(&group.id);
                group.destroy();
                Answer::ok()
            }
            8 => Answer::with(group.alive()?.raw_attr.clone()),
            9 => set_attr(&group, args),
            10 => group.start(args.i32(1)).and_then(|()| Answer::ok()),
            11 => group.stop().and_then(|()| Answer::ok()),
            12 => Answer::with(group.status()?),
            13 => group.reset().and_then(|()| Answer::ok()),
            14 => set_param(&group, args),
            15 => Answer::with(group.alive()?.param.clone()),
            17 => self.send(&group, args),
            18 => {
                let deadline = Deadline::after(args.i32(2));
                let frame = group.get_frame(channel(args)?, deadline)?;
                Answer::with(frame.write(INFO_SIZE))
            }
            19 => {
                let frame = VideoFrame::parse(args.view(2));
                group.release_frame(channel(args)?, &frame)?;
                Answer::ok()
            }
            20 => {
                let (info, data) = group.take_user_data()?;
                Answer::all(vec![info, data])
            }
            21 => group.release_user_data().and_then(|()| Answer::ok()),
            22 => {
                user_picture(args.bytes(1))?
                    .1
                    .check_memory(self.link.dram())?;
                group.alive()?.user_picture = Some(args.bytes(1).to_vec());
                Answer::ok()
            }
            23 | 24 => {
                group.enable_user_picture(api == 23)?;
                Answer::ok()
            }
            25 => {
                if args.u32(1) > 1 {
                    return Err(Fault::IllegalParam);
                }
                group.alive()?.display_mode = args.u32(1);
                Answer::ok()
            }
            26 => Answer::with(group.alive()?.display_mode.to_le_bytes().to_vec()),
            27 | 28 => self.attach(session, &group, api == 27, args),
            29 => group.enable(channel(args)?).and_then(|()| Answer::ok()),
            30 => group.disable(channel(args)?).and_then(|()| Answer::ok()),
            31 => set_channel(&group, args),
            32 => {
                let state = group.alive()?;
                let raw = state.channels[channel(args)?].raw.clone();
                Answer::with(raw.ok_or(Fault::NotConfig)?)
            }
            34 => Answer::with(group.buffer_info()?),
            35 => Answer::with(group.alive()?.vui.clone().ok_or(Fault::NotConfig)?),
            _ => Err(Fault::NotSupported),
        }
    }

    fn deinit(&self, session: &Session) -> Outcome {
        let mut state = session.state()?;
        // Programs also call this without Init, to be rid of what an earlier one has left.
        let left = state.vdec_inits.saturating_sub(1);
        if left == 0 && !self.groups_of(session.owner).is_empty() {
            return Err(Fault::Busy);
        }
        state.vdec_inits = left;
        Answer::ok()
    }

    /// Creates the group `wanted`, or the first that is free.
    fn create(&self, session: &Session, wanted: Option<u32>, raw: &[u8]) -> Result<u32, Fault> {
        let attr = GroupAttr::parse(crate::call::blobs::View(raw))?;
        if attr.own_buffer && attr.buffer != 0 {
            let memory = self.link.dram();
            memory
                .pointer(attr.buffer, attr.buffer_size.into())
                .map_err(|_| Fault::BadAddress)?;
        }
        let open = session.state()?;
        let mut groups = lock(&self.groups);
        let own = groups.values().filter(|g| g.owner == session.owner).count();
        let free = |id: &u32| !groups.contains_key(id);
        let id = match wanted {
            Some(id) if id >= MAX_GROUPS => return Err(Fault::InvalidGroup),
            Some(id) if !free(&id) => return Err(Fault::Exists),
            Some(id) => id,
            None => (0..MAX_GROUPS).find(free).ok_or(Fault::NoBuffer)?,
        };
        if own >= open.vdec_groups as usize || groups.len() >= AT_ONCE {
            return Err(Fault::NoBuffer);
        }
        let buffer = if attr.own_buffer {
            None
        } else {
            let name = format!("vdec_stream{id}");
            let size = attr.buffer_size.into();
            Some(CardBlock::new(
                &self.link,
                size,
                &name,
                session.owner.session,
            )?)
        };
        let group = Arc::new(Group::new(
            id,
            session.owner,
            raw,
            attr,
            buffer,
            self.pools.clone(),
            self.activity.clone(),
        ));
        let (of_thread, link) = (group.clone(), self.link.clone());
        let work = move || Worker::new(of_thread, link).run();
        let started = group.start_thread(format!("vdec{id}"), work);
        started.map_err(|_| Fault::NoBuffer)?;
        groups.insert(id, group);
        Ok(id)
    }

    fn send(&self, group: &Group, args: Args) -> Outcome {
        let stream = Stream::parse(args.view(1));
        let inline = args.bytes(3);
        let copied;
        let bytes = match (inline.len(), stream.len as usize) {
            (_, 0) => &[],
            (0, _) if stream.phys != 0 => {
                copied = self.stream_bytes(&stream)?;
                copied.as_slice()
            }
            (0, _) => return Err(Fault::NullPointer),
            (have, said) if have != said => return Err(Fault::IllegalParam),
            _ => inline,
        };
        if bytes.is_empty() && !stream.end_of_stream {
            return Err(Fault::IllegalParam);
        }
        group.send(bytes, stream, Deadline::after(args.i32(2)))?;
        Answer::ok()
    }

    /// The bytes of a stream in card memory, no more than one picture may have.
    fn stream_bytes(&self, stream: &Stream) -> Result<Vec<u8>, Fault> {
        if stream.len as usize > MAX_UNIT {
            return Err(Fault::IllegalParam);
        }
        let memory = self.link.dram();
        memory
            .read_vec(stream.phys, stream.len.into())
            .map_err(|_| Fault::BadAddress)
    }

    /// ExtractStreamHeaderInfo: the notes give only the answer's size (20); here it holds width,
    /// height, reference pictures, bits of luma and of chroma.
    fn header_info(&self, args: Args) -> Outcome {
        let stream = Stream::parse(args.view(0));
        let codec = Codec::from_number(args.u32(1))?;
        if stream.phys == 0 || stream.len == 0 {
            return Err(Fault::NullPointer);
        }
        let header = super::decode::header(codec, &self.stream_bytes(&stream)?)?;
        let mut r = Record::new(20);
        for (i, n) in header.into_iter().enumerate() {
            r.u32(4 * i, n);
        }
        Answer::with(r.finish())
    }

    /// SelectGrp: `AX_VDEC_GRP_SET_INFO_T`.
    ///
    /// A client that takes pictures only where this call names some has to learn of the end of a
    /// stream too: a channel is named once more for that, as if it had a picture, and once the client
    /// knows of all of them the call itself says so.
    fn select(&self, session: &Session, deadline: Deadline) -> Outcome {
        loop {
            let seen = self.activity.count();
            let groups = self.groups_of(session.owner);
            if groups.is_empty() {
                return Err(Fault::Unexist);
            }
            let mut r = Record::new(7880);
            let (mut count, mut all_over) = (0, true);
            for group in groups {
                let (ready, over) = Group::ready(&group.state());
                all_over &= over;
                if ready.is_empty() {
                    continue;
                }
                let at = 8 + 48 * count;
                r.u32(at, group.id).u32(at + 4, clamp32(ready.len()));
                for (i, (channel, pictures)) in ready.into_iter().enumerate() {
                    r.u32(at + 8 + 4 * i, clamp32(channel))
                        .u64(at + 24 + 8 * i, pictures as u64);
                }
                count += 1;
            }
            if count > 0 {
                r.u32(0, clamp32(count));
                return Answer::with(r.finish());
            }
            if all_over {
                return Err(Fault::FlowEnd);
            }
            self.activity.wait(seen, deadline, Fault::QueueEmpty)?;
        }
    }

    fn attach(&self, session: &Session, group: &Group, attach: bool, args: Args) -> Outcome {
        let channel = channel(args)?;
        let pool = attach.then(|| args.u32(2));
        if pool.is_some_and(|id| self.pools.info(session.owner, id).is_none()) {
            return Err(Fault::Unexist);
        }
        let mut state = group.alive()?;
        let receiving = state.receiving;
        let channel = &mut state.channels[channel];
        if channel.enabled && receiving {
            return Err(Fault::NotPermitted);
        }
        if !attach && channel.attached.is_none() {
            return Err(Fault::Unexist);
        }
        channel.attached = pool;
        Answer::ok()
    }
}

fn init(session: &Session, args: Args) -> Outcome {
    let wanted = args.u32(0);
    if wanted == 0 {
        return Err(Fault::IllegalParam);
    }
    let mut state = session.state()?;
    if state.vdec_inits == 0 {
        state.vdec_groups = wanted.min(MAX_GROUPS);
    }
    state.vdec_inits = state.vdec_inits.saturating_add(1);
    Answer::ok()
}

fn channel(args: Args) -> Result<usize, Fault> {
    let channel = args.u32(1) as usize;
    if channel < CHANNELS {
        Ok(channel)
    } else {
        Err(Fault::InvalidChannel)
    }
}

fn set_attr(group: &Group, args: Args) -> Outcome {
    let attr = GroupAttr::parse(args.view(1))?;
    let mut state = group.alive()?;
    let old = state.attr;
    let fixed = |a: &GroupAttr| (a.codec, a.buffer_size, a.own_buffer, a.buffer);
    if state.receiving || fixed(&attr) != fixed(&old) {
        return Err(Fault::NotPermitted);
    }
    state.attr = attr;
    state.raw_attr = args.bytes(1).to_vec();
    Answer::ok()
}

/// The last `enVdecMode`: a stream whose pictures are refreshed bit by bit.
const MAX_MODE: u32 = 3;

fn set_param(group: &Group, args: Args) -> Outcome {
    let v = args.view(1);
    if v.u32(0) > 1 || v.u32(4) > MAX_MODE {
        return Err(Fault::IllegalParam);
    }
    group.alive()?.param = args.bytes(1).to_vec();
    Answer::ok()
}

fn set_channel(group: &Group, args: Args) -> Outcome {
    let attr = ChannelAttr::parse(args.view(2))?;
    let index = channel(args)?;
    let mut state = group.alive()?;
    let channel = &mut state.channels[index];
    if channel.enabled {
        return Err(Fault::NotPermitted);
    }
    channel.attr = Some(attr);
    channel.raw = Some(args.bytes(2).to_vec());
    Answer::ok()
}
