// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures on their way from one module to the next.

pub mod flows;
pub mod links;
