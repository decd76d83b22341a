// SPDX-License-Identifier: MIT OR Apache-2.0

//! Card memory that a run uses, freed while it runs.

use std::sync::Arc;
use std::time::Duration;

use ax650_emu_api::Link;

use super::{fetch, floats, loaded, log, open, place, run, with};
use crate::tests::client::Client;
use crate::tests::onnx::{model, node, value, FLOAT};
use crate::tests::Rig;
use crate::wire::engine::{ApiKind, Desc, RequestBody};
use crate::wire::system::{Command, ControlRequest};

const SIDE: i64 = 512;

/// A product of large matrices, many times over: long enough to be looked at while it runs.
fn slow() -> Vec<u8> {
    const TIMES: usize = 60;
    let name = |n: usize| format!("y{n}");
    let mut nodes = vec![node("MatMul", &["x", "x"], &["y0"])];
    for n in 1..TIMES {
        nodes.push(node("MatMul", &[&name(n - 1), "x"], &[&name(n)]));
    }
    let dims = [SIDE, SIDE];
    let output = value(&name(TIMES - 1), FLOAT, &dims);
    model(nodes, vec![], vec![value("x", FLOAT, &dims)], vec![output])
}

struct Running {
    rig: Rig,
    client: Arc<Client>,
    handle: u64,
    context: u64,
    input: Desc,
    output: Desc,
    header: crate::protocol::frames::Header,
}

/// A run on stream 2, which has begun.
fn running() -> Running {
    let rig = Rig::new();
    let client = open(&rig);
    let create = ControlRequest {
        cmd: Command::CreateStream.into(),
        context: Some(1),
        stream: Some(2),
        ..Default::default()
    };
    assert_eq!(client.control(create).status, Some(0));
    let (handle, context) = loaded(&client, &slow());
    let bytes = vec![0; (SIDE * SIDE * 4) as usize];
    let (input, output) = (place(&client, &bytes), place(&client, &bytes));
    let request = run(handle, context, 0, &[input], &[output], 1);
    let header = client.send_engine(2, ApiKind::RunModel, request);
    while rig.daemon.report()["npu"]["percent"] == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    Running {
        rig,
        client,
        handle,
        context,
        input,
        output,
        header,
    }
}

impl Running {
    fn freed(&self) -> u64 {
        self.rig.host.cmm().holds().count_freed(false)
    }
}

#[test]
fn U9_an_output_freed_during_the_run_is_counted_and_not_written() {
    let r = running();
    assert_eq!(r.freed(), 0);
    assert_eq!(r.client.free(r.output.address), 0);
    assert_eq!(r.freed(), 1);
    // The place is another tensor's now.
    let pattern = vec![0x5a; r.output.size as usize];
    let other = place(&r.client, &pattern);
    assert_eq!(other.address, r.output.address);
    let answer = r.client.engine_answer(&r.header);
    assert_eq!(answer.status, 0x8030_070c_u32 as i32);
    assert!(
        fetch(&r.client, &other) == pattern,
        "memory of another was written"
    );
    let text = log(&r.client);
    assert!(text.contains("was freed while session 21 uses"), "{text}");
    // And as it should be: freed after the run.
    let request = run(r.handle, r.context, 0, &[r.input], &[other], 1);
    assert_eq!(r.client.engine(ApiKind::RunModel, request).status, 0);
    assert_eq!(r.client.free(other.address), 0);
    assert_eq!(r.freed(), 1);
    r.client.close();
}

