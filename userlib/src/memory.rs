// SPDX-License-Identifier: MIT OR Apache-2.0

//! Card memory: allocation, copies, comparison [rpc 5].

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::Buffer;
use crate::call::Call;
use crate::cleanup::Keep;
use crate::code::CardCode;
use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::part::Part;
use crate::proto::axclrpc::memory::{Api, CacheType, Head, Request, RequestBody, ResponseBody};
use crate::proto::axclrpc::{self, runtime};
use crate::session::Session;
use crate::stream::Stream;
use crate::system::{runtime_answer, runtime_request};

/// Allocation policy of the card: normal pages.
const POLICY_NORMAL: u32 = 2;

/// Card memory: a piece of it, or a part of a piece.
///
/// Clones and [parts](CardMemory::part) are handles of the same piece.  It is freed when the last of them is dropped and all
/// jobs have ended that use it; freeing does not wait for the card, see [`Session`].
#[derive(Debug, Clone)]
pub struct CardMemory {
    piece: Arc<Piece>,
    session: Session,
    offset: u64,
    size: u64,
}

/// A piece as jobs keep it.
#[derive(Debug)]
struct Piece {
    /// The session's default stream, without life, as jobs must not keep the session going.
    stream: Stream,
    address: u64,
    is_freed: bool,
}

