// SPDX-License-Identifier: MIT OR Apache-2.0

//! The VENC calls.

use std::sync::Arc;

use super::attr::{ChannelAttr, Codec};
use super::channel::Channel;
use super::encode::Encoder;
use super::jpeg;
use super::params::{Params, JPEG, RATE};
use super::rate::Rate;
use super::worker::Worker;
use super::{Venc, AT_ONCE, MAX_CHANNELS};
use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{Args, View};
use crate::call::errors::{Area, Fault};
use crate::memory::block::CardBlock;
use crate::memory::frame::VideoFrame;
use crate::memory::session::{Session, State};
use crate::work::wait::{lock, Deadline};

/// `enVencType` of Init.
const VIDEO: u32 = 1;
const JPEG_ONLY: u32 = 2;
const BOTH: u32 = 3;
/// Where `AX_VENC_CHN_ATTR_T` has its rate control.
const RATE_CONTROL: usize = 84;
/// Pieces of user data that may wait for the next picture, and the longest.
const MAX_USER_DATA: (usize, usize) = (4, 4096);

impl Venc {
    /// Serves the VENC call `api`.
    pub fn call(&self, session: &Session, api: u32, args: Args) -> Outcome {
        match api {
            0 => return init(session, args),
            1 => return self.deinit(session),
            _ if session.state()?.venc_inits == 0 => return Err(Fault::NotInit),
            2 => {
                self.create(session, Some(args.u32(0)), args.bytes(1), args.bytes(2))?;
                return Answer::ok();
            }
            3 => {
                let id = self.create(session, None, args.bytes(0), args.bytes(1))?;
                return Answer::with(id.to_le_bytes().to_vec());
            }
            7..=11 => return self.select_call(session.owner, api, args),
            23 | 24 => return mod_param(session, api, args),
            43 => {
                let done = jpeg::encode_one(&self.link, args.view(0));
                return done.map_or_else(
                    |fault| Answer::failed(Area::Venc, fault, args.bytes(0)),
                    Answer::with,
                );
            }
            _ => (),
        }
        let channel = self.channel(session.owner, args.u32(0))?;
        match api {
            4 => {
                self.destroy(&channel);
                Answer::ok()
            }
            // The extended form begins with the same frame structure.
            5 | 6 => {
                let frame = VideoFrame::parse(args.view(1));
                let deadline = Deadline::after(args.i32(2));
                let session = session.owner.session;
                let _used = frame.hold(self.link.cmm(), session, "a picture to encode");
                channel.send(self.link.dram(), &frame, deadline)?;
                Answer::ok()
            }
            13 => Answer::with(channel.get(Deadline::after(args.i32(1)))?),
            14 => channel.release(args.view(1)).and_then(|()| Answer::ok()),
            15 => Answer::with(channel.buffer_info()),
            16 => channel.start(args.i32(1)).and_then(|()| Answer::ok()),
            17 => channel.stop().and_then(|()| Answer::ok()),
            18 => channel.reset().and_then(|()| Answer::ok()),
            27 => {
                let attr = ChannelAttr::parse(args.view(1))?;
                try_out(&attr)?;
                channel.set_attr(args.bytes(1), args.bytes(2), attr)?;
                Answer::ok()
            }
            28 => {
                let (attr, svc) = channel.alive()?.raw_attr.clone();
                Answer::all(vec![attr, svc])
            }
            35 => user_data(&channel, args),
            39 => {
                channel.alive()?.want_idr = true;
                Answer::ok()
            }
            40 => Answer::with(channel.status()?),
            _ => parameter(&channel, api, args),
        }
    }

    fn deinit(&self, session: &Session) -> Outcome {
        let mut state = session.state()?;
        // Programs also call this without Init, to be rid of what an earlier one has left.
        let left = state.venc_inits.saturating_sub(1);
        let channels = lock(&self.channels);
        if left == 0 && channels.values().any(|c| c.owner == session.owner) {
            return Err(Fault::Busy);
        }
        state.venc_inits = left;
        Answer::ok()
    }

