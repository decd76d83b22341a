// SPDX-License-Identifier: MIT OR Apache-2.0

//! The native ENGINE module: the table of docs/emulator.md, call by call.

use std::sync::Arc;

use super::{load, open};
use crate::tests::client::{Client, PLAIN};
use crate::tests::onnx::sum_and_difference;
use crate::tests::Rig;

const ENGINE: u32 = 5;
const VERSION: u32 = 0;
const INIT: u32 = 2;
const GET_ATTR: u32 = 3;
const DEINIT: u32 = 4;
const MODEL_TYPE: u32 = 5;
const CREATE: u32 = 6;
const CREATE_V2: u32 = 7;
const DESTROY: u32 = 8;
const GROUPS: u32 = 10;
const HANDLE_TYPE: u32 = 12;
const CONTEXT: u32 = 13;
const CONTEXT_V2: u32 = 14;
const SET_AFFINITY: u32 = 18;
const GET_AFFINITY: u32 = 19;
const CMM_USAGE: u32 = 20;
const TOOLS: u32 = 21;

const PARAMETER: u32 = 0x8006_010a;
const NOT_INITIALISED: u32 = 0x8006_0112;
const NO_HANDLE: u32 = 0x8006_0117;

/// Code and the rest of an answer.
fn call(client: &Client, api: u32, args: &[&[u8]]) -> (u32, Vec<Vec<u8>>) {
    let args = args.iter().map(|blob| blob.to_vec()).collect();
    let mut answer = client.native(ENGINE, api, args);
    let code = answer.remove(0);
    (u32::from_le_bytes(code[..].try_into().unwrap()), answer)
}

fn init(client: &Client, mode: u8) -> u32 {
    let mut attributes = [0; 36];
    attributes[0] = mode;
    attributes[35] = 0x77;
    call(client, INIT, &[&attributes]).0
}

fn number(answer: &(u32, Vec<Vec<u8>>)) -> (u32, u32) {
    (
        answer.0,
        u32::from_le_bytes(answer.1[0][..].try_into().unwrap()),
    )
}

/// A model image in card memory.
fn image(client: &Arc<Client>) -> (Vec<u8>, Vec<u8>) {
    let bytes = sum_and_difference(&[1, 6]);
    let address = client.alloc(bytes.len() as u32).unwrap();
    assert!(client.copy_to_card(address, &bytes));
    let size = bytes.len() as u32;
    (address.to_le_bytes().to_vec(), size.to_le_bytes().to_vec())
}

