// SPDX-License-Identifier: GPL-2.0

//! What the card's thread tells the programs of AXCL.

use kernel::sync::Arc;

use super::{
    clients::Clients,
    registry, //
};
use crate::{
    card::follower,
    glue::prelude::*, //
};

/// Follows a card for its programs.
pub(crate) struct Follower(Arc<Clients>);

impl Follower {
    /// Makes the follower that serves `clients`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(clients: &Arc<Clients>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(clients.clone()), GFP_KERNEL)?)
    }
}

impl follower::Follower for Follower {
    fn up(&self) {
        self.0.up();
    }

    /// Ends all groups, and tells their programs ([pcie 5.7], R16).
    fn down(&self) {
        if self.0.was_up() {
            // First, while those who are told of their groups still have them.
            registry::wake_idle_files();
        }
        self.0.fail();
    }

    fn tick(&self) {
        self.0.tick();
    }

    fn is_busy(&self) -> bool {
        self.0.is_busy()
    }
}
