// SPDX-License-Identifier: MIT OR Apache-2.0

//! The compiled part of the Python package `ax650`: cards, sessions, models and codecs without any knowledge of numpy.
//!
//! The package's Python files put arrays and the familiar call shapes over it.  Whatever waits for the card does so
//! without Python's lock, and looks for signals now and then.  No lock of this module is held meanwhile, so a `fork()` in
//! another thread finds all of them free.

mod binding;
mod card;
mod errors;
#[cfg(feature = "fake")]
mod fake;
mod image;
mod media;
mod model;
mod session;
mod slot;
mod wait;

use pyo3::prelude::*;

/// The module `ax650._ax650`.
#[pymodule]
fn _ax650(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<card::Card>()?;
    module.add_class::<session::Session>()?;
    module.add_class::<model::Model>()?;
    module.add_class::<binding::Binding>()?;
    module.add_class::<binding::Memory>()?;
    module.add_class::<binding::Run>()?;
    module.add_class::<image::Image>()?;
    module.add_class::<image::ImageProcessor>()?;
    module.add_class::<media::Decoder>()?;
    module.add_class::<media::Encoder>()?;
    module.add_function(wrap_pyfunction!(card::list_cards, module)?)?;
    module.add_function(wrap_pyfunction!(media::decode_jpeg, module)?)?;
    module.add_function(wrap_pyfunction!(media::split_packets, module)?)?;
    module.add_function(wrap_pyfunction!(media::stream_size, module)?)?;
    #[cfg(feature = "fake")]
    {
        module.add_class::<fake::FakeCard>()?;
        module.add_function(wrap_pyfunction!(fake::fake_model, module)?)?;
    }
    Ok(())
}
