// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pieces of a sound in which somebody speaks, and times in them and in the whole.

use std::ops::Range;

use super::voice::WINDOW;
use super::RATE;

/// How far below the threshold a voice has to fall to have ended.
const MARGIN: f32 = 0.15;

/// Seconds at the edge of a piece in which nothing begins or ends that goes on in another: the margins of [`Rules::default`], and
/// how exact times are.
const SLACK: f64 = 0.5;

/// When somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// From this probability on a voice begins; it has ended 0.15 below.
    pub threshold: f32,
    /// A pause of less than so many milliseconds is none.
    pub pause_ms: usize,
    /// A voice of at most so many milliseconds is none.
    pub voice_ms: usize,
    /// Milliseconds before and behind a voice that belong to it.
    pub margin_ms: usize,
}

impl Default for Rules {
    /// Returns those for hearing what is said: pauses of less than 2 s stay in, and 0.4 s around each piece.
    fn default() -> Self {
        Self {
            threshold: 0.5,
            pause_ms: 2000,
            voice_ms: 0,
            margin_ms: 400,
        }
    }
}

/// Finds the pieces of a sound of `samples` in which somebody speaks, by the probabilities of each 512 of them: in order, and
/// none overlaps another.
pub fn pieces(probabilities: &[f32], samples: usize, rules: &Rules) -> Vec<Range<usize>> {
    let count = |ms: usize| ms * RATE / 1000;
    let (pause, voice, margin) = (
        count(rules.pause_ms),
        count(rules.voice_ms),
        count(rules.margin_ms),
    );
    let quiet = (rules.threshold - MARGIN).max(0.01);
    let mut found = Vec::new();
    let (mut begin, mut end) = (None, None);
    for (number, probability) in probabilities.iter().enumerate() {
        let at = number * WINDOW;
        if *probability >= rules.threshold {
            begin.get_or_insert(at);
            end = None;
        } else if let Some(start) = begin.filter(|_| *probability < quiet) {
            let since = *end.get_or_insert(at);
            if at - since >= pause {
                found.push(start..since);
                (begin, end) = (None, None);
            }
        }
    }
    found.extend(begin.map(|start| start..samples));
    found.retain(|piece| piece.len() > voice);
    widen(&mut found, samples, margin);
    found
}

/// Gives each piece its margins; what lies between two that are nearer than two of them is shared.
fn widen(pieces: &mut [Range<usize>], samples: usize, margin: usize) {
    let mut before = pieces.first().map_or(0, |first| first.start.min(margin));
    for number in 0..pieces.len() {
        let end = pieces[number].end;
        let next = pieces.get(number + 1).map(|next| next.start - end);
        let (behind, ahead) = match next {
            Some(gap) if gap < 2 * margin => (gap / 2, gap / 2),
            Some(_) => (margin, margin),
            None => (margin, 0),
        };
        let piece = &mut pieces[number];
        piece.start -= before;
        piece.end = (end + behind).min(samples);
        before = ahead;
    }
}

/// Pieces of a sound, one behind the other.
#[derive(Debug)]
pub(crate) struct Cut<'a>(&'a [Range<usize>]);

impl<'a> Cut<'a> {
    pub(crate) fn new(pieces: &'a [Range<usize>]) -> Self {
        Self(pieces)
    }

    /// Returns their samples.
    pub(crate) fn samples(&self, sound: &[f32]) -> Vec<f32> {
        let pieces = self.0.iter().filter_map(|piece| sound.get(piece.clone()));
        pieces.flatten().copied().collect()
    }

