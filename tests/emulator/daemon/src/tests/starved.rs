// SPDX-License-Identifier: MIT OR Apache-2.0

//! Control goes on whatever the workers do: a codec call that takes seconds, a machine without idle
//! CPU.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::client::{packet, send_packet, Client, PLAIN};
use super::Rig;
use crate::wire::system::{Command, ControlRequest};

/// Far below the time that the codec is at work in these tests.
const SOON: Duration = Duration::from_secs(2);

/// A session whose codec call does not return, even at its end.
fn blocked(rig: &Rig, first: u32) -> std::sync::Arc<Client> {
    let client = Client::open(rig, first, PLAIN);
    let calls = rig.host.counter("native.calls");
    client.send_vdec(1, 17, vec![vec![0; 4], vec![0; 56], vec![0; 4], vec![]]);
    rig.host.wait_counter("native.calls", calls + 1);
    client
}

/// A session that its host has ended, whose codec call goes on.
fn ending(rig: &Rig, first: u32) {
    let old = blocked(rig, first);
    old.kill();
    old.close();
}

#[test]
fn D8_a_group_is_made_while_another_is_ending() {
    let rig = Rig::new();
    let work = rig.codec.at_work.lock();
    ending(&rig, 21);
    // The old worker still has these ports: this one waits for it, and nobody else.
    send_packet(&rig, packet(1, 9, [21, 22, 23, 24], 0));
    send_packet(&rig, packet(1, 10, [25, 26, 27, 28], 0));
    let reply = rig
        .host
        .receive(11, SOON)
        .expect("a reply for the ports that are free");
    assert_eq!((reply[0], reply[16]), (3, 25));
    assert_eq!(rig.host.receive(11, Duration::from_millis(50)), None);
    drop(work);
    let reply = rig.host.receive(11, SOON).expect("the ports are free");
    assert_eq!((reply[0], reply[16]), (3, 21));
    assert_eq!(rig.host.counter("sessions.opened"), 3);
    assert_eq!(rig.daemon.report()["sessions"].as_array().unwrap().len(), 2);
}

#[test]
fn D8_a_group_destroyed_before_it_was_made_is_not_made() {
    let rig = Rig::new();
    let work = rig.codec.at_work.lock();
    ending(&rig, 21);
    send_packet(&rig, packet(1, 9, [21, 22, 23, 24], 0));
    rig.host.wait_counter("port11.waits", 1);
    // Given up by its host, which then tries again with some of the ports.
    send_packet(&rig, packet(2, 9, [21, 22, 23, 24], 0));
    send_packet(&rig, packet(1, 10, [23, 24, 25, 26], 0));
    rig.host.wait_counter("port11.waits", 2);
    drop(work);
    let reply = rig.host.receive(11, SOON).expect("a reply");
    assert_eq!((reply[0], reply[16]), (3, 23));
    assert_eq!(rig.host.receive(11, Duration::from_millis(50)), None);
    assert_eq!(rig.host.counter("sessions.opened"), 2);
}

#[test]
fn D8_too_many_waiting_groups_are_refused() {
    let rig = Rig::new();
    let work = rig.codec.at_work.lock();
    ending(&rig, 21);
    let count = crate::service::control_port::MAX_WAITS + 8;
    for _ in 0..count {
        send_packet(&rig, packet(1, 9, [21, 22, 23, 24], 0));
    }
    // Each takes the place of the one before: the host is not waiting for that any more.
    rig.host.wait_counter("port11.creates", count as u64);
    drop(work);
    let reply = rig.host.receive(11, SOON).expect("the last one is made");
    assert_eq!(reply[0], 3);
    assert_eq!(rig.host.counter("sessions.opened"), 2);
}

#[test]
fn D8_answers_come_without_idle_cpu() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    client.control(ControlRequest {
        cmd: Command::CreateStream.into(),
        context: Some(1),
        stream: Some(2),
        ..Default::default()
    });
    let work = rig.codec.at_work.lock();
    client.send_vdec(2, 17, vec![vec![0; 4], vec![0; 56], vec![0; 4], vec![]]);
    rig.host.wait_counter("native.calls", 1);
    let stop = AtomicBool::new(false);
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    std::thread::scope(|scope| {
        for _ in 0..4 * cores {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let mut slowest = Duration::ZERO;
        for round in 0..20_u32 {
            let start = Instant::now();
            // A time limit of the timer's, a control command, a group of ports.
            let sync = client.control(ControlRequest {
                cmd: Command::SyncStream.into(),
                context: Some(1),
                stream: Some(2),
                timeout: Some(10),
                ..Default::default()
            });
            assert_eq!(sync.status, Some(0x8030_0305_u32 as i32));
            let ports = [41, 42, 43, 44];
            send_packet(&rig, packet(1, 100 + round, ports, 64 << 10));
            let reply = rig.host.receive(11, SOON).expect("a reply");
            assert_eq!(reply[0], 3);
            send_packet(&rig, packet(2, 100 + round, ports, 0));
            slowest = slowest.max(start.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        assert!(slowest < SOON, "{slowest:?}");
    });
    drop(work);
    client.close();
}
