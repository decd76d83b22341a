// SPDX-License-Identifier: MIT OR Apache-2.0

//! The memory service [rpc 5.1], [rpc 5.4].

use ax650_emu_api::{Cmm, CmmError, Held, Hold};

use crate::ports::group::Ports;
use crate::ports::session::{Caller, Session};
use crate::protocol::errors::{code, About, Why, NOT_CARD_MEMORY};
use crate::protocol::frames::{Answer, Header};
use crate::protocol::record::{Kind, Record, COPY_START};
use crate::wire::memory::{Api, CacheType, RequestBody, ResponseBody};

const ILLEGAL: u32 = code(About::Memory, Why::IllegalParameter);

/// Runs a call; `None` if it wants no answer.
pub(crate) fn call(
    ports: &Ports,
    caller: &Caller<'_>,
    api: i32,
    request: RequestBody,
) -> Option<Answer> {
    let session = &*ports.session;
    let silent = request.noresp.unwrap_or(0) != 0;
    let mut response = ResponseBody::default();
    let result = match Api::try_from(api) {
        Ok(Api::Alloc) => {
            let result = alloc(session, &request);
            response.addr = Some(result.unwrap_or(0));
            result.map(drop)
        }
        Ok(Api::Free) => free(session, request.addr),
        Ok(Api::Flush | Api::Invalidate) => hold(
            session,
            &[request.addr],
            size(&request),
            "cache maintenance",
        )
        .map(drop),
        Ok(Api::Set) => set(session, &request),
        Ok(Api::Write | Api::Read) => copy(ports, caller.header, &request),
        Ok(Api::Sync) => card_copy(session, &request),
        Ok(Api::Cmp) => compare(session, &request),
        Err(_) => {
            session.card.unknown(&format!("memory.{api}"));
            Err(code(About::Memory, Why::Unsupported))
        }
    };
    if let Err(status) = result {
        response.status = status;
        session.card.link.count("memory.errors", 1);
        let name = Api::try_from(api).map_or("an unknown call", |api| api.as_str_name());
        let cmm = session.card.link.cmm();
        let why = format!(
            "{} bytes at {:#x}, {} of {} bytes of card memory are free",
            size(&request),
            request.addr,
            cmm.size().saturating_sub(cmm.used()),
            cmm.size()
        );
        session.explain(caller, name, status, &why);
    }
    (!silent).then_some(Answer::Memory(api, response))
}

fn alloc(session: &Session, request: &RequestBody) -> Result<u64, u32> {
    let cache = request.cache_type.unwrap_or(0);
    if CacheType::try_from(cache).is_err() || request.policy.unwrap_or(0) > 3 {
        return Err(ILLEGAL);
    }
    let size = request.size.unwrap_or(0).into();
    let (card, name) = (&session.card, block_name(session));
    let anywhere = || card.alloc(size, &name, session.id);
    let result = match request.policy {
        // Where no such place is left, any will do.
        Some(SIZE_ALIGNED) => card
            .alloc_aligned(size, alignment(size), &name, session.id)
            .or_else(|_| anywhere()),
        _ => anywhere(),
    };
    result.map_err(|error| match error {
        CmmError::NoMemory(_) => code(About::Memory, Why::NoMemory),
        CmmError::NoBlock(_) | CmmError::Empty => ILLEGAL,
    })
}

/// Policy of malloc: the block begins at a multiple of its size.
const SIZE_ALIGNED: u32 = 3;

/// The power of two that a block of `size` bytes is aligned to then.
fn alignment(size: u64) -> u64 {
    const MOST: u64 = 1 << 30;
    size.next_power_of_two().clamp(Cmm::ALIGN, MOST)
}

/// The name of the blocks that this service gives out, and the only ones that it takes back: those of
/// models, pools and DMA buffers are not its.
fn block_name(session: &Session) -> String {
    format!("axcl_pid{}", session.pid)
}

fn free(session: &Session, address: u64) -> Result<(), u32> {
    let cmm = session.card.link.cmm();
    let block = cmm.find(address, 1).ok_or(NOT_CARD_MEMORY)?;
    let is_own = block.owner == session.id && block.name == block_name(session);
    if !is_own && !session.card.trusts() {
        return Err(ILLEGAL);
    }
    let users = cmm.free(address).map_err(|_| ILLEGAL)?;
    session.freed_in_use(&block.name, &users);
    Ok(())
}

/// Marks ranges of `len` bytes at `places`, which have to be allocated, as used by this call.
fn hold(session: &Session, places: &[u64], len: u64, what: &str) -> Result<Hold, u32> {
    if len == 0 {
        return Err(ILLEGAL);
    }
    let held = |address: &u64| Held {
        address: *address,
        len,
        owner: session.id,
        what: what.into(),
    };
    let cmm = session.card.link.cmm();
    let ranges = places.iter().map(held).collect();
    cmm.hold(ranges).map_err(|_| NOT_CARD_MEMORY)
}

/// Bytes of a request.
fn size(request: &RequestBody) -> u64 {
    request.size.unwrap_or(0).into()
}

fn set(session: &Session, request: &RequestBody) -> Result<(), u32> {
    let (address, len) = (request.addr, size(request));
    let _held = hold(session, &[address], len, "memset")?;
    let value = request.value.unwrap_or(0) as u8;
    let dram = session.card.link.dram();
    dram.fill(address, len, value).map_err(|_| ILLEGAL)
}

fn card_copy(session: &Session, request: &RequestBody) -> Result<(), u32> {
    let (target, source, len) = (request.addr, request.from.unwrap_or(0), size(request));
    let _held = hold(session, &[target, source], len, "a copy on the card")?;
    let dram = session.card.link.dram();
    dram.copy(source, target, len).map_err(|_| ILLEGAL)
}

fn compare(session: &Session, request: &RequestBody) -> Result<(), u32> {
    const STEP: u64 = 1 << 20;
    let (one, other, len) = (request.addr, request.from.unwrap_or(0), size(request));
    let _held = hold(session, &[one, other], len, "memcmp")?;
    let dram = session.card.link.dram();
    for at in (0..len).step_by(STEP as usize) {
        let part = STEP.min(len - at);
        let read = |address| dram.read_vec(address + at, part).map_err(|_| ILLEGAL);
        if read(one)? != read(other)? {
            return Err(code(About::Memory, Why::ExecuteFailed));
        }
    }
    Ok(())
}

/// A queued copy between host and card: the stream is here now, so the host is told to run it.
fn copy(ports: &Ports, header: &Header, request: &RequestBody) -> Result<(), u32> {
    let kind = request.kind.and_then(Kind::from_number).ok_or(ILLEGAL)?;
    let from = request.from.unwrap_or(0);
    let phy = request.phy.unwrap_or(0);
    let len = request.size.filter(|len| *len != 0).ok_or(ILLEGAL)?;
    let (source, target, host) = match kind {
        Kind::ToHost => (from, 0, request.addr),
        Kind::FromHost => (0, request.addr, from),
        Kind::ToBus => (from, phy, 0),
        Kind::FromBus => (phy, request.addr, 0),
    };
    let record = Record {
        header: Header {
            kind: COPY_START,
            ..*header
        },
        kind,
        source,
        target,
        host,
        len,
    };
    match ports.start_copy(&record) {
        0 => Ok(()),
        status => Err(status),
    }
}
