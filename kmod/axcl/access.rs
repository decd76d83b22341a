// SPDX-License-Identifier: GPL-2.0

//! Who may use the nodes where no IOMMU keeps a card from memory that is not mapped for it (K1).
//!
//! A program of AXCL owns its card, and that reaches all memory then: so its owner must have the right
//! to do so anyway, or the administrator must have said that it does not matter.

use kernel::pr_warn_once;

use super::registry;
use crate::glue::{
    params,
    prelude::*,
    task, //
};

/// Returns whether the caller may have cards that can reach all memory.
pub(super) fn is_trusted() -> bool {
    params::axcl_unsafe_without_iommu() || task::is_raw_io()
}

/// Checks that the caller may open a node.
///
/// # Errors
///
/// `EPERM` if there is a card that can reach all memory, and the caller has no right to that.
pub(super) fn check() -> Result {
    if registry::has_untranslated() && !is_trusted() {
        pr_warn_once!(
            "AXCL programs need CAP_SYS_RAWIO: no IOMMU translates for a card (see axcl_unsafe_without_iommu)\n"
        );
        return Err(EPERM);
    }
    Ok(())
}
