// SPDX-License-Identifier: GPL-2.0

//! Names of calls that are queued or under way: an answer carries the name of its call [rpc 1.2], so each may
//! be in use once.

use crate::{
    glue::prelude::*,
    wire::frame, //
};

/// Sequence number, context and stream.  The card id is the same in all calls.
type Name = (u64, u32, u32);

fn name(header: &frame::Header) -> Name {
    (header.sequence, header.context, header.stream)
}

/// A session's names, sorted, each with the job that has it.
pub(super) struct Names(KVec<(Name, u64)>);

impl Names {
    /// Makes an empty list.
    pub(super) fn new() -> Self {
        Self(KVec::new())
    }

    /// Makes room for `count` more names.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn reserve(&mut self, count: usize) -> Result {
        Ok(self.0.reserve(count, GFP_KERNEL)?)
    }

    fn find(&self, name: Name) -> Result<usize, usize> {
        self.0.binary_search_by_key(&name, |&(name, _)| name)
    }

    /// Returns the job that has a call of this name, or has had one and is not over.
    pub(super) fn owner(&self, header: &frame::Header) -> Option<u64> {
        let at = self.find(name(header)).ok()?;
        self.0.get(at).map(|&(_, job)| job)
    }

    /// Gives the name to `job`; there is room.
    pub(super) fn give(&mut self, header: &frame::Header, job: u64) {
        let name = name(header);
        match self.find(name) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = job;
                }
            }
            Err(at) => {
                let _ = self.0.insert_within_capacity(at, (name, job));
            }
        }
    }

    /// Forgets the names of a job that is over.
    pub(super) fn forget(&mut self, job: u64) {
        self.0.retain(|&mut (_, owner)| owner != job);
    }
}
