// SPDX-License-Identifier: GPL-2.0

//! Tables that all cards share.

use kernel::sync::atomic::{
    Atomic,
    Full, //
};

/// Whether something is done for the first time.
pub(crate) struct First(Atomic<u32>);

impl First {
    /// Makes the mark of what was not done yet.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Returns true for the first call only.
    pub(crate) fn is_now(&self) -> bool {
        self.0.xchg(1, Full) == 0
    }
}

/// Makes a static table with a lock, and `init_table`, which the module must call before it is used.
macro_rules! table {
    ($(#[$doc:meta])* static $name:ident: Mutex<$ty:ty> = $value:expr;) => {
        kernel::sync::global_lock! {
            $(#[$doc])*
            // SAFETY: `init_table` is called first of all.
            unsafe(uninit) static $name: Mutex<$ty> = $value;
        }

        /// Makes the table usable.
        #[allow(unsafe_code)]
        fn init_table() {
            static FIRST: $crate::glue::global::First = $crate::glue::global::First::new();
            if FIRST.is_now() {
                // SAFETY: once only.
                unsafe { $name.init() };
            }
        }
    };
}
pub(crate) use table;