#[test]
fn D3_the_life_of_the_npu_and_of_handles() {
    let rig = Rig::real();
    let client = Client::open(&rig, 21, PLAIN);
    let (address, size) = image(&client);
    let any = [1, 0, 0, 0, 0, 0, 0, 0];
    let of_handle = [
        DESTROY,
        GROUPS,
        HANDLE_TYPE,
        CONTEXT,
        CONTEXT_V2,
        GET_AFFINITY,
        CMM_USAGE,
    ];
    let off = |when: &str| {
        assert_eq!(call(&client, GET_ATTR, &[]).0, NOT_INITIALISED, "{when}");
        for api in [CREATE, MODEL_TYPE] {
            assert_eq!(
                call(&client, api, &[&address, &size]).0,
                NOT_INITIALISED,
                "{when}"
            );
        }
        for api in of_handle {
            assert_eq!(
                call(&client, api, &[&any]).0,
                NOT_INITIALISED,
                "{api} {when}"
            );
        }
    };
    assert_eq!(call(&client, DEINIT, &[]).0, 0, "Deinit first");
    off("before Init");
    assert_eq!(init(&client, 9), PARAMETER, "no such mode");
    assert_eq!(call(&client, INIT, &[&[0; 35]]).0, PARAMETER, "too short");
    assert_eq!((init(&client, 0), init(&client, 0)), (0, 0), "Init twice");
    assert_eq!(init(&client, 1), PARAMETER, "another mode");
    let attributes = call(&client, GET_ATTR, &[]).1.remove(0);
    assert_eq!((attributes.len(), attributes[35]), (36, 0x77));
    for api in of_handle {
        assert_eq!(call(&client, api, &[&any]).0, NO_HANDLE, "{api}");
    }
    let (code, answer) = call(&client, CREATE, &[&address, &size]);
    assert_eq!(code, 0);
    let handle = answer[0].clone();
    let other = call(&client, CREATE_V2, &[&address, &size, &[0; 4], b"extra"]);
    assert_eq!(other.0, 0);
    assert_ne!(other.1[0], handle);
    assert_eq!(
        number(&call(&client, MODEL_TYPE, &[&address, &size])),
        (0, 0)
    );
    assert_eq!(number(&call(&client, HANDLE_TYPE, &[&handle])), (0, 0));
    assert_eq!(number(&call(&client, GROUPS, &[&handle])), (0, 1));
    let before = number(&call(&client, CMM_USAGE, &[&handle])).1;
    assert_eq!(call(&client, CONTEXT, &[&handle]).0, 0);
    let (code, context) = call(&client, CONTEXT_V2, &[&handle]);
    assert_eq!(code, 0);
    assert_ne!(context[0], handle);
    // Four tensors of 24 bytes for each context.
    assert_eq!(
        number(&call(&client, CMM_USAGE, &[&handle])).1,
        before + 2 * 96
    );
    assert_eq!(
        call(&client, SET_AFFINITY, &[&handle, &[8, 0, 0, 0]]).0,
        PARAMETER
    );
    assert_eq!(call(&client, SET_AFFINITY, &[&handle, &[2, 0, 0, 0]]).0, 0);
    assert_eq!(number(&call(&client, GET_AFFINITY, &[&handle])), (0, 2));
    assert_eq!(call(&client, DESTROY, &[&handle]).0, 0);
    assert_eq!(call(&client, DESTROY, &[&handle]).0, NO_HANDLE, "twice");
    assert_eq!(call(&client, DEINIT, &[]).0, 0);
    assert_eq!(call(&client, DEINIT, &[]).0, 0, "Deinit twice");
    off("after Deinit");
    // What was left has gone with it: only the image is there.
    let report = rig.daemon.report();
    assert_eq!(
        report["sessions"][0]["native_models"],
        serde_json::json!([])
    );
    assert_eq!(init(&client, 1), 0, "another mode after Deinit");
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    assert_eq!(rig.host.cmm_used(), 0);
    client.close();
}

#[test]
fn D3_texts_and_what_is_no_model() {
    let rig = Rig::real();
    let client = open(&rig);
    let version = client.native(ENGINE, VERSION, vec![]);
    assert!(version[0].starts_with(b"ax650-emu ") && version[0].ends_with(&[0]));
    assert_eq!(version.len(), 1);
    assert_eq!(init(&client, 0), 0);
    let (address, size) = image(&client);
    let handle = call(&client, CREATE, &[&address, &size]).1.remove(0);
    let tools = client.native(ENGINE, TOOLS, vec![handle.clone()]);
    assert_eq!(tools, [b"ax650-test\0".to_vec()]);
    // A handle of the runtime's service is none here, and the other way round.
    let loaded = load(&client, &sum_and_difference(&[1])).handle.unwrap();
    assert_eq!(call(&client, GROUPS, &[&loaded.to_le_bytes()]).0, NO_HANDLE);
    let mine = u64::from_le_bytes(handle[..].try_into().unwrap());
    let theirs = client.engine(
        crate::wire::engine::ApiKind::GetModelType,
        super::with(mine),
    );
    assert_eq!(theirs.status, 0x8030_0703_u32 as i32);
    let rubbish = client.alloc(4096).unwrap().to_le_bytes();
    let answer = call(&client, CREATE, &[&rubbish, &4096_u32.to_le_bytes()]);
    assert_eq!(answer, (PARAMETER, vec![vec![0; 8]]));
    // Descriptions whose layout is not known are refused by name.
    for api in [9, 11, 15, 16, 17] {
        assert_eq!(call(&client, api, &[&handle]).0, 0x8130_0504, "{api}");
    }
    let unknown = &rig.daemon.report()["unknown_calls"];
    assert_eq!(unknown["AX_ENGINE_GetIOInfo"], 1);
    assert_eq!(unknown["AX_ENGINE_Init"], serde_json::Value::Null);
    client.close();
}
