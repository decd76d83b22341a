// SPDX-License-Identifier: MIT OR Apache-2.0

//! The decoder's structures [rpc 7.6].

use crate::call::blobs::{Record, View};
use crate::call::errors::Fault;
use crate::memory::frame::{Nv12, NV12};

/// What a group decodes: `enCodecType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// 96.
    H264,
    /// 265.
    H265,
    /// 26.
    Jpeg,
    /// 1002: the same, as a video.
    Mjpeg,
}

impl Codec {
    /// The codec of that number.
    pub fn from_number(n: u32) -> Result<Self, Fault> {
        match n {
            96 => Ok(Self::H264),
            265 => Ok(Self::H265),
            26 => Ok(Self::Jpeg),
            1002 => Ok(Self::Mjpeg),
            _ => Err(Fault::NotSupported),
        }
    }

    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Self::H264 => 96,
            Self::H265 => 265,
            Self::Jpeg => 26,
            Self::Mjpeg => 1002,
        }
    }

    /// Made of JPEG images.
    pub fn is_jpeg(self) -> bool {
        matches!(self, Self::Jpeg | Self::Mjpeg)
    }
}

/// How the stream is cut into calls of SendStream: `enInputMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputMode {
    /// 0 and 2: one NAL unit or slice each, `bEndOfFrame` with the last one of a picture.
    Nal,
    /// 1: one picture each.
    Frame,
    /// 3 and 4: anywhere.
    Stream,
}

/// `AX_VDEC_GRP_ATTR_T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupAttr {
    /// What is decoded.
    pub codec: Codec,
    /// How the stream is cut.
    pub input: InputMode,
    /// Widest picture.
    pub max_width: u32,
    /// Highest picture.
    pub max_height: u32,
    /// Bytes of stream that may wait for decoding.
    pub buffer_size: u32,
    /// Channels make pools for their pictures.
    pub auto_pool: bool,
    /// The client gives the stream buffer.
    pub own_buffer: bool,
    /// Card address of that buffer.
    pub buffer: u64,
}

impl GroupAttr {
    pub const MAX_SIDE: u32 = 8192;
    /// Largest stream buffer.
    const MAX_BUFFER: u32 = 256 << 20;

    /// Reads and checks the structure.
    pub fn parse(v: View) -> Result<Self, Fault> {
        let attr = Self {
            codec: Codec::from_number(v.u32(0))?,
            input: match v.u32(4) {
                0 | 2 => InputMode::Nal,
                1 => InputMode::Frame,
                3 | 4 => InputMode::Stream,
                _ => return Err(Fault::IllegalParam),
            },
            max_width: v.u32(8),
            max_height: v.u32(12),
            buffer_size: match v.u32(16) {
                0 => (v.u32(8).saturating_mul(v.u32(12)) / 2)
                    .saturating_mul(3)
                    .clamp(1 << 20, Self::MAX_BUFFER),
                n => n,
            },
            auto_pool: v.u32(20) != 0,
            own_buffer: v.u32(24) != 0,
            buffer: v.u64(32),
        };
        let sides = 1..=Self::MAX_SIDE;
        if !sides.contains(&attr.max_width)
            || !sides.contains(&attr.max_height)
            || attr.buffer_size > Self::MAX_BUFFER
        {
            return Err(Fault::IllegalParam);
        }
        Ok(attr)
    }
}

/// What a channel does to a picture: `enOutputMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMode {
    /// 0: nothing.
    Original,
    /// 1: cuts the channel's size out at the channel's offset.
    Crop,
    /// 2: scales to the channel's size.
    Scale,
}

/// `AX_VDEC_CHN_ATTR_T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelAttr {
    /// Width of the output.
    pub width: u32,
    /// Height of the output.
    pub height: u32,
    /// Bytes from row to row, 0 = chosen by the card.
    pub stride: u32,
    /// First column when cropping.
    pub crop_x: u32,
    /// First row when cropping.
    pub crop_y: u32,
    /// Pictures that may wait for the client.
    pub fifo_depth: usize,
    /// Buffers of the channel's own pool.
    pub buffers: u32,
    /// Bytes of each, 0 = as needed for `width` and `height`.
    pub buffer_size: u32,
    /// What is done to the picture.
    pub mode: OutputMode,
    /// The client asks for compressed pictures.  It gets plain ones, as their structures say: the
    /// notes do not describe the compression, and a client that hands the pictures on has no need
    /// to know.
    compressed: bool,
}

impl ChannelAttr {
    const DEFAULT_BUFFERS: u32 = 8;
    /// Most buffers.
    const MAX_BUFFERS: u32 = 64;

    /// Reads and checks the structure.
    pub fn parse(v: View) -> Result<Self, Fault> {
        let buffers = match v.u32(36) {
            0 => Self::DEFAULT_BUFFERS,
            n => n,
        };
        let attr = Self {
            width: v.u32(0),
            height: v.u32(4),
            stride: v.u32(8),
            crop_x: v.u32(16),
            crop_y: v.u32(20),
            fifo_depth: match v.u32(32) {
                0 => buffers,
                n => n.min(Self::MAX_BUFFERS),
            } as usize,
            buffers,
            buffer_size: v.u32(40),
            mode: match v.u32(44) {
                0 => OutputMode::Original,
                1 => OutputMode::Crop,
                2 => OutputMode::Scale,
                _ => return Err(Fault::IllegalParam),
            },
            compressed: v.u32(52) != 0,
        };
        if v.u32(48) != NV12 {
            return Err(Fault::NotSupported);
        }
        if buffers > Self::MAX_BUFFERS
            || attr.width > GroupAttr::MAX_SIDE
            || attr.height > GroupAttr::MAX_SIDE
            || attr.crop_x % 2 != 0
            || attr.crop_y % 2 != 0
        {
            return Err(Fault::IllegalParam);
        }
        Nv12::packed(attr.width, attr.height, attr.stride, 0)?;
        Ok(attr)
    }