impl CardMemory {
    /// Allocates `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: 0 bytes, or 4 GiB and more (the card counts with 32 bits).  [`Error::Card`]: the
    /// card has not that much.
    pub fn new(stream: &Stream, size: u64) -> Result<Self> {
        let request = u32::try_from(size)
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| Error::invalid(format!("the card cannot allocate {size} bytes")))?;
        let what = format!("allocate {size} bytes of card memory");
        let body = RequestBody {
            size: Some(request),
            cache_type: Some(CacheType::NonCached.into()),
            policy: Some(POLICY_NORMAL),
            ..Default::default()
        };
        let session = stream.session().clone();
        let answer = session.with_room(|| stream.memory(&what, Api::Alloc, body))?;
        let address = match answer.addr {
            Some(address) if address != 0 => address,
            _ => return Err(Error::answer(what, "no address")),
        };
        // All addresses in it can be counted from here on.
        if address.checked_add(size).is_none() {
            return Err(Error::answer(what, format!("memory at {address:#x}")));
        }
        let piece = Arc::new(Piece {
            stream: session.stream().without_life(),
            address,
            is_freed: false,
        });
        Ok(Self {
            piece,
            session,
            offset: 0,
            size,
        })
    }

    /// Returns the first address.
    ///
    /// It is good until the last handle is dropped.  A job that is given the address alone does not keep the memory;
    /// [`Job::keep`](crate::Job::keep) and [`Call::keep`] do.
    pub fn address(&self) -> u64 {
        self.piece.address + self.offset
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the session that the memory belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Makes a handle of `len` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if they are not all in this.
    pub fn part(&self, offset: u64, len: u64) -> Result<Self> {
        self.at(offset, len)?;
        Ok(Self {
            offset: self.offset + offset,
            size: len,
            ..self.clone()
        })
    }

    /// Returns the address of byte number `offset`, to be followed by `len` more.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if they are not all in this.
    pub fn at(&self, offset: u64, len: u64) -> Result<u64> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size => Ok(self.address() + offset),
            _ => {
                let size = self.size;
                Err(Error::invalid(format!(
                    "{len} bytes at {offset} are not in {size} bytes of card memory"
                )))
            }
        }
    }

    /// Copies the bytes at `range` of `buffer` to `offset`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: bytes that are not there, or a buffer of another open card; those of a job.
    pub fn fill(&self, offset: u64, buffer: &Buffer, range: Range<usize>) -> Result<()> {
        let target = self.part(offset, range.len() as u64)?;
        let part = Part::to_card(buffer, range, &target);
        self.stream().job().then(part).run().map(drop)
    }

    /// Copies from `offset` to the bytes at `range` of `buffer`.
    ///
    /// # Errors
    ///
    /// As [`CardMemory::fill`].
    pub fn fetch(&self, offset: u64, buffer: &Buffer, range: Range<usize>) -> Result<()> {
        let source = self.part(offset, range.len() as u64)?;
        let part = Part::from_card(buffer, range, &source);
        self.stream().job().then(part).run().map(drop)
    }

    /// Copies `bytes` to `offset`, which the card reads where they are.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no room for them; those of [`Session::buffer_of`] and of a job.  If the job was
    /// too slow the card may read `bytes` later still, and find what is there then.
    pub fn send(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let target = self.part(offset, bytes.len() as u64)?;
        let most = self.session.limits().max_buffer_bytes.max(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut sent = 0;
        for chunk in bytes.chunks(most) {
            // SAFETY: it is gone from here at the end of the loop, and a job that has it only reads.
            let buffer = unsafe { self.session.buffer_borrowing(chunk) }?;
            target.fill(sent, &buffer, 0..chunk.len())?;
            sent += chunk.len() as u64;
        }
        Ok(())
    }

    /// Sets all bytes to `value`, without moving anything over the bus.
    ///
    /// # Errors
    ///
    /// [`Error::Card`], [`Error::Job`].
    pub fn set(&self, value: u8) -> Result<()> {
        let body = RequestBody {
            addr: self.address(),
            size: Some(self.size as u32), // fits: it is inside an allocation
            value: Some(value.into()),
            noresp: Some(0),
            ..Default::default()
        };
        let what = "set card memory";
        let call = self.stream().memory_call(what, Api::Set, body).keep(self);
        good(what, self.status(what, Api::Set, call)?).map(drop)
    }

    /// Copies `len` bytes from `from` of another piece to `offset` of this one, on the card.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: bytes that are not there, or memory of another session; [`Error::Card`], [`Error::Job`].
    pub fn copy_on_card(&self, offset: u64, other: &CardMemory, from: u64, len: u64) -> Result<()> {
        let what = "copy card memory";
        let answer = self.pair(what, Api::Sync, (offset, other, from, len))?;
        good(what, answer).map(drop)
    }

    /// Compares `len` bytes from `offset` with those at `from` of another piece, on the card.
    ///
    /// # Errors
    ///
    /// As [`CardMemory::copy_on_card`].
    pub fn equals(&self, offset: u64, other: &CardMemory, from: u64, len: u64) -> Result<bool> {
        // The card's status is the result of the comparison: there is no error to tell from "not equal".
        let answer = self.pair("compare card memory", Api::Cmp, (offset, other, from, len))?;
        Ok(answer.status == 0)
    }

    /// Frees it, and tells how that went; dropping the last handle does the same without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`]: there are other handles of the piece, or jobs that use it and whose end was not seen; the last of
    /// them frees it.  [`Error::Card`], [`Error::Job`]: the card did not free it.
    pub fn close(self, timeout: Duration) -> Result<()> {
        let Self { piece, session, .. } = self;
        session.reap();
        let mut piece = Arc::into_inner(piece)
            .ok_or_else(|| Error::Busy("the card memory is still used".into()))?;
        piece.is_freed = true;
        let stream = session.stream();
        let answer = stream.call(piece.free_call(), Some(timeout))?;
        good(FREE, memory_answer(FREE, Api::Free, answer)?).map(drop)
    }

    /// Returns what a job that uses the memory keeps.
    pub(crate) fn keep(&self) -> Keep {
        self.piece.clone()
    }

    /// Makes a stream of the session's default stream, for a moment.
    fn stream(&self) -> Stream {
        self.session.stream()
    }

    fn pair(
        &self,
        what: &str,
        api: Api,
        (offset, other, from, len): (u64, &CardMemory, u64, u64),
    ) -> Result<ResponseBody> {
        self.session.same_session(&other.session, "card memory")?;
        let body = RequestBody {
            addr: self.at(offset, len)?,
            from: Some(other.at(from, len)?),
            size: Some(len as u32), // fits: it is inside an allocation
            noresp: Some(0),
            ..Default::default()
        };
        let call = self.stream().memory_call(what, api, body);
        self.status(what, api, call.keep(self).keep(other))
    }

    fn status(&self, what: &str, api: Api, call: Call) -> Result<ResponseBody> {
        memory_answer(what, api, self.stream().call(call, None)?)
    }
}

/// What the call is named in errors.
const FREE: &str = "free card memory";

impl Call {
    /// Keeps `memory` until the job that the call is in has ended, for calls that name its address.
    pub fn keep(self, memory: &CardMemory) -> Self {
        self.keeping(memory.keep())
    }
}

impl Piece {
    fn free_call(&self) -> Call {
        let body = RequestBody {
            addr: self.address,
            ..Default::default()
        };
        self.stream.memory_call(FREE, Api::Free, body)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let session = self.stream.session();
        if !self.is_freed && !session.is_over() {
            session.release(self.free_call());
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

    fn memory(&self, what: &str, api: Api, body: RequestBody) -> Result<ResponseBody> {
        let call = self.memory_call(what, api, body);
        good(what, memory_answer(what, api, self.call(call, None)?)?)
    }
}

/// Turns a status that is none of success into an error.
fn good(what: &str, answer: ResponseBody) -> Result<ResponseBody> {
    match answer.status {
        0 => Ok(answer),
        status => Err(Error::Card {
            what: what.into(),
            code: CardCode(status),
        }),
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
