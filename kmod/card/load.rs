// SPDX-License-Identifier: GPL-2.0

//! Having the card read the images, one command at a time [pcie 3.4]: meanwhile the next chunk is copied to
//! where the command does not read, and the container's digests are made.

use kernel::sync::Arc;

use super::{
    error::BootError,
    known,
    Card, //
};
use crate::{
    buffer::{
        account::Payer,
        Buffer, //
    },
    glue::{
        digest::{
            Sha256,
            Tag, //
        },
        prelude::*,
        time::{
            self,
            fsleep,
            Delta,
            Instant,
            Pauses, //
        }, //
    },
    wire::{
        boot::{
            Status,
            CHUNK,
            CHUNK_TIMEOUT_MS,
            COMMAND,
            DESTINATION_HIGH,
            DESTINATION_LOW,
            SIZE,
            SOURCE_HIGH,
            SOURCE_LOW,
            STATUS, //
        },
        bytes::Text,
        container::Container,
        register::{
            FixedRegister,
            Register, //
        }, //
    }, //
};

/// Between looks at the status register.
const LOOK: Pauses = Pauses {
    part: 4,
    least: Delta::from_micros(200),
    most: Delta::from_millis(100),
};

// TIMEOUT: what [pcie 3.4] gives the card for a chunk, hundreds of times what it takes.
const CHUNK_TIMEOUT: Delta = Delta::from_millis(CHUNK_TIMEOUT_MS as i64);

/// Chunks from this length on tell how fast the card reads: with shorter ones it is busy with other things.
const TELLING: usize = 1 << 20;

/// SHA-256 of a container and the tag that it is known by, made as time allows.
pub(super) struct Sum<'a> {
    sha256: Sha256,
    tag: Tag,
    rest: &'a [u8],
}

impl<'a> Sum<'a> {
    /// Begins that of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            sha256: Sha256::new(),
            tag: known::tag(),
            rest: bytes,
        }
    }

    /// Goes on with a piece; false if there is none left.
    pub(super) fn step(&mut self) -> bool {
        let (piece, rest) = self.rest.split_at(self.rest.len().min(known::PIECE));
        if piece.is_empty() {
            return false;
        }
        self.sha256.update(piece);
        self.tag.update(piece);
        self.rest = rest;
        true
    }

    /// Returns those of all pieces so far.
    pub(super) fn finish(self) -> ([u8; 32], u64) {
        (self.sha256.finish(), self.tag.finish())
    }
}

/// A chunk that the card is reading.
struct UnderWay<'a> {
    /// Of the image.
    id: Text<'a>,
    to: u64,
    bytes: usize,
    begun: Instant,
}

/// The images on their way to the card.
pub(super) struct Load<'a, 'b> {
    card: &'a Card,
    sum: Option<&'b mut Sum<'a>>,
    /// Bytes of the largest chunk.
    size: usize,
    /// A place for chunks beside the beginning of the shared memory.  Without one the card waits while a chunk is
    /// copied.
    other: Option<Arc<Buffer>>,
    /// The next chunk goes to the other place.
    is_others_turn: bool,
    under_way: Option<UnderWay<'a>>,
    /// Nanoseconds that the card takes for a KiB; 0 if that is not known.
    pace: u64,
}

impl<'a, 'b> Load<'a, 'b> {
    /// Prepares to send.  `sum` is carried on while the card reads.
    pub(super) fn new(card: &'a Card, sum: Option<&'b mut Sum<'a>>) -> Self {
        let size = card.link.region.size().min(CHUNK as usize);
        let other = Buffer::contiguous(&card.pool.memory, size, Payer::Driver);
        Self {
            card,
            sum,
            size,
            other: other.and_then(|b| Ok(Arc::new(b, GFP_KERNEL)?)).ok(),
            is_others_turn: false,
            under_way: None,
            pace: 0,
        }
    }

    /// Sends all images, in order.
    ///
    /// # Errors
    ///
    /// `TooLarge` the first does not fit the shared memory; those of [`Self::settle`].
    pub(super) fn send(mut self, container: &Container<'a>) -> Result<(), BootError> {
        let sent = self.send_images(container).and_then(|()| self.settle());
        if sent.is_err() {
            // The card may read it still.
            if let Some(other) = self.other.take() {
                self.card.pool.quarantine(self.card.generation(), other);
            }
        }
        sent
    }

    fn send_images(&mut self, container: &Container<'a>) -> Result<(), BootError> {
        for (index, record) in container.records().enumerate() {
            // The loader jumps after its first read, so the first image must go in one piece.
            if index == 0 && record.image.len() > self.size {
                dev_err!(
                    self.card.pdev,
                    "firmware: {} has {} bytes, but only {} can be sent at once\n",
                    record.id,
                    record.image.len(),
                    self.size
                );
                return Err(BootError::TooLarge);
            }
            if index == 1 {
                self.settle()?;
                self.card.look_at_boot_reason()?;
            }
            let mut to = record.destination;
            for chunk in record.image.chunks(self.size) {
                self.send_chunk(record.id, chunk, to)?;
                to = to.wrapping_add(chunk.len() as u64);
            }
        }
        Ok(())
    }

