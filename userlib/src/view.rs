// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tensors as Rust's numbers instead of bytes.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use half::{bf16, f16};

use crate::buffer::{ReadGuard, WriteGuard};
use crate::dtype::DataType;
use crate::error::{Error, Result};
use crate::tensor::{Shape, TensorInfo};

/// A Rust type that elements of tensors can be copied from and to.
pub trait Element: sealed::Element {}

/// An [`Element`] for which any bytes are a value, so that tensors can be looked at in place.
pub trait Viewed: Element + bytemuck::Pod {}

mod sealed {
    use super::DataType;

    pub trait Element: Copy {
        /// Rust's name of the type.
        const NAME: &'static str;
        /// Types of tensor elements that the Rust type can hold.
        const TYPES: &'static [DataType];
        /// Bytes of one element.
        const BYTES: usize;
        fn load(bytes: &[u8]) -> Self;
        fn store(self, bytes: &mut [u8]);
    }
}

macro_rules! elements {
    ($($rust:ty: $($kind:ident)|*;)*) => {$(
        impl Element for $rust {}
        impl Viewed for $rust {}
        impl sealed::Element for $rust {
            const NAME: &'static str = stringify!($rust);
            const TYPES: &'static [DataType] = &[$(DataType::$kind),*];
            const BYTES: usize = size_of::<$rust>();
            fn load(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many as one has"))
            }
            fn store(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

elements! {
    f32: Fp32;
    f64: Fp64;
    f16: Fp16;
    bf16: Bf16;
    i8: Int8;
    u8: Uint8 | Fp8;
    i16: Int16;
    u16: Uint16;
    i32: Int32;
    u32: Uint32;
    i64: Int64;
    u64: Uint64;
}

/// Truth values travel as bytes; all but 0 are true.
impl Element for bool {}
impl sealed::Element for bool {
    const NAME: &'static str = "bool";
    const TYPES: &'static [DataType] = &[DataType::Uint8, DataType::Int8];
    const BYTES: usize = 1;
    fn load(bytes: &[u8]) -> Self {
        bytes != [0]
    }
    fn store(self, bytes: &mut [u8]) {
        bytes.fill(u8::from(self));
    }
}

/// Returns how many elements the tensor has, if they are `T`s and all in its bytes.
fn count<T: Element>(tensor: &TensorInfo, shape: &Shape, bytes: usize) -> Result<usize> {
    let (name, kind) = (&tensor.name, tensor.data_type);
    if !T::TYPES.contains(&kind) {
        let wanted = T::NAME;
        return Err(Error::invalid(format!(
            "tensor `{name}` has elements of type {kind}, not {wanted}"
        )));
    }
    let count = shape.elements();
    count
        .filter(|count| {
            count
                .checked_mul(T::BYTES)
                .is_some_and(|needed| needed <= bytes)
        })
        .ok_or_else(|| {
            Error::invalid(format!(
                "tensor `{name}` of {shape} {kind} is not in {bytes} bytes"
            ))
        })
}

/// Copies elements into the bytes of a tensor.
pub(crate) fn store<T: Element>(
    tensor: &TensorInfo,
    shape: &Shape,
    values: &[T],
    bytes: &mut [u8],
) -> Result<()> {
    let count = count::<T>(tensor, shape, bytes.len())?;
    if values.len() != count {
        let (given, name) = (values.len(), &tensor.name);
        return Err(Error::invalid(format!(
            "{given} elements for tensor `{name}`, which has {count}"
        )));
    }
    for (value, place) in values.iter().zip(bytes.chunks_exact_mut(T::BYTES)) {
        value.store(place);
    }
    Ok(())
}

/// Copies the elements of a tensor out of its bytes.
pub(crate) fn load<T: Element>(tensor: &TensorInfo, shape: &Shape, bytes: &[u8]) -> Result<Vec<T>> {
    let count = count::<T>(tensor, shape, bytes.len())?;
    Ok(bytes
        .chunks_exact(T::BYTES)
        .take(count)
        .map(T::load)
        .collect())
}

/// Returns how many bytes can be looked at as `T`s, if they are that.
fn viewed<T: Viewed>(tensor: &TensorInfo, shape: &Shape, bytes: &[u8]) -> Result<usize> {
    let len = count::<T>(tensor, shape, bytes.len())? * T::BYTES;
    if cfg!(target_endian = "big") && T::BYTES > 1 {
        return Err(Error::invalid(
            "the card's numbers are little endian and this machine's are not: copy them instead",
        ));
    }
    match bytemuck::try_cast_slice::<u8, T>(&bytes[..len]) {
        Ok(_) => Ok(len),
        Err(error) => Err(Error::invalid(format!("tensor `{}`: {error}", tensor.name))),
    }
}

/// Elements of a tensor in a buffer, to read.
#[derive(Debug)]
pub struct Elements<'a, T> {
    guard: ReadGuard<'a>,
    element: PhantomData<T>,
}

impl<'a, T: Viewed> Elements<'a, T> {
    pub(crate) fn new(tensor: &TensorInfo, shape: &Shape, guard: ReadGuard<'a>) -> Result<Self> {
        let len = viewed::<T>(tensor, shape, &guard)?;
        Ok(Self {
            guard: guard.narrow(0..len),
            element: PhantomData,
        })
    }
}

impl<T: Viewed> Deref for Elements<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.guard)
    }
}

/// Elements of a tensor in a buffer, to write.
#[derive(Debug)]
pub struct ElementsMut<'a, T> {
    guard: WriteGuard<'a>,
    element: PhantomData<T>,
}

impl<'a, T: Viewed> ElementsMut<'a, T> {
    pub(crate) fn new(tensor: &TensorInfo, shape: &Shape, guard: WriteGuard<'a>) -> Result<Self> {
        let len = viewed::<T>(tensor, shape, &guard)?;
        Ok(Self {
            guard: guard.narrow(0..len),
            element: PhantomData,
        })
    }
}

impl<T: Viewed> Deref for ElementsMut<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&self.guard)
    }
}

impl<T: Viewed> DerefMut for ElementsMut<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.guard)
    }
}
