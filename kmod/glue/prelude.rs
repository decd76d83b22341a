// SPDX-License-Identifier: GPL-2.0

//! What nearly every file needs: the kernel's prelude, and the error codes that are not in it for all kernels.

pub(crate) use super::compat::errno::*;

pub(crate) use kernel::prelude::*;
