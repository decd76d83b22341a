// SPDX-License-Identifier: MIT OR Apache-2.0

//! The native service: one call of the card's SDK per request [rpc 7].  What the codec does not
//! have is refused with an answer of the right sizes.

mod modules;
pub(crate) mod table;

use crate::calls::Caller;
use crate::engine;
use crate::errors::{native_code, Refusal, Why};
use crate::frames::Answer;
use crate::session::Session;
use modules::answer;
pub(crate) use modules::parts;
#[cfg(test)]
pub(crate) use modules::{blobs, request};
use table::Blobs;

/// The module ENGINE.
const ENGINE: u32 = 5;

/// The name of a call, if it has one.
pub(crate) fn name(module: u32, api: u32) -> Option<&'static str> {
    let known = table::find(module, api).map(|call| call.name);
    known.or_else(|| modules::name(module, api))
}

/// An answer with all its blobs that carries nothing but an error.
pub(crate) fn refusal(module: u32, api: u32, status: u32) -> Option<Answer> {
    let mut data: Vec<Vec<u8>> = match table::find(module, api).map(|call| &call.answer) {
        Some(Blobs::Sizes(sizes)) => sizes.iter().map(|n| vec![0; n.unwrap_or(0)]).collect(),
        _ => vec![vec![0; 4]],
    };
    // A call that returns an address or a text has no room for an error: it returns none.
    if let Some(first) = data.first_mut().filter(|first| first.len() == 4) {
        first.copy_from_slice(&status.to_le_bytes());
    }
    answer(module, api, data)
}

/// Runs a call.
pub(crate) fn call(
    session: &Session,
    caller: &Caller<'_>,
    module: u32,
    api: u32,
    args: &[Vec<u8>],
) -> Option<Answer> {
    let card = &session.card;
    card.link.count("native.calls", 1);
    if module == ENGINE && engine::native::implemented(api) {
        return engine_call(session, caller, api, args);
    }
    if !card.codec.implemented(module, api) {
        card.unknown(&called(module, api));
        return refusal(module, api, native_code(module, Why::Unsupported))
            .or_else(|| Answer::refusal(caller.header, Refusal::Own(Why::Unsupported)));
    }
    answer(module, api, card.codec.call(session.id, module, api, args))
}

/// A call of the module ENGINE, which is the service's own.
fn engine_call(
    session: &Session,
    caller: &Caller<'_>,
    api: u32,
    args: &[Vec<u8>],
) -> Option<Answer> {
    let name = called(ENGINE, api);
    match engine::native::call(session, api, args) {
        Ok(mut data) => {
            let texts = [Blobs::Sizes(vec![None])];
            let call = table::find(ENGINE, api);
            if !call.is_some_and(|call| texts.contains(&call.answer)) {
                data.insert(0, vec![0; 4]);
            }
            answer(ENGINE, api, data)
        }
        Err(refused) => {
            session.card.link.count("engine.errors", 1);
            session.explain(caller, &name, refused.status, &refused.why);
            refusal(ENGINE, api, refused.status)
        }
    }
}

/// The name of a call, or numbers for one that has none.
pub(crate) fn called(module: u32, api: u32) -> String {
    name(module, api).map_or_else(|| format!("native.{module}.{api}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::native::response_body;

    #[test]
    fn refusals_have_all_blobs() {
        let Some(Answer::Native(1, response_body::Kind::Vdec(response))) =
            refusal(1, 18, 0x8008_0117)
        else {
            panic!("no answer of VDEC");
        };
        assert_eq!(response.api, 18);
        let sizes: Vec<_> = response.data.iter().map(Vec::len).collect();
        assert_eq!(sizes, [4, 240]);
        assert_eq!(response.data[0], 0x8008_0117_u32.to_le_bytes());
        // An address of 8 bytes stays 0.
        let Some(Answer::Native(0, response_body::Kind::Sys(response))) = refusal(0, 50, 1) else {
            panic!("no answer of SYS");
        };
        assert_eq!(response.data, [vec![0; 8]]);
        assert!(refusal(8, 0, 1).is_none());
        assert!(refusal(7, 200, 1).is_some());
    }

    #[test]
    fn calls_without_a_code() {
        // A text: empty.
        let Some(Answer::Native(5, response_body::Kind::Engine(response))) = refusal(5, 0, 1)
        else {
            panic!("no answer of ENGINE");
        };
        assert_eq!(response.data, [Vec::<u8>::new()]);
        // A code and a number.
        let Some(Answer::Native(5, response_body::Kind::Engine(response))) = refusal(5, 20, 1)
        else {
            panic!("no answer of ENGINE");
        };
        assert_eq!(response.data, [vec![1, 0, 0, 0], vec![0; 4]]);
    }

    #[test]
    fn the_schema_has_all_calls_of_the_table() {
        for ((module, api), call) in table::calls() {
            assert_eq!(modules::name(*module, *api), Some(call.name));
        }
        assert_eq!(called(4, 9), "AX_IVE_Mse");
        assert_eq!(called(7, 200), "native.7.200");
    }
}
