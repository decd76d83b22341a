// SPDX-License-Identifier: MIT OR Apache-2.0

//! What cases in the guest are made with, whichever door of the driver they go through: the host
//! channel, the costs of operations, the kernel's files, other processes, guarded pages.  Nothing here knows an interface
//! of the driver.

pub mod case;
pub mod costs;
pub mod errors;
pub mod failures;
pub mod guarded;
pub mod host;
pub mod kernel;
pub mod map;
pub mod onnx;
pub mod process;
pub mod random;
