// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an encoder is made for, and the structure that tells the card so.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::level::Load;
use super::venc_structs::VencChannel;
use super::{Codec, Level, Profile, RateControl};
use crate::error::{Error, Result};

/// Columns and rows of pictures that the card is known to encode.
///
/// The card has the last word: it is asked for others too.
pub const ENCODER_SIDES: RangeInclusive<u32> = 32..=8192;
/// Pictures that may be in the encoder at a time.
pub(super) const DEPTH: usize = 4;
/// Longest distance of intra pictures, seconds, unless told otherwise.
const GOP_SECONDS: f32 = 4.0;

/// What an encoder is made for.
///
/// ```
/// use ax650::media::{Codec, EncoderConfig, Profile, RateControl};
///
/// let config = EncoderConfig::new(Codec::H264, 1280, 720)
///     .frame_rate(25.0)
///     .profile(Profile::Main)
///     .rate(RateControl::Constant { bit_rate: 3000 });
/// assert_eq!(config.gop, 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct EncoderConfig {
    /// Codec.
    pub codec: Codec,
    /// Columns, even.
    pub width: u32,
    /// Rows, even.
    pub height: u32,
    /// Pictures per second.
    pub frame_rate: f32,
    /// Pictures from one intra picture to the next; JPEG does not use it.
    pub gop: u32,
    /// Rate control; `None`: steady quality below a rate that suits size and pictures per second.
    pub rate: Option<RateControl>,
    /// Profile; `None`: the one with the smallest streams.  JPEG has none.
    pub profile: Option<Profile>,
    /// Level; `None`: the lowest that suits size, pictures per second and bit rate.  JPEG has none.
    pub level: Option<Level>,
    /// [`super::Encoder::send`] gives up when the encoder takes nothing for so long.
    pub patience: Duration,
}

impl EncoderConfig {
    /// Makes a configuration with defaults for everything else: 30 pictures per second, and an intra picture every 4
    /// seconds.
    pub fn new(codec: Codec, width: u32, height: u32) -> Self {
        Self {
            codec,
            width,
            height,
            frame_rate: 0.0,
            gop: 0,
            rate: None,
            profile: None,
            level: None,
            patience: Duration::from_secs(20),
        }
        .frame_rate(30.0)
    }

    /// Sets the pictures per second, and an intra picture every 4 seconds.
    pub fn frame_rate(mut self, frame_rate: f32) -> Self {
        self.frame_rate = frame_rate;
        self.gop = (frame_rate * GOP_SECONDS).ceil().max(1.0) as u32;
        self
    }

    /// Sets the pictures from one intra picture to the next.
    pub fn gop(mut self, gop: u32) -> Self {
        self.gop = gop;
        self
    }

    /// Sets the rate control.
    pub fn rate(mut self, rate: RateControl) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Sets the profile.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Sets the level.
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Sets the time after which [`super::Encoder::send`] gives up.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns the rate control in use; `None` for JPEG pictures whose quantiser the card chooses.
    pub fn rate_in_use(&self) -> Option<RateControl> {
        if self.codec == Codec::Jpeg {
            return self.rate;
        }
        let max_bit_rate = self.usual_bit_rate() * 3 / 2;
        let usual = RateControl::Variable { max_bit_rate };
        Some(self.rate.unwrap_or(usual))
    }

    /// Returns the level in use; `None` for JPEG.
    pub fn level_in_use(&self) -> Option<Level> {
        if self.codec == Codec::Jpeg {
            return None;
        }
        let lowest = || Level::lowest(&self.load()).unwrap_or(Level::highest(self.codec));
        Some(self.level.unwrap_or_else(lowest))
    }

    fn usual_bit_rate(&self) -> u32 {
        RateControl::usual_bit_rate(self.codec, self.width, self.height, self.frame_rate)
    }

    fn profile_in_use(&self) -> Profile {
        self.profile.unwrap_or(Profile::best(self.codec))
    }

    fn load(&self) -> Load {
        Load {
            codec: self.codec,
            profile: self.profile_in_use(),
            width: self.width,
            height: self.height,
            frame_rate: self.frame_rate,
            bit_rate: self.rate_in_use().and_then(|rate| rate.highest_bit_rate()),
        }
    }

