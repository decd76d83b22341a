// SPDX-License-Identifier: MIT OR Apache-2.0

//! Edit lists: which samples are decoded, which of them are shown, and when.

use super::movie::Edit;
use super::tables::Sample;

/// No file has more edits that are worth following.
const MAX_EDITS: usize = 1024;

/// All samples are looked at for each edit; no film needs more looks.
const MAX_LOOKS: usize = 1 << 27;

/// A sample to be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub sample: Sample,
    /// When it is shown, in ticks of the track from the beginning of the film.
    pub time: i64,
    /// Whether it is shown; others are needed to decode it only.
    pub shown: bool,
}

/// Puts the edits of a track into effect as ffmpeg does: each begins with the last key sample that is not behind its
/// beginning; samples outside it are decoded as far as they are needed, and not shown.  An edit that is shorter than any
/// sample it begins in cannot be meant, and goes on to the end.
pub fn apply(
    samples: &[Sample],
    edits: &[Edit],
    timescale: u32,
    movie_timescale: u32,
) -> Vec<Step> {
    let ticks = |duration: u64| {
        let (ticks, scale) = (
            i128::from(duration) * i128::from(timescale),
            movie_timescale,
        );
        let scale = i128::from(scale.max(1));
        i64::try_from((ticks + scale / 2) / scale).unwrap_or(i64::MAX)
    };
    let mut steps = Vec::new();
    let mut begin = 0_i64;
    let most = (1 + MAX_LOOKS / samples.len().max(1)).min(MAX_EDITS);
    let edits = &edits[..edits.len().min(most)];
    for edit in edits {
        let mut duration = ticks(edit.duration);
        if edit.from < 0 {
            begin = begin.saturating_add(duration);
            continue;
        }
        let inside = |sample: &&Sample| {
            let end = sample.time.saturating_add(sample.duration.into());
            sample.time <= edit.from && edit.from < end
        };
        let shortest = samples
            .iter()
            .find(inside)
            .map_or(1, |sample| sample.duration);
        if duration == 0 || (edits.len() == 1 && duration < i64::from(shortest) / 2) {
            duration = i64::MAX;
        }
        let end = edit.from.saturating_add(duration);
        let shown = |sample: &Sample| edit.from <= sample.time && sample.time < end;
        let (Some(first), Some(last)) = (
            samples.iter().position(shown),
            samples.iter().rposition(shown),
        ) else {
            begin = begin.saturating_add(duration);
            continue;
        };
        let key = samples[..=first]
            .iter()
            .rposition(|sample| sample.key && sample.time <= edit.from)
            .or_else(|| samples[..=first].iter().rposition(|sample| sample.key))
            .unwrap_or(0);
        // Repeating a film many times is no film.
        if steps.len() + (last - key) >= 4 * samples.len() + MAX_EDITS {
            break;
        }
        steps.extend(samples[key..=last].iter().map(|sample| Step {
            sample: *sample,
            time: begin.saturating_add(sample.time - edit.from),
            shown: shown(sample),
        }));
        begin = begin.saturating_add(duration);
    }
    steps
}

/// Shows everything, the first picture at 0: what is meant without edits.
pub fn plain(samples: &[Sample]) -> Vec<Step> {
    let first = samples.iter().map(|sample| sample.time).min().unwrap_or(0);
    let step = |sample: &Sample| Step {
        sample: *sample,
        time: sample.time.saturating_sub(first),
        shown: true,
    };
    samples.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 samples of 100 ticks, a key sample each 4.
    fn samples() -> Vec<Sample> {
        let sample = |number: i64| Sample {
            offset: 0,
            size: 1,
            time: number * 100,
            duration: 100,
            key: number % 4 == 0,
            entry: 0,
        };
        (0..10).map(sample).collect()
    }

    fn shown(edits: &[(u64, i64)]) -> Vec<(i64, i64)> {
        let edits: Vec<_> = edits
            .iter()
            .map(|(duration, from)| Edit {
                duration: *duration,
                from: *from,
            })
            .collect();
        apply(&samples(), &edits, 1000, 1000)
            .iter()
            .filter(|step| step.shown)
            .map(|step| (step.sample.time, step.time))
            .collect()
    }

    #[test]
    fn beginnings_and_ends_are_cut() {
        assert_eq!(shown(&[(250, 300)]), [(300, 0), (400, 100), (500, 200)]);
        // From the last key picture on everything is decoded.
        let edit = Edit {
            duration: 250,
            from: 300,
        };
        assert_eq!(apply(&samples(), &[edit], 1000, 1000).len(), 6);
        assert_eq!(shown(&[(0, 800)]), [(800, 0), (900, 100)]);
    }

    #[test]
    fn several_edits_follow_each_other() {
        assert_eq!(
            shown(&[(50, -1), (100, 800), (200, 0)]),
            [(800, 50), (0, 150), (100, 250)]
        );
    }

    #[test]
    fn impossible_edits() {
        assert_eq!(shown(&[(1, 0)]).len(), 10);
        assert!(shown(&[(100, 5000)]).is_empty());
        assert!(shown(&[(u64::MAX, i64::MAX)]).is_empty());
        // A film is not shown for ever.
        assert!(shown(&[(u64::MAX, 0); 2000]).len() <= 40 + MAX_EDITS);
        assert!(shown(&[(10, 0); 2000]).len() <= 40 + MAX_EDITS);
        let edit = Edit {
            duration: u64::MAX,
            from: i64::MAX,
        };
        assert!(apply(&[], &[edit], u32::MAX, 0).is_empty());
    }
}
