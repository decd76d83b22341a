// SPDX-License-Identifier: GPL-2.0

//! Module parameters.

extern "C" {
    fn ax650_axcl_abi() -> bool;
    fn ax650_axcl_unsafe_without_iommu() -> bool;
}

/// Returns whether there are device nodes for AXCL programs: parameter `axcl_abi`.
pub(crate) fn axcl_abi() -> bool {
    // SAFETY: no preconditions.
    unsafe { ax650_axcl_abi() }
}

/// Returns whether AXCL programs may have cards that no IOMMU keeps from other memory: parameter
/// `axcl_unsafe_without_iommu`.
pub(crate) fn axcl_unsafe_without_iommu() -> bool {
    // SAFETY: no preconditions.
    unsafe { ax650_axcl_unsafe_without_iommu() }
}
