// SPDX-License-Identifier: MIT OR Apache-2.0

//! Streams: order within one, freedom between them, events, queued copies.

use std::time::Duration;

use super::client::{Buffers, Client, PLAIN};
use super::Rig;
use crate::wire::memory::{Api, RequestBody};
use crate::wire::system::{Command, ControlRequest};

fn command(cmd: Command) -> ControlRequest {
    ControlRequest {
        cmd: cmd.into(),
        context: Some(1),
        stream: Some(1),
        ..Default::default()
    }
}

fn on_stream(cmd: Command, stream: u32) -> ControlRequest {
    ControlRequest {
        stream: Some(stream),
        ..command(cmd)
    }
}

/// Fills `size` bytes at `addr`, without an answer.
fn fill(client: &Client, stream: u32, addr: u64, size: u32, value: u32) {
    let body = RequestBody {
        addr,
        size: Some(size),
        value: Some(value),
        noresp: Some(1),
        ..Default::default()
    };
    client.send_memory(stream, Api::Set, body);
}

fn block(client: &Client, stream: u32) -> crate::protocol::frames::Header {
    client.send_vdec(stream, 18, vec![vec![0; 4], vec![0; 4], vec![0xff; 4]])
}

#[test]
fn a_blocked_stream_holds_up_nothing_else() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    for stream in [2, 3] {
        assert_eq!(
            client
                .control(on_stream(Command::CreateStream, stream))
                .status,
            Some(0)
        );
    }
    assert_eq!(
        client.control(on_stream(Command::CreateStream, 2)).status,
        Some(0x8030_0382_u32 as i32)
    );
    let card = client.alloc(64).unwrap();
    let blocked = block(&client, 2);
    rig.host.wait_counter("native.calls", 1);
    fill(&client, 2, card, 64, 1);
    fill(&client, 3, card, 64, 2);
    let sync = client.control(on_stream(Command::SyncStream, 3));
    assert_eq!(sync.status, Some(0));
    assert_eq!(client.copy_from_card(card, 64).unwrap(), [2; 64]);
    // The blocked one can be asked whether it is done, at once and after a while.
    for timeout in [0, 30] {
        let late = ControlRequest {
            timeout: Some(timeout),
            ..on_stream(Command::SyncStream, 2)
        };
        assert_eq!(client.control(late).status, Some(0x8030_0305_u32 as i32));
    }
    let waiting = client.send_control(ControlRequest {
        timeout: Some(-1),
        ..on_stream(Command::SyncStream, 2)
    });
    let nothing = client.answer_frame(&waiting, Duration::from_millis(30));
    assert!(nothing.is_none());
    rig.codec.release(21);
    assert_eq!(client.control_answer(&waiting).status, Some(0));
    assert_eq!(client.vdec_answer(&blocked).data.len(), 2);
    assert_eq!(client.copy_from_card(card, 64).unwrap(), [1; 64]);
    // What has been destroyed takes no more calls, and the default stream stays.
    assert_eq!(
        client.control(on_stream(Command::DestroyStream, 2)).status,
        Some(0)
    );
    assert_eq!(
        client.control(on_stream(Command::DestroyStream, 2)).status,
        Some(0x8030_0381_u32 as i32)
    );
    assert_eq!(
        client.control(command(Command::DestroyStream)).status,
        Some(0x8030_0303_u32 as i32)
    );
    client.close();
}

#[test]
fn calls_of_a_stream_keep_their_order() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let (target, source) = (client.alloc(4096).unwrap(), client.alloc(4096).unwrap());
    for round in 0..200_u32 {
        fill(&client, 1, source, 4096, round);
        let body = RequestBody {
            addr: target,
            from: Some(source),
            size: Some(4096),
            noresp: Some(1),
            ..Default::default()
        };
        client.send_memory(1, Api::Sync, body);
        fill(&client, 1, source, 4096, 0xff);
        assert_eq!(client.control(command(Command::SyncStream)).status, Some(0));
        assert_eq!(client.copy_from_card(target, 1).unwrap(), [round as u8]);
    }
    client.close();
}

