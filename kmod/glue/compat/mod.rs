// SPDX-License-Identifier: GPL-2.0

//! What differs between the kernels that the driver is built for: one file for each, with the same
//! items, and `Kbuild` says which.  The rest of the driver knows no version.
//!
//! * `Bar`: a mapped BAR that is taken away at unbind
//! * `Handler`, `Interrupt`: a message interrupt with a thread
//! * `IdInfo`: how `probe` gets the data of the id table; `pci_table!` makes that table
//! * `errno`: the error codes that not all of them have in their prelude
//! * `PollCondVarBox`: where pollers wait, in memory of its own
//! * `bus_address`: where the device sees coherent memory
//! * `with_owner`: file operations that keep the module loaded while files are open

#[cfg(not(ax650_kernel_7_3))]
mod v7_2;
#[cfg(ax650_kernel_7_3)]
mod v7_3;

#[cfg(not(ax650_kernel_7_3))]
pub(crate) use v7_2::*;
#[cfg(ax650_kernel_7_3)]
pub(crate) use v7_3::*;

/// What is done when the device interrupts.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Runs in a thread of its own.
    fn handle(&self);
}
