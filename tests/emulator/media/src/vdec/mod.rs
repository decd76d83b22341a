// SPDX-License-Identifier: MIT OR Apache-2.0

//! The decoder: groups, each with a thread of its own and three output channels [rpc 7.1].

pub mod attr;
mod calls;
mod channel;
pub mod decode;
mod enable;
mod group;
mod jpeg;
mod output;
pub mod split;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ax650_emu_api::Link;
use ffmpeg_next::frame::Video;

pub use self::channel::CHANNELS;
use self::group::Group;
pub use self::worker::MODULE;
use crate::call::blobs::{Record, View};
use crate::call::errors::Fault;
use crate::memory::frame::{Nv12, VideoFrame, INFO_SIZE};
use crate::memory::session::Owner;
use crate::pool::Pools;
use crate::work::wait::{lock, Activity};

/// Numbers of groups are below it: SelectGrp's structure has room for so many.
pub const MAX_GROUPS: u32 = 164;
/// Groups that there can be at a time, of all clients.
const AT_ONCE: usize = 32;

/// All groups of the card.
pub struct Vdec {
    link: Arc<dyn Link>,
    pools: Arc<Pools>,
    groups: Mutex<BTreeMap<u32, Arc<Group>>>,
    activity: Arc<Activity>,
}

impl Vdec {
    /// No groups yet.
    pub fn new(link: &Arc<dyn Link>, pools: &Arc<Pools>) -> Self {
        Self {
            link: link.clone(),
            pools: pools.clone(),
            groups: Mutex::default(),
            activity: Arc::default(),
        }
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

    /// All groups of `owner`.
    fn groups_of(&self, owner: Owner) -> Vec<Arc<Group>> {
        let groups = lock(&self.groups);
        groups
            .values()
            .filter(|g| g.owner == owner)
            .cloned()
            .collect()
    }

    /// Destroys all groups of a session that has ended.
    pub fn end(&self, owner: Owner) {
        let mut gone = Vec::new();
        lock(&self.groups).retain(|_, g| {
            let keep = g.owner != owner;
            if !keep {
                gone.push(g.clone());
            }
            keep
        });
        gone.iter().for_each(|g| g.destroy());
        self.activity.notify();
    }

    /// State for the control socket.
    pub fn report(&self) -> serde_json::Value {
        let groups: Vec<_> = self.rows().into_iter().map(|r| r.json()).collect();
        serde_json::json!({ "groups": groups })
    }

    /// State of all groups.
    pub fn rows(&self) -> Vec<GroupRow> {
        let groups: Vec<_> = lock(&self.groups).values().cloned().collect();
        groups.iter().map(|g| GroupRow::of(g)).collect()
    }
}

/// A line of the card's table of groups.
#[derive(Debug, Clone)]
pub struct GroupRow {
    /// Its number.
    pub id: u32,
    /// Its session.
    pub session: u32,
    /// Number of its codec.
    pub codec: u32,
    /// Largest picture.
    pub max_size: (u32, u32),
    /// Size of the last picture.
    pub size: (u32, u32),
    /// Between Start and StopRecvStream.
    pub receiving: bool,
    /// Bytes that wait for decoding.
    pub input_bytes: usize,
    /// Calls of SendStream so far.
    pub received: u64,
    /// Pictures so far.
    pub decoded: u64,
    /// Errors so far.
    pub errors: u32,
    /// Of each channel: enabled, pictures waiting, pictures that the client has, pictures taken.
    pub channels: Vec<(bool, usize, usize, u64)>,
}

impl GroupRow {
    fn of(group: &Group) -> Self {
        let s = group.state();
        let channels = s.channels.iter();
        Self {
            id: group.id,
            session: group.owner.session,
            codec: group.codec.number(),
            max_size: (s.attr.max_width, s.attr.max_height),
            size: s.picture_size,
            receiving: s.receiving,
            input_bytes: s.input_bytes,
            received: s.received,
            decoded: s.decoded,
            errors: s.errors.total(),
            channels: channels
                .map(|c| (c.enabled, c.ready.len(), c.held.len(), c.delivered))
                .collect(),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "group": self.id,
            "session": self.session,
            "codec": self.codec,
            "receiving": self.receiving,
            "input_bytes": self.input_bytes,
            "streams": self.received,
            "pictures": self.decoded,
            "errors": self.errors,
            "waiting": self.channels.iter().map(|c| c.1).sum::<usize>(),
            "held": self.channels.iter().map(|c| c.2).sum::<usize>(),
            "taken": self.channels.iter().map(|c| c.3).sum::<u64>(),
        })
    }
}

/// `AX_VDEC_VUI_PARAM_T` of a picture.  The notes give only its size (36); here it holds video
/// format, full range, primaries, transfer, matrix, aspect ratio and chroma location as numbers
/// of H.265 annex E.
fn vui(frame: &Video) -> Vec<u8> {
    use ffmpeg_next::ffi::{
        AVChromaLocation, AVColorPrimaries, AVColorRange, AVColorSpace,
        AVColorTransferCharacteristic,
    };
    let aspect = frame.aspect_ratio();
    let full = AVColorRange::from(frame.color_range()) == AVColorRange::AVCOL_RANGE_JPEG;
    let mut r = Record::new(36);
    r.u32(0, 5)
        .u32(4, u32::from(full))
        .u32(8, AVColorPrimaries::from(frame.color_primaries()) as u32)
        .u32(
            12,
            AVColorTransferCharacteristic::from(frame.color_transfer_characteristic()) as u32,
        )
        .u32(16, AVColorSpace::from(frame.color_space()) as u32)
        .bytes(20, &aspect.numerator().to_le_bytes())
        .bytes(24, &aspect.denominator().to_le_bytes())
        .u32(28, AVChromaLocation::from(frame.chroma_location()) as u32);
    r.finish()
}

/// The picture of `AX_VDEC_USRPIC_T` (736 bytes).  The notes give only the size; it fits 16 bytes
/// and a frame structure for each channel, of which the first is used.
fn user_picture(bytes: &[u8]) -> Result<(VideoFrame, Nv12), Fault> {
    const HEAD: usize = 736 - CHANNELS * INFO_SIZE;
    let frame = VideoFrame::parse(View(bytes).at(HEAD));
    let picture = Nv12::of_client(&frame)?;
    Ok((frame, picture))
}
