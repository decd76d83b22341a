// SPDX-License-Identifier: MIT OR Apache-2.0

//! The reason of a refusal, which the card knows and the answer has no place for, is in the log in a
//! form that its caller finds.

use ax650_emu_api::Link;
use prost::Message;

use super::{load, loaded, log, open, place, run};
use crate::model::onnx::{Graph, Model, OperatorSet};
use crate::tests::client::Client;
use crate::tests::onnx::{model, node, sum_and_difference, value, FLOAT};
use crate::tests::Rig;
use crate::wire::engine::ApiKind;

/// What the log says of the client's last call of this name: found by process, context and stream, as
/// a host's library can.
fn reason(client: &Client, name: &str, status: u32) -> String {
    let text = log(client);
    let who = format!("pid {0} tid {0} context 1 stream 1 call ", client.pid);
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains(&who) && line.contains(&format!(": {name} refused with ")))
        .unwrap_or_else(|| panic!("no line of {who}{name} in {text}"));
    let (_, rest) = line.split_once("refused with ").unwrap();
    let (code, why) = rest.split_once(": ").unwrap();
    assert_eq!(code, format!("{status:#010x}"), "{line}");
    why.to_owned()
}

/// A model of an operator set that there is not yet.
fn of_the_future() -> Vec<u8> {
    let mut known = Model::decode(&*sum_and_difference(&[1, 2])).unwrap();
    known.opset_import = vec![OperatorSet {
        version: 99,
        ..Default::default()
    }];
    known.encode_to_vec()
}

#[test]
fn I9_6_why_a_model_is_refused() {
    let rig = Rig::new();
    let client = open(&rig);
    let odd = model(
        vec![node("Frobnicate", &["x"], &["y"])],
        vec![],
        vec![value("x", FLOAT, &[1, 2])],
        vec![value("y", FLOAT, &[1, 2])],
    );
    let empty = Model {
        graph: Some(Graph::default()),
        ..Default::default()
    };
    for (image, status, why) in [
        (
            sum_and_difference(&[1, -2]),
            0x8030_0704,
            "input \"a\" has the shape [1, -1]: dimension 1 is dynamic",
        ),
        (b"no model".to_vec(), 0x8030_0709, "this is no ONNX model"),
        (empty.encode_to_vec(), 0x8030_0709, "this is no ONNX model"),
        (
            of_the_future(),
            0x8030_0704,
            "operators that this card does not have",
        ),
        (odd, 0x8030_0704, "Frobnicate"),
    ] {
        let answer = load(&client, &image);
        assert_eq!(answer.status as u32, status, "{why}: {}", log(&client));
        let found = reason(&client, "LoadModel", status);
        assert!(found.contains(why), "{found}");
    }
    rig.host
        .set("memory.limit_bytes", rig.host.cmm_used() + 4096);
    assert_eq!(
        load(&client, &sum_and_difference(&[1])).status,
        0x8030_0707_u32 as i32
    );
    let found = reason(&client, "LoadModel", 0x8030_0707);
    let free = rig.host.cmm().size() - rig.host.cmm_used() - 4096;
    assert!(
        found.contains("no memory for the weights") && found.contains(&format!(" {free} of ")),
        "{found}"
    );
    rig.host.clear("memory.limit_bytes");
    client.close();
}

#[test]
fn I9_6_why_a_run_is_refused() {
    let rig = Rig::new();
    let client = open(&rig);
    let (handle, context) = loaded(&client, &sum_and_difference(&[1, 4]));
    let ok = place(&client, &[0; 16]);
    let short = crate::wire::engine::Desc { size: 15, ..ok };
    let request = run(handle, context, 0, &[ok, short], &[ok, ok], 1);
    assert_ne!(client.engine(ApiKind::RunModel, request).status, 0);
    let found = reason(&client, "RunModel", 0x8030_0703);
    assert_eq!(found, "tensor \"b\" needs 16 bytes, given are 15");
    // Another process's refusal is not this one's.
    let other = Client::open(&rig, 25, crate::tests::client::PLAIN);
    assert_ne!(load(&other, b"x").status, 0);
    assert_eq!(reason(&client, "RunModel", 0x8030_0703), found);
    let theirs = reason(&other, "LoadModel", 0x8030_070c);
    assert_eq!(theirs, "the NPU is not initialised");
    assert_eq!(other.alloc(u32::MAX), Err(0x8030_0507));
    assert!(reason(&other, "ALLOC", 0x8030_0507).contains("4294967295 bytes"));
    other.close();
    client.close();
}
