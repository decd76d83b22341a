// SPDX-License-Identifier: MIT OR Apache-2.0

//! Inputs and outputs of models.

use std::fmt;

use crate::dtype::{DataType, Layout};
use crate::error::{Error, Result};
use crate::proto::axclrpc::engine::Meta;

/// More dimensions than any model has.
const MAX_DIMENSIONS: usize = 16;

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name of the tensor.
    pub name: String,
    /// Type of the tensor's elements.
    pub data_type: DataType,
    /// Order of the tensor's dimensions.
    pub layout: Layout,
    /// Shape of the tensor in each shape group; all tensors of a model have as many.
    pub shapes: Vec<Shape>,
}

/// Shape of a tensor in one shape group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Dimensions, outermost first.
    pub dims: Vec<u32>,
    /// Bytes, which may be more than the elements need.
    pub size: usize,
}

impl Shape {
    /// Bytes that the elements need, without what may follow them; `None` if the type is not known.
    pub fn packed_size(&self, data_type: DataType) -> Option<usize> {
        let bits = self.elements()?.checked_mul(data_type.bits()?)?;
        Some(bits.div_ceil(8))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.dims.iter().map(u32::to_string).collect();
        f.pad(&dims.join("x"))
    }
}

impl Shape {
    /// Elements; `None` if they are more than can be counted.
    pub fn elements(&self) -> Option<usize> {
        self.dims
            .iter()
            .try_fold(1_usize, |count, dim| count.checked_mul(*dim as usize))
    }
}

/// Names a tensor among the inputs or the outputs of a model: by its number, from 0, or by its name.
pub trait TensorKey: sealed::Sealed {
    /// Finds the number of the tensor.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there is no such one; the text names those that there are.
    fn index(&self, tensors: &[TensorInfo], kind: &str) -> Result<usize>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for usize {}
    impl Sealed for &str {}
    impl Sealed for &String {}
}

impl TensorKey for usize {
    fn index(&self, tensors: &[TensorInfo], kind: &str) -> Result<usize> {
        let count = tensors.len();
        match *self < count {
            true => Ok(*self),
            false => Err(Error::invalid(format!(
                "{kind} {self} of a model that has {count}"
            ))),
        }
    }
}

impl TensorKey for &str {
    fn index(&self, tensors: &[TensorInfo], kind: &str) -> Result<usize> {
        let found = tensors.iter().position(|tensor| tensor.name == *self);
        found.ok_or_else(|| {
            let names: Vec<_> = tensors.iter().map(|tensor| &*tensor.name).collect();
            let names = names.join(", ");
            Error::invalid(format!("no {kind} is named `{self}`; there are: {names}"))
        })
    }
}

impl TensorKey for &String {
    fn index(&self, tensors: &[TensorInfo], kind: &str) -> Result<usize> {
        self.as_str().index(tensors, kind)
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
            if group.size > u64::from(u32::MAX) {
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
        Ok(Self {
            data_type: DataType::from_number(meta.format),
            layout: Layout::from_number(meta.layout),
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
            layout: 1,
            format: 15,
            groups: vec![group],
        }
    }

    #[test]
    fn good_and_bad_tensors() {
        let tensor = TensorInfo::from_meta(meta(4000, &[1, 1000])).unwrap();
        assert_eq!(tensor.data_type, DataType::Fp32);
        assert_eq!(tensor.layout, Layout::Nhwc);
        assert_eq!(tensor.shapes[0].packed_size(tensor.data_type), Some(4000));
        assert_eq!(tensor.shapes[0].to_string(), "1x1000");
        for (bad, problem) in [
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
        assert_eq!(shape.packed_size(DataType::Unknown(99)), None);
    }
}