    /// Creates the channel `wanted`, or the first that is free.
    fn create(
        &self,
        session: &Session,
        wanted: Option<u32>,
        raw: &[u8],
        svc: &[u8],
    ) -> Result<u32, Fault> {
        let attr = ChannelAttr::parse(View(raw))?;
        try_out(&attr)?;
        let open = session.state()?;
        let excluded = if attr.codec.is_jpeg() {
            VIDEO
        } else {
            JPEG_ONLY
        };
        if open.venc_type == excluded {
            return Err(Fault::NotPermitted);
        }
        let mut channels = lock(&self.channels);
        let free = |id: &u32| !channels.contains_key(id);
        let id = match wanted {
            Some(id) if id >= MAX_CHANNELS => return Err(Fault::InvalidChannel),
            Some(id) if !free(&id) => return Err(Fault::Exists),
            Some(id) => id,
            None => (0..MAX_CHANNELS).find(free).ok_or(Fault::NoBuffer)?,
        };
        if channels.len() >= AT_ONCE {
            return Err(Fault::NoBuffer);
        }
        let name = format!("venc_stream{id}");
        let size = attr.buffer_size.into();
        let buffer = CardBlock::new(&self.link, size, &name, session.owner.session)?;
        let raw = (raw.to_vec(), svc.to_vec());
        let activity = self.activity.clone();
        let channel = Arc::new(Channel::new(id, session.owner, raw, attr, buffer, activity));
        let (of_thread, link) = (channel.clone(), self.link.clone());
        let work = move || Worker::new(of_thread, link).run();
        let started = channel.start_thread(format!("venc{id}"), work);
        started.map_err(|_| Fault::NoBuffer)?;
        channels.insert(id, channel);
        Ok(id)
    }
}

/// Fails if there is no encoder for these settings: the client is to learn it now.
fn try_out(attr: &ChannelAttr) -> Result<(), Fault> {
    Encoder::<()>::new(attr, Params::default().quality()).map(drop)
}

fn init(session: &Session, args: Args) -> Outcome {
    let kind = args.u32(0);
    if !matches!(kind, VIDEO | JPEG_ONLY | BOTH) {
        return Err(Fault::IllegalParam);
    }
    let mut state = session.state()?;
    // A second Init may ask for more.
    state.venc_type = match state.venc_inits {
        0 => kind,
        _ => state.venc_type | kind,
    };
    state.venc_inits = state.venc_inits.saturating_add(1);
    Answer::ok()
}

fn mod_param(session: &Session, api: u32, args: Args) -> Outcome {
    let kind = args.u32(0);
    if !matches!(kind, VIDEO | JPEG_ONLY | BOTH) {
        return Err(Fault::IllegalParam);
    }
    let State { venc_params, .. } = &mut *session.state()?;
    if api == 23 {
        venc_params.insert(kind, args.bytes(1).to_vec());
        return Answer::ok();
    }
    Answer::with(venc_params.get(&kind).cloned().unwrap_or_default())
}

/// SetUsrData: the structure tells the length of the data, which come as a blob of their own.
fn user_data(channel: &Channel, args: Args) -> Outcome {
    let data = args.bytes(2);
    let mut state = channel.alive()?;
    if data.is_empty() || data.len() > MAX_USER_DATA.1 {
        return Err(Fault::IllegalParam);
    }
    if state.user_data.len() >= MAX_USER_DATA.0 {
        return Err(Fault::NoBuffer);
    }
    state.user_data.push_back(data.to_vec());
    Answer::ok()
}

/// The calls that set parameters and read them back.
fn parameter(channel: &Channel, api: u32, args: Args) -> Outcome {
    let mut state = channel.alive()?;
    match api {
        19 => {
            state.params.set_roi(args.bytes(1))?;
            Answer::ok()
        }
        20 => Answer::with(state.params.roi(args.u32(1))?),
        _ if Params::is_set(api) => {
            if api == JPEG && !matches!(state.attr.codec, Codec::Jpeg | Codec::Mjpeg) {
                return Err(Fault::NotSupported);
            }
            if api == RATE {
                let rate = Rate::of_param(state.attr.codec, args.view(1))?;
                if let Some(rate) = rate {
                    let attr = ChannelAttr {
                        rate: rate.or_rates_of(&state.attr.rate, args.view(1)),
                        ..state.attr
                    };
                    try_out(&attr)?;
                    state.attr = attr;
                    state.version += 1;
                }
            }
            state.params.set(api, args.bytes(1))?;
            state.version += u64::from(api == JPEG);
            Answer::ok()
        }
        // Until it was set: what the channel was made with.
        _ if api == RATE + 1 && !state.params.has(RATE) => {
            Answer::with(Rate::param_of(View(&state.raw_attr.0).at(RATE_CONTROL)))
        }
        _ if Params::is_get(api) => Answer::with(state.params.get(api)),
        _ => Err(Fault::NotSupported),
    }
}