    /// Checks the configuration's numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: numbers that cannot be, or that do not go together.
    pub(super) fn check(&self) -> Result<()> {
        let &Self {
            codec,
            width,
            height,
            frame_rate,
            gop,
            ..
        } = self;
        if width % 2 != 0 || height % 2 != 0 {
            return Err(self.bad_size());
        }
        if !(frame_rate > 0.0 && frame_rate <= 1000.0) || gop == 0 {
            return Err(Error::invalid(format!(
                "cannot encode {frame_rate} pictures per second, one in {gop} intra"
            )));
        }
        if let Some(rate) = self.rate {
            rate.check(codec)?;
        }
        if codec == Codec::Jpeg && (self.profile.is_some() || self.level.is_some()) {
            return Err(Error::invalid("JPEG has neither profiles nor levels"));
        }
        if let Some(level) = self.level {
            let load = self.load();
            let problem = match level.suffices(&load) {
                Some(true) => return Ok(()),
                None => "there is no such level".into(),
                Some(false) => match Level::lowest(&load) {
                    Some(least) => format!("the lowest that suffices is {least}"),
                    None => "no level suffices".into(),
                },
            };
            return Err(Error::invalid(format!("{self}: {problem}")));
        }
        Ok(())
    }

    /// Returns what the card is asked for, one after the other until it agrees.
    ///
    /// Of the card's encoder only one set of attributes was ever seen at work; so what the caller has left open is
    /// tried like that if the card refuses what is better.
    pub(super) fn attributes(&self) -> Result<Vec<VencChannel>> {
        let mut all = vec![self.attribute()?];
        if self.codec != Codec::Jpeg {
            let bit_rate = self.usual_bit_rate();
            let plain = Self {
                profile: self.profile.or(Some(Profile::Main)),
                level: self.level.or(Some(Level::from_tenths(51))),
                rate: self.rate.or(Some(RateControl::Constant { bit_rate })),
                ..*self
            };
            all.push(plain.attribute()?);
            all.dedup();
        }
        Ok(all)
    }

    fn attribute(&self) -> Result<VencChannel> {
        let channel = VencChannel::new()
            .with_codec(self.codec.number())
            .with_max_width(self.width)
            .with_max_height(self.height)
            .with_width(self.width)
            .with_height(self.height)
            .with_link_mode(1)
            .with_input_fifo(DEPTH as u8)
            .with_output_fifo(DEPTH as u8)
            .with_first_qp(-1)
            .with_source_rate(self.frame_rate)
            .with_target_rate(self.frame_rate);
        let channel = match self.level_in_use() {
            Some(level) => channel
                .with_profile(self.profile_in_use().number(self.codec)?)
                .with_level(level.number(self.codec)),
            None => channel,
        };
        Ok(match self.rate_in_use() {
            Some(rate) => {
                let (number, structure) = rate.structure(self.codec, self.gop);
                channel.with_rate_control(number).with_rate(&structure)
            }
            // A fixed quantiser of the card's choice.
            None => channel.with_rate_control(10),
        })
    }

    /// Puts the card's refusal in words.
    pub(super) fn refused(&self, error: Error) -> Error {
        let Error::Card { what, code } = error else {
            return error;
        };
        let sides = ENCODER_SIDES;
        if is_illegal(code) && !(sides.contains(&self.width) && sides.contains(&self.height)) {
            return self.bad_size();
        }
        let what = format!("{what} ({self})");
        Error::Card { what, code }
    }

    fn bad_size(&self) -> Error {
        let (width, height) = (self.width, self.height);
        let (least, most) = (ENCODER_SIDES.start(), ENCODER_SIDES.end());
        Error::invalid(format!(
            "pictures of {width}x{height} cannot be encoded: even sizes from {least}x{least} to {most}x{most} can"
        ))
    }
}

/// Tells whether the encoder refuses a parameter that cannot be, or that it does not support.
pub(super) fn is_illegal(code: crate::CardCode) -> bool {
    matches!(code.0 & 0xFFFF_00FF, 0x8007_000A | 0x8007_0014)
}

