// SPDX-License-Identifier: MIT OR Apache-2.0

//! The native service: one call of the card's SDK per request [rpc 7].  What the codec does not
//! have is refused with an answer of the right sizes.

use super::engine::native::{self as engine, NativeEngine};
use crate::ports::session::{Caller, Session};
use crate::protocol::errors::{native_code, Refusal, Why};
use crate::protocol::frames::Answer;
use crate::protocol::native::{answer, called};
use crate::protocol::native_table::{find, Blobs};
use crate::protocol::refusal::{native_refusal, refusal};

/// The module ENGINE.
const ENGINE: u32 = 5;

/// Runs a call.
pub(crate) fn call(
    session: &Session,
    native: &NativeEngine,
    caller: &Caller<'_>,
    module: u32,
    api: u32,
    args: &[Vec<u8>],
) -> Option<Answer> {
    let card = &session.card;
    card.link.count("native.calls", 1);
    if module == ENGINE && engine::implemented(api) {
        return engine_call(session, native, caller, api, args);
    }
    if !card.codec.implemented(module, api) {
        card.unknown(&called(module, api));
        return native_refusal(module, api, native_code(module, Why::Unsupported))
            .or_else(|| refusal(caller.header, Refusal::Own(Why::Unsupported)));
    }
    answer(module, api, card.codec.call(session.id, module, api, args))
}

/// A call of the module ENGINE, which is the service's own.
fn engine_call(
    session: &Session,
    native: &NativeEngine,
    caller: &Caller<'_>,
    api: u32,
    args: &[Vec<u8>],
) -> Option<Answer> {
    let name = called(ENGINE, api);
    match engine::call(session, native, api, args) {
        Ok(mut data) => {
            let texts = [Blobs::Sizes(vec![None])];
            let call = find(ENGINE, api);
            if !call.is_some_and(|call| texts.contains(&call.answer)) {
                data.insert(0, vec![0; 4]);
            }
            answer(ENGINE, api, data)
        }
        Err(refused) => {
            session.card.link.count("engine.errors", 1);
            session.explain(caller, &name, refused.status, &refused.why);
            native_refusal(ENGINE, api, refused.status)
        }
    }
}
