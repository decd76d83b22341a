// SPDX-License-Identifier: GPL-2.0

//! What many files need: the kernel's prelude, and what it lacks.

pub(crate) use super::{
    compat::errno::*,
    list::take_first, //
};

pub(crate) use kernel::prelude::*;
