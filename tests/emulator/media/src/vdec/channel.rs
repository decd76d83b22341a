// SPDX-License-Identifier: MIT OR Apache-2.0

//! A channel of a group: its attribute, its pictures.

use std::collections::{HashSet, VecDeque};

use super::attr::ChannelAttr;
use crate::memory::frame::VideoFrame;

/// Channels of a group.
pub const CHANNELS: usize = 3;

/// A picture that waits for the client.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The structure that GetChnFrame returns.
    pub frame: VideoFrame,
    /// The pool block it lies in.
    pub block: u32,
}

/// What a channel has for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// As many pictures, or one thing to say: that there are no more.
    Some(usize),
    /// Nothing yet.
    Nothing,
    /// Nothing more, and the client knows.
    Over,
}

impl Channel {
    /// A stream may come: what the last one came to does not matter any more.
    pub fn begin(&mut self) {
        (self.ended, self.end_told) = (false, false);
    }

    /// What GetChnFrame has for the client now.
    pub fn ready(&self) -> Ready {
        match (self.ready.len(), self.ended, self.end_told) {
            (0, true, true) => Ready::Over,
            (0, true, false) => Ready::Some(1),
            (0, false, _) => Ready::Nothing,
            (n, ..) => Ready::Some(n),
        }
    }
}

/// State of a channel.
#[derive(Debug, Default)]
pub struct Channel {
    /// What SetChnAttr brought, for GetChnAttr.
    pub raw: Option<Vec<u8>>,
    /// The same, read.
    pub attr: Option<ChannelAttr>,
    /// EnableChn was called.
    pub enabled: bool,
    /// Pool that the client attached.
    pub attached: Option<u32>,
    /// Pool that was made for the channel, and the attribute it was made for.
    pub own_pool: Option<(u32, ChannelAttr)>,
    /// Pictures that wait for the client.
    pub ready: VecDeque<Picture>,
    /// Blocks of the pictures that the client has.
    pub held: HashSet<u32>,
    /// The decoder's thread is writing a picture for this channel.
    pub writing: bool,
    /// The last picture of the stream has been queued.
    pub ended: bool,
    /// The client has been told so.
    pub end_told: bool,
    /// Number of the next picture.
    pub next_seq: u64,
    /// Pictures that the client has got.
    pub delivered: u64,
}
