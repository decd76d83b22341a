// SPDX-License-Identifier: MIT OR Apache-2.0

//! A client of the card with one session: calls and copies straight over the ioctls.

use std::io;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use ax650::proto::axclrpc;
use ax650::proto::axclrpc::memory::{Api, RequestBody};
use ax650::{Header, Kind, Place};
use ax650_uapi::*;

use crate::card::Card;
use crate::map::Map;
use crate::{frame, kernel};

/// Room for answers: calls have less to say, but for echoes.
const REPLY: usize = 64 << 10;

/// How long a call may take in a test that is not about time.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A buffer with its mapping.
#[derive(Debug)]
pub struct Buffer {
    /// Handle.
    pub handle: u32,
    /// Where it is in this process.
    pub map: Map,
    /// Bytes.
    pub size: usize,
}

/// An open file with a session.
#[derive(Debug)]
pub struct Client {
    /// The file.
    pub card: Card,
    /// The session.
    pub session: ax650_session_create,
    /// Room for answers.
    pub reply: Buffer,
    sequence: u64,
}

impl Client {
    /// Opens the card in this slot and a session.
    pub fn new(card: u32) -> Result<Self> {
        Self::on(Card::open(card)?)
    }

    /// Opens a session of this file.
    pub fn on(card: Card) -> Result<Self> {
        let session = card.session().context("SESSION_CREATE")?;
        let reply = buffer(&card, REPLY)?;
        let sequence = session.next_sequence;
        Ok(Self {
            card,
            session,
            reply,
            sequence,
        })
    }

    /// Makes a buffer and maps it.
    pub fn buffer(&self, size: usize) -> Result<Buffer> {
        buffer(&self.card, size)
    }

