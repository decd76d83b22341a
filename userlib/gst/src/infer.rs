// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element `ax650infer`: runs a model on each picture and gives out its tensors.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use ax650::{Binding, Error, Model, Normalize, Pixels, TensorInfo};
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::prelude::*;

use crate::card::{device_property, lock, message, Seat};
use crate::element::templates;
use crate::transform::{empty_like, failed, filtered};

/// Caps of tensors.
const TENSORS: &str = "application/x-ax650-tensors";
/// A run that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
struct Settings {
    device: Option<String>,
    model: Option<PathBuf>,
    mean: [f32; 3],
    scale: [f32; 3],
    blue_first: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            device: None,
            model: None,
            mean: [0.0; 3],
            scale: [1.0; 3],
            blue_first: false,
        }
    }
}

/// The model while the element is in use.
struct Loaded {
    seat: Arc<Seat>,
    binding: Binding,
    normalize: Normalize,
}

/// The inference element.
#[derive(Default)]
pub struct Imp {
    settings: Mutex<Settings>,
    loaded: Mutex<Option<Loaded>>,
    /// Columns and rows of the pictures.
    size: Mutex<Option<gst_video::VideoInfo>>,
}

/// Returns columns and rows of the pictures that an input takes, if it takes any.
fn size_of(input: &TensorInfo) -> Option<(u32, u32)> {
    match *input.shapes.first()?.dims.as_slice() {
        [1, height, width, 3] | [height, width, 3] => Some((width, height)),
        [1, 3, height, width] | [3, height, width] => Some((width, height)),
        _ => None,
    }
}

/// Puts names, types and shapes of tensors in words, in the order of the buffer's memories.
fn describe(tensors: &[TensorInfo]) -> String {
    let one = |tensor: &TensorInfo| {
        let shape = tensor.shapes.first().map(ToString::to_string);
        format!(
            "{}:{}:{}",
            tensor.name,
            tensor.data_type,
            shape.unwrap_or_default()
        )
    };
    tensors.iter().map(one).collect::<Vec<_>>().join(";")
}

impl Imp {
    fn load(&self) -> ax650::Result<Loaded> {
        let settings = lock(&self.settings).clone();
        let path = settings
            .model
            .ok_or_else(|| Error::Invalid("the property `model` names no model".into()))?;
        let seat = Seat::open(settings.device.as_deref())?;
        let model = Model::load_file(seat.session(), path).inspect_err(|error| seat.note(error))?;
        let mut normalize = Normalize::default()
            .mean(settings.mean)
            .scale(settings.scale);
        if settings.blue_first {
            normalize = normalize.blue_first();
        }
        let mut binding = model.bind(0)?;
        binding.set_timeout(Some(PATIENCE));
        Ok(Loaded {
            seat,
            binding,
            normalize,
        })
    }

    fn infer(
        &self,
        loaded: &Loaded,
        (width, height): (u32, u32),
        rgb: &[u8],
        out: &mut gst::BufferRef,
    ) -> ax650::Result<()> {
        let Loaded {
            binding, normalize, ..
        } = loaded;
        let pixels = Pixels::new(width as usize, height as usize, rgb)?;
        binding.set_pixels(0, &pixels, normalize)?;
        binding.run()?;
        for index in 0..binding.model().outputs().len() {
            let bytes = binding.output(index)?.to_vec();
            out.append_memory(gst::Memory::from_mut_slice(bytes));
        }
        Ok(())
    }
}

fn array(name: &str, nick: &str, blurb: &str) -> glib::ParamSpec {
    let element = glib::ParamSpecFloat::builder("value")
        .nick("Value")
        .blurb("Of one channel")
        .minimum(f32::MIN)
        .maximum(f32::MAX)
        .build();
    gst::ParamSpecArray::builder(name)
        .nick(nick)
        .blurb(blurb)
        .element_spec(&element)
        .mutable_ready()
        .build()
}

