// SPDX-License-Identifier: GPL-2.0

//! What happened on a card: `struct ax650_counters`.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// A number that only statistics and limits depend on.
pub(crate) struct Counter(Atomic<i64>);

impl Default for Counter {
    fn default() -> Self {
        Self(Atomic::new(0))
    }
}

impl Counter {
    /// Adds `n` to the counter.
    pub(crate) fn add(&self, n: u64) {
        self.0.add(n as i64, Relaxed);
    }

    /// Adds `n` and returns the sum.
    pub(crate) fn add_to(&self, n: u64) -> u64 {
        (self.0.fetch_add(n as i64, Relaxed).wrapping_add(n as i64)).max(0) as u64
    }

    /// Takes `n` away.
    pub(crate) fn sub(&self, n: u64) {
        self.0.add((n as i64).wrapping_neg(), Relaxed);
    }

    /// Makes `n` the counter's value.
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n as i64, Relaxed);
    }

    /// Returns the counter's value.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed).max(0) as u64
    }
}

macro_rules! counters {
    ($($name:ident),+ $(,)?) => {
        /// The counters of one card; `uapi/ax650.h` says what each of them counts.
        #[derive(Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)+
        }

        impl Counters {
            /// Returns the counters' values, with those that are no events left 0.
            pub(crate) fn snapshot(&self) -> crate::uapi::Counters {
                crate::uapi::Counters {
                    $($name: self.$name.get(),)+
                    quarantined_bytes: 0,
                    buffer_bytes: 0,
                }
            }

            /// Shows `f` each of them with its name.
            pub(crate) fn for_each(&self, mut f: impl FnMut(&str, u64)) {
                $(f(stringify!($name), self.$name.get());)+
            }
        }
    };
}

counters! {
    messages_sent,
    messages_received,
    doorbells,
    doorbells_recovered,
    doorbell_busy,
    interrupts,
    interrupts_recovered,
    mmio_reads,
    mmio_writes,
    bytes_to_card,
    bytes_from_card,
    ring_full,
    bad_messages,
    ring_corrupt,
    dropped_no_port,
    dropped_overflow,
    late_replies,
    heartbeats,
    heartbeats_missed,
    pings,
    canaries,
    session_resets,
    resets,
    boots,
    boot_failures,
    jobs,
    jobs_failed,
}
