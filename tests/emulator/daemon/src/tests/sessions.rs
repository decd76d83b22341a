// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sessions: how they begin, what is refused, and that nothing is left of them.

use std::time::Duration;

use super::client::{packet, send_packet, Client, PLAIN};
use super::Rig;
use crate::protocol::frames::CONTROL;
use crate::protocol::messages::Control;
use crate::wire::{memory, system};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn groups_come_and_go_and_nothing_is_left() {
    let rig = Rig::new();
    for round in 1..=3 {
        let one = Client::open(&rig, 21, PLAIN);
        let two = Client::open(&rig, 25, PLAIN);
        assert!(one.alloc(1 << 20).is_ok() && two.alloc(1 << 20).is_ok());
        assert_eq!(rig.daemon.report()["sessions"].as_array().unwrap().len(), 2);
        // A call that blocks for ever does not hold up the end.
        one.send_vdec(1, 18, vec![vec![0; 4], vec![0; 4], vec![0xff; 4]]);
        rig.host.wait_counter("native.calls", round);
        one.kill();
        two.kill();
        rig.host.wait_counter("sessions.closed", 2 * round);
        assert_eq!(rig.host.cmm_used(), 0);
        one.close();
        two.close();
        rig.codec.forget();
    }
    assert_eq!(rig.host.counter("session.panics"), 0);
}

#[test]
fn a_create_waits_until_the_old_worker_of_its_ports_is_gone() {
    let rig = Rig::new();
    let old = Client::open(&rig, 21, PLAIN);
    old.send_vdec(1, 18, vec![vec![0; 4], vec![0; 4], vec![0xff; 4]]);
    rig.host.wait_counter("native.calls", 1);
    old.kill();
    old.close();
    let new = Client::open(&rig, 21, PLAIN);
    assert_eq!(rig.host.counter("sessions.closed"), 1);
    assert!(new.alloc(4096).is_ok());
    new.close();
}

#[test]
fn ports_given_out_again_without_a_destroy() {
    let rig = Rig::new();
    Client::open(&rig, 21, PLAIN).close();
    let new = Client::open(&rig, 23, PLAIN);
    assert_eq!(rig.host.counter("sessions.closed"), 1);
    assert!(new.alloc(4096).is_ok());
    new.close();
}

/// A host that runs out of ports sends what it has [pcie 5.4]: that is no failure.
#[test]
fn groups_with_too_few_ports() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    for count in [3, 0] {
        // Ports 125 to 127, and what is left of another group.
        let mut short = packet(1, 9, [125, 126, 127, 21], 0);
        short[12] = count;
        send_packet(&rig, short.clone());
        let reply = rig.host.receive(11, SOON).unwrap();
        assert_eq!(reply[..4], 3_u32.to_le_bytes());
        assert_eq!(reply[4..], short[4..]);
    }
    assert_eq!(rig.host.counter("sessions.opened"), 1);
    // Its end names ports that may be anybody's.
    let mut end = packet(2, 0, [21, 22, 23, 24], 0);
    end[12] = 0;
    send_packet(&rig, end);
    rig.host.wait_counter("port11.destroys", 1);
    assert!(client.alloc(4096).is_ok());
    client.close();
}

#[test]
fn bad_control_packets() {
    let rig = Rig::new();
    let mut five = packet(1, 9, [21, 22, 23, 24], 0);
    five[12] = 5;
    for bad in [
        packet(1, 0, [21, 22, 23, 24], 0),
        packet(1, 9, [21, 21, 23, 24], 0),
        packet(1, 9, [20, 21, 22, 23], 0),
        packet(1, 9, [125, 126, 127, 128], 0),
        five,
    ] {
        send_packet(&rig, bad.clone());
        let reply = rig.host.receive(11, SOON).unwrap();
        assert_eq!(reply[..4], 5_u32.to_le_bytes());
        assert_eq!(reply[4..], bad[4..]);
    }
    // These get no reply at all.
    for odd in [
        vec![],
        vec![1, 0, 0, 0],
        vec![0; 41],
        packet(7, 9, [21, 22, 23, 24], 0),
        packet(2, 9, [99; 4], 0),
    ] {
        send_packet(&rig, odd);
    }
    rig.host.wait_counter("port11.odd", 10);
    rig.daemon.message(50, vec![1, 2, 3]);
    assert_eq!(rig.host.counter("ports.unowned"), 1);
    let client = Client::open(&rig, 21, PLAIN);
    assert_eq!(rig.host.receive(11, Duration::ZERO), None);
    client.close();
}

