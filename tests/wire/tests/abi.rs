// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kernel's structures and numbers of the ioctl interface are those of the crate `ax650-uapi`, which
//! a test of that crate compares with the header.

#[path = "../../../kmod/uapi.rs"]
#[allow(dead_code)]
mod types;

use core::mem::{offset_of, size_of};

macro_rules! same_layout {
    ($($kernel:ident == $user:ident { $($field:ident),+ $(,)? })+) => {
        $(
            assert_eq!(size_of::<types::$kernel>(), size_of::<ax650_uapi::$user>(), stringify!($user));
            let mut end = 0;
            $(
                assert_eq!(
                    offset_of!(types::$kernel, $field),
                    offset_of!(ax650_uapi::$user, $field),
                    concat!(stringify!($user), ".", stringify!($field)),
                );
                // No padding: each field begins where the one before it ends.
                assert_eq!(offset_of!(types::$kernel, $field), end, stringify!($user.$field));
                end += field_size(|s: &types::$kernel| &raw const s.$field);
            )+
            assert_eq!(end, size_of::<types::$kernel>(), stringify!($user));
        )+
    };
}

/// Size of the field that `_get` points to.
fn field_size<S, F>(_get: impl Fn(&S) -> *const F) -> usize {
    size_of::<F>()
}

#[test]
fn structures_are_those_of_the_crate() {
    same_layout! {
        Query == ax650_query {
            kind, size, data, flags, reserved,
        }
        CardInfo == ax650_card_info {
            abi_version, state, generation, last_error, pci_domain, pci_bus, pci_devfn, vendor, device, subsystem_vendor, subsystem_device, link_speed_mtps, link_width, card_id, heartbeat_interval_ms, heartbeat_age_ns, boot_bytes_done, boot_bytes_total, boot_time_ns, boot_reason, reserved, firmware_version, firmware_file, firmware_sha256, chip, uid,
        }
        Telemetry == ax650_telemetry {
            valid, age_ns, temperature_mc, cpu_load, npu_load, reserved, memory_total, memory_free, cmm_total, cmm_used,
        }
        Counters == ax650_counters {
            messages_sent, messages_received, doorbells, doorbells_recovered, doorbell_busy, interrupts, interrupts_recovered, mmio_reads, mmio_writes, bytes_to_card, bytes_from_card, ring_full, bad_messages, ring_corrupt, dropped_no_port, dropped_overflow, late_replies, heartbeats, heartbeats_missed, pings, canaries, session_resets, resets, boots, boot_failures, jobs, jobs_failed, quarantined_bytes, buffer_bytes,
        }
        ClientInfo == ax650_client {
            pid, session, buffer_bytes, jobs, bytes_to_card, bytes_from_card, command, interface, reserved,
        }
        Limits == ax650_limits {
            max_sessions_per_card, max_sessions_per_file, max_buffers_per_file, max_jobs_per_session, max_steps_per_job, max_frame_bytes, max_buffer_bytes, max_bytes_per_file, max_bytes_per_card, default_timeout_ns,
        }
        SessionCreate == ax650_session_create {
            flags, log_level, timeout_ns, session, generation, context, card_id, next_sequence,
        }
        SessionDestroy == ax650_session_destroy {
            session, flags,
        }
        BufferCreate == ax650_buffer_create {
            size, flags, handle, mmap_offset,
        }
        BufferDestroy == ax650_buffer_destroy {
            handle, flags,
        }
        Step == ax650_step {
            op, flags, sequence, context, stream, card_address, buffer, reply_buffer, offset, size, frame, reply_offset, reply_capacity, reserved,
        }
        Submit == ax650_submit {
            session, flags, steps, step_count, step_size, timeout_ns, user_data, eventfd, reserved, job,
        }
        StepResult == ax650_step_result {
            status, flags, bytes, sent_ns, done_ns,
        }
        Wait == ax650_wait {
            job, timeout_ns, results, result_count, result_size, flags, status, user_data, queued_ns, done_ns, woken_ns,
        }
        Control == ax650_control {
            op, flags, generation, reserved,
        }
    }
}

#[test]
fn numbers_are_those_of_the_crate() {
    macro_rules! same {
        ($($kernel:ident == $user:ident),+ $(,)?) => {
            $(assert_eq!(u64::from(types::$kernel), u64::from(ax650_uapi::$user), stringify!($user));)+
        };
    }
    same! {
        QUERY_CARD == AX650_QUERY_CARD,
        QUERY_TELEMETRY == AX650_QUERY_TELEMETRY,
        QUERY_COUNTERS == AX650_QUERY_COUNTERS,
        QUERY_CLIENTS == AX650_QUERY_CLIENTS,
        QUERY_LIMITS == AX650_QUERY_LIMITS,
        TELEMETRY_TEMPERATURE == AX650_TELEMETRY_TEMPERATURE,
        TELEMETRY_CPU == AX650_TELEMETRY_CPU,
        TELEMETRY_NPU == AX650_TELEMETRY_NPU,
        TELEMETRY_MEMORY == AX650_TELEMETRY_MEMORY,
        TELEMETRY_CMM == AX650_TELEMETRY_CMM,
        STEP_COPY_TO_CARD == AX650_STEP_COPY_TO_CARD,
        STEP_COPY_FROM_CARD == AX650_STEP_COPY_FROM_CARD,
        STEP_CALL == AX650_STEP_CALL,
        STEP_PIPELINED == AX650_STEP_PIPELINED,
        STEP_NO_REPLY == AX650_STEP_NO_REPLY,
        CONTROL_BOOT == AX650_CONTROL_BOOT,
        CONTROL_RESET == AX650_CONTROL_RESET,
        CONTROL_IF_NEEDED == AX650_CONTROL_IF_NEEDED,
        ABI_VERSION == AX650_ABI_VERSION,
        IOC_TYPE == AX650_IOC_TYPE,
    }
}
