// SPDX-License-Identifier: MIT OR Apache-2.0

//! Choosing the next token.

use std::cmp::Ordering;

use crate::error::{Error, Result};

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// What the logits are divided by; 0: always the likeliest token.
    pub temperature: f32,
    /// The likeliest tokens, of which the probabilities add up to this at least, can be chosen; 1: all.
    pub top_p: f32,
    /// As many of the likeliest tokens can be chosen; 0: all.
    pub top_k: usize,
    /// Where the numbers of chance begin: the same seed gives the same tokens.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Refuses values that make no sense.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], which names the value.
    pub fn check(&self) -> Result<()> {
        let Self {
            temperature, top_p, ..
        } = *self;
        if !(0.0..=100.0).contains(&temperature) {
            return Err(Error::Invalid(format!(
                "temperature {temperature}: it must be from 0 to 100"
            )));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::Invalid(format!(
                "top_p {top_p}: it must be more than 0, and at most 1"
            )));
        }
        Ok(())
    }
}

/// Chooses tokens, one after the other.
#[derive(Debug, Clone)]
pub struct Sampler {
    sampling: Sampling,
    state: u64,
}

impl Sampler {
    /// Begins with the seed of `sampling`.
    ///
    /// # Errors
    ///
    /// Those of [`Sampling::check`].
    pub fn new(sampling: Sampling) -> Result<Self> {
        sampling.check()?;
        Ok(Self {
            sampling,
            state: sampling.seed,
        })
    }

    /// Chooses a token by what the head says of each.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`]: no token has a number above minus infinity.
    pub fn choose(&mut self, logits: &[f32]) -> Result<u32> {
        let sane = |logit: &f32| {
            if logit.is_nan() {
                f32::NEG_INFINITY
            } else {
                *logit
            }
        };
        let likeliest = logits
            .iter()
            .map(sane)
            .enumerate()
            // Of two the first.
            .max_by(compare)
            .filter(|(_, logit)| *logit > f32::NEG_INFINITY);
        let Some((best, top)) = likeliest else {
            return Err(Error::Answer("the model says nothing of any token".into()));
        };
        if self.sampling.temperature == 0.0 || top == f32::INFINITY {
            return Ok(best as u32);
        }
        let chance = self.chance();
        let mut tokens: Vec<_> = logits.iter().map(sane).enumerate().collect();
        let count = match self.sampling.top_k {
            0 => tokens.len(),
            count => count.min(tokens.len()),
        };
        if count < tokens.len() {
            tokens.select_nth_unstable_by(count - 1, |a, b| compare(b, a));
            tokens.truncate(count);
        }
        tokens.sort_unstable_by(|a, b| compare(b, a));
        let temperature = f64::from(self.sampling.temperature);
        let weight = |logit: f32| (f64::from(logit - top) / temperature).exp();
        let weights: Vec<_> = tokens.iter().map(|(_, logit)| weight(*logit)).collect();
        let all: f64 = weights.iter().sum();
        // As many as are needed for the part that is wanted.
        let (mut kept, mut sum) = (0, 0.0);
        for weight in &weights {
            kept += 1;
            sum += weight;
            if sum >= all * f64::from(self.sampling.top_p) {
                break;
            }
        }
        let mut left = chance * sum;
        for ((token, _), weight) in tokens.iter().zip(&weights).take(kept) {
            left -= weight;
            if left < 0.0 {
                return Ok(*token as u32);
            }
        }
        // What rounding has left.
        Ok(tokens[kept - 1].0 as u32)
    }

