// SPDX-License-Identifier: GPL-2.0

//! The table of one session: what the card has given to it, and who uses that.
//!
//! Entries are in order of kind and number, and ranges of memory do not overlap, so a look-up is a binary
//! search. Where the entries are is the caller's business: `kmod/session/grants.rs` has them in kernel memory, tests
//! in a vector.
//!
//! A thing can be given back only when nothing that is under way can still name it: what was given back is soon
//! somebody else's. Uses that are calls which were sent before, short ones on the same stream, do not count, as
//! the card carries out the calls of a stream in order [rpc 4.1]; nor do earlier steps of the same job that
//! have ended by then.

use core::ops::DerefMut;

use super::{
    picture::Places,
    Kind,
    Named,
    Taken,
    Thing, //
};

/// A context and a stream.
pub type Place = (u32, u32);

/// Something that was given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grant {
    /// What it is.
    pub thing: Thing,
    /// Memory: bytes.
    pub size: u64,
    /// What it ends with.
    pub root: Option<Thing>,
    /// Memory and blocks of one picture or block have the same; an encoder: width and height of pictures; a pool: bytes
    /// of blocks.
    pub tag: u64,
    serial: u64,
    users: Users,
}

impl Grant {
    /// Makes an entry that nobody uses.
    pub fn new(thing: Thing, size: u64, root: Option<Thing>, tag: u64) -> Self {
        // Memory without bytes would not be found between others.
        let least = u64::from(thing.kind == Kind::Memory);
        Self {
            thing,
            size: size.max(least),
            root,
            tag,
            ..Self::default()
        }
    }

    fn end(&self) -> u64 {
        self.thing.key.saturating_add(self.size)
    }

    fn holds(&self, address: u64, size: u64) -> bool {
        let end = address.checked_add(size);
        self.thing.key <= address && end.is_some_and(|end| end <= self.end())
    }

    /// Returns whether it is a block, or memory, of a pool of the client's.
    pub(super) fn is_of_pool(&self) -> bool {
        self.root.is_some_and(|root| root.kind == Kind::Pool)
    }

    /// Returns width and height of an encoder's pictures.
    fn sides(&self) -> (u32, u32) {
        ((self.tag >> 32) as u32, self.tag as u32)
    }
}

/// Steps that name an entry and whose end was not seen.
#[derive(Clone, Copy, Debug, Default)]
struct Users {
    count: u32,
    /// How many of them are short calls that were sent.
    ordered: u32,
    /// Where all are; `None`: copies, or in several places.
    place: Option<Place>,
    /// Calls that are never answered.
    endless: bool,
    /// How many of them may bring parts of the thing.
    givers: u32,
    /// The job that was queued last, its uses, and where they are.
    job: u64,
    own: u32,
    own_place: Option<Place>,
}

impl Users {
    /// Counts a use by a step; `lasts`: it goes on after the answer.
    fn add(&mut self, by: &Step, lasts: bool) {
        if by.endless {
            self.endless = true;
            return;
        }
        if lasts {
            // No place and no order of steps says when it ends.
            self.count = self.count.saturating_add(1);
            self.place = None;
            return;
        }
        if self.job != by.job {
            self.job = by.job;
            self.own = 0;
        }
        let merge = |count: u32, place: Option<Place>| {
            if count == 0 || place == by.place {
                by.place
            } else {
                None
            }
        };
        self.place = merge(self.count, self.place);
        self.own_place = merge(self.own, self.own_place);
        self.givers = self.givers.saturating_add(by.gives.into());
        self.count = self.count.saturating_add(1);
        self.own = self.own.saturating_add(1);
    }

    /// Returns how many of them are steps of the job of `by`, and of others.
    fn own_and_others(&self, by: &Step) -> (u32, u32) {
        let own = if self.job == by.job { self.own } else { 0 };
        (own, self.count.saturating_sub(own))
    }

    /// Returns whether a step that gives the thing back comes after all of them.
    fn precede(&self, by: &Step) -> bool {
        let (own, others) = self.own_and_others(by);
        let same = |place: Option<Place>| place.is_some() && place == by.place;
        let others_are_before =
            others == 0 || (by.short && self.ordered == others && same(self.place));
        let own_are_before = own == 0 || !by.pipelined || same(self.own_place);
        !self.endless && others_are_before && own_are_before
    }
}

