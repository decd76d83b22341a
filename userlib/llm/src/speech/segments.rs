// SPDX-License-Identifier: MIT OR Apache-2.0

//! From the tokens of a window to segments, and to where the next window begins.

use super::FRAMES_A_STEP;

/// A part of a window's tokens, with its begin and end in frames of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) begin: usize,
    pub(crate) end: usize,
    pub(crate) tokens: Vec<u32>,
}

/// Splits the tokens of a window of `frames` at its times, the first of which has the number `times`; returns the segments and
/// by how many frames to go on.  What is behind the last pair of times is left to the next window, unless it is whole.
pub(crate) fn split(tokens: &[u32], times: u32, frames: usize) -> (Vec<Piece>, usize) {
    let is_time = |token: &u32| *token >= times;
    let frame = |token: u32| token.saturating_sub(times) as usize * FRAMES_A_STEP;
    let pairs = tokens.windows(2).enumerate();
    let mut ends: Vec<usize> = pairs
        .filter(|(_, pair)| pair.iter().all(is_time))
        .map(|(at, _)| at + 1)
        .collect();
    let is_whole = matches!(tokens, [.., text, last] if is_time(last) && !is_time(text));
    if ends.is_empty() {
        let last = tokens.iter().rev().find(|token| is_time(token));
        let end = last.map_or(0, |last| frame(*last));
        let piece = Piece {
            begin: 0,
            end: if end > 0 { end } else { frames },
            tokens: tokens.to_vec(),
        };
        return (vec![piece], frames);
    }
    if is_whole {
        ends.push(tokens.len());
    }
    let mut begin = 0;
    let mut pieces = Vec::with_capacity(ends.len());
    for end in ends {
        let part = &tokens[begin..end];
        pieces.push(Piece {
            begin: part.first().map_or(0, |token| frame(*token)),
            end: part.last().map_or(0, |token| frame(*token)),
            tokens: part.to_vec(),
        });
        begin = end;
    }
    let last = pieces.last().map_or(frames, |piece| piece.end);
    (pieces, if is_whole { frames } else { last })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: u32 = 100;

    fn parts(tokens: &[u32]) -> (Vec<(usize, usize, usize)>, usize) {
        let (pieces, forward) = split(tokens, TIMES, 3000);
        let parts = pieces
            .iter()
            .map(|piece| (piece.begin, piece.end, piece.tokens.len()));
        (parts.collect(), forward)
    }

    #[test]
    fn pairs_of_times_split_and_the_rest_waits() {
        // As Whisper ends a window whose last words go on.
        let tokens = [100, 1, 2, 150, 150, 3, 200, 210, 4, 5];
        assert_eq!(parts(&tokens), (vec![(0, 100, 4), (100, 200, 3)], 200));
        // All is told.
        let tokens = [100, 1, 150, 160, 3, 200];
        assert_eq!(parts(&tokens), (vec![(0, 100, 3), (120, 200, 3)], 3000));
    }

    #[test]
    fn without_pairs_a_window_is_one_segment() {
        assert_eq!(parts(&[100, 1, 2, 150]), (vec![(0, 100, 4)], 3000));
        assert_eq!(parts(&[100, 1, 2]), (vec![(0, 3000, 3)], 3000));
        assert_eq!(parts(&[]), (vec![(0, 3000, 0)], 3000));
    }
}
