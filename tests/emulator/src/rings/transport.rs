// SPDX-License-Identifier: MIT OR Apache-2.0

//! The two message rings as the card uses them [pcie 4.6], [pcie 4.7].

use std::time::Duration;

use ax650_emu_api::DmaError;
use parking_lot::Mutex;

use super::geometry::{total, Geometry, Ring, MAX_PAYLOAD};
use super::header::{Header, CHECK, HEADER_SIZE};
use super::window::Window;

/// How often a wrong check word or pointer is read again.
const CHECK_RETRIES: u32 = 9;
const POINTER_RETRIES: u32 = 100;
const RETRY_PAUSE: Duration = Duration::from_micros(10);

/// Why a message was not published now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The ring is full or has too little room; worth another try.
    Full,
    /// The pointers cannot be reached: the host has taken the region away.
    Dead,
}

/// What is wrong with the host's ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// More unread bytes than the ring has, or a number of them that messages do not add up to.
    #[error("write pointer {wp:#x} with read pointer {rp:#x}")]
    Pointers {
        /// Write pointer.
        wp: u64,
        /// Read pointer.
        rp: u64,
    },
    /// The check word stays wrong.
    #[error("check word {0:#x} at {1:#x}")]
    Check(u32, u64),
    /// The length cannot be.
    #[error("payload length {0:#x} at {1:#x}")]
    Length(u32, u64),
}

/// A message to publish, with what the fault switches want to be wrong with it.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'a> {
    /// The header as it goes into the ring.
    pub header: Header,
    /// The payload.
    pub payload: &'a [u8],
    /// Bytes that the write pointer moves too far.
    pub jump: u64,
}

/// Both rings of one boot.
#[derive(Debug)]
pub struct Transport {
    /// The shared region.
    pub window: Window,
    geometry: Geometry,
    send: Mutex<()>,
}

impl Transport {
    /// The rings in `window`.
    pub fn new(window: Window) -> Self {
        let geometry = Geometry::new(window.size());
        Self {
            window,
            geometry,
            send: Mutex::new(()),
        }
    }

    /// Ring set-up [pcie 2.5]: zeroes the low halves of all four pointers; the host has to do the rest.
    pub fn clear_pointers(&self) -> Result<(), DmaError> {
        let Geometry { h2c, c2h } = self.geometry;
        [h2c, c2h]
            .iter()
            .flat_map(|ring| [ring.read_pointer, ring.write_pointer])
            .try_for_each(|at| self.window.write_u32(at, 0))
    }

    /// Read and write pointer of the h2c ring, then of the c2h ring, for the control socket.
    pub fn pointers(&self) -> Option<[u64; 4]> {
        let Geometry { h2c, c2h } = self.geometry;
        Some([
            self.window.peek_u64(h2c.read_pointer)?,
            self.window.peek_u64(h2c.write_pointer)?,
            self.window.peek_u64(c2h.read_pointer)?,
            self.window.peek_u64(c2h.write_pointer)?,
        ])
    }

    /// Waits until no message is being published.
    pub fn quiesce(&self) {
        drop(self.send.lock());
    }

    /// Puts a message into the c2h ring, once.
    pub fn publish(&self, message: Publish) -> Result<(), Refused> {
        let ring = self.geometry.c2h;
        let _one_at_a_time = self.send.lock();
        let dead = |_: DmaError| Refused::Dead;
        let wp = self.window.read_u64(ring.write_pointer).map_err(dead)?;
        let rp = self.window.read_u64(ring.read_pointer).map_err(dead)?;
        if wp == u64::MAX || rp == u64::MAX {
            return Err(Refused::Dead);
        }
        let used = wp.wrapping_sub(rp);
        let len = message.payload.len() as u64;
        if used >= ring.size || total(len) > ring.size - used {
            return Err(Refused::Full);
        }
        let place = ring.place(wp, len);
        let (first, rest) = message.payload.split_at(place.first as usize);
        self.window
            .write(ring.data + place.payload, first)
            .map_err(dead)?;
        self.window.write(ring.data, rest).map_err(dead)?;
        self.window
            .write(ring.data + place.header, &message.header.to_bytes())
            .map_err(dead)?;
        self.move_pointer(
            ring.write_pointer,
            wp.wrapping_add(place.advance).wrapping_add(message.jump),
        )
        .map_err(dead)
    }

