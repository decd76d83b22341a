// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every native call of the notes is answered, over the wire, with blobs of the right sizes,
//! whatever it is given.

use std::collections::BTreeMap;

use ax650_emu_media::Media;

use super::client::{Client, PLAIN};
use super::Rig;
use crate::protocol::native_table::{calls, Blobs, Call};

/// Calls of the notes in their order.
fn in_order() -> BTreeMap<(u32, u32), &'static Call> {
    calls().iter().map(|(key, call)| (*key, call)).collect()
}

#[test]
fn every_call_is_answered_in_full() {
    let text = include_str!("../../../../../vectors/native-call-sizes.json");
    let mut measured: BTreeMap<String, Vec<usize>> = serde_json::from_str(text).unwrap();
    let rig = Rig::real();
    let client = Client::open(&rig, 21, PLAIN);
    for ((module, api), call) in in_order() {
        let mut requests = vec![vec![], vec![vec![]; 3], vec![vec![0xff; 5]]];
        if let Blobs::Sizes(sizes) = &call.request {
            // All zero: time limits too, so that nothing waits.
            requests.push(sizes.iter().map(|n| vec![0; n.unwrap_or(0)]).collect());
        }
        let want = measured.remove(call.name);
        for request in requests {
            let answer = client.native(module, api, request);
            let got: Vec<usize> = answer.iter().map(Vec::len).collect();
            match (&want, &call.answer) {
                (Some(want), _) => assert_eq!(&got, want, "{}", call.name),
                (None, Blobs::Sizes(sizes)) => {
                    assert_eq!(got.len(), sizes.len(), "{}", call.name);
                    for (got, want) in got.iter().zip(sizes) {
                        assert!(want.is_none_or(|want| want == *got), "{}", call.name);
                    }
                }
                (None, _) => assert_eq!(got, [4], "{}", call.name),
            }
        }
    }
    assert!(measured.is_empty(), "not asked: {measured:?}");
    client.close();
}

/// What the codec says of its calls is what the notes say.
#[test]
fn the_codec_has_the_sizes_of_the_notes() {
    let mut implemented = 0;
    for ((module, api), call) in in_order() {
        if !Media::implemented(module, api) {
            continue;
        }
        implemented += 1;
        assert_eq!(Media::name(module, api), Some(call.name));
        let request = Media::request_sizes(module, api).unwrap();
        assert_eq!(Blobs::Sizes(request), call.request, "{}", call.name);
        let answer = Media::answer_sizes(module, api).unwrap();
        assert_eq!(Blobs::Sizes(answer), call.answer, "{}", call.name);
    }
    let engine = in_order()
        .keys()
        .filter(|(module, api)| *module == 5 && crate::services::engine::native::implemented(*api))
        .count();
    let manual = include_str!("../../../../../docs/emulator.md");
    for numbers in [
        format!("{implemented} are implemented by the codec"),
        format!("{engine} of ENGINE by the service itself"),
    ] {
        assert!(
            manual.contains(&numbers),
            "the manual does not say: {numbers}"
        );
    }
    let all = (0..8).flat_map(|m| (0..256).map(move |a| (m, a)));
    let had = all.filter(|(m, a)| Media::implemented(*m, *a)).count();
    assert_eq!(had, implemented, "calls that the notes do not have");
}

#[test]
fn refusals_are_counted_by_name() {
    let rig = Rig::real();
    let client = Client::open(&rig, 21, PLAIN);
    for _ in 0..2 {
        let answer = client.native(4, 9, vec![vec![0; 8]]);
        assert_eq!(answer, [0x8130_0404_u32.to_le_bytes()]);
    }
    assert_eq!(client.native(7, 77, vec![]).len(), 1);
    client.alloc(4096).unwrap();
    let report = rig.daemon.report();
    let unknown = &report["unknown_calls"];
    assert_eq!(
        (&unknown["AX_IVE_Mse"], &unknown["native.7.77"]),
        (&2.into(), &1.into())
    );
    let calls = &report["calls"];
    assert_eq!(
        (&calls["AX_IVE_Mse"], &calls["memory.ALLOC"]),
        (&2.into(), &1.into())
    );
    assert_eq!(calls["control.CREATE_CONTEXT"], 1);
    client.close();
}
