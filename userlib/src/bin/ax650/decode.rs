// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 decode`

use std::fs;
use std::time::Duration;

use ax650::media::{jpeg, Decoder, DecoderConfig, PictureLayout, Received};
use ax650::{Buffer, Card, Session};

use crate::args::{Decode, Rate};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::transcode::Feeder;
use crate::video::clip::Clip;
use crate::video::pictures_out::PictureSink;
use crate::video::FileKind;

/// Pictures per second of a single picture, for files that must tell one.
const STILL: Rate = Rate { num: 1, den: 1 };

/// Decodes a file.
pub fn decode(card: &Card, options: &Decode) -> Result<(), Failure> {
    let session = card.session()?;
    if FileKind::of(&options.input) == Some(FileKind::Jpeg) {
        return decode_jpeg(&session, options);
    }
    let mut clip = Clip::open(&options.input, options.fps)?;
    let mut sink = PictureSink::new(options, clip.rate)?;
    let total = options
        .frames
        .map_or(clip.len() as u64, |frames| frames.min(clip.len() as u64));
    let mut progress = Progress::new(Some(total), options.quiet);

    let mut config = DecoderConfig::new(clip.codec, clip.width, clip.height);
    config.frame_rate = clip.rate.value() as f32;
    let decoder = Decoder::new(&session, &config)?;
    let what = format!("decoded {} {}x{}", clip.codec, clip.width, clip.height);
    let mut buffer: Option<Buffer> = None;
    Feeder::run(&decoder, &mut clip, |feeder| {
        while options
            .frames
            .is_none_or(|frames| progress.frames() < frames)
        {
            match decoder.receive(Duration::from_millis(200))? {
                Received::Some(frame) => {
                    feeder.seen();
                    let layout = frame.layout();
                    let room = room_for(&session, &layout, &mut buffer)?;
                    let layout = frame.download(&room)?;
                    sink.write(&layout, &room.read()?)?;
                    progress.frame();
                }
                Received::Nothing => feeder.check()?,
                Received::End => break,
            }
        }
        Ok(())
    })?;
    if progress.frames() == 0 {
        let path = options.input.display();
        return Err(Failure::of(format!(
            "{path}: no picture of it could be decoded"
        )));
    }
    sink.finish()?;
    progress.finish(&what);
    Ok(())
}

/// A buffer that the picture fits into, the same as long as it does.
fn room_for(
    session: &Session,
    layout: &PictureLayout,
    buffer: &mut Option<Buffer>,
) -> Result<Buffer, Failure> {
    match buffer {
        Some(buffer) if buffer.len() >= layout.size() => Ok(buffer.clone()),
        _ => Ok(buffer.insert(session.buffer(layout.size())?).clone()),
    }
}

fn decode_jpeg(session: &Session, options: &Decode) -> Result<(), Failure> {
    let path = &options.input;
    let bytes = fs::read(path).map_err(|error| Failure::file(path, &error))?;
    let mut sink = PictureSink::new(options, STILL)?;
    let mut progress = Progress::new(None, options.quiet);
    let (buffer, layout) = jpeg::decode(session, &bytes).map_err(|error| match error {
        ax650::Error::Invalid(problem) => Failure::of(format!("{}: {problem}", path.display())),
        error => error.into(),
    })?;
    sink.write(&layout, &buffer.read()?)?;
    sink.finish()?;
    progress.frame();
    progress.finish(&format!("decoded JPEG {}x{}", layout.width, layout.height));
    Ok(())
}