    /// Bytes of each buffer of the channel's own pool.
    pub fn pool_block(&self) -> Result<u64, Fault> {
        let plain = Nv12::packed(self.width, self.height, self.stride, 0)?.size();
        Ok(match u64::from(self.buffer_size) {
            0 => plain,
            // What the client has worked out for compressed pictures may be too little.
            n if self.compressed => n.max(plain),
            n => n,
        })
    }
}

/// `AX_VDEC_STREAM_T` without the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stream {
    /// Time stamp in microseconds.
    pub pts: u64,
    /// The client's.
    pub private_data: u64,
    /// The client's.
    pub user_data: u64,
    /// These bytes end a picture.
    pub end_of_frame: bool,
    /// These bytes end the stream.
    pub end_of_stream: bool,
    /// Decode, but do not show.
    pub skip_display: bool,
    /// Number of bytes.
    pub len: u32,
    /// Card address of the bytes, 0 if they come with the call.
    pub phys: u64,
}

impl Stream {
    /// Reads the structure.
    pub fn parse(v: View) -> Self {
        Self {
            pts: v.u64(0),
            private_data: v.u64(8),
            end_of_frame: v.u32(16) != 0,
            end_of_stream: v.u32(20) != 0,
            skip_display: v.u32(24) != 0,
            len: v.u32(28),
            phys: v.u64(40),
            user_data: v.u64(48),
        }
    }
}

/// `AX_VDEC_DECODE_ERROR_T`, whose numbers only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Errors {
    /// Data that is no stream of the group's codec.
    pub format: u32,
    /// Pictures larger than the group or a channel allows.
    pub pic_size: u32,
    /// Streams with features that the decoder lacks.
    pub unsupported: u32,
    /// Units too long to be pictures.
    pub pack: u32,
    /// Pictures shown with damaged or missing references.
    pub reference: u32,
    /// Pictures larger than the blocks of the channel's pool.
    pub buf_size: u32,
    /// Calls with more bytes than the stream buffer holds.
    pub stream_size: u32,
}

impl Errors {
    /// Puts the structure at `at`.
    pub fn write(&self, r: &mut Record, at: usize) {
        let all = [
            self.format,
            self.pic_size,
            self.unsupported,
            self.pack,
            self.reference,
            self.buf_size,
            self.stream_size,
        ];
        for (i, n) in all.into_iter().enumerate() {
            r.u32(at + 4 * i, n);
        }
    }

    /// All of them.
    pub fn total(&self) -> u32 {
        self.format
            + self.pic_size
            + self.unsupported
            + self.pack
            + self.reference
            + self.buf_size
            + self.stream_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    /// CreateGrp and SetChnAttr of the worked example in [rpc 9].
    #[test]
    fn worked_example() {
        let mut group = vec![96, 1, 1920, 1088, 0x3f_c000, 1];
        group.resize(14, 0);
        let attr = GroupAttr::parse(View(&bytes(&group))).unwrap();
        assert_eq!((attr.codec, attr.input), (Codec::H264, InputMode::Frame));
        assert_eq!((attr.max_width, attr.max_height), (1920, 1088));
        assert_eq!((attr.buffer_size, attr.auto_pool), (0x3f_c000, true));

        let mut channel = vec![1920, 1080, 2048, 0, 0, 0, 0, 0, 3, 8, 0x32_a020, 0, 3];
        channel.resize(17, 0);
        let attr = ChannelAttr::parse(View(&bytes(&channel))).unwrap();
        assert_eq!((attr.width, attr.height, attr.stride), (1920, 1080, 2048));
        assert_eq!((attr.fifo_depth, attr.buffers), (3, 8));
        assert_eq!(attr.pool_block(), Ok(0x32_a020));
        assert_eq!(attr.mode, OutputMode::Original);
        // Compression is taken; the buffers are then large enough for plain pictures.
        for (mode, size, block) in [
            (0, 100, 100),
            (2, 100, 0x32_a000),
            (2, 0x40_0000, 0x40_0000),
        ] {
            let mut packed = channel.clone();
            (packed[10], packed[13]) = (size, mode);
            let attr = ChannelAttr::parse(View(&bytes(&packed))).unwrap();
            assert_eq!(attr.pool_block(), Ok(block));
        }
        for (i, n) in [
            (0, 0),
            (0, 9000),
            (2, 100),
            (4, 1),
            (9, 65),
            (11, 3),
            (12, 4),
        ] {
            let mut bad = channel.clone();
            bad[i] = n;
            assert!(ChannelAttr::parse(View(&bytes(&bad))).is_err(), "{i}={n}");
        }
        for (i, n) in [(0, 97), (1, 5), (2, 0), (3, 8193), (4, u32::MAX)] {
            let mut bad = group.clone();
            bad[i] = n;
            assert!(GroupAttr::parse(View(&bytes(&bad))).is_err(), "{i}={n}");
        }
    }
}
