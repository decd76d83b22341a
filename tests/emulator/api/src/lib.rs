// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the parts of the emulated card share: the card's memory and the seams between its hardware
//! (`ax650-emu`), the service that runs on it (`ax650-emu-daemon`) and its codec
//! (`ax650-emu-media`).

mod cmm;
mod dram;
mod held;
pub mod priority;

use std::sync::Arc;

pub use cmm::{Cmm, CmmBlock, CmmError};
pub use dram::{Dram, DramError};
pub use held::{FreedInUse, Held, Hold, Holds};

/// Why a host memory access by the card failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DmaError {
    /// The host has not mapped this bus address for the card (or not in this direction).
    #[error("bus address {0:#x} is not mapped for the card")]
    Fault(u64),
    /// The card has been reset or lost its bus since the work began.
    #[error("the card was reset")]
    Reset,
}

/// Why a message could not be put into the card to host ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The ring stayed full for the whole retry time [pcie 4.6].
    #[error("the host does not empty the ring")]
    Full,
    /// Longer than a message may be [pcie 4.6].
    #[error("a message of {0} bytes")]
    TooLong(usize),
    /// The card has been reset since the work began.
    #[error("the card was reset")]
    Reset,
}

/// What the card's hardware and kernel give to the daemon.  All calls may be made from any thread;
/// after a reset of the chip all of them fail, and the daemon is dropped.
pub trait Link: Send + Sync {
    /// Sends one message to the host on `port` and raises the message interrupt.
    fn send(&self, port: u32, payload: &[u8]) -> Result<(), SendError>;
    /// DMA from host memory at `bus` into `buf`.
    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> Result<(), DmaError>;
    /// DMA from `data` to host memory at `bus`.
    fn dma_write(&self, bus: u64, data: &[u8]) -> Result<(), DmaError>;
    /// DMA between host memory and card memory without a copy in between: host to card.
    fn dma_to_card(&self, bus: u64, card: u64, len: u64) -> Result<(), DmaError>;
    /// The same, card to host.
    fn dma_from_card(&self, card: u64, bus: u64, len: u64) -> Result<(), DmaError>;
    /// The card's memory.
    fn dram(&self) -> &Arc<Dram>;
    /// The allocator of the card's CMM memory.
    fn cmm(&self) -> &Arc<Cmm>;
    /// The id the card calls itself [pcie 1.7].
    fn card_id(&self) -> u32;
    /// Adds `by` to the named counter, which the control socket shows.
    fn count(&self, counter: &str, by: u64);
    /// The value of a fault switch, if the control socket has set it (docs/emulator.md).
    fn switch(&self, name: &str) -> Option<serde_json::Value>;
}

/// The service on the card.  One is made at every boot and dropped at reset.
pub trait Daemon: Send + Sync {
    /// A message has come on `port` (11, or 21 and above).  Must not block: it runs in the thread
    /// that drains the ring.
    fn message(&self, port: u32, payload: Vec<u8>);
    /// The chip is being reset: stop all work; returns when no thread uses the link any more.
    fn stop(&self);
    /// State for the control socket: sessions, models, unknown calls and so on.
    fn report(&self) -> serde_json::Value;
}
