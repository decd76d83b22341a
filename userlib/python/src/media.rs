// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoders and encoders.  Pictures are NV12: bytes of `height * 3 / 2` rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650::media::{
    annexb, CardImage, Codec, DecoderConfig, EncoderConfig, Frame, PictureLayout, RateControl,
    Received,
};
use ax650::{Buffer, Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use crate::errors::{exception, invalid, OrRaise};
use crate::image::{pack, unpack, Image};
use crate::session::Session;
use crate::slot::Slot;
use crate::wait::{limit, patiently, seconds};

/// What a codec is given at a time to take something: between two tries signals are looked for.
const TRY: Duration = Duration::from_millis(200);

/// Finds the codec with a name.
fn codec(py: Python<'_>, name: &str) -> PyResult<Codec> {
    match name.to_ascii_lowercase().as_str() {
        "h264" | "avc" => Ok(Codec::H264),
        "h265" | "hevc" => Ok(Codec::H265),
        "jpeg" | "mjpeg" => Ok(Codec::Jpeg),
        _ => Err(invalid(
            py,
            format!("`{name}` is no codec: h264, h265 or jpeg"),
        )),
    }
}

/// Sends again and again while the codec in `slot` has no room, for `patience` at most; looks for signals, and whether the
/// codec was closed.
fn send_patiently<T: Send + Sync>(
    py: Python<'_>,
    slot: &Slot<Arc<T>>,
    patience: Duration,
    send: impl Fn(&T) -> ax650::Result<()> + Sync,
) -> PyResult<()> {
    let begin = Instant::now();
    loop {
        let codec = slot.get(py)?;
        match py.detach(|| send(&codec)) {
            Err(error) if error.kind() == ErrorKind::Timeout && begin.elapsed() < patience => {
                py.check_signals()?;
            }
            result => return result.or_raise(py),
        }
    }
}

/// Splits a stream with start codes into packets, one for each picture.
#[pyfunction]
pub fn split_packets<'py>(
    py: Python<'py>,
    codec_name: &str,
    stream: &[u8],
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let codec = codec(py, codec_name)?;
    let packets: Vec<_> = py.detach(|| annexb::packets(codec, stream).collect());
    Ok(packets
        .iter()
        .map(|packet| PyBytes::new(py, packet))
        .collect())
}

/// Returns columns and rows of the pictures of a stream with start codes, if it tells.
#[pyfunction]
pub fn stream_size(
    py: Python<'_>,
    codec_name: &str,
    stream: &[u8],
) -> PyResult<Option<(u32, u32)>> {
    let found = annexb::find_sps(codec(py, codec_name)?, stream);
    Ok(found.map(|sps| (sps.width, sps.height)))
}

/// Decoder on a card.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Decoder {
    slot: Slot<Arc<ax650::media::Decoder>>,
    /// Let go with the codec.
    session: Slot<ax650::Session>,
    patience: Duration,
    /// Host memory that pictures come to, not in use now.
    spare: Slot<Buffer>,
}

/// A picture as Python gets it: bytes without padding, columns, rows, presentation time.
type Picture<'py> = (Bound<'py, PyByteArray>, u32, u32, u64);

impl Decoder {
    /// Waits for a picture: whether the stream goes on, and the picture if one came.
    fn frame(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<(bool, Option<Frame>)> {
        let timeout = limit(py, timeout)?;
        let decoder = self.slot.get(py)?;
        let received = patiently(py, timeout, |slice| match decoder.receive(slice)? {
            Received::Nothing => Ok(None),
            other => Ok(Some(other)),
        })?;
        Ok(match received {
            Some(Received::Some(frame)) => (true, Some(frame)),
            Some(Received::End) => (false, None),
            _ => (true, None),
        })
    }
}

#[pymethods]
impl Decoder {
    #[new]
    fn new(
        py: Python<'_>,
        session: &Session,
        codec_name: &str,
        size: (u32, u32),
        frame_rate: f32,
        pictures: u32,
        patience: f64,
    ) -> PyResult<Self> {
        let config = DecoderConfig::new(codec(py, codec_name)?, size.0, size.1)
            .frame_rate(frame_rate)
            .pictures(pictures)
            .patience(TRY);
        let patience = seconds(py, "patience", patience)?;
        let session = session.get(py)?;
        let decoder = py
            .detach(|| ax650::media::Decoder::new(&session, &config))
            .or_raise(py)?;
        Ok(Self {
            slot: Slot::new("decoder", Arc::new(decoder)),
            session: Slot::new("decoder", session),
            patience,
            spare: Slot::empty("buffer"),
        })
    }

    /// Sends all of one picture.
    fn send(&self, py: Python<'_>, packet: &Bound<'_, PyBytes>, pts: u64) -> PyResult<()> {
        let packet = packet.as_bytes();
        send_patiently(py, &self.slot, self.patience, |decoder| {
            decoder.send(packet, pts)
        })
    }

    /// Tells that nothing follows.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        send_patiently(py, &self.slot, self.patience, ax650::media::Decoder::finish)
    }

