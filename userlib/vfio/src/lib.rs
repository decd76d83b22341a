// SPDX-License-Identifier: GPL-2.0

//! An experiment: AX650N cards for one program, on kernels that cannot have the driver.
//!
//! [`VfioCard`] stands where the driver stands.  It reaches the card over VFIO, boots it, and carries out the jobs of
//! the crate [`ax650`].  What it can and cannot do, and for whom it is: `docs/vfio.md`.
//!
//! The protocol is that of `kmod/wire`, the very files that the driver is compiled with.

#[path = "../../../kmod/wire/mod.rs"]
mod wire;

mod boot;
mod bulk;
mod container;
mod dma;
mod error;
mod function;
mod handshake;
mod ioctl;
mod jobs;
mod link;
mod poll;
mod session;
mod space;
mod sysfs;
mod transport;

pub use error::{Error, Result};
pub use transport::VfioCard;
