// SPDX-License-Identifier: MIT OR Apache-2.0

//! Card memory and copies [rpc 5].

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{bail, ensure, Context, Result};

use super::device::{Scope, Shared};
use super::{patience, transfer};
use crate::rpc::{memory, Call};
use crate::wire::header::COPY_NOW;
use crate::wire::record::{Direction, Record, RECORD};
use crate::wire::transport::Message;

/// Bytes that differ from place to place and from seed to seed.
pub fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ (state >> 33)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

impl Scope<'_> {
    /// A memory call; status and address of its answer.
    pub fn memory(&self, call: &Call) -> Result<(u32, Option<u64>)> {
        memory::answer((call.kind >> 16) as u8, self.call(call)?)
    }

    /// The same, which must succeed.
    fn memory_ok(&self, call: &Call) -> Result<Option<u64>> {
        match self.memory(call)? {
            (0, address) => Ok(address),
            (status, _) => bail!("memory call {:#x}: status {status:#x}", call.kind),
        }
    }

    /// Allocates card memory.
    pub fn malloc(&self, size: u32) -> Result<u64> {
        let address = self.memory_ok(&memory::malloc(size, false, 2))?;
        address
            .filter(|&address| address != 0)
            .context("malloc without an address")
    }

    /// Gives it back.
    pub fn free(&self, address: u64) -> Result<()> {
        self.memory_ok(&memory::free(address)).map(drop)
    }

    /// A call that must succeed and has no result.
    pub fn memory_done(&self, call: &Call) -> Result<()> {
        self.memory_ok(call).map(drop)
    }

    /// Begins a copy on P0: announcement and record.
    fn announce(shared: &Shared, record: &Record) -> Result<()> {
        let request = Message::TransferRequest {
            kind: COPY_NOW,
            size: RECORD as u32,
        };
        transfer::send(shared.p0(), &request)?;
        shared.p0().send(&record.to_bytes()).context("record")
    }

    fn record(&self, direction: Direction, source: u64, destination: u64, size: u32) -> Record {
        Record {
            header: self.header(COPY_NOW, 0),
            direction,
            source,
            destination,
            host: 0x7f45_54df_c010,
            size,
        }
    }

    /// Copies to the card.
    pub fn write(&self, to: u64, data: &[u8]) -> Result<()> {
        let record = self.record(Direction::ToCard, 0, to, data.len() as u32);
        run_write(self.shared(), &record, data)
            .with_context(|| format!("{} bytes to {to:#x}", data.len()))
    }

    /// Copies from the card.
    pub fn read(&self, from: u64, size: usize) -> Result<Vec<u8>> {
        let record = self.record(Direction::ToHost, from, 0, size as u32);
        run_read(self.shared(), &record).with_context(|| format!("{size} bytes from {from:#x}"))
    }

    /// Copies from a bus address to the card.
    pub fn write_bus(&self, to: u64, bus: u64, size: u32) -> Result<()> {
        let record = self.record(Direction::FromBus, bus, to, size);
        let shared = self.shared();
        let _right = shared.transaction();
        Self::announce(shared, &record)?;
        transfer::pull_bus(shared.p0(), bus, size)
    }

    /// Copies from the card to a bus address.
    pub fn read_bus(&self, from: u64, bus: u64, size: u32) -> Result<()> {
        let record = self.record(Direction::ToBus, from, bus, size);
        let shared = self.shared();
        let _right = shared.transaction();
        Self::announce(shared, &record)?;
        transfer::push_bus(shared.p0(), bus, size)
    }

    /// Queues a copy to the card on this stream.
    pub fn queue_write(&self, to: u64, data: Vec<u8>) -> Result<Queued> {
        let call = memory::queue_write(to, 0x7f00_0000_1000, data.len() as u32);
        self.queue(&call, data.len(), to, Some(data))
    }

    /// Queues a copy from the card on this stream.
    pub fn queue_read(&self, from: u64, size: usize) -> Result<Queued> {
        let call = memory::queue_read(from, 0x7f00_0000_1000, size as u32);
        self.queue(&call, size, from, None)
    }

    fn queue(&self, call: &Call, size: usize, card: u64, data: Option<Vec<u8>>) -> Result<Queued> {
        let header = self.header(call.kind, 0);
        let queued = Queued(Arc::default());
        let order = Order {
            card,
            size: size as u32,
            data,
            result: Queued(Arc::clone(&queued.0)),
        };
        self.shared()
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(header.key(), order);
        self.send_frame(&call.frame(&header, &crate::rpc::Caller::now()))?;
        Ok(queued)
    }
}

fn run_write(shared: &Shared, record: &Record, data: &[u8]) -> Result<()> {
    let window = shared.transaction();
    Scope::announce(shared, record)?;
    transfer::pull(shared.p0(), &window, data)
}

fn run_read(shared: &Shared, record: &Record) -> Result<Vec<u8>> {
    let window = shared.transaction();
    Scope::announce(shared, record)?;
    transfer::push(shared.p0(), &window, record.size as usize)
}

/// A queued copy, as its caller sees it.
#[derive(Debug)]
pub struct Queued(Arc<(Mutex<Option<Vec<u8>>>, Condvar)>);

impl Queued {
    fn set(&self, data: Vec<u8>) {
        *self.0 .0.lock().unwrap_or_else(PoisonError::into_inner) = Some(data);
        self.0 .1.notify_all();
    }

    /// Whether it has been run.
    pub fn is_done(&self) -> bool {
        let state = self.0 .0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_some()
    }

    /// Waits for its end; the data of a copy from the card.
    pub fn wait(&self) -> Result<Vec<u8>> {
        let state = self.0 .0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .0
             .1
            .wait_timeout_while(state, patience(), |state| state.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        state
            .take()
            .context("the card does not order the start of a queued copy")
    }
}

/// What to do when the card orders the start of a queued copy.
#[derive(Debug)]
pub(super) struct Order {
    card: u64,
    size: u32,
    /// What to copy to the card.
    data: Option<Vec<u8>>,
    result: Queued,
}

impl Order {
    /// The card wants it now, as `record` says.
    pub fn run(self, shared: &Shared, record: &Record) -> Result<()> {
        ensure!(
            record.size == self.size,
            "{record:x?} orders {} bytes",
            self.size
        );
        let result = match (&self.data, record.direction) {
            (Some(data), Direction::ToCard) => {
                ensure!(record.destination == self.card, "{record:x?}");
                run_write(shared, record, data)?;
                Vec::new()
            }
            (None, Direction::ToHost) => {
                ensure!(record.source == self.card, "{record:x?}");
                run_read(shared, record)?
            }
            _ => bail!("{record:x?} in the wrong direction"),
        };
        self.result.set(result);
        Ok(())
    }
}
