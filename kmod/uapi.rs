// SPDX-License-Identifier: GPL-2.0

//! Structures and numbers of the ioctl interface, by their names in the module.
//!
//! `uapi/ax650.rs` is made of `uapi/ax650.h`, which documents them field by field.

use crate::glue::plain::plain;

/// Leaves the codes of requests out: the module dispatches on their numbers.
macro_rules! requests {
    ($($_:tt)*) => {};
}
use requests;

#[path = "../uapi/ax650.rs"]
#[allow(
    dead_code,
    non_camel_case_types,
    unreachable_pub,
    unused_imports,
    reason = "the file is shared with user space, which needs other parts of it"
)]
mod header;

pub(crate) use header::{
    ax650_buffer_create as BufferCreate,
    ax650_buffer_destroy as BufferDestroy,
    ax650_buffer_export as BufferExport,
    ax650_card_info as CardInfo,
    ax650_client as ClientInfo,
    ax650_control as Control,
    ax650_counters as Counters,
    ax650_limits as Limits,
    ax650_query as Query,
    ax650_session_create as SessionCreate,
    ax650_session_destroy as SessionDestroy,
    ax650_step as Step,
    ax650_step_result as StepResult,
    ax650_submit as Submit,
    ax650_telemetry as Telemetry,
    ax650_wait as Wait,
    AX650_ABI_VERSION as ABI_VERSION,
    AX650_BUFFER_DMA_BUF as BUFFER_DMA_BUF,
    AX650_BUFFER_READ_ONLY as BUFFER_READ_ONLY,
    AX650_BUFFER_USER_MEMORY as BUFFER_USER_MEMORY,
    AX650_CONTROL_BOOT as CONTROL_BOOT,
    AX650_CONTROL_IF_NEEDED as CONTROL_IF_NEEDED,
    AX650_CONTROL_RESET as CONTROL_RESET,
    AX650_INTERFACE_AXCL as INTERFACE_AXCL,
    AX650_IOC_TYPE as IOC_TYPE,
    AX650_QUERY_CARD as QUERY_CARD,
    AX650_QUERY_CLIENTS as QUERY_CLIENTS,
    AX650_QUERY_COUNTERS as QUERY_COUNTERS,
    AX650_QUERY_LIMITS as QUERY_LIMITS,
    AX650_QUERY_TELEMETRY as QUERY_TELEMETRY,
    AX650_STEP_CALL as STEP_CALL,
    AX650_STEP_COPY_FROM_CARD as STEP_COPY_FROM_CARD,
    AX650_STEP_COPY_TO_CARD as STEP_COPY_TO_CARD,
    AX650_STEP_NO_REPLY as STEP_NO_REPLY,
    AX650_STEP_PIPELINED as STEP_PIPELINED,
    AX650_TELEMETRY_CMM as TELEMETRY_CMM,
    AX650_TELEMETRY_CPU as TELEMETRY_CPU,
    AX650_TELEMETRY_MEMORY as TELEMETRY_MEMORY,
    AX650_TELEMETRY_NPU as TELEMETRY_NPU,
    AX650_TELEMETRY_TEMPERATURE as TELEMETRY_TEMPERATURE,
    AX650_WAIT_NO_POLL as WAIT_NO_POLL, //
};

/// Numbers of the requests.
pub(crate) mod number {
    pub(crate) use super::header::{
        AX650_NR_BUFFER_CREATE as BUFFER_CREATE,
        AX650_NR_BUFFER_DESTROY as BUFFER_DESTROY,
        AX650_NR_BUFFER_EXPORT as BUFFER_EXPORT,
        AX650_NR_CONTROL as CONTROL,
        AX650_NR_QUERY as QUERY,
        AX650_NR_SESSION_CREATE as SESSION_CREATE,
        AX650_NR_SESSION_DESTROY as SESSION_DESTROY,
        AX650_NR_SUBMIT as SUBMIT,
        AX650_NR_WAIT as WAIT, //
    };
}