    /// Waits for a picture: whether the stream goes on, and the picture; None: not within `timeout`.
    fn receive<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<(bool, Option<Picture<'py>>)> {
        let (goes_on, frame) = self.frame(py, timeout)?;
        let Some(frame) = frame else {
            return Ok((goes_on, None));
        };
        let (pts, size) = (frame.pts(), frame.layout().size());
        let session = self.session.get(py)?;
        let spare = self.spare.take().filter(|buffer| buffer.len() >= size);
        let download = || -> ax650::Result<(Buffer, PictureLayout)> {
            let buffer = match spare {
                Some(buffer) => buffer,
                None => session.buffer(size)?,
            };
            let layout = frame.download(&buffer)?;
            Ok((buffer, layout))
        };
        let (buffer, layout) = py.detach(download).or_raise(py)?;
        let bytes = pack(py, &buffer, layout)?;
        self.spare.put(buffer);
        Ok((true, Some((bytes, layout.width, layout.height, pts))))
    }

    /// Waits for a picture that stays on the card: as `receive`, the picture with its presentation time.
    fn receive_image(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
    ) -> PyResult<(bool, Option<(Image, u64)>)> {
        let (goes_on, frame) = self.frame(py, timeout)?;
        let image = frame.map(|frame| (Image::new(CardImage::from(&frame)), frame.pts()));
        Ok((goes_on, image))
    }

    /// Ends the decoder; a second time does nothing.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(py, "timeout", timeout)?;
        self.spare.take();
        self.session.take();
        self.slot.end(py, timeout, ax650::media::Decoder::close)
    }
}

/// Encoder on a card.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Encoder {
    slot: Slot<Arc<ax650::media::Encoder>>,
    /// Let go with the codec.
    session: Slot<ax650::Session>,
    patience: Duration,
}

#[pymethods]
impl Encoder {
    #[new]
    #[allow(clippy::too_many_arguments)] // Python's side has names for them
    fn new(
        py: Python<'_>,
        session: &Session,
        codec_name: &str,
        size: (u32, u32),
        frame_rate: f32,
        gop: Option<u32>,
        bit_rate: Option<u32>,
        quality: Option<u32>,
        patience: f64,
    ) -> PyResult<Self> {
        let mut config = EncoderConfig::new(codec(py, codec_name)?, size.0, size.1)
            .frame_rate(frame_rate)
            .patience(TRY);
        if let Some(gop) = gop {
            config = config.gop(gop);
        }
        match (bit_rate, quality) {
            (Some(_), Some(_)) => return Err(invalid(py, "a bit rate and a quantiser")),
            (Some(bit_rate), None) => config = config.rate(RateControl::Constant { bit_rate }),
            (None, Some(qp)) => {
                config = config.rate(RateControl::Fixed {
                    intra: qp,
                    predicted: qp,
                    both_ways: qp,
                });
            }
            (None, None) => {}
        }
        let patience = seconds(py, "patience", patience)?;
        let session = session.get(py)?;
        let encoder = py
            .detach(|| ax650::media::Encoder::new(&session, &config))
            .or_raise(py)?;
        Ok(Self {
            slot: Slot::new("encoder", Arc::new(encoder)),
            session: Slot::new("encoder", session),
            patience,
        })
    }

    /// Pictures that the encoder takes before packets must be received.
    fn depth(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.slot.get(py)?.depth())
    }

    /// Pictures whose packets have not been received.
    fn pending(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.slot.get(py)?.pending())
    }

    /// Sends a picture without padding.
    fn send(&self, py: Python<'_>, picture: &Bound<'_, PyBytes>, pts: u64) -> PyResult<()> {
        let encoder = self.slot.get(py)?;
        let layout = encoder.layout();
        let session = self.session.get(py)?;
        let buffer = unpack(py, &session, layout, picture.as_bytes())?;
        drop(encoder);
        send_patiently(py, &self.slot, self.patience, |encoder| {
            encoder.send(&buffer, pts)
        })
    }

    /// Sends a picture that is on the card.
    fn send_image(&self, py: Python<'_>, image: &Image, pts: u64) -> PyResult<()> {
        let image = image.get(py)?;
        send_patiently(py, &self.slot, self.patience, |encoder| {
            encoder.send_image(image.clone(), pts)
        })
    }

    /// Waits for a packet: bytes, presentation time, whether it is decodable without others; None: not within `timeout`.
    fn receive<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, u64, bool)>> {
        let timeout = limit(py, timeout)?;
        let encoder = self.slot.get(py)?;
        let received = patiently(py, timeout, |slice| match encoder.receive(slice)? {
            Received::Nothing => Ok(None),
            Received::Some(packet) => Ok(Some(packet)),
            Received::End => Err(Error::Invalid("the encoder has ended".into())),
        });
        let packet = received?;
        Ok(packet.map(|packet| (PyBytes::new(py, &packet.data), packet.pts, packet.key)))
    }

    /// Ends the encoder; a second time does nothing.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = seconds(py, "timeout", timeout)?;
        self.session.take();
        self.slot.end(py, timeout, ax650::media::Encoder::close)
    }
}

/// Decodes a JPEG picture.
#[pyfunction]
pub fn decode_jpeg<'py>(
    py: Python<'py>,
    session: &Session,
    jpeg: &Bound<'py, PyBytes>,
) -> PyResult<Picture<'py>> {
    let session = session.get(py)?;
    let bytes = jpeg.as_bytes();
    let decoded = py.detach(|| ax650::media::jpeg::decode(&session, bytes));
    let (buffer, layout) = decoded.map_err(|error| exception(py, error))?;
    let picture = pack(py, &buffer, layout)?;
    Ok((picture, layout.width, layout.height, 0))
}