    /// Returns when something is in the whole sound that begins and ends at so many seconds of what is left of it.
    ///
    /// Pieces have margins without a voice: what begins in that behind one and goes on in the next begins there, and the other
    /// way round.
    pub(crate) fn restore(&self, begin: f64, end: f64) -> (f64, f64) {
        let Some(last) = self.0.len().checked_sub(1) else {
            return (begin, end);
        };
        let ends = self.0.iter().scan(0, |left, piece| {
            *left += piece.len();
            Some(seconds(*left))
        });
        let ends: Vec<f64> = ends.collect();
        let (mut first, mut other) = (
            ends.partition_point(|end| *end <= begin).min(last),
            ends.partition_point(|piece| *piece < end).min(last),
        );
        let start = |piece: usize| ends[piece] - seconds(self.0[piece].len());
        let (mut begin, mut end) = (begin.min(ends[last]), end.min(ends[last]));
        while first < other && ends[first] - begin <= SLACK {
            first += 1;
            begin = start(first);
        }
        while first < other && end - start(other) <= SLACK {
            other -= 1;
            end = ends[other];
        }
        let whole = |piece: usize, time: f64| seconds(self.0[piece].start) + (time - start(piece));
        (whole(first, begin), whole(other, end))
    }
}

fn seconds(samples: usize) -> f64 {
    samples as f64 / RATE as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities of windows: `.` is silence, `-` neither, `x` a voice.
    fn heard(text: &str) -> Vec<f32> {
        let probability = |sign| match sign {
            '.' => 0.1,
            '-' => 0.4,
            _ => 0.9,
        };
        text.chars().map(probability).collect()
    }

    fn found(text: &str, pause: usize, voice: usize, margin: usize) -> Vec<(usize, usize)> {
        // A window is 32 ms.
        let rules = Rules {
            threshold: 0.5,
            pause_ms: pause * 32,
            voice_ms: voice * 32,
            margin_ms: margin * 32,
        };
        let pieces = pieces(&heard(text), text.len() * WINDOW, &rules);
        let in_windows = |piece: Range<usize>| {
            assert_eq!((piece.start % WINDOW, piece.end % WINDOW), (0, 0));
            (piece.start / WINDOW, piece.end / WINDOW)
        };
        pieces.into_iter().map(in_windows).collect()
    }

    #[test]
    fn a_voice_ends_with_a_pause() {
        assert_eq!(found("..xx-x....", 2, 0, 0), [(2, 6)]);
        assert_eq!(found("..xx.x....", 2, 0, 0), [(2, 6)]);
        assert_eq!(found("..xx...xx", 2, 0, 0), [(2, 4), (7, 9)]);
        // Not silent enough.
        assert_eq!(found("..xx---xx...", 2, 0, 0), [(2, 9)]);
        // A pause that is not over at the end belongs to it.
        assert_eq!(found("..xx.", 2, 0, 0), [(2, 5)]);
        assert!(found(".......", 2, 0, 0).is_empty());
        assert!(found("", 2, 0, 0).is_empty());
        assert_eq!(found(".x...xxx...x", 2, 1, 0), [(5, 8)]);
    }

    #[test]
    fn margins_do_not_overlap_nor_leave_the_sound() {
        assert_eq!(found(".x....xx...", 2, 0, 3), [(0, 4), (4, 11)]);
        assert_eq!(found("...x.........xx...", 2, 0, 2), [(1, 6), (11, 17)]);
        assert_eq!(found("x", 2, 0, 3), [(0, 1)]);
    }

    #[test]
    fn times_are_those_of_the_whole_sound() {
        let second = RATE;
        let pieces = [second..2 * second, 5 * second..7 * second];
        let cut = Cut::new(&pieces);
        assert_eq!(cut.restore(0.25, 1.0), (1.25, 2.0));
        assert_eq!(cut.restore(1.0, 2.5), (5.0, 6.5));
        assert_eq!(cut.restore(0.25, 2.0), (1.25, 6.0));
        // What begins, or ends, in a margin.
        assert_eq!(cut.restore(0.75, 2.0), (5.0, 6.0));
        assert_eq!(cut.restore(0.25, 1.25), (1.25, 2.0));
        assert_eq!(cut.restore(98.0, 99.0), (7.0, 7.0));
        assert_eq!(Cut::new(&[]).restore(1.0, 2.0), (1.0, 2.0));
        let sound: Vec<f32> = (0..8 * second).map(|sample| sample as f32).collect();
        let left = cut.samples(&sound);
        assert_eq!(left.len(), 3 * second);
        assert_eq!(left[second], 5.0 * second as f32);
    }
}