    /// Returns a number from 0 to 1, the latter excluded: SplitMix64, which is the same everywhere.
    fn chance(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Orders by the logit; of two that are equal the one with the smaller number is the greater.
fn compare(a: &(usize, f32), b: &(usize, f32)) -> Ordering {
    a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f32, top_p: f32, top_k: usize, seed: u64) -> Sampling {
        Sampling {
            temperature,
            top_p,
            top_k,
            seed,
        }
    }

    /// How often each token comes.
    fn shares(logits: &[f32], sampling: Sampling) -> Vec<f64> {
        let mut sampler = Sampler::new(sampling).unwrap();
        let mut counts = vec![0_u32; logits.len()];
        for _ in 0..20_000 {
            counts[sampler.choose(logits).unwrap() as usize] += 1;
        }
        counts
            .iter()
            .map(|count| f64::from(*count) / 20_000.0)
            .collect()
    }

    /// The probabilities by the textbook: softmax of all, those that are cut away have none, the rest is scaled.
    fn reference(logits: &[f32], sampling: Sampling) -> Vec<f64> {
        let exp: Vec<_> = logits
            .iter()
            .map(|logit| f64::from(*logit / sampling.temperature).exp())
            .collect();
        let mut order: Vec<_> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].partial_cmp(&logits[*a]).unwrap());
        order.truncate(if sampling.top_k == 0 {
            logits.len()
        } else {
            sampling.top_k
        });
        let all: f64 = order.iter().map(|token| exp[*token]).sum();
        let (mut kept, mut sum) = (vec![0.0; logits.len()], 0.0);
        for token in order {
            if sum / all >= f64::from(sampling.top_p) {
                break;
            }
            sum += exp[token];
            kept[token] = exp[token];
        }
        kept.iter().map(|share| share / sum).collect()
    }

    #[test]
    fn shares_are_those_of_the_textbook() {
        let logits = [1.0, -2.0, 3.0, 2.5, 0.0, 2.9];
        for (temperature, top_p, top_k) in [
            (1.0, 1.0, 0),
            (0.7, 1.0, 0),
            (2.0, 0.9, 0),
            (1.0, 0.5, 0),
            (1.0, 1.0, 3),
            (1.5, 0.8, 4),
            (1.0, 0.01, 0),
        ] {
            let wanted = sampling(temperature, top_p, top_k, 7);
            let (have, want) = (shares(&logits, wanted), reference(&logits, wanted));
            for (have, want) in have.iter().zip(&want) {
                assert!((have - want).abs() < 0.015, "{wanted:?}: {have} {want}");
                assert!(
                    *want > 0.0 || *have == 0.0,
                    "{wanted:?}: what is cut away comes"
                );
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_tokens_again() {
        let logits: Vec<f32> = (0..50).map(|at| (at % 7) as f32).collect();
        let tokens = |seed| -> Vec<u32> {
            let mut sampler = Sampler::new(sampling(1.0, 0.95, 20, seed)).unwrap();
            (0..30).map(|_| sampler.choose(&logits).unwrap()).collect()
        };
        assert_eq!(tokens(1), tokens(1));
        assert_ne!(tokens(1), tokens(2));
        // The first numbers of SplitMix64 with the seed 1234567, as its author gives them.
        let mut sampler = Sampler::new(sampling(1.0, 1.0, 0, 1_234_567)).unwrap();
        for number in [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973] {
            let wanted = (number >> 11) as f64 / (1_u64 << 53) as f64;
            assert_eq!(sampler.chance(), wanted);
        }
    }

    #[test]
    fn the_likeliest_is_the_first_of_equals() {
        let mut greedy = Sampler::new(Sampling::default()).unwrap();
        assert_eq!(greedy.choose(&[0.0, 2.0, 2.0, 1.0]).unwrap(), 1);
        assert_eq!(
            greedy.choose(&[f32::NAN, -3.0, f32::NEG_INFINITY]).unwrap(),
            1
        );
        let mut warm = Sampler::new(sampling(1.0, 1.0, 0, 0)).unwrap();
        assert_eq!(warm.choose(&[f32::NAN, 1.0, f32::NAN]).unwrap(), 1);
        assert_eq!(warm.choose(&[0.0, f32::INFINITY]).unwrap(), 1);
        for nothing in [&[][..], &[f32::NAN; 3], &[f32::NEG_INFINITY; 2]] {
            let error = greedy.choose(nothing).unwrap_err().to_string();
            assert_eq!(error, "the model says nothing of any token");
        }
    }

    #[test]
    fn values_without_sense_are_named() {
        for (bad, says) in [
            (sampling(-1.0, 1.0, 0, 0), "temperature -1:"),
            (sampling(f32::NAN, 1.0, 0, 0), "temperature NaN:"),
            (sampling(1.0, 0.0, 0, 0), "top_p 0:"),
            (sampling(1.0, 1.5, 0, 0), "top_p 1.5:"),
        ] {
            let error = Sampler::new(bad).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