/// Who names things.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Number of its job.
    pub job: u64,
    /// Where its call is carried out; `None`: a copy.
    pub place: Option<Place>,
    /// Set if the step does not wait for earlier ones of its job.
    pub pipelined: bool,
    /// Set if the frame goes as one message, so in order.
    pub short: bool,
    /// A call that the card does not answer: its end is never seen.
    pub endless: bool,
    /// Set if what it names is used after its answer, but for an encoder.
    pub feeds: bool,
    /// Set if its answer may give parts of what it names.
    pub gives: bool,
}

/// What lets a step give something back that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing: it is not in use.
    Unused,
    /// The order of calls on a stream, among those of its job.
    Own,
    /// The order of calls on a stream, with those of other jobs.
    Others,
}

/// A use of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// What is used.
    pub thing: Thing,
    serial: u64,
    job: u64,
    ordered: bool,
    /// It goes on after the answer.
    lasts: bool,
    gives: bool,
}

/// Why a step may not do what it wants to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The card has not given it to the session.
    NotGiven,
    /// Others may still use what it gives back.
    Used,
}

/// The entries of a session, in slots of which there are enough.
pub struct Table<S> {
    slots: S,
    len: usize,
    serial: u64,
    /// Slots that have to be left for what may come.
    promised: usize,
}

impl<S: DerefMut<Target = [Grant]>> Table<S> {
    /// Makes a table without entries.
    pub fn new(slots: S) -> Self {
        Self {
            slots,
            len: 0,
            serial: 0,
            promised: 0,
        }
    }

    /// Returns how many entries there are, with those that may come.
    pub fn wanted(&self) -> usize {
        self.len.saturating_add(self.promised)
    }

    /// Returns how many entries there is room for.
    pub fn room(&self) -> usize {
        self.slots.len()
    }

    /// Moves to other slots, of which there are no fewer; returns the old ones.
    pub fn move_to(&mut self, mut slots: S) -> S {
        for (to, from) in slots.iter_mut().zip(self.live()) {
            *to = *from;
        }
        core::mem::replace(&mut self.slots, slots)
    }

    /// Returns the bytes of memory that was given.
    pub fn memory(&self) -> u64 {
        let memory = self.live().iter().filter(|g| g.thing.kind == Kind::Memory);
        memory.fold(0, |sum, g| sum.saturating_add(g.size))
    }

    /// Keeps room for `entries` that may come.
    pub fn promise(&mut self, entries: usize) {
        self.promised = self.promised.saturating_add(entries);
    }

    /// Gives room up that was kept.
    pub fn redeem(&mut self, entries: usize) {
        self.promised = self.promised.saturating_sub(entries);
    }

    fn live(&self) -> &[Grant] {
        self.slots.get(..self.len).unwrap_or(&[])
    }

    fn live_mut(&mut self) -> &mut [Grant] {
        self.slots.get_mut(..self.len).unwrap_or(&mut [])
    }

    fn search(&self, thing: Thing) -> Result<usize, usize> {
        self.live().binary_search_by_key(&thing, |g| g.thing)
    }

    /// Finds a thing.
    pub fn find(&self, thing: Thing) -> Option<&Grant> {
        self.live().get(self.search(thing).ok()?)
    }

    fn find_range(&self, address: u64, size: u64) -> Option<&Grant> {
        let after = match self.search(Thing::new(Kind::Memory, address)) {
            Ok(at) => at.checked_add(1)?,
            Err(at) => at,
        };
        let before = self.live().get(after.checked_sub(1)?)?;
        // What has no bytes has an address still, which may not be that of another's first byte.
        let is_inside = before.holds(address, size.max(1));
        (before.thing.kind == Kind::Memory && is_inside).then_some(before)
    }

    /// Returns whether some of this memory was given to the session.
    pub fn overlaps(&self, address: u64, size: u64) -> bool {
        let end = address.saturating_add(size);
        let after = match self.search(Thing::new(Kind::Memory, end)) {
            Ok(at) | Err(at) => at,
        };
        let before = after.checked_sub(1).and_then(|at| self.live().get(at));
        before.is_some_and(|g| g.thing.kind == Kind::Memory && g.end() > address)
    }

