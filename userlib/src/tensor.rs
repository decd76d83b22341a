// SPDX-License-Identifier: MIT OR Apache-2.0

//! Inputs and outputs of models.

use std::fmt;

use crate::error::{Error, Result};
use crate::proto::axclrpc::engine::{FormatKind, LayoutKind, Meta};

/// More dimensions than any model has.
const MAX_DIMENSIONS: usize = 16;

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name.
    pub name: String,
    /// Type of its elements.
    pub data_type: DataType,
    /// Order of its dimensions.
    pub layout: Layout,
    /// Its shape in each shape group; all tensors of a model have as many.
    pub shapes: Vec<Shape>,
}

/// A shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Dimensions, outermost first.
    pub dims: Vec<u32>,
    /// Bytes, which may be more than the elements need.
    pub size: usize,
}

/// Type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
#[non_exhaustive]
pub enum DataType {
    Int4,
    Uint4,
    Int8,
    Uint8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Uint64,
    Fp4,
    Fp8,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    /// A number that is not in the notes.
    Other(i32),
}

impl DataType {
    /// Bits of an element; `None` if not known.
    pub fn bits(self) -> Option<usize> {
        Some(match self {
            Self::Int4 | Self::Uint4 | Self::Fp4 => 4,
            Self::Int8 | Self::Uint8 | Self::Fp8 => 8,
            Self::Int16 | Self::Uint16 | Self::Fp16 | Self::Bf16 => 16,
            Self::Int32 | Self::Uint32 | Self::Fp32 => 32,
            Self::Int64 | Self::Uint64 | Self::Fp64 => 64,
            Self::Other(_) => return None,
        })
    }

    fn from_raw(raw: i32) -> Self {
        match FormatKind::try_from(raw) {
            Ok(FormatKind::Int4) => Self::Int4,
            Ok(FormatKind::Uint4) => Self::Uint4,
            Ok(FormatKind::Int8) => Self::Int8,
            Ok(FormatKind::Uint8) => Self::Uint8,
            Ok(FormatKind::Int16) => Self::Int16,
            Ok(FormatKind::Uint16) => Self::Uint16,
            Ok(FormatKind::Int32) => Self::Int32,
            Ok(FormatKind::Uint32) => Self::Uint32,
            Ok(FormatKind::Int64) => Self::Int64,
            Ok(FormatKind::Uint64) => Self::Uint64,
            Ok(FormatKind::Fp4) => Self::Fp4,
            Ok(FormatKind::Fp8) => Self::Fp8,
            Ok(FormatKind::Fp16) => Self::Fp16,
            Ok(FormatKind::Bf16) => Self::Bf16,
            Ok(FormatKind::Fp32) => Self::Fp32,
            Ok(FormatKind::Fp64) => Self::Fp64,
            Err(_) => Self::Other(raw),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(raw) => write!(f, "type {raw}"),
            known => f.pad(&format!("{known:?}").to_lowercase()),
        }
    }
}

/// Order of the dimensions of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Not a picture, or not known.
    None,
    /// Channels first.
    Nchw,
    /// Channels last.
    Nhwc,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "-",
            Self::Nchw => "nchw",
            Self::Nhwc => "nhwc",
        })
    }
}

impl Shape {
    /// Bytes that the elements need, without what may follow them; `None` if the type is not known.
    pub fn packed_size(&self, data_type: DataType) -> Option<usize> {
        let mut bits = data_type.bits()?;
        for dim in &self.dims {
            bits = bits.checked_mul(*dim as usize)?;
        }
        Some(bits.div_ceil(8))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.dims.iter().map(u32::to_string).collect();
        f.pad(&dims.join("x"))
    }
}

impl TensorInfo {
    /// Checks what the card says of a tensor.
    pub(crate) fn from_meta(meta: Meta) -> Result<Self> {
        let bad = |problem: String| {
            Err(Error::answer(
                "ask for inputs and outputs",
                format!("tensor `{}`: {problem}", meta.name),
            ))
        };
        let mut shapes = Vec::with_capacity(meta.groups.len());
        for group in &meta.groups {
            if group.size == 0 || group.size > u64::from(u32::MAX) {
                return bad(format!("{} bytes", group.size));
            }
            if group.dims.len() > MAX_DIMENSIONS {
                return bad(format!("{} dimensions", group.dims.len()));
            }
            let dims: Result<Vec<_>, _> =
                group.dims.iter().map(|dim| u32::try_from(*dim)).collect();
            let Ok(dims) = dims else {
                return bad("a negative dimension".into());
            };
            shapes.push(Shape {
                dims,
                size: group.size as usize,
            });
        }
        if shapes.is_empty() {
            return bad("no shape".into());
        }
        let layout = match LayoutKind::try_from(meta.layout) {
            Ok(LayoutKind::Nchw) => Layout::Nchw,
            Ok(LayoutKind::Nhwc) => Layout::Nhwc,
            Ok(LayoutKind::None) | Err(_) => Layout::None,
        };
        Ok(Self {
            data_type: DataType::from_raw(meta.format),
            layout,
            shapes,
            name: meta.name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::axclrpc::engine::OneMeta;

    fn meta(size: u64, dims: &[i32]) -> Meta {
        let group = OneMeta {
            size,
            dims: dims.to_vec(),
            stride: Vec::new(),
        };
        Meta {
            name: "x".into(),
            format: 14,
            layout: 1,
            groups: vec![group],
        }
    }

    #[test]
    fn good_and_bad_tensors() {
        let tensor = TensorInfo::from_meta(meta(4000, &[1, 1000])).unwrap();
        assert_eq!(tensor.data_type, DataType::Fp32);
        assert_eq!(tensor.shapes[0].packed_size(tensor.data_type), Some(4000));
        assert_eq!(tensor.shapes[0].to_string(), "1x1000");
        for (bad, problem) in [
            (meta(0, &[1]), "0 bytes"),
            (meta(1 << 33, &[1]), "8589934592 bytes"),
            (meta(4, &[-1]), "a negative dimension"),
            (meta(4, &[1; 17]), "17 dimensions"),
            (
                Meta {
                    groups: Vec::new(),
                    ..meta(4, &[1])
                },
                "no shape",
            ),
        ] {
            let error = TensorInfo::from_meta(bad).unwrap_err().to_string();
            assert!(error.ends_with(problem), "{error}");
        }
    }

    #[test]
    fn half_bytes_round_up() {
        let shape = Shape {
            dims: vec![3],
            size: 2,
        };
        assert_eq!(shape.packed_size(DataType::Int4), Some(2));
        assert_eq!(shape.packed_size(DataType::Other(99)), None);
    }
}
