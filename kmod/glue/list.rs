// SPDX-License-Identifier: GPL-2.0

//! What the kernel's vectors lack.

use kernel::prelude::*;

/// Takes the first element that `is` out of `list`.  What follows moves up.
pub(crate) fn take_first<T>(list: &mut KVec<T>, is: impl FnMut(&T) -> bool) -> Option<T> {
    let at = list.iter().position(is)?;
    list.remove(at).ok()
}
