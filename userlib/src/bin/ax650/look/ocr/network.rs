// SPDX-License-Identifier: MIT OR Apache-2.0

//! A model that is shown a picture, in the upper left corner of its input.

use std::path::{Path, PathBuf};

use ax650::vision::floats;
use ax650::{DataType, Model, Session};

use super::page::Page;
use super::tensors::Tensors;
use crate::failure::Failure;

/// Grey, for models that take bytes.
const GREY: u8 = 128;

/// What is done with the values of pixels, from 0 to 1: less the mean, by the deviation; blue, green, red.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Means.
    pub mean: [f32; 3],
    /// Deviations.
    pub deviation: [f32; 3],
}

/// What is shown to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A page, as large as its proportions permit.
    Page,
    /// A line, as high as the input; one that is too long is made narrower.
    Line,
}

/// Where in the input the picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Columns and rows of the input.
    pub canvas: (u32, u32),
    /// Columns and rows of the picture.
    pub inner: (u32, u32),
}

impl Place {
    fn of(shown: Shown, size: (u32, u32), canvas: (u32, u32)) -> Self {
        let [width, height, across, down] =
            [size.0, size.1, canvas.0, canvas.1].map(|n| u64::from(n.max(1)));
        let wide = (width * down).div_ceil(height);
        let inner = match shown {
            _ if wide <= across => (wide as u32, canvas.1),
            Shown::Page => (canvas.0, (across * height / width) as u32),
            Shown::Line => canvas,
        };
        Self {
            canvas,
            inner: (inner.0.max(1), inner.1.max(1)),
        }
    }

    /// Tells which of several canvases suits a picture best: the narrowest that it is as high as with its proportions, else
    /// the widest.
    fn best(size: (u32, u32), canvases: &[(u32, u32)]) -> usize {
        let places = || canvases.iter().enumerate();
        let is_as_high =
            |canvas: &(u32, u32)| Self::of(Shown::Page, size, *canvas).inner.1 == canvas.1;
        let narrowest = places()
            .filter(|(_, canvas)| is_as_high(canvas))
            .min_by_key(|(_, canvas)| canvas.0);
        narrowest
            .or_else(|| places().max_by_key(|(_, canvas)| canvas.0))
            .map_or(0, |(at, _)| at)
    }
}

/// How a model takes pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A plane for each colour, scaled.
    Planes,
    /// Bytes, as models compiled for the card usually take them; what scales them is in the model.
    Bytes,
}

/// A model.
pub struct Network {
    name: &'static str,
    path: PathBuf,
    model: Model,
    form: Form,
    shown: Shown,
    scale: Scale,
    /// Columns and rows of the input in each shape group.
    canvases: Vec<(u32, u32)>,
}

impl Network {
    /// Loads a model, and looks whether it takes pictures.
    pub fn load(
        session: &Session,
        name: &'static str,
        path: &Path,
        (shown, scale): (Shown, Scale),
    ) -> Result<Self, Failure> {
        let model = Model::load_file(session, path)?;
        let form = match model.inputs() {
            [input] if input.data_type == DataType::Fp32 => Form::Planes,
            [input] if input.data_type == DataType::Uint8 => Form::Bytes,
            _ => return Err(no_picture(path)),
        };
        let shapes = model.inputs()[0].shapes.iter();
        let canvases = shapes.map(|shape| match (form, &shape.dims[..]) {
            (Form::Planes, [1, 3, rows, columns]) | (Form::Bytes, [1, rows, columns, 3])
                if *rows > 0 && *columns > 0 =>
            {
                Ok((*columns, *rows))
            }
            _ => Err(no_picture(path)),
        });
        let canvases = canvases.collect::<Result<Vec<_>, _>>()?;
        if model.outputs().is_empty() || canvases.is_empty() {
            return Err(no_picture(path));
        }
        Ok(Self {
            name,
            path: path.into(),
            model,
            form,
            shown,
            scale,
            canvases,
        })
    }

    /// Says that the output of the model is no map.
    pub fn no_map(&self) -> Failure {
        let path = self.path.display();
        Failure::of(format!(
            "{path}: the model's output is no map of the picture"
        ))
    }

