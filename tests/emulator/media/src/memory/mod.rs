// SPDX-License-Identifier: MIT OR Apache-2.0

//! Card memory of the clients, and the pictures in it.

pub mod block;
pub mod frame;
pub mod picture;
pub mod session;
