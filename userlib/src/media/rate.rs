// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rate control: how many bits an encoder spends.

use std::fmt;

use super::venc_structs::{
    VencAvbr, VencCbr, VencCvbr, VencFixQp, VencMjpegFixQp, VencQvbr, VencVbr,
};
use super::Codec;
use crate::error::{Error, Result};

/// How an encoder chooses its quantisers.  Bit rates are kbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateControl {
    /// CBR: always this rate.
    Constant {
        /// The rate.
        bit_rate: u32,
    },
    /// VBR: steady quality, below a rate.
    Variable {
        /// The rate that is not exceeded.
        max_bit_rate: u32,
    },
    /// AVBR: as VBR, and still scenes cost less.
    Adaptive {
        /// The rate that is not exceeded.
        max_bit_rate: u32,
    },
    /// CVBR: variable, with a rate that holds in the long run.
    Constrained {
        /// The rate in the long run, of a minute.
        bit_rate: u32,
        /// The rate that is not exceeded in the short run.
        max_bit_rate: u32,
    },
    /// QVBR: quality as the scene needs it, around a rate.
    Quality {
        /// The rate aimed at.
        bit_rate: u32,
    },
    /// Fixed quantisers, 0 to 51, the lowest being the best; the only rate control of JPEG, which uses `intra` alone.
    Fixed {
        /// Of intra pictures.
        intra: u32,
        /// Of predicted pictures.
        predicted: u32,
        /// Of pictures predicted both ways.
        both_ways: u32,
    },
}

/// The largest quantiser.
const MAX_QP: u32 = 51;
/// Bounds of the quantiser where a rate is aimed at.  A lower one spends bits that nobody can see.
const QP_RANGE: (u32, u32) = (16, MAX_QP);
/// Quantiser of intra pictures, relative, and the range of that.
const INTRA_DELTA: (i32, u32) = (-2, 10);
/// Largest and smallest ratio of intra to predicted pictures.
const INTRA_RATIO: (u32, u32) = (40, 10);
/// Percent of the largest rate from which on quantisers grow.
const CHANGE_POSITION: u32 = 90;
/// Percent of the rate that still scenes keep, and their largest quantiser.
const STILL: (u32, u32) = (25, 36);
/// Lengths of the short run (seconds) and the long run (minutes) of CVBR.
const RUNS: (u32, u32) = (1, 1);
/// Smallest and largest step of the quantiser of CVBR.
const STEPS: (u32, u32) = (2, 4);

impl RateControl {
    /// Returns the rate that is not exceeded for long, if there is one.
    pub fn highest_bit_rate(&self) -> Option<u32> {
        match *self {
            Self::Constant { bit_rate } => Some(bit_rate),
            // That is an average; half as much more for a while is what such controls do.
            Self::Quality { bit_rate } => Some(bit_rate.saturating_add(bit_rate / 2)),
            Self::Variable { max_bit_rate }
            | Self::Adaptive { max_bit_rate }
            | Self::Constrained { max_bit_rate, .. } => Some(max_bit_rate),
            Self::Fixed { .. } => None,
        }
    }

    /// Returns the usual rate for pictures of that size, kbit/s.
    ///
    /// Neither twice the pixels nor twice the pictures need twice the bits: neighbours are more alike.
    pub fn usual_bit_rate(codec: Codec, width: u32, height: u32, frame_rate: f32) -> u32 {
        let pixels = f64::from(width) * f64::from(height) / (1920.0 * 1080.0);
        let pictures = f64::from(frame_rate) / 30.0;
        let full_hd = match codec {
            Codec::H265 => 4000.0,
            _ => 6000.0,
        };
        let rate = full_hd * pixels.powf(0.8) * pictures.powf(0.75);
        rate.clamp(100.0, 200_000.0) as u32
    }

    /// Checks the rate control's numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: numbers that cannot be, or the codec has no such rate control.
    pub(crate) fn check(&self, codec: Codec) -> Result<()> {
        let bad = |problem: &str| Err(Error::invalid(format!("rate control {self}: {problem}")));
        if codec == Codec::Jpeg && !matches!(self, Self::Fixed { .. }) {
            return bad("JPEG pictures have fixed quantisers only");
        }
        match *self {
            Self::Fixed {
                intra,
                predicted,
                both_ways,
            } if intra.max(predicted).max(both_ways) > MAX_QP => bad("quantisers are 0 to 51"),
            Self::Constrained {
                bit_rate,
                max_bit_rate,
            } if bit_rate == 0 || max_bit_rate < bit_rate => {
                bad("the highest rate must not be below that of the long run")
            }
            _ if self.highest_bit_rate() == Some(0) => bad("the rate must not be 0"),
            _ => Ok(()),
        }
    }

