// SPDX-License-Identifier: GPL-2.0

//! The AXCL ABI: four device nodes that Axera's own user space opens [pcie 5], [pcie 7], [pcie 8].
//!
//! A second door to the same cards.  Programs get message ports and host memory, and run the protocol
//! above them by themselves; so the kernel sees to it that a port is used by its owner only, that the
//! lists of memory they send name memory of theirs only, and that no memory is freed while the card may
//! still move data from or to it.  `docs/axcl-compat.md` says what differs from the vendor's driver.
//!
//! Locks, outermost first: the table of cards and files ([`registry`]), the programs of a card
//! ([`clients`]); apart from these `Rx`, a line ([`line`]), `Tx`; the queue of a file is a leaf.

pub(crate) mod clients;
pub(crate) mod endpoint;
pub(crate) mod group;
pub(crate) mod host;
pub(crate) mod line;
mod mmb;
mod p2p;
pub(crate) mod record;
pub(crate) mod registry;
mod requests;

use kernel::{prelude::*, str::CString, sync::Arc};

use crate::glue::compat::errno::ESTALE;
use crate::{
    card::Card,
    glue::{
        chardev::{Client, Node},
        params,
        time::{self, Signals, Waited, MS, S},
    },
};
use endpoint::Endpoint;
use mmb::Memory;
use p2p::Peers;
use record::Record;

/// A request whose arguments cannot be read or make no sense; -1 in the ABI.
const FAILED: Error = EPERM;

/// A card that is being booted is waited for so long [pcie 2.4].
const UP_NS: u64 = 120 * S;

/// Between looks at the state of a card, should its thread have forgotten to tell.
const LOOK_NS: u64 = 100 * MS;

/// The four nodes, unless they are switched off.
#[expect(dead_code, reason = "held to be dropped")]
pub(crate) struct Nodes(Option<Set>);

#[expect(dead_code, reason = "held to be dropped")]
struct Set(
    Pin<KBox<Node<Record>>>,
    Pin<KBox<Node<Endpoint>>>,
    Pin<KBox<Node<Memory>>>,
    Pin<KBox<Node<Peers>>>,
);

impl Nodes {
    /// Registers the nodes.  The driver goes without if that fails: the vendor's driver may be loaded,
    /// for other cards.
    pub(crate) fn new() -> Self {
        if !params::axcl_abi() {
            return Self(None);
        }
        let set = || {
            Ok::<_, Error>(Set(
                node(c"axcl_host")?,
                node(c"msg_userdev")?,
                node(c"ax_mmb_dev")?,
                node(c"p2p")?,
            ))
        };
        let set = set().inspect_err(|e| {
            pr_warn!("no device nodes for AXCL programs: {:?}\n", e);
        });
        Self(set.ok())
    }
}

fn node<C: Client<Shared = ()>>(name: &CStr) -> Result<Pin<KBox<Node<C>>>> {
    let name = CString::try_from(name)?;
    KBox::pin_init(Node::new(name, None, Arc::new((), GFP_KERNEL)?), GFP_KERNEL)
}

/// Waits until `card` can be talked to, and returns its generation.  `ETIMEDOUT`, `ERESTARTSYS`, or as
/// [`Card::check_serving`] has it.
fn wait_until_up(card: &Card, deadline: u64) -> Result<u32> {
    card.axcl.wait(deadline, || {
        let generation = card.generation();
        match card.check_serving(generation) {
            Ok(()) => Some(Ok(generation)),
            Err(e) if e == EAGAIN || e == ESTALE => None,
            Err(e) => Some(Err(e)),
        }
    })?
}

/// Why a wait is over, if it is.  To be called without locks.
fn ended(waited: Waited, deadline: u64) -> Result {
    match waited {
        Waited::Signal if !Signals::Deadly.ignore() => Err(ERESTARTSYS),
        _ if time::now() >= deadline => Err(ETIMEDOUT),
        _ => Ok(()),
    }
}
