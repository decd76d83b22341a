// SPDX-License-Identifier: MIT OR Apache-2.0

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
            allow: allow.iter().map(|&t| t.to_owned()).collect(),
            dma_faults,
        },
        arch: Arch::Amd64,
        kernel: Kernel::TrixieBackports,
        profile: Profile::default(),
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
    let (ended, next) = judge.judge(faults).unwrap();
    assert_eq!(ended.name, "trixie-backports/t/A");
    assert!(judge.done());
    (ended.verdict, next)
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
    assert_eq!(judge.judge(&[]).unwrap().0.verdict, Verdict::Passed);
}

#[test]
fn the_guest_dies() {
    let mut judge = Judge::new([run("A", &[], false), run("B", &[], false)]);
    judge.ktap("# start A");
    judge.console("ax650-selftest: begin A");
    judge.console("Kernel panic - not syncing");
    let ended = judge.guest_lost("the guest panicked", &[]).unwrap();
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
    assert_eq!(judge.judge(&[]).unwrap().0.verdict, Verdict::Passed);
}

#[test]
fn cases_out_of_order_are_noticed() {
    let mut judge = Judge::new([run("A", &[], false), run("B", &[], false)]);
    judge.ktap("# start B");
    judge.ktap("# start A");
    judge.ktap("ok 1 A");
    judge.console("ax650-selftest: end A");
    let (ended, _) = judge.judge(&[]).unwrap();
    assert_eq!(ended.verdict, failed(&["B began out of order"]));
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
        let (ended, next) = judge.judge(&[]).unwrap();
        assert_eq!((ended.verdict, next), (Verdict::Passed, expected));
    }
}
