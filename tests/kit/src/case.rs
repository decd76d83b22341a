// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a case is: a function, and what it needs to run.

use anyhow::Result;
use serde_json::{json, Value};

/// A case.  The defaults are those of [`Case::new`].
pub struct Case {
    /// Name: the requirement it tests and what it does, e.g. `R06_unplug_during_boot`.
    pub name: &'static str,
    /// The file it is in.
    pub concern: &'static str,
    /// Returns if all is well; see [`skip`] for what cannot be tested here.
    pub run: fn(&mut Context) -> Result<()>,
    /// Seconds on an idle machine with a distribution's kernel; the harness allows more on the debug one.
    pub timeout_s: u64,
    /// Seconds when the case goes on for long, in `make soak`; 0: it has no long form.
    pub soak_s: u64,
    /// State in which it finds module and cards.
    pub start: Start,
    /// Kernels that it makes sense on.
    pub kernels: &'static [&'static str],
    /// Machines to run it on; empty: every boot, after all other cases.
    pub machines: &'static [Machine],
    /// Reports in the kernel's log that it provokes: texts that their lines contain.
    pub allow: &'static [&'static str],
    /// The case makes the card touch memory that is not mapped for it.
    pub dma_faults: bool,
}

/// What a case finds when it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// The module is loaded and all cards are RUNNING.
    Running,
    /// The module is not loaded; the cards are as the last case left them.
    Unloaded,
    /// Whatever.
    Any,
}

/// A machine.
#[derive(Clone, Copy)]
pub struct Machine {
    /// `on`, `off` or `swiotlb`
    pub iommu: &'static str,
    /// number of cards
    pub cards: u32,
    /// MiB, 0 for the usual
    pub memory: u32,
    /// options of the emulated cards
    pub card_args: &'static [&'static str],
    /// Devices do not see the CPU's caches.  Only arm64 has such machines.
    pub noncoherent: bool,
    /// the cards sit below one switch
    pub switch: bool,
}

/// Kernels as distributions ship them: for what says nothing on the debug kernel (times), or nothing more (work that is user
/// space's alone).
pub const STOCK: &[&str] = &["trixie-backports", "forky"];

/// The usual machine: one card behind an IOMMU.
pub const USUAL: Machine = Machine {
    iommu: "on",
    cards: 1,
    memory: 0,
    card_args: &[],
    noncoherent: false,
    switch: false,
};
/// Two cards.
pub const TWO_CARDS: Machine = Machine { cards: 2, ..USUAL };
/// No IOMMU, and so much memory that most of it is above 4 GiB.
pub const HIGH_MEMORY: Machine = Machine {
    iommu: "off",
    memory: 5120,
    ..USUAL
};
/// Two cards below one switch.
pub const SWITCH: Machine = Machine {
    switch: true,
    ..TWO_CARDS
};
/// Bounce buffers for every streaming transfer.
pub const SWIOTLB: Machine = Machine {
    iommu: "swiotlb",
    ..USUAL
};

/// Caches that must be written back, page by page, behind an IOMMU.
pub const NONCOHERENT: Machine = Machine {
    noncoherent: true,
    ..USUAL
};
/// Caches that must be written back, without an IOMMU, with memory above 4 GiB.
pub const NONCOHERENT_HIGH: Machine = Machine {
    noncoherent: true,
    ..HIGH_MEMORY
};

impl Case {
    /// Makes a case with the usual needs.
    pub const fn new(
        concern: &'static str,
        name: &'static str,
        run: fn(&mut Context) -> Result<()>,
    ) -> Self {
        Self {
            name,
            concern,
            run,
            timeout_s: 60,
            soak_s: 0,
            start: Start::Running,
            kernels: &["trixie-backports", "forky", "debug"],
            machines: &[USUAL],
            allow: &[],
            dma_faults: false,
        }
    }
}

/// Lists functions as cases of this file: `ax650_test_kit::cases!["unplug": R06_unplug_idle, R06_remove { timeout_s: 90 }]`.
#[macro_export]
macro_rules! cases {
    ($concern:literal: $($name:ident $({ $($field:ident: $value:expr),* $(,)? })?),* $(,)?) => {
        /// The cases of this file.
        pub const CASES: &[$crate::case::Case] = &[$(
            $crate::case::Case {
                $($($field: $value,)*)?
                ..$crate::case::Case::new($concern, stringify!($name), $name)
            },
        )*];
    };
}

/// What a case is given.
pub struct Context {
    /// Harness, QEMU and the cards' control sockets.
    pub host: crate::host::Host,
    /// How often the case has rebooted the guest so far.
    pub phase: u64,
}

/// Variable that is set in the processes of cases that go on for long: to how much of their long form they do, in
/// percent.
pub const SOAK: &str = "AX650_SOAK";

/// Returns whether cases go on for long.
pub fn soaks() -> bool {
    std::env::var_os(SOAK).is_some()
}

/// Returns how often to do a thing: `usual` in `make test`, `soak`, or the part of it that was asked for, in
/// `make soak`.
pub fn rounds(usual: u32, soak: u32) -> u32 {
    let Ok(part) = std::env::var(SOAK) else {
        return usual;
    };
    let part = part.parse().unwrap_or(100).min(100_u64);
    usual.max((u64::from(soak) * part / 100) as u32)
}

/// The error of a case that cannot be run here; anything else that it returns is a failure.
#[derive(Debug)]
pub struct Skip(pub String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Ends the case: it cannot be run here, for this reason.
pub fn skip<T>(reason: impl Into<String>) -> Result<T> {
    Err(Skip(reason.into()).into())
}

/// Returns what the harness wants to know of the cases.
pub fn describe(cases: &[&Case]) -> Value {
    let machine = |m: &Machine| {
        json!({
            "iommu": m.iommu, "cards": m.cards, "memory": m.memory, "card_args": m.card_args,
            "noncoherent": m.noncoherent, "switch": m.switch,
        })
    };
    cases
        .iter()
        .map(|case| {
            json!({
                "name": case.name,
                "concern": case.concern,
                "kernels": case.kernels,
                "profiles": case.machines.iter().map(machine).collect::<Vec<_>>(),
                "timeout_s": case.timeout_s,
                "soak_s": case.soak_s,
                "allow": case.allow,
                "dma_faults": case.dma_faults,
            })
        })
        .collect()
}
