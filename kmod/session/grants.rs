// SPDX-License-Identifier: GPL-2.0

//! What the card has given to which session.

use kernel::{
    new_mutex,
    sync::Mutex, //
};

use super::claim::Claim;
use crate::{
    glue::prelude::*,
    link::ports::MAX_SESSIONS,
    wire::{
        frame::{
            Header,
            CONTROL, //
        },
        grants::{
            answer::{
                self,
                Said, //
            },
            table::{
                Denial,
                Grant,
                Table, //
            },
            Effect,
            Gift,
            Kind, //
        },
        policy::address::is_card_range,
        rpc, //
    }, //
};

/// The most that a session may be given.
pub(crate) const MOST: usize = 4096;
/// Entries of a new table.
const FIRST: usize = 32;

/// Where the entries of a table are.
pub(super) type Slots = KVVec<Grant>;

type Entries = Table<Slots>;

/// Makes slots for `room` entries.
///
/// # Errors
///
/// `ENOMEM`.
pub(super) fn slots(room: usize) -> Result<Slots> {
    Ok(KVVec::from_elem(
        Grant::default(),
        room,
        GFP_KERNEL_ACCOUNT,
    )?)
}

struct Owner {
    /// The session's first port.
    number: u32,
    table: Entries,
}

/// The tables of all sessions of a card.
#[pin_data]
pub(crate) struct Grants {
    /// A leaf, taken with a session's engine locked.
    #[pin]
    owners: Mutex<KVec<Owner>>,
}

impl Grants {
    /// Makes the tables of a card, with room for all sessions.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<impl PinInit<Self>> {
        let owners = KVec::with_capacity(MAX_SESSIONS as usize, GFP_KERNEL)?;
        Ok(pin_init!(Self {
            owners <- new_mutex!(owners, "ax650_grants"),
        }))
    }

    /// Makes the table of a new session.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn open(&self, number: u32) -> Result {
        let table = Table::new(KVVec::from_elem(Grant::default(), FIRST, GFP_KERNEL)?);
        let mut owners = self.owners.lock();
        owners.push(Owner { number, table }, GFP_KERNEL)?;
        Ok(())
    }

    /// Returns the bytes of card memory that a session has.
    pub(super) fn memory(&self, number: u32) -> u64 {
        self.with(number, |table| table.memory()).unwrap_or(0)
    }

    /// Forgets a session, whose serving process is gone.
    pub(super) fn close(&self, number: u32) {
        let mut owners = self.owners.lock();
        let gone = take_first(&mut owners, |owner| owner.number == number);
        drop(owners);
        drop(gone);
    }

    fn with<R>(&self, number: u32, f: impl FnOnce(&mut Entries) -> R) -> Option<R> {
        let mut owners = self.owners.lock();
        let owner = owners.iter_mut().find(|owner| owner.number == number)?;
        Some(f(&mut owner.table))
    }

    /// Lets a step have what it names, give back what it takes, and keeps room for what it may be given. Returns what
    /// is missing for that; `spare` is a larger table, and afterwards the old one.
    ///
    /// # Errors
    ///
    /// `EACCES` for what the session was not given; `EBUSY` for what is still used; `ENOSPC` if the session has too
    /// much.
    pub(super) fn admit(
        &self,
        number: u32,
        claim: &mut Claim,
        spare: &mut Option<Slots>,
    ) -> Result<Option<Missing>> {
        let entered = self.with(number, |table| {
            let entered = enter(table, claim, spare);
            if entered != Ok(None) {
                leave(table, claim);
            }
            entered
        });
        entered.unwrap_or(Err(EACCES))
    }

    /// Notes that a context or a stream ends, and with it the order of what was sent there.
    pub(super) fn disorder(&self, number: u32) {
        self.with(number, |table| table.disorder());
    }

    /// Notes that a call with `header` is being sent, as one message if `claim` is told.  Returns how many
    /// contexts and streams it ends.
    pub(super) fn sent(
        &self,
        number: u32,
        header: &Header,
        claim: Option<&mut KBox<Claim>>,
    ) -> u64 {
        let ends = ends_a_place(header);
        if ends {
            self.disorder(number);
        }
        if let Some(claim) = claim {
            self.with(number, |table| {
                claim.uses.iter_mut().for_each(|used| table.sent(used));
            });
        }
        ends.into()
    }

    /// Learns from the answer to the call of `claim`. What the card says is not believed where it makes no sense: then
    /// `doubt` is called, and the session is given nothing.
    pub(super) fn learn(
        &self,
        number: u32,
        claim: &mut Claim,
        bytes: &[u8],
        mut doubt: impl FnMut(),
    ) -> Said {
        let mut owners = self.owners.lock();
        let Some(at) = owners.iter().position(|owner| owner.number == number) else {
            return Said::Nothing;
        };
        let mut given = [Grant::default(); Gift::MOST];
        let mut room = given.iter_mut();
        let mut count = 0;
        let table = owners.get(at).map(|owner| &owner.table);
        let look = |thing| table.and_then(|table| table.find(thing)).copied();
        let said = answer::learn(claim.target, &claim.effect, bytes, look, &mut |grant| {
            if let Some(slot) = room.next() {
                *slot = grant;
                count += 1;
            }
        });
        for grant in given.iter().take(count) {
            let (address, size) = (grant.thing.key, grant.size);
            let is_memory = grant.thing.kind == Kind::Memory;
            let mut others = owners.iter().filter(|owner| owner.number != number);
            let is_plain = !is_memory
                || (is_card_range(address, size)
                    && !others.any(|owner| owner.table.overlaps(address, size)));
            let own = owners.get_mut(at);
            if !(is_plain && own.is_some_and(|owner| owner.table.give(*grant))) {
                doubt();
            }
        }
        said
    }

    /// Notes that what `claim` gives back was given back (`done`), or is the session's as before.
    pub(super) fn settle(&self, number: u32, claim: &mut Claim, done: bool) {
        let taken = core::mem::take(&mut claim.taken);
        if done || taken.is_empty() {
            return;
        }
        let mut owners = self.owners.lock();
        for grant in taken {
            // Until now it could have become another's.
            let mut others = owners.iter().filter(|owner| owner.number != number);
            let is_others = grant.thing.kind == Kind::Memory
                && others.any(|owner| owner.table.overlaps(grant.thing.key, grant.size));
            let own = owners.iter_mut().find(|owner| owner.number == number);
            if let (false, Some(own)) = (is_others, own) {
                own.table.give_back(grant);
            }
        }
    }

    /// Notes that what `claim` uses is used on, but for `ended`: the call was answered, the work goes on.
    pub(super) fn go_on(&self, number: u32, claim: &mut Claim, ended: Kind) {
        self.with(number, |table| {
            claim.uses.retain(|used| {
                table.goes_on(used);
                let ends = used.thing.kind == ended;
                if ends {
                    table.release(used);
                }
                !ends
            });
            table.redeem(core::mem::take(&mut claim.promised));
        });
    }

    /// Ends all uses of a claim.
    pub(super) fn release(&self, number: u32, claim: &mut Claim) {
        self.with(number, |table| leave(table, claim));
    }
}

