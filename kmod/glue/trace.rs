// SPDX-License-Identifier: GPL-2.0

//! Events for ftrace, perf and BPF; `trace.h` says what they tell.

use kernel::{
    bindings,
    pci,
    prelude::*, //
};

use super::pci::raw_device;

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_trace_state(dev: *mut bindings::device, from: *const c_char, to: *const c_char);
    fn ax650_trace_recovery(dev: *mut bindings::device, what: *const c_char);
    fn ax650_trace_doorbell(dev: *mut bindings::device, rung: u64);
    fn ax650_trace_job_queued(dev: *mut bindings::device, session: u32, job: u64, steps: u32);
    fn ax650_trace_step_sent(
        dev: *mut bindings::device,
        session: u32,
        job: u64,
        step: u32,
        kind: u32,
    );
    fn ax650_trace_step_answered(
        dev: *mut bindings::device,
        session: u32,
        job: u64,
        step: u32,
        bytes: u64,
    );
    fn ax650_trace_job_done(dev: *mut bindings::device, session: u32, job: u64, status: c_int);
}

/// A step of a job of a session.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// The first port of the session.
    pub(crate) session: u32,
    pub(crate) job: u64,
    pub(crate) index: usize,
}

/// Tells that the state of a card has changed.
pub(crate) fn state(pdev: &pci::Device, from: &CStr, to: &CStr) {
    let dev = raw_device(pdev.as_ref());
    // SAFETY: a valid device; texts are copied.
    unsafe { ax650_trace_state(dev, from.as_char_ptr(), to.as_char_ptr()) };
}

/// Tells what is done about a card that has gone wrong.
pub(crate) fn recovery(pdev: &pci::Device, what: &CStr) {
    // SAFETY: a valid device; the text is copied.
    unsafe { ax650_trace_recovery(raw_device(pdev.as_ref()), what.as_char_ptr()) };
}

/// Tells that the doorbell was rung, as often as `rung` since the rings were set up.
pub(crate) fn doorbell(pdev: &pci::Device, rung: u64) {
    // SAFETY: a valid device.
    unsafe { ax650_trace_doorbell(raw_device(pdev.as_ref()), rung) };
}

/// Tells that a session has got a job.
pub(crate) fn job_queued(pdev: &pci::Device, session: u32, job: u64, steps: usize) {
    // SAFETY: a valid device.
    unsafe { ax650_trace_job_queued(raw_device(pdev.as_ref()), session, job, steps as u32) };
}

/// Tells that the card was told of a step, or of a part of it, whose frame is of type `kind`.
pub(crate) fn step_sent(pdev: &pci::Device, step: Step, kind: u32) {
    let dev = raw_device(pdev.as_ref());
    // SAFETY: a valid device.
    unsafe { ax650_trace_step_sent(dev, step.session, step.job, step.index as u32, kind) };
}

/// Tells that the card has answered a step, or moved a part of it: `bytes`.
pub(crate) fn step_answered(pdev: &pci::Device, step: Step, bytes: u32) {
    let (dev, bytes) = (raw_device(pdev.as_ref()), bytes.into());
    // SAFETY: a valid device.
    unsafe { ax650_trace_step_answered(dev, step.session, step.job, step.index as u32, bytes) };
}

/// Tells that a job has ended.
pub(crate) fn job_done(pdev: &pci::Device, session: u32, job: u64, status: i32) {
    // SAFETY: a valid device.
    unsafe { ax650_trace_job_done(raw_device(pdev.as_ref()), session, job, status) };
}