    /// Moves the write pointer of the c2h ring without a message.
    pub fn jump(&self, bytes: u64) -> Result<(), DmaError> {
        let at = self.geometry.c2h.write_pointer;
        let _one_at_a_time = self.send.lock();
        let wp = self.window.read_u64(at)?;
        self.move_pointer(at, wp.wrapping_add(bytes))
    }

    /// Writes a pointer and reads it back until it stands.
    fn move_pointer(&self, at: u64, value: u64) -> Result<(), DmaError> {
        for _ in 0..POINTER_RETRIES {
            self.window.write_u64(at, value)?;
            if self.window.read_u64(at)? == value {
                break;
            }
        }
        Ok(())
    }

    /// Takes the next message out of the h2c ring.  After an error the ring is empty: what was
    /// unread has been dropped.
    pub fn take(&self) -> Result<Option<(Header, Vec<u8>)>, Corrupt> {
        let ring = self.geometry.h2c;
        let pointers = self
            .window
            .read_u64(ring.read_pointer)
            .and_then(|rp| Ok((rp, self.window.read_u64(ring.write_pointer)?)));
        let Ok((rp, wp)) = pointers else {
            return Ok(None);
        };
        if rp == u64::MAX || wp == u64::MAX || rp == wp {
            return Ok(None);
        }
        match self.take_at(ring, rp, wp) {
            Ok(Some((message, next))) => {
                // If the host took the region away meanwhile, nobody is left to see the pointer.
                let _ = self.move_pointer(ring.read_pointer, next);
                Ok(Some(message))
            }
            Ok(None) => Ok(None),
            Err(corrupt) => {
                let _ = self.move_pointer(ring.read_pointer, wp);
                Err(corrupt)
            }
        }
    }

    #[allow(clippy::type_complexity)] // a message, and where the next one begins
    fn take_at(
        &self,
        ring: Ring,
        rp: u64,
        wp: u64,
    ) -> Result<Option<((Header, Vec<u8>), u64)>, Corrupt> {
        let unread = wp.wrapping_sub(rp);
        if unread > ring.size || unread % ring.step() != 0 {
            return Err(Corrupt::Pointers { wp, rp });
        }
        let at = ring.place(rp, 0).header;
        let Some(header) = self.header(ring.data + at) else {
            return Ok(None);
        };
        if header.check != CHECK {
            return Err(Corrupt::Check(header.check, at));
        }
        let len = header.length as usize;
        let place = ring.place(rp, len as u64);
        if len >= MAX_PAYLOAD || place.advance > unread {
            return Err(Corrupt::Length(header.length, at));
        }
        let mut payload = vec![0; len];
        let (first, rest) = payload.split_at_mut(place.first as usize);
        let copied = self
            .window
            .read(ring.data + place.payload, first)
            .and_then(|()| self.window.read(ring.data, rest));
        Ok(copied
            .ok()
            .map(|()| ((header, payload), rp.wrapping_add(place.advance))))
    }

    /// The header at `at`, read again while its check word is wrong; `None` if the host has taken
    /// the region away.
    fn header(&self, at: u64) -> Option<Header> {
        let mut bytes = [0; HEADER_SIZE];
        let mut tries = 0;
        loop {
            self.window.read(at, &mut bytes).ok()?;
            let header = Header::from_bytes(bytes);
            if header.check == CHECK || tries == CHECK_RETRIES {
                return Some(header);
            }
            tries += 1;
            std::thread::sleep(RETRY_PAUSE);
        }
    }
}