    /// Tells where a page is in the input.
    pub fn place(&self, page: &Page) -> Place {
        let canvas = self.canvases[Place::best(page.size(), &self.canvases)];
        Place::of(self.shown, page.size(), canvas)
    }

    /// Shows a page to the model; its first output, with its dimensions.
    pub fn run(
        &self,
        page: &Page,
        tensors: &mut Option<Tensors>,
    ) -> Result<(Vec<f32>, Vec<u32>), Failure> {
        let group = Place::best(page.size(), &self.canvases);
        let bytes = self.tensor(page);
        let binding = self.model.bind(group)?;
        binding.set_input(0, &bytes)?;
        binding.run()?;
        let (input, output) = (&self.model.inputs()[0], &self.model.outputs()[0]);
        let dims = output.shapes[group].dims.clone();
        let raw = binding.output(0)?;
        if let Some(tensors) = tensors {
            let from = (&input.shapes[group].dims[..], &bytes[..]);
            tensors.add(self.name, &input.name, from, (&dims, &raw))?;
        }
        let mut numbers = floats(&raw, output.data_type)?;
        // More bytes may follow the elements.
        numbers.truncate(output.shapes[group].elements().unwrap_or(0));
        Ok((numbers, dims))
    }

    /// Fills the input; beside the picture it is grey.
    fn tensor(&self, page: &Page) -> Vec<u8> {
        let Place { canvas, inner } = self.place(page);
        let (width, plane) = (canvas.0 as usize, canvas.0 as usize * canvas.1 as usize);
        let scaled = page.scaled(inner);
        match self.form {
            Form::Bytes => {
                let mut bytes = vec![GREY; 3 * plane];
                for (x, y, [red, green, blue]) in scaled {
                    bytes[3 * (y * width + x)..][..3].copy_from_slice(&[blue, green, red]);
                }
                bytes
            }
            Form::Planes => {
                let Scale { mean, deviation } = self.scale;
                let mut numbers = vec![0.0_f32; 3 * plane];
                for (x, y, [red, green, blue]) in scaled {
                    for (colour, byte) in [blue, green, red].into_iter().enumerate() {
                        let value = f32::from(byte) / 255.0;
                        numbers[colour * plane + y * width + x] =
                            (value - mean[colour]) / deviation[colour];
                    }
                }
                numbers.iter().flat_map(|v| v.to_le_bytes()).collect()
            }
        }
    }
}

fn no_picture(path: &Path) -> Failure {
    let path = path.display();
    Failure::of(format!(
        "{path}: a model is needed with one input, of fp32, 1x3xROWSxCOLUMNS, or of uint8, 1xROWSxCOLUMNSx3"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_keep_their_proportions() {
        let place = |size, canvas| Place::of(Shown::Page, size, canvas).inner;
        assert_eq!(place((960, 480), (960, 480)), (960, 480));
        assert_eq!(place((480, 480), (960, 480)), (480, 480));
        assert_eq!(place((1000, 100), (960, 480)), (960, 96));
        assert_eq!(place((60_000, 1), (320, 48)), (320, 1));
        assert_eq!(place((1, 60_000), (320, 48)), (1, 48));
    }

    #[test]
    fn lines_are_as_high_as_the_input() {
        let place = |size, canvas| Place::of(Shown::Line, size, canvas).inner;
        assert_eq!(place((100, 48), (320, 48)), (100, 48));
        assert_eq!(place((33, 10), (320, 48)), (159, 48));
        assert_eq!(place((1000, 48), (320, 48)), (320, 48));
        assert_eq!(place((1, 60_000), (320, 48)), (1, 48));
    }

    #[test]
    fn lines_take_the_narrowest_canvas_that_they_fit() {
        let canvases = [(640, 48), (320, 48), (960, 48)];
        for (size, best) in [
            ((100, 48), 1),
            ((320, 48), 1),
            ((321, 48), 0),
            ((900, 48), 2),
            ((5000, 48), 2),
            ((50, 100), 1),
        ] {
            assert_eq!(Place::best(size, &canvases), best, "{size:?}");
        }
    }
}
