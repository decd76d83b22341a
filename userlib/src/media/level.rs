// SPDX-License-Identifier: MIT OR Apache-2.0

//! Levels of H.264 (its table A-1) and H.265 (its tables A.8 and A.9): what a decoder must be able to do.

use std::fmt;
use std::str::FromStr;

use super::{Codec, Profile};

/// A level of H.264 or H.265, such as 4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// Ten times the number; 1b is 10 too, with `b`.
    tenths: u8,
    b: bool,
}

/// A row of a table.
struct Row {
    level: Level,
    /// Units per second.
    per_second: u64,
    /// Units of a picture.
    units: u64,
    /// kbit/s; of H.264 for the profiles up to main, of H.265 for the main tier.
    bit_rate: u32,
}

const fn row(tenths: u8, per_second: u64, units: u64, bit_rate: u32) -> Row {
    let level = Level { tenths, b: false };
    Row {
        level,
        per_second,
        units,
        bit_rate,
    }
}

/// Units are macroblocks of 16x16.
const H264: [Row; 20] = [
    row(10, 1_485, 99, 64),
    Row {
        level: Level {
            tenths: 10,
            b: true,
        },
        per_second: 1_485,
        units: 99,
        bit_rate: 128,
    },
    row(11, 3_000, 396, 192),
    row(12, 6_000, 396, 384),
    row(13, 11_880, 396, 768),
    row(20, 11_880, 396, 2_000),
    row(21, 19_800, 792, 4_000),
    row(22, 20_250, 1_620, 4_000),
    row(30, 40_500, 1_620, 10_000),
    row(31, 108_000, 3_600, 14_000),
    row(32, 216_000, 5_120, 20_000),
    row(40, 245_760, 8_192, 20_000),
    row(41, 245_760, 8_192, 50_000),
    row(42, 522_240, 8_704, 50_000),
    row(50, 589_824, 22_080, 135_000),
    row(51, 983_040, 36_864, 240_000),
    row(52, 2_073_600, 36_864, 240_000),
    row(60, 4_177_920, 139_264, 240_000),
    row(61, 8_355_840, 139_264, 480_000),
    row(62, 16_711_680, 139_264, 800_000),
];

/// Units are samples of luma.
const H265: [Row; 13] = [
    row(10, 552_960, 36_864, 128),
    row(20, 3_686_400, 122_880, 1_500),
    row(21, 7_372_800, 245_760, 3_000),
    row(30, 16_588_800, 552_960, 6_000),
    row(31, 33_177_600, 983_040, 10_000),
    row(40, 66_846_720, 2_228_224, 12_000),
    row(41, 133_693_440, 2_228_224, 20_000),
    row(50, 267_386_880, 8_912_896, 25_000),
    row(51, 534_773_760, 8_912_896, 40_000),
    row(52, 1_069_547_520, 8_912_896, 60_000),
    row(60, 1_069_547_520, 35_651_584, 60_000),
    row(61, 2_139_095_040, 35_651_584, 120_000),
    row(62, 4_278_190_080, 35_651_584, 240_000),
];

/// What a decoder of a stream has to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub codec: Codec,
    pub profile: Profile,
    pub width: u32,
    pub height: u32,
    pub frame_rate: f32,
    /// kbit/s; `None` if there is no limit.
    pub bit_rate: Option<u32>,
}

impl Load {
    fn table(&self) -> &'static [Row] {
        match self.codec {
            Codec::H265 => &H265,
            _ => &H264,
        }
    }

    fn fits(&self, row: &Row) -> bool {
        // Pictures consist of whole blocks.
        let block = match self.codec {
            Codec::H265 => 8,
            _ => 16,
        };
        let scale = match self.codec {
            Codec::H265 => 1,
            _ => block,
        };
        let side = |len: u32| u64::from(len.next_multiple_of(block) / scale);
        let (wide, high) = (side(self.width), side(self.height));
        let units = wide * high;
        let longest = wide.max(high);
        let bit_rate = match self.profile {
            Profile::High => row.bit_rate + row.bit_rate / 4,
            Profile::High10 => 3 * row.bit_rate,
            _ => row.bit_rate,
        };
        units <= row.units
            && longest * longest <= 8 * row.units
            && units as f64 * f64::from(self.frame_rate) <= row.per_second as f64
            && self.bit_rate.is_none_or(|rate| rate <= bit_rate)
    }
}

