// SPDX-License-Identifier: MIT OR Apache-2.0

//! Links between modules: who may be linked to whom, and the table of those that are.
//!
//! A source feeds several targets, a target has one source.  Groups and channels have to be numbers
//! that the card has; they need not have been created, since programs also make the links first.

use std::sync::Mutex;

use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{clamp32, Record, View};
use crate::call::errors::Fault;
use crate::memory::session::Owner;
use crate::work::wait::lock;
use crate::{ivps, vdec, venc};

/// Targets that one source may be linked to: what GetLinkBySrc has room for.
const MAX_TARGETS: usize = 6;
/// Size of `AX_MOD_INFO_T`.
const INFO_SIZE: usize = 12;

/// One end of a link: `AX_MOD_INFO_T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Number of the module.
    pub module: u32,
    /// Its group.
    pub group: u32,
    /// Its channel.
    pub channel: u32,
}

impl End {
    /// Reads the structure.
    pub fn parse(v: View) -> Self {
        Self {
            module: v.u32(0),
            group: v.u32(4),
            channel: v.u32(8),
        }
    }

    fn write(self) -> [u8; INFO_SIZE] {
        let mut bytes = [0; INFO_SIZE];
        let numbers = [self.module, self.group, self.channel];
        for (room, n) in bytes.chunks_exact_mut(4).zip(numbers) {
            room.copy_from_slice(&n.to_le_bytes());
        }
        bytes
    }

    /// Fails unless the card has such a module, group and channel.
    fn check(self) -> Result<(), Fault> {
        let (groups, channels) = match self.module {
            vdec::MODULE => (vdec::MAX_GROUPS, clamp32(vdec::CHANNELS)),
            // An encoder has channels only.
            venc::MODULE => (1, venc::MAX_CHANNELS),
            ivps::MODULE => (ivps::MAX_GROUPS, clamp32(ivps::CHANNELS)),
            _ => return Err(Fault::InvalidModule),
        };
        if self.group >= groups {
            return Err(Fault::InvalidGroup);
        }
        if self.channel >= channels {
            return Err(Fault::InvalidChannel);
        }
        Ok(())
    }

    /// Whether both are the same input: a group of the image processor has one for all channels.
    fn is_same_input(self, other: Self) -> bool {
        let channel = self.module == ivps::MODULE || self.channel == other.channel;
        (self.module, self.group) == (other.module, other.group) && channel
    }
}

/// The card's links.
#[derive(Default)]
pub struct Links {
    links: Mutex<Vec<(Owner, End, End)>>,
}

impl Links {
    /// Link.
    pub fn add(&self, owner: Owner, source: View, target: View) -> Outcome {
        let (source, target) = (End::parse(source), End::parse(target));
        source.check()?;
        target.check()?;
        let loops = source.module == target.module && source.group == target.group;
        // Pictures do not leave an encoder nor enter a decoder.
        if source.module == venc::MODULE || target.module == vdec::MODULE || loops {
            return Err(Fault::NotPermitted);
        }
        let mut links = lock(&self.links);
        let own = || links.iter().filter(|l| l.0 == owner);
        if own().any(|l| l.2.is_same_input(target)) {
            return Err(Fault::Exists);
        }
        if own().filter(|l| l.1 == source).count() >= MAX_TARGETS {
            return Err(Fault::NoBuffer);
        }
        links.push((owner, source, target));
        Answer::ok()
    }

    /// UnLink.
    pub fn remove(&self, owner: Owner, source: View, target: View) -> Outcome {
        let wanted = (owner, End::parse(source), End::parse(target));
        let mut links = lock(&self.links);
        let at = links.iter().position(|l| *l == wanted);
        links.remove(at.ok_or(Fault::Unexist)?);
        Answer::ok()
    }

    /// GetLinkByDest.
    pub fn by_target(&self, owner: Owner, target: View) -> Outcome {
        let target = End::parse(target);
        let links = lock(&self.links);
        let mut own = links.iter().filter(|l| l.0 == owner);
        let found = own.find(|l| l.2.is_same_input(target));
        Answer::with(found.ok_or(Fault::Unexist)?.1.write().to_vec())
    }

    /// GetLinkBySrc.
    pub fn by_source(&self, owner: Owner, source: View) -> Outcome {
        let source = End::parse(source);
        let links = lock(&self.links);
        let own = links.iter().filter(|l| l.0 == owner && l.1 == source);
        let targets: Vec<u8> = own.flat_map(|l| l.2.write()).collect();
        if targets.is_empty() {
            return Err(Fault::Unexist);
        }
        let mut r = Record::new(4 + MAX_TARGETS * INFO_SIZE);
        r.u32(0, clamp32(targets.len() / INFO_SIZE))
            .bytes(4, &targets);
        Answer::with(r.finish())
    }

    /// Removes the links of a session that has ended.
    pub fn end(&self, owner: Owner) {
        lock(&self.links).retain(|l| l.0 != owner);
    }

    /// All links as (source, target).
    pub fn list(&self) -> Vec<(End, End)> {
        lock(&self.links).iter().map(|l| (l.1, l.2)).collect()
    }
}
