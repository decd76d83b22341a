// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures as inputs of models.

use half::{bf16, f16};

use crate::binding::Binding;
use crate::dtype::{DataType, Layout};
use crate::error::{Error, Result};
use crate::tensor::{Shape, TensorInfo, TensorKey};

/// A picture: red, green and blue of each pixel, 8 bits each, row by row without gaps.
#[derive(Debug, Clone, Copy)]
pub struct Pixels<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

impl<'a> Pixels<'a> {
    /// Makes a picture of the pixels in `rgb`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: so many columns and rows are not so many bytes.
    pub fn new(width: usize, height: usize, rgb: &'a [u8]) -> Result<Self> {
        let size = width
            .checked_mul(height)
            .and_then(|count| count.checked_mul(3));
        if size != Some(rgb.len()) {
            let len = rgb.len();
            return Err(Error::invalid(format!(
                "{len} bytes are no picture of {width}x{height} in RGB"
            )));
        }
        Ok(Self { width, height, rgb })
    }
}

/// What models want to have done with the numbers of pixels: `(number - mean) * scale`, for red, green and blue.
///
/// The default leaves them as they are, 0 to 255, red first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    mean: [f32; 3],
    scale: [f32; 3],
    blue_first: bool,
}

impl Default for Normalize {
    fn default() -> Self {
        Self {
            mean: [0.0; 3],
            scale: [1.0; 3],
            blue_first: false,
        }
    }
}

impl Normalize {
    /// Numbers from 0 to 1.
    pub fn unit() -> Self {
        Self::default().scale([1.0 / 255.0; 3])
    }

    /// Sets what is taken from red, green and blue.
    pub fn mean(mut self, mean: [f32; 3]) -> Self {
        self.mean = mean;
        self
    }

    /// Sets what the differences are multiplied with.
    pub fn scale(mut self, scale: [f32; 3]) -> Self {
        self.scale = scale;
        self
    }

    /// Puts blue first, for models that want it so.
    pub fn blue_first(mut self) -> Self {
        self.blue_first = true;
        self
    }

    /// Computes the model's number `channel` of the three of a pixel.
    fn apply(&self, pixel: &[u8], channel: usize) -> f32 {
        let color = if self.blue_first {
            2 - channel
        } else {
            channel
        };
        (f32::from(pixel[color]) - self.mean[color]) * self.scale[color]
    }
}

/// Where the channels of a picture are in a tensor, and how large it is.
struct Order {
    channels_last: bool,
    width: usize,
    height: usize,
}

impl Order {
    fn of(tensor: &TensorInfo, shape: &Shape) -> Result<Self> {
        let dims = match *shape.dims.as_slice() {
            [1, a, b, c] | [a, b, c] => [a as usize, b as usize, c as usize],
            _ => {
                return Err(no_picture(
                    tensor,
                    shape,
                    "not the dimensions of one picture",
                ))
            }
        };
        let (first, last) = (dims[0] == 3, dims[2] == 3);
        let channels_last = match (tensor.layout, last, first) {
            (Layout::Nhwc, true, _) => true,
            (Layout::Nchw, _, true) => false,
            (Layout::None | Layout::Unknown(_), true, false) => true,
            (Layout::None | Layout::Unknown(_), false, true) => false,
            (Layout::None | Layout::Unknown(_), true, true) => {
                return Err(no_picture(
                    tensor,
                    shape,
                    "which dimension has the channels is not said",
                ))
            }
            _ => return Err(no_picture(tensor, shape, "not three channels")),
        };
        let (height, width) = match (channels_last, dims) {
            (true, [height, width, _]) | (false, [_, height, width]) => (height, width),
        };
        Ok(Self {
            channels_last,
            width,
            height,
        })
    }
}

fn no_picture(tensor: &TensorInfo, shape: &Shape, problem: &str) -> Error {
    let (name, kind, layout) = (&tensor.name, tensor.data_type, tensor.layout);
    Error::invalid(format!(
        "input `{name}` ({kind} {shape}, layout {layout}) takes no picture: {problem}"
    ))
}

/// Writes `values` as numbers of `N` bytes.
fn write<const N: usize>(
    bytes: &mut [u8],
    values: impl Iterator<Item = f32>,
    convert: impl Fn(f32) -> [u8; N],
) {
    for (place, value) in bytes.chunks_exact_mut(N).zip(values) {
        place.copy_from_slice(&convert(value));
    }
}

impl Binding {
    /// Makes a picture an input, by number or name: of the input's order of dimensions and type (8 bits, which are rounded,
    /// or floating point).  It must have the input's size.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::input`]; [`Error::Invalid`]: the input takes no picture, or one of another size.
    pub fn set_pixels(
        &self,
        which: impl TensorKey,
        pixels: &Pixels<'_>,
        normalize: &Normalize,
    ) -> Result<()> {
        let index = which.index(self.model().inputs(), "input")?;
        let tensor = &self.model().inputs()[index];
        let shape = &tensor.shapes[self.group()];
        let order = Order::of(tensor, shape)?;
        let Pixels { width, height, rgb } = *pixels;
        if (order.width, order.height) != (width, height) {
            let wanted = format!("{}x{}", order.width, order.height);
            let problem = format!("it has {width}x{height}, but {wanted} are wanted");
            return Err(no_picture(tensor, shape, &problem));
        }
        let mut input = self.input(index)?;
        if tensor
            .data_type
            .bytes()
            .is_none_or(|one| rgb.len() * one > input.len())
        {
            return Err(no_picture(tensor, shape, "too few bytes"));
        }
        let by_pixel = |at: usize| normalize.apply(&rgb[at / 3 * 3..], at % 3);
        let plane = width * height;
        let by_plane = |at: usize| normalize.apply(&rgb[at % plane * 3..], at / plane);
        let values = (0..rgb.len()).map(|at| match order.channels_last {
            true => by_pixel(at),
            false => by_plane(at),
        });
        // Casts of floating point numbers saturate.
        match tensor.data_type {
            DataType::Uint8 => write(&mut input, values, |value| [value.round() as u8]),
            DataType::Int8 => write(&mut input, values, |value| {
                (value.round() as i8).to_le_bytes()
            }),
            DataType::Fp16 => write(&mut input, values, |value| {
                f16::from_f32(value).to_le_bytes()
            }),
            DataType::Bf16 => write(&mut input, values, |value| {
                bf16::from_f32(value).to_le_bytes()
            }),
            DataType::Fp32 => write(&mut input, values, f32::to_le_bytes),
            _ => {
                return Err(no_picture(
                    tensor,
                    shape,
                    "a type that pictures do not have",
                ))
            }
        }
        Ok(())
    }
}
