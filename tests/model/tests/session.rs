// SPDX-License-Identifier: MIT OR Apache-2.0

//! No order of opening, using, closing, killing, late answers, full rings and resets lets one session harm another
//! (R35, R36, R49).

#![allow(non_snake_case)] // names of requirements

use ax650_model_tests::session::{Broken, Sessions, CROSSED, FREED, JOBS, TOO_EARLY};
use stateright::{Checker, Model};

fn model() -> Sessions {
    Sessions {
        sessions: 2,
        groups: 1,
        room: 2,
        resets: 1,
        broken: Broken::Nothing,
    }
}

fn holds(model: &Sessions, least: usize) {
    let checker = model.clone().checker().spawn_bfs().join();
    checker.assert_properties();
    let states = checker.unique_state_count();
    eprintln!("{model:?}: {states} states");
    assert!(states > least, "{states} states only");
}

#[test]
fn P22_sessions_on_the_same_ports_do_not_meet() {
    holds(&model(), 4_000);
}

#[test]
fn P22_nor_do_three_of_them() {
    let sessions = 3;
    holds(
        &Sessions {
            sessions,
            ..model()
        },
        20_000,
    );
}

#[test]
fn P22_nor_do_those_beside_each_other() {
    let groups = 2;
    holds(&Sessions { groups, ..model() }, 20_000);
}

/// A rule that is left out does harm, of this kind.
fn found(broken: Broken, harm: &'static str) {
    let checker = Sessions { broken, ..model() }.checker().spawn_bfs().join();
    assert!(checker.discovery(harm).is_some(), "{broken:?}: not found");
}

#[test]
fn a_session_that_does_not_wait_for_the_card_is_found() {
    found(Broken::WaitsForTheCard, CROSSED);
}

#[test]
fn K4_ports_that_are_free_before_the_card_knows_are_found() {
    found(Broken::KeepsPortsUntilTold, TOO_EARLY);
}

#[test]
fn P1_memory_that_is_freed_too_early_is_found() {
    found(Broken::Quarantine, FREED);
}

#[test]
fn jobs_that_outlive_their_session_are_found() {
    found(Broken::EndsJobs, JOBS);
}

#[test]
fn memory_that_is_given_back_before_the_reset_is_found() {
    found(Broken::FreesAfterTheReset, FREED);
}