/// Returns whether the call ends a context or a stream.
pub(super) fn ends_a_place(header: &Header) -> bool {
    let ends = matches!(header.command, rpc::DESTROY_CONTEXT | rpc::DESTROY_STREAM);
    header.kind == CONTROL && ends
}

/// Room that a step needs to be let in, in entries.
#[derive(PartialEq)]
pub(super) enum Missing {
    /// Of a larger table.
    Table(usize),
    /// For what it takes.
    Taken(usize),
}

/// Lets a step have what it names. `spare` is room for a larger table; returns what is missing.
fn enter(
    table: &mut Entries,
    claim: &mut Claim,
    spare: &mut Option<Slots>,
) -> Result<Option<Missing>> {
    for named in claim.names.iter() {
        let used = table.name(named, &claim.step).map_err(errno)?;
        // `Claim::new` has made room for all.
        claim.uses.push_within_capacity(used).map_err(|_| ENOMEM)?;
    }
    let more = match claim.effect {
        Effect::Gives(gift) => gift.room(),
        Effect::Takes(taken) => {
            let count = table.check_take(&taken, &claim.step).map_err(errno)?;
            claim.order = table.order(&taken, &claim.step);
            if claim.taken.capacity() < count {
                return Ok(Some(Missing::Taken(count)));
            }
            count
        }
        Effect::None | Effect::Feeds { .. } => 0,
    };
    if let Effect::Takes(taken) = claim.effect {
        table.take(&taken, |grant| {
            // There is room.
            let _ = claim.taken.push_within_capacity(grant);
        });
    }
    table.promise(more);
    claim.promised = more;
    let wanted = table.wanted();
    if wanted <= table.room() {
        return Ok(None);
    }
    if wanted > MOST {
        return Err(ENOSPC);
    }
    match spare.take_if(|slots| slots.len() >= wanted) {
        Some(slots) => {
            // The caller drops the old ones.
            *spare = Some(table.move_to(slots));
            Ok(None)
        }
        None => {
            let room = wanted.next_power_of_two().min(MOST);
            Ok(Some(Missing::Table(room)))
        }
    }
}

/// Undoes [`enter`], as far as it went; the claim keeps its room.
fn leave(table: &mut Entries, claim: &mut Claim) {
    for used in claim.uses.drain_all() {
        table.release(&used);
    }
    for grant in claim.taken.drain_all() {
        table.give_back(grant);
    }
    table.redeem(core::mem::take(&mut claim.promised));
}

fn errno(denial: Denial) -> Error {
    match denial {
        Denial::NotGiven => EACCES,
        Denial::Used => EBUSY,
    }
}