    fn resolve(&self, named: &Named) -> Option<&Grant> {
        match *named {
            Named::Range { address, size } => self.find_range(address, size),
            Named::Thing(thing) => self.find(thing),
            Named::Part(thing, of) => self.find(thing).filter(|g| g.root == Some(of)),
            Named::Source {
                encoder,
                address,
                plane,
            } => {
                let sides = self.find(encoder)?.sides();
                self.find_range(address, plane.size(sides))
            }
        }
    }

    /// Notes that a step uses what it names.
    ///
    /// # Errors
    ///
    /// [`Denial::NotGiven`].
    pub fn name(&mut self, named: &Named, by: &Step) -> Result<Use, Denial> {
        let thing = self.resolve(named).ok_or(Denial::NotGiven)?.thing;
        let at = self.search(thing).map_err(|_| Denial::NotGiven)?;
        let grant = self.live_mut().get_mut(at).ok_or(Denial::NotGiven)?;
        let lasts = by.feeds && thing.kind != Kind::Encoder;
        grant.users.add(by, lasts);
        Ok(Use {
            thing,
            // No entry has number 0: a call without an end is not to be let go.
            serial: if by.endless { 0 } else { grant.serial },
            job: by.job,
            ordered: false,
            lasts,
            gives: by.gives,
        })
    }

    fn user(&mut self, used: &Use) -> Option<&mut Users> {
        let at = self.search(used.thing).ok()?;
        let grant = self.live_mut().get_mut(at)?;
        (grant.serial == used.serial).then_some(&mut grant.users)
    }

    /// Notes that a short call was sent.
    pub fn sent(&mut self, used: &mut Use) {
        if used.lasts {
            return;
        }
        if let Some(users) = self.user(used) {
            users.ordered = users.ordered.saturating_add(1);
            used.ordered = true;
        }
    }

    /// Notes that a use goes on although its call was answered.
    pub fn goes_on(&mut self, used: &mut Use) {
        let ordered = core::mem::take(&mut used.ordered);
        if let (true, Some(users)) = (ordered, self.user(used)) {
            users.ordered = users.ordered.saturating_sub(1);
        }
    }

    /// Notes that a use has ended.
    pub fn release(&mut self, used: &Use) {
        let mut used = *used;
        self.goes_on(&mut used);
        if let Some(users) = self.user(&used) {
            users.count = users.count.saturating_sub(1);
            if !used.lasts {
                users.givers = users.givers.saturating_sub(used.gives.into());
                if users.job == used.job {
                    users.own = users.own.saturating_sub(1);
                }
            }
        }
    }

    /// Notes that a context or a stream is ended: what was sent there may go on beside what comes next in a place of
    /// the same name.
    pub fn disorder(&mut self) {
        for grant in self.live_mut() {
            grant.users.place = None;
        }
    }

