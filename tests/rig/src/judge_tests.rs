// SPDX-License-Identifier: MIT OR Apache-2.0

// Names of faults.
#![allow(non_snake_case)]

use super::*;
use crate::arch::Arch;
use crate::case::GuestCase;
use crate::kernel::Kernel;
use crate::profile::Profile;

fn run(name: &str, allow: &[&str], dma_faults: bool) -> GuestRun {
    GuestRun {
        case: GuestCase {
            name: name.into(),
            concern: "t".into(),
            kernels: vec![Kernel::TrixieBackports],
            profiles: vec![Profile::default()],
            timeout_s: 10,
            soak_s: 0,
            allow: allow.iter().map(|&t| t.to_owned()).collect(),
            dma_faults,
        },
        arch: Arch::Amd64,
        kernel: Kernel::TrixieBackports,
        profile: Profile::default(),
        soak: false,
    }
}

/// One case with these lines in its part of the log, `ktap` as the result, and so many faults.
fn verdict(run: GuestRun, lines: &[&str], ktap: &str, faults: &[String]) -> (Verdict, Next) {
    let mut judge = Judge::new([run]);
    judge.ktap("KTAP version 1");
    judge.ktap("1..1");
    judge.ktap("# start A");
    judge.console("ax650-selftest: begin A");
    for line in lines {
        judge.console(line);
    }
    assert!(!judge.ready());
    judge.ktap(ktap);
    assert!(!judge.ready(), "the log is not complete yet");
    judge.console("ax650-selftest: end A");
    assert!(judge.ready());
    let next = judge.judge(faults).unwrap();
    assert!(judge.done());
    let ended = last(&mut judge);
    assert_eq!(ended.name, "trixie-backports/t/A");
    (ended.verdict, next)
}

/// The case judged last, with what is known at the end of its boot.
fn last(judge: &mut Judge) -> Ended {
    judge.settle(None);
    let ended = judge.settled().unwrap();
    assert!(judge.settled().is_none());
    ended
}

/// Runs a case without a word in the log, up to its verdict.
fn pass(judge: &mut Judge, name: &str) -> Next {
    judge.ktap(&format!("# start {name}"));
    judge.console(&format!("ax650-selftest: begin {name}"));
    judge.console(&format!("ax650-selftest: end {name}"));
    judge.ktap(&format!("ok 1 {name}"));
    judge.judge(&[]).unwrap()
}

fn failed(reasons: &[&str]) -> Verdict {
    Verdict::Failed(reasons.iter().map(|&r| r.to_owned()).collect())
}

#[test]
fn passed() {
    let (v, next) = verdict(run("A", &[], false), &["all is well"], "ok 1 A", &[]);
    assert_eq!((v, next), (Verdict::Passed, Next::Continue));
}

#[test]
fn skipped() {
    let (v, _) = verdict(run("A", &[], false), &[], "ok 1 A # SKIP no S3", &[]);
    assert_eq!(v, Verdict::Skipped("no S3".into()));
}

#[test]
fn failed_by_the_guest() {
    let (v, next) = verdict(run("A", &[], false), &[], "not ok 1 A # 1 != 2", &[]);
    assert_eq!((v, next), (failed(&["1 != 2"]), Next::Continue));
    let (_, next) = verdict(run("A", &[], false), &[], "not ok 1 A # time-out", &[]);
    assert_eq!(next, Next::Abandon);
}

#[test]
fn failed_by_the_log_although_the_guest_says_ok() {
    let (v, next) = verdict(run("A", &[], false), &["x", "WARNING: CPU"], "ok 1 A", &[]);
    assert_eq!(
        (v, next),
        (failed(&["kernel log: WARNING: CPU"]), Next::Abandon)
    );
    let (v, _) = verdict(
        run("A", &[], false),
        &["WARNING: x"],
        "ok 1 A # SKIP y",
        &[],
    );
    assert_eq!(
        v,
        failed(&["kernel log: WARNING: x"]),
        "skipping does not hide a report"
    );
}

#[test]
fn a_report_may_be_expected() {
    let lines = ["page allocation failure: order:0", "Call Trace:"];
    let (v, _) = verdict(
        run("A", &["page allocation failure"], false),
        &lines,
        "ok 1 A",
        &[],
    );
    assert_eq!(v, Verdict::Passed);
}

