// SPDX-License-Identifier: MIT OR Apache-2.0

//! Engine calls that cannot be done, and the error numbers that say so.

use super::{load, loaded, open, place, run, with};
use crate::model::digest;
use crate::tests::client::{Client, PLAIN};
use crate::tests::onnx::sum_and_difference;
use crate::tests::Rig;
use crate::wire::engine::{ApiKind, Desc, RequestBody};

#[test]
fn what_is_wrong_is_refused() {
    let rig = Rig::new();
    let early = Client::open(&rig, 25, PLAIN);
    assert_eq!(
        load(&early, &sum_and_difference(&[1])).status,
        0x8030_070c_u32 as i32
    );
    early.close();
    let client = open(&rig);
    assert_eq!(load(&client, b"no model").status, 0x8030_0709_u32 as i32);
    // The log names the image, for whoever wants to put one into the model directory.
    let text = super::log(&client);
    let name = digest(b"no model");
    assert!(
        text.contains(&format!("(image of sha256 {name})")),
        "{text}"
    );
    assert_eq!(
        load(&client, &sum_and_difference(&[1])[..50]).status,
        0x8030_0709_u32 as i32
    );
    let outside = RequestBody {
        address: Some(0x1000),
        size: Some(16),
        ..Default::default()
    };
    assert_eq!(
        client.engine(ApiKind::LoadModel, outside).status,
        0x8030_0703_u32 as i32
    );
    rig.host
        .set("memory.limit_bytes", rig.host.cmm_used() + 4096);
    let image = sum_and_difference(&[1]);
    let full = load(&client, &image);
    assert_eq!(
        full.status, 0x8030_0707_u32 as i32,
        "the image itself has taken the last page"
    );
    rig.host.clear("memory.limit_bytes");

    let (handle, context) = loaded(&client, &sum_and_difference(&[1, 4]));
    let ok = place(&client, &[0; 16]);
    let short = Desc { size: 15, ..ok };
    let outside = Desc {
        address: 0x5000,
        size: 16,
    };
    let illegal = 0x8030_0703_u32 as i32;
    for (body, why) in [
        (
            run(handle, context, 0, &[ok], &[ok, ok], 1),
            "an input is missing",
        ),
        (
            run(handle, context, 0, &[ok, ok], &[ok, short], 1),
            "too short",
        ),
        (
            run(handle, context, 0, &[ok, outside], &[ok, ok], 1),
            "not allocated",
        ),
        (
            run(handle, context, 0, &[ok, ok], &[ok, ok], 2),
            "no room for a batch",
        ),
        (
            run(handle, context, 0, &[ok, ok], &[ok, ok], u32::MAX),
            "an absurd batch",
        ),
        (
            run(handle, context + 1, 0, &[ok, ok], &[ok, ok], 1),
            "no such context",
        ),
        (
            run(handle + 1, context, 0, &[ok, ok], &[ok, ok], 1),
            "no such model",
        ),
        (with(handle), "no tensors"),
    ] {
        assert_eq!(
            client.engine(ApiKind::RunModel, body).status,
            illegal,
            "{why}"
        );
    }
    let no_such_group = run(handle, context, 1, &[ok, ok], &[ok, ok], 1);
    assert_eq!(
        client.engine(ApiKind::RunModel, no_such_group).status,
        0x8030_0781_u32 as i32
    );
    let affinity = |mask| RequestBody {
        affinity: Some(mask),
        ..with(handle)
    };
    assert_eq!(
        client.engine(ApiKind::SetAffinity, affinity(8)).status,
        illegal
    );
    let good = || run(handle, context, 0, &[ok, ok], &[ok, ok], 1);
    // No wish, and one core.
    for mask in [0, 2] {
        assert_eq!(
            client.engine(ApiKind::SetAffinity, affinity(mask)).status,
            0
        );
        assert_eq!(
            client.engine(ApiKind::GetAffinity, with(handle)).affinity,
            Some(mask)
        );
        assert_eq!(client.engine(ApiKind::RunModel, good()).status, 0);
    }
    rig.host.set("engine.fail", true);
    assert_eq!(
        client.engine(ApiKind::RunModel, good()).status,
        0x8030_070c_u32 as i32
    );
    rig.host.set("engine.fail", 0x1234);
    assert_eq!(client.engine(ApiKind::RunModel, good()).status, 0x1234);
    assert_eq!(
        client.engine_without_body(ApiKind::GetNpuType).npu_type,
        Some(0)
    );
    // Fields that a client asks for are there, even in a failure.
    let unknown = with(1);
    assert_eq!(
        client
            .engine(ApiKind::GetModelType, unknown.clone())
            .model_type,
        Some(0)
    );
    assert_eq!(
        client
            .engine(ApiKind::GetMemoryUsage, unknown.clone())
            .sys_usage,
        Some(0)
    );
    assert!(client
        .engine(ApiKind::GetModelIoInfo, unknown)
        .meta
        .is_some());
    client.close();
}
