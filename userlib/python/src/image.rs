// SPDX-License-Identifier: MIT OR Apache-2.0

//! Images on the card, and the processor that crops, scales and converts them there.

use ax650::media::{CardImage, ImageEngine, PictureLayout, Rect};
use ax650::Buffer;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

use crate::errors::{invalid, OrRaise};
use crate::session::Session;
use crate::slot::Slot;

/// An image in card memory.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Image {
    slot: Slot<CardImage>,
}

/// Columns and rows of a part of an image, behind the first column and row.
type Part = (u32, u32, u32, u32);

fn rect((x, y, width, height): Part) -> Rect {
    Rect {
        x,
        y,
        width,
        height,
    }
}

impl Image {
    /// Wraps an image.
    pub fn new(image: CardImage) -> Self {
        Self {
            slot: Slot::new("image", image),
        }
    }

    /// Returns a handle of the image.
    pub fn get(&self, py: Python<'_>) -> PyResult<CardImage> {
        self.slot.get(py)
    }
}

#[pymethods]
impl Image {
    /// Columns and rows, and whether it is NV12; else it is BGR.
    fn shape(&self, py: Python<'_>) -> PyResult<(u32, u32, bool)> {
        let image = self.get(py)?;
        let (width, height) = image.size();
        Ok((width, height, image.layout().is_ok()))
    }

    /// Makes a handle of a part of a picture.
    fn part(&self, py: Python<'_>, part: Part) -> PyResult<Self> {
        Ok(Self::new(self.get(py)?.part(rect(part)).or_raise(py)?))
    }

    /// Copies the image to the host, without what is between the rows.
    fn download<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        let image = self.get(py)?;
        let fetch = || -> ax650::Result<Buffer> {
            let buffer = image.session().buffer(image.host_size())?;
            image.fetch_bytes(&buffer)?;
            Ok(buffer)
        };
        let buffer = py.detach(fetch).or_raise(py)?;
        match image.layout() {
            Ok(layout) => pack(py, &buffer, layout),
            Err(_) => {
                let bytes = buffer.read().or_raise(py)?;
                Ok(PyByteArray::new(py, &bytes[..image.host_size()]))
            }
        }
    }

    /// Copies a picture without padding into the image.
    fn upload(&self, py: Python<'_>, picture: &Bound<'_, PyBytes>) -> PyResult<()> {
        let image = self.get(py)?;
        // Of more use than a word on its size.
        image.check_fill().or_raise(py)?;
        let layout = image.layout().or_raise(py)?;
        let buffer = unpack(py, image.session(), layout, picture.as_bytes())?;
        py.detach(|| image.fill(&buffer)).or_raise(py)
    }

    /// Lets go of the image; a second time does nothing.
    fn close(&self) {
        self.slot.take();
    }
}

/// The image processor of a card.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct ImageProcessor {
    slot: Slot<ax650::media::ImageProcessor>,
}

#[pymethods]
impl ImageProcessor {
    #[new]
    fn new(py: Python<'_>, session: &Session, engine: &str) -> PyResult<Self> {
        let engine = match engine {
            "vpp" => ImageEngine::Vpp,
            "tdp" => ImageEngine::Tdp,
            "vgp" => ImageEngine::Vgp,
            _ => {
                let text = format!("`{engine}` is no engine: vpp, tdp or vgp");
                return Err(invalid(py, text));
            }
        };
        let session = session.get(py)?;
        let processor = py
            .detach(|| ax650::media::ImageProcessor::new(&session, engine))
            .or_raise(py)?;
        Ok(Self {
            slot: Slot::new("image processor", processor),
        })
    }

    /// Makes an NV12 picture that is grey in all places.
    fn nv12(&self, py: Python<'_>, size: (u32, u32), grey: u8) -> PyResult<Image> {
        let processor = self.slot.get(py)?;
        let image = py.detach(|| processor.canvas(size.0, size.1, grey));
        Ok(Image::new(image.or_raise(py)?))
    }

    /// Makes room for blue, green and red bytes.
    fn bgr(&self, py: Python<'_>, size: (u32, u32)) -> PyResult<Image> {
        let processor = self.slot.get(py)?;
        // The image keeps the memory that comes with it.
        let made = py.detach(|| processor.tensor(size.0, size.1).map(|(image, _)| image));
        Ok(Image::new(made.or_raise(py)?))
    }

    /// Scales an image, or a part of it, to the size of another.
    fn resize(
        &self,
        py: Python<'_>,
        source: &Image,
        target: &Image,
        crop: Option<Part>,
    ) -> PyResult<()> {
        let processor = self.slot.get(py)?;
        let (source, target) = (source.get(py)?, target.get(py)?);
        py.detach(|| processor.resize(&source, crop.map(rect), &target))
            .or_raise(py)
    }

    /// Converts an image to the BGR of another.
    fn convert(&self, py: Python<'_>, source: &Image, target: &Image) -> PyResult<()> {
        let processor = self.slot.get(py)?;
        let (source, target) = (source.get(py)?, target.get(py)?);
        py.detach(|| processor.convert(&source, &target))
            .or_raise(py)
    }

    /// Lets go of the processor; a second time does nothing.
    fn close(&self) {
        self.slot.take();
    }
}

/// Copies a picture out of a buffer, without what is between the rows.
pub fn pack<'py>(
    py: Python<'py>,
    buffer: &Buffer,
    layout: PictureLayout,
) -> PyResult<Bound<'py, PyByteArray>> {
    let packed = PictureLayout::packed(layout.width, layout.height).or_raise(py)?;
    let bytes = buffer.read().or_raise(py)?;
    PyByteArray::new_with(py, packed.size(), |target| {
        for (to, from) in packed.rows_mut(target).zip(layout.rows(&bytes)) {
            to.copy_from_slice(from);
        }
        Ok(())
    })
}

/// Copies a picture without padding into a new buffer, where it lies as `layout` says.
pub fn unpack(
    py: Python<'_>,
    session: &ax650::Session,
    layout: PictureLayout,
    picture: &[u8],
) -> PyResult<Buffer> {
    let packed = PictureLayout::packed(layout.width, layout.height).or_raise(py)?;
    if picture.len() != packed.size() {
        let (given, wanted) = (picture.len(), packed.size());
        let text = format!("a picture of {given} bytes where one of {wanted} is needed");
        return Err(invalid(py, text));
    }
    let fill = || -> ax650::Result<Buffer> {
        let buffer = session.buffer(layout.size())?;
        let mut bytes = buffer.write()?;
        for (to, from) in layout.rows_mut(&mut bytes).zip(packed.rows(picture)) {
            to.copy_from_slice(from);
        }
        drop(bytes);
        Ok(buffer)
    };
    py.detach(fill).or_raise(py)
}
