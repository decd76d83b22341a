// SPDX-License-Identifier: GPL-2.0

//! Structures and numbers of `uapi/ax650.h`, which documents them field by field.
//!
//! Pure data, so that `tests/wire` can compare every size, offset and number with the header's.

#![allow(unreachable_pub, reason = "`pub` lets the host tests reach the items")]

/// `struct ax650_query`: ask for one kind of information.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Query {
    pub kind: u32,
    pub size: u32,
    pub data: u64,
    pub flags: u32,
    pub reserved: u32,
}

/// `struct ax650_card_info`: identity and state of a card.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CardInfo {
    pub abi_version: u32,
    pub state: u32,
    pub generation: u32,
    pub last_error: i32,
    pub pci_domain: u32,
    pub pci_bus: u16,
    pub pci_devfn: u16,
    pub vendor: u16,
    pub device: u16,
    pub subsystem_vendor: u16,
    pub subsystem_device: u16,
    pub link_speed_mtps: u32,
    pub link_width: u32,
    pub card_id: u32,
    pub heartbeat_interval_ms: u32,
    pub heartbeat_age_ns: u64,
    pub boot_bytes_done: u64,
    pub boot_bytes_total: u64,
    pub boot_time_ns: u64,
    pub boot_reason: u32,
    pub reserved: u32,
    pub firmware_version: [u8; 64],
    pub firmware_file: [u8; 32],
    pub firmware_sha256: [u8; 32],
    pub chip: [u8; 32],
    pub uid: u64,
}

/// `struct ax650_telemetry`: what the card says of itself, asked by the driver's own session.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Telemetry {
    pub valid: u64,
    pub age_ns: u64,
    pub temperature_mc: i32,
    pub cpu_load: u32,
    pub npu_load: u32,
    pub reserved: u32,
    pub memory_total: u64,
    pub memory_free: u64,
    pub cmm_total: u64,
    pub cmm_used: u64,
}

/// `struct ax650_counters`: what happened on this card since the driver was bound.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Counters {
    pub messages_sent: u64,
    pub messages_received: u64,
    pub doorbells: u64,
    pub doorbells_recovered: u64,
    pub doorbell_busy: u64,
    pub interrupts: u64,
    pub interrupts_recovered: u64,
    pub mmio_reads: u64,
    pub mmio_writes: u64,
    pub bytes_to_card: u64,
    pub bytes_from_card: u64,
    pub ring_full: u64,
    pub bad_messages: u64,
    pub ring_corrupt: u64,
    pub dropped_no_port: u64,
    pub dropped_overflow: u64,
    pub late_replies: u64,
    pub heartbeats: u64,
    pub heartbeats_missed: u64,
    pub pings: u64,
    pub canaries: u64,
    pub session_resets: u64,
    pub resets: u64,
    pub boots: u64,
    pub boot_failures: u64,
    pub jobs: u64,
    pub jobs_failed: u64,
    pub quarantined_bytes: u64,
    pub buffer_bytes: u64,
}

/// `struct ax650_client`: one open session, or one program of AXCL.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct ClientInfo {
    pub pid: i32,
    pub session: u32,
    pub buffer_bytes: u64,
    pub jobs: u64,
    pub bytes_to_card: u64,
    pub bytes_from_card: u64,
    pub command: [u8; 16],
    pub interface: u32,
    pub reserved: u32,
}

/// `struct ax650_limits`: what this driver allows.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Limits {
    pub max_sessions_per_card: u32,
    pub max_sessions_per_file: u32,
    pub max_buffers_per_file: u32,
    pub max_jobs_per_session: u32,
    pub max_steps_per_job: u32,
    pub max_frame_bytes: u32,
    pub max_buffer_bytes: u64,
    pub max_bytes_per_file: u64,
    pub max_bytes_per_card: u64,
    pub default_timeout_ns: u64,
}

/// `struct ax650_session_create`: open a session: ports, handshake, default context.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct SessionCreate {
    pub flags: u32,
    pub log_level: u32,
    pub timeout_ns: u64,
    pub session: u32,
    pub generation: u32,
    pub context: u32,
    pub card_id: u32,
    pub next_sequence: u64,
}

/// `struct ax650_session_destroy`: end a session; its unfinished jobs end with ECANCELED.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct SessionDestroy {
    pub session: u32,
    pub flags: u32,
}

/// `struct ax650_buffer_create`: host memory that the card can reach.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct BufferCreate {
    pub size: u64,
    pub flags: u32,
    pub handle: u32,
    pub mmap_offset: u64,
}

/// `struct ax650_buffer_destroy`: give up a handle.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct BufferDestroy {
    pub handle: u32,
    pub flags: u32,
}

/// `struct ax650_step`: one step of a job.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Step {
    pub op: u32,
    pub flags: u32,
    pub sequence: u64,
    pub context: u32,
    pub stream: u32,
    pub card_address: u64,
    pub buffer: u32,
    pub reply_buffer: u32,
    pub offset: u64,
    pub size: u64,
    pub frame: u64,
    pub reply_offset: u64,
    pub reply_capacity: u32,
    pub reserved: u32,
}