/// Reads a property of three numbers; another count changes nothing.
fn three(value: &glib::Value, target: &mut [f32; 3]) {
    let Ok(array) = value.get::<gst::ArrayRef<'_>>() else {
        return;
    };
    let numbers: Vec<f32> = array.iter().filter_map(|one| one.get().ok()).collect();
    if let Ok(numbers) = numbers.try_into() {
        *target = numbers;
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Imp {
    const NAME: &'static str = "Ax650Infer";
    type Type = Infer;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for Imp {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<[glib::ParamSpec; 5]> = LazyLock::new(|| {
            [
                device_property(),
                glib::ParamSpecString::builder("model")
                    .nick("Model")
                    .blurb("File of the model; its first input takes the pictures")
                    .mutable_ready()
                    .build(),
                array(
                    "mean",
                    "Mean",
                    "What is subtracted from red, green and blue",
                ),
                array(
                    "scale",
                    "Scale",
                    "What the difference to the mean is multiplied by, for red, green and blue",
                ),
                glib::ParamSpecBoolean::builder("blue-first")
                    .nick("Blue first")
                    .blurb("The model wants blue, green, red instead of red, green, blue")
                    .mutable_ready()
                    .build(),
            ]
        });
        &*PROPERTIES
    }

    fn set_property(&self, _: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        let mut settings = lock(&self.settings);
        match spec.name() {
            "device" => settings.device = value.get().unwrap_or_default(),
            "model" => {
                let path: Option<String> = value.get().unwrap_or_default();
                settings.model = path.map(PathBuf::from);
            }
            "mean" => three(value, &mut settings.mean),
            "scale" => three(value, &mut settings.scale),
            _ => settings.blue_first = value.get().unwrap_or_default(),
        }
    }

    fn property(&self, _: usize, spec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings);
        match spec.name() {
            "device" => settings.device.to_value(),
            "model" => {
                let path = settings.model.as_ref();
                path.map(|path| path.display().to_string()).to_value()
            }
            "mean" => gst::Array::new(settings.mean).to_value(),
            "scale" => gst::Array::new(settings.scale).to_value(),
            _ => settings.blue_first.to_value(),
        }
    }
}

impl GstObjectImpl for Imp {}

impl ElementImpl for Imp {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "AX650 inference",
                "Filter/Converter/Video/Hardware",
                "Runs a model on pictures and gives out its tensors: on an AX650N card",
                "the ax650 project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let sink = gst_video::VideoCapsBuilder::new()
                .format(gst_video::VideoFormat::Rgb)
                .build();
            templates(&sink, &gst::Caps::new_empty_simple(TENSORS))
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for Imp {
    const MODE: gst_base::subclass::BaseTransformMode =
        gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let loaded = self.load().map_err(|error| message(&error))?;
        *lock(&self.loaded) = Some(loaded);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.loaded) = None;
        *lock(&self.size) = None;
        Ok(())
    }

    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        _caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        let loaded = lock(&self.loaded);
        let model = loaded.as_ref().map(|loaded| loaded.binding.model());
        let caps = if direction == gst::PadDirection::Sink {
            let mut caps = gst::Caps::builder(TENSORS);
            if let Some(model) = model {
                caps = caps.field("tensors", describe(model.outputs()));
            }
            caps.build()
        } else {
            let mut caps = gst_video::VideoCapsBuilder::new().format(gst_video::VideoFormat::Rgb);
            let size = model.and_then(|model| size_of(model.inputs().first()?));
            if let Some((width, height)) = size {
                caps = caps.width(width as i32).height(height as i32);
            }
            caps.build()
        };
        Some(filtered(caps, filter))
    }

    fn set_caps(&self, input: &gst::Caps, _output: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(input)
            .map_err(|error| gst::loggable_error!(crate::card::LOG, "{error}"))?;
        *lock(&self.size) = Some(info);
        Ok(())
    }

    fn prepare_output_buffer(
        &self,
        input: gst_base::subclass::base_transform::InputBuffer<'_>,
    ) -> Result<gst_base::subclass::base_transform::PrepareOutputBufferSuccess, gst::FlowError>
    {
        empty_like(input)
    }

    fn transform(
        &self,
        input: &gst::Buffer,
        output: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let info = lock(&self.size)
            .clone()
            .ok_or(gst::FlowError::NotNegotiated)?;
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(input, &info)
            .map_err(|_| gst::FlowError::Error)?;
        let (width, height) = (info.width() as usize, info.height() as usize);
        let stride = frame.plane_stride()[0] as usize;
        let data = frame.plane_data(0).map_err(|_| gst::FlowError::Error)?;
        let mut rgb = Vec::with_capacity(3 * width * height);
        for row in data.chunks(stride).take(height) {
            rgb.extend_from_slice(row.get(..3 * width).ok_or(gst::FlowError::Error)?);
        }
        let loaded = lock(&self.loaded);
        let loaded = loaded.as_ref().ok_or(gst::FlowError::Flushing)?;
        let size = (info.width(), info.height());
        self.infer(loaded, size, &rgb, output)
            .map_err(|error| failed(&*self.obj(), Some(&loaded.seat), &error))?;
        Ok(gst::FlowSuccess::Ok)
    }
}

glib::wrapper! {
    /// The inference element.
    pub struct Infer(ObjectSubclass<Imp>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

impl Infer {
    /// Registers the element.
    pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
        gst::Element::register(
            Some(plugin),
            "ax650infer",
            gst::Rank::NONE,
            Self::static_type(),
        )
    }
}
