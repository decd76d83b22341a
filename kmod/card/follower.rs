// SPDX-License-Identifier: GPL-2.0

//! Who else has to know how the card is.

/// Somebody who serves clients of a card besides its sessions.
pub(crate) trait Follower: Send + Sync {
    /// Begins to serve: the card runs.
    fn up(&self);
    /// Gives up whatever clients have on the card: it goes down.
    fn down(&self);
    /// Looks after deadlines: time has passed, and something about the card may have changed.
    fn tick(&self);
    /// Returns whether there is something to watch.
    fn is_busy(&self) -> bool;
}
