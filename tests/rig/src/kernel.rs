// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kernels that guests run, and which cases each of them gets.

use serde::Deserialize;

/// Which kernel the guest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// Debian 13's, out of its backports, unmodified
    #[value(alias = "stock")]
    TrixieBackports,
    /// Debian forky's, unmodified
    Forky,
    /// the source of the first with KASAN, lockdep, DMA-API debugging, kmemleak ...
    Debug,
}

impl Kernel {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::TrixieBackports, Self::Forky, Self::Debug];

    /// Returns the name that tests/env/kernels.sh knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrixieBackports => "trixie-backports",
            Self::Forky => "forky",
            Self::Debug => "debug",
        }
    }

    /// Returns how many times slower things are on it, at worst, than on a distribution's kernel on
    /// an idle machine.
    pub fn slowness(self) -> u32 {
        match self {
            Self::TrixieBackports | Self::Forky => 2,
            Self::Debug => 4,
        }
    }

    /// Returns the cases that are run on it when all kernels are.
    ///
    /// Forky's kernel differs from the first in the interfaces that `kmod/glue` uses, not in what the
    /// driver does with them.  The debug kernel finds what the driver does wrong with memory and locks.
    pub fn sample(self) -> &'static Sample {
        match self {
            Self::TrixieBackports => &Sample::ALL,
            Self::Forky => &Sample {
                only: FORKY,
                but: &[],
            },
            Self::Debug => &Sample {
                only: &[],
                but: NOT_DEBUG,
            },
        }
    }
}

/// Some of the cases, as patterns.
pub struct Sample {
    /// Patterns of the cases that it has; without any, all.
    pub only: &'static [&'static str],
    /// Patterns of those that it does not have.
    pub but: &'static [&'static str],
}

impl Sample {
    /// Sample of all cases.
    pub const ALL: Self = Self {
        only: &[],
        but: &[],
    };
}

/// What the debug kernel, four times as slow, would look for in places that other cases have led it to.  `KERNEL=debug`
/// and `make soak` run these, too.
const NOT_DEBUG: &[&str] = &[
    // The driver sees calls and copies, as in `jobs`, `engine`, `pipeline` and `axcl_media`.
    "cli/*",
    "codec/*",
    "examples/*",
    "library/*",
    "llm/*",
    "speech/*",
    // Times that are waited for.
    "axcl_pains/P2_create_without_an_answer",
    "axcl_pains/R04_status_tool_after_a_failed_boot",
    "axcl_pains/R11_handshake_never_answered",
    "axcl_pains/R36_reply_of_41_bytes",
    "firmware/R23_card_never_answers_a_chunk",
    "reset/C2_reset_that_is_given_up_first",
    "reset/C6_heart_beats_while_the_service_is_silent",
    "reset/R18_first_heartbeat_late",
    "reset/R18_odd_intervals",
    // Times that are compared.
    "neighbours/K5_calls_that_are_never_answered",
    "neighbours/K5_calls_without_answer",
    "neighbours/K5_flood",
    // Kernels that boot again.
    "reset/P4_*",
];

/// Each part of `kmod/glue` and `kmod/observe` in use, and its end with the device.
const FORKY: &[&str] = &[
    // adapter, mmio, region, pci, thread
    "boot/ready_after_load",
    "boot/R08_load_returns_at_once",
    "boot/R22_two_cards_boot_at_once",
    "boot/R53_no_firmware_file",
    // chardev, eventfd, plain, task, time
    "jobs/steps_run_in_order",
    "jobs/eventfd_and_poll_tell_the_end",
    "jobs/timeouts_are_absolute",
    "jobs/long_frames_both_ways",
    "jobs/copies_on_several_streams",
    "abi/R42_unknown_requests",
    "abi/bad_pointers",
    "abi/structures_of_other_versions",
    // dma, pages; with an IOMMU, without one, with bounce buffers
    "buffers/R44_zeroed",
    "buffers/R45_mappings_stay_inside",
    "buffers/R45_mapping_outlives_handle_and_file",
    "buffers/R49_data",
    "sessions/R12_signals_end_all_waits",
    "sessions/R39_fork_threads_and_duplicates",
    "engine/model_runs",
    // global, params, pci: the nodes of AXCL
    "axcl_abi/K1_nodes_are_off_unless_switched_on",
    "axcl_runtime/open_work_close",
    "axcl_runtime/copies_from_a_byte_to_windows",
    "axcl_abi/P1_killed_in_a_transfer",
    "axcl_abi/S8_1_wake_ends_a_wait",
    "axcl_abi/S8_2_poll",
    "axcl_abi/S7_2_scatter",
    "axcl_abi/S7_4_mapping_outlives_the_file",
    "axcl_runtime/open_work_close",
    // the interrupt
    "transport/R30_lost_interrupts",
    "transport/R30_spurious_interrupts",
    // attributes and sensor
    "observe/P28_attributes",
    "observe/P29_temperature",
    // callbacks of the buses
    "reset/R15_configuration_is_restored",
    "reset/R09_suspend_and_resume",
    "reset/R09_error_on_the_bus",
    "reset/R09_function_reset",
    "reset/R19_unload_in_any_state",
    "unplug/P9_unbind_with_open_files_and_mappings",
    "unplug/P9_rmmod_with_open_file_is_refused",
    "unplug/R05_rebind",
    "unplug/R06_unplug_during_jobs",
    "unplug/R47_unplug_with_mapped_buffers",
    "unplug/P3_card_torn_off",
];
