// SPDX-License-Identifier: GPL-2.0

//! What becomes of [`Claim`]s: with the job, with the answer, and after both.

use super::{
    base::Base,
    claim::Claim,
    engine::Engine,
    grants::{
        self,
        Missing,
        Slots, //
    },
    job::{
        Job,
        Progress,
        Step,
        Work, //
    },
    transaction::Bulk, //
};
use crate::{
    glue::prelude::*,
    wire::{
        frame::{
            Header,
            Target, //
        },
        grants::{
            answer::Said,
            table,
            Effect,
            Gift,
            Kind,
            Mark,
            Taken,
            Thing, //
        }, //
    }, //
};

/// The most claims of a session that last longer than their steps.
const MOST_LASTING: usize = 4096;

impl Engine {
    /// Lets the steps of a new job have what they name. Returns which step finds room missing, if one does: then none
    /// has anything.
    ///
    /// # Errors
    ///
    /// Those of [`Grants::admit`](super::grants::Grants::admit); `ENOSPC` also if too many calls were never
    /// answered; `ENOMEM`.
    pub(super) fn admit(
        &mut self,
        session: &Base,
        job: &mut Job,
        spare: &mut Option<Slots>,
    ) -> Result<Option<(usize, Missing)>> {
        let claims = |job: &Job| job.steps.iter().filter(|s| s.claim.is_some()).count();
        let own = claims(job);
        if own == 0 {
            return Ok(None);
        }
        let all = own + self.jobs.iter().map(|job| claims(job)).sum::<usize>();
        let lasting = &mut self.lasting;
        if lasting.late.len() + lasting.inside.len() > MOST_LASTING {
            return Err(ENOSPC);
        }
        lasting.late.reserve(all, GFP_KERNEL)?;
        // Those that are late may come to be inside.
        let inside = all + lasting.late.len();
        lasting.inside.reserve(inside, GFP_KERNEL)?;
        let number = job.number;
        for index in 0..job.steps.len() {
            let Some(step) = job.steps.get_mut(index) else {
                break;
            };
            let how = step.how();
            if matches!(&step.work, Work::Call(call) if grants::ends_a_place(&call.header)) {
                session.grants.disorder(session.owner());
            }
            let Some(claim) = step.claim.as_mut() else {
                continue;
            };
            claim.place_in(number, index, &how);
            claim.epoch = self.ends;
            let admitted = session.grants.admit(session.owner(), claim, spare);
            if admitted != Ok(None) {
                for step in job.steps.iter_mut().take(index) {
                    if let Some(claim) = step.claim.as_mut() {
                        session.grants.release(session.owner(), claim);
                    }
                }
                return Ok(admitted?.map(|missing| (index, missing)));
            }
        }
        Ok(None)
    }

    /// Learns from the whole answer to `step` of `job`, or of one that has ended.
    pub(super) fn learn(&mut self, session: &Base, job: u64, step: usize, answer: &[u8]) {
        let running = self.job(job).and_then(|job| job.steps.get_mut(step));
        if let Some(mut claim) = running.and_then(|step| step.claim.take()) {
            self.answered(session, &mut claim, answer);
            let back = self.job(job).and_then(|job| job.steps.get_mut(step));
            if let Some(step) = back {
                step.claim = Some(claim);
            }
        } else if let Some(mut claim) = self.lasting.take_late(|claim| claim.is_of(job, step)) {
            self.answered(session, &mut claim, answer);
            self.end_claim(session, claim);
        }
    }

    /// Returns whether the answer to `step` of `job` says something of what the session has.
    pub(super) fn is_claimed(&mut self, job: u64, step: usize) -> bool {
        let running = self.job(job).and_then(|job| job.steps.get(step));
        running.is_some_and(|step| step.claim.is_some())
    }

    /// Finds the call whose answer came too late: its job, and its step there.
    pub(super) fn late(&self, header: &Header) -> Option<(u64, usize)> {
        let is_it = |claim: &&KBox<Claim>| {
            let own = &claim.header;
            let place = (own.sequence, own.context, own.stream);
            claim.target != Target::Other
                && !claim.answered
                && place == (header.sequence, header.context, header.stream)
        };
        let mut steps = self.jobs.iter().flat_map(|job| job.steps.iter());
        let claim = self.lasting.late.iter().find(is_it).or_else(|| {
            let ended = |step: &&Step| step.progress == Progress::Done;
            steps.find_map(|step| {
                let claim = Some(step).filter(ended)?.claim.as_ref();
                claim.filter(is_it)
            })
        })?;
        Some((claim.step.job, claim.index))
    }

