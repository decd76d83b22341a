// SPDX-License-Identifier: MIT OR Apache-2.0

//! What in a guest's kernel log makes a case fail, and which lines of the log belong to which case.

/// Texts that no case may cause, unless it says that it does.
const REPORTS: &[&str] = &[
    "BUG:",
    "WARNING:",
    "KASAN:",
    "UBSAN:",
    "DMA-API:",
    "Oops",
    "Kernel panic",
    "Call Trace:",
    "general protection fault",
    "unable to handle",
    "kernel BUG at",
    "possible circular locking dependency",
    "possible recursive locking",
    "possible irq lock inversion",
    "possible deadlock",
    "inconsistent lock state",
    "inconsistent {",
    "bad unlock balance",
    "held lock freed",
    "lock held when returning to user space",
    "still has locks held",
    "suspicious RCU usage",
    "RCU read-side critical section",
    "sleeping function called from invalid context",
    "scheduling while atomic",
    "ODEBUG:",
    "kmemleak:",
    "unreferenced object",
    "refcount_t:",
    "blocked for more than",
    "soft lockup",
    "hard LOCKUP",
    "rcu_preempt self-detected stall",
    "rcu: INFO:",
    "list_add corruption",
    "list_del corruption",
    "nobody cared",
    "page allocation failure",
    "Bad page state",
    "rust_kernel: panicked",
    "panicked at",
    "stack segment:",
];

/// Lines that look like one of the above, but say nothing about the driver.
const HARMLESS: &[&str] = &[
    // What kmemleak says when it starts and when a scan finds nothing.
    "kmemleak: Kernel memory leak detector initialized",
    "kmemleak: Automatic memory scanning thread",
    // Boot options as echoed by the kernel.
    "Command line:",
    "Unknown kernel command line parameters",
    // Under TCG the timers of a loaded host are late.
    "clocksource: Watchdog remote CPU",
    // Announcements of checkers that are built in.
    "KASAN: KernelAddressSanitizer initialized",
    "DMA-API: preallocated",
    "DMA-API: debugging enabled",
    "DMA-API: dma_debug_",
];

/// The lines of a lockdep report, from its first to the end of its call trace.
#[derive(Debug, Default)]
pub struct LockReport(Vec<String>);

impl LockReport {
    /// Returns whether this line begins a report.
    pub fn begins(line: &str) -> bool {
        line.contains("possible circular locking dependency")
    }

    /// Takes its next line; whether it was the last.
    pub fn push(&mut self, line: &str) -> bool {
        self.0.push(line.to_owned());
        line.contains("</TASK>")
    }

    /// Returns the lines of the block that are reports; none if it is a report that is none of the driver's.
    ///
    /// Linux 7.3 gives one whenever a card is pulled: pciehp takes `pci_rescan_remove_lock` with its
    /// own `reset_lock` held, and later the other way round.
    pub fn into_reports(self) -> Vec<String> {
        let has = |text: &str| self.0.iter().any(|line| line.contains(text));
        if has("&ctrl->reset_lock") && has("pci_rescan_remove_lock") && !has("[ax650]") {
            return Vec::new();
        }
        self.0.into_iter().filter(|line| is_report(line)).collect()
    }
}

/// The line that goes with the one that says what is reported.
const TRACE: &str = "Call Trace:";

/// The reports in a part of the log: of each the line that says what it is, and that of its trace.
#[derive(Debug, Default)]
pub struct Reports(Vec<Vec<String>>);

impl Reports {
    /// Takes a line of the log.
    pub fn push(&mut self, line: &str) {
        if !is_report(line) {
            return;
        }
        // Those of several CPUs may mix: a trace is of the last report that has none yet.
        let lacks = |lines: &&mut Vec<String>| !lines.iter().any(|l| l.contains(TRACE));
        match self.0.iter_mut().rev().find(lacks) {
            Some(lines) if line.contains(TRACE) => lines.push(line.to_owned()),
            _ => self.0.push(vec![line.to_owned()]),
        }
    }

    /// Takes a whole report; none if it has no lines.
    pub fn add(&mut self, lines: Vec<String>) {
        if !lines.is_empty() {
            self.0.push(lines);
        }
    }

    /// Takes out the reports that there are.
    pub fn take(&mut self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.0)
    }
}

/// The marker that the guest's runner writes to the kernel log around each case.
const MARKER: &str = "ax650-selftest: ";

