// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's messages, made from `proto/*.proto` (`proto/rust`); [`axclrpc::Request`] and [`axclrpc::Response`] are
//! the outermost ones.

#![allow(missing_docs, clippy::all)]

include!("../proto/rust/axcl.rs");
