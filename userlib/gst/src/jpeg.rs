// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element `ax650jpegdec`: one job for each picture, in the streaming thread.

use std::sync::{Arc, LazyLock, Mutex};

use ax650::media::jpeg;
use ax650::Error;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_video::prelude::*;
use gst_video::subclass::prelude::*;
use gst_video::video_codec_state::Readable;
use gst_video::VideoCodecState;

use crate::card::{device_property, lock, message, Seat};
use crate::element::templates;
use crate::picture;

/// The JPEG decoder.
#[derive(Default)]
pub struct Imp {
    device: Mutex<Option<String>>,
    seat: Mutex<Option<Arc<Seat>>>,
    input: Mutex<Option<VideoCodecState<'static, Readable>>>,
    /// Columns and rows that were negotiated.
    size: Mutex<Option<(u32, u32)>>,
}

impl Imp {
    fn fail(&self, seat: &Seat, error: &Error) -> gst::FlowError {
        seat.note(error);
        self.obj().post_error_message(message(error));
        gst::FlowError::Error
    }

    fn negotiate(&self, size: (u32, u32)) -> Result<(), gst::FlowError> {
        let obj = self.obj();
        let input = lock(&self.input).clone();
        let format = gst_video::VideoFormat::Nv12;
        let mut output = obj.set_output_state(format, size.0, size.1, input.as_ref())?;
        // The whole range of numbers, as JFIF says.
        let of = output.info();
        let info = gst_video::VideoInfo::builder(format, size.0, size.1)
            .fps(of.fps())
            .par(of.par())
            .colorimetry(&gst_video::VideoColorimetry::new(
                gst_video::VideoColorRange::Range0_255,
                gst_video::VideoColorMatrix::Bt601,
                gst_video::VideoTransferFunction::Unknown,
                gst_video::VideoColorPrimaries::Unknown,
            ))
            .build()
            .map_err(|_| gst::FlowError::NotNegotiated)?;
        output.set_info(info);
        obj.negotiate(output)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Imp {
    const NAME: &'static str = "Ax650JpegDecoder";
    type Type = JpegDecoder;
    type ParentType = gst_video::VideoDecoder;
}

impl ObjectImpl for Imp {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<[glib::ParamSpec; 1]> = LazyLock::new(|| [device_property()]);
        &*PROPERTIES
    }

    fn set_property(&self, _: usize, value: &glib::Value, _: &glib::ParamSpec) {
        *lock(&self.device) = value.get().unwrap_or_default();
    }

    fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
        lock(&self.device).to_value()
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.set_packetized(true);
        obj.set_use_default_pad_acceptcaps(true);
    }
}

impl GstObjectImpl for Imp {}

impl ElementImpl for Imp {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "AX650 JPEG decoder",
                "Codec/Decoder/Image/Hardware",
                "AX650 JPEG decoder: on an AX650N card",
                "the ax650 project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let sink = gst::Caps::builder("image/jpeg")
                .field("parsed", true)
                .build();
            let src = gst_video::VideoCapsBuilder::new()
                .format(gst_video::VideoFormat::Nv12)
                .build();
            templates(&sink, &src)
        });
        &TEMPLATES
    }
}

impl VideoDecoderImpl for Imp {
    fn open(&self) -> Result<(), gst::ErrorMessage> {
        let device = lock(&self.device).clone();
        let seat = Seat::open(device.as_deref()).map_err(|error| message(&error))?;
        *lock(&self.seat) = Some(seat);
        Ok(())
    }

    fn close(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.seat) = None;
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.input) = None;
        *lock(&self.size) = None;
        self.parent_stop()
    }

    fn set_format(
        &self,
        state: &VideoCodecState<'static, Readable>,
    ) -> Result<(), gst::LoggableError> {
        *lock(&self.input) = Some(state.clone());
        *lock(&self.size) = None;
        self.parent_set_format(state)
    }

    fn handle_frame(
        &self,
        mut frame: gst_video::VideoCodecFrame<'_>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let obj = self.obj();
        let seat = lock(&self.seat).clone().ok_or(gst::FlowError::Flushing)?;
        if obj.max_decode_time(&frame) < 0 {
            // There is no other that depends on it.
            return obj.drop_frame(frame);
        }
        let input = frame.input_buffer_owned().ok_or(gst::FlowError::Error)?;
        let input = input.map_readable().map_err(|_| gst::FlowError::Error)?;
        let (buffer, layout) =
            jpeg::decode(seat.session(), &input).map_err(|error| self.fail(&seat, &error))?;
        let size = (layout.width, layout.height);
        if *lock(&self.size) != Some(size) {
            self.negotiate(size)?;
            *lock(&self.size) = Some(size);
        }
        obj.allocate_output_frame(&mut frame, None)?;
        let info = obj.output_state().ok_or(gst::FlowError::NotNegotiated)?;
        let target = frame.output_buffer_mut().ok_or(gst::FlowError::Error)?;
        let target = gst_video::VideoFrameRef::from_buffer_ref_writable(target, info.info());
        let mut target = target.map_err(|_| gst::FlowError::Error)?;
        let bytes = buffer.read().map_err(|_| gst::FlowError::Error)?;
        picture::to_frame(&layout, &bytes, &mut target)?;
        drop(target);
        obj.finish_frame(frame)
    }
}

glib::wrapper! {
    /// The JPEG decoder.
    pub struct JpegDecoder(ObjectSubclass<Imp>)
        @extends gst_video::VideoDecoder, gst::Element, gst::Object;
}

impl JpegDecoder {
    /// Registers the element.
    pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
        let rank = gst::Rank::PRIMARY + 1;
        gst::Element::register(Some(plugin), "ax650jpegdec", rank, Self::static_type())
    }
}
