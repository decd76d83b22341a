// SPDX-License-Identifier: MIT OR Apache-2.0

//! The schema of the calls, generated from `proto`.

#![allow(
    missing_docs,
    clippy::doc_markdown,
    clippy::enum_variant_names,
    clippy::large_enum_variant
)]

macro_rules! package {
    ($($name:ident)*) => {$(
        pub mod $name {
            include!(concat!("../../../../proto/rust/axclrpc.", stringify!($name), ".rs"));
        }
    )*};
}

package!(runtime system memory engine p2p usrwork native);

include!("../../../../proto/rust/axclrpc.rs");
