// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models of the emulated card.
//!
//! A model image is an ONNX file, or any file whose SHA-256 names an ONNX file in the model
//! directory (`<sha256>.onnx`, or just `<sha256>`); so a program can load the compiled model that it
//! loads on a real card.
//!
//! Models of the card have fixed shapes, possibly several sets of them: *shape groups*.  An ONNX
//! model with dynamic dimensions gets them, in this order of precedence, from
//!
//! 1. the file `<sha256>.json` in the model directory, named by the image's SHA-256, or
//! 2. the model's metadata property [`GROUPS_KEY`], which `ax650-emu-model pin` writes.
//!
//! Both are JSON: a list with one object per group, which maps names of inputs to shapes.
//!
//! ```json
//! [ {"x": [1, 3, 640, 640]}, {"x": [1, 3, 960, 960]} ]
//! ```
//!
//! Without them a dynamic first dimension is 1, and a model with any other dynamic dimension is
//! refused.

mod file;
mod groups;
mod pin;
mod quiet;
pub(crate) mod runtime;
pub(crate) mod tensor;

/// Generated from `proto/onnx_subset.proto`.
#[allow(missing_docs)]
pub mod onnx {
    include!("../../proto/rust/onnx_subset.rs");
}

pub use file::{digest, Image};
pub use groups::{parse_group, parse_groups, Group, GroupError, GROUPS_KEY};
pub use pin::{pin, PinError};
pub use runtime::{LoadError, Network, TensorInfo};
pub use tensor::Format;
