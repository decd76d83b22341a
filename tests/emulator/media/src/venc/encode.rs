// SPDX-License-Identifier: MIT OR Apache-2.0

//! libavcodec as an encoder: x264, x265 and its own for JPEG.

use std::collections::VecDeque;

use ffmpeg_next as ffmpeg;

use ffmpeg::codec::{context::Context, encoder, Compliance};
use ffmpeg::format::Pixel;
use ffmpeg::frame::Video;
use ffmpeg::{Dictionary, Error, Packet, Rational};

use super::attr::{ChannelAttr, Codec};
use super::nal;
use crate::call::errors::Fault;

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded<T> {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Decodable without others.
    pub key: bool,
    /// What came with the picture.
    pub tag: T,
}

/// An encoder for one stream; `T` goes with each picture.
pub struct Encoder<T> {
    codec: Codec,
    inner: encoder::Video,
    /// Of the pictures that are in the encoder; they leave in the order they came.
    tags: VecDeque<T>,
    pictures: i64,
}

/// The format of the pictures that an encoder takes.
pub fn pixel(codec: Codec) -> Pixel {
    if codec.is_jpeg() {
        Pixel::YUVJ420P
    } else {
        Pixel::YUV420P
    }
}

impl<T> Encoder<T> {
    /// An encoder for pictures of `attr.size`; `quality` is that of JPEG images.
    pub fn new(attr: &ChannelAttr, quality: u32) -> Result<Self, Fault> {
        let name = match attr.codec {
            Codec::H264 => "libx264",
            Codec::H265 => "libx265",
            Codec::Mjpeg | Codec::Jpeg => "mjpeg",
        };
        let codec = encoder::find_by_name(name).ok_or(Fault::NotSupported)?;
        let mut context = Context::new_with_codec(codec);
        context.compliance(Compliance::Unofficial);
        let mut video = context.encoder().video().map_err(|_| Fault::NotSupported)?;
        video.set_width(attr.size.0);
        video.set_height(attr.size.1);
        video.set_format(pixel(attr.codec));
        // Millihertz are exact enough for 29.97.
        let rate = Rational::new((attr.rate.fps * 1000.0).round() as i32, 1000);
        video.set_frame_rate(Some(rate));
        video.set_time_base(rate.invert());
        let inner = video
            .open_as_with(codec, options(attr, quality)?)
            .map_err(|_| Fault::IllegalParam)?;
        Ok(Self {
            codec: attr.codec,
            inner,
            tags: VecDeque::new(),
            pictures: 0,
        })
    }

    /// Encodes one picture; `intra` makes it decodable without others.
    pub fn encode(
        &mut self,
        picture: &mut Video,
        intra: bool,
        tag: T,
    ) -> Result<Vec<Encoded<T>>, Fault> {
        use ffmpeg::picture::Type;
        picture.set_pts(Some(self.pictures));
        picture.set_kind(if intra { Type::I } else { Type::None });
        self.inner.send_frame(picture).map_err(|_| Fault::Codec)?;
        self.pictures += 1;
        self.tags.push_back(tag);
        self.take()
    }

    /// What is still in the encoder, which is of no use afterwards.
    pub fn drain(&mut self) -> Result<Vec<Encoded<T>>, Fault> {
        self.inner.send_eof().map_err(|_| Fault::Codec)?;
        self.take()
    }

    fn bytes(&self, packet: &Packet) -> Vec<u8> {
        let mut bytes = packet.data().unwrap_or_default().to_vec();
        if self.codec == Codec::H265 {
            nal::begin_as_w_radl(&mut bytes);
        }
        bytes
    }

    fn take(&mut self) -> Result<Vec<Encoded<T>>, Fault> {
        let mut all = Vec::new();
        loop {
            let mut packet = Packet::empty();
            match self.inner.receive_packet(&mut packet) {
                Ok(()) => all.push(Encoded {
                    bytes: self.bytes(&packet),
                    key: packet.is_key(),
                    tag: self.tags.pop_front().ok_or(Fault::Codec)?,
                }),
                Err(
                    Error::Eof
                    | Error::Other {
                        errno: ffmpeg::error::EAGAIN,
                    },
                ) => return Ok(all),
                Err(_) => return Err(Fault::Codec),
            }
        }
    }
}

/// How much an encoder takes upon itself, by the size of its pictures alone: the cards' are hardware, which keeps up with
/// its source, and a stream's parameter sets must stay as they are, so it cannot be changed under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// x264: what makes small streams; x265: the fastest preset, in one thread.
    Usual,
    /// x264: the fastest preset; x265: less than that, and two threads.
    Least,
}

impl Effort {
    /// Of pictures with more pixels two busy processors cannot encode 30 a second by [`Effort::Usual`].
    fn of(attr: &ChannelAttr) -> Self {
        let most = match attr.codec {
            Codec::H264 => 640 * 480,
            _ => 1280 * 720,
        };
        match attr.size.0 * attr.size.1 <= most {
            true => Self::Usual,
            false => Self::Least,
        }
    }

    /// Preset and tunes of x264.
    fn x264(self) -> (&'static str, &'static str) {
        match self {
            Self::Usual => ("fast", "psnr,zerolatency"),
            Self::Least => ("ultrafast", "zerolatency"),
        }
    }

    fn x265(self) -> &'static str {
        match self {
            Self::Usual => "pools=none",
            Self::Least => "pools=2:rd=1:max-merge=1:merange=16:no-deblock=1",
        }
    }
}

/// Settings of the encoder: fast ones without delay, in the caller's thread.
fn options(attr: &ChannelAttr, quality: u32) -> Result<Dictionary<'static>, Fault> {
    let mut o = Dictionary::new();
    o.set("threads", "1");
    for (key, value) in attr.rate.options(attr.codec, quality) {
        o.set(key, &value);
    }
    if attr.codec.is_jpeg() {
        return Ok(o);
    }
    let effort = Effort::of(attr);
    let (preset, tune) = match attr.codec {
        Codec::H264 => effort.x264(),
        _ => ("ultrafast", "zerolatency"),
    };
    o.set("preset", preset);
    o.set("tune", tune);
    o.set("forced-idr", "1");
    if let Some(profile) = attr.profile_name()? {
        o.set("profile", profile);
    }
    let rate = &attr.rate;
    if attr.codec == Codec::H264 {
        o.set("sc_threshold", "0");
        if let Some(level) = attr.h264_level() {
            o.set("level", &level);
        }
        if let Some(ratio) = rate.intra_ratio() {
            o.set("i_qfactor", &ratio.to_string());
        }
    } else {
        let mut x265 = format!(
            "log-level=none:frame-threads=1:scenecut=0:open-gop=0:keyint={0}:min-keyint={0}:{1}",
            rate.gop,
            effort.x265()
        );
        match rate.intra_ratio() {
            Some(ratio) => x265 += &format!(":ipratio={}", 1.0 / ratio),
            None => x265 += &format!(":qpmin={}:qpmax={}", rate.qp.0, rate.qp.1),
        }
        o.set("x265-params", &x265);
    }
    Ok(o)
}
