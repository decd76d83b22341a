// SPDX-License-Identifier: GPL-2.0

//! All cards, by the ids that the AXCL ABI has for them, and all open files of `/dev/axcl_host`.

use kernel::{prelude::*, sync::Arc};

use super::record::Record;
use crate::{card::Card, glue::global::TABLE, wire::axcl::ids::Ids};

/// A card and its id.
pub(crate) struct Entry {
    id: u32,
    card: Arc<Card>,
}

/// The one table; `glue/global.rs` has it.
pub(crate) struct Table {
    cards: KVec<Entry>,
    files: KVec<Arc<Record>>,
}

impl Table {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self {
            cards: KVec::new(),
            files: KVec::new(),
        }
    }
}

/// A card's place in the table; dropping it gives the id back.
pub(crate) struct Listed(u32);

impl Listed {
    /// Lists `card`, under the number of its bus if nobody has that (R01).
    pub(crate) fn new(card: &Arc<Card>) -> Result<Self> {
        let mut table = TABLE.lock();
        let ids = Ids::new(table.cards.iter().map(|entry| entry.id));
        let id = ids.choose(card.id).ok_or(ENOSPC)?;
        if id != card.id {
            dev_info!(
                card.pdev,
                "AXCL programs know this card as {}, as another id {} is taken or reserved\n",
                id,
                card.id
            );
        }
        // In the order of the ids, as the vendor's list is.
        let at = table.cards.iter().take_while(|e| e.id < id).count();
        let card = card.clone();
        table.cards.push(Entry { id, card }, GFP_KERNEL)?;
        if let Some(behind) = table.cards.get_mut(at..) {
            behind.rotate_right(1);
        }
        Ok(Self(id))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut table = TABLE.lock();
        let at = table.cards.iter().position(|entry| entry.id == self.0);
        let entry = at.and_then(|at| table.cards.remove(at).ok());
        if table.cards.is_empty() {
            // Nobody drops the table when the module goes.
            table.cards = KVec::new();
        }
        drop(table);
        drop(entry);
    }
}

/// The card with this id; `ENODEV` if there is none.
pub(crate) fn find(id: u32) -> Result<Arc<Card>> {
    let table = TABLE.lock();
    let found = table.cards.iter().find(|entry| entry.id == id);
    found.map(|entry| entry.card.clone()).ok_or(ENODEV)
}

/// Shows `f` each card with its id, in the order of the ids.  `f` may not wait.
pub(crate) fn for_each(mut f: impl FnMut(u32, &Arc<Card>)) {
    for entry in TABLE.lock().cards.iter() {
        f(entry.id, &entry.card);
    }
}

/// All cards with their ids, in the order of the ids.
pub(crate) fn cards() -> Result<KVec<(u32, Arc<Card>)>> {
    let table = TABLE.lock();
    let mut list = KVec::with_capacity(table.cards.len(), GFP_KERNEL)?;
    for entry in table.cards.iter() {
        list.push((entry.id, entry.card.clone()), GFP_KERNEL)?;
    }
    Ok(list)
}

/// Remembers an open file.
pub(crate) fn add_file(file: &Arc<Record>) -> Result {
    TABLE.lock().files.push(file.clone(), GFP_KERNEL)?;
    Ok(())
}

/// Forgets it.
pub(crate) fn remove_file(file: &Arc<Record>) {
    let mut table = TABLE.lock();
    let at = table
        .files
        .iter()
        .position(|other| Arc::ptr_eq(other, file));
    let removed = at.and_then(|at| table.files.remove(at).ok());
    if table.files.is_empty() {
        table.files = KVec::new();
    }
    drop(table);
    drop(removed);
}

/// A card has died: tells the files that have no ports on any card [pcie 5.7].
pub(crate) fn wake_idle_files() {
    let table = TABLE.lock();
    for file in table.files.iter() {
        let uses = |entry: &Entry| entry.card.axcl.has_group_of(file);
        if !table.cards.iter().any(uses) {
            file.raise();
        }
    }
}
