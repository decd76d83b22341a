// SPDX-License-Identifier: MIT OR Apache-2.0

//! The encoder: channels, each with a thread of its own [rpc 7.2].

pub mod attr;
mod calls;
mod channel;
pub mod encode;
mod jpeg;
mod layout;
mod nal;
mod pack;
mod params;
pub mod rate;
mod select;
mod traffic;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use ax650_emu_api::Link;

use self::channel::Channel;
use crate::call::errors::Fault;
use crate::memory::session::Owner;
use crate::work::wait::{lock, Activity};

/// Number of the module in `enModId`.
pub const MODULE: u32 = 7;
/// Numbers of channels are below it: SelectGrp's structures have room for so many.
pub const MAX_CHANNELS: u32 = 64;
/// Channels that there can be at a time, of all clients.
const AT_ONCE: usize = 16;

/// Members of each set of SelectGrp, by session and number.
type Selects = HashMap<(Owner, u32), BTreeSet<u32>>;

/// All channels of the card.
pub struct Venc {
    link: Arc<dyn Link>,
    channels: Mutex<BTreeMap<u32, Arc<Channel>>>,
    selects: Mutex<Selects>,
    activity: Arc<Activity>,
}

impl Venc {
    /// No channels yet.
    pub fn new(link: &Arc<dyn Link>) -> Self {
        Self {
            link: link.clone(),
            channels: Mutex::default(),
            selects: Mutex::default(),
            activity: Arc::default(),
        }
    }

    /// A channel of `owner`.
    pub(crate) fn channel(&self, owner: Owner, id: u32) -> Result<Arc<Channel>, Fault> {
        if id >= MAX_CHANNELS {
            return Err(Fault::InvalidChannel);
        }
        let channels = lock(&self.channels);
        let channel = channels
            .get(&id)
            .filter(|c| owner.may_use(c.owner, &*self.link));
        channel.cloned().ok_or(Fault::Unexist)
    }

    /// Removes a channel.
    fn destroy(&self, channel: &Channel) {
        lock(&self.channels).remove(&channel.id);
        for (key, members) in lock(&self.selects).iter_mut() {
            if key.0 == channel.owner {
                members.remove(&channel.id);
            }
        }
        channel.destroy();
    }

    /// Destroys all channels of a session that has ended.
    pub fn end(&self, owner: Owner) {
        let channels: Vec<_> = lock(&self.channels).values().cloned().collect();
        for channel in channels.iter().filter(|c| c.owner == owner) {
            self.destroy(channel);
        }
        lock(&self.selects).retain(|key, _| key.0 != owner);
        self.activity.notify();
    }

    /// State of all channels.
    pub fn rows(&self) -> Vec<ChannelRow> {
        let channels: Vec<_> = lock(&self.channels).values().cloned().collect();
        channels.iter().map(|c| ChannelRow::of(c)).collect()
    }

    /// State for the control socket.
    pub fn report(&self) -> serde_json::Value {
        let channels: Vec<_> = self.rows().iter().map(ChannelRow::json).collect();
        serde_json::json!({ "channels": channels })
    }
}

/// A line of the card's table of channels.
#[derive(Debug, Clone)]
pub struct ChannelRow {
    /// Its number.
    pub id: u32,
    /// Its session.
    pub session: u32,
    /// What it makes.
    pub codec: attr::Codec,
    /// Size of the encoded pictures.
    pub size: (u32, u32),
    /// Rate control.
    pub rate: rate::Rate,
    /// Between Start and StopRecvFrame.
    pub receiving: bool,
    /// Pictures that wait for encoding.
    pub waiting: usize,
    /// Packets that wait for the client, and that it has.
    pub packets: (usize, usize),
    /// Pictures sent, and of these dropped for the frame rate.
    pub received: (u64, u64),
    /// Packets and bytes so far.
    pub encoded: (u64, u64),
    /// Pictures that gave no packet.
    pub errors: u64,
}

impl ChannelRow {
    fn of(channel: &Channel) -> Self {
        let s = channel.state();
        Self {
            id: channel.id,
            session: channel.owner.session,
            codec: s.attr.codec,
            size: s.attr.size,
            rate: s.attr.rate,
            receiving: s.receiving,
            waiting: s.input.len(),
            packets: (s.ready.len(), Channel::held(&s)),
            received: s.received,
            encoded: s.encoded,
            errors: s.errors,
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "channel": self.id,
            "session": self.session,
            "codec": self.codec.number(),
            "receiving": self.receiving,
            "pictures": self.received.0,
            "dropped": self.received.1,
            "packets": self.encoded.0,
            "bytes": self.encoded.1,
            "errors": self.errors,
            "waiting": self.packets.0,
            "held": self.packets.1,
        })
    }
}