#[test]
fn failed_by_the_card() {
    let faults = ["DMA fault of card0: unmapped".to_owned()];
    let (v, _) = verdict(run("A", &[], false), &[], "ok 1 A", &faults);
    assert_eq!(v, failed(&[&faults[0]]));
    let (v, _) = verdict(run("A", &[], true), &[], "ok 1 A", &faults);
    assert_eq!(v, Verdict::Passed);
}

#[test]
fn U9_card_memory_freed_in_use_fails_a_case() {
    let faults = [format!("{FREED_IN_USE} of card0: {{}}")];
    // To be allowed DMA faults is not to be allowed this.
    for dma_faults in [false, true] {
        let (v, _) = verdict(run("A", &[], dma_faults), &[], "ok 1 A", &faults);
        assert_eq!(v, failed(&[&faults[0]]));
    }
    let (v, _) = verdict(run("A", &[FREED_IN_USE], false), &[], "ok 1 A", &faults);
    assert_eq!(v, Verdict::Passed);
}

#[test]
fn reports_before_the_case_are_not_its_fault() {
    let mut judge = Judge::new([run("A", &[], false)]);
    judge.console("WARNING: at boot");
    judge.ktap("# start A");
    judge.console("ax650-selftest: begin A");
    judge.ktap("ok 1 A");
    judge.console("ax650-selftest: end A");
    judge.judge(&[]).unwrap();
    assert_eq!(last(&mut judge).verdict, Verdict::Passed);
}

#[test]
fn the_guest_dies() {
    let mut judge = Judge::new([run("A", &[], false), run("B", &[], false)]);
    judge.ktap("# start A");
    judge.console("ax650-selftest: begin A");
    judge.console("Kernel panic - not syncing");
    assert!(judge.guest_lost("the guest panicked", &[]));
    let ended = judge.settled().unwrap();
    let Verdict::Failed(reasons) = ended.verdict else {
        panic!("not failed")
    };
    assert_eq!(reasons[0], "the guest panicked");
    assert!(reasons[1].contains("Kernel panic"), "{reasons:?}");
    assert_eq!(judge.into_waiting().len(), 1);
}

#[test]
fn a_case_may_reboot_the_guest() {
    let mut judge = Judge::new([run("A", &[], false)]);
    for _ in 0..2 {
        judge.ktap("KTAP version 1");
        judge.ktap("1..1");
        judge.ktap("# start A");
        judge.console("ax650-selftest: begin A");
    }
    judge.ktap("ok 1 A");
    judge.console("ax650-selftest: end A");
    judge.judge(&[]).unwrap();
    assert_eq!(last(&mut judge).verdict, Verdict::Passed);
}

#[test]
fn cases_out_of_order_are_noticed() {
    let mut judge = Judge::new([run("A", &[], false), run("B", &[], false)]);
    judge.ktap("# start B");
    judge.ktap("# start A");
    judge.console("ax650-selftest: begin A");
    judge.ktap("ok 1 A");
    judge.console("ax650-selftest: end A");
    judge.judge(&[]).unwrap();
    assert_eq!(last(&mut judge).verdict, failed(&["B began out of order"]));
}

/// A case that pulls a card passes, and the next one gets a guest with a lockdep that works.
#[test]
fn lockdep_is_off_after_its_report() {
    let lines = [
        "WARNING: possible circular locking dependency detected",
        " (&ctrl->reset_lock){.+.+}-{4:4}",
        " (pci_rescan_remove_lock){+.+.}-{4:4}",
        " </TASK>",
    ];
    for (concern, expected) in [("t", Next::Abandon), ("unplug", Next::Continue)] {
        let mut later = run("B", &[], false);
        later.case.concern = concern.into();
        let mut judge = Judge::new([run("A", &[], false), later]);
        judge.ktap("# start A");
        judge.console("ax650-selftest: begin A");
        for line in lines {
            judge.console(line);
        }
        judge.console("ax650-selftest: end A");
        judge.ktap("ok 1 A");
        let next = judge.judge(&[]).unwrap();
        assert_eq!(
            (last(&mut judge).verdict, next),
            (Verdict::Passed, expected)
        );
    }
}

