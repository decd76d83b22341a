// SPDX-License-Identifier: MIT OR Apache-2.0

//! Registers and rules of the card's life: boot status, mailbox, heartbeat, control packet, states.

// Tests are named after the requirement or fault.
#![allow(non_snake_case)]

use ax650_wire_tests::wire::{
    boot::{Status, REASON, STATUS},
    control::{Packet, CREATE, CREATE_DONE, CREATE_FAILED, DESTROY, DESTROY_DONE, REQUEST_PORTS},
    handshake::region_is_valid,
    heartbeat::{Beat, Watch},
    mailbox::{FlowControl, SlotRequest},
    state::{may, State},
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

#[test]
fn boot_status() {
    assert_eq!(Status::of_read(STATUS::from(0)), Status::Pending);
    assert_eq!(Status::of_read(STATUS::from(1)), Status::Done);
    assert_eq!(Status::of_read(STATUS::from(u32::MAX)), Status::Gone);
    assert_eq!(Status::of_write(STATUS::from(0x2000)), Status::Done);
    assert!(
        matches!(Status::of_write(STATUS::from(1)), Status::Failed(_)),
        "a stale read-done"
    );
    let Status::Failed(bits) = Status::of_read(STATUS::from(0x0403)) else {
        panic!("done and failed is failed");
    };
    assert_eq!(bits.to_string(), "0x403 (read failed, image checksum)");
    assert!(bits.is_secure_boot());
    let Status::Failed(bits) = Status::of_read(STATUS::from(0x8000)) else {
        panic!("an unknown bit is a failure");
    };
    assert_eq!(bits.to_string(), "0x8000");
    assert!(!bits.is_secure_boot());
}

#[test]
fn boot_reasons() {
    assert_eq!(REASON::from(0).name(), "normal");
    assert_eq!(REASON::from(1).name(), "software reset");
    assert_eq!(REASON::from(0b11).name(), "thermal shutdown");
    assert_eq!(REASON::from(0b1001).name(), "watchdog");
    assert_eq!(REASON::from(0b1_0000).name(), "watchdog");
    assert_eq!(REASON::from(0x80).name(), "unknown");
}

#[test]
fn regions() {
    assert!(region_is_valid(0x1_2345_0000, 0x40_0000));
    assert!(!region_is_valid(0x1_2345_8000, 0x40_0000));
    assert!(!region_is_valid(0, 0x80_0000));
    assert!(!region_is_valid(0, 100));
}

#[test]
fn slots_of_the_mailbox() {
    let interpret = |value: u32| SlotRequest::interpret(value.into());
    assert!(matches!(interpret(63), SlotRequest::Slot(slot) if u32::from(slot) == 63));
    assert_eq!(interpret(u32::MAX), SlotRequest::NoneOrGone);
    assert_eq!(interpret(64), SlotRequest::Bad(64));
    assert_eq!(interpret(u32::MAX - 1), SlotRequest::Bad(u32::MAX - 1));
}

#[test]
fn nine_doorbells_may_be_under_way() {
    let mut flow = FlowControl::default();
    let rung = (0..20).filter(|&rung| flow.may_ring(rung, 0)).count();
    assert_eq!(rung, 9);
}

#[test]
fn a_doorbell_is_awaited_until_it_is_counted_or_written_off() {
    let mut flow = FlowControl::default();
    assert!(!flow.is_awaited(3, 3));
    assert!(flow.is_awaited(4, 3));
    flow.forgive(4, 3);
    assert!(!flow.is_awaited(4, 3));
    assert!(flow.is_awaited(5, 3));
    // The card has counted one of the two, whichever that was.
    assert!(!flow.is_awaited(5, 4));
}

#[test]
fn lost_doorbells_are_forgiven() {
    let mut flow = FlowControl::default();
    // Nine lost ones, then the card was seen to have caught up.
    assert!(!flow.may_ring(9, 0));
    flow.forgive(9, 0);
    let rung = (9..30).filter(|&rung| flow.may_ring(rung, 0)).count();
    assert_eq!(rung, 9, "again nine");
    // It handles those written off after all: the budget does not grow.
    assert!(flow.may_ring(18, 18));
    let rung = (18..40).filter(|&rung| flow.may_ring(rung, 18)).count();
    assert_eq!(rung, 9);
}

#[test]
fn heartbeat_in_time_and_late() {
    let mut watch = Watch::new(0);
    assert!(!watch.seen());
    assert_eq!(watch.on_poll(50 * SECOND, 0, 0), Beat::Quiet);
    assert_eq!(watch.on_poll(50 * SECOND + 1, 0, 0), Beat::Late);
    assert_eq!(watch.on_poll(51 * SECOND, 1, 9000), Beat::Accepted);
    assert!(watch.seen());
    assert_eq!((watch.stamp(), watch.timeout_ms()), (1, 9000));
    assert_eq!(watch.on_poll(60 * SECOND, 1, 9000), Beat::Quiet);
    assert_eq!(watch.on_poll(60 * SECOND + 1, 1, 9000), Beat::Late);
    watch.excuse(61 * SECOND);
    assert_eq!(watch.on_poll(70 * SECOND, 1, 9000), Beat::Quiet);
    // Any other value will do, also a smaller one.
    assert_eq!(watch.on_poll(71 * SECOND, 0, 9000), Beat::Accepted);
}

#[test]
fn heartbeat_interval_is_bounded() {
    for (interval, expected) in [
        (0, 50_000),
        (1, 3000),
        (2999, 3000),
        (3001, 3001),
        (50_001, 50_000),
        (u32::MAX, 50_000),
    ] {
        let mut watch = Watch::new(0);
        assert_eq!(watch.on_poll(0, 5, interval), Beat::Accepted);
        assert_eq!(watch.timeout_ms(), expected, "{interval}");
    }
    let mut watch = Watch::new(0);
    watch.on_poll(0, 1, 9000);
    watch.on_poll(0, 2, 0);
    assert_eq!(watch.timeout_ms(), 9000, "0 keeps what there is");
}

fn packet(command: u32) -> Packet {
    Packet {
        command,
        device: 3,
        pid: 4711,
        count: 4,
        ports: [21, 22, 23, 24],
        dma_size: 0x40_0000,
        log_level: 2,
    }
}

#[test]
fn control_packet_layout() {
    let bytes = packet(CREATE).encode();
    let words: Vec<u32> = bytes
        .chunks(4)
        .map(|w| u32::from_le_bytes(w.try_into().unwrap()))
        .collect();
    assert_eq!(words, [1, 3, 4711, 4, 21, 22, 23, 24, 0x40_0000, 2]);
    assert_eq!(Packet::parse(&bytes), Some(packet(CREATE)));
    assert_eq!(Packet::parse(&bytes[..39]), None);
    assert_eq!(Packet::parse(&[&bytes[..], &[0]].concat()), None);
}

#[test]
fn control_answers_match_their_request() {
    let request = packet(CREATE);
    assert!(packet(CREATE_DONE).answers(&request));
    assert!(packet(CREATE_DONE).succeeded());
    assert!(packet(CREATE_FAILED).answers(&request));
    assert!(!packet(CREATE_FAILED).succeeded());
    assert!(packet(DESTROY_DONE).answers(&packet(DESTROY)));
    for command in [0, CREATE, DESTROY_DONE, 99] {
        assert!(!packet(command).answers(&request), "{command}");
    }
    assert!(!packet(CREATE_DONE).answers(&packet(REQUEST_PORTS)));
    let late = [
        Packet {
            pid: 4712,
            ..packet(CREATE_DONE)
        },
        Packet {
            ports: [25, 26, 27, 28],
            ..packet(CREATE_DONE)
        },
        Packet {
            count: 3,
            ..packet(CREATE_DONE)
        },
    ];
    assert!(late.iter().all(|late| !late.answers(&request)));
    // The card's own idea of its id does not matter.
    assert!(Packet {
        device: 99,
        ..packet(CREATE_DONE)
    }
    .answers(&request));
}

#[test]
fn control_ports_are_bounded() {
    assert_eq!(packet(CREATE).ports(), Some(&[21, 22, 23, 24][..]));
    for count in [5, u32::MAX] {
        assert_eq!(
            Packet {
                count,
                ..packet(CREATE)
            }
            .ports(),
            None
        );
    }
    let beyond = Packet {
        ports: [21, 22, 128, 24],
        ..packet(CREATE)
    };
    assert_eq!(beyond.ports(), None);
    assert_eq!(Packet { count: 2, ..beyond }.ports(), Some(&[21, 22][..]));
}

#[test]
fn states_have_the_numbers_of_the_abi() {
    let header = include_str!("../../../uapi/ax650.h");
    for state in State::ALL {
        assert_eq!(State::from_u32(state as u32), Some(state));
        // What programs are told.
        let state = state.told();
        let name = format!("\tAX650_STATE_{} =", state.name().to_uppercase());
        let rest = header.lines().find_map(|line| line.strip_prefix(&name));
        let number = rest.and_then(|rest| rest.split(',').next());
        assert_eq!(
            number.map(str::trim),
            Some(&*(state as u32).to_string()),
            "{name}"
        );
    }
    assert_eq!(State::from_u32(10), None);
    assert_eq!(State::from_u32(u32::MAX), None);
}

#[test]
fn only_a_handshake_makes_a_card_run() {
    use State::*;
    for from in State::ALL {
        assert_eq!(
            may(from, Running),
            matches!(from, Handshake | Suspect),
            "{from:?}"
        );
        assert_eq!(
            may(from, Loader),
            matches!(from, Absent | Resetting),
            "{from:?}"
        );
        assert!(!may(from, Absent));
        assert!(!may(Gone, from));
        assert_eq!(may(from, Gone), from != Gone);
        assert!(!may(from, from), "{from:?}");
    }
}

/// A card that did not answer on the bus for a while may come back, but by a reset only; one that is gone
/// does not.
#[test]
fn C2_unreachable_is_left_by_a_reset_only() {
    use State::*;
    for state in State::ALL {
        let left = matches!(state, Resetting | Dead | Gone);
        assert_eq!(may(Unreachable, state), left, "{state:?}");
        let found = !matches!(state, Unreachable | Gone);
        assert_eq!(may(state, Unreachable), found, "{state:?}");
    }
    assert!(!Unreachable.serves_sessions() && !Unreachable.is_busy() && !Unreachable.is_on_bus());
    assert_eq!(Unreachable.told(), Gone);
}

proptest! {
    /// However beats and polls mix: late only after the allowed silence, and never before.
    #[test]
    fn watch_is_late_exactly_when_silent(
        events in prop::collection::vec((0u64..20_000, any::<bool>(), 0u32..60_000), 1..50)
    ) {
        let mut watch = Watch::new(0);
        let (mut now, mut last, mut allowed, mut stamp) = (0, 0, 50_000u64, 0u32);
        for (step, beats, interval) in events {
            now += step;
            stamp += u32::from(beats);
            let beat = watch.on_poll(now * 1_000_000, stamp, interval);
            if beats {
                prop_assert_eq!(beat, Beat::Accepted);
                last = now;
                if interval != 0 {
                    allowed = u64::from(interval).clamp(3000, 50_000);
                }
            } else {
                let late = now - last > allowed;
                prop_assert_eq!(beat, if late { Beat::Late } else { Beat::Quiet });
            }
        }
    }
}
