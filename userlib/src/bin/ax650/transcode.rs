// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 transcode`

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use ax650::media::{Codec, Encoder, Frame, Received};
use ax650::{Card, Session};

use crate::args::Transcode;
use crate::encode::config;
use crate::failure::{Failure, CARD};
use crate::interrupt;
use crate::notes::Notes;
use crate::output::{refuse_existing, refuse_input};
use crate::progress::Progress;
use crate::pump::{self, Consumer, Moment};
use crate::video::clip::{Clip, Format};
use crate::video::input::Input;
use crate::video::look::{Keeps, Look};
use crate::video::mp4::Reader;
use crate::video::mp4_write::AudioTrack;
use crate::video::packets::{codec_for, PacketFile};
use crate::video::FileKind;

/// How long an encoder may take for a picture.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pictures of the decoder that the encoder keeps.
const KEPT: u32 = 4;
/// Audio is written along with each so many seconds of video.
const INTERLEAVE: u64 = 1;

/// Decodes and encodes a file.
pub fn transcode(card: &Card, options: &Transcode) -> Result<(), Failure> {
    let codec = codec_for(&options.output, options.encoding.codec)?;
    if codec == Codec::Jpeg {
        return Err(Failure::usage(format!(
            "{}: give a video file",
            options.output.display()
        )));
    }
    let input = Input::open(&options.input)?;
    refuse_input(Some(&options.output), input.file(), &options.input)?;
    if !options.force {
        refuse_existing(&options.output)?;
    }
    let mut clip = Clip::from_input(input, &options.input, options.fps, options.track)?;
    let mut notes = Notes::new(options.strict);
    let name = options.input.display().to_string();
    let mp4 = FileKind::of(&options.output) == Some(FileKind::Mp4);
    warn(&clip.look, mp4, &name, &mut notes)?;
    let audio = audio(&clip, options, mp4, &mut notes)?;
    let session = card.session()?;
    let total = match (clip.count, options.frames) {
        (Some(count), Some(frames)) => Some(count.min(frames)),
        (count, frames) => count.or(frames),
    };
    let Format {
        codec: from,
        width,
        height,
    } = clip.format;
    let timescale = match clip.timescale {
        0 => clip.rate.num,
        timescale => timescale,
    };
    let mut file = PacketFile::create(
        &options.output,
        codec,
        (width, height),
        timescale,
        options.force,
    )?;
    if let Some(writer) = file.mp4() {
        audio.into_iter().for_each(|track| writer.add_audio(track));
    }
    let mut work = Work {
        session: &session,
        options,
        codec,
        rate: clip.rate,
        timescale,
        ticks: clip.timescale > 0,
        encoder: None,
        size: (width, height),
        inside: VecDeque::new(),
        sent: 0,
        file,
        progress: Progress::new(total, options.quiet),
        next_time: 0,
        last_duration: 0,
        next_audio: 0,
    };
    if options.frames == Some(0) {
        return Err(Failure::usage("0 pictures are nothing to transcode"));
    }
    let report = pump::run(&session, &mut clip, KEPT, &mut work)?;
    if report.shown == 0 {
        return report.judge(&name, &clip, &mut notes);
    }
    work.drain()?;
    warn(&clip.look, mp4, &name, &mut notes)?;
    let whole = options.frames.is_none_or(|frames| work.sent < frames);
    let Work {
        mut file,
        progress,
        next_time,
        last_duration,
        ..
    } = work;
    if let Some(writer) = file.mp4() {
        writer.set_look(clip.look);
        writer.set_last(last_duration);
        writer
            .write_audio((!whole).then_some(next_time - 1 + u64::from(last_duration)))
            .map_err(|error| Failure::file(&options.output, &error))?;
    }
    file.finish(&options.output)?;
    progress.finish(&format!("transcoded {from} to {codec}, {width}x{height}"));
    report.judge(&name, &clip, &mut notes)
}

/// Tells what of the pictures is not in the output.
fn warn(look: &Look, mp4: bool, name: &str, notes: &mut Notes) -> Result<(), Failure> {
    let keeps = Keeps {
        rotation: mp4,
        aspect: mp4,
        range: mp4,
        colour: mp4,
    };
    let card = look.lost_on_the_card().into_iter();
    for lost in card.chain(look.lost_in_file(keeps)) {
        notes.warn(format!("{name}: {lost}"))?;
    }
    Ok(())
}

