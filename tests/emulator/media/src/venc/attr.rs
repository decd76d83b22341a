// SPDX-License-Identifier: MIT OR Apache-2.0

//! The encoder's channel attribute [rpc 7.6].

use super::rate::Rate;
use crate::call::blobs::{Record, View};
use crate::call::errors::Fault;

/// What a channel makes: `enType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// 96.
    H264,
    /// 265.
    H265,
    /// 1002: a video of JPEG images.
    Mjpeg,
    /// 26: single JPEG images.
    Jpeg,
}

impl Codec {
    /// The codec of that number.
    fn from_number(n: u32) -> Result<Self, Fault> {
        match n {
            96 => Ok(Self::H264),
            265 => Ok(Self::H265),
            1002 => Ok(Self::Mjpeg),
            26 => Ok(Self::Jpeg),
            _ => Err(Fault::NotSupported),
        }
    }

    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Self::H264 => 96,
            Self::H265 => 265,
            Self::Mjpeg => 1002,
            Self::Jpeg => 26,
        }
    }

    /// Made of JPEG images.
    pub fn is_jpeg(self) -> bool {
        matches!(self, Self::Mjpeg | Self::Jpeg)
    }
}

/// Number of H.264's level 1b.
const LEVEL_1B: u32 = 99;
/// Where the structure has `enGopMode`, and its last value: 0 normal, 1 one long-term reference, 2
/// temporal layers.
const GOP_MODE: usize = 192;
const MAX_GOP_MODE: u32 = 2;

/// `AX_VENC_CHN_ATTR_T`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelAttr {
    /// What is made.
    pub codec: Codec,
    /// Bytes of packets that may wait for the client or be with it.
    pub buffer_size: u32,
    /// `enProfile`.
    pub profile: u32,
    /// `enLevel`.
    pub level: u32,
    /// Width and height of the pictures sent.
    pub source: (u32, u32),
    /// First column and row of the part that is encoded.
    pub offset: (u32, u32),
    /// Width and height of the part that is encoded.
    pub size: (u32, u32),
    /// Pictures that may wait for encoding.
    pub in_depth: usize,
    /// Packets that may wait for the client.
    pub out_depth: usize,
    /// Rate control.
    pub rate: Rate,
}

impl ChannelAttr {
    /// Widest and highest picture of the card.
    const MAX_SIDE: u32 = 8192;
    /// Narrowest and lowest.
    const MIN_SIDE: u32 = 32;
    /// Largest stream buffer.
    const MAX_BUFFER: u32 = 256 << 20;
    /// Depth of a queue whose attribute says 0.
    const DEFAULT_DEPTH: usize = 4;

    /// Reads and checks the structure.
    pub fn parse(v: View) -> Result<Self, Fault> {
        let codec = Codec::from_number(v.u32(0))?;
        let max = (v.u32(4), v.u32(8));
        let source = (v.u32(36), v.u32(40));
        let (offset, size) = if v.u32(44) == 0 {
            ((0, 0), source)
        } else {
            ((v.u32(48), v.u32(52)), (v.u32(56), v.u32(60)))
        };
        let sides = Self::MIN_SIDE..=Self::MAX_SIDE;
        let side = |at: u32, len: u32, all: u32, max: u32| {
            sides.contains(&all)
                && sides.contains(&len)
                && at.checked_add(len).is_some_and(|end| end <= all)
                && [at, len, all].iter().all(|n| n % 2 == 0)
                && len <= max
                && max <= Self::MAX_SIDE
        };
        let buffer_size = match v.u32(16) {
            // Room for two pictures that do not become smaller.
            0 => size
                .0
                .saturating_mul(size.1)
                .saturating_mul(3)
                .clamp(1 << 20, Self::MAX_BUFFER),
            n => n,
        };
        if !side(offset.0, size.0, source.0, max.0)
            || !side(offset.1, size.1, source.1, max.1)
            || buffer_size > Self::MAX_BUFFER
        {
            return Err(Fault::IllegalParam);
        }
        let bit_depth = v.u32(32);
        if !matches!(bit_depth, 0 | 8) {
            return Err(Fault::NotSupported);
        }
        let depth = |n: u8| match n {
            0 => Self::DEFAULT_DEPTH,
            n => n.into(),
        };
        let attr = Self {
            codec,
            buffer_size,
            profile: v.u32(20),
            level: v.u32(24),
            source,
            offset,
            size,
            in_depth: depth(v.u8(72)),
            out_depth: depth(v.u8(73)),
            rate: Rate::parse(codec, v.at(84))?,
        };
        attr.profile_name()?;
        // Long-term references and temporal layers are hints that an encoder may do without: all of
        // its stream can be decoded either way.
        if !codec.is_jpeg() && v.u32(GOP_MODE) > MAX_GOP_MODE {
            return Err(Fault::IllegalParam);
        }
        Ok(attr)
    }