    fn answered(&mut self, session: &Base, claim: &mut Claim, answer: &[u8]) {
        let (grants, owner) = (&session.grants, session.owner());
        claim.answered = true;
        let said = grants.learn(owner, claim, answer, || {
            session.link.counters.bad_messages.add(1);
            dev_warn_ratelimited!(
                session.link,
                "session on port {}: the card gave what it cannot give\n",
                session.ports[0]
            );
        });
        // What may have been given back is not named again.
        grants.settle(owner, claim, said != Said::No);
        match (claim.effect, said) {
            (Effect::Takes(Taken::Whole(encoder)), Said::Yes(_))
                if encoder.kind == Kind::Encoder =>
            {
                self.let_go(session, encoder, usize::MAX);
            }
            (_, Said::Yes(Some(mark))) => {
                if let Effect::Gives(Gift::Packet(encoder)) = claim.effect {
                    self.packet_came(session, encoder, mark);
                }
            }
            (Effect::Feeds { .. }, Said::No) => claim.effect = Effect::None,
            _ => {}
        }
    }

    /// Lets the picture of a packet go, and those before it.
    fn packet_came(&mut self, session: &Base, encoder: Thing, mark: Mark) {
        let fed = self.lasting.inside.iter().filter_map(|claim| claim.feeds());
        let own = fed.filter(|(of, _)| *of == encoder).map(|(_, mark)| mark);
        let position = mark.position(own);
        self.let_go(session, encoder, position.saturating_add(1));
    }

    /// Lets the `count` oldest pictures in an encoder go.
    fn let_go(&mut self, session: &Base, encoder: Thing, count: usize) {
        let mut left = count;
        self.lasting.inside.retain(|claim| {
            let goes = left > 0 && claim.feeds().is_some_and(|(of, _)| of == encoder);
            if goes {
                left -= 1;
                session.grants.release(session.owner(), claim);
            }
            !goes
        });
    }

    /// Ends the claims of a job that has ended.
    pub(super) fn end_claims(&mut self, session: &Base, job: &mut Job) {
        for step in job.steps.iter_mut() {
            let was_sent = step.result.sent_ns != 0;
            let is_late = was_sent && matches!(&step.work, Work::Call(call) if !call.no_reply);
            let Some(claim) = step.claim.take() else {
                continue;
            };
            let is_this = |bulk: &&mut Bulk| claim.is_of(bulk.job, bulk.step);
            if is_late && !claim.answered {
                // `admit` has made room.
                let _ = self.lasting.late.push_within_capacity(claim);
            } else if let Some(bulk) = self.bulk.as_mut().filter(is_this) {
                // The card goes on with the copy.
                bulk.claim = Some(claim);
            } else {
                self.end_claim(session, claim);
            }
        }
    }

    /// Ends the claim that a transaction has outlived its job with.
    pub(super) fn end_bulk_claim(&mut self, session: &Base, bulk: &mut Bulk) {
        if let Some(claim) = bulk.claim.take() {
            self.end_claim(session, claim);
        }
    }

    /// Ends a claim whose step is over; an encoder goes on with its picture.
    fn end_claim(&mut self, session: &Base, mut claim: KBox<Claim>) {
        let (grants, owner) = (&session.grants, session.owner());
        if claim.answered && claim.feeds().is_some() {
            grants.go_on(owner, &mut claim, Kind::Encoder);
            // `admit` has made room.
            let _ = self.lasting.inside.push_within_capacity(claim);
        } else {
            grants.release(owner, &mut claim);
        }
    }
}

impl Step {
    /// Tells how the step is carried out.
    fn how(&self) -> table::Step {
        let (short, endless) = match &self.work {
            Work::Call(call) => (call.is_short(), call.no_reply),
            Work::Copy(_) => (false, false),
        };
        table::Step {
            job: 0,
            place: None,
            pipelined: self.pipelined,
            short,
            endless,
            feeds: false,
            gives: false,
        }
    }
}
