// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the outputs of models that look at pictures mean: boxes, classes, embeddings, text.
//!
//! All of this is computed on the host, from the bytes that a model has left; where pictures are is
//! [`media`](crate::media)'s.

mod characters;
mod scores;
mod text_areas;
mod yolo;

pub use characters::Characters;
pub use scores::{normalize, softmax, top};
pub use text_areas::{TextArea, TextFinder};
pub use yolo::{BoxFinder, Detection};

use half::{bf16, f16};

use crate::dtype::DataType;
use crate::error::{Error, Result};

/// Reads the elements of a tensor as float32: those of fp32, fp16 and bf16, and integers of 8 bits as they are.
///
/// # Errors
///
/// [`Error::Invalid`]: elements of another type, or bytes that are no whole number of them.
pub fn floats(bytes: &[u8], data_type: DataType) -> Result<Vec<f32>> {
    let size = match data_type {
        DataType::Fp32 => 4,
        DataType::Fp16 | DataType::Bf16 => 2,
        DataType::Uint8 | DataType::Int8 => 1,
        other => {
            return Err(Error::invalid(format!(
                "numbers of type {other}, where fp32, fp16, bf16, uint8 or int8 is needed"
            )))
        }
    };
    if bytes.len() % size != 0 {
        let len = bytes.len();
        return Err(Error::invalid(format!("{len} bytes of {data_type}")));
    }
    let read = |raw: &[u8]| match (data_type, raw) {
        (DataType::Fp32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (DataType::Fp16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
        (DataType::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
        (DataType::Int8, &[a]) => f32::from(a as i8),
        (_, raw) => f32::from(raw[0]),
    };
    Ok(bytes.chunks_exact(size).map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_types() {
        let one = |bytes: &[u8], kind| floats(bytes, kind).unwrap();
        assert_eq!(one(&1.5_f32.to_le_bytes(), DataType::Fp32), [1.5]);
        assert_eq!(
            one(&f16::from_f32(-2.0).to_le_bytes(), DataType::Fp16),
            [-2.0]
        );
        assert_eq!(
            one(&bf16::from_f32(3.0).to_le_bytes(), DataType::Bf16),
            [3.0]
        );
        assert_eq!(one(&[255, 1], DataType::Int8), [-1.0, 1.0]);
        assert_eq!(one(&[255], DataType::Uint8), [255.0]);
        assert!(floats(&[0; 3], DataType::Fp16).is_err());
        assert!(floats(&[0; 8], DataType::Int64).is_err());
    }
}
