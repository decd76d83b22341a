// SPDX-License-Identifier: MIT OR Apache-2.0

//! Allocations that fail on demand: the fault injection of the debug kernel.

use std::ops::Range;

use anyhow::{bail, Context as _, Result};

use crate::kernel;

const SLAB: &str = "/sys/kernel/debug/failslab";
const PAGES: &str = "/sys/kernel/debug/fail_page_alloc";
const USERCOPY: &str = "/sys/kernel/debug/fail_usercopy";
const NTH: &str = "/proc/self/fail-nth";

/// Has nothing fail but what is asked for, of all sizes, and without a word in the log.
pub fn set_up() -> Result<()> {
    for dir in [SLAB, PAGES, USERCOPY] {
        kernel::write(format!("{dir}/verbose"), "0")?;
        kernel::write(format!("{dir}/probability"), "0")?;
    }
    for dir in [SLAB, PAGES] {
        kernel::write(format!("{dir}/ignore-gfp-wait"), "N")?;
    }
    kernel::write(format!("{PAGES}/min-order"), "0")
}

/// Has the `nth` allocation of this thread fail.
pub fn arm(nth: u32) -> Result<()> {
    kernel::write(NTH, &nth.to_string())
}

/// Ends the wait for a failure; whether it has come.  Asking may be what fails in its place.
pub fn disarm() -> Result<bool> {
    let failed = kernel::read(NTH).map_or(true, |left| left == "0");
    if kernel::write(NTH, "0").is_err() {
        kernel::write(NTH, "0")?;
    }
    Ok(failed)
}

/// Returns the process id of the kernel's thread with this name.
pub fn thread(wanted: &str) -> Result<String> {
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if kernel::read(format!("/proc/{name}/comm")).is_ok_and(|comm| comm == wanted) {
            return Ok(name);
        }
    }
    bail!("no thread {wanted}")
}

/// A thread that gets no memory while this exists.
pub struct WithoutMemory(String);

impl WithoutMemory {
    /// Lets no allocation of the thread with this process id succeed.
    pub fn new(pid: &str) -> Result<Self> {
        set_up()?;
        kernel::write(format!("{SLAB}/task-filter"), "Y")?;
        kernel::write(format!("{SLAB}/times"), "-1")?;
        kernel::write(format!("{SLAB}/probability"), "100")?;
        let this = Self(format!("/proc/{pid}/make-it-fail"));
        kernel::write(&this.0, "1")?;
        Ok(this)
    }
}

impl Drop for WithoutMemory {
    fn drop(&mut self) {
        // The thread may have ended.
        let _ = kernel::write(&self.0, "0");
        for (file, value) in [("probability", "0"), ("task-filter", "N"), ("times", "1")] {
            kernel::write(format!("{SLAB}/{file}"), value).expect("the fault injection");
        }
    }
}

/// Only allocations below functions of a module fail while this exists.
pub struct OnlyBelow;

impl OnlyBelow {
    /// Begins with it, for functions of `module`, but not for what `except` calls, a function of the kernel.
    pub fn module(module: &str, except: &str) -> Result<Self> {
        let start = kernel::read(format!("/sys/module/{module}/sections/.text"))?;
        let start = u64::from_str_radix(start.trim_start_matches("0x"), 16)?;
        let size: u64 = kernel::read(format!("/sys/module/{module}/coresize"))?.parse()?;
        Self::set(start..start + size, function(except)?)?;
        Ok(Self)
    }

    fn set(required: Range<u64>, rejected: Range<u64>) -> Result<()> {
        for dir in [SLAB, PAGES] {
            for (name, value) in [
                ("require-start", required.start),
                ("require-end", required.end),
                ("reject-start", rejected.start),
                ("reject-end", rejected.end),
            ] {
                kernel::write(format!("{dir}/{name}"), &format!("{value:#x}"))?;
            }
        }
        Ok(())
    }
}

impl Drop for OnlyBelow {
    fn drop(&mut self) {
        Self::set(0..u64::MAX, 0..0).expect("the fault injection");
    }
}

/// Returns the addresses of a function of the kernel.
fn function(wanted: &str) -> Result<Range<u64>> {
    let text = kernel::read("/proc/kallsyms")?;
    let mut addresses = Vec::new();
    let mut start = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let address = u64::from_str_radix(words.next().unwrap_or_default(), 16)?;
        addresses.push(address);
        if words.nth(1) == Some(wanted) {
            start = Some(address);
        }
    }
    let start = start.with_context(|| format!("no function {wanted}"))?;
    let end = addresses.into_iter().filter(|&other| other > start).min();
    Ok(start..end.context("nothing behind it")?)
}