    /// Returns number and structure in the card's interface of a rate control that [`RateControl::check`] has passed.
    pub(crate) fn structure(&self, codec: Codec, gop: u32) -> (u32, Vec<u8>) {
        // Those of H.265 are in the same order, and have the same structures.
        let video = |number: u32| match codec {
            Codec::H265 => 10 + number,
            _ => number,
        };
        match *self {
            Self::Constant { bit_rate } => {
                let rate = VencCbr::new()
                    .with_gop(gop)
                    .with_bit_rate(bit_rate)
                    .with_max_qp(QP_RANGE.1)
                    .with_min_qp(QP_RANGE.0)
                    .with_max_intra_qp(QP_RANGE.1)
                    .with_min_intra_qp(QP_RANGE.0)
                    .with_max_intra_ratio(INTRA_RATIO.0)
                    .with_min_intra_ratio(INTRA_RATIO.1)
                    .with_intra_qp_delta(INTRA_DELTA.0)
                    .with_idr_qp_range(INTRA_DELTA.1);
                (video(1), rate.as_bytes().to_vec())
            }
            Self::Variable { max_bit_rate } => {
                let rate = VencVbr::new()
                    .with_gop(gop)
                    .with_seconds(1)
                    .with_max_bit_rate(max_bit_rate)
                    .with_max_qp(QP_RANGE.1)
                    .with_min_qp(QP_RANGE.0)
                    .with_max_intra_qp(QP_RANGE.1)
                    .with_min_intra_qp(QP_RANGE.0)
                    .with_intra_qp_delta(INTRA_DELTA.0)
                    .with_idr_qp_range(INTRA_DELTA.1)
                    .with_change_position(CHANGE_POSITION);
                (video(2), rate.as_bytes().to_vec())
            }
            Self::Adaptive { max_bit_rate } => {
                let rate = VencAvbr::new()
                    .with_gop(gop)
                    .with_seconds(1)
                    .with_max_bit_rate(max_bit_rate)
                    .with_max_qp(QP_RANGE.1)
                    .with_min_qp(QP_RANGE.0)
                    .with_max_intra_qp(QP_RANGE.1)
                    .with_min_intra_qp(QP_RANGE.0)
                    .with_intra_qp_delta(INTRA_DELTA.0)
                    .with_idr_qp_range(INTRA_DELTA.1)
                    .with_change_position(CHANGE_POSITION)
                    .with_min_still_percent(STILL.0)
                    .with_max_still_qp(STILL.1);
                (video(3), rate.as_bytes().to_vec())
            }
            Self::Quality { bit_rate } => {
                let rate = VencQvbr::new()
                    .with_gop(gop)
                    .with_seconds(1)
                    .with_target_bit_rate(bit_rate);
                (video(4), rate.as_bytes().to_vec())
            }
            Self::Constrained {
                bit_rate,
                max_bit_rate,
            } => {
                let rate = VencCvbr::new()
                    .with_gop(gop)
                    .with_seconds(1)
                    .with_max_qp(QP_RANGE.1)
                    .with_min_qp(QP_RANGE.0)
                    .with_max_intra_qp(QP_RANGE.1)
                    .with_min_intra_qp(QP_RANGE.0)
                    .with_min_qp_delta(STEPS.0)
                    .with_max_qp_delta(STEPS.1)
                    .with_max_intra_ratio(INTRA_RATIO.0)
                    .with_min_intra_ratio(INTRA_RATIO.1)
                    .with_max_bit_rate(max_bit_rate)
                    .with_short_time(RUNS.0)
                    .with_long_time(RUNS.1)
                    .with_long_max_bit_rate(bit_rate)
                    .with_long_min_bit_rate(bit_rate / 2)
                    .with_intra_qp_delta(INTRA_DELTA.0)
                    .with_idr_qp_range(INTRA_DELTA.1);
                (video(5), rate.as_bytes().to_vec())
            }
            Self::Fixed { intra, .. } if codec == Codec::Jpeg => {
                (10, VencMjpegFixQp::new().with_qp(intra).as_bytes().to_vec())
            }
            Self::Fixed {
                intra,
                predicted,
                both_ways,
            } => {
                let rate = VencFixQp::new()
                    .with_gop(gop)
                    .with_intra_qp(intra)
                    .with_predicted_qp(predicted)
                    .with_both_ways_qp(both_ways);
                (video(6), rate.as_bytes().to_vec())
            }
        }
    }
}