/// A run that waits for its stream has its memory already.
#[test]
fn U9_memory_freed_before_a_queued_run_begins_is_counted() {
    let r = running();
    let second = place(&r.client, &vec![0; r.output.size as usize]);
    let request = run(r.handle, r.context, 0, &[r.input], &[second], 1);
    let queued = r.client.send_engine(2, ApiKind::RunModel, request);
    // Frames are taken in order: once this call is answered the run is queued.
    assert_eq!(r.client.free(second.address), 0);
    let freed = r.rig.host.cmm().holds().list_freed(false);
    assert_eq!(freed.len(), 1, "{freed:?}");
    let other = place(&r.client, &vec![0x5a; r.output.size as usize]);
    assert_eq!(other.address, second.address);
    assert_eq!(r.client.engine_answer(&r.header).status, 0);
    assert_eq!(
        r.client.engine_answer(&queued).status,
        0x8030_070c_u32 as i32
    );
    assert!(fetch(&r.client, &other).iter().all(|byte| *byte == 0x5a));
    // A run that is dropped with its context uses nothing any more.
    let context = |cmd: Command| ControlRequest {
        cmd: cmd.into(),
        context: Some(9),
        ..Default::default()
    };
    assert_eq!(
        r.client.control(context(Command::CreateContext)).status,
        Some(0)
    );
    r.client.set_context(9);
    let request = run(r.handle, r.context, 0, &[r.input], &[other], 1);
    for _ in 0..20 {
        r.client.send_engine(1, ApiKind::RunModel, request.clone());
    }
    assert_eq!(
        r.client.control(context(Command::DestroyContext)).status,
        Some(0)
    );
    r.client.set_context(1);
    while !r.rig.host.cmm().holds().is_idle() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(r.client.free(other.address), 0);
    assert_eq!(r.freed(), 1);
    r.client.close();
}

#[test]
fn U9_an_input_freed_during_the_run_is_counted() {
    let r = running();
    assert_eq!(r.client.free(r.input.address), 0);
    assert_eq!(r.freed(), 1);
    assert_eq!(r.client.engine_answer(&r.header).status, 0);
    r.client.close();
}

#[test]
fn U9_a_model_unloaded_during_its_run_is_counted() {
    let r = running();
    assert_eq!(
        r.client.engine(ApiKind::UnloadModel, with(r.handle)).status,
        0
    );
    // Weights and work space.
    assert_eq!(r.freed(), 2);
    r.client.engine_answer(&r.header);
    r.client.close();
    let r = running();
    let end = r.client.engine(ApiKind::FinalNpu, RequestBody::default());
    assert_eq!((end.status, r.freed()), (0, 2));
    r.client.engine_answer(&r.header);
    r.client.close();
}

#[test]
fn U9_the_end_of_a_session_is_no_free_of_memory_in_use() {
    let r = running();
    r.client.kill();
    r.rig.host.wait_counter("sessions.closed", 1);
    assert_eq!((r.rig.host.cmm_used(), r.freed()), (0, 0));
    r.client.close();
}

#[test]
fn U9_a_target_freed_during_a_copy_is_not_written_any_more() {
    let rig = Rig::new();
    let client = open(&rig);
    let target = client.alloc(4096).unwrap();
    rig.host.set("dma.stall_ms", 300);
    let copying = {
        let client = client.clone();
        std::thread::spawn(move || client.copy_to_card(target, &[9; 4096]))
    };
    rig.host.wait_counter("copy.to_card", 1);
    while rig.host.cmm().holds().is_idle() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(client.free(target), 0);
    assert_eq!(rig.host.cmm().holds().count_freed(false), 1);
    assert!(!copying.join().unwrap(), "the host is told");
    rig.host.clear("dma.stall_ms");
    let again = place(&client, &floats(&[0.0; 1024]));
    assert_eq!(again.address, target);
    assert_eq!(rig.host.counter("bulk.pull_bytes"), again.size);
    client.close();
}

/// The host may free memory as soon as it is told that the copy is done.
#[test]
fn U9_memory_freed_right_after_a_copy_was_not_in_use() {
    let rig = Rig::new();
    let client = open(&rig);
    for _ in 0..300 {
        let there = place(&client, &[1; 64]);
        assert_eq!(client.free(there.address), 0);
        let back = client.alloc(64).unwrap();
        client.copy_from_card(back, 64).unwrap();
        assert_eq!(client.free(back), 0);
    }
    let freed = rig.host.cmm().holds().list_freed(false);
    assert!(freed.is_empty(), "{freed:?}");
    client.close();
}
