// SPDX-License-Identifier: GPL-2.0

//! Who else has to know how the card is.

/// Somebody who serves clients of a card besides its sessions.
pub(crate) trait Follower: Send + Sync {
    /// The card runs.
    fn up(&self);
    /// The card goes down: whatever clients have there is lost.
    fn down(&self);
    /// Time has passed, and something about the card may have changed.
    fn tick(&self);
    /// Whether there is something to watch.
    fn is_busy(&self) -> bool;
}