impl std::fmt::Display for EncoderConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.codec)?;
        if let Some(level) = self.level_in_use() {
            write!(f, " {}, level {level}", self.profile_in_use())?;
        }
        let (width, height, rate) = (self.width, self.height, self.frame_rate);
        write!(f, ", {width}x{height} at {rate} pictures per second")?;
        match self.rate_in_use() {
            Some(rate) => write!(f, ", rate control {rate}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_HD: EncoderConfig = EncoderConfig {
        codec: Codec::H264,
        width: 1920,
        height: 1080,
        frame_rate: 30.0,
        gop: 120,
        rate: None,
        profile: None,
        level: None,
        patience: Duration::from_secs(20),
    };

    /// F8: not the same constants for every size.
    #[test]
    fn f8_defaults_suit_the_size() {
        for (codec, size, rate, profile, level, kbps) in [
            (Codec::H264, (320, 180), 30.0, 11, 13, 511),
            (Codec::H264, (640, 360), 30.0, 11, 30, 1551),
            (Codec::H264, (1920, 1080), 30.0, 11, 40, 9000),
            (Codec::H264, (3840, 2160), 60.0, 11, 52, 45_883),
            (Codec::H265, (1920, 1080), 25.0, 0, 120, 5232),
            (Codec::H265, (3840, 2160), 60.0, 0, 153, 30_588),
        ] {
            let config = EncoderConfig::new(codec, size.0, size.1).frame_rate(rate);
            config.check().unwrap();
            let channel = config.attribute().unwrap();
            assert_eq!(
                (channel.profile(), channel.level()),
                (profile, level),
                "{config}"
            );
            let variable = if codec == Codec::H264 { 2 } else { 12 };
            assert_eq!(channel.rate_control(), variable, "{config}");
            assert_eq!(channel.rate()[8..12], u32::to_le_bytes(kbps), "{config}");
            assert_eq!(channel.target_rate(), rate);
            assert_eq!(channel.rate()[..4], (rate as u32 * 4).to_le_bytes());
        }
    }

    #[test]
    fn what_was_seen_at_work_is_tried_last() {
        let all = FULL_HD.attributes().unwrap();
        let numbers = |channel: &VencChannel| {
            (
                channel.profile(),
                channel.level(),
                channel.rate_control(),
                channel.rate()[8..12].to_vec(),
            )
        };
        assert_eq!(all.len(), 2);
        assert_eq!(
            numbers(&all[1]),
            (10, 51, 1, 6000_u32.to_le_bytes().to_vec())
        );
        // Nothing else than was asked for.
        let level = "4.1".parse().unwrap();
        let rate = RateControl::Adaptive { max_bit_rate: 77 };
        let all = FULL_HD
            .profile(Profile::High)
            .level(level)
            .rate(rate)
            .attributes()
            .unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(numbers(&all[0]), (11, 41, 3, 77_u32.to_le_bytes().to_vec()));
        let jpeg = EncoderConfig::new(Codec::Jpeg, 64, 64)
            .attributes()
            .unwrap();
        assert_eq!(jpeg.len(), 1);
        assert_eq!((jpeg[0].rate_control(), jpeg[0].level()), (10, 0));
    }

    #[test]
    fn what_does_not_go_together() {
        let level = |text: &str| text.parse().unwrap();
        for (config, words) in [
            (FULL_HD.frame_rate(f32::NAN), "NaN pictures per second"),
            (FULL_HD.gop(0), "one in 0 intra"),
            (
                FULL_HD.level(level("3.1")),
                "H.264 High, level 3.1, 1920x1080 at 30 pictures per second, rate control VBR of up to 9000 kbit/s: \
                 the lowest that suffices is 4",
            ),
            (
                EncoderConfig::new(Codec::H264, 8192, 8192).level(level("6.2")),
                "no level suffices",
            ),
            (
                EncoderConfig::new(Codec::H265, 64, 64).level(level("1.3")),
                "there is no such level",
            ),
            (
                EncoderConfig::new(Codec::Jpeg, 64, 64).level(level("1")),
                "neither profiles nor levels",
            ),
            (
                EncoderConfig::new(Codec::H264, 33, 64),
                "pictures of 33x64 cannot be encoded: even sizes from 32x32 to 8192x8192 can",
            ),
            (
                FULL_HD.rate(RateControl::Constant { bit_rate: 0 }),
                "the rate must not be 0",
            ),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let config = EncoderConfig::new(Codec::H265, 64, 64).profile(Profile::High);
        assert!(config.attributes().is_err());
        // Above all levels: the highest, unless told otherwise.
        let config = EncoderConfig::new(Codec::H264, 8192, 8192);
        config.check().unwrap();
        assert_eq!(config.attribute().unwrap().level(), 62);
    }

    #[test]
    fn a_refusal_names_what_was_asked_for() {
        let refusal = |width, code| {
            let config = EncoderConfig::new(Codec::H264, width, 32);
            let error = Error::Card {
                what: "create an encoder".into(),
                code: crate::CardCode(code),
            };
            config.refused(error).to_string()
        };
        assert_eq!(
            refusal(2, 0x8007_020A),
            "pictures of 2x32 cannot be encoded: even sizes from 32x32 to 8192x8192 can"
        );
        let other = refusal(64, 0x8007_020A);
        let begin =
            "create an encoder (H.264 High, level 1.1, 64x32 at 30 pictures per second, rate control";
        assert!(other.starts_with(begin), "{other}");
        assert!(refusal(2, 0x8007_0219).starts_with("create an encoder (H.264"));
    }
}