    /// Checks that `taken` can be given back, and returns how many entries that are.
    ///
    /// # Errors
    ///
    /// [`Denial`].
    pub fn check_take(&self, taken: &Taken, by: &Step) -> Result<usize, Denial> {
        let is_given = match *taken {
            // Memory of a block or a picture is given back with that, blocks of a picture with the picture.
            Taken::Whole(thing) => self.find(thing).is_some_and(|g| match thing.kind {
                Kind::Memory => g.root.is_none(),
                Kind::Block => g.is_of_pool(),
                _ => true,
            }),
            Taken::Parts(thing) => self.find(thing).is_some(),
            Taken::Models => true,
            Taken::Picture(decoder, places) => self.has_picture(decoder, &places),
            Taken::Packet(encoder, address) => self
                .find(Thing::new(Kind::Memory, address))
                .is_some_and(|g| g.root == Some(encoder)),
        };
        if !is_given {
            return Err(Denial::NotGiven);
        }
        if let Taken::Parts(thing) = *taken {
            // What is still to come would not be found among the parts.
            let comes = |g: &Grant| g.users.givers > 0 && !g.users.precede(by);
            if self.find(thing).is_some_and(comes) {
                return Err(Denial::Used);
            }
        }
        let tag = self.tag(taken);
        let mut count = 0usize;
        for grant in self.live().iter().filter(|g| is_part(taken, tag, g)) {
            if !grant.users.precede(by) {
                return Err(Denial::Used);
            }
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// Removes what [`Self::check_take`] has found.
    pub fn take(&mut self, taken: &Taken, mut each: impl FnMut(Grant)) {
        let tag = self.tag(taken);
        let mut kept = 0usize;
        for at in 0..self.len {
            let Some(grant) = self.slots.get(at).copied() else {
                break;
            };
            if is_part(taken, tag, &grant) {
                each(grant);
                continue;
            }
            if kept != at {
                if let Some(slot) = self.slots.get_mut(kept) {
                    *slot = grant;
                }
            }
            kept = kept.saturating_add(1);
        }
        self.len = kept;
    }

    /// Puts back what [`Self::take`] has removed, with its uses: it was not given back.
    pub fn give_back(&mut self, old: Grant) -> bool {
        if self.find(old.thing).is_some() || !self.give(old) {
            return false;
        }
        if let Ok(at) = self.search(old.thing) {
            if let Some(slot) = self.live_mut().get_mut(at) {
                *slot = old;
                // Uses may have ended meanwhile, so nothing can be said of all of them any more.
                slot.users.place = None;
            }
        }
        true
    }

    /// Returns what lets `by` give `taken` back now.
    pub fn order(&self, taken: &Taken, by: &Step) -> Order {
        let tag = self.tag(taken);
        let parts = self.live().iter().filter(|g| is_part(taken, tag, g));
        parts.fold(Order::Unused, |order, grant| {
            match (order, grant.users.own_and_others(by)) {
                (Order::Others, _) | (_, (_, 1..)) => Order::Others,
                (_, (1.., _)) if by.pipelined => Order::Own,
                (order, _) => order,
            }
        })
    }

    /// Returns the tag of a block, with which its memory goes.
    fn tag(&self, taken: &Taken) -> Option<(Thing, u64)> {
        match *taken {
            Taken::Whole(thing) if thing.kind == Kind::Block => {
                let block = self.find(thing)?;
                Some((block.root?, block.tag))
            }
            _ => None,
        }
    }

    /// Returns whether `places` are, all of them, those of one picture that the decoder has given.
    fn has_picture(&self, decoder: Thing, places: &Places) -> bool {
        let [luma, ..] = places.planes;
        let is_its = |g: &Grant| g.root == Some(decoder) && g.tag == luma;
        let planes = places.planes.iter().filter(|plane| **plane != 0);
        let mut blocks = places.blocks.iter().filter(|block| **block != 0);
        luma != 0
            && planes
                .copied()
                .all(|plane| self.find_range(plane, 0).is_some_and(is_its))
            && blocks.all(|&block| {
                self.find(Thing::new(Kind::Block, block))
                    .is_some_and(is_its)
            })
    }

    /// Adds an entry; false if what it names is the session's already, in another way. There has to be room.
    pub fn give(&mut self, grant: Grant) -> bool {
        let at = match self.search(grant.thing) {
            // The card may say the same twice.
            Ok(at) => {
                return self.live().get(at).is_some_and(|old| {
                    (old.size, old.root, old.tag) == (grant.size, grant.root, grant.tag)
                })
            }
            Err(at) => at,
        };
        if grant.thing.kind == Kind::Memory && self.overlaps(grant.thing.key, grant.size) {
            return false;
        }
        let Some(rest) = self.slots.get_mut(at..=self.len) else {
            return false;
        };
        rest.rotate_right(1);
        self.serial = self.serial.saturating_add(1);
        if let Some(slot) = rest.first_mut() {
            *slot = Grant {
                serial: self.serial,
                users: Users::default(),
                ..grant
            };
        }
        self.len = self.len.saturating_add(1);
        true
    }
}

/// Returns whether an entry goes with what is given back.
fn is_part(taken: &Taken, block: Option<(Thing, u64)>, grant: &Grant) -> bool {
    let belongs = |thing: Thing| grant.root == Some(thing);
    match *taken {
        Taken::Whole(thing) => {
            let of_block = block.is_some_and(|(pool, tag)| belongs(pool) && grant.tag == tag);
            grant.thing == thing || belongs(thing) || of_block
        }
        Taken::Parts(thing) => belongs(thing),
        Taken::Models => matches!(grant.thing.kind, Kind::Model | Kind::ModelContext),
        Taken::Picture(decoder, places) => {
            let [luma, ..] = places.planes;
            belongs(decoder) && grant.tag == luma
        }
        Taken::Packet(encoder, address) => {
            belongs(encoder) && grant.thing == Thing::new(Kind::Memory, address)
        }
    }
}
