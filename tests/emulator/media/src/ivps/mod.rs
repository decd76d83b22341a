// SPDX-License-Identifier: MIT OR Apache-2.0

//! The image processor [rpc 7.4]: single-shot operations on images in card memory, and groups,
//! through which pictures flow.
//!
//! The card has three engines of it (TDP, VPP, VGP), which differ in speed and in what they can do;
//! here all of them do the same.  All operations work through a copy, so source and target may be
//! the same memory.  Drawing, regions, lens correction and the blending calls whose structures the
//! notes do not describe are not here.

mod attr;
pub mod format;
mod group;
mod groups;
pub mod image;
mod many;
mod pixels;
pub mod scale;
mod turn;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ax650_emu_api::Link;

pub use self::attr::CHANNELS;
pub use self::group::{Group, MODULE};
pub use self::groups::MAX_GROUPS;
use self::image::Image;
use self::scale::{fit, Aspect};
use self::turn::{blend, Turn};
use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{Args, View};
use crate::call::errors::{Area, Fault};
use crate::memory::frame::VideoFrame;
use crate::memory::session::{Owner, Session};
use crate::pool::Pools;
use crate::work::wait::lock;

/// What a coefficient level is for: owner, call that sets it (one for each engine), scaling range.
type Level = (u64, u32, Vec<u8>);

/// Coefficient levels that are kept, of all clients.
const MAX_LEVELS: usize = 1024;

/// Module IVPS.
pub struct Ivps {
    link: Arc<dyn Link>,
    pools: Arc<Pools>,
    /// Coefficient levels of scaling, which are kept and given back.
    levels: Mutex<BTreeMap<Level, Vec<u8>>>,
    groups: Mutex<BTreeMap<u32, Arc<Group>>>,
}

/// A line of the card's table of groups.
#[derive(Debug, Clone)]
pub struct GroupRow {
    /// Its number.
    pub id: u32,
    /// Its session.
    pub session: u32,
    /// Between Start and StopGrp.
    pub started: bool,
    /// Pictures that have come.
    pub received: u64,
    /// Of each channel: enabled, pictures waiting, pictures that the client has, pictures taken,
    /// pictures lost.
    pub channels: Vec<(bool, usize, usize, u64, u64)>,
}

impl GroupRow {
    fn of(group: &Group) -> Self {
        let state = group.state();
        let channels = state.channels.iter().map(|c| {
            let (waiting, held) = c.load();
            (c.enabled, waiting, held, c.delivered, c.lost)
        });
        Self {
            id: group.id,
            session: group.owner.session,
            started: state.started,
            received: state.received,
            channels: channels.collect(),
        }
    }

    /// State for the control socket.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "group": self.id,
            "session": self.session,
            "started": self.started,
            "pictures": self.received,
            "waiting": self.channels.iter().map(|c| c.1).sum::<usize>(),
            "held": self.channels.iter().map(|c| c.2).sum::<usize>(),
            "taken": self.channels.iter().map(|c| c.3).sum::<u64>(),
            "lost": self.channels.iter().map(|c| c.4).sum::<u64>(),
        })
    }
}

/// One of the client's frame structures with its image.
struct Picture<'a> {
    raw: View<'a>,
    frame: VideoFrame,
    image: Image,
}

impl Ivps {
    /// The module after boot.
    pub fn new(link: &Arc<dyn Link>, pools: &Arc<Pools>) -> Self {
        Self {
            link: link.clone(),
            pools: pools.clone(),
            levels: Mutex::default(),
            groups: Mutex::default(),
        }
    }

    /// Serves the IVPS call `api`.
    pub fn call(&self, session: &Session, api: u32, args: Args) -> Outcome {
        let owner = session.owner;
        match api {
            0 => {
                let mut state = session.state()?;
                state.ivps_inits = state.ivps_inits.saturating_add(1);
                return Answer::ok();
            }
            1 => {
                let mut state = session.state()?;
                // Programs also call this without Init, to be rid of what an earlier one has left.
                let left = state.ivps_inits.saturating_sub(1);
                let groups = lock(&self.groups);
                if left == 0 && groups.values().any(|g| g.owner == owner) {
                    return Err(Fault::Busy);
                }
                state.ivps_inits = left;
                return Answer::ok();
            }
            51 | 65 | 81 => return self.copy(args),
            71 | 91 => {
                let key = (owner.serial, api, args.bytes(0).to_vec());
                let mut levels = lock(&self.levels);
                if levels.len() >= MAX_LEVELS && !levels.contains_key(&key) {
                    return Err(Fault::NoBuffer);
                }
                levels.insert(key, args.bytes(1).to_vec());
                return Answer::ok();
            }
            72 | 92 => {
                let key = (owner.serial, api - 1, args.bytes(0).to_vec());
                let level = lock(&self.levels).get(&key).cloned();
                return Answer::with(level.ok_or(Fault::NotConfig)?);
            }
            _ => (),
        }
        if let Some(outcome) = self.group_call(session, api, args) {
            return outcome;
        }
        let target = match api {
            55 | 67 | 84 => return self.resize_many(owner, args, true),
            68 => return self.resize_many(owner, args, false),
            52 => 3,
            53 | 54 | 66 | 69 | 82 | 83 | 85 => 1,
            56 | 86 => 4,
            _ => return Err(Fault::NotSupported),
        };
        self.operation(owner, api, args, target).map_or_else(
            |fault| {
                self.link.count("ivps_refused", 1);
                // The structure goes back as it came.
                Answer::failed(Area::Ivps, fault, args.bytes(target))
            },
            |done| {
                self.link.count("ivps_pictures", 1);
                Answer::with(done)
            },
        )
    }