/// A case that expects one report must not hide another.
#[test]
fn U10_one_allowed_report_excuses_no_other() {
    let lines = [
        "cat: page allocation failure: order:0",
        "Call Trace:",
        "BUG: KASAN: slab-use-after-free in ax650",
        "Call Trace:",
    ];
    let expecting = run("A", &["page allocation failure"], false);
    let (v, next) = verdict(expecting, &lines, "ok 1 A", &[]);
    let reasons = [
        "kernel log: BUG: KASAN: slab-use-after-free in ax650",
        "kernel log: Call Trace:",
    ];
    assert_eq!((v, next), (failed(&reasons), Next::Abandon));
    // Nor a trace that belongs to none.
    let expecting = run("A", &["page allocation failure"], false);
    let lines = [lines[0], lines[1], lines[3]];
    let (v, _) = verdict(expecting, &lines, "ok 1 A", &[]);
    assert_eq!(v, failed(&["kernel log: Call Trace:"]));
}

/// What the kernel reports after a case has been judged is that case's fault, and the next case
/// begins anew in another guest.
#[test]
fn U10_a_report_between_cases_fails_the_one_before() {
    let mut judge = Judge::new(["A", "B", "C"].map(|name| run(name, &[], false)));
    assert_eq!(pass(&mut judge, "A"), Next::Continue);
    assert!(judge.settled().is_none(), "its verdict is not final");
    judge.console("WARNING: CPU: 0 PID: 7 at late_work");
    assert!(!judge.spoiled());
    judge.ktap("# start B");
    judge.console("ax650-selftest: begin B");
    assert!(judge.spoiled());
    let ended = judge.settled().unwrap();
    assert_eq!(ended.name, "trixie-backports/t/A");
    let reason = "kernel log after the case: WARNING: CPU: 0 PID: 7 at late_work";
    assert_eq!(ended.verdict, failed(&[reason]));
    let rest: Vec<String> = judge
        .into_waiting()
        .into_iter()
        .map(|r| r.case.name)
        .collect();
    assert_eq!(rest, ["B", "C"]);
}

#[test]
fn U10_a_quiet_pause_between_cases_is_nothing() {
    let mut judge = Judge::new(["A", "B"].map(|name| run(name, &[], false)));
    pass(&mut judge, "A");
    judge.console("nothing special");
    judge.ktap("# start B");
    judge.console("ax650-selftest: begin B");
    assert_eq!(judge.settled().unwrap().verdict, Verdict::Passed);
    assert!(!judge.spoiled());
    assert_eq!(judge.current().unwrap().case.name, "B");
}

/// The last case answers for what comes after it, up to the guest's end.
#[test]
fn U10_a_report_after_the_last_case_fails_it() {
    let mut judge = Judge::new([run("A", &[], false)]);
    pass(&mut judge, "A");
    assert!(judge.done());
    judge.console("kernel BUG at mm/slub.c:1");
    let reason = "kernel log after the case: kernel BUG at mm/slub.c:1";
    assert_eq!(last(&mut judge).verdict, failed(&[reason]));
    let mut judge = Judge::new([run("A", &[], false)]);
    pass(&mut judge, "A");
    judge.settle(Some("the guest does not power off"));
    let ended = judge.settled().unwrap();
    assert_eq!(ended.verdict, failed(&["the guest does not power off"]));
}

/// A guest that dies between two cases died of the first.
#[test]
fn U10_a_guest_that_dies_between_cases_fails_the_one_before() {
    let mut judge = Judge::new(["A", "B"].map(|name| run(name, &[], false)));
    pass(&mut judge, "A");
    judge.console("Kernel panic - not syncing");
    assert!(judge.guest_lost("the guest panicked", &[]));
    let reasons = [
        "the guest panicked",
        "kernel log after the case: Kernel panic - not syncing",
    ];
    assert_eq!(judge.settled().unwrap().verdict, failed(&reasons));
    assert_eq!(judge.into_waiting().len(), 1);
    let mut judge = Judge::new([run("A", &[], false)]);
    assert!(!judge.guest_lost("the guest did not come up", &[]));
}

/// A case whose log is not complete has not passed.
#[test]
fn U10_a_case_without_its_markers_fails() {
    for missing in ["begin", "end"] {
        let mut judge = Judge::new([run("A", &[], false)]);
        judge.ktap("# start A");
        for marker in ["begin", "end"] {
            if marker != missing {
                judge.console(&format!("ax650-selftest: {marker} A"));
            }
        }
        judge.ktap("ok 1 A");
        assert_eq!(judge.judge(&[]), Some(Next::Abandon));
        let reason = format!("no {missing} marker in the kernel log");
        assert_eq!(last(&mut judge).verdict, failed(&[&reason]));
    }
}
