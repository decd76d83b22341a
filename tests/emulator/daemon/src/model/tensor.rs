// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tensors between card memory, which has bytes, and ONNX Runtime, which has types.

use half::{bf16, f16};
use ort::tensor::TensorElementType;
use ort::value::{DynTensor, DynValue, Tensor};

/// Element types, with the card's numbers (`FormatKind` of the engine's schema).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Format {
    Int8 = 2,
    Uint8 = 3,
    Int16 = 4,
    Uint16 = 5,
    Int32 = 6,
    Uint32 = 7,
    Int64 = 8,
    Uint64 = 9,
    Fp16 = 12,
    Bf16 = 13,
    Fp32 = 14,
    Fp64 = 15,
}

impl Format {
    /// The format of an element type of ONNX Runtime.  Truth values are bytes on the card.
    pub(crate) fn of(element: TensorElementType) -> Option<Self> {
        Some(match element {
            TensorElementType::Int8 => Self::Int8,
            TensorElementType::Uint8 | TensorElementType::Bool => Self::Uint8,
            TensorElementType::Int16 => Self::Int16,
            TensorElementType::Uint16 => Self::Uint16,
            TensorElementType::Int32 => Self::Int32,
            TensorElementType::Uint32 => Self::Uint32,
            TensorElementType::Int64 => Self::Int64,
            TensorElementType::Uint64 => Self::Uint64,
            TensorElementType::Float16 => Self::Fp16,
            TensorElementType::Bfloat16 => Self::Bf16,
            TensorElementType::Float32 => Self::Fp32,
            TensorElementType::Float64 => Self::Fp64,
            TensorElementType::String => return None,
        })
    }

    /// Bytes of one element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 | Self::Fp16 | Self::Bf16 => 2,
            Self::Int32 | Self::Uint32 | Self::Fp32 => 4,
            Self::Int64 | Self::Uint64 | Self::Fp64 => 8,
        }
    }
}

/// Runs `$body` with `$type` being the Rust type of an element type.
macro_rules! with_type {
    ($element:expr, $type:ident => $body:expr, bool => $bool:expr, none => $none:expr) => {
        match $element {
            TensorElementType::Int8 => with_type!(@ i8, $type, $body),
            TensorElementType::Uint8 => with_type!(@ u8, $type, $body),
            TensorElementType::Int16 => with_type!(@ i16, $type, $body),
            TensorElementType::Uint16 => with_type!(@ u16, $type, $body),
            TensorElementType::Int32 => with_type!(@ i32, $type, $body),
            TensorElementType::Uint32 => with_type!(@ u32, $type, $body),
            TensorElementType::Int64 => with_type!(@ i64, $type, $body),
            TensorElementType::Uint64 => with_type!(@ u64, $type, $body),
            TensorElementType::Float16 => with_type!(@ f16, $type, $body),
            TensorElementType::Bfloat16 => with_type!(@ bf16, $type, $body),
            TensorElementType::Float32 => with_type!(@ f32, $type, $body),
            TensorElementType::Float64 => with_type!(@ f64, $type, $body),
            TensorElementType::Bool => $bool,
            TensorElementType::String => $none,
        }
    };
    (@ $actual:ty, $type:ident, $body:expr) => {{
        type $type = $actual;
        $body
    }};
}

/// A tensor of `shape` with the bytes that card memory has for it.
pub(crate) fn from_bytes(
    element: TensorElementType,
    shape: &[i64],
    bytes: &[u8],
) -> ort::Result<DynTensor> {
    with_type!(element,
        T => {
            let elements: Vec<T> = bytemuck::pod_collect_to_vec(bytes);
            Tensor::from_array((shape, elements)).map(Tensor::upcast)
        },
        bool => {
            let elements: Vec<bool> = bytes.iter().map(|b| *b != 0).collect();
            Tensor::from_array((shape, elements)).map(Tensor::upcast)
        },
        none => Err(ort::Error::new("tensors of strings"))
    )
}

/// The shape of a tensor and the bytes that card memory gets for it.
pub(crate) fn to_bytes(
    element: TensorElementType,
    value: &DynValue,
) -> ort::Result<(Vec<i64>, Vec<u8>)> {
    with_type!(element,
        T => {
            let (shape, elements) = value.try_extract_raw_tensor::<T>()?;
            Ok((shape.to_vec(), bytemuck::cast_slice(elements).to_vec()))
        },
        bool => {
            let (shape, elements) = value.try_extract_raw_tensor::<bool>()?;
            Ok((shape.to_vec(), elements.iter().map(|b| u8::from(*b)).collect()))
        },
        none => Err(ort::Error::new("tensors of strings"))
    )
}
