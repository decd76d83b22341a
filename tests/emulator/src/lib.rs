// SPDX-License-Identifier: MIT OR Apache-2.0

//! The hardware and the kernel side of an emulated AX650N card, served over vfio-user.
//!
//! [`card::Card`] is the card.  [`pci::Backend`] is its PCI function: [`pci::Listener`] serves it to
//! QEMU, and tests call it without any socket.  The service on the card is made by a function that
//! the card is given: `ax650_emu_daemon::start` in the program, [`echo::Echo`] in tests of the
//! hardware.  [`control`] is the socket on which tests read counters and set fault switches.
//! The user's manual is docs/emulator.md; [pcie 4.5] in comments is a section of docs/protocol/.

pub mod boot;
pub mod card;
pub mod control;
pub mod counters;
pub mod dma;
pub mod echo;
pub mod event;
pub mod function;
pub mod hex;
pub mod lifecycle;
pub mod link;
pub mod parts;
pub mod pci;
pub mod rings;
pub mod switches;