    /// Begins to send a chunk; the one before has been read then.
    fn send_chunk(&mut self, id: Text<'a>, chunk: &[u8], to: u64) -> Result<(), BootError> {
        if self.other.is_none() {
            self.settle()?;
        }
        let from = self.put(chunk)?;
        self.settle()?;
        self.card.command(from, to, chunk.len() as u32)?;
        self.under_way = Some(UnderWay {
            id,
            to,
            bytes: chunk.len(),
            begun: Instant::now(),
        });
        Ok(())
    }

    /// Copies a chunk to where the card can read it, and returns where that is on the bus.
    fn put(&mut self, chunk: &[u8]) -> Result<u64> {
        let is_others_turn = self.is_others_turn;
        self.is_others_turn = !is_others_turn;
        match &self.other {
            Some(other) if is_others_turn => {
                other.write(0, chunk)?;
                other.give_to_card(0, chunk.len() as u32)?;
                other.pieces().first().map(|piece| piece.bus).ok_or(EIO)
            }
            _ => {
                let region = &self.card.link.region;
                region.copy_in(0, chunk)?;
                Ok(region.bus())
            }
        }
    }

    /// Waits until the card has read the chunk that is under way.
    ///
    /// # Errors
    ///
    /// Those of [`Card::await_result`].
    fn settle(&mut self) -> Result<(), BootError> {
        let Some(chunk) = self.under_way.take() else {
            return Ok(());
        };
        let kib = (chunk.bytes >> 10) as u64;
        let expected = Delta::from_nanos((self.pace * kib) as i64).clamp(LOOK.least, LOOK.most);
        if let Some(sum) = &mut self.sum {
            while chunk.begun.elapsed() < expected && sum.step() {}
        }
        let left = expected - chunk.begun.elapsed();
        if left > Delta::ZERO {
            fsleep(left);
        }
        let looks = self.card.await_result(chunk.begun).inspect_err(|e| {
            dev_err!(
                self.card.pdev,
                "firmware: {} at {:#x}: {:?}\n",
                chunk.id,
                chunk.to,
                e
            );
        })?;
        if chunk.bytes >= TELLING {
            let pace = chunk.begun.elapsed().as_nanos() as u64 / kib;
            self.pace = match looks {
                // It was there first, nobody knows how long: it is looked for a little earlier the next time.
                1 if self.pace != 0 => self.pace.min(pace) * 15 / 16,
                _ => pace,
            };
        }
        self.card.status.lock().boot_done += chunk.bytes as u64;
        Ok(())
    }
}

impl Card {
    /// Tells the card what to read.
    fn command(&self, from: u64, to: u64, bytes: u32) -> Result {
        // A result left over from before must not be taken for this one's.
        STATUS::zeroed().write(self)?;
        SOURCE_LOW::from(from as u32).write(self)?;
        SOURCE_HIGH::from((from >> 32) as u32).write(self)?;
        DESTINATION_LOW::from(to as u32).write(self)?;
        DESTINATION_HIGH::from((to >> 32) as u32).write(self)?;
        SIZE::from(bytes).write(self)?;
        // Register writes are ordered after the copy into DMA memory.
        COMMAND::zeroed().with(COMMAND::READ, true).write(self)
    }

    /// Waits until the card has read what it was told to at the time `begun`.  Returns how often it was looked at.
    ///
    /// # Errors
    ///
    /// `ChunkTimeout` no answer; `ChunkFailed` the card says that it failed; `Other(EIO)` there are no registers;
    /// `Other(ENODEV)` there is no card; `Interrupted` the thread shall stop.
    fn await_result(&self, begun: Instant) -> Result<u32, BootError> {
        let mut looks = 0;
        time::poll_less_often(&LOOK, begun, CHUNK_TIMEOUT, || {
            looks += 1;
            match Status::of_read(STATUS::read(self)?) {
                Status::Pending => {}
                // A result while the command stands is not that of the command.
                Status::Done if COMMAND::read(self)? != COMMAND::zeroed() => {
                    STATUS::zeroed().write(self)?;
                }
                Status::Done => return Ok(Some(())),
                Status::Failed(bits) => {
                    dev_err!(self.pdev, "firmware: the card reports {}\n", bits);
                    STATUS::zeroed().write(self)?;
                    return Err(BootError::ChunkFailed);
                }
                // The card is there, so its registers are not where they were.
                Status::Gone => return Err(BootError::Other(EIO)),
            }
            self.check_stopping()?;
            Ok(None)
        })?
        .ok_or(BootError::ChunkTimeout)?;
        STATUS::zeroed().write(self)?;
        Ok(looks)
    }
}
