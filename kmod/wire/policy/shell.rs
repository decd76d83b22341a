// SPDX-License-Identifier: GPL-2.0

//! Command lines that anyone may run on the card: the property queries [rpc 4.2], letter by letter.
//! They only read, take no arguments, and tell nothing that is secret.

use super::{
    Once,
    Refusal, //
};
use crate::wire::{
    bytes::Text,
    proctext::command, //
};

const FIXED: [&[u8]; 18] = [
    command::CHIP.as_bytes(),
    command::VERSION.as_bytes(),
    command::UID.as_bytes(),
    command::MEMORY.as_bytes(),
    command::CMM.as_bytes(),
    command::TEMPERATURE.as_bytes(),
    command::CPU.as_bytes(),
    command::NPU.as_bytes(),
    b"cat /proc/meminfo",
    b"top -bn1 | grep -E \"CPU:|Load average:\" | grep -v \"grep\"",
    b"cat /proc/ax_proc/vdec",
    b"cat /proc/ax_proc/venc",
    b"cat /proc/ax_proc/jenc",
    b"cat /proc/ax_proc/ivps",
    b"cat /proc/ax_proc/rgn",
    b"cat /proc/ax_proc/ive",
    b"cat /proc/ax_proc/pool",
    b"cat /proc/ax_proc/link_table",
];

/// NPU memory of one process: this, its process id, and [`PID_AFTER`].
const PID_BEFORE: &[u8] = b"cat /proc/ax_proc/mem_cmm_info | grep -E 'name=\"npu_.*_pid";
const PID_AFTER: &[u8] = b".*\"' || true";
/// Digits of the largest process id.
const PID_DIGITS: usize = 10;

/// Returns whether anyone may run this command line.
pub fn is_property_query(line: &[u8]) -> bool {
    FIXED.contains(&line)
        || line
            .strip_prefix(PID_BEFORE)
            .and_then(|rest| rest.strip_suffix(PID_AFTER))
            .is_some_and(|pid| {
                (1..=PID_DIGITS).contains(&pid.len()) && pid.iter().all(u8::is_ascii_digit)
            })
}

/// Checks the shell part of a control request for an unprivileged client.
pub(super) fn check(shell: &[u8]) -> Result<(), Refusal<'_>> {
    let shell = Once::<2>::read("shell request", shell)?;
    let line = shell.bytes(1)?.unwrap_or(&[]);
    if shell.bytes(2)?.is_some() || !is_property_query(line) {
        return Err(Refusal::Shell(Text::new(line)));
    }
    Ok(())
}
