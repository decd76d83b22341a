// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files of pictures with boxes drawn in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ax650::media::{CardImage, Codec, Encoder, EncoderConfig, PictureLayout, Received};
use ax650::vision::Detection;
use ax650::{Buffer, Session};

use super::report::Labels;
use super::{draw, png};
use crate::args::look::Look;
use crate::args::Rate;
use crate::failure::{Failure, CARD};
use crate::video::clip::Clip;
use crate::video::packets::{codec_for, PacketFile};

/// How long an encoder may take for a picture.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that is being made.
pub struct Drawn {
    path: PathBuf,
    force: bool,
    full_range: bool,
    kind: Kind,
    buffer: Option<Buffer>,
}

enum Kind {
    /// One picture.
    Png(bool),
    /// Pictures, encoded on the card.
    Video {
        codec: Codec,
        rate: Rate,
        size: (u32, u32),
        file: Box<PacketFile>,
        encoder: Option<Box<Encoder>>,
        sent: u64,
        written: u64,
    },
}

impl Drawn {
    /// Begins a file for one picture.
    pub fn picture(path: &Path, force: bool, full_range: bool) -> Result<Self, Failure> {
        png::check(path, force)?;
        Ok(Self {
            path: path.into(),
            force,
            full_range,
            kind: Kind::Png(false),
            buffer: None,
        })
    }

    /// Begins a file for the pictures of a clip.
    pub fn create(path: &Path, options: &Look, clip: &Clip) -> Result<Self, Failure> {
        let (force, full_range) = (options.force, clip.look.full_range);
        if png::is_png(path) {
            if options.frames != Some(1) {
                let path = path.display();
                return Err(Failure::usage(format!(
                    "{path}: a .png file holds one picture; say -n 1, or give an .mp4 file"
                )));
            }
            return Self::picture(path, force, full_range);
        }
        let codec = codec_for(path, None)?;
        if codec == Codec::Jpeg {
            let path = path.display();
            return Err(Failure::usage(format!("{path}: give a .png or video file")));
        }
        let size = (clip.format.width, clip.format.height);
        let file = PacketFile::create(path, codec, size, clip.rate.num, force)?;
        Ok(Self {
            path: path.into(),
            force,
            full_range,
            kind: Kind::Video {
                codec,
                rate: clip.rate,
                size,
                file: Box::new(file),
                encoder: None,
                sent: 0,
                written: 0,
            },
            buffer: None,
        })
    }

    /// Fetches a picture, draws on it and puts it into the file.
    pub fn add(
        &mut self,
        session: &Session,
        image: &CardImage,
        found: &[Detection],
        labels: &Labels,
    ) -> Result<(), Failure> {
        let layout = image.layout()?;
        let buffer = match self.buffer.take() {
            Some(buffer) if buffer.len() >= layout.size() => buffer,
            _ => session.buffer(layout.size())?,
        };
        let layout = image.fetch(&buffer)?;
        draw::boxes(&layout, &mut buffer.write()?, found, labels);
        let path = &self.path;
        match &mut self.kind {
            Kind::Png(is_there) if !*is_there => {
                let pixels = draw::rgb(&layout, &buffer.read()?, self.full_range);
                png::write(path, self.force, (layout.width, layout.height), &pixels)?;
                *is_there = true;
            }
            Kind::Png(_) => {}
            Kind::Video {
                codec,
                rate,
                size,
                file,
                encoder,
                sent,
                written,
            } => {
                if (layout.width, layout.height) != *size {
                    return Err(Failure::of(format!(
                        "{}: a picture of {}x{} among those of {}x{}",
                        path.display(),
                        layout.width,
                        layout.height,
                        size.0,
                        size.1
                    )));
                }
                let encoder = match encoder {
                    Some(encoder) => encoder,
                    None => {
                        let config = EncoderConfig::new(*codec, size.0, size.1)
                            .frame_rate(rate.value() as f32);
                        encoder.insert(Box::new(Encoder::new(session, &config)?))
                    }
                };
                if encoder.pending() == encoder.depth() {
                    take(encoder, file, path, *written * u64::from(rate.den))?;
                    *written += 1;
                }
                let room = session.buffer(encoder.layout().size())?;
                repack(
                    &layout,
                    &buffer.read()?,
                    &encoder.layout(),
                    &mut room.write()?,
                );
                encoder.send(&room, *sent)?;
                *sent += 1;
            }
        }
        self.buffer = Some(buffer);
        Ok(())
    }

    /// Completes the file.
    pub fn finish(self) -> Result<(), Failure> {
        let Kind::Video {
            rate,
            mut file,
            encoder,
            mut written,
            ..
        } = self.kind
        else {
            return Ok(());
        };
        while let Some(encoder) = encoder.as_ref().filter(|encoder| encoder.pending() > 0) {
            take(
                encoder,
                &mut file,
                &self.path,
                written * u64::from(rate.den),
            )?;
            written += 1;
        }
        file.finish(&self.path)
    }
}

fn take(encoder: &Encoder, file: &mut PacketFile, path: &Path, time: u64) -> Result<(), Failure> {
    match encoder.receive(PATIENCE)? {
        Received::Some(packet) => file.write(path, &packet, time),
        Received::Nothing | Received::End => Err(Failure::new(
            CARD,
            "the encoder gave no packet for a picture that it had taken",
        )),
    }
}

fn repack(from: &PictureLayout, source: &[u8], to: &PictureLayout, target: &mut [u8]) {
    for (row, into) in from.rows(source).zip(to.rows_mut(target)) {
        let len = row.len().min(into.len());
        into[..len].copy_from_slice(&row[..len]);
    }
}
