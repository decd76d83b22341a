// SPDX-License-Identifier: MIT OR Apache-2.0

//! The C interface of crate `ax650`, `libax650.so.0`: `include/libax650.h` is made from the doc comments here.
//!
//! Each function checks its pointers, calls the crate, and turns what comes of it into a number and a text; a panic
//! does not leave it.  Nothing is decided here.

// C's names are the interface, and its header says what a caller must keep to.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

mod buffer;
mod card;
mod decoder;
mod encoder;
#[cfg(feature = "fake")]
mod fake;
mod image;
mod model;
mod pointer;
mod result;
mod run;
mod session;
mod splitter;

pub use buffer::*;
pub use card::*;
pub use decoder::*;
pub use encoder::*;
#[cfg(feature = "fake")]
pub use fake::*;
pub use image::*;
pub use model::*;
pub use result::*;
pub use run::*;
pub use session::*;
pub use splitter::*;
