// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! `AX650_IOC_QUERY`: read-only facts about a card; no session is needed.

use crate::layout::{consts, plain};

consts! { u32:
    /// [`ax650_query::kind`]: one [`ax650_card_info`].
    AX650_QUERY_CARD = 1;
    /// [`ax650_query::kind`]: one [`ax650_telemetry`].
    AX650_QUERY_TELEMETRY = 2;
    /// [`ax650_query::kind`]: one [`ax650_counters`].
    AX650_QUERY_COUNTERS = 3;
    /// [`ax650_query::kind`]: an array of [`ax650_client`].
    AX650_QUERY_CLIENTS = 4;
    /// [`ax650_query::kind`]: one [`ax650_limits`].
    AX650_QUERY_LIMITS = 5;
}

consts! { u32:
    /// [`ax650_client::interface`]: this one.
    AX650_INTERFACE_NATIVE = 0;
    /// [`ax650_client::interface`]: the device nodes for programs of AXCL.
    AX650_INTERFACE_AXCL = 1;
}

consts! { u32:
    /// [`ax650_card_info::state`]: not yet looked at.
    AX650_STATE_ABSENT = 0;
    /// [`ax650_card_info::state`]: reset, waiting for firmware.
    AX650_STATE_LOADER = 1;
    /// [`ax650_card_info::state`]: firmware is being sent.
    AX650_STATE_BOOTING = 2;
    /// [`ax650_card_info::state`]: firmware started, rings being set up.
    AX650_STATE_HANDSHAKE = 3;
    /// [`ax650_card_info::state`]: sessions can be made.
    AX650_STATE_RUNNING = 4;
    /// [`ax650_card_info::state`]: missed a heartbeat; being probed.
    AX650_STATE_SUSPECT = 5;
    /// [`ax650_card_info::state`]: boot or recovery failed, see
    /// [`ax650_card_info::last_error`].
    AX650_STATE_DEAD = 6;
    /// [`ax650_card_info::state`]: a reset is under way.
    AX650_STATE_RESETTING = 7;
    /// [`ax650_card_info::state`]: does not answer on the bus; is booted if it does again.
    AX650_STATE_GONE = 8;
}

consts! { u64:
    /// [`ax650_telemetry::valid`]: `temperature_mc` was read.
    AX650_TELEMETRY_TEMPERATURE = 1 << 0;
    /// [`ax650_telemetry::valid`]: `cpu_load` was read.
    AX650_TELEMETRY_CPU = 1 << 1;
    /// [`ax650_telemetry::valid`]: `npu_load` was read.
    AX650_TELEMETRY_NPU = 1 << 2;
    /// [`ax650_telemetry::valid`]: `memory_total` and `memory_free` were read.
    AX650_TELEMETRY_MEMORY = 1 << 3;
    /// [`ax650_telemetry::valid`]: `cmm_total` and `cmm_used` were read.
    AX650_TELEMETRY_CMM = 1 << 4;
}

plain! {
    /// Ask for one kind of information.
    pub struct ax650_query {
        /// In: an `AX650_QUERY_` number (unknown: EINVAL).
        pub kind: u32,
        /// In: bytes at `data`; out: bytes the kernel has to give.  min(in, out) bytes are written.
        pub size: u32,
        /// In: where to; may be 0 when `size` is 0.
        pub data: u64,
        /// Must be 0.
        pub flags: u32,
        /// Must be 0.
        pub reserved: u32,
    }
}

plain! {
    /// Identity and state of a card.
    pub struct ax650_card_info {
        /// `AX650_ABI_VERSION` of the driver.
        pub abi_version: u32,
        /// An `AX650_STATE_` number.
        pub state: u32,
        /// Grows by one at every boot of the card; handles of older ones answer ESTALE.
        pub generation: u32,
        /// Negative errno of the last failed boot or recovery, 0 if none.
        pub last_error: i32,
        /// PCI domain.
        pub pci_domain: u32,
        /// PCI bus number.
        pub pci_bus: u16,
        /// `device << 3 | function`.
        pub pci_devfn: u16,
        /// PCI vendor id.
        pub vendor: u16,
        /// PCI device id.
        pub device: u16,
        /// PCI subsystem vendor id.
        pub subsystem_vendor: u16,
        /// PCI subsystem device id.
        pub subsystem_device: u16,
        /// Current link speed, MT/s (5000 = 5 GT/s), 0 if not known.
        pub link_speed_mtps: u32,
        /// Current link width, lanes.
        pub link_width: u32,
        /// Id the card calls itself in its heartbeat; informative.
        pub card_id: u32,
        /// Interval the card announced.
        pub heartbeat_interval_ms: u32,
        /// Time since the last accepted heartbeat, ~0 if there was none.
        pub heartbeat_age_ns: u64,
        /// Bytes of firmware sent in the present or last boot.
        pub boot_bytes_done: u64,
        /// Bytes of firmware to be sent, 0 before the first boot.
        pub boot_bytes_total: u64,
        /// Duration of the last boot from reset to RUNNING.
        pub boot_time_ns: u64,
        /// Bits latched by the chip (0 normal, bit 0 software reset, 1 thermal, 3, 4 watchdog).
        pub boot_reason: u32,
        /// Always 0.
        pub reserved: u32,
        /// What the card reports, NUL padded.
        pub firmware_version: [u8; 64],
        /// Version in the header of the container that was sent, NUL padded.
        pub firmware_file: [u8; 32],
        /// SHA-256 of that container.
        pub firmware_sha256: [u8; 32],
        /// Chip name the card reports, NUL padded.
        pub chip: [u8; 32],
        /// Unique id of the chip, 0 if not known.
        pub uid: u64,
    }
}

