// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sound out of WAV files: one channel, 16000 samples in a second.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use hound::{SampleFormat, WavReader};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Indexing, Resampler, SincInterpolationParameters, WindowFunction};

use super::RATE;
use crate::error::{Error, Result};

/// Rates that are turned into [`RATE`].
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// Longest sound, in seconds: all of it is in memory, as is its spectrogram.
const MAX_SECONDS: u64 = 2 * 3600;
/// Most channels.
const MAX_CHANNELS: u16 = 64;
/// Samples that are turned into another rate at a time.
const CHUNK: usize = 1024;
/// Length of the filter that does so, in samples of the lower rate.
const FILTER: usize = 256;

/// Reads a WAV file: the mean of its channels, with [`RATE`] samples in a second, from -1 to 1.
///
/// # Errors
///
/// [`Error::File`]; [`Error::Sound`]: no WAV file, or one that is damaged, empty or too long.
pub fn read_wav(path: &Path) -> Result<Vec<f32>> {
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    let metadata = file.metadata().map_err(|error| Error::file(path, error))?;
    if !metadata.is_file() {
        return Err(Error::sound(path, "not a file"));
    }
    read(BufReader::new(file)).map_err(|problem| match problem {
        Problem::Io(error) => Error::file(path, error),
        Problem::Sound(problem) => Error::sound(path, problem),
    })
}

/// Why a file is not read.
enum Problem {
    Io(std::io::Error),
    Sound(String),
}

impl From<&str> for Problem {
    fn from(problem: &str) -> Self {
        Self::Sound(problem.into())
    }
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Sound(problem)
    }
}

impl From<hound::Error> for Problem {
    fn from(error: hound::Error) -> Self {
        match error {
            // The reader says so itself, without a number of the system.
            hound::Error::IoError(error) if error.raw_os_error().is_none() => {
                "a WAV file that is cut short".into()
            }
            hound::Error::IoError(error) => Self::Io(error),
            hound::Error::FormatError(reason) => format!("no WAV file: {reason}").into(),
            hound::Error::Unsupported => {
                "a WAV file with samples of a kind that is not known".into()
            }
            other => other.to_string().into(),
        }
    }
}

fn read(mut file: impl Read) -> Result<Vec<f32>, Problem> {
    let mut first = [0; 4];
    let count = read_some(&mut file, &mut first).map_err(Problem::Io)?;
    match &first[..count] {
        [] => return Err("the file is empty".into()),
        b"RIFF" => {}
        _ => return Err("no WAV file: it does not begin with RIFF".into()),
    }
    let mut reader = WavReader::new(first.chain(file))?;
    let (spec, frames) = (reader.spec(), u64::from(reader.duration()));
    if !RATES.contains(&spec.sample_rate) || !(1..=MAX_CHANNELS).contains(&spec.channels) {
        let (rate, channels) = (spec.sample_rate, spec.channels);
        return Err(format!(
            "{rate} samples in a second and {channels} channels; at most {MAX_CHANNELS} channels and {} to {} samples are read",
            RATES.start(),
            RATES.end()
        )
        .into());
    }
    let seconds = frames / u64::from(spec.sample_rate);
    if seconds > MAX_SECONDS {
        return Err(format!("{seconds} seconds, at most {MAX_SECONDS} are read").into());
    }
    let full = (1_u64 << (spec.bits_per_sample.max(1) - 1)) as f32;
    let channels = usize::from(spec.channels);
    let sound = match spec.sample_format {
        SampleFormat::Float => mean(reader.samples::<f32>(), channels),
        SampleFormat::Int => mean(
            reader
                .samples::<i32>()
                .map(|sample| Ok(sample? as f32 / full)),
            channels,
        ),
    }?;
    resample(sound, spec.sample_rate as usize)
}

/// Reads until `bytes` are full, or the file ends.
fn read_some(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut some = Vec::new();
    file.take(bytes.len() as u64).read_to_end(&mut some)?;
    bytes[..some.len()].copy_from_slice(&some);
    Ok(some.len())
}

/// Makes one channel of those that come in turn.
fn mean(
    samples: impl Iterator<Item = hound::Result<f32>>,
    channels: usize,
) -> Result<Vec<f32>, Problem> {
    let mut sound = Vec::new();
    let (mut sum, mut count) = (0.0, 0);
    for sample in samples {
        let sample = sample?;
        if !sample.is_finite() {
            return Err(format!("sample {} is {sample}", sound.len()).into());
        }
        sum += sample;
        count += 1;
        if count == channels {
            sound.push(sum / channels as f32);
            (sum, count) = (0.0, 0);
        }
    }
    match sound.is_empty() {
        true => Err("a WAV file without sound".into()),
        false => Ok(sound),
    }
}

