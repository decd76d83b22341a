// SPDX-License-Identifier: MIT OR Apache-2.0

//! Several processes with several threads each, of which some die in the middle of everything.

use std::sync::Arc;

use super::{fetch, floats, loaded, place, run};
use crate::protocol::messages::Control;
use crate::protocol::record::{Kind, Record, COPY_NOW};
use crate::tests::client::{Buffers, Client};
use crate::tests::onnx::sum_and_difference;
use crate::tests::Rig;
use crate::wire::engine::{ApiKind, Desc, RequestBody};
use crate::wire::memory;
use crate::wire::system::{request_body, response_body, Command, ControlRequest, Latency, Module};

/// Small windows, so that transactions have several chunks.
const BUFFERS: Buffers = Buffers {
    card_window: 8 << 10,
    host_window: 16 << 10,
    pieces: 4,
};
const FLOATS: usize = 10_000;
const STREAMS: std::ops::RangeInclusive<u32> = 2..=4;
const ROUNDS: usize = 15;

/// A process with a model, and its streams.
fn process(rig: &Rig, first: u32) -> (Arc<Client>, u64, u64) {
    let client = Client::open(rig, first, BUFFERS);
    let init = RequestBody {
        npu_type: Some(0),
        ..Default::default()
    };
    assert_eq!(client.engine(ApiKind::InitNpu, init).status, 0);
    let (handle, context) = loaded(&client, &sum_and_difference(&[1, FLOATS as i64]));
    for stream in STREAMS {
        let create = ControlRequest {
            cmd: Command::CreateStream.into(),
            context: Some(1),
            stream: Some(stream),
            ..Default::default()
        };
        assert_eq!(client.control(create).status, Some(0));
    }
    (client, handle, context)
}

fn tensors(client: &Client, count: usize) -> Vec<Desc> {
    (0..count)
        .map(|_| place(client, &floats(&[0.0; FLOATS])))
        .collect()
}

/// A thread: small fills, copies, runs and long answers, each of which has to be right.
fn work(client: &Client, handle: u64, context: u64, stream: u32) {
    let io = tensors(client, 4);
    let seed = (client.pid + stream) as f32;
    for round in 0..ROUNDS {
        let a: Vec<f32> = (0..FLOATS).map(|i| seed + (i * round) as f32).collect();
        assert!(client.copy_to_card(io[0].address, &floats(&a)));
        // 0x40404040 is 3.0039215.
        let fill = memory::RequestBody {
            addr: io[1].address,
            size: Some(io[1].size as u32),
            value: Some(0x40),
            noresp: Some(1),
            ..Default::default()
        };
        client.send_memory(stream, memory::Api::Set, fill);
        let b = f32::from_bits(0x4040_4040);
        let request = run(handle, context, 0, &io[..2], &io[2..], 1);
        let header = client.send_engine(stream, ApiKind::RunModel, request);
        assert_eq!(client.engine_answer(&header).status, 0);
        let sum: Vec<f32> = a.iter().map(|a| a + b).collect();
        assert!(fetch(client, &io[2]) == floats(&sum), "round {round}");
        let data = vec![round as u8; 3000];
        let echo = request_body::Kind::Latency(Latency { data: data.clone() });
        let answer = client.system(Module::Latency, echo);
        assert_eq!(answer, response_body::Kind::Latency(Latency { data }));
    }
}

/// Begins all that a process can have under way, and dies.
fn die(client: &Client, handle: u64, context: u64) {
    let io = tensors(client, 4);
    // Nobody listens any more.
    client.close();
    for _ in 0..20 {
        for stream in STREAMS {
            let request = run(handle, context, 0, &io[..2], &io[2..], 1);
            client.send_engine(stream, ApiKind::RunModel, request);
        }
    }
    // A long answer that is not taken, and a copy of which only the first chunk is.
    let echo = request_body::Kind::Latency(Latency {
        data: vec![1; 50_000],
    });
    let header = client.header(0x0001_0000, 0);
    client.send_frame(&client.system_frame(&header, Module::Latency, echo));
    let announce = Control::Transfer {
        kind: COPY_NOW,
        size: 57,
    };
    let record = Record {
        header: client.header(COPY_NOW, 0),
        kind: Kind::FromHost,
        source: 0,
        target: io[0].address,
        host: 0,
        len: io[0].size as u32,
    };
    client.message(0, announce.bytes());
    client.message(0, record.bytes());
    client.kill();
}

#[test]
fn processes_and_threads_side_by_side() {
    let rig = Rig::real();
    let living: Vec<_> = [21, 25].map(|first| process(&rig, first)).into();
    let dying: Vec<_> = [29, 33, 37].map(|first| process(&rig, first)).into();
    std::thread::scope(|scope| {
        for (client, handle, context) in &living {
            for stream in STREAMS {
                scope.spawn(move || work(client, *handle, *context, stream));
            }
        }
        for (client, handle, context) in &dying {
            scope.spawn(move || die(client, *handle, *context));
        }
    });
    rig.host.wait_counter("sessions.closed", 3);
    let report = rig.daemon.report();
    assert_eq!(report["sessions"].as_array().unwrap().len(), 2);
    for session in report["sessions"].as_array().unwrap() {
        assert_eq!(session["models"].as_array().unwrap().len(), 1);
    }
    living.iter().for_each(|(client, ..)| client.kill());
    rig.host.wait_counter("sessions.closed", 5);
    assert_eq!(rig.host.cmm_used(), 0);
    for counter in ["session.panics", "rpc.panics", "rpc.unknown"] {
        assert_eq!(rig.host.counter(counter), 0, "{counter}");
    }
    living.iter().for_each(|(client, ..)| client.close());
}
