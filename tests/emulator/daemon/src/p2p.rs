// SPDX-License-Identifier: MIT OR Apache-2.0

//! Transfers between cards [rpc 8.1].  This card keeps what it is told of the others, but it has no
//! bus to them: a bandwidth test is refused.

use crate::errors::{code, About, Why};
use crate::frames::Answer;
use crate::session::Session;
use crate::wire::p2p::{Api, BandWidthTestResult, RequestBody, ResponseBody};

/// Cards that one may be told of: bus numbers have 8 bits.
const MAX_PEERS: usize = 256;

/// What the answer to `api` has to carry even when the call fails.
pub(crate) fn zeroes(api: i32) -> ResponseBody {
    ResponseBody {
        result: (api == i32::from(Api::StartBandwidthTest)).then(BandWidthTestResult::default),
        ..Default::default()
    }
}

/// Runs a call.
pub(crate) fn call(session: &Session, api: i32, request: RequestBody) -> Answer {
    let mut body = zeroes(api);
    let result = match Api::try_from(api) {
        Ok(Api::SetupConfig) if request.configs.len() > MAX_PEERS => Err(Why::IllegalParameter),
        Ok(Api::SetupConfig) => {
            *session.peers.lock() = request.configs;
            Ok(())
        }
        Ok(Api::RemoveConfig) => {
            session.peers.lock().clear();
            Ok(())
        }
        Ok(Api::StartBandwidthTest) => {
            session.card.unknown("p2p.START_BANDWIDTH_TEST");
            Err(Why::Unsupported)
        }
        Err(_) => {
            session.card.unknown(&format!("p2p.{api}"));
            Err(Why::Unsupported)
        }
    };
    body.status = result.err().map_or(0, |why| code(About::P2p, why));
    Answer::P2p(api, body)
}