impl Level {
    /// Finds the lowest level that is high enough; `None` if none is.  Never 1b, which is coded in a way of its own.
    pub(crate) fn lowest(load: &Load) -> Option<Self> {
        let mut rows = load.table().iter().filter(|row| !row.level.b);
        rows.find(|row| load.fits(row)).map(|row| row.level)
    }

    /// Returns the highest level of a codec.
    pub(crate) fn highest(codec: Codec) -> Self {
        let table: &[Row] = match codec {
            Codec::H265 => &H265,
            _ => &H264,
        };
        table[table.len() - 1].level
    }

    /// Tells whether the level is high enough; `None` if the codec has no such level.
    pub(crate) fn suffices(self, load: &Load) -> Option<bool> {
        let row = load.table().iter().find(|row| row.level == self)?;
        Some(load.fits(row))
    }

    /// Returns the level `number`, as 41 for 4.1.
    pub(crate) const fn from_tenths(tenths: u8) -> Self {
        Self { tenths, b: false }
    }

    /// Returns the level's number in the card's interface.
    pub(crate) fn number(self, codec: Codec) -> u32 {
        match codec {
            Codec::H265 => 3 * u32::from(self.tenths),
            _ if self.b => 99,
            _ => self.tenths.into(),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tenths / 10, self.tenths % 10) {
            (whole, _) if self.b => write!(f, "{whole}b"),
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenth) => write!(f, "{whole}.{tenth}"),
        }
    }
}

/// A text that names no level of any codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoLevel(String);

impl fmt::Display for NoLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no level is called {:?}; there are 1 to 6.2", self.0)
    }
}

impl std::error::Error for NoLevel {}

impl FromStr for Level {
    type Err = NoLevel;

