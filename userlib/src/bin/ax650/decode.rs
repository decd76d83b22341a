// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 decode`

use std::io::Read;
use std::path::Path;

use ax650::media::{jpeg, Frame, PictureLayout};
use ax650::{Buffer, Card, Session};

use crate::args::{Decode, Rate};
use crate::failure::Failure;
use crate::notes::Notes;
use crate::output::refuse_input;
use crate::progress::Progress;
use crate::pump::{self, Consumer, Moment};
use crate::video::clip::{Clip, Format};
use crate::video::input::Input;
use crate::video::look::Look;
use crate::video::pictures_out::PictureSink;
use crate::video::sniff::{sniff, Found};
use crate::video::FileKind;

/// Pictures per second of a single picture, for files that must tell one.
const STILL: Rate = Rate { num: 1, den: 1 };
/// No JPEG picture is larger.
const MAX_JPEG: u64 = 256 << 20;

/// Decodes a file.
pub fn decode(card: &Card, options: &Decode) -> Result<(), Failure> {
    let path = &options.input;
    let mut input = Input::open(path)?;
    refuse_input(options.output.as_deref(), input.file(), path)?;
    PictureSink::check(options)?;
    let session = card.session()?;
    let jpeg = FileKind::Jpeg;
    let head = input.peek();
    let head = head.map_err(|error| Clip::read_failure(path, &error))?;
    if sniff(head) == Found::Known(jpeg) || FileKind::of(path) == Some(jpeg) {
        return decode_jpeg(&session, options, input);
    }
    let mut clip = Clip::from_input(input, path, options.fps, options.track)?;
    let mut notes = Notes::new(options.strict);
    let name = path.display().to_string();
    warn(&clip.look, options, &name, &mut notes)?;
    let sink = PictureSink::new(options, clip.rate, clip.look)?;
    let total = match (clip.count, options.frames) {
        (Some(count), Some(frames)) => Some(count.min(frames)),
        (count, frames) => count.or(frames),
    };
    let Format {
        codec,
        width,
        height,
    } = clip.format;
    let mut writer = Writer {
        session: &session,
        name: &name,
        limit: options.frames,
        progress: Progress::new(total, options.quiet),
        sink,
        notes: &mut notes,
        buffer: None,
        format: None,
    };
    if options.frames == Some(0) {
        return Err(Failure::usage("0 pictures are nothing to decode"));
    }
    let report = pump::run(&session, &mut clip, 0, &mut writer)?;
    let Writer { sink, progress, .. } = writer;
    if report.shown == 0 {
        return report.judge(&name, &clip, &mut notes);
    }
    sink.finish()?;
    progress.finish(&format!("decoded {codec} {width}x{height}"));
    // A look at the end: later parameter sets may differ.
    warn(&clip.look, options, &name, &mut notes)?;
    report.judge(&name, &clip, &mut notes)
}

/// Tells what of the pictures is not in the output.
fn warn(look: &Look, options: &Decode, name: &str, notes: &mut Notes) -> Result<(), Failure> {
    if let Some(lost) = look.lost_on_the_card() {
        notes.warn(format!("{name}: {lost}"))?;
    }
    if options.output.is_some() {
        for lost in look.lost_in_file(PictureSink::keeps(options)) {
            notes.warn(format!("{name}: {lost}"))?;
        }
    }
    Ok(())
}

/// Writes pictures.
struct Writer<'a> {
    session: &'a Session,
    name: &'a str,
    limit: Option<u64>,
    progress: Progress,
    sink: PictureSink,
    notes: &'a mut Notes,
    buffer: Option<Buffer>,
    format: Option<Format>,
}

impl Consumer for Writer<'_> {
    fn begin(&mut self, format: Format) -> Result<(), Failure> {
        if let Some(before) = self.format.replace(format) {
            let size = |format: Format| format!("{}x{}", format.width, format.height);
            if size(before) != size(format) {
                let (name, at) = (self.name, self.progress.frames());
                let (old, new) = (size(before), size(format));
                self.notes.warn(format!(
                    "{name}: from picture {at} on the size is {new} instead of {old}"
                ))?;
            }
        }
        Ok(())
    }

    fn picture(&mut self, frame: Frame, _: Moment) -> Result<bool, Failure> {
        let layout = frame.layout();
        let room = room_for(self.session, &layout, &mut self.buffer)?;
        let layout = frame.download(&room)?;
        self.sink.write(&layout, &room.read()?)?;
        self.progress.frame();
        Ok(self
            .limit
            .is_none_or(|limit| self.progress.frames() < limit))
    }
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

fn decode_jpeg(session: &Session, options: &Decode, input: Input) -> Result<(), Failure> {
    let path: &Path = &options.input;
    let mut bytes = Vec::new();
    input
        .take(MAX_JPEG)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(path, &error))?;
    let mut progress = Progress::new(None, options.quiet);
    let (buffer, layout) = jpeg::decode(session, &bytes).map_err(|error| match error {
        ax650::Error::Invalid(problem) => Failure::of(format!("{}: {problem}", path.display())),
        error => error.into(),
    })?;
    let look = Look {
        full_range: true,
        ..Default::default()
    };
    let mut sink = PictureSink::new(options, STILL, look)?;
    sink.write(&layout, &buffer.read()?)?;
    sink.finish()?;
    progress.frame();
    progress.finish(&format!("decoded JPEG {}x{}", layout.width, layout.height));
    Ok(())
}
