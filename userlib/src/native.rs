// SPDX-License-Identifier: MIT OR Apache-2.0

//! Native calls: the functions of the card's own media interface, arguments as blobs [rpc 7].

use std::time::Duration;

use crate::call::Call;
use crate::code::CardCode;
use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::proto::axclrpc::{self, native};
use crate::stream::Stream;

/// Names a native call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Api {
    pub what: &'static str,
    pub module: native::Module,
    pub number: i32,
    /// Bytes of each blob of the answer, behind the return value.
    pub outputs: &'static [usize],
}

impl Stream {
    /// Makes the frame of a native call.
    pub(crate) fn native_call(&self, api: &Api, blobs: &[&[u8]]) -> Call {
        let body = request(api.module, api.number, blobs);
        let kind = Kind::native(api.module.into(), api.number);
        let answer = api.outputs.iter().sum::<usize>() + 256;
        self.prepare(api.what, kind, 0, body).with_capacity(answer)
    }

    /// Makes a native call; the blobs behind the return value.
    ///
    /// # Errors
    ///
    /// [`Error::Card`] when the return value is not 0.
    pub(crate) fn native(
        &self,
        api: &Api,
        blobs: &[&[u8]],
        timeout: Option<Duration>,
    ) -> Result<Vec<Vec<u8>>> {
        answer(api, self.call(self.native_call(api, blobs), timeout)?)
    }

    /// Makes any native call: a raw one, for what this library does not wrap.
    ///
    /// `number` is that of the call in its module, `blobs` are its arguments, and `capacity` is the room for the
    /// answer in bytes.  The first blob of the answer is the return value.
    ///
    /// # Errors
    ///
    /// [`Error::Job`]: the card did not answer in time;
    /// [`Error::Answer`]: the answer makes no sense. A return value that tells of a
    /// failure is none.
    pub fn native_raw(
        &self,
        module: native::Module,
        number: i32,
        blobs: &[&[u8]],
        capacity: usize,
        timeout: Option<Duration>,
    ) -> Result<Vec<Vec<u8>>> {
        let what = format!("native call {number} of {}", module.as_str_name());
        let body = request(module, number, blobs);
        let call = self
            .prepare(what.as_str(), Kind::native(module.into(), number), 0, body)
            .with_capacity(capacity);
        take_blobs(&what, module, number, self.call(call, timeout)?)
    }
}

/// Takes the blobs behind the return value out of `answer`.
pub(crate) fn answer(api: &Api, answer: axclrpc::ResponseBody) -> Result<Vec<Vec<u8>>> {
    let Api {
        what,
        module,
        number,
        outputs,
    } = *api;
    let mut blobs = take_blobs(what, module, number, answer)?;
    let sizes: Vec<_> = blobs.iter().map(Vec::len).collect();
    if sizes.first() != Some(&4) {
        return Err(Error::answer(
            what,
            format!("no return value, but blobs of {sizes:?} bytes"),
        ));
    }
    let returned = blobs.remove(0);
    match u32::from_le_bytes(returned.try_into().expect("4 bytes")) {
        0 if sizes[1..] == *outputs => Ok(blobs),
        0 => {
            let got = &sizes[1..];
            Err(Error::answer(
                what,
                format!("blobs of {got:?} bytes instead of {outputs:?}"),
            ))
        }
        code => Err(Error::Card {
            what: what.into(),
            code: CardCode(code),
        }),
    }
}

fn take_blobs(
    what: &str,
    module: native::Module,
    number: i32,
    answer: axclrpc::ResponseBody,
) -> Result<Vec<Vec<u8>>> {
    let native = match answer.kind {
        Some(axclrpc::response_body::Kind::Native(native)) => native,
        other => {
            return Err(Error::answer(
                what,
                format!("not of a native call: {other:?}"),
            ))
        }
    };
    use native::response_body::Kind::{Dmadim, Dsp, Engine, Ive, Ivps, Sys, Vdec, Venc};
    let (got, api, data) = match native.body.and_then(|body| body.kind) {
        Some(Sys(body)) => (native::Module::Sys, body.api, body.data),
        Some(Vdec(body)) => (native::Module::Vdec, body.api, body.data),
        Some(Venc(body)) => (native::Module::Venc, body.api, body.data),
        Some(Ivps(body)) => (native::Module::Ivps, body.api, body.data),
        Some(Ive(body)) => (native::Module::Ive, body.api, body.data),
        Some(Engine(body)) => (native::Module::Engine, body.api, body.data),
        Some(Dmadim(body)) => (native::Module::Dmadim, body.api, body.data),
        Some(Dsp(body)) => (native::Module::Dsp, body.api, body.data),
        None => return Err(Error::answer(what, "an empty body")),
    };
    if got != module || api != number {
        let got = got.as_str_name();
        return Err(Error::answer(
            what,
            format!("of another call: {api} of {got}"),
        ));
    }
    Ok(data)
}

fn request(module: native::Module, number: i32, blobs: &[&[u8]]) -> axclrpc::RequestBody {
    use native::request_body::Kind;
    let (api, data) = (number, blobs.iter().map(|blob| blob.to_vec()).collect());
    let kind = match module {
        native::Module::Sys => Kind::Sys(native::SysRequest { api, data }),
        native::Module::Vdec => Kind::Vdec(native::VdecRequest { api, data }),
        native::Module::Venc => Kind::Venc(native::VencRequest { api, data }),
        native::Module::Ivps => Kind::Ivps(native::IvpsRequest { api, data }),
        native::Module::Ive => Kind::Ive(native::IveRequest { api, data }),
        native::Module::Engine => Kind::Engine(native::EngineRequest { api, data }),
        native::Module::Dmadim => Kind::Dmadim(native::DmadimRequest { api, data }),
        native::Module::Dsp => Kind::Dsp(native::DspRequest { api, data }),
    };
    let request = native::Request {
        head: Some(native::Head {
            module: module.into(),
        }),
        body: Some(native::RequestBody { kind: Some(kind) }),
    };
    axclrpc::RequestBody {
        kind: Some(axclrpc::request_body::Kind::Native(request)),
    }
}