    /// Forgets what a session that has ended had set.
    pub fn end(&self, owner: Owner) {
        lock(&self.levels).retain(|key, _| key.0 != owner.serial);
        self.end_groups(owner);
    }

    /// State of all groups.
    pub fn rows(&self) -> Vec<GroupRow> {
        let groups: Vec<_> = lock(&self.groups).values().cloned().collect();
        groups.iter().map(|g| GroupRow::of(g)).collect()
    }

    /// CmmCopy: source, target and number of bytes.
    fn copy(&self, args: Args) -> Outcome {
        let (from, to, len) = (args.u64(0), args.u64(1), args.u64(2));
        if len == 0 {
            return Err(Fault::IllegalParam);
        }
        let copied = self.link.dram().copy(from, to, len);
        copied.map_err(|_| Fault::BadAddress)?;
        Answer::ok()
    }

    fn picture<'a>(&self, owner: Owner, raw: View<'a>) -> Result<Picture<'a>, Fault> {
        let frame = VideoFrame::parse(raw);
        let image = Image::of_client(&frame, self.link.dram(), &self.pools, owner);
        if image == Err(Fault::NotSupported) {
            let (format, compress) = (frame.format, frame.compress);
            log::warn!("ivps: no image format {format:#x} with compression {compress}");
        }
        Ok(Picture {
            raw,
            frame,
            image: image?,
        })
    }

    /// An operation from argument 0 to argument `target`; returns the structure of the latter.
    fn operation(
        &self,
        owner: Owner,
        api: u32,
        args: Args,
        target: usize,
    ) -> Result<Vec<u8>, Fault> {
        let dram = self.link.dram();
        let source = self.picture(owner, args.view(0))?;
        let target = self.picture(owner, args.view(target))?;
        let (from, to) = (&source.image, &target.image);
        let part = from.crop(&source.frame)?;
        let resize = |aspect: Aspect| {
            let video = from.read(dram, part)?;
            let video = fit(video, to.format, (to.width, to.height), &aspect)?;
            to.write(dram, to.all(), &video)
        };
        match api {
            52 => {
                let turn = Turn::new(args.u32(1), args.u32(2))?;
                let turned = turn.apply(&from.read(dram, part)?, from.format)?;
                if to.format != from.format {
                    return Err(Fault::NotSupported);
                }
                if (turned.width(), turned.height()) != (to.width, to.height) {
                    return Err(Fault::IllegalParam);
                }
                to.write(dram, to.all(), &turned)?;
            }
            // Colours only: the sizes have to be the same.
            53 | 69 | 82 => {
                if (part.width, part.height) != (to.width, to.height) {
                    return Err(Fault::IllegalParam);
                }
                resize(Aspect::STRETCH)?;
            }
            // V4 has 8 bytes more, which tune the filter.
            54 | 66 | 83 | 85 => {
                resize(Aspect::parse(args.view(2))?)?;
            }
            56 | 86 => self.alpha_blending(owner, args, &source, to)?,
            _ => return Err(Fault::NotSupported),
        }
        Ok(to.describe(target.raw, &source.frame))
    }

    /// AlphaBlending: source, overlay, place of the overlay (x and y of 16 bits), alpha, target.
    fn alpha_blending(
        &self,
        owner: Owner,
        args: Args,
        source: &Picture,
        to: &Image,
    ) -> Result<(), Fault> {
        let dram = self.link.dram();
        let from = &source.image;
        let overlay = self.picture(owner, args.view(1))?.image;
        if overlay.format != from.format || to.format != from.format {
            return Err(Fault::NotSupported);
        }
        if (from.width, from.height) != (to.width, to.height) {
            return Err(Fault::IllegalParam);
        }
        let (x, y) = (args.view(2).i16(0), args.view(2).i16(2));
        let size = (overlay.width as i32, overlay.height as i32);
        let place = to.part([x.into(), y.into(), size.0, size.1])?;
        let mut mixed = from.read(dram, place)?;
        let over = overlay.read(dram, overlay.all())?;
        blend(&mut mixed, &over, from.format, args.view(3).u8(0))?;
        let under = from.read(dram, from.all())?;
        to.write(dram, to.all(), &under)?;
        to.write(dram, place, &mixed)
    }
}