#[test]
fn handshake_repeats_and_mistakes() {
    let rig = Rig::new();
    send_packet(&rig, packet(1, 9, [21, 22, 23, 24], 1 << 20));
    rig.host.receive(11, SOON).unwrap();
    // A call before the handshake is not taken.
    rig.daemon.message(23, vec![0; 40]);
    rig.host.wait_counter("rpc.before_handshake", 1);
    for _ in 0..2 {
        rig.daemon.message(21, Control::Sync(u32::MAX).bytes());
        let ack = rig.host.receive(22, SOON).unwrap();
        assert_eq!(Control::parse(&ack), Ok(Control::SyncAck(0)));
    }
    rig.daemon.message(21, Control::Done(7).bytes());
    rig.host.wait_counter("bulk.violations", 1);
    rig.daemon.message(21, Control::Done(1).bytes());
    rig.host.wait_counter("handshake.done", 1);
}

#[test]
fn calls_without_context_or_sense_are_refused() {
    let rig = Rig::new();
    let client = Client::bare(&rig, 21, PLAIN);
    assert_eq!(client.alloc(4096), Err(0x8030_0281));
    client.control(system::ControlRequest {
        context: Some(1),
        ..Default::default()
    });
    assert!(client.alloc(4096).is_ok());
    // The same context again, an unknown stream, a stream of an unknown context.
    let again = client.control(system::ControlRequest {
        context: Some(1),
        ..Default::default()
    });
    assert_eq!(again.status, Some(0x8030_0282_u32 as i32));
    let header = client.send_memory(9, memory::Api::Alloc, Default::default());
    assert_eq!(client.memory_answer(&header).status, 0x8030_0381);
    // An echo that is refused has nothing in it; a call that wants no answer gets none.
    let mut header = client.header(0x0001_0000, 0);
    header.stream = 9;
    let echo = system::request_body::Kind::Latency(system::Latency { data: vec![1] });
    client.send_frame(&client.system_frame(&header, system::Module::Latency, echo));
    assert_eq!(
        client.system_answer(&header),
        system::response_body::Kind::Latency(system::Latency::default())
    );
    let quiet = memory::RequestBody {
        noresp: Some(1),
        ..Default::default()
    };
    let header = client.send_memory(9, memory::Api::Set, quiet);
    assert!(client.alloc(4096).is_ok());
    let nothing = client.answer_frame(&header, Duration::from_millis(30));
    assert!(nothing.is_none());
    let sync = system::ControlRequest {
        cmd: system::Command::SyncStream.into(),
        context: Some(1),
        stream: Some(9),
        ..Default::default()
    };
    assert_eq!(client.control(sync).status, Some(0x8030_0381_u32 as i32));
    // Too short for a header; garbage after one; a type that is not that of the body.
    client.message(2, vec![0; 27]);
    rig.host.wait_counter("rpc.malformed", 1);
    client.message(2, vec![0; 1025]);
    assert_eq!(rig.host.counter("rpc.oversized"), 1);
    let header = client.header(0x0000_0100, 0);
    let mut garbage = header.bytes().to_vec();
    garbage.extend_from_slice(&[0xff; 40]);
    client.send_frame(&garbage);
    assert_eq!(client.memory_answer(&header).status, 0x8030_0509);
    let header = client.header(0x0001_0100, 0);
    client.send_frame(&client.memory_frame(&header, memory::Api::Alloc, Default::default()));
    assert_eq!(client.memory_answer(&header).status, 0x8030_0509);
    // A control command that is another in the header.
    let header = client.header(CONTROL, 6);
    let kind = system::request_body::Kind::Control(system::ControlRequest::default());
    client.send_frame(&client.system_frame(&header, system::Module::Control, kind));
    assert_eq!(
        client.control_answer(&header).status,
        Some(0x8030_0903_u32 as i32)
    );
    // What a native call panics on costs that call only.
    let header = client.send_vdec(1, 30, vec![vec![0; 4], vec![0; 4]]);
    assert_eq!(
        client.vdec_answer(&header).data,
        [0x8130_010c_u32.to_le_bytes()]
    );
    assert!(client.alloc(4096).is_ok());
    client.close();
}

#[test]
fn a_destroyed_context_is_gone() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let context = |cmd: system::Command, id| system::ControlRequest {
        cmd: cmd.into(),
        context: Some(id),
        ..Default::default()
    };
    let made = client.control(context(system::Command::CreateContext, 2));
    assert_eq!((made.cmd, made.status), (0, Some(0)));
    assert!(made.tid > made.pid);
    let gone = client.control(context(system::Command::DestroyContext, 2));
    assert_eq!((gone.cmd, gone.status, gone.context), (1, Some(0), Some(2)));
    let again = client.control(context(system::Command::DestroyContext, 2));
    assert_eq!(again.status, Some(0x8030_0281_u32 as i32));
    client.set_context(2);
    assert_eq!(client.alloc(4096), Err(0x8030_0281));
    client.close();
}