#[test]
fn destroying_a_stream_finishes_what_it_has() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(4096).unwrap();
    client.control(on_stream(Command::CreateStream, 2));
    for value in 0..100 {
        fill(&client, 2, card, 4096, value);
    }
    assert_eq!(
        client.control(on_stream(Command::DestroyStream, 2)).status,
        Some(0)
    );
    assert_eq!(client.copy_from_card(card, 1).unwrap(), [99]);
    client.close();
}

/// A context in which a call blocks can be destroyed, so that the process can end.
#[test]
fn destroying_a_context_does_not_wait_for_ever() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let other = |cmd| ControlRequest {
        context: Some(2),
        ..command(cmd)
    };
    client.control(other(Command::CreateContext));
    let card = client.alloc(64).unwrap();
    fill(&client, 1, card, 64, 1);
    client.set_context(2);
    let blocked = block(&client, 1);
    fill(&client, 1, card, 64, 2);
    client.set_context(1);
    rig.host.wait_counter("native.calls", 1);
    let gone = client.control(other(Command::DestroyContext));
    assert_eq!((gone.status, gone.context), (Some(0), Some(2)));
    assert_eq!(rig.host.counter("control.ended_late"), 1);
    // The call itself is answered when it comes to its end; what was queued behind it is not done.
    rig.codec.release(21);
    assert_eq!(client.vdec_answer(&blocked).data.len(), 2);
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(client.copy_from_card(card, 64).unwrap(), [1; 64]);
    client.close();
}

#[test]
fn events_order_streams() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let event = |cmd, stream| ControlRequest {
        event: Some(5),
        ..on_stream(cmd, stream)
    };
    let quiet = |request: ControlRequest| {
        client.send_control(ControlRequest {
            noresp: Some(1),
            ..request
        })
    };
    client.control(on_stream(Command::CreateStream, 2));
    assert_eq!(
        client.control(event(Command::CreateEvent, 1)).status,
        Some(0)
    );
    assert_eq!(
        client.control(event(Command::CreateEvent, 1)).status,
        Some(0x8030_0383_u32 as i32)
    );
    let card = client.alloc(64).unwrap();
    // Stream 2 waits for what stream 1 has not even been told yet.
    let recorded = quiet(event(Command::WaitEvent, 2));
    fill(&client, 2, card, 64, 2);
    let late = ControlRequest {
        timeout: Some(30),
        ..on_stream(Command::SyncStream, 2)
    };
    assert_eq!(client.control(late).status, Some(0x8030_0305_u32 as i32));
    fill(&client, 1, card, 64, 1);
    quiet(event(Command::RecordEvent, 1));
    assert_eq!(
        client.control(on_stream(Command::SyncStream, 2)).status,
        Some(0)
    );
    assert_eq!(client.copy_from_card(card, 64).unwrap(), [2; 64]);
    assert!(client.answer_frame(&recorded, Duration::ZERO).is_none());
    // A wait with a time limit lets its stream go on.
    let second = ControlRequest {
        event: Some(6),
        ..command(Command::CreateEvent)
    };
    client.control(second);
    quiet(ControlRequest {
        event: Some(6),
        timeout: Some(20),
        ..on_stream(Command::WaitEvent, 2)
    });
    assert_eq!(
        client.control(on_stream(Command::SyncStream, 2)).status,
        Some(0)
    );
    assert_eq!(rig.host.counter("events.timeouts"), 1);
    // So does the end of the event.
    quiet(ControlRequest {
        event: Some(6),
        timeout: Some(-1),
        ..on_stream(Command::WaitEvent, 2)
    });
    let destroy = ControlRequest {
        event: Some(6),
        ..command(Command::DestroyEvent)
    };
    assert_eq!(client.control(destroy).status, Some(0));
    assert_eq!(
        client.control(on_stream(Command::SyncStream, 2)).status,
        Some(0)
    );
    // A session that waits for ever can end.
    quiet(event(Command::RecordEvent, 1));
    quiet(ControlRequest {
        event: Some(7),
        ..command(Command::CreateEvent)
    });
    quiet(ControlRequest {
        event: Some(7),
        timeout: Some(-1),
        ..on_stream(Command::WaitEvent, 2)
    });
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    client.close();
}