/// `struct ax650_submit`: queue a job.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Submit {
    pub session: u32,
    pub flags: u32,
    pub steps: u64,
    pub step_count: u32,
    pub step_size: u32,
    pub timeout_ns: u64,
    pub user_data: u64,
    pub eventfd: i32,
    pub reserved: u32,
    pub job: u64,
}

/// `struct ax650_step_result`: how a step ended.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct StepResult {
    pub status: i32,
    pub flags: u32,
    pub bytes: u64,
    pub sent_ns: u64,
    pub done_ns: u64,
}

/// `struct ax650_wait`: wait for the end of a job, and forget it.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Wait {
    pub job: u64,
    pub timeout_ns: u64,
    pub results: u64,
    pub result_count: u32,
    pub result_size: u32,
    pub flags: u32,
    pub status: i32,
    pub user_data: u64,
    pub queued_ns: u64,
    pub done_ns: u64,
    pub woken_ns: u64,
}

/// `struct ax650_control`: reset or boot.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Control {
    pub op: u32,
    pub flags: u32,
    pub generation: u32,
    pub reserved: u32,
}

/// `AX650_QUERY_CARD`: struct ax650_card_info.
pub const QUERY_CARD: u32 = 1;
/// `AX650_QUERY_TELEMETRY`: struct ax650_telemetry.
pub const QUERY_TELEMETRY: u32 = 2;
/// `AX650_QUERY_COUNTERS`: struct ax650_counters.
pub const QUERY_COUNTERS: u32 = 3;
/// `AX650_QUERY_CLIENTS`: array of struct ax650_client.
pub const QUERY_CLIENTS: u32 = 4;
/// `AX650_QUERY_LIMITS`: struct ax650_limits.
pub const QUERY_LIMITS: u32 = 5;
/// `AX650_INTERFACE_AXCL`.
pub const INTERFACE_AXCL: u32 = 1;
/// `AX650_STEP_COPY_TO_CARD`: buffer -> card memory.
pub const STEP_COPY_TO_CARD: u32 = 1;
/// `AX650_STEP_COPY_FROM_CARD`: card memory -> buffer.
pub const STEP_COPY_FROM_CARD: u32 = 2;
/// `AX650_STEP_CALL`: a request frame, and its answer.
pub const STEP_CALL: u32 = 3;
/// `AX650_CONTROL_BOOT`: reset the card and boot the installed firmware.
pub const CONTROL_BOOT: u32 = 1;
/// `AX650_CONTROL_RESET`: reset the card and leave it in its loader.
pub const CONTROL_RESET: u32 = 2;
/// `AX650_TELEMETRY_TEMPERATURE`.
pub const TELEMETRY_TEMPERATURE: u64 = 1 << 0;
/// `AX650_TELEMETRY_CPU`.
pub const TELEMETRY_CPU: u64 = 1 << 1;
/// `AX650_TELEMETRY_NPU`.
pub const TELEMETRY_NPU: u64 = 1 << 2;
/// `AX650_TELEMETRY_MEMORY`.
pub const TELEMETRY_MEMORY: u64 = 1 << 3;
/// `AX650_TELEMETRY_CMM`.
pub const TELEMETRY_CMM: u64 = 1 << 4;
/// `AX650_STEP_PIPELINED`.
pub const STEP_PIPELINED: u32 = 1 << 0;
/// `AX650_STEP_NO_REPLY`.
pub const STEP_NO_REPLY: u32 = 1 << 1;
/// `AX650_CONTROL_IF_NEEDED`.
pub const CONTROL_IF_NEEDED: u32 = 1 << 0;
/// `AX650_ABI_VERSION`.
pub const ABI_VERSION: u32 = 1;
/// `AX650_IOC_TYPE`.
pub const IOC_TYPE: u32 = 0xA6;

/// Numbers of the requests.
pub mod number {
    /// `AX650_IOC_QUERY`, `struct ax650_query`.
    pub const QUERY: u32 = 0x00;
    /// `AX650_IOC_SESSION_CREATE`, `struct ax650_session_create`.
    pub const SESSION_CREATE: u32 = 0x01;
    /// `AX650_IOC_SESSION_DESTROY`, `struct ax650_session_destroy`.
    pub const SESSION_DESTROY: u32 = 0x02;
    /// `AX650_IOC_BUFFER_CREATE`, `struct ax650_buffer_create`.
    pub const BUFFER_CREATE: u32 = 0x03;
    /// `AX650_IOC_BUFFER_DESTROY`, `struct ax650_buffer_destroy`.
    pub const BUFFER_DESTROY: u32 = 0x04;
    /// `AX650_IOC_SUBMIT`, `struct ax650_submit`.
    pub const SUBMIT: u32 = 0x05;
    /// `AX650_IOC_WAIT`, `struct ax650_wait`.
    pub const WAIT: u32 = 0x06;
    /// `AX650_IOC_CONTROL`, `struct ax650_control`.
    pub const CONTROL: u32 = 0x07;
}