    /// Reads `4`, `4.0`, `4.1` or `1b`.
    fn from_str(text: &str) -> Result<Self, NoLevel> {
        let whole = text.strip_suffix(".0").filter(|whole| whole.len() == 1);
        let short = whole.unwrap_or(text);
        let mut levels = H264.iter().chain(&H265).map(|row| row.level);
        levels
            .find(|level| level.to_string() == short)
            .ok_or_else(|| NoLevel(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowest(codec: Codec, size: (u32, u32), frame_rate: f32, bit_rate: u32) -> String {
        let profile = Profile::Main;
        let (width, height) = size;
        let load = Load {
            codec,
            profile,
            width,
            height,
            frame_rate,
            bit_rate: Some(bit_rate),
        };
        Level::lowest(&load).map_or("none".into(), |level| level.to_string())
    }

    /// Well-known operating points: those that the standards name beside their tables.
    #[test]
    fn levels_of_h264() {
        for (size, rate, kbps, level) in [
            ((176, 144), 15.0, 64, "1"),
            ((176, 144), 15.0, 65, "1.1"),
            ((176, 144), 30.0, 64, "1.1"),
            ((352, 288), 15.0, 300, "1.2"),
            ((352, 288), 30.0, 768, "1.3"),
            ((352, 288), 30.0, 769, "2"),
            ((640, 480), 30.0, 2000, "3"),
            ((720, 576), 25.0, 10_000, "3"),
            ((720, 576), 25.0, 10_001, "3.1"),
            ((1280, 720), 30.0, 6000, "3.1"),
            ((1280, 720), 60.0, 6000, "3.2"),
            ((1920, 1080), 30.0, 8000, "4"),
            ((1920, 1080), 30.0, 20_001, "4.1"),
            ((1920, 1080), 60.0, 8000, "4.2"),
            ((3840, 2160), 30.0, 40_000, "5.1"),
            ((3840, 2160), 60.0, 40_000, "5.2"),
            ((7680, 4320), 30.0, 100_000, "6"),
            ((7680, 4320), 60.0, 100_000, "6.1"),
            ((7680, 4320), 120.0, 800_000, "6.2"),
            ((8192, 8192), 1.0, 1000, "none"),
            // 8 times the macroblocks of a picture are the square of its longest side.
            ((2048, 16), 1.0, 64, "3.1"),
        ] {
            assert_eq!(
                lowest(Codec::H264, size, rate, kbps),
                level,
                "{size:?} {rate} {kbps}"
            );
        }
    }

    #[test]
    fn levels_of_h265() {
        for (size, rate, kbps, level) in [
            ((176, 144), 15.0, 128, "1"),
            ((352, 288), 30.0, 1500, "2"),
            ((640, 360), 30.0, 3000, "2.1"),
            ((960, 540), 30.0, 6000, "3"),
            ((1280, 720), 30.0, 10_000, "3.1"),
            ((1920, 1080), 30.0, 12_000, "4"),
            ((1920, 1080), 30.0, 12_001, "4.1"),
            ((1920, 1080), 60.0, 12_000, "4.1"),
            ((3840, 2160), 30.0, 25_000, "5"),
            ((3840, 2160), 60.0, 40_000, "5.1"),
            ((3840, 2160), 120.0, 60_000, "5.2"),
            ((7680, 4320), 30.0, 60_000, "6"),
            ((7680, 4320), 60.0, 120_000, "6.1"),
            ((8192, 4320), 120.0, 240_000, "6.2"),
            ((1920, 1080), 30.0, 240_001, "none"),
        ] {
            assert_eq!(
                lowest(Codec::H265, size, rate, kbps),
                level,
                "{size:?} {rate} {kbps}"
            );
        }
    }

    #[test]
    fn high_profiles_may_have_more() {
        let mut load = Load {
            codec: Codec::H264,
            profile: Profile::High,
            width: 640,
            height: 480,
            frame_rate: 30.0,
            bit_rate: Some(12_500),
        };
        assert_eq!(Level::lowest(&load).unwrap().to_string(), "3");
        load.bit_rate = Some(12_501);
        assert_eq!(Level::lowest(&load).unwrap().to_string(), "3.1");
        load.profile = Profile::High10;
        load.bit_rate = Some(30_000);
        assert_eq!(Level::lowest(&load).unwrap().to_string(), "3");
        load.bit_rate = None;
        assert_eq!(Level::lowest(&load).unwrap().to_string(), "3");
        assert_eq!(Level::from_tenths(22).suffices(&load), Some(false));
        assert_eq!(Level::from_tenths(30).suffices(&load), Some(true));
        load.codec = Codec::H265;
        assert_eq!(Level::from_tenths(22).suffices(&load), None);
    }

    #[test]
    fn names_and_numbers() {
        for (text, h264, h265) in [
            ("1", 10, 30),
            ("1b", 99, 30),
            ("4.0", 40, 120),
            ("5.1", 51, 153),
            ("6.2", 62, 186),
        ] {
            let level: Level = text.parse().unwrap();
            assert_eq!(
                (level.number(Codec::H264), level.number(Codec::H265)),
                (h264, h265)
            );
        }
        for bad in ["", "0", "1.4", "7", "5.1.0", "b", "4,1", "51"] {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
    }

    /// From level to level nothing becomes less.
    #[test]
    fn tables_grow() {
        for table in [&H264[..], &H265[..]] {
            for pair in table.windows(2) {
                let [a, b] = pair else { unreachable!() };
                assert!(a.units <= b.units && a.per_second <= b.per_second && a.level < b.level);
                assert!(a.bit_rate <= b.bit_rate);
            }
        }
    }
}
