// SPDX-License-Identifier: GPL-2.0

//! What all cards share: the table of the AXCL ABI, which knows cards by number.

use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Full},
};

use crate::axcl::registry::Table;

kernel::sync::global_lock! {
    // SAFETY: `init` is the first thing that the module does.
    pub(crate) unsafe(uninit) static TABLE: Mutex<Table> = Table::new();
}

/// Whether [`init`] has run.
static DONE: Atomic<u32> = Atomic::new(0);

/// Makes the table usable; to be called before there are nodes or cards.
pub(crate) fn init() {
    if DONE.xchg(1, Full) == 0 {
        // SAFETY: once only, as per `DONE`.
        unsafe { TABLE.init() };
    }
}
