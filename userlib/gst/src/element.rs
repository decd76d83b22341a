// SPDX-License-Identifier: MIT OR Apache-2.0

//! What GStreamer wants of a codec's element: the same for decoders and encoders, whose base classes have calls of the same
//! names.

/// Makes the pad templates of an element.
pub fn templates(sink: &gst::Caps, src: &gst::Caps) -> Vec<gst::PadTemplate> {
    let template = |name, direction, caps| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps)
            .expect("caps of this crate make a template")
    };
    vec![
        template("sink", gst::PadDirection::Sink, sink),
        template("src", gst::PadDirection::Src, src),
    ]
}

/// What users set at an element.
pub trait Settings {
    /// Sets a property.
    fn set(&mut self, name: &str, value: &gst::glib::Value);
    /// Returns a property.
    fn get(&self, name: &str) -> gst::glib::Value;
}

/// Makes an element of a codec; `common` is what it does.
macro_rules! codec_element {
    (
        $module:ident $type:ident: $base:ident, $base_impl:ident $(, $interface:ident $interface_impl:ident)?;
        names $name:literal $element:literal;
        words $long:literal $class:literal;
        common $common:ty = $new:expr $(, prepared by $prepare:path)?;
        properties $properties:expr;
        pads $sink:expr => $src:expr;
        methods { $($methods:tt)* }
    ) => {
        mod $module {
            use std::sync::{Arc, LazyLock};

            use gst::glib;
            use gst::prelude::*;
            use gst::subclass::prelude::*;
            use gst_video::subclass::prelude::*;
            use gst_video::video_codec_state::Readable;
            use gst_video::VideoCodecState;

            use super::*;
            use crate::card::lock;
            use crate::element::Settings as _;

            #[derive(Debug)]
            pub struct Imp {
                common: Arc<$common>,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = $name;
                type Type = super::$type;
                type ParentType = gst_video::$base;
                $(type Interfaces = (gst::$interface,);)?

                fn new() -> Self {
                    Self { common: $new }
                }
            }

            $(impl $interface_impl for Imp {})?

            impl ObjectImpl for Imp {
                fn properties() -> &'static [glib::ParamSpec] {
                    static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> =
                        LazyLock::new(|| $properties);
                    &PROPERTIES
                }

                fn set_property(&self, _: usize, value: &glib::Value, spec: &glib::ParamSpec) {
                    lock(&self.common.settings).set(spec.name(), value);
                }

                fn property(&self, _: usize, spec: &glib::ParamSpec) -> glib::Value {
                    lock(&self.common.settings).get(spec.name())
                }

                fn constructed(&self) {
                    self.parent_constructed();
                    $($prepare(self.obj().upcast_ref());)?
                }
            }

            impl GstObjectImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: LazyLock<gst::subclass::ElementMetadata> =
                        LazyLock::new(|| {
                            gst::subclass::ElementMetadata::new(
                                $long,
                                $class,
                                concat!($long, ": on an AX650N card"),
                                "the ax650 project",
                            )
                        });
                    Some(&METADATA)
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
                        LazyLock::new(|| crate::element::templates(&$sink, &$src));
                    &TEMPLATES
                }

                fn change_state(
                    &self,
                    transition: gst::StateChange,
                ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                    if transition == gst::StateChange::PausedToReady {
                        self.common.base.interrupt();
                    }
                    self.parent_change_state(transition)
                }
            }

            impl $base_impl for Imp {
                fn open(&self) -> Result<(), gst::ErrorMessage> {
                    let device = lock(&self.common.settings).device.clone();
                    self.common.base.open(device.as_deref())
                }

                fn close(&self) -> Result<(), gst::ErrorMessage> {
                    self.common.base.close();
                    Ok(())
                }

                fn start(&self) -> Result<(), gst::ErrorMessage> {
                    self.common.base.start();
                    self.parent_start()
                }

                fn stop(&self) -> Result<(), gst::ErrorMessage> {
                    self.common.base.stop();
                    self.parent_stop()
                }

                fn set_format(
                    &self,
                    state: &VideoCodecState<'static, Readable>,
                ) -> Result<(), gst::LoggableError> {
                    self.common.set_format(self.obj().upcast_ref(), state)?;
                    self.parent_set_format(state)
                }

                fn handle_frame(
                    &self,
                    frame: gst_video::VideoCodecFrame<'_>,
                ) -> Result<gst::FlowSuccess, gst::FlowError> {
                    self.common.handle_frame(self.obj().upcast_ref(), frame)
                }

                fn finish(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
                    self.common.drain(self.obj().upcast_ref())
                }

                fn flush(&self) -> bool {
                    self.common.base.flush();
                    true
                }

                $($methods)*
            }
        }

        gst::glib::wrapper! {
            #[doc = $long]
            pub struct $type(ObjectSubclass<$module::Imp>)
                @extends gst_video::$base, gst::Element, gst::Object
                $(, @implements gst::$interface)?;
        }

        impl $type {
            /// Registers the element, above the ranks of all software.
            pub fn register(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
                use gst::glib::prelude::StaticType;
                let rank = gst::Rank::PRIMARY + 1;
                gst::Element::register(Some(plugin), $element, rank, Self::static_type())
            }
        }
    };
}
pub(crate) use codec_element;
