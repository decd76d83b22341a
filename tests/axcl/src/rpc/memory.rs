// SPDX-License-Identifier: MIT OR Apache-2.0

//! The memory service [rpc 5].

use anyhow::{bail, ensure, Context, Result};

use super::pb::axclrpc::memory::{self, Api, CacheType};
use super::pb::axclrpc::{self, runtime};
use super::{runtime_answer, Call};
use crate::wire::header;

pub use super::pb::axclrpc::memory::RequestBody;

/// The service's number.
const SERVICE: u8 = 1;

fn call(api: Api, body: RequestBody) -> Call {
    let answered = body.noresp.unwrap_or(0) == 0;
    let request = memory::Request {
        head: Some(memory::Head { api: api.into() }),
        body: Some(body),
    };
    Call {
        answered,
        ..Call::runtime(
            header::runtime(SERVICE, api as u8),
            runtime::Module::Memory,
            runtime::request_body::Kind::Memory(request),
        )
    }
}

/// Allocates card memory.
pub fn malloc(size: u32, cached: bool, policy: u32) -> Call {
    let cache = if cached {
        CacheType::Cached
    } else {
        CacheType::NonCached
    };
    call(
        Api::Alloc,
        RequestBody {
            size: Some(size),
            cache_type: Some(cache.into()),
            policy: Some(policy),
            ..Default::default()
        },
    )
}

/// Gives it back.
pub fn free(addr: u64) -> Call {
    call(
        Api::Free,
        RequestBody {
            addr,
            ..Default::default()
        },
    )
}

/// Flushes or invalidates the card's cache.
pub fn cache(invalidate: bool, addr: u64, size: u32) -> Call {
    let api = if invalidate {
        Api::Invalidate
    } else {
        Api::Flush
    };
    call(
        api,
        RequestBody {
            addr,
            size: Some(size),
            ..Default::default()
        },
    )
}

/// Fills card memory.
pub fn memset(addr: u64, value: u8, size: u32, answered: bool) -> Call {
    call(
        Api::Set,
        RequestBody {
            addr,
            size: Some(size),
            value: Some(value.into()),
            noresp: Some((!answered).into()),
            ..Default::default()
        },
    )
}

/// Copies on the card.
pub fn copy(to: u64, from: u64, size: u32, answered: bool) -> Call {
    call(
        Api::Sync,
        RequestBody {
            addr: to,
            size: Some(size),
            from: Some(from),
            noresp: Some((!answered).into()),
            ..Default::default()
        },
    )
}

/// Compares on the card.
pub fn compare(one: u64, other: u64, size: u32) -> Call {
    call(
        Api::Cmp,
        RequestBody {
            addr: one,
            size: Some(size),
            from: Some(other),
            noresp: Some(0),
            ..Default::default()
        },
    )
}

/// Queues a copy to the card; the card will order its start.
pub fn queue_write(to: u64, host: u64, size: u32) -> Call {
    call(
        Api::Write,
        RequestBody {
            addr: to,
            size: Some(size),
            from: Some(host),
            kind: Some(1),
            noresp: Some(1),
            ..Default::default()
        },
    )
}

/// Queues a copy from the card.
pub fn queue_read(from: u64, host: u64, size: u32) -> Call {
    call(
        Api::Read,
        RequestBody {
            addr: host,
            size: Some(size),
            from: Some(from),
            kind: Some(0),
            noresp: Some(1),
            ..Default::default()
        },
    )
}

/// Status and address of an answer to the call with this number.
pub fn answer(api: u8, body: axclrpc::ResponseBody) -> Result<(u32, Option<u64>)> {
    let runtime::response_body::Kind::Memory(answer) =
        runtime_answer(body, runtime::Module::Memory)?
    else {
        bail!("no answer to a memory call");
    };
    let head = answer.head.context("a memory answer without head")?;
    ensure!(
        head.api == i32::from(api),
        "an answer to memory call {}, not {api}",
        head.api
    );
    let body = answer.body.context("a memory answer without body")?;
    Ok((body.status, body.addr))
}
