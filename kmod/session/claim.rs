// SPDX-License-Identifier: GPL-2.0

//! Claims: what steps name of that which the card has given to their session.
//!
//! A claim is made when a job is queued and ends with its step. Two kinds last longer: a call that was sent and
//! whose answer has not come may still run on the card, and an encoder reads a picture after it has taken it. What
//! they name can not be given back meanwhile, as it would soon be somebody else's.

use crate::{
    glue::prelude::*,
    wire::{
        frame::{
            Header,
            Target, //
        },
        grants::{
            table::{
                self,
                Grant,
                Use, //
            },
            Effect,
            Mark,
            Named,
            Thing, //
        }, //
    }, //
};

/// What a step names, uses and gives back.
pub(crate) struct Claim {
    pub(super) names: KVec<Named>,
    pub(super) effect: Effect,
    pub(super) target: Target,
    pub(super) step: table::Step,
    pub(super) uses: KVec<Use>,
    pub(super) taken: KVec<Grant>,
    pub(super) promised: usize,
    /// What lets the step give something back,
    pub(super) order: table::Order,
    /// and how many contexts and streams had been ended by then.
    pub(super) epoch: u64,
    /// The call was answered.
    pub(super) answered: bool,
    pub(super) header: Header,
    /// Number of the step in its job.
    pub(super) index: usize,
}

impl Claim {
    /// Makes the claim of a step that names `names`; `None` if it has no need of one. `header`: that of a call.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        names: KVec<Named>,
        effect: Effect,
        header: Option<Header>,
    ) -> Result<Option<KBox<Self>>> {
        if names.is_empty() && effect == Effect::None {
            return Ok(None);
        }
        let uses = KVec::with_capacity(names.len(), GFP_KERNEL_ACCOUNT)?;
        let claim = Self {
            names,
            effect,
            target: header.map_or(Target::Other, |header| header.target()),
            step: table::Step {
                job: 0,
                place: header.map(|header| (header.context, header.stream)),
                pipelined: false,
                short: false,
                endless: false,
                feeds: false,
                gives: false,
            },
            uses,
            taken: KVec::new(),
            promised: 0,
            order: table::Order::Unused,
            epoch: 0,
            answered: false,
            header: header.unwrap_or_default(),
            index: 0,
        };
        Ok(Some(KBox::new(claim, GFP_KERNEL_ACCOUNT)?))
    }

    /// Sets of which step it is.
    pub(super) fn place_in(&mut self, job: u64, index: usize, step: &table::Step) {
        self.index = index;
        self.step = table::Step {
            job,
            place: self.step.place,
            feeds: self.feeds().is_some(),
            gives: matches!(self.effect, Effect::Gives(_)),
            ..*step
        };
    }

    /// Returns whether it is that of `index` of `job`.
    pub(super) fn is_of(&self, job: u64, index: usize) -> bool {
        (self.step.job, self.index) == (job, index)
    }

    /// Returns whether calls keep no order any more that the step relies on: a context or stream was ended, and what was
    /// sent there may go on beside what comes next in a place of the same name.
    pub(super) fn has_lost(&self, order: table::Order, ends: u64) -> bool {
        self.order == order && self.epoch != ends
    }

    /// Returns the encoder that it feeds.
    pub(super) fn feeds(&self) -> Option<(Thing, Mark)> {
        match self.effect {
            Effect::Feeds { encoder, mark } => Some((encoder, mark)),
            _ => None,
        }
    }
}

/// Claims that last longer than their steps.
#[derive(Default)]
pub(super) struct Lasting {
    /// Calls that were sent, and whose answers have not come.
    pub(super) late: KVVec<KBox<Claim>>,
    /// Pictures in encoders, oldest first.
    pub(super) inside: KVVec<KBox<Claim>>,
}

impl Lasting {
    /// Returns whether a late answer could be taken for one to a call with `header`.
    pub(super) fn clashes(&self, header: &Header) -> bool {
        self.late.iter().any(|claim| header.answers(&claim.header))
    }

    /// Takes the late call out that `is` finds.
    pub(super) fn take_late(
        &mut self,
        is: impl FnMut(&KBox<Claim>) -> bool,
    ) -> Option<KBox<Claim>> {
        let at = self.late.iter().position(is)?;
        self.late.remove(at).ok()
    }
}