plain! {
    /// What the card says of itself, asked by the driver's own session.
    pub struct ax650_telemetry {
        /// `AX650_TELEMETRY_` bits; fields without their bit are 0.
        pub valid: u64,
        /// Age of the values (they are kept for up to a second).
        pub age_ns: u64,
        /// Junction temperature, 1/1000 degree Celsius.
        pub temperature_mc: i32,
        /// Load of the card's CPUs, 1/100 percent.
        pub cpu_load: u32,
        /// Load of the NPU, 1/100 percent.
        pub npu_load: u32,
        /// Always 0.
        pub reserved: u32,
        /// Memory of the card's Linux, bytes.
        pub memory_total: u64,
        /// The same, free.
        pub memory_free: u64,
        /// Contiguous memory for models, tensors and pictures, bytes.
        pub cmm_total: u64,
        /// The same, in use.
        pub cmm_used: u64,
    }
}

plain! {
    /// What happened on this card since the driver was bound.
    pub struct ax650_counters {
        /// Messages put into the host to card ring.
        pub messages_sent: u64,
        /// Messages taken from the card to host ring.
        pub messages_received: u64,
        /// Doorbells rung.
        pub doorbells: u64,
        /// Doorbells rung again because the card had not moved.
        pub doorbells_recovered: u64,
        /// Times no mailbox slot was to be had.
        pub doorbell_busy: u64,
        /// Message interrupts.
        pub interrupts: u64,
        /// Messages found by the timer, not by an interrupt.
        pub interrupts_recovered: u64,
        /// Register reads.
        pub mmio_reads: u64,
        /// Register writes.
        pub mmio_writes: u64,
        /// Payload bytes moved by card DMA, host to card.
        pub bytes_to_card: u64,
        /// The same, card to host.
        pub bytes_from_card: u64,
        /// Times the host to card ring was full.
        pub ring_full: u64,
        /// Messages with a bad header or an impossible length.
        pub bad_messages: u64,
        /// Times the card's ring pointers made no sense.
        pub ring_corrupt: u64,
        /// Messages for a port that nobody owns.
        pub dropped_no_port: u64,
        /// Messages dropped because their receiver was full.
        pub dropped_overflow: u64,
        /// Answers that nobody waited for any more.
        pub late_replies: u64,
        /// Heartbeats accepted.
        pub heartbeats: u64,
        /// Times the heartbeat was late.
        pub heartbeats_missed: u64,
        /// Latency echoes sent because of that.
        pub pings: u64,
        /// Built-in test calls made because of that.
        pub canaries: u64,
        /// Sessions closed by the driver because the card stopped serving them.
        pub session_resets: u64,
        /// Chip resets.
        pub resets: u64,
        /// Completed boots.
        pub boots: u64,
        /// Failed boots.
        pub boot_failures: u64,
        /// Jobs completed.
        pub jobs: u64,
        /// Of these, with an error.
        pub jobs_failed: u64,
        /// Memory kept back, now, because the card may still write to it.
        pub quarantined_bytes: u64,
        /// Memory of all buffers, now.
        pub buffer_bytes: u64,
    }
}

plain! {
    /// One open session, or one program of AXCL.
    pub struct ax650_client {
        /// Process that made it, in the caller's pid namespace, 0 if not visible there.
        pub pid: i32,
        /// Its number on the card (first port), not a handle.
        pub session: u32,
        /// Memory of the file's buffers; of the process's, for AXCL.
        pub buffer_bytes: u64,
        /// Jobs completed; 0 for AXCL.
        pub jobs: u64,
        /// Payload moved to the card.
        pub bytes_to_card: u64,
        /// Payload moved from the card.
        pub bytes_from_card: u64,
        /// Name of the process, NUL padded.
        pub command: [u8; 16],
        /// By which interface it uses the card.
        pub interface: u32,
        /// 0.
        pub reserved: u32,
    }
}

plain! {
    /// What this driver allows.
    pub struct ax650_limits {
        /// Sessions at a time on a card.
        pub max_sessions_per_card: u32,
        /// Of these by one open file.
        pub max_sessions_per_file: u32,
        /// Buffers at a time.
        pub max_buffers_per_file: u32,
        /// Jobs submitted and not yet waited for.
        pub max_jobs_per_session: u32,
        /// Steps in one SUBMIT.
        pub max_steps_per_job: u32,
        /// Longest request or answer frame, header included.
        pub max_frame_bytes: u32,
        /// Largest single buffer.
        pub max_buffer_bytes: u64,
        /// Memory of all buffers of one open file.
        pub max_bytes_per_file: u64,
        /// Memory of all buffers of one card.
        pub max_bytes_per_card: u64,
        /// Of a job that names none.
        pub default_timeout_ns: u64,
    }
}
