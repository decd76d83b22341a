// SPDX-License-Identifier: GPL-2.0

//! `/dev/p2p`: where the BARs of the cards are, for cards that talk to each other [pcie 8.3].
//!
//! The driver does not touch the bridges (R50): whether cards reach each other is for the kernel's own
//! rules about peers to say, and for the administrator to change.

use kernel::{
    fs::File,
    ioctl::{
        _IOC_NR,
        _IOC_TYPE, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

use super::{
    access,
    registry,
    rules::FAILED, //
};
use crate::{
    card::Card,
    glue::{
        chardev,
        pci,
        prelude::*, //
    },
    wire::axcl::p2p::{
        self,
        Entry, //
    }, //
};

/// An open file, which has nothing of its own.
pub(super) struct Peers;

/// Makes the table, if all cards are below switches and reach each other.
fn table() -> Result<[u8; p2p::TABLE_SIZE]> {
    let mut cards = registry::cards()?;
    cards.retain(|entry| !entry.card.is_gone());
    let reaches = |client: &Card, provider: &Card| {
        core::ptr::eq(client, provider) || pci::reaches(&client.pdev, &provider.pdev)
    };
    let mut entries: KVec<Entry> = KVec::with_capacity(cards.len(), GFP_KERNEL)?;
    for listed in cards.iter() {
        let card = &listed.card;
        let others = || cards.iter().map(|other| &*other.card);
        if !pci::is_behind_switch(&card.pdev) || !others().all(|other| reaches(other, card)) {
            return Err(FAILED);
        }
        let (bar0, bar1, bar0_size) = pci::bars(&card.pdev);
        let entry = Entry {
            device: listed.id,
            bar0,
            bar1,
            bar0_size,
        };
        entries.push(entry, GFP_KERNEL)?;
    }
    let mut table = [0; p2p::TABLE_SIZE];
    p2p::table(&entries, &mut table);
    Ok(table)
}

impl chardev::Client for Peers {
    type Shared = ();
    const POLL: bool = false;
    const COMPAT: bool = false;
}

#[vtable]
impl MiscDevice for Peers {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        access::check()?;
        Ok(Arc::new(Self, GFP_KERNEL)?)
    }

    fn ioctl(
        _me: kernel::sync::ArcBorrow<'_, Self>,
        _file: &File,
        cmd: u32,
        arg: usize,
    ) -> Result<isize> {
        if _IOC_TYPE(cmd) != p2p::TYPE {
            return Ok(0);
        }
        if _IOC_NR(cmd) != p2p::GET_TABLE {
            return Err(EINVAL);
        }
        let table = table()?;
        UserSlice::new(UserPtr::from_addr(arg), table.len())
            .writer()
            .write_slice(&table)?;
        Ok(0)
    }
}