    /// A sequence number that was not used yet.
    pub fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence - 1
    }

    /// Header of a call on the default stream.
    pub fn header(&mut self, kind: Kind, command: u32) -> Header {
        Header {
            kind,
            sequence: self.next_sequence(),
            card: self.session.card_id,
            place: Place {
                context: self.session.context,
                stream: 1,
            },
            command,
        }
    }

    /// A step that sends a frame, with the answer to go to `offset` of the reply buffer.
    pub fn call_step(&self, frame: &[u8], offset: usize, capacity: usize) -> ax650_step {
        ax650_step {
            op: AX650_STEP_CALL,
            size: frame.len() as u64,
            frame: frame.as_ptr() as u64,
            reply_buffer: self.reply.handle,
            reply_offset: offset as u64,
            reply_capacity: capacity as u32,
            ..Default::default()
        }
    }

    /// A step that copies between a buffer and the card.
    pub fn copy_step(
        &mut self,
        op: u32,
        buffer: &Buffer,
        offset: usize,
        address: u64,
        size: usize,
    ) -> ax650_step {
        ax650_step {
            op,
            sequence: self.next_sequence(),
            context: self.session.context,
            stream: 1,
            card_address: address,
            buffer: buffer.handle,
            offset: offset as u64,
            size: size as u64,
            ..Default::default()
        }
    }

    /// Queues a job whose time is over at `deadline`, nanoseconds of CLOCK_MONOTONIC.
    pub fn submit_until(&self, steps: &[ax650_step], deadline: u64) -> io::Result<u64> {
        let mut submit = ax650_submit {
            session: self.session.session,
            eventfd: -1,
            timeout_ns: deadline,
            ..Default::default()
        };
        self.card.submit_with(&mut submit, steps)
    }

    /// Submits these steps as one job.
    pub fn submit(&self, steps: &[ax650_step]) -> io::Result<u64> {
        self.card.submit(self.session.session, steps)
    }

    /// Waits for a job that must end well; results of its steps.
    pub fn finish(&self, job: u64, steps: usize) -> Result<Vec<ax650_step_result>> {
        let (wait, results) = self.wait(job, steps, PATIENCE)?;
        ensure!(
            wait.status == 0,
            "job {job}: {}",
            io::Error::from_raw_os_error(-wait.status)
        );
        Ok(results)
    }

    /// Waits for a job at most so long; its end and the results of its steps.
    pub fn wait(
        &self,
        job: u64,
        steps: usize,
        limit: Duration,
    ) -> Result<(ax650_wait, Vec<ax650_step_result>)> {
        let limit = limit * crate::runner::slowness();
        let until = kernel::now_ns() + limit.as_nanos() as u64;
        self.card.wait(job, until, steps).context("WAIT")
    }

    /// Runs steps as one job.
    pub fn run(&self, steps: &[ax650_step]) -> Result<Vec<ax650_step_result>> {
        let job = self.submit(steps).context("SUBMIT")?;
        self.finish(job, steps.len())
    }

    /// Sends a call and takes its answer.
    pub fn call(
        &mut self,
        kind: Kind,
        command: u32,
        body: axclrpc::RequestBody,
    ) -> Result<axclrpc::ResponseBody> {
        let header = self.header(kind, command);
        let frame = frame::request(header, body);
        let results = self.run(&[self.call_step(&frame, 0, REPLY)])?;
        let answer = self.reply.map.read(0, results[0].bytes as usize);
        frame::answer(&header, &answer)
    }

    /// A memory call; the card's status and the address in its answer.
    pub fn memory(&mut self, api: Api, body: RequestBody) -> Result<(u32, u64)> {
        let answer = self.call(frame::kind_of_memory(api), 0, frame::memory(api, body))?;
        let answer = frame::memory_answer(answer)?;
        Ok((answer.status, answer.addr.unwrap_or(0)))
    }

    /// Allocates card memory.
    pub fn malloc(&mut self, size: u32) -> Result<u64> {
        match self.try_malloc(size)? {
            (0, address) if address != 0 => Ok(address),
            (status, address) => bail!("malloc {size}: status {status:#x}, address {address:#x}"),
        }
    }

    /// The same, with the card's answer as it is.
    pub fn try_malloc(&mut self, size: u32) -> Result<(u32, u64)> {
        let body = RequestBody {
            size: Some(size),
            cache_type: Some(0),
            policy: Some(2),
            ..Default::default()
        };
        self.memory(Api::Alloc, body)
    }

    /// Gives card memory back.
    pub fn free(&mut self, address: u64) -> Result<u32> {
        Ok(self
            .memory(
                Api::Free,
                RequestBody {
                    addr: address,
                    ..Default::default()
                },
            )?
            .0)
    }

    /// Frame of a latency echo, with its header.
    pub fn echo_frame(&mut self, data: &[u8]) -> (Header, Vec<u8>) {
        let header = self.header(Kind::LATENCY, 0);
        (header, frame::request(header, frame::echo(data)))
    }

    /// The data that came back as the answer to an echo.
    pub fn echo_answer(&self, header: &Header, offset: usize, len: u64) -> Result<Vec<u8>> {
        let answer = frame::answer(header, &self.reply.map.read(offset, len as usize))?;
        frame::echoed(answer)
    }

    /// A latency echo, which must come back as it was.
    pub fn echo(&mut self, data: &[u8]) -> Result<()> {
        let (header, frame) = self.echo_frame(data);
        let results = self.run(&[self.call_step(&frame, 0, REPLY)])?;
        let back = self.echo_answer(&header, 0, results[0].bytes)?;
        ensure!(
            back == data,
            "{} bytes went out, {} other ones came back",
            data.len(),
            back.len()
        );
        Ok(())
    }

    /// Writes a pattern to card memory and reads it back through another buffer.
    pub fn round_trip(&mut self, size: usize, seed: u64) -> Result<()> {
        let address = self.malloc(size as u32)?;
        let (out, back) = (self.buffer(size)?, self.buffer(size)?);
        let data = pattern(size, seed);
        out.map.write(0, &data);
        let to = self.copy_step(AX650_STEP_COPY_TO_CARD, &out, 0, address, size);
        let from = self.copy_step(AX650_STEP_COPY_FROM_CARD, &back, 0, address, size);
        let results = self.run(&[to, from])?;
        ensure!(
            results.iter().all(|r| r.bytes == size as u64),
            "{results:?}"
        );
        ensure!(
            back.map.read(0, size) == data,
            "{size} bytes came back changed"
        );
        ensure!(self.free(address)? == 0);
        self.give_up(out)?;
        self.give_up(back)
    }

    /// Gives a buffer up.
    pub fn give_up(&self, buffer: Buffer) -> Result<()> {
        self.card
            .end_buffer(buffer.handle)
            .context("BUFFER_DESTROY")
    }

    /// The least that must work on a card in order: a call and both directions of copies.
    pub fn works(&mut self) -> Result<()> {
        self.echo(b"is anybody there?")?;
        self.round_trip(10_000, 1)
    }
}

/// Opens the card anew and sees that it works.
pub fn canary(card: u32) -> Result<()> {
    Client::new(card)?.works().context("canary")
}

fn buffer(card: &Card, size: usize) -> Result<Buffer> {
    let made = card.buffer(size as u64).context("BUFFER_CREATE")?;
    let map = card.map(made.mmap_offset, size).context("mmap")?;
    Ok(Buffer {
        handle: made.handle,
        map,
        size,
    })
}

/// Bytes that differ from place to place and from seed to seed.
pub fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
