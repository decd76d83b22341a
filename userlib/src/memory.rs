// SPDX-License-Identifier: MIT OR Apache-2.0

//! Card memory (spec 5).

use std::ops::Range;

use crate::buffer::Buffer;
use crate::call::Call;
use crate::code::CardCode;
use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::job::Part;
use crate::proto::axclrpc::memory::{Api, CacheType, Head, Request, RequestBody, ResponseBody};
use crate::proto::axclrpc::{self, runtime};
use crate::session::Stream;
use crate::system::{runtime_answer, runtime_request};

/// Allocation policy of the card: normal pages.
const POLICY_NORMAL: u32 = 2;

/// A piece of card memory, freed when dropped.
#[derive(Debug)]
pub struct CardMemory {
    stream: Stream,
    address: u64,
    size: u32,
}

impl CardMemory {
    /// Allocates `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: 0 bytes, or 4 GiB and more (the card counts with 32 bits).  [`Error::Card`]: the
    /// card has not that much.
    pub fn new(stream: &Stream, size: u64) -> Result<Self> {
        let size = u32::try_from(size)
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| Error::invalid(format!("the card cannot allocate {size} bytes")))?;
        let what = format!("allocate {size} bytes of card memory");
        let body = RequestBody {
            size: Some(size),
            cache_type: Some(CacheType::NonCached.into()),
            policy: Some(POLICY_NORMAL),
            ..Default::default()
        };
        let answer = stream.memory(&what, Api::Alloc, body)?;
        let address = match answer.addr {
            Some(address) if address != 0 => address,
            _ => return Err(Error::answer(what, "no address")),
        };
        let stream = Stream::borrowed(stream.session().clone(), stream.session().stream().place());
        Ok(Self {
            stream,
            address,
            size,
        })
    }

    /// First address.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        u64::from(self.size)
    }

    /// The address of byte number `offset`, to be followed by `len` more.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if they are not all in this piece.
    pub fn at(&self, offset: u64, len: u64) -> Result<u64> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size() => Ok(self.address + offset),
            _ => {
                let size = self.size;
                Err(Error::invalid(format!(
                    "{len} bytes at {offset} are not in {size} bytes of card memory"
                )))
            }
        }
    }

    /// Copies the bytes at `range` of `buffer` to `offset`.
    pub fn fill(&self, offset: u64, buffer: &Buffer, range: Range<usize>) -> Result<()> {
        let address = self.at(offset, range.len() as u64)?;
        self.stream
            .job()
            .then(Part::to_card(buffer, range, address))
            .run()
            .map(drop)
    }

    /// Copies from `offset` to the bytes at `range` of `buffer`.
    pub fn fetch(&self, offset: u64, buffer: &Buffer, range: Range<usize>) -> Result<()> {
        let address = self.at(offset, range.len() as u64)?;
        self.stream
            .job()
            .then(Part::from_card(buffer, range, address))
            .run()
            .map(drop)
    }

    /// Sets all bytes to `value`, without moving anything over the bus.
    pub fn set(&self, value: u8) -> Result<()> {
        let body = RequestBody {
            addr: self.address,
            size: Some(self.size),
            value: Some(value.into()),
            noresp: Some(0),
            ..Default::default()
        };
        self.stream
            .memory("set card memory", Api::Set, body)
            .map(drop)
    }

    /// Copies `len` bytes from `from` of another piece to `offset` of this one, on the card.
    pub fn copy_on_card(&self, offset: u64, other: &CardMemory, from: u64, len: u64) -> Result<()> {
        let body = self.pair(offset, other, from, len)?;
        self.stream
            .memory("copy card memory", Api::Sync, body)
            .map(drop)
    }

    /// Whether `len` bytes from `offset` are those at `from` of another piece; the card compares.
    pub fn equals(&self, offset: u64, other: &CardMemory, from: u64, len: u64) -> Result<bool> {
        let body = self.pair(offset, other, from, len)?;
        // The card's status is the result of the comparison: there is no error to tell from "not equal".
        Ok(self
            .stream
            .memory_status("compare card memory", Api::Cmp, body)?
            .status
            == 0)
    }

    fn pair(&self, offset: u64, other: &CardMemory, from: u64, len: u64) -> Result<RequestBody> {
        Ok(RequestBody {
            addr: self.at(offset, len)?,
            from: Some(other.at(from, len)?),
            size: Some(len as u32), // fits: it is inside an allocation
            noresp: Some(0),
            ..Default::default()
        })
    }
}

impl Drop for CardMemory {
    fn drop(&mut self) {
        let Some(timeout) = self.stream.session().health().cleanup_timeout() else {
            return;
        };
        let body = RequestBody {
            addr: self.address,
            ..Default::default()
        };
        let call = self.stream.memory_call("free card memory", Api::Free, body);
        match self.stream.call(call, Some(timeout)) {
            Ok(_) => {}
            Err(error) => log::debug!("free {:#x}: {error}", self.address),
        }
    }
}

impl Stream {
    fn memory_call(&self, what: &str, api: Api, body: RequestBody) -> Call {
        let memory = Request {
            head: Some(Head { api: api.into() }),
            body: Some(body),
        };
        let kind = runtime::request_body::Kind::Memory(memory);
        let body = runtime_request(runtime::Module::Memory, kind);
        self.prepare(what, Kind::memory(api.into()), 0, body)
    }

    fn memory_status(&self, what: &str, api: Api, body: RequestBody) -> Result<ResponseBody> {
        let call = self.memory_call(what, api, body);
        memory_answer(what, api, self.call(call, None)?)
    }

    fn memory(&self, what: &str, api: Api, body: RequestBody) -> Result<ResponseBody> {
        let answer = self.memory_status(what, api, body)?;
        match answer.status {
            0 => Ok(answer),
            status => Err(Error::Card {
                what: what.into(),
                code: CardCode(status),
            }),
        }
    }
}

fn memory_answer(what: &str, api: Api, answer: axclrpc::ResponseBody) -> Result<ResponseBody> {
    match runtime_answer(answer) {
        Some(runtime::response_body::Kind::Memory(axclrpc::memory::Response {
            head: Some(head),
            body: Some(body),
        })) if head.api == i32::from(api) => Ok(body),
        other => Err(Error::answer(
            what,
            format!("not of this memory call: {other:?}"),
        )),
    }
}