    /// For one JPEG image.
    pub fn single_image(size: (u32, u32)) -> Result<Self, Fault> {
        let mut r = Record::new(224);
        for (at, n) in [
            (0, 26),
            (4, size.0),
            (8, size.1),
            (36, size.0),
            (40, size.1),
        ] {
            r.u32(at, n);
        }
        Self::parse(View(&r.finish()))
    }

    /// libavcodec's name of the profile; none for JPEG.
    pub fn profile_name(&self) -> Result<Option<&'static str>, Fault> {
        Ok(Some(match (self.codec, self.profile) {
            (Codec::Mjpeg | Codec::Jpeg, _) => return Ok(None),
            (Codec::H264, 9) => "baseline",
            (Codec::H264, 10) => "main",
            (Codec::H264, 11) => "high",
            // Ten bits are allowed, and not used: the pictures have eight.
            (Codec::H264, 12) => "high10",
            (Codec::H265, 0) => "main",
            (Codec::H265, 2) => "main10",
            // Still pictures are no video, range extensions no use for 4:2:0 of 8 bits.
            _ => return Err(Fault::NotSupported),
        }))
    }

    /// The level as libavcodec's H.264 encoder wants it; `None`, also for one that H.264 does not have,
    /// leaves the choice to it.
    pub fn h264_level(&self) -> Option<String> {
        const KNOWN: [u32; 19] = [
            10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52, 60, 61, 62,
        ];
        match self.level {
            LEVEL_1B => Some("1b".into()),
            level => KNOWN.contains(&level).then(|| level.to_string()),
        }
    }

    /// Whether a channel made with `self` may be given `other`: rate control may change, what the
    /// card's memory was allocated for may not.
    pub fn allows(&self, other: &Self) -> bool {
        let fixed = |a: &Self| {
            (
                a.codec,
                a.buffer_size,
                a.source,
                a.size,
                a.in_depth,
                a.out_depth,
            )
        };
        fixed(self) == fixed(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `AX_VENC_CHN_ATTR_T` of the worked example in [rpc 9].
    pub fn example() -> Vec<u8> {
        let mut bytes = vec![0; 224];
        let mut put = |at: usize, n: u32| bytes[at..at + 4].copy_from_slice(&n.to_le_bytes());
        for (at, n) in [
            (0, 96),
            (4, 640),
            (8, 480),
            (20, 10),
            (24, 51),
            (36, 640),
            (40, 480),
        ] {
            put(at, n);
        }
        put(64, 1);
        put(72, 0x0404);
        for (at, n) in [
            (84, 1),
            (88, u32::MAX),
            (92, 0x41f0_0000),
            (96, 0x41f0_0000),
        ] {
            put(at, n);
        }
        let cbr = [30, 0, 2000, 51, 16, 51, 16, 40, 10, -2_i32 as u32, 10];
        for (i, n) in cbr.into_iter().enumerate() {
            put(100 + 4 * i, n);
        }
        bytes
    }

    #[test]
    fn worked_example() {
        let attr = ChannelAttr::parse(View(&example())).unwrap();
        assert_eq!(attr.codec, Codec::H264);
        assert_eq!(
            (attr.source, attr.size, attr.offset),
            ((640, 480), (640, 480), (0, 0))
        );
        assert_eq!((attr.profile_name(), attr.level), (Ok(Some("main")), 51));
        assert_eq!((attr.in_depth, attr.out_depth), (4, 4));
        assert_eq!(
            (attr.rate.gop, attr.rate.source_fps, attr.rate.fps),
            (30, 30.0, 30.0)
        );
        assert_eq!(attr.rate.qp, (16, 51));
        assert_eq!(
            attr.rate.goal,
            super::super::rate::Goal::Constant { kbps: 2000 }
        );
    }

    #[test]
    fn refuses_what_cannot_be() {
        for (at, n) in [
            (0, 97),     // no codec
            (4, 320),    // wider than allowed
            (20, 0),     // no H.264 profile
            (192, 3),    // no GOP mode
            (32, 10),    // 10 bits
            (36, 0),     // no width
            (36, 641),   // odd
            (40, 16384), // too high
            (16, 1 << 30),
            (84, 11),          // rate control of H.265
            (100, 0),          // no GOP
            (108, 0),          // no bit rate
            (112, 52),         // QP
            (116, 52),         // lowest QP above the highest
            (96, 0x7fc0_0000), // not a number of pictures per second
            (96, 0xc1f0_0000),
        ] {
            let mut bytes = example();
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(n));
            assert!(ChannelAttr::parse(View(&bytes)).is_err(), "{at}: {n:#x}");
        }
    }
}