/// Work queued behind an event keeps its place when the host destroys the event right after, and an
/// event may join streams of different contexts.
#[test]
fn events_between_contexts_outlive_their_end() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    let other = |cmd| ControlRequest {
        context: Some(2),
        ..command(cmd)
    };
    let card = client.alloc(64).unwrap();
    assert_eq!(
        client.control(other(Command::CreateContext)).status,
        Some(0)
    );
    let event = |request: ControlRequest| ControlRequest {
        event: Some(1),
        ..request
    };
    let quiet = |request: ControlRequest| {
        client.send_control(ControlRequest {
            noresp: Some(1),
            ..event(request)
        })
    };
    assert_eq!(
        client.control(event(command(Command::CreateEvent))).status,
        Some(0)
    );
    let blocked = block(&client, 1);
    rig.host.wait_counter("native.calls", 1);
    quiet(command(Command::RecordEvent));
    // No time is no limit here: the wait would not be one.
    quiet(ControlRequest {
        timeout: Some(0),
        ..other(Command::WaitEvent)
    });
    client.set_context(2);
    fill(&client, 1, card, 64, 2);
    client.set_context(1);
    assert_eq!(
        client.control(event(other(Command::DestroyEvent))).status,
        Some(0)
    );
    assert_eq!(
        client.control(event(other(Command::DestroyEvent))).status,
        Some(0x8030_0384_u32 as i32)
    );
    let sync = |timeout| ControlRequest {
        timeout: Some(timeout),
        ..other(Command::SyncStream)
    };
    assert_eq!(
        client.control(sync(50)).status,
        Some(0x8030_0305_u32 as i32),
        "the event is not reached yet"
    );
    rig.codec.release(21);
    assert_eq!(client.control(sync(-1)).status, Some(0));
    assert_eq!(client.vdec_answer(&blocked).data.len(), 2);
    assert_eq!(client.copy_from_card(card, 64).unwrap(), [2; 64]);
    assert_eq!(rig.host.counter("events.gone"), 0);
    assert_eq!(rig.host.counter("events.timeouts"), 0);
    client.close();
}

#[test]
fn queued_copies_take_their_turn() {
    let rig = Rig::new();
    let client = Client::open(
        &rig,
        21,
        Buffers {
            card_window: 64 << 10,
            ..PLAIN
        },
    );
    let len = 300_000;
    let card = client.alloc(len).unwrap();
    client.control(on_stream(Command::CreateStream, 2));
    for round in 1..5_u8 {
        client
            .process
            .lock()
            .insert(0x1000, vec![round; len as usize]);
        client.process.lock().insert(0x2000, vec![0; len as usize]);
        let copy = |api, kind, addr, from| RequestBody {
            addr,
            from: Some(from),
            size: Some(len),
            kind: Some(kind),
            phy: Some(0x77),
            noresp: Some(u32::from(api == Api::Write)),
            ..Default::default()
        };
        client.send_memory(2, Api::Write, copy(Api::Write, 1, card, 0x1000));
        fill(&client, 2, card + 1, 1, 0xee);
        let read = client.send_memory(2, Api::Read, copy(Api::Read, 0, 0x2000, card));
        assert_eq!(client.memory_answer(&read).status, 0);
        let back = client.take_process(0x2000);
        assert_eq!(back[..3], [round, 0xee, round]);
        assert!(back[2..].iter().all(|b| *b == round));
    }
    let bad = RequestBody {
        kind: Some(9),
        size: Some(1),
        ..Default::default()
    };
    assert_eq!(client.memory(Api::Write, bad).status, 0x8030_0503);
    client.close();
}

#[test]
fn a_host_that_ignores_a_queued_copy() {
    let rig = Rig::with(crate::Options {
        patience: Duration::from_millis(50),
        ..Default::default()
    });
    let client = Client::open(&rig, 21, PLAIN);
    let card = client.alloc(64).unwrap();
    client.close();
    let copy = RequestBody {
        addr: card,
        from: Some(1),
        size: Some(64),
        kind: Some(1),
        noresp: Some(1),
        ..Default::default()
    };
    client.send_memory(1, Api::Write, copy);
    rig.host.wait_counter("copy.start_ignored", 1);
}