/// What a line of the log means to the harness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'a> {
    /// The named case begins.
    Begin(&'a str),
    /// The named case has ended.
    End(&'a str),
}

/// Finds the marker in this line, if it has one.
pub fn mark(line: &str) -> Option<Mark<'_>> {
    let (_, text) = line.split_once(MARKER)?;
    let (word, name) = text.trim().split_once(' ')?;
    match word {
        "begin" => Some(Mark::Begin(name)),
        "end" => Some(Mark::End(name)),
        _ => None,
    }
}

/// Returns whether this line is a report.
pub fn is_report(line: &str) -> bool {
    REPORTS.iter().any(|text| line.contains(text))
        && !HARMLESS.iter().any(|text| line.contains(text))
}

#[cfg(test)]
#[allow(non_snake_case)] // names of faults
mod tests {
    use super::*;

    #[test]
    fn markers() {
        assert_eq!(
            mark("[    1.5] ax650-selftest: begin R06_x"),
            Some(Mark::Begin("R06_x"))
        );
        assert_eq!(
            mark("<6>[1.5] ax650-selftest: end R06_x\r"),
            Some(Mark::End("R06_x"))
        );
        assert_eq!(mark("[    1.5] ax650 0000:01:00.0: ready"), None);
        assert_eq!(mark("ax650-selftest: middle x"), None);
    }

    #[test]
    fn what_the_checkers_print() {
        for line in [
            "[   12.1] BUG: KASAN: slab-use-after-free in foo+0x1/0x2",
            "WARNING: CPU: 1 PID: 99 at kernel/dma/debug.c:1 check_unmap+0x1",
            "WARNING: possible circular locking dependency detected",
            "DMA-API: ax650 0000:01:00.0: device driver has pending DMA allocations",
            "BUG: sleeping function called from invalid context at mm/x.c:1",
            "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "INFO: task foo:12 blocked for more than 120 seconds.",
            "rust_kernel: panicked at lib.rs:1:1:",
            "ODEBUG: free active (active state 0) object type: timer_list",
        ] {
            assert!(is_report(line), "{line}");
        }
    }

    #[test]
    fn the_lock_report_of_pciehp_is_not_ours() {
        let lines = |ours: &str| {
            let mut report = LockReport::default();
            let lines = [
                "WARNING: possible circular locking dependency detected",
                "irq/25-pciehp/44 is trying to acquire lock: (&ctrl->reset_lock){.+.+}-{4:4}",
                "but task is already holding lock: (pci_rescan_remove_lock){+.+.}-{4:4}",
                ours,
                "Call Trace:",
                " </TASK>",
            ];
            assert!(LockReport::begins(lines[0]));
            let ends: Vec<bool> = lines.iter().map(|line| report.push(line)).collect();
            assert_eq!(ends, [false, false, false, false, false, true]);
            report.into_reports().len()
        };
        assert_eq!(lines(" pciehp_ist+0x1e7/0x6c0"), 0);
        assert_eq!(lines(" unbind+0x1e7/0x6c0 [ax650]"), 2);
    }

    #[test]
    fn U10_each_report_stands_for_itself() {
        let mut reports = Reports::default();
        for line in [
            "cat: page allocation failure: order:0",
            "harmless",
            "BUG: KASAN: slab-out-of-bounds in x",
            "Call Trace:",
            "Call Trace:",
            "Call Trace:",
        ] {
            reports.push(line);
        }
        let all = reports.take();
        assert_eq!(
            all.iter()
                .map(|lines| lines[0].as_str())
                .collect::<Vec<_>>(),
            [
                "cat: page allocation failure: order:0",
                "BUG: KASAN: slab-out-of-bounds in x",
                // A trace that belongs to none of these.
                "Call Trace:",
            ]
        );
        assert_eq!(all[0].len() + all[1].len(), 4, "each has its trace");
        assert_eq!(reports.take(), [] as [Vec<String>; 0]);
    }

    #[test]
    fn what_they_print_at_boot_is_harmless() {
        for line in [
            "[    0.0] KASAN: KernelAddressSanitizer initialized (generic)",
            "DMA-API: preallocated 65536 debug entries",
            "DMA-API: debugging enabled by kernel config",
            "ax650 0000:01:00.0: ready: fw x, link 5.0 GT/s x1, memory 7040 MiB, boot 1.2 s",
        ] {
            assert!(!is_report(line), "{line}");
        }
    }
}
