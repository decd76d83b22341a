// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card that all sessions share.

pub(crate) mod busy;
pub(crate) mod card;
pub(crate) mod cardlog;
pub(crate) mod codec;
pub(crate) mod files;
pub(crate) mod npu;
pub(crate) mod options;
pub(crate) mod switches;
pub(crate) mod thermal;