/// The audio that goes along; what does not is named.
fn audio(
    clip: &Clip,
    options: &Transcode,
    mp4: bool,
    notes: &mut Notes,
) -> Result<Vec<AudioTrack>, Failure> {
    let Some(reader) = clip.mp4() else {
        return Ok(Vec::new());
    };
    let name = options.input.display();
    let mut copied = Vec::new();
    let mut dropped = Vec::new();
    for (at, track) in reader.movie.tracks.iter().enumerate() {
        if at == reader.chosen {
            continue;
        }
        // It is read beside the video, which a pipe does not allow.
        let beside = reader.input().length.is_some() && options.input != Path::new("-");
        if mp4 && beside && AudioTrack::can_copy(track) {
            let input = Input::open(&options.input)?;
            if let Ok(reader) = Reader::open_as_is(input, at) {
                copied.push(AudioTrack::new(reader));
                continue;
            }
        }
        dropped.push(track.label());
    }
    if !dropped.is_empty() {
        let dropped = dropped.join(", ");
        notes.warn(format!("{name}: not carried over: {dropped}"))?;
    }
    Ok(copied)
}

/// Encodes pictures.
struct Work<'a> {
    session: &'a Session,
    options: &'a Transcode,
    codec: Codec,
    rate: crate::args::Rate,
    timescale: u32,
    /// Whether pictures have times in ticks.
    ticks: bool,
    encoder: Option<Encoder>,
    size: (u32, u32),
    /// Of the pictures in the encoder.
    inside: VecDeque<Moment>,
    sent: u64,
    file: PacketFile,
    progress: Progress,
    next_time: u64,
    last_duration: u32,
    next_audio: u64,
}

impl Work<'_> {
    fn path(&self) -> &Path {
        &self.options.output
    }

    /// Takes one packet out of the encoder.
    fn take(&mut self) -> Result<(), Failure> {
        interrupt::check()?;
        let Some(encoder) = &self.encoder else {
            return Ok(());
        };
        let Received::Some(packet) = encoder.receive(PATIENCE)? else {
            return Err(Failure::new(
                CARD,
                "the encoder gave no packet for a picture that it had taken",
            ));
        };
        let moment = self.inside.pop_front();
        let told = moment.filter(|_| self.ticks).and_then(|moment| moment.time);
        // Times only grow.
        let time = match told {
            Some(time) => u64::try_from(time).unwrap_or(0).max(self.next_time),
            None if self.ticks => self.next_time,
            None => self.progress.frames() * u64::from(self.rate.den),
        };
        self.last_duration = match moment {
            Some(moment) if self.ticks => moment.duration,
            _ => self.rate.den,
        };
        self.next_time = time + 1;
        let path = &self.options.output;
        if time >= self.next_audio {
            if let Some(writer) = self.file.mp4() {
                let until = time.saturating_add(INTERLEAVE * u64::from(self.timescale));
                self.next_audio = until;
                // Not more of it than there may be of the video.
                if self.options.frames.is_none() {
                    writer
                        .write_audio(Some(until))
                        .map_err(|error| Failure::file(path, &error))?;
                }
            }
        }
        self.file.write(path, &packet, time)?;
        self.progress.frame();
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Failure> {
        while self
            .encoder
            .as_ref()
            .is_some_and(|encoder| encoder.pending() > 0)
        {
            self.take()?;
        }
        Ok(())
    }
}

impl Consumer for Work<'_> {
    fn begin(&mut self, format: Format) -> Result<(), Failure> {
        let size = (format.width, format.height);
        if self.encoder.is_some() && size == self.size {
            return Ok(());
        }
        if self.encoder.is_some() {
            if self.file.mp4().is_some() {
                return Err(Failure::of(format!(
                    "{}: an MP4 file is written with pictures of one size only; picture {} is {}x{}, those ahead \
                     are {}x{}; .h264 and .h265 take all",
                    self.path().display(),
                    self.sent,
                    size.0,
                    size.1,
                    self.size.0,
                    self.size.1
                )));
            }
            self.drain()?;
        }
        self.size = size;
        self.encoder = None;
        let config = config(self.codec, size, self.rate, &self.options.encoding)?;
        self.encoder = Some(Encoder::new(self.session, &config)?);
        Ok(())
    }

    fn picture(&mut self, frame: Frame, moment: Moment) -> Result<bool, Failure> {
        let Some(encoder) = &self.encoder else {
            return Ok(false);
        };
        encoder.send_frame(frame)?;
        let full = encoder.pending() == encoder.depth();
        self.inside.push_back(moment);
        self.sent += 1;
        // The decoder may need what the encoder keeps before it can give another picture.
        if full {
            self.take()?;
        }
        Ok(self.options.frames.is_none_or(|frames| self.sent < frames))
    }
}
