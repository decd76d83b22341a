// SPDX-License-Identifier: MIT OR Apache-2.0

//! No order of messages, bells, losses and timers leaves a message lying (R31).

#![allow(non_snake_case)] // names of requirements

use ax650_model_tests::doorbell::{Doorbell, Rule};
use stateright::{Checker, Model};

fn model() -> Doorbell {
    Doorbell {
        messages: 4,
        room: 3,
        slots: 8,
        losses: 0,
        bells: 6,
        rule: Rule::Forgiving,
        barrier: true,
        one_serves: true,
        counts_first: true,
    }
}

#[test]
fn R31_no_message_lies_unread_when_no_bell_is_lost() {
    let checker = model().checker().spawn_bfs().join();
    checker.assert_properties();
    let states = checker.unique_state_count();
    assert!(states > 1000, "{states} states only");
}

/// What the module falls back to.
#[test]
fn R31_nor_when_each_message_has_a_bell() {
    let checker = Doorbell {
        one_serves: false,
        ..model()
    }
    .checker()
    .spawn_bfs()
    .join();
    checker.assert_properties();
}

/// A card that looks into the ring before its count can be seen leaves a message lying, and the timer finds it.
#[test]
fn R31_a_card_that_looks_before_it_counts_is_got_over() {
    let checker = Doorbell {
        counts_first: false,
        ..model()
    }
    .checker()
    .spawn_bfs()
    .join();
    assert!(checker.discovery("no message is forgotten").is_some());
    assert!(checker.discovery("the timer helps").is_none());
}

#[test]
fn R31_nine_lost_bells_and_more_are_got_over() {
    let checker = Doorbell {
        messages: 2,
        losses: 10,
        bells: 12,
        ..model()
    }
    .checker()
    .spawn_bfs()
    .join();
    checker.assert_properties();
    let states = checker.unique_state_count();
    assert!(states > 2000, "{states} states only");
}

#[test]
fn R31_few_slots_are_no_dead_end() {
    let checker = Doorbell {
        slots: 1,
        losses: 2,
        ..model()
    }
    .checker()
    .spawn_bfs()
    .join();
    checker.assert_properties();
}

#[test]
fn R31_the_plain_rule_is_silenced_by_nine_lost_bells() {
    let checker = Doorbell {
        messages: 2,
        losses: 9,
        bells: 10,
        rule: Rule::Plain,
        one_serves: false,
        ..model()
    }
    .checker()
    .spawn_bfs()
    .join();
    assert!(checker.discovery("the timer helps").is_some());
}

#[test]
fn a_missing_barrier_is_found() {
    let checker = Doorbell {
        messages: 10,
        room: 10,
        bells: 10,
        barrier: false,
        ..model()
    }
    .checker()
    .spawn_bfs()
    .join();
    assert!(checker.discovery("no message is forgotten").is_some());
}
