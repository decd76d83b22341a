// SPDX-License-Identifier: GPL-2.0

//! Reads out of an answer whether the call went well, and what the card has given with it.

use super::{
    picture::{
        Picture,
        Places, //
    },
    table::Grant,
    Effect,
    Gift,
    Kind,
    Mark,
    Thing, //
};
use crate::wire::{
    bytes::{
        u32_at,
        u64_at, //
    },
    frame::{
        service,
        Target,
        HEADER_SIZE, //
    },
    pb::{
        Malformed,
        Reader, //
    }, //
};

/// Longest answer that gives something, with room to spare: a packet's structure has 1200 bytes.
pub const MOST: usize = 4096;

/// Length of `AX_VIDEO_FRAME_INFO_T`, and of `AX_VENC_STREAM_T`.
const PICTURE: usize = 240;
const PACKET: usize = 1200;

/// What of an answer counts.
#[derive(Clone, Copy, Debug, Default)]
struct Answer<'a> {
    /// Of runtime calls; 0 is success.
    status: i64,
    /// The number that the card has given.
    number: Option<u64>,
    /// Of native calls: the return value and what follows.
    blobs: [Option<&'a [u8]>; 2],
}

/// Reads the answer to a call to `target`.
fn read<'a>(target: Target, effect: &Effect, answer: &'a [u8]) -> Result<Answer<'a>, Malformed> {
    let message = answer.get(HEADER_SIZE..).ok_or(Malformed)?;
    let mut out = Answer::default();
    let path = match target {
        Target::Runtime { service, .. } => [2, 1, 2, u32::from(service).wrapping_add(1), 2],
        Target::Native { module, .. } => [2, 2, 2, u32::from(module).wrapping_add(1), 0],
        Target::Other => return Err(Malformed),
    };
    let path = path.split_last().map_or(
        &path[..],
        |(last, head)| {
            if *last == 0 {
                head
            } else {
                &path
            }
        },
    );
    let body = Reader::new(message).descend(path)?.ok_or(Malformed)?;
    let mut reader = Reader::new(body);
    if matches!(target, Target::Native { .. }) {
        let mut room = out.blobs.iter_mut();
        while let Some((number, value)) = reader.field()? {
            if number == 2 {
                let blob = value.bytes().ok_or(Malformed)?;
                if let Some(slot) = room.next() {
                    *slot = Some(blob);
                }
            }
        }
        return Ok(out);
    }
    let wanted = match (target, effect) {
        (_, Effect::Gives(Gift::Memory(_))) => 2,
        (_, Effect::Gives(Gift::ModelContext(_))) => 9,
        _ => 4,
    };
    let is_memory = matches!(target, Target::Runtime { service, .. } if service == service::MEMORY);
    while let Some((number, value)) = reader.field()? {
        if number == 1 {
            let status = value.u64().ok_or(Malformed)?;
            out.status = if is_memory {
                i64::from(u32::try_from(status).map_err(|_| Malformed)?)
            } else {
                status as i64
            };
        } else if number == wanted {
            out.number = Some(value.u64().ok_or(Malformed)?);
        }
    }
    Ok(out)
}

impl Answer<'_> {
    fn returned(&self) -> Option<u32> {
        let [first, _] = self.blobs;
        let first = first?;
        (first.len() == 4).then(|| u32_at(first, 0)).flatten()
    }

    fn address(&self) -> Option<u64> {
        let [first, _] = self.blobs;
        let first = first?;
        (first.len() == 8).then(|| u64_at(first, 0)).flatten()
    }

    fn second(&self, size: usize) -> Option<&[u8]> {
        let [_, second] = self.blobs;
        second.filter(|blob| blob.len() == size)
    }

    /// Returns whether the call went well; `None`: that cannot be told.
    fn is_good(&self, target: Target, effect: &Effect) -> Option<bool> {
        Some(match (target, effect) {
            (Target::Runtime { .. }, _) => self.status == 0,
            (_, Effect::Gives(Gift::Pool(_))) => self.returned()? != u32::MAX,
            (_, Effect::Gives(Gift::Block(..))) => self.returned()? != 0,
            (_, Effect::Gives(Gift::BlockMemory(_))) => self.address()? != 0,
            _ => self.returned()? == 0,
        })
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It cannot be read.
    Nothing,
    /// The call failed.
    No,
    /// The call went well; a packet that came with it has this mark.
    Yes(Option<Mark>),
}

