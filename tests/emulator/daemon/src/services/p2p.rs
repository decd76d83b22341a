// SPDX-License-Identifier: MIT OR Apache-2.0

//! Transfers between cards [rpc 8.1].  This card keeps what it is told of the others, but it has no
//! bus to them: a bandwidth test is refused.

use parking_lot::Mutex;

use crate::ports::session::Session;
use crate::protocol::errors::{code, About, Why};
use crate::protocol::frames::Answer;
use crate::protocol::refusal::p2p_zeroes;
use crate::wire::p2p::{Api, Config, RequestBody};

/// Cards that one may be told of: bus numbers have 8 bits.
const MAX_PEERS: usize = 256;

/// What a session was told of other cards.
pub(crate) type Peers = Mutex<Vec<Config>>;

/// Runs a call.
pub(crate) fn call(session: &Session, peers: &Peers, api: i32, request: RequestBody) -> Answer {
    let mut body = p2p_zeroes(api);
    let result = match Api::try_from(api) {
        Ok(Api::SetupConfig) if request.configs.len() > MAX_PEERS => Err(Why::IllegalParameter),
        Ok(Api::SetupConfig) => {
            *peers.lock() = request.configs;
            Ok(())
        }
        Ok(Api::RemoveConfig) => {
            peers.lock().clear();
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
