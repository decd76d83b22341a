// SPDX-License-Identifier: MIT OR Apache-2.0

//! How to encode: options of `encode` and `transcode`.

use ax650::media::{self, Codec, Level, RateControl};
use clap::{Args, ValueEnum};

use super::bit_rate;
use crate::failure::Failure;

/// How to encode.
#[derive(Args, Debug, Clone, Default)]
pub struct Encoding {
    /// Codec (default: by the name of the output; h264 for .mp4)
    #[arg(long, value_enum)]
    pub codec: Option<VideoCodec>,
    /// Profile (default: high of H.264, main of H.265)
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub profile: Option<Profile>,
    /// Level, such as 4.1 (default: the lowest that suits size, pictures per second and bit rate)
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<Level>,
    /// Rate control (default: cbr with --bitrate, cqp with --qp, else vbr)
    #[arg(long, value_enum, value_name = "MODE")]
    pub rc: Option<RateMode>,
    /// Bit rate of cbr, cvbr or qvbr, bits per second, such as 2500k or 4M (default: by size and pictures per second)
    #[arg(short, long, value_name = "RATE", value_parser = bit_rate)]
    pub bitrate: Option<u32>,
    /// Bit rate that vbr, avbr or cvbr do not exceed (default: one and a half times the usual rate)
    #[arg(long, value_name = "RATE", value_parser = bit_rate)]
    pub max_bitrate: Option<u32>,
    /// Fixed quantisers of cqp, 0 (best) to 51: one for all pictures, or those of intra, predicted and two-way
    /// predicted ones as I,P or I,P,B; also for a JPEG picture
    #[arg(long, value_name = "QP", value_parser = quantisers)]
    pub qp: Option<Quantisers>,
    /// Pictures from one intra picture to the next (default: four seconds)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub gop: Option<u32>,
    /// Pictures predicted both ways between two others; only 0 is possible
    #[arg(long, value_name = "N", value_parser = no_b_pictures)]
    pub bframes: Option<u32>,
}

/// Video codecs.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264
    H264,
    /// H.265
    H265,
}

/// Profiles.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// H.264 for the oldest decoders
    Baseline,
    /// H.264 or H.265
    Main,
    /// H.264
    High,
    /// H.264 for decoders that can do 10 bits a sample; there are 8 all the same
    High10,
    /// H.265 for decoders that can do 10 bits a sample; there are 8 all the same
    Main10,
}

impl From<Profile> for media::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Baseline => Self::Baseline,
            Profile::Main => Self::Main,
            Profile::High => Self::High,
            Profile::High10 => Self::High10,
            Profile::Main10 => Self::Main10,
        }
    }
}

/// Rate controls.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateMode {
    /// Constant bit rate
    Cbr,
    /// Steady quality below a bit rate
    Vbr,
    /// As vbr, and still scenes cost less
    Avbr,
    /// Variable, with a bit rate that holds in the long run
    Cvbr,
    /// Quality as the scene needs it, around a bit rate
    Qvbr,
    /// Fixed quantisers
    #[value(alias = "fixqp")]
    Cqp,
}

/// Quantisers of intra, predicted and two-way predicted pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantisers([u32; 3]);

/// Quantisers of cqp without --qp.
const DEFAULT_QP: Quantisers = Quantisers([24, 26, 28]);

fn quantisers(text: &str) -> Result<Quantisers, String> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|text| text.parse().ok()).collect();
    numbers
        .filter(|numbers| numbers.iter().all(|qp| *qp <= 51))
        .and_then(|numbers| match numbers[..] {
            [all] => Some([all; 3]),
            [intra, predicted] => Some([intra, predicted, predicted]),
            [intra, predicted, both_ways] => Some([intra, predicted, both_ways]),
            _ => None,
        })
        .map(Quantisers)
        .ok_or_else(|| "give quantisers from 0 to 51, such as 24 or 22,25,27".into())
}

fn no_b_pictures(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Ok(0),
        Ok(1..=16) => {
            Err("the card is not known to encode pictures that are predicted both ways".into())
        }
        _ => Err("give a number of pictures".into()),
    }
}

