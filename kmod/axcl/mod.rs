// SPDX-License-Identifier: GPL-2.0

//! The AXCL ABI: four device nodes that Axera's own user space opens [pcie 5], [pcie 7], [pcie 8].
//!
//! A second door to the same cards.  Programs get message ports and host memory, and run the protocol
//! above them by themselves; so the kernel sees to it that a port is used by its owner only, that the
//! lists of memory they send name memory of theirs only, and that no memory is freed while the card may
//! still move data from or to it.  `docs/axcl-compat.md` says what differs from Axera's driver.
//!
//! Locks, outermost first: the table of cards and files ([`registry`]), the programs of a card
//! ([`clients`]); apart from these `Rx`, a line ([`line`]), `Tx`; the queue of a file is a leaf.

mod access;
pub(crate) mod clients;
mod endpoint;
pub(crate) mod follower;
pub(crate) mod group;
mod host;
mod line;
mod messages;
mod mmb;
mod p2p;
mod place;
mod record;
pub(crate) mod registry;
mod requests;
mod rules;

use kernel::{
    str::CString,
    sync::Arc, //
};

use crate::glue::{
    chardev::{
        Client,
        Node, //
    },
    params,
    prelude::*, //
};
use endpoint::Endpoint;
use p2p::Peers;
use record::Record;

/// The four nodes, if they are switched on.
#[expect(dead_code, reason = "held to be dropped")]
pub(crate) struct Nodes(Option<Set>);

#[expect(dead_code, reason = "held to be dropped")]
struct Set(
    Pin<KBox<Node<Record>>>,
    Pin<KBox<Node<Endpoint>>>,
    Pin<KBox<Node<mmb::File>>>,
    Pin<KBox<Node<Peers>>>,
);

impl Nodes {
    /// Registers the nodes.  The driver goes without if that fails: Axera's driver may be loaded,
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
        if set.is_ok() {
            pr_notice!(
                "device nodes for AXCL programs are on: whoever may open them owns the cards\n"
            );
        }
        Self(set.ok())
    }
}

fn node<C: Client<Shared = ()>>(name: &CStr) -> Result<Pin<KBox<Node<C>>>> {
    let name = CString::try_from(name)?;
    KBox::pin_init(Node::new(name, None, Arc::new((), GFP_KERNEL)?), GFP_KERNEL)
}
