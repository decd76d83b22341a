// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650-llm transcribe`: what is said in a file of sound.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ax650_command::failure::Failure;
use ax650_command::progress_line::ProgressLine;
use ax650_command::{interrupt, standard};
use ax650_llm::speech::{
    pieces, read_wav, transcribe, transcribe_pieces, Description, Rules, Segment, Speech,
    Transcript, Voice, RATE,
};
use serde_json::{json, Value};

use crate::args::{Arguments, Transcribe};
use crate::costs::Costs;
use crate::{go_on, open_card};

/// Transcribes and prints.
pub fn run(arguments: &Arguments, options: &Transcribe) -> Result<(), Failure> {
    // What is wrong with directory, language and sound needs no card to be found.
    let description = Description::read(&options.model)?;
    let language = options.language.as_deref();
    if let Some(name) = language {
        description.language(name)?;
    }
    let sound = read_wav(&options.sound)?;
    let card = open_card(arguments)?;
    let session = card.session()?;
    let voice = options.vad.as_ref().map(|path| Voice::load(&session, path));
    let voice = voice.transpose()?;
    let mut line = ProgressLine::new(arguments.quiet);
    let speech = Speech::load(&session, &options.model, &mut |done, all| {
        line.show(|| format!("loading: model {done} of {all}"));
        go_on()
    })?;
    drop(line);
    let speech = Arc::new(speech);
    let (before, begin) = (Costs::now(&card)?, Instant::now());
    let spoken = voice.map(|voice| spoken(&voice, &sound)).transpose()?;
    let mut failed = None;
    let mut listen = |segment: Option<&Segment>| {
        if let Some(segment) = segment.filter(|_| !options.json) {
            failed = show(segment).err();
        }
        failed.is_none() && !interrupt::is_pending()
    };
    let found = match &spoken {
        Some(pieces) => transcribe_pieces(&speech, &sound, pieces, language, &mut listen),
        None => transcribe(&speech, &sound, language, &mut listen),
    };
    if let Some(error) = failed {
        return Err(error.into());
    }
    interrupt::check()?;
    let found = found?;
    if options.json {
        let costs = Costs::now(&card)?.since(before);
        let time = begin.elapsed().as_secs_f64() * 1000.0;
        let report = report(&speech, &found, spoken.as_deref(), &costs, time);
        standard::output()?.write_all(format!("{report:#}\n").as_bytes())?;
    }
    Ok(())
}

/// Finds the pieces in which somebody speaks.
fn spoken(voice: &Voice, sound: &[f32]) -> Result<Vec<Range<usize>>, Failure> {
    let found = voice.probabilities(sound, &mut || !interrupt::is_pending());
    interrupt::check()?;
    Ok(pieces(&found?, sound.len(), &Rules::default()))
}

/// Prints a segment, as soon as there is one.
fn show(segment: &Segment) -> std::io::Result<()> {
    let (start, end, text) = (time(segment.start), time(segment.end), segment.text.trim());
    let mut output = standard::output()?;
    writeln!(output, "[{start} --> {end}] {text}")?;
    output.flush()
}

/// Writes a time as minutes, seconds and milliseconds, with hours if there are any.
fn time(seconds: f64) -> String {
    let all = (seconds * 1000.0).round() as u64;
    let (hours, minutes) = (all / 3_600_000, all / 60_000 % 60);
    let rest = format!("{minutes:02}:{:02}.{:03}", all / 1000 % 60, all % 1000);
    match hours {
        0 => rest,
        _ => format!("{hours:02}:{rest}"),
    }
}

/// Describes what was said, and what it cost.
fn report(
    speech: &Speech,
    found: &Transcript,
    spoken: Option<&[Range<usize>]>,
    costs: &Costs,
    ms: f64,
) -> Value {
    let seconds = |sample: usize| sample as f64 / RATE as f64;
    let spoken = spoken.map(|pieces| {
        let pieces = pieces.iter();
        let pieces =
            pieces.map(|piece| json!({"start": seconds(piece.start), "end": seconds(piece.end)}));
        pieces.collect::<Vec<_>>()
    });
    let segments = found.segments.iter().map(|segment| {
        json!({
            "start": segment.start, "end": segment.end, "text": segment.text, "tokens": segment.tokens,
        })
    });
    let windows = found.windows.iter().map(|window| {
        json!({
            "start": window.start, "tokens": window.tokens, "no_speech": window.no_speech,
            "log_probability": window.log_probability,
        })
    });
    json!({
        "model": speech.description.name,
        "language": found.language,
        "duration": found.duration,
        "text": found.text(),
        "spoken": spoken,
        "segments": segments.collect::<Vec<_>>(),
        "windows": windows.collect::<Vec<_>>(),
        "ms": ms,
        "costs": costs.each(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_hours_only_where_there_are_any() {
        assert_eq!(time(0.0), "00:00.000");
        assert_eq!(time(61.98), "01:01.980");
        assert_eq!(time(7322.5), "02:02:02.500");
    }
}