impl fmt::Display for RateControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { bit_rate } => write!(f, "CBR of {bit_rate} kbit/s"),
            Self::Variable { max_bit_rate } => write!(f, "VBR of up to {max_bit_rate} kbit/s"),
            Self::Adaptive { max_bit_rate } => write!(f, "AVBR of up to {max_bit_rate} kbit/s"),
            Self::Constrained {
                bit_rate,
                max_bit_rate,
            } => write!(f, "CVBR of {bit_rate}, up to {max_bit_rate} kbit/s"),
            Self::Quality { bit_rate } => write!(f, "QVBR around {bit_rate} kbit/s"),
            Self::Fixed {
                intra,
                predicted,
                both_ways,
            } => write!(f, "of quantisers {intra}, {predicted}, {both_ways}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: RateControl = RateControl::Fixed {
        intra: 22,
        predicted: 25,
        both_ways: 27,
    };

    fn words(bytes: &[u8]) -> Vec<u32> {
        let word = |word: &[u8]| u32::from_le_bytes(word.try_into().unwrap());
        bytes.chunks(4).map(word).collect()
    }

    #[test]
    fn numbers_of_the_notes() {
        let all = [
            (RateControl::Constant { bit_rate: 1 }, 1),
            (RateControl::Variable { max_bit_rate: 1 }, 2),
            (RateControl::Adaptive { max_bit_rate: 1 }, 3),
            (RateControl::Quality { bit_rate: 1 }, 4),
            (
                RateControl::Constrained {
                    bit_rate: 1,
                    max_bit_rate: 2,
                },
                5,
            ),
            (FIXED, 6),
        ];
        for (rate, number) in all {
            assert_eq!(rate.structure(Codec::H264, 9).0, number);
            assert_eq!(rate.structure(Codec::H265, 9).0, number + 10);
            let (_, bytes) = rate.structure(Codec::H265, 9);
            assert_eq!(words(&bytes)[0], 9, "{rate}");
        }
        let (number, bytes) = FIXED.structure(Codec::Jpeg, 9);
        assert_eq!((number, words(&bytes)), (10, vec![22]));
        let (_, bytes) = FIXED.structure(Codec::H264, 9);
        assert_eq!(words(&bytes), [9, 22, 25, 27]);
    }

    #[test]
    fn what_cannot_be() {
        let fixed = |qp| RateControl::Fixed {
            intra: 1,
            predicted: qp,
            both_ways: 1,
        };
        let constrained = |bit_rate, max_bit_rate| RateControl::Constrained {
            bit_rate,
            max_bit_rate,
        };
        for (rate, codec, good) in [
            (fixed(51), Codec::H264, true),
            (fixed(52), Codec::H264, false),
            (fixed(51), Codec::Jpeg, true),
            (RateControl::Constant { bit_rate: 1 }, Codec::Jpeg, false),
            (RateControl::Constant { bit_rate: 0 }, Codec::H264, false),
            (
                RateControl::Variable { max_bit_rate: 0 },
                Codec::H265,
                false,
            ),
            (constrained(2, 2), Codec::H264, true),
            (constrained(2, 1), Codec::H264, false),
            (constrained(0, 1), Codec::H264, false),
        ] {
            assert_eq!(rate.check(codec).is_ok(), good, "{rate} {codec}");
        }
    }

    #[test]
    fn highest_rates() {
        for (rate, highest) in [
            (RateControl::Constant { bit_rate: 10 }, Some(10)),
            (RateControl::Quality { bit_rate: 10 }, Some(15)),
            (
                RateControl::Constrained {
                    bit_rate: 10,
                    max_bit_rate: 12,
                },
                Some(12),
            ),
            (FIXED, None),
        ] {
            assert_eq!(rate.highest_bit_rate(), highest, "{rate}");
        }
    }

    #[test]
    fn usual_rates() {
        let rate = |codec, width, height, pictures| {
            RateControl::usual_bit_rate(codec, width, height, pictures)
        };
        assert_eq!(rate(Codec::H264, 1920, 1080, 30.0), 6000);
        assert_eq!(rate(Codec::H265, 1920, 1080, 30.0), 4000);
        assert_eq!(rate(Codec::H264, 3840, 2160, 30.0), 18_188);
        assert_eq!(rate(Codec::H264, 1280, 720, 30.0), 3136);
        assert_eq!(rate(Codec::H264, 1920, 1080, 60.0), 10_090);
        assert_eq!(rate(Codec::H264, 32, 32, 1.0), 100);
        assert_eq!(rate(Codec::H264, 16384, 16384, 1000.0), 200_000);
    }
}
