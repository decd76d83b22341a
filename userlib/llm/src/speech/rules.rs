// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which token comes next: always the likeliest of those that may, which are such that times make sense (Whisper's rules).

use super::description::Description;
use crate::error::{Error, Result};

/// Latest time that a window may begin with, in steps of 20 ms.
const LATEST_FIRST: usize = 50;

/// A token and the logarithm of its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Choice {
    pub(crate) token: u32,
    pub(crate) log_probability: f64,
}

/// Chooses the token behind those that were chosen in this window so far.
///
/// # Errors
///
/// [`Error::Answer`]: the logits are no numbers.
pub(crate) fn choose(
    description: &Description,
    logits: &mut [f32],
    so_far: &[u32],
) -> Result<Choice> {
    if let Some(at) = logits.iter().position(|logit| logit.is_nan()) {
        return Err(Error::Answer(format!(
            "the logit of token {at} is no number"
        )));
    }
    let (end, times) = (
        description.tokens.end as usize,
        description.tokens.timestamps as usize,
    );
    let mut hide = |tokens: std::ops::Range<usize>| logits[tokens].fill(f32::NEG_INFINITY);
    for token in &description.suppress {
        hide(*token as usize..*token as usize + 1);
    }
    let is_time = |token: &u32| *token as usize >= times;
    // What a vocabulary may have behind the last time means nothing.
    let all = times + description.audio_context + 1;
    hide(all..description.vocabulary);
    match so_far {
        [] => {
            for token in &description.suppress_first {
                hide(*token as usize..*token as usize + 1);
            }
            hide(0..times);
            hide((times + LATEST_FIRST + 1).min(all)..all);
        }
        // Times come in pairs, the end of a segment and the begin of the next, but for the first and the last.
        [last] if is_time(last) => hide(times..all),
        [.., before, last] if is_time(last) && is_time(before) => hide(times..all),
        [.., last] if is_time(last) => hide(0..end),
        _ => {}
    }
    if let Some(last) = so_far.iter().rev().find(|token| is_time(token)) {
        // They do not go back, and no segment is without length: what follows its end may begin there.
        let ends_segment = match so_far {
            [.., before, last] => is_time(last) && !is_time(before),
            _ => false,
        };
        let first = *last as usize + usize::from(!ends_segment);
        hide(times..first.min(all));
    }
    // A time is told if any is likelier than the likeliest text.
    if log_sum(&logits[times..]) > f64::from(highest(&logits[..times])) {
        logits[..times].fill(f32::NEG_INFINITY);
    }
    let best = highest(logits);
    if best == f32::NEG_INFINITY {
        return Err(Error::Answer("no token is left to be chosen".into()));
    }
    // Of equals the first.
    let token = logits
        .iter()
        .position(|logit| *logit == best)
        .unwrap_or(end);
    Ok(Choice {
        token: token as u32,
        log_probability: f64::from(best) - log_sum(logits),
    })
}

/// Returns the probability of a token among all.
pub(crate) fn probability(logits: &[f32], token: u32) -> f64 {
    (f64::from(logits[token as usize]) - log_sum(logits)).exp()
}

fn highest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Returns the logarithm of the sum of what the logits are logarithms of.
fn log_sum(logits: &[f32]) -> f64 {
    let most = f64::from(highest(logits));
    if most == f64::NEG_INFINITY {
        return most;
    }
    let shares = logits.iter().map(|logit| (f64::from(*logit) - most).exp());
    most + shares.sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::description::tests::{good, parse};

    /// Text is below 40, 40 the end, times are 49 to 59.
    fn described() -> Description {
        parse(good().to_string().as_bytes()).unwrap()
    }

    /// What is chosen when the likely ones have the given logits, all others 0.
    fn chosen(so_far: &[u32], likely: &[(usize, f32)]) -> u32 {
        let mut logits = vec![0.0; 61];
        for (token, logit) in likely {
            logits[*token] = *logit;
        }
        choose(&described(), &mut logits, so_far).unwrap().token
    }

    #[test]
    fn windows_begin_with_a_time() {
        assert_eq!(chosen(&[], &[(3, 20.0), (40, 20.0), (52, 5.0)]), 52);
        // That is the last of them; the vocabulary has one more token.
        assert_eq!(chosen(&[], &[(60, 20.0), (59, 5.0)]), 59);
    }

    #[test]
    fn times_come_in_pairs_and_do_not_go_back() {
        // Behind the first there is text.
        assert_eq!(chosen(&[50], &[(55, 20.0), (3, 10.0)]), 3);
        // A segment has a length.
        assert_eq!(chosen(&[50, 3], &[(50, 20.0), (51, 19.0)]), 51);
        // Behind its end the next one begins, there or later, or all ends.
        assert_eq!(
            chosen(&[50, 3, 53], &[(3, 30.0), (52, 20.0), (53, 10.0)]),
            53
        );
        assert_eq!(chosen(&[50, 3, 53], &[(3, 30.0), (40, 20.0)]), 40);
        // Then there is text again.
        assert_eq!(chosen(&[50, 3, 53, 53], &[(55, 20.0), (4, 10.0)]), 4);
        assert_eq!(chosen(&[50, 3, 53, 53, 4], &[(53, 20.0), (54, 19.0)]), 54);
    }

    #[test]
    fn times_count_together() {
        // 9 times of 8.0 are likelier than a text of 9.0, one is not.
        let some: Vec<_> = (51..60).map(|time| (time, 8.0)).collect();
        assert_eq!(chosen(&[50, 3], &[&some[..], &[(5, 9.0)]].concat()), 51);
        assert_eq!(chosen(&[50, 3], &[(51, 8.0), (5, 9.0)]), 5);
    }

    #[test]
    fn what_is_suppressed_is_not_chosen_and_nonsense_is_told() {
        assert_eq!(chosen(&[50, 3], &[(42, 30.0), (6, 29.0)]), 6);
        let mut logits = vec![0.0; 61];
        logits[7] = f32::NAN;
        let error = choose(&described(), &mut logits, &[]).unwrap_err();
        assert_eq!(error.to_string(), "the logit of token 7 is no number");
        let mut logits = vec![f32::NEG_INFINITY; 61];
        let error = choose(&described(), &mut logits, &[]).unwrap_err();
        assert_eq!(error.to_string(), "no token is left to be chosen");
    }

    #[test]
    fn probabilities_are_of_all_that_may_be() {
        let mut logits = vec![f32::NEG_INFINITY; 61];
        (logits[50], logits[51]) = (1.0, 1.0);
        let choice = choose(&described(), &mut logits, &[]).unwrap();
        assert_eq!(choice.token, 50);
        assert!((choice.log_probability - 0.5_f64.ln()).abs() < 1e-9);
        assert!((probability(&logits, 51) - 0.5).abs() < 1e-9);
    }
}
