// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tensors between card memory, which has bytes, and ONNX Runtime, which has types.

use std::fmt::Debug;

use half::{bf16, f16};
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::SessionInputValue;
use ort::tensor::{PrimitiveTensorElementType, TensorElementType};
use ort::value::{DynValue, Tensor, TensorRefMut, ValueType};

/// Element types, with the numbers of the public API, which are those on the wire (`FormatKind` of
/// the engine's schema).  The native ENGINE module counts otherwise: see `native::engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Format {
    Int8 = 3,
    Uint8 = 4,
    Int16 = 5,
    Uint16 = 6,
    Int32 = 7,
    Uint32 = 8,
    Int64 = 9,
    Uint64 = 10,
    Fp16 = 13,
    Bf16 = 14,
    Fp32 = 15,
    Fp64 = 16,
}

impl Format {
    /// The format of an element type of ONNX Runtime.  Truth values, for which the card has no number,
    /// are bytes of 0 and 1.
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

/// The name of an element type of the ONNX standard that this card's runtime does not take for an
/// input or output; the binding to ONNX Runtime does not survive being asked.
pub(crate) fn refused_element(number: i32) -> Option<&'static str> {
    Some(match number {
        8 => "string",
        14 => "complex64",
        15 => "complex128",
        17 => "float8e4m3fn",
        18 => "float8e4m3fnuz",
        19 => "float8e5m2",
        20 => "float8e5m2fnuz",
        21 => "uint4",
        22 => "int4",
        23 => "float4e2m1",
        24 => "float8e8m0",
        _ => return None,
    })
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
) -> ort::Result<SessionInputValue<'static>> {
    if shape.contains(&0) {
        return empty(element, shape);
    }
    with_type!(element,
        T => {
            let elements: Vec<T> = bytemuck::pod_collect_to_vec(bytes);
            Tensor::from_array((shape, elements)).map(Into::into)
        },
        bool => {
            let elements: Vec<bool> = bytes.iter().map(|b| *b != 0).collect();
            Tensor::from_array((shape, elements)).map(Into::into)
        },
        none => Err(ort::Error::new("tensors of strings"))
    )
}

/// A tensor without elements, of which the binding makes none by its safe functions.
fn empty(element: TensorElementType, shape: &[i64]) -> ort::Result<SessionInputValue<'static>> {
    fn of<T: PrimitiveTensorElementType + Debug>(
        shape: &[i64],
    ) -> ort::Result<SessionInputValue<'static>> {
        let memory = MemoryInfo::new(
            AllocationDevice::CPU,
            0,
            AllocatorType::Device,
            MemoryType::CPUInput,
        )?;
        let nothing = std::ptr::NonNull::<T>::dangling().as_ptr();
        // SAFETY: a dimension is 0, so the tensor has no bytes and nothing is read or written through
        // the pointer, which is aligned.
        unsafe { TensorRefMut::<T>::from_raw(memory, nothing.cast(), shape.to_vec()) }
            .map(Into::into)
    }
    with_type!(element,
        T => of::<T>(shape),
        bool => of::<bool>(shape),
        none => Err(ort::Error::new("tensors of strings"))
    )
}

/// The shape of a tensor and the bytes that card memory gets for it.
pub(crate) fn to_bytes(
    element: TensorElementType,
    value: &DynValue,
) -> ort::Result<(Vec<i64>, Vec<u8>)> {
    // Such a tensor may have no memory at all, which the binding takes for an error.
    if let ValueType::Tensor { dimensions, .. } = value.dtype() {
        if dimensions.contains(&0) {
            return Ok((dimensions.clone(), Vec::new()));
        }
    }
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
