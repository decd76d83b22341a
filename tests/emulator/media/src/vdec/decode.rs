// SPDX-License-Identifier: MIT OR Apache-2.0

//! libavcodec as a decoder.

use std::collections::BTreeMap;

use ffmpeg_next as ffmpeg;

use ffmpeg::codec::{context::Context, Compliance, Flags, Id};
use ffmpeg::format::Pixel;
use ffmpeg::frame::Video;
use ffmpeg::{Dictionary, Discard, Error, Packet};

use super::attr::{Codec, GroupAttr, Stream};
use crate::call::errors::Fault;

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Pictures come in the order of decoding, not of display.
    pub decode_order: bool,
    /// `enVdecMode`: 0 all pictures, 1 without B, 2 only I.
    pub mode: u32,
    /// Widest picture.
    pub max_width: u32,
    /// Highest picture.
    pub max_height: u32,
    /// Pictures of H.264 and H.265 with more colours than 4:2:0 or more than 10 bits are taken too.
    pub any_format: bool,
}

/// Why a unit gave no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// It is no picture of this codec.
    Format,
    /// It uses a feature that the decoder does not have.
    Unsupported,
    /// The picture is larger than allowed.
    Size,
}

impl From<Error> for DecodeError {
    fn from(e: Error) -> Self {
        match e {
            Error::PatchWelcome | Error::DecoderNotFound => Self::Unsupported,
            _ => Self::Format,
        }
    }
}

/// One decoded picture.
pub struct Decoded {
    /// The picture in host memory.
    pub frame: Video,
    /// The call that brought it.
    pub stream: Stream,
}

/// A decoder for one stream.
pub struct Decoder {
    inner: ffmpeg::decoder::Video,
    limits: Options,
    /// The calls of the units that are in the decoder, by the number given to them as time stamp:
    /// a client's time stamps may be anything.
    calls: BTreeMap<i64, Stream>,
    units: i64,
}

impl Decoder {
    /// Units that can be in the decoder at once: 16 pictures wait for their turn at most.
    const MAX_INSIDE: usize = 64;

    /// A decoder that works in the caller's thread.
    pub fn new(codec: Codec, options: Options) -> Result<Self, DecodeError> {
        let id = match codec {
            Codec::H264 => Id::H264,
            Codec::H265 => Id::HEVC,
            Codec::Jpeg | Codec::Mjpeg => Id::MJPEG,
        };
        let any_format = options.any_format || codec.is_jpeg();
        let codec = ffmpeg::decoder::find(id).ok_or(DecodeError::Unsupported)?;
        let mut context = Context::new_with_codec(codec);
        // Without this the H.264 decoder guesses how many pictures to hold back for re-ordering,
        // and loses some when the guess was too low; with it the level says how many.
        context.compliance(Compliance::Strict);
        // Without `UNALIGNED` what is to be cropped on the left stays, if its width is not a multiple of
        // what the vector units like.
        let order = if options.decode_order {
            Flags::LOW_DELAY
        } else {
            Flags::empty()
        };
        context.set_flags(Flags::UNALIGNED | order);
        // Pictures of four times the size are decoded to see how large they are; what is larger
        // still is not worth the memory, and counts as no stream at all.
        let size = u64::from(options.max_width) * u64::from(options.max_height);
        let pixels = (4 * size).max(1920 * 1088);
        let mut settings = Dictionary::new();
        settings.set("threads", "1");
        settings.set("max_pixels", &pixels.to_string());
        let mut inner = context.decoder().open_as_with(codec, settings)?.video()?;
        inner.skip_frame(match options.mode {
            1 => Discard::Bidirectional,
            2 => Discard::NonIntra,
            _ => Discard::Default,
        });
        Ok(Self {
            inner,
            limits: Options {
                any_format,
                ..options
            },
            calls: BTreeMap::new(),
            units: 0,
        })
    }

    /// Decodes one unit; `picture` gets what is ready, which may be nothing.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        stream: Stream,
        picture: &mut dyn FnMut(Result<Decoded, DecodeError>),
    ) {
        let mut packet = Packet::copy(bytes);
        packet.set_pts(Some(self.units));
        packet.set_dts(Some(self.units));
        self.calls.insert(self.units, stream);
        if self.calls.len() > Self::MAX_INSIDE {
            self.calls.pop_first();
        }
        self.units += 1;
        let sent = self.inner.send_packet(&packet);
        self.take(picture);
        if let Err(e) = sent {
            picture(Err(e.into()));
        }
    }

    /// Gives `picture` all that is still in the decoder, which is of no use afterwards.
    pub fn drain(&mut self, picture: &mut dyn FnMut(Result<Decoded, DecodeError>)) {
        if self.inner.send_eof().is_ok() {
            self.take(picture);
        }
    }

    fn take(&mut self, picture: &mut dyn FnMut(Result<Decoded, DecodeError>)) {
        loop {
            let mut frame = Video::empty();
            match self.inner.receive_frame(&mut frame) {
                Ok(()) => picture(self.accept(frame)),
                Err(
                    Error::Eof
                    | Error::Other {
                        errno: ffmpeg::error::EAGAIN,
                    },
                ) => return,
                // The decoder goes on with the next unit.
                Err(e) => return picture(Err(e.into())),
            }
        }
    }

    fn accept(&mut self, frame: Video) -> Result<Decoded, DecodeError> {
        let call = frame.pts().and_then(|n| self.calls.remove(&n));
        if frame.width() > self.limits.max_width || frame.height() > self.limits.max_height {
            return Err(DecodeError::Size);
        }
        if !self.limits.any_format && !is_plain(frame.format()) {
            return Err(DecodeError::Unsupported);
        }
        Ok(Decoded {
            frame,
            stream: call.unwrap_or_default(),
        })
    }
}

/// What the card's decoder can make of H.264 and H.265: 4:2:0, or luma alone, of 8 or 10 bits.
fn is_plain(format: Pixel) -> bool {
    matches!(
        format,
        Pixel::YUV420P
            | Pixel::YUVJ420P
            | Pixel::NV12
            | Pixel::YUV420P10LE
            | Pixel::GRAY8
            | Pixel::GRAY10LE
    )
}

/// Width, height, reference pictures and bits of luma and of chroma of a stream's first picture.
pub fn header(codec: Codec, bytes: &[u8]) -> Result<[u32; 5], Fault> {
    let options = Options {
        decode_order: true,
        mode: 0,
        max_width: GroupAttr::MAX_SIDE,
        max_height: GroupAttr::MAX_SIDE,
        any_format: true,
    };
    let mut decoder = Decoder::new(codec, options).map_err(|_| Fault::NotSupported)?;
    decoder.decode(bytes, Stream::default(), &mut drop);
    let inner = &decoder.inner;
    if inner.width() == 0 || inner.height() == 0 {
        return Err(Fault::Codec);
    }
    let depth = match inner.format() {
        Pixel::YUV420P10LE | Pixel::YUV422P10LE | Pixel::YUV444P10LE | Pixel::GRAY10LE => 10,
        Pixel::YUV420P12LE | Pixel::YUV422P12LE | Pixel::YUV444P12LE | Pixel::GRAY12LE => 12,
        _ => 8,
    };
    let references = crate::call::blobs::clamp32(inner.references());
    Ok([inner.width(), inner.height(), references, depth, depth])
}