/// Reads the answer to a call to `target`; `look` finds entries of the session's table, `give` takes what the card
/// has given.
pub fn learn(
    target: Target,
    effect: &Effect,
    answer: &[u8],
    look: impl Fn(Thing) -> Option<Grant>,
    give: &mut dyn FnMut(Grant),
) -> Said {
    let Ok(answer) = read(target, effect, answer) else {
        return Said::Nothing;
    };
    match answer.is_good(target, effect) {
        None => return Said::Nothing,
        Some(false) => return Said::No,
        Some(true) => {}
    }
    match effect {
        Effect::Gives(gift) => match given(gift, &answer, look, give) {
            Some(mark) => Said::Yes(mark),
            None => Said::Nothing,
        },
        _ => Said::Yes(None),
    }
}

/// Reads what was given; `None` if it is not there, or what it is a part of was given back meanwhile.
fn given(
    gift: &Gift,
    answer: &Answer<'_>,
    look: impl Fn(Thing) -> Option<Grant>,
    give: &mut dyn FnMut(Grant),
) -> Option<Option<Mark>> {
    let number = |kind| answer.number.map(|key| Thing::new(kind, key));
    let returned = |kind| answer.returned().map(|key| Thing::new(kind, key));
    let second = |kind| {
        let key = answer.second(4).and_then(|blob| u32_at(blob, 0))?;
        Some(Thing::new(kind, key))
    };
    let grant = match *gift {
        Gift::Memory(size) => Grant::new(number(Kind::Memory)?, size, None, 0),
        Gift::Model => Grant::new(number(Kind::Model)?, 0, None, 0),
        Gift::ModelContext(model) => {
            look(model)?;
            Grant::new(number(Kind::ModelContext)?, 0, Some(model), 0)
        }
        Gift::Decoder => Grant::new(second(Kind::Decoder)?, 0, None, 0),
        Gift::Encoder(width, height) => {
            let sides = (u64::from(width) << 32) | u64::from(height);
            Grant::new(second(Kind::Encoder)?, 0, None, sides)
        }
        Gift::Pool(size) => Grant::new(returned(Kind::Pool)?, 0, None, size),
        Gift::Block(pool, size) => {
            let block = returned(Kind::Block)?;
            // The card does not have to look at the size.
            let size = size.min(look(pool)?.tag);
            Grant::new(block, size, Some(pool), block.key)
        }
        Gift::BlockMemory(block) => {
            let entry = look(block)?;
            if !entry.is_of_pool() {
                // Memory of a picture came with that.
                return Some(None);
            }
            let memory = Thing::new(Kind::Memory, answer.address()?);
            Grant::new(memory, entry.size, entry.root, entry.tag)
        }
        Gift::Picture(decoder) => {
            look(decoder)?;
            picture(answer.second(PICTURE)?, decoder, give)?;
            return Some(None);
        }
        Gift::Packet(encoder) => {
            look(encoder)?;
            let packet = answer.second(PACKET)?;
            let (address, size) = (u64_at(packet, 0)?, u32_at(packet, 16)?);
            if address != 0 {
                let memory = Thing::new(Kind::Memory, address);
                give(Grant::new(memory, size.into(), Some(encoder), address));
            }
            return Some(Some(Mark {
                user_data: u64_at(packet, 40)?,
                time: u64_at(packet, 24)?,
            }));
        }
    };
    give(grant);
    Some(None)
}

/// Reads the places of a picture. Those of unknown extent can be given back, and no more.
fn picture(frame: &[u8], decoder: Thing, give: &mut dyn FnMut(Grant)) -> Option<()> {
    let places = Places::read(frame)?;
    let [luma, ..] = places.planes;
    if luma == 0 {
        // It only tells of the end.
        return Some(());
    }
    let mut memory = |address: u64, size: u64| {
        let thing = Thing::new(Kind::Memory, address);
        give(Grant::new(thing, size, Some(decoder), luma));
    };
    match Picture::read(frame) {
        Some(picture) => {
            let own = (0, 0);
            let size = picture.luma.1.size(own);
            match picture.chroma {
                // One piece, so that it can be copied as one.
                Some((chroma, plane)) if luma.checked_add(size) == Some(chroma) => {
                    memory(luma, size.saturating_add(plane.size(own)));
                }
                Some((chroma, plane)) => {
                    memory(luma, size);
                    memory(chroma, plane.size(own));
                }
                None => memory(luma, size),
            }
        }
        None => places
            .planes
            .into_iter()
            .filter(|plane| *plane != 0)
            .for_each(|plane| memory(plane, 0)),
    }
    for block in places.blocks.into_iter().filter(|block| *block != 0) {
        give(Grant::new(
            Thing::new(Kind::Block, block),
            0,
            Some(decoder),
            luma,
        ));
    }
    Some(())
}
