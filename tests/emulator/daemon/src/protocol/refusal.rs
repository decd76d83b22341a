// SPDX-License-Identifier: MIT OR Apache-2.0

//! Answers that refuse a request: each has the fields and blobs that its host takes out first.

use super::errors::{code, native_code, About, Refusal};
use super::frames::{Answer, Header};
use super::native::answer;
use super::native_table::{self, Blobs};
use crate::wire::{engine, memory, p2p, system, usrwork};

/// An answer that refuses the request of `header`, for requests that never get as far
/// as their service.  `None` when the type names no service.
pub(crate) fn refusal(header: &Header, status: Refusal) -> Option<Answer> {
    let (service, api) = (header.kind_byte(1), header.kind_byte(2) as i32);
    let given = status;
    let status = |own: About| match given {
        Refusal::Own(why) => code(own, why),
        Refusal::Number(number) => number,
    };
    Some(match (header.kind_byte(0), service) {
        // These have no status: what was to be echoed or fetched is not there.
        (0, 0) if api == system::Module::Alive as i32 => Answer::System(
            system::Module::Alive,
            system::response_body::Kind::Alive(system::Alive {}),
        ),
        (0, 0) if api == system::Module::Latency as i32 => Answer::System(
            system::Module::Latency,
            system::response_body::Kind::Latency(system::Latency::default()),
        ),
        (0, 0) if api == system::Module::Log as i32 => Answer::System(
            system::Module::Log,
            system::response_body::Kind::Log(system::LogResponse::default()),
        ),
        (0, 0) => Answer::System(
            system::Module::Control,
            system::response_body::Kind::Control(system::ControlResponse {
                cmd: header.command as i32,
                status: Some(status(About::SysCtrl) as i32),
                ..Default::default()
            }),
        ),
        (0, 1) => Answer::Memory(
            api,
            memory::ResponseBody {
                status: status(About::Memory),
                addr: (api == memory::Api::Alloc as i32).then_some(0),
            },
        ),
        (0, 2) => Answer::Engine(
            api,
            engine::ResponseBody {
                status: status(About::Engine) as i32,
                ..engine_zeroes(api)
            },
        ),
        (0, 3) => Answer::P2p(
            api,
            p2p::ResponseBody {
                status: status(About::P2p),
                ..p2p_zeroes(api)
            },
        ),
        (0, 4) => Answer::UsrWork(
            api,
            usrwork::ResponseBody {
                status: status(About::UsrWork),
                ..usrwork_zeroes(api)
            },
        ),
        (1, module) => {
            let status = match given {
                Refusal::Own(why) => native_code(module, why),
                Refusal::Number(number) => number,
            };
            return native_refusal(module, api as u32, status);
        }
        _ => return None,
    })
}

/// What the answer to `api` has to carry even when the call fails: the host rejects an answer that
/// lacks the field it has asked for.
pub(crate) fn engine_zeroes(api: i32) -> engine::ResponseBody {
    let mut body = engine::ResponseBody::default();
    match engine::ApiKind::try_from(api) {
        Ok(engine::ApiKind::GetNpuType) => body.npu_type = Some(0),
        Ok(engine::ApiKind::GetEngineVersion) => body.engine_version = Some(String::new()),
        Ok(engine::ApiKind::LoadModel) => body.handle = Some(0),
        Ok(engine::ApiKind::GetModelVersion) => body.model_version = Some(String::new()),
        Ok(engine::ApiKind::GetModelType) => body.model_type = Some(0),
        Ok(engine::ApiKind::GetMemoryUsage) => {
            (body.sys_usage, body.cmm_usage) = (Some(0), Some(0))
        }
        Ok(engine::ApiKind::CreateContext) => body.context = Some(0),
        Ok(engine::ApiKind::GetModelIoInfo) => body.meta = Some(engine::IoMeta::default()),
        Ok(engine::ApiKind::GetAffinity) => body.affinity = Some(0),
        _ => {}
    }
    body
}

/// What the answer to `api` has to carry even when the call fails.
pub(crate) fn p2p_zeroes(api: i32) -> p2p::ResponseBody {
    p2p::ResponseBody {
        result: (api == i32::from(p2p::Api::StartBandwidthTest))
            .then(p2p::BandWidthTestResult::default),
        ..Default::default()
    }
}

/// What the answer to `api` has to carry even when the call fails: the host takes it out first.
pub(crate) fn usrwork_zeroes(api: i32) -> usrwork::ResponseBody {
    let programs = [usrwork::Api::ExecWorker, usrwork::Api::KillWorker].map(i32::from);
    usrwork::ResponseBody {
        pid: programs.contains(&api).then_some(0),
        ..Default::default()
    }
}

/// An answer with all its blobs that carries nothing but an error.
pub(crate) fn native_refusal(module: u32, api: u32, status: u32) -> Option<Answer> {
    let mut data: Vec<Vec<u8>> = match native_table::find(module, api).map(|call| &call.answer) {
        Some(Blobs::Sizes(sizes)) => sizes.iter().map(|n| vec![0; n.unwrap_or(0)]).collect(),
        _ => vec![vec![0; 4]],
    };
    // A call that returns an address or a text has no room for an error: it returns none.
    if let Some(first) = data.first_mut().filter(|first| first.len() == 4) {
        first.copy_from_slice(&status.to_le_bytes());
    }
    answer(module, api, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::native::response_body;

    #[test]
    fn refusals_have_all_blobs() {
        let Some(Answer::Native(1, response_body::Kind::Vdec(response))) =
            native_refusal(1, 18, 0x8008_0117)
        else {
            panic!("no answer of VDEC");
        };
        assert_eq!(response.api, 18);
        let sizes: Vec<_> = response.data.iter().map(Vec::len).collect();
        assert_eq!(sizes, [4, 240]);
        assert_eq!(response.data[0], 0x8008_0117_u32.to_le_bytes());
        // An address of 8 bytes stays 0.
        let Some(Answer::Native(0, response_body::Kind::Sys(response))) = native_refusal(0, 50, 1)
        else {
            panic!("no answer of SYS");
        };
        assert_eq!(response.data, [vec![0; 8]]);
        assert!(native_refusal(8, 0, 1).is_none());
        assert!(native_refusal(7, 200, 1).is_some());
    }

    #[test]
    fn calls_without_a_code() {
        // A text: empty.
        let Some(Answer::Native(5, response_body::Kind::Engine(response))) =
            native_refusal(5, 0, 1)
        else {
            panic!("no answer of ENGINE");
        };
        assert_eq!(response.data, [Vec::<u8>::new()]);
        // A code and a number.
        let Some(Answer::Native(5, response_body::Kind::Engine(response))) =
            native_refusal(5, 20, 1)
        else {
            panic!("no answer of ENGINE");
        };
        assert_eq!(response.data, [vec![1, 0, 0, 0], vec![0; 4]]);
    }
}