/// Turns sound of a rate into that of [`RATE`].
fn resample(sound: Vec<f32>, rate: usize) -> Result<Vec<f32>, Problem> {
    if rate == RATE {
        return Ok(sound);
    }
    let failed = |error: &dyn std::fmt::Display| format!("{rate} samples in a second: {error}");
    let ratio = RATE as f64 / rate as f64;
    let length = FILTER * rate.div_ceil(RATE);
    let filter = SincInterpolationParameters::new(length, WindowFunction::BlackmanHarris2);
    let mut resampler = Async::<f32>::new_sinc(ratio, 1.0, &filter, CHUNK, 1, FixedAsync::Input)
        .map_err(|error| failed(&error))?;
    // The resampler's own `process_all` takes another delay, and loses what is behind the first one.
    let delay = ((length / 2) as f64 * ratio - 1.0).round() as usize;
    let count = (sound.len() as f64 * ratio).ceil() as usize;
    let input = InterleavedSlice::new(&sound, 1, sound.len()).map_err(|error| failed(&error))?;
    let mut output = Vec::with_capacity(delay + count + resampler.output_frames_max());
    let mut done = 0;
    while output.len() < delay + count {
        // Silence follows the last of them.
        let some = (sound.len() - done).min(resampler.input_frames_next());
        let turn = Indexing {
            input_offset: done,
            partial_len: Some(some),
            ..Indexing::default()
        };
        let turned = resampler.process(&input, Some(&turn));
        output.extend(turned.map_err(|error| failed(&error))?.take_data());
        done += some;
    }
    output.truncate(delay + count);
    output.drain(..delay);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{WavSpec, WavWriter};
    use std::f64::consts::TAU;
    use std::io::Cursor;

    /// A WAV file of 16 bits.
    fn wav(channels: u16, sample_rate: u32, samples: &[i16]) -> Vec<u8> {
        let spec = WavSpec {
            channels,
            sample_rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for sample in samples {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Vec<f32>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sound.wav");
        std::fs::write(&path, bytes).unwrap();
        read_wav(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn channels_are_one_and_samples_from_minus_1_to_1() {
        let bytes = wav(2, 16_000, &[-32768, -32768, 16384, 0]);
        assert_eq!(read_bytes(&bytes).unwrap(), [-1.0, 0.25]);
    }

    /// A quarter of a second of a tone.
    fn tone(rate: u32, hertz: f64) -> Vec<f32> {
        let at = |sample: u32| (f64::from(sample) * TAU * hertz / f64::from(rate)).sin() * 16000.0;
        let samples: Vec<_> = (0..rate / 4).map(|sample| at(sample) as i16).collect();
        read_bytes(&wav(1, rate, &samples)).unwrap()
    }

    /// A tone is the same one at another rate: as long, as high, as loud.
    #[test]
    fn other_rates_sound_the_same() {
        let want = tone(16_000, 440.0);
        for rate in [4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 192_000] {
            let have = tone(rate, 440.0);
            assert_eq!(have.len(), want.len(), "{rate}");
            // Where the tone begins and ends nothing is as it was.
            let inner = 500..want.len() - 500;
            let pairs = have[inner.clone()].iter().zip(&want[inner]);
            let most = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // It may be late by a part of a sample; by a whole one this were 0.08.
            assert!(most < 0.05, "{rate}: {most}");
        }
    }

    /// What is too high for the lower rate does not come back as another tone, what is not too high stays.
    #[test]
    fn high_tones_do_not_fold() {
        for rate in [44_100, 96_000, 384_000] {
            for (hertz, is_heard) in [(7_000.0, true), (9_000.0, false), (12_000.0, false)] {
                let have = tone(rate, hertz);
                let inner = &have[500..have.len() - 500];
                let most = inner.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                // It was 0.49; of what is not to be heard -60 dB are left at most, with what 16 bits leave out.
                let is_right = if is_heard { most > 0.45 } else { most < 0.0005 };
                assert!(is_right, "{hertz} Hz in {rate}: {most}");
            }
        }
    }

    #[test]
    fn what_is_no_sound_is_said() {
        let whole = wav(1, 16_000, &[1; 100]);
        let with = |at: usize, bytes: &[u8]| {
            let mut file = whole.clone();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            file
        };
        for (bytes, says) in [
            (Vec::new(), "the file is empty"),
            (
                b"OggS and so on".to_vec(),
                "no WAV file: it does not begin with RIFF",
            ),
            (whole[..30].to_vec(), "cut short"),
            (whole[..100].to_vec(), "cut short"),
            (with(8, b"AVI "), "no WAV file: no WAVE tag found"),
            (with(22, &[0; 2]), "no WAV file: "),
            (
                wav(1, 2_000, &[1; 9]),
                "2000 samples in a second and 1 channels; at most 64 channels",
            ),
            (wav(1, 16_000, &[]), "a WAV file without sound"),
        ] {
            let said = read_bytes(&bytes).unwrap_err();
            assert!(
                said.contains("sound.wav: ") && said.contains(says),
                "{said}"
            );
        }
        let error = read_wav(Path::new("/")).unwrap_err().to_string();
        assert_eq!(error, "/: not a file");
        assert!(matches!(
            read_wav(Path::new("/nowhere.wav")),
            Err(Error::File { .. })
        ));
    }
}
