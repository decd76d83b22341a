// SPDX-License-Identifier: GPL-2.0

//! All cards, by the ids that the AXCL ABI has for them, and all open files of `/dev/axcl_host`.

use kernel::sync::Arc;

use super::{
    clients::Clients,
    record::Record, //
};
use crate::{
    card::Card,
    glue::{
        global,
        params,
        pci,
        prelude::*, //
    },
    wire::axcl::ids::Ids, //
};

/// A card with its id and its programs.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) id: u32,
    pub(super) card: Arc<Card>,
    pub(super) clients: Arc<Clients>,
    /// An IOMMU keeps the card from memory that is not mapped for it.
    pub(super) translated: bool,
}

struct Table {
    cards: KVec<Entry>,
    files: KVec<Arc<Record>>,
}

impl Table {
    /// Makes an empty table.
    const fn new() -> Self {
        Self {
            cards: KVec::new(),
            files: KVec::new(),
        }
    }
}

global::table! {
    /// The one lock of all cards.  Nobody waits or sends with it held.
    static TABLE: Mutex<Table> = Table::new();
}

/// Makes the table usable; to be called before there are nodes or cards.
pub(crate) fn init() {
    init_table();
}

/// A card's place in the table; dropping it gives the id back.
pub(crate) struct Listed(u32);

impl Listed {
    /// Lists `card`, under the number of its bus if nobody has that (R01).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if all ids are taken; `ENOMEM`.
    pub(crate) fn new(card: &Arc<Card>, clients: &Arc<Clients>) -> Result<Self> {
        let mut table = TABLE.lock();
        let ids = Ids::new(table.cards.iter().map(|entry| entry.id));
        let id = ids.choose(card.link.id).ok_or(ENOSPC)?;
        if id != card.link.id {
            dev_info!(
                card.pdev,
                "AXCL programs know this card as {}, as another id {} is taken or reserved\n",
                id,
                card.link.id
            );
        }
        // In the order of the ids, as Axera's list is.
        let at = table.cards.iter().take_while(|e| e.id < id).count();
        let entry = Entry {
            id,
            card: card.clone(),
            clients: clients.clone(),
            translated: pci::is_translated(&card.pdev),
        };
        if params::axcl_abi() && !entry.translated {
            dev_warn!(
                card.pdev,
                "no IOMMU translates for this card: its AXCL programs reach all memory\n"
            );
        }
        table.cards.push(entry, GFP_KERNEL)?;
        if let Some(behind) = table.cards.get_mut(at..) {
            behind.rotate_right(1);
        }
        Ok(Self(id))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut table = TABLE.lock();
        let entry = take_first(&mut table.cards, |entry| entry.id == self.0);
        if table.cards.is_empty() {
            // Nobody drops the table when the module goes.
            table.cards = KVec::new();
        }
        drop(table);
        drop(entry);
    }
}

/// Returns the programs of the card with this id.
///
/// # Errors
///
/// `ENODEV` if there is none.
pub(super) fn find(id: u32) -> Result<Arc<Clients>> {
    Ok(entry(id)?.clients)
}

/// Returns the card with this id, and its programs.
///
/// # Errors
///
/// `ENODEV` if there is none.
pub(super) fn entry(id: u32) -> Result<Entry> {
    let table = TABLE.lock();
    let found = table.cards.iter().find(|entry| entry.id == id);
    found.cloned().ok_or(ENODEV)
}

/// Returns whether there is a card that can reach all memory.
pub(super) fn has_untranslated() -> bool {
    TABLE.lock().cards.iter().any(|entry| !entry.translated)
}

/// Returns the programs of `card`, as long as the driver is bound.
pub(crate) fn clients_of(card: &Card) -> Option<Arc<Clients>> {
    let table = TABLE.lock();
    let mut cards = table.cards.iter();
    let found = cards.find(|entry| core::ptr::eq(&*entry.card, card));
    found.map(|entry| entry.clients.clone())
}

/// Returns all cards, in the order of the ids.
///
/// # Errors
///
/// `ENOMEM`.
pub(super) fn cards() -> Result<KVec<Entry>> {
    let table = TABLE.lock();
    let mut list = KVec::with_capacity(table.cards.len(), GFP_KERNEL)?;
    list.extend_from_slice(&table.cards, GFP_KERNEL)?;
    Ok(list)
}

/// Returns the programs among which `file` has a group, if there are such.
pub(super) fn clients_with(file: &Arc<Record>) -> Option<Arc<Clients>> {
    let table = TABLE.lock();
    let mut cards = table.cards.iter();
    let found = cards.find(|entry| entry.clients.has_group_of(file));
    found.map(|entry| entry.clients.clone())
}

/// Remembers an open file.
///
/// # Errors
///
/// `ENOMEM`.
pub(super) fn add_file(file: &Arc<Record>) -> Result {
    TABLE.lock().files.push(file.clone(), GFP_KERNEL)?;
    Ok(())
}

/// Forgets an open file.
pub(super) fn remove_file(file: &Arc<Record>) {
    let mut table = TABLE.lock();
    let removed = take_first(&mut table.files, |other| Arc::ptr_eq(other, file));
    if table.files.is_empty() {
        table.files = KVec::new();
    }
    drop(table);
    drop(removed);
}

/// Tells the files that have no ports on any card that a card has died [pcie 5.7].
pub(super) fn wake_idle_files() {
    let table = TABLE.lock();
    for file in table.files.iter() {
        let uses = |entry: &Entry| entry.clients.has_group_of(file);
        if !table.cards.iter().any(uses) {
            file.raise();
        }
    }
}
