// SPDX-License-Identifier: MIT OR Apache-2.0

//! The native service: one call of the card's SDK per request (spec 7).  SYS, VDEC and VENC are the
//! codec's work; the other modules are refused with answers of the right sizes.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::errors::{native_code, Why};
use crate::frames::{Answer, Header};
use crate::session::Session;
use crate::wire::native::{self, request_body, response_body};

/// Makes, for all modules at once, what differs in their types only.
macro_rules! modules {
    ($($number:literal $variant:ident $request:ident $response:ident $api:ident)*) => {
        /// Module, api number and arguments of a request.
        pub(crate) fn parts(request: native::Request) -> Result<(u32, u32, Vec<Vec<u8>>), String> {
            let module = request.head.ok_or("no native head")?.module;
            let kind = request.body.and_then(|body| body.kind).ok_or("no native body")?;
            let (number, api, args) = match kind {
                $(request_body::Kind::$variant(call) => ($number, call.api, call.data),)*
            };
            if module != number {
                return Err(format!("the native head names module {module} for a body of module {number}"));
            }
            let api = u32::try_from(api).map_err(|_| format!("api {api}"))?;
            Ok((number as u32, api, args))
        }

        /// The answer of module `module`; `None` if there is no such module.
        fn answer(module: u32, api: u32, data: Vec<Vec<u8>>) -> Option<Answer> {
            let api = api as i32;
            let body = match module {
                $($number => response_body::Kind::$variant(native::$response { api, data }),)*
                _ => return None,
            };
            Some(Answer::Native(module as i32, body))
        }

        /// The name of a call, if it has one.
        fn name(module: u32, api: u32) -> Option<&'static str> {
            let api = i32::try_from(api).ok()?;
            match module {
                $($number => native::$api::try_from(api).ok().map(|api| api.as_str_name()),)*
                _ => None,
            }
        }
    };
}

modules! {
    0 Sys SysRequest SysResponse SysApi
    1 Vdec VdecRequest VdecResponse VdecApi
    2 Venc VencRequest VencResponse VencApi
    3 Ivps IvpsRequest IvpsResponse IvpsApi
    4 Ive IveRequest IveResponse IveApi
    5 Engine EngineRequest EngineResponse EngineApi
    6 Dmadim DmadimRequest DmadimResponse DmadimApi
    7 Dsp DspRequest DspResponse DspApi
}

/// Bytes of the blobs of each answer, by the name of the call (spec 7.5).
fn sizes() -> &'static HashMap<String, Vec<usize>> {
    static SIZES: OnceLock<HashMap<String, Vec<usize>>> = OnceLock::new();
    SIZES.get_or_init(|| {
        let text = include_str!("../data/native-call-sizes.json");
        serde_json::from_str(text).expect("the table of sizes is part of this program")
    })
}

/// An answer with all its blobs that carries nothing but an error.
pub(crate) fn refusal(module: u32, api: u32, status: u32) -> Option<Answer> {
    let sizes = name(module, api).and_then(|name| sizes().get(name));
    let mut data: Vec<Vec<u8>> = match sizes {
        Some(sizes) => sizes.iter().map(|size| vec![0; *size]).collect(),
        None => vec![vec![0; 4]],
    };
    // A call that returns an address has no room for an error: it returns none.
    if data[0].len() == 4 {
        data[0].copy_from_slice(&status.to_le_bytes());
    }
    answer(module, api, data)
}

/// Runs a call.
pub(crate) fn call(
    session: &Session,
    header: &Header,
    module: u32,
    api: u32,
    args: &[Vec<u8>],
) -> Option<Answer> {
    let link = &session.card.link;
    link.count("native.calls", 1);
    if !session.card.codec.implemented(module, api) {
        let name =
            name(module, api).map_or_else(|| format!("native.{module}.{api}"), str::to_owned);
        session.card.unknown(&name);
        return refusal(module, api, native_code(module, Why::Unsupported))
            .or_else(|| Answer::refusal(header, None, Why::Unsupported));
    }
    let data = session.card.codec.call(session.id, module, api, args);
    answer(module, api, data)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn all_named_calls_with_sizes_exist() {
        let names: Vec<&str> = (0..8)
            .flat_map(|m| (0..256).filter_map(move |a| name(m, a)))
            .collect();
        for known in sizes().keys() {
            assert!(names.contains(&known.as_str()), "{known}");
        }
    }
}
