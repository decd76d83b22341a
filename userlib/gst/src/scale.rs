// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element `ax650scale`: crops, scales and converts pictures on the card.

use std::sync::{Arc, LazyLock, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::{InputBuffer, PrepareOutputBufferSuccess};
use gst_base::subclass::prelude::*;

use crate::card::{device_property, lock, message, Seat, LOG};
use crate::decoders::{raw_caps, SIDES};
use crate::element::templates;
use crate::memory;
use crate::scaling::{Crop, Scaler};
use crate::transform::{empty_like, failed, filtered};

#[derive(Debug, Clone)]
struct Settings {
    device: Option<String>,
    crop: Crop,
    add_borders: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            device: None,
            crop: Crop::default(),
            add_borders: true,
        }
    }
}

/// The scaling element.
#[derive(Default)]
pub struct Imp {
    settings: Mutex<Settings>,
    seat: Mutex<Option<Arc<Seat>>>,
    /// `None`: nothing was negotiated, or pictures go through as they are.
    scaler: Mutex<Option<Scaler>>,
}

/// Columns and rows of pictures that are made.
fn sides() -> gst::IntRange<i32> {
    gst::IntRange::with_step(2, *SIDES.end(), 2)
}

/// Pictures that are made: NV12 for everybody, such that stay on the card, and pixels.
fn made_caps() -> gst::Caps {
    let made = |format: &str| {
        gst::Caps::builder("video/x-raw")
            .field("format", format)
            .field("width", sides())
            .field("height", sides())
    };
    let mut caps = made("NV12").build();
    let new = caps.make_mut();
    new.append(made("NV12").features([memory::FEATURE]).build());
    new.append(made("BGR").build());
    caps
}

/// Returns what pictures of `caps` can become, or, where `is_back`, what can become pictures of `caps`.
fn others(caps: &gst::Caps, is_back: bool) -> gst::Caps {
    if caps.is_any() {
        return if is_back { raw_caps() } else { made_caps() };
    }
    let mut all = gst::Caps::new_empty();
    let add = all.make_mut();
    for structure in caps.iter() {
        let with = |format: &str| {
            let mut other = structure.to_owned();
            // Other colours have other words for them.
            if structure.get::<&str>("format").ok() != Some(format) {
                other.remove_fields(["colorimetry", "chroma-site"]);
            }
            other.set("format", format);
            let sides = match is_back {
                true => gst::IntRange::new(*SIDES.start(), *SIDES.end()),
                false => sides(),
            };
            other.set("width", sides);
            other.set("height", sides);
            other
        };
        let on_card = |structure| (structure, Some(memory::features()));
        let on_host = |structure| (structure, None);
        let possible = match is_back {
            // The decoder ahead leaves them where they are.
            true => vec![on_card(with("NV12")), on_host(with("NV12"))],
            false => vec![
                on_host(with("NV12")),
                on_card(with("NV12")),
                on_host(with("BGR")),
            ],
        };
        for (structure, features) in possible {
            add.append_structure_full(structure, features);
        }
    }
    all
}

/// Returns the nearest even number.
fn even(number: u64) -> i32 {
    let number = i32::try_from(number).unwrap_or(i32::MAX - 1);
    ((number + 1) & !1).max(2)
}

impl Imp {
    /// Chooses size and place of what comes out, of what the next element takes.
    fn choose(&self, from: (u32, u32), possible: &gst::Caps) -> gst::Caps {
        let is_wanted = memory::is_wanted(&self.obj().static_pad("src").expect("a pad"));
        let on_card = |features: &gst::CapsFeaturesRef| features.contains(memory::FEATURE);
        let mut chosen = possible
            .iter_with_features()
            .find(|(_, features)| on_card(features) == is_wanted);
        if chosen.is_none() {
            chosen = possible.iter_with_features().next();
        }
        let Some((structure, features)) = chosen else {
            return gst::Caps::new_empty();
        };
        let mut structure = structure.to_owned();
        let fixed = |name: &str| structure.get::<i32>(name).ok().map(|side| side as u64);
        let (width, height) = (u64::from(from.0), u64::from(from.1));
        let (columns, rows) = match (fixed("width"), fixed("height")) {
            (Some(columns), None) => (columns, height * columns / width),
            (None, Some(rows)) => (width * rows / height, rows),
            (columns, rows) => (columns.unwrap_or(width), rows.unwrap_or(height)),
        };
        structure.fixate_field_nearest_int("width", even(columns));
        structure.fixate_field_nearest_int("height", even(rows));
        let mut caps = gst::Caps::new_empty();
        caps.make_mut()
            .append_structure_full(structure, Some(features.to_owned()));
        caps.fixate();
        caps
    }

    fn make(&self, input: &gst::Caps, output: &gst::Caps) -> ax650::Result<Option<Scaler>> {
        let settings = lock(&self.settings).clone();
        if input == output && settings.crop == Crop::default() {
            return Ok(None);
        }
        let info = |caps| {
            gst_video::VideoInfo::from_caps(caps)
                .map_err(|error| ax650::Error::Invalid(error.to_string()))
        };
        let stays = output
            .features(0)
            .is_some_and(|features| features.contains(memory::FEATURE));
        let seat = lock(&self.seat)
            .clone()
            .ok_or_else(|| ax650::Error::Invalid("the card is not open".into()))?;
        let (input, output) = (info(input)?, info(output)?);
        Scaler::new(
            &seat,
            input,
            output,
            stays,
            settings.crop,
            settings.add_borders,
        )
        .inspect_err(|error| seat.note(error))
        .map(Some)
    }
}

