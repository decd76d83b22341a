// SPDX-License-Identifier: MIT OR Apache-2.0

//! Encoders: a few pictures that are made up, again and again, each time by a new encoder, so that packets are comparable.

use std::sync::atomic::{AtomicU64, Ordering};

use ax650::media::{Codec, Encoder, EncoderConfig, PictureLayout, Received};
use ax650::{Buffer, Session};

use super::channel::{differs, Channel, Until, PATIENCE};
use crate::failure::{Failure, CARD};
use crate::interrupt;

/// What pictures are encoded to.
pub const CODEC: Codec = Codec::H264;
/// Pictures of an encoder, the first of which is a key picture.
const COUNT: u32 = 12;

/// Pictures that are made up: bars that move.
pub struct Pictures {
    layout: PictureLayout,
    all: Vec<Vec<u8>>,
}

impl Pictures {
    /// Makes pictures of that size.
    pub fn new((width, height): (u32, u32)) -> Result<Self, Failure> {
        let layout = PictureLayout::packed(width, height)?;
        let make = |number: u32| {
            let mut bytes = vec![0; layout.size()];
            for (y, row) in layout.rows_mut(&mut bytes).enumerate() {
                let is_luma = y < height as usize;
                for (x, byte) in row.iter_mut().enumerate() {
                    let at = x + y + 8 * number as usize;
                    *byte = match is_luma {
                        true => (at / 2 % 200 + 20) as u8,
                        false => (at / 4 % 64 + 96) as u8,
                    };
                }
            }
            bytes
        };
        Ok(Self {
            layout,
            all: (0..COUNT).map(make).collect(),
        })
    }

    fn config(&self) -> EncoderConfig {
        EncoderConfig::new(CODEC, self.layout.width, self.layout.height).gop(COUNT)
    }
}

/// Returns the packets that one encoder alone makes.
pub fn alone(session: &Session, pictures: &Pictures) -> Result<Vec<Vec<u8>>, Failure> {
    let room = session.buffer(room(&pictures.layout))?;
    let mut packets = Vec::new();
    encode(session, pictures, &room, &mut |packet| {
        packets.push(packet);
        Ok(())
    })?;
    Ok(packets)
}

/// Encoders, one after the other.
pub struct Encoding<'a> {
    session: &'a Session,
    pictures: &'a Pictures,
    /// What one alone has made.
    packets: &'a [Vec<u8>],
    room: Buffer,
}

impl<'a> Encoding<'a> {
    /// Prepares an encoder of pictures.
    pub fn new(
        session: &'a Session,
        pictures: &'a Pictures,
        packets: &'a [Vec<u8>],
    ) -> Result<Self, Failure> {
        Ok(Self {
            session,
            pictures,
            packets,
            room: session.buffer(room(&pictures.layout))?,
        })
    }
}

impl Channel for Encoding<'_> {
    fn work(&mut self, until: Until, done: &AtomicU64) -> Result<(), Failure> {
        loop {
            let mut wanted = self.packets.iter();
            encode(self.session, self.pictures, &self.room, &mut |packet| {
                let number = done.load(Ordering::Relaxed);
                if wanted.next() != Some(&packet) {
                    return Err(differs("packet", number));
                }
                done.store(number + 1, Ordering::Relaxed);
                Ok(())
            })?;
            if until.is_over(done.load(Ordering::Relaxed)) {
                return Ok(());
            }
        }
    }
}

/// Bytes of a picture whose rows are as far apart as an encoder may want.
fn room(layout: &PictureLayout) -> usize {
    layout.size().max(
        PictureLayout {
            stride: layout.width.next_multiple_of(256),
            ..*layout
        }
        .size(),
    )
}

/// Encodes all pictures with a new encoder, and hands out the packets.
fn encode(
    session: &Session,
    pictures: &Pictures,
    room: &Buffer,
    packet: &mut dyn FnMut(Vec<u8>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let encoder = Encoder::new(session, &pictures.config())?;
    for (number, bytes) in (0..).zip(&pictures.all) {
        interrupt::check()?;
        if encoder.pending() == encoder.depth() {
            packet(take(&encoder)?)?;
        }
        let layout = encoder.layout();
        for (from, to) in pictures
            .layout
            .rows(bytes)
            .zip(layout.rows_mut(&mut room.write()?))
        {
            to[..from.len()].copy_from_slice(from);
        }
        encoder.send(room, number)?;
    }
    while encoder.pending() > 0 {
        packet(take(&encoder)?)?;
    }
    Ok(())
}

fn take(encoder: &Encoder) -> Result<Vec<u8>, Failure> {
    match encoder.receive(PATIENCE)? {
        Received::Some(packet) => Ok(packet.data),
        Received::Nothing | Received::End => Err(Failure::new(
            CARD,
            "the encoder gave no packet for a picture that it had taken",
        )),
    }
}
