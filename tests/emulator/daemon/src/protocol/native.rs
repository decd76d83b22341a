// SPDX-License-Identifier: MIT OR Apache-2.0

//! The modules of the native service on the wire: the same messages with other names.

use super::frames::Answer;
use super::native_table;
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
        pub(crate) fn answer(module: u32, api: u32, data: Vec<Vec<u8>>) -> Option<Answer> {
            let api = api as i32;
            let body = match module {
                $($number => response_body::Kind::$variant(native::$response { api, data }),)*
                _ => return None,
            };
            Some(Answer::Native(module as i32, body))
        }

        /// The body of a request, for tests.
        #[cfg(test)]
        pub(crate) fn request(module: u32, api: u32, data: Vec<Vec<u8>>) -> native::Request {
            let api = api as i32;
            let kind = match module {
                $($number => request_body::Kind::$variant(native::$request { api, data }),)*
                _ => panic!("module {module}"),
            };
            native::Request {
                head: Some(native::Head { module: module as i32 }),
                body: Some(native::RequestBody { kind: Some(kind) }),
            }
        }

        /// Module, api number and blobs of an answer, for tests.
        #[cfg(test)]
        pub(crate) fn blobs(response: native::Response) -> (u32, u32, Vec<Vec<u8>>) {
            match response.body.unwrap().kind.unwrap() {
                $(response_body::Kind::$variant(call) => ($number, call.api as u32, call.data),)*
            }
        }

        /// The name of a call, if the schema has one.
        fn schema_name(module: u32, api: u32) -> Option<&'static str> {
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

/// The name of a call, if it has one.
pub(crate) fn name(module: u32, api: u32) -> Option<&'static str> {
    let known = native_table::find(module, api).map(|call| call.name);
    known.or_else(|| schema_name(module, api))
}

/// The name of a call, or numbers for one that has none.
pub(crate) fn called(module: u32, api: u32) -> String {
    name(module, api).map_or_else(|| format!("native.{module}.{api}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_all_calls_of_the_table() {
        for ((module, api), call) in native_table::calls() {
            assert_eq!(schema_name(*module, *api), Some(call.name));
        }
        assert_eq!(called(4, 9), "AX_IVE_Mse");
        assert_eq!(called(7, 200), "native.7.200");
    }
}
