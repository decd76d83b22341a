// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the card is made of: each part owns its state and knows no other.

mod hostility;
mod images;
mod interrupts;
mod life;
mod mailbox;
mod on_chip;
mod registers;
mod service;

pub use hostility::{Dice, Hostility};
pub(crate) use images::CHUNK;
pub use images::{Image, Images};
pub use interrupts::Interrupts;
pub use life::{Generation, Interrupted, Life, State, WallClock};
pub use mailbox::{Doorbell, Fault as MailboxFault, Mailbox};
pub use on_chip::OnChipRam;
pub use registers::Bar0;
pub(crate) use registers::Command as BootCommand;
pub use service::Service;
