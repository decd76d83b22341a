// SPDX-License-Identifier: GPL-2.0

//! What the card has given to a session, and what of it a step names.
//!
//! Isolation between clients does not rest on the card: a step may name card memory, models, codec groups
//! and channels, pools and blocks only if the card has given them to its own session. The check of a frame
//! ([`super::policy`]) finds out what it names and what a good answer means ([`Effect`]); the answer is read
//! by [`answer`]; what is known of a session is in its [`table`].

pub mod answer;
pub mod picture;
pub mod table;

/// The kinds of things that the card gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A range of card memory; its key is the first address.
    #[default]
    Memory,
    /// A loaded model.
    Model,
    /// A context of a model.
    ModelContext,
    /// A decoder's group.
    Decoder,
    /// An encoder's channel.
    Encoder,
    /// A pool.
    Pool,
    /// A block of a pool, or of a picture.
    Block,
}

/// Names a thing: the card's number for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// The kind of it.
    pub kind: Kind,
    /// The number of it; for memory the first address.
    pub key: u64,
}

impl Thing {
    /// Names a thing of `kind`.
    pub fn new(kind: Kind, key: impl Into<u64>) -> Self {
        let key = key.into();
        Self { kind, key }
    }
}

/// Something that a step names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Bytes of card memory, all in one piece that was given.
    Range {
        /// First address.
        address: u64,
        /// Bytes.
        size: u64,
    },
    /// A thing.
    Thing(Thing),
    /// A thing that has to belong to another one.
    Part(Thing, Thing),
    /// Memory that an encoder reads a picture from: no less than pictures of its size take.
    Source {
        /// The encoder.
        encoder: Thing,
        /// First address.
        address: u64,
        /// How the picture lies there.
        plane: picture::Plane,
    },
}

/// What a call gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A thing with all that belongs to it.
    Whole(Thing),
    /// All that belongs to a thing.
    Parts(Thing),
    /// All models.
    Models,
    /// A picture of a decoder.
    Picture(Thing, picture::Places),
    /// A packet of an encoder, by its address.
    Packet(Thing, u64),
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gift {
    /// So many bytes of card memory.
    Memory(u64),
    /// A model.
    Model,
    /// A context of this model.
    ModelContext(Thing),
    /// A decoder.
    Decoder,
    /// An encoder of pictures of this width and height.
    Encoder(u32, u32),
    /// A pool of blocks of so many bytes.
    Pool(u64),
    /// So many bytes of this pool.
    Block(Thing, u64),
    /// The memory of this block.
    BlockMemory(Thing),
    /// A picture of this decoder.
    Picture(Thing),
    /// A packet of this encoder.
    Packet(Thing),
}

impl Gift {
    /// The most entries that a gift has: planes and blocks of a picture.
    pub const MOST: usize = 6;

    /// Returns how many entries of the table the gift may need.
    pub fn room(&self) -> usize {
        match self {
            Self::Picture(_) => Self::MOST,
            _ => 1,
        }
    }
}

/// What a good answer means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing of this kind.
    #[default]
    None,
    /// Something belongs to the session from then on.
    Gives(Gift),
    /// Something does not any more.
    Takes(Taken),
    /// The encoder goes on reading what the call names until the picture's packet comes.
    Feeds {
        /// The encoder.
        encoder: Thing,
        /// What packets of the picture carry: the client's number, and the time.
        mark: Mark,
    },
}

/// How a packet tells which picture it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The client's own number.
    pub user_data: u64,
    /// The time stamp.
    pub time: u64,
}

impl Mark {
    /// Returns which of `waiting` pictures, oldest first, a packet with this mark is of, at the earliest: the first
    /// with the same time, else the oldest.  Whether cards give the client's number back is not known.
    pub fn position(self, waiting: impl Iterator<Item = Mark> + Clone) -> usize {
        let same_time = |mark: Mark| mark.time == self.time;
        waiting.clone().position(same_time).unwrap_or(0)
    }
}
