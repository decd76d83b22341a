// SPDX-License-Identifier: GPL-2.0

//! Module parameters.

extern "C" {
    fn ax650_axcl_abi() -> bool;
}

/// Returns whether there are device nodes for AXCL programs: parameter `axcl_abi`.
pub(crate) fn axcl_abi() -> bool {
    // SAFETY: no preconditions.
    unsafe { ax650_axcl_abi() }
}
