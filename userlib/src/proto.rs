// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's messages, made from `proto/*.proto`; [`axclrpc::Request`] and [`axclrpc::Response`] are
//! the outermost ones.

#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/axcl.rs"));
