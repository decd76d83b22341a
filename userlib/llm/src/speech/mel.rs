// SPDX-License-Identifier: MIT OR Apache-2.0

//! The logarithm of a spectrum in mels, as Whisper hears: bands that are the wider the higher they are, every 10 ms.

use std::f64::consts::TAU;

use realfft::{RealFftPlanner, RealToComplex};

use super::{HOP, RATE};

/// Samples of a frame.
const FFT: usize = 400;
/// Least power that counts.
const FLOOR: f64 = 1e-10;
/// How far below the loudest anything counts, in powers of ten.
const RANGE: f64 = 8.0;
/// Where the scale's logarithmic part begins, in hertz and in mels, and its mels for a factor of 6.4 (Slaney's scale).
const LINEAR_HERTZ: f64 = 1000.0;
const LINEAR_MELS: f64 = 15.0;
const STEP_MELS: f64 = 27.0;
const STEP: f64 = 6.4;

/// A band: the first bin that it has something of, and how much of each from there on.
#[derive(Debug)]
struct Band {
    first: usize,
    weights: Vec<f64>,
}

/// The spectrum of a sound: a row of bands for each frame.
#[derive(Debug)]
pub(crate) struct Spectrum {
    bands: usize,
    rows: Vec<f32>,
}

impl Spectrum {
    /// Computes the spectrum of `sound`.
    pub(crate) fn new(sound: &[f32], bands: usize) -> Self {
        let frames = sound.len() / HOP;
        let filters = filters(bands);
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(FFT);
        let mut rows = Vec::with_capacity(frames * bands);
        let mut loudest = f64::NEG_INFINITY;
        let mut work = Work::new(&*fft);
        for frame in 0..frames {
            let power = work.power(&*fft, sound, frame);
            for band in &filters {
                let bins = power[band.first..].iter().zip(&band.weights);
                let sum: f64 = bins.map(|(power, weight)| power * weight).sum();
                let log = sum.max(FLOOR).log10();
                loudest = loudest.max(log);
                rows.push(log as f32);
            }
        }
        let least = (loudest - RANGE) as f32;
        for value in &mut rows {
            *value = (value.max(least) + 4.0) / 4.0;
        }
        Self { bands, rows }
    }

    /// Writes the bands of `frames` frames from `first` on, band by band, as the encoder takes them.  What is behind the sound
    /// is 0, whatever silence is, as in Whisper's own program.
    pub(crate) fn write(&self, first: usize, frames: usize, bytes: &mut [u8]) {
        let rows = &self.rows[first * self.bands..];
        for (at, value) in bytes.chunks_exact_mut(4).enumerate() {
            let (band, frame) = (at / frames, at % frames);
            let level = rows.get(frame * self.bands + band).copied().unwrap_or(0.0);
            value.copy_from_slice(&level.to_le_bytes());
        }
    }
}

/// What frames are computed in.
struct Work {
    window: Vec<f64>,
    input: Vec<f64>,
    output: Vec<realfft::num_complex::Complex<f64>>,
    power: Vec<f64>,
}

impl Work {
    fn new(fft: &dyn RealToComplex<f64>) -> Self {
        let window = |at: usize| 0.5 - 0.5 * (TAU * at as f64 / FFT as f64).cos();
        Self {
            window: (0..FFT).map(window).collect(),
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            power: vec![0.0; FFT / 2 + 1],
        }
    }

    /// Returns the power of each bin in a frame, whose middle is its first sample; ahead of the sound it is mirrored.
    fn power(&mut self, fft: &dyn RealToComplex<f64>, sound: &[f32], frame: usize) -> &[f64] {
        for (at, value) in self.input.iter_mut().enumerate() {
            let place = (frame * HOP + at).abs_diff(FFT / 2);
            let sample = sound.get(place).copied().unwrap_or(0.0);
            *value = f64::from(sample) * self.window[at];
        }
        // It fails on vectors of other lengths than its own only.
        let done = fft.process(&mut self.input, &mut self.output);
        debug_assert!(done.is_ok());
        for (power, bin) in self.power.iter_mut().zip(&self.output) {
            *power = bin.norm_sqr();
        }
        &self.power
    }
}

/// Makes the bands: triangles from the middle of the one before to that of the next, each of the same area.
fn filters(bands: usize) -> Vec<Band> {
    let highest = LINEAR_MELS + STEP_MELS * (RATE as f64 / 2.0 / LINEAR_HERTZ).ln() / STEP.ln();
    let corner = |number: usize| hertz(highest * number as f64 / (bands + 1) as f64);
    let bin = |number: usize| number as f64 * RATE as f64 / FFT as f64;
    let band = |number: usize| {
        let [low, middle, high] = [0, 1, 2].map(|next| corner(number + next));
        let weight = |at: usize| {
            let hertz = bin(at);
            let slope = ((hertz - low) / (middle - low)).min((high - hertz) / (high - middle));
            slope.max(0.0) * 2.0 / (high - low)
        };
        let first = (0..=FFT / 2).find(|at| weight(*at) > 0.0).unwrap_or(0);
        let weights = (first..=FFT / 2).map(weight);
        Band {
            first,
            weights: weights.take_while(|weight| *weight > 0.0).collect(),
        }
    };
    (0..bands).map(band).collect()
}

/// Turns mels into hertz.
fn hertz(mels: f64) -> f64 {
    match mels < LINEAR_MELS {
        true => mels * LINEAR_HERTZ / LINEAR_MELS,
        false => LINEAR_HERTZ * STEP.powf((mels - LINEAR_MELS) / STEP_MELS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::read_wav;
    use std::path::Path;

    /// The spectrum is what faster-whisper makes of the same file (tests/llm/README.md): every 50th frame.
    #[test]
    fn the_spectrum_is_that_of_faster_whisper() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/llm");
        let mut sound = read_wav(&data.join("speech/tones.wav")).unwrap();
        sound.extend([0.0; 32_000]);
        let want = std::fs::read(data.join("log-mel.f32")).unwrap();
        let want: Vec<f32> = want
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let spectrum = Spectrum::new(&sound, 80);
        let rows = spectrum.rows.chunks_exact(80).step_by(50);
        let have: Vec<f32> = rows.flatten().copied().collect();
        assert_eq!(have.len(), want.len());
        let pairs = have.iter().zip(&want);
        let most = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 2e-4, "{most}");
        // It is no straight line.
        let (low, high) = (
            want.iter().copied().fold(9.0, f32::min),
            want.iter().copied().fold(-9.0, f32::max),
        );
        assert!(high - low > 1.9, "{low} {high}");
    }

    #[test]
    fn windows_are_written_band_by_band() {
        let spectrum = Spectrum {
            bands: 2,
            rows: vec![0.0, 10.0, 1.0, 11.0, 2.0, 12.0],
        };
        let mut bytes = [0; 24];
        spectrum.write(1, 3, &mut bytes);
        let values: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        assert_eq!(values, [1.0, 2.0, 0.0, 11.0, 12.0, 0.0]);
    }
}
