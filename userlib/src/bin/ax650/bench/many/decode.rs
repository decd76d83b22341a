// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoders: a clip, again and again, each picture by its MD5.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ax650::media::{Codec, Decoder, DecoderConfig, Received};
use ax650::{Buffer, Session};
use md5::{Digest as _, Md5};

use super::channel::{differs, Channel, Until, PATIENCE};
use super::encode::CODEC;
use crate::failure::{Failure, CARD};
use crate::interrupt;
use crate::video::clip;
use crate::video::input::Input;

/// Pictures of a file at most.
const MOST: usize = 300;
/// Between two looks at whether there is something.
const TURN: Duration = Duration::from_millis(200);

/// MD5 of a picture, without what is between its rows.
pub type Digest = [u8; 16];

/// What decoders are given.
pub struct Clip {
    codec: Codec,
    size: (u32, u32),
    packets: Vec<Vec<u8>>,
}

impl Clip {
    /// Takes what an encoder has made.
    pub fn of(packets: &[Vec<u8>], size: (u32, u32)) -> Self {
        Self {
            codec: CODEC,
            size,
            packets: packets.to_vec(),
        }
    }

    /// Reads the beginning of a file, as far as its pictures are of one size.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut clip = clip::Clip::from_input(Input::open(path)?, path, None, None)?;
        let format = clip.format;
        let mut packets = Vec::new();
        while packets.len() < MOST {
            match clip.next()? {
                Some(unit) if unit.format == format => packets.push(unit.data),
                _ => break,
            }
        }
        Ok(Self {
            codec: format.codec,
            size: (format.width, format.height),
            packets,
        })
    }
}

/// Returns the pictures of a clip as one decoder alone shows them, the second time as the first.
pub fn alone(session: &Session, clip: &Clip) -> Result<Vec<Digest>, Failure> {
    let mut shown = Vec::new();
    through(session, clip, &|pass| pass < 2, &mut |digest| {
        shown.push(digest);
        Ok(())
    })?;
    let second = shown.split_off(shown.len() / 2);
    if shown.is_empty() || shown != second {
        return Err(Failure::of(
            "a decoder shows other pictures of the clip the second time; one is needed that begins with a key picture",
        ));
    }
    Ok(shown)
}

/// A decoder that is given a clip again and again.
pub struct Decoding<'a> {
    session: &'a Session,
    clip: &'a Clip,
    /// What one alone has shown.
    shown: &'a [Digest],
}

impl<'a> Decoding<'a> {
    /// Prepares a decoder of a clip.
    pub fn new(session: &'a Session, clip: &'a Clip, shown: &'a [Digest]) -> Self {
        Self {
            session,
            clip,
            shown,
        }
    }
}

impl Channel for Decoding<'_> {
    fn work(&mut self, until: Until, done: &AtomicU64) -> Result<(), Failure> {
        let each = self.shown.len() as u64;
        let passes = AtomicU64::new(0);
        let more = |pass: u64| {
            let more = pass == 0 || !until.is_over(pass * each);
            passes.fetch_add(more.into(), Ordering::Relaxed);
            more
        };
        through(self.session, self.clip, &more, &mut |digest| {
            let number = done.load(Ordering::Relaxed);
            if self.shown[(number % each) as usize] != digest {
                return Err(differs("picture", number));
            }
            done.store(number + 1, Ordering::Relaxed);
            Ok(())
        })?;
        let (have, sent) = (done.load(Ordering::Relaxed), passes.into_inner() * each);
        if have == sent {
            return Ok(());
        }
        Err(Failure::new(
            CARD,
            format!("{have} pictures of {sent} came out"),
        ))
    }
}

/// Sends the clip as often as `more` says, and hands out the pictures.
fn through(
    session: &Session,
    clip: &Clip,
    more: &(dyn Fn(u64) -> bool + Sync),
    picture: &mut dyn FnMut(Digest) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = DecoderConfig::new(clip.codec, clip.size.0, clip.size.1);
    let decoder = Decoder::new(session, &config)?;
    let stop = AtomicBool::new(false);
    let send = || -> Result<(), Failure> {
        let mut number = 0;
        for pass in 0.. {
            if !more(pass) {
                break;
            }
            for packet in &clip.packets {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                interrupt::check()?;
                decoder.send(packet, number)?;
                number += 1;
            }
        }
        Ok(decoder.finish()?)
    };
    thread::scope(|scope| {
        let sender = thread::Builder::new().spawn_scoped(scope, || {
            // Whoever receives shall not wait for what was not sent.
            send().inspect_err(|_| stop.store(true, Ordering::Relaxed))
        });
        let sender =
            sender.map_err(|error| Failure::of(format!("a thread cannot be started: {error}")))?;
        let received = receive(&decoder, session, &stop, picture);
        stop.store(true, Ordering::Relaxed);
        // The thread may be waiting for room in the decoder.
        while !sender.is_finished() && decoder.receive(TURN).is_ok() {}
        let sent = sender
            .join()
            .unwrap_or_else(|_| Err(Failure::of("a thread has ended with a panic")));
        received.and(sent)
    })
}

fn receive(
    decoder: &Decoder,
    session: &Session,
    stop: &AtomicBool,
    picture: &mut dyn FnMut(Digest) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut room: Option<Buffer> = None;
    let mut last = Instant::now();
    loop {
        match decoder.receive(TURN)? {
            Received::Some(frame) => {
                let size = frame.layout().size();
                let buffer = match room.take() {
                    Some(buffer) if buffer.len() >= size => buffer,
                    _ => session.buffer(size)?,
                };
                let layout = frame.download(&buffer)?;
                let mut md5 = Md5::new();
                layout.rows(&buffer.read()?).for_each(|row| md5.update(row));
                picture(md5.finalize().into())?;
                room = Some(buffer);
                last = Instant::now();
            }
            Received::End => return Ok(()),
            Received::Nothing if stop.load(Ordering::Relaxed) => return Ok(()),
            Received::Nothing if last.elapsed() > PATIENCE => {
                let seconds = PATIENCE.as_secs();
                return Err(Failure::new(
                    CARD,
                    format!("the decoder gave no picture for {seconds} s"),
                ));
            }
            Received::Nothing => interrupt::check()?,
        }
    }
}