impl Encoding {
    /// Returns the rate control asked for, if any was; the usual bit rate is `usual`, kbit/s.
    pub fn rate_control(&self, codec: Codec, usual: u32) -> Result<Option<RateControl>, Failure> {
        let mode = match (self.rc, self.qp, self.bitrate, self.max_bitrate) {
            (Some(mode), ..) => mode,
            (None, Some(_), ..) => RateMode::Cqp,
            (None, None, Some(_), Some(_)) => RateMode::Cvbr,
            (None, None, Some(_), None) => RateMode::Cbr,
            (None, None, None, Some(_)) => RateMode::Vbr,
            (None, None, None, None) => return Ok(None),
        };
        let name = |mode: RateMode| {
            let value = mode.to_possible_value();
            value.map_or(String::new(), |value| value.get_name().to_owned())
        };
        let without = |option: &str, there: bool| {
            if there {
                let mode = name(mode);
                Err(Failure::usage(format!("--rc {mode} has no {option}")))
            } else {
                Ok(())
            }
        };
        if mode != RateMode::Cqp {
            without("--qp", self.qp.is_some())?;
            if codec == Codec::Jpeg {
                return Err(Failure::usage(
                    "a JPEG picture has no bit rate; its size is set with --qp",
                ));
            }
        }
        let most = || self.max_bitrate.unwrap_or(usual.saturating_add(usual / 2));
        let bit_rate = self.bitrate.unwrap_or(usual);
        Ok(Some(match mode {
            RateMode::Cbr => {
                without("--max-bitrate", self.max_bitrate.is_some())?;
                RateControl::Constant { bit_rate }
            }
            RateMode::Qvbr => {
                without("--max-bitrate", self.max_bitrate.is_some())?;
                RateControl::Quality { bit_rate }
            }
            RateMode::Vbr | RateMode::Avbr => {
                without(
                    "--bitrate, only a --max-bitrate (of cvbr there are both)",
                    self.bitrate.is_some(),
                )?;
                let max_bit_rate = most();
                match mode {
                    RateMode::Vbr => RateControl::Variable { max_bit_rate },
                    _ => RateControl::Adaptive { max_bit_rate },
                }
            }
            RateMode::Cvbr => {
                let more = bit_rate.saturating_add(bit_rate / 2);
                RateControl::Constrained {
                    bit_rate,
                    max_bit_rate: self.max_bitrate.unwrap_or(more),
                }
            }
            RateMode::Cqp => {
                without("--bitrate", self.bitrate.is_some())?;
                without("--max-bitrate", self.max_bitrate.is_some())?;
                let Quantisers([intra, predicted, both_ways]) = self.qp.unwrap_or(DEFAULT_QP);
                RateControl::Fixed {
                    intra,
                    predicted,
                    both_ways,
                }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        encoding: Encoding,
    }

    fn rate(line: &str, codec: Codec) -> Result<Option<RateControl>, String> {
        let words = std::iter::once("encode").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.encoding
            .rate_control(codec, 1000)
            .map_err(|failure| failure.message)
    }

    /// F8: rate control by options.
    #[test]
    fn f8_rate_controls() {
        let fixed = |intra, predicted, both_ways| RateControl::Fixed {
            intra,
            predicted,
            both_ways,
        };
        for (line, wanted) in [
            ("", None),
            ("--profile main --level 4.1 --gop 50 --bframes 0", None),
            ("-b 2M", Some(RateControl::Constant { bit_rate: 2000 })),
            ("--rc cbr", Some(RateControl::Constant { bit_rate: 1000 })),
            (
                "--max-bitrate 2M",
                Some(RateControl::Variable { max_bit_rate: 2000 }),
            ),
            (
                "--rc vbr",
                Some(RateControl::Variable { max_bit_rate: 1500 }),
            ),
            (
                "--rc avbr --max-bitrate 3M",
                Some(RateControl::Adaptive { max_bit_rate: 3000 }),
            ),
            (
                "--rc qvbr -b 3M",
                Some(RateControl::Quality { bit_rate: 3000 }),
            ),
            (
                "-b 2M --max-bitrate 5M",
                Some(RateControl::Constrained {
                    bit_rate: 2000,
                    max_bit_rate: 5000,
                }),
            ),
            (
                "--rc cvbr -b 2M",
                Some(RateControl::Constrained {
                    bit_rate: 2000,
                    max_bit_rate: 3000,
                }),
            ),
            ("--qp 20", Some(fixed(20, 20, 20))),
            ("--qp 20,23", Some(fixed(20, 23, 23))),
            ("--rc cqp --qp 20,23,51", Some(fixed(20, 23, 51))),
            ("--rc fixqp", Some(fixed(24, 26, 28))),
        ] {
            assert_eq!(rate(line, Codec::H264), Ok(wanted), "{line}");
        }
        assert_eq!(rate("--qp 9", Codec::Jpeg), Ok(Some(fixed(9, 9, 9))));
    }

    #[test]
    fn f8_what_does_not_go_together() {
        for (line, codec, words) in [
            ("--rc cbr --qp 20", Codec::H264, "--rc cbr has no --qp"),
            ("--qp 20 -b 1M", Codec::H264, "--rc cqp has no --bitrate"),
            (
                "--rc cqp --max-bitrate 1M",
                Codec::H264,
                "--rc cqp has no --max-bitrate",
            ),
            (
                "--rc vbr -b 1M",
                Codec::H265,
                "--rc vbr has no --bitrate, only a --max-bitrate",
            ),
            (
                "--rc qvbr --max-bitrate 1M",
                Codec::H265,
                "--rc qvbr has no --max-bitrate",
            ),
            ("-b 1M", Codec::Jpeg, "a JPEG picture has no bit rate"),
            ("--qp 52", Codec::H264, "from 0 to 51"),
            ("--qp 1,2,3,4", Codec::H264, "from 0 to 51"),
            ("--qp ,", Codec::H264, "from 0 to 51"),
            (
                "--bframes 2",
                Codec::H264,
                "not known to encode pictures that are predicted both ways",
            ),
            ("--bframes x", Codec::H264, "a number of pictures"),
            ("--level 9", Codec::H264, "no level is called \"9\""),
        ] {
            let error = rate(line, codec).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