fn cut(name: &str, nick: &str, blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .maximum(*SIDES.end() as u32)
        .mutable_ready()
        .build()
}

#[glib::object_subclass]
impl ObjectSubclass for Imp {
    const NAME: &'static str = "Ax650Scale";
    type Type = Scale;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for Imp {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<[glib::ParamSpec; 6]> = LazyLock::new(|| {
            [
                device_property(),
                cut("left", "Left", "Columns to cut off at the left, even"),
                cut("right", "Right", "Columns to cut off at the right"),
                cut("top", "Top", "Rows to cut off above, even"),
                cut("bottom", "Bottom", "Rows to cut off below"),
                glib::ParamSpecBoolean::builder("add-borders")
                    .nick("Add borders")
                    .blurb("Keep the pictures' proportions, with black borders where need be")
                    .default_value(true)
                    .mutable_ready()
                    .build(),
            ]
        });
        &*PROPERTIES
    }

    fn set_property(&self, _: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        let mut settings = lock(&self.settings);
        let Settings {
            device,
            crop,
            add_borders,
        } = &mut *settings;
        match spec.name() {
            "device" => *device = value.get().unwrap_or_default(),
            "left" => crop.left = value.get().unwrap_or_default(),
            "right" => crop.right = value.get().unwrap_or_default(),
            "top" => crop.top = value.get().unwrap_or_default(),
            "bottom" => crop.bottom = value.get().unwrap_or_default(),
            _ => *add_borders = value.get().unwrap_or_default(),
        }
    }

    fn property(&self, _: usize, spec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings);
        match spec.name() {
            "device" => settings.device.to_value(),
            "left" => settings.crop.left.to_value(),
            "right" => settings.crop.right.to_value(),
            "top" => settings.crop.top.to_value(),
            "bottom" => settings.crop.bottom.to_value(),
            _ => settings.add_borders.to_value(),
        }
    }
}

impl GstObjectImpl for Imp {}

impl ElementImpl for Imp {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "AX650 scaler",
                "Filter/Converter/Video/Scaler/Hardware",
                "Crops, scales and converts pictures: on an AX650N card",
                "the ax650 project",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| templates(&raw_caps(), &made_caps()));
        &TEMPLATES
    }
}

impl BaseTransformImpl for Imp {
    const MODE: gst_base::subclass::BaseTransformMode =
        gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let device = lock(&self.settings).device.clone();
        let seat = Seat::open(device.as_deref()).map_err(|error| message(&error))?;
        *lock(&self.seat) = Some(seat);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *lock(&self.scaler) = None;
        *lock(&self.seat) = None;
        Ok(())
    }

    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        let caps = others(caps, direction == gst::PadDirection::Src);
        Some(filtered(caps, filter))
    }

    fn fixate_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        others: gst::Caps,
    ) -> gst::Caps {
        let info = gst_video::VideoInfo::from_caps(caps);
        let crop = lock(&self.settings).crop;
        let size = info.ok().map(|info| (info.width(), info.height()));
        let size = size.and_then(|(width, height)| crop.of(width, height).ok());
        match size {
            Some(part) if direction == gst::PadDirection::Sink => {
                self.choose((part.width, part.height), &others)
            }
            _ => self.parent_fixate_caps(direction, caps, others),
        }
    }

    fn set_caps(&self, input: &gst::Caps, output: &gst::Caps) -> Result<(), gst::LoggableError> {
        let made = self.make(input, output).map_err(|error| {
            self.obj().post_error_message(message(&error));
            gst::loggable_error!(LOG, "{error}")
        })?;
        self.obj().set_passthrough(made.is_none());
        *lock(&self.scaler) = made;
        Ok(())
    }

    fn propose_allocation(
        &self,
        decided: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        self.parent_propose_allocation(decided, query)?;
        // Rows may have bytes between them.
        if !self.obj().is_passthrough() {
            query.add_allocation_meta::<gst_video::VideoMeta>(None);
        }
        Ok(())
    }

    fn prepare_output_buffer(
        &self,
        input: InputBuffer<'_>,
    ) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        match self.obj().is_passthrough() {
            true => self.parent_prepare_output_buffer(input),
            false => empty_like(input),
        }
    }

    fn transform(
        &self,
        input: &gst::Buffer,
        output: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut scaler = lock(&self.scaler);
        let scaler = scaler.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        scaler
            .scale(input, output)
            .map_err(|error| failed(&*self.obj(), lock(&self.seat).as_deref(), &error))?;
        Ok(gst::FlowSuccess::Ok)
    }
}

glib::wrapper! {
    /// The scaling element.
    pub struct Scale(ObjectSubclass<Imp>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

impl Scale {
    /// Registers the element.
    pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
        gst::Element::register(
            Some(plugin),
            "ax650scale",
            gst::Rank::NONE,
            Self::static_type(),
        )
    }
}
