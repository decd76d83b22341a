// SPDX-License-Identifier: MIT OR Apache-2.0

//! Types of the elements of tensors, and the order of their dimensions [rpc 6]: the numbers are those of AXCL's public
//! interface, which the card's engine service uses unchanged.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

macro_rules! data_types {
    ($($variant:ident = $number:literal, $name:literal, $bits:expr, $numpy:expr;)*) => {
        /// Type of an element.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // the names say it
        #[non_exhaustive]
        pub enum DataType {
            $($variant,)*
            /// A number that this library does not know.
            Unknown(i32),
        }

        impl DataType {
            /// All types that this library knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the type with this number.
            pub fn from_number(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Unknown(other),
                }
            }

            /// Returns the type's number on the wire and in AXCL's public interface.
            pub fn number(self) -> i32 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Unknown(number) => number,
                }
            }

            /// Returns the type's name, as in [`fmt::Display`]; `None` if it has none.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)*
                    Self::Unknown(_) => None,
                }
            }

            /// Bits of an element; `None` if not known.
            pub fn bits(self) -> Option<usize> {
                match self {
                    $(Self::$variant => $bits,)*
                    Self::Unknown(_) => None,
                }
            }

            /// Returns the name of numpy's dtype for such elements; `None` if numpy has none.
            pub fn numpy_name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => $numpy,)*
                    Self::Unknown(_) => None,
                }
            }
        }
    };
}

data_types! {
    None = 0, "none", None, None;
    Int4 = 1, "int4", Some(4), None;
    Uint4 = 2, "uint4", Some(4), None;
    Int8 = 3, "int8", Some(8), Some("int8");
    Uint8 = 4, "uint8", Some(8), Some("uint8");
    Int16 = 5, "int16", Some(16), Some("int16");
    Uint16 = 6, "uint16", Some(16), Some("uint16");
    Int32 = 7, "int32", Some(32), Some("int32");
    Uint32 = 8, "uint32", Some(32), Some("uint32");
    Int64 = 9, "int64", Some(64), Some("int64");
    Uint64 = 10, "uint64", Some(64), Some("uint64");
    Fp4 = 11, "fp4", Some(4), None;
    Fp8 = 12, "fp8", Some(8), None;
    Fp16 = 13, "fp16", Some(16), Some("float16");
    Bf16 = 14, "bf16", Some(16), None;
    Fp32 = 15, "fp32", Some(32), Some("float32");
    Fp64 = 16, "fp64", Some(64), Some("float64");
}

impl DataType {
    /// Bytes of an element; `None` if not known, or if elements share bytes.
    pub fn bytes(self) -> Option<usize> {
        self.bits()
            .filter(|bits| bits % 8 == 0)
            .map(|bits| bits / 8)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("type {}", self.number())),
        }
    }
}

impl FromStr for DataType {
    type Err = Error;

    /// Takes what [`fmt::Display`] writes, and numpy's names.
    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL
            .iter()
            .find(|kind| kind.name() == Some(text) || kind.numpy_name() == Some(text));
        let numbered = || text.strip_prefix("type ")?.parse().ok();
        known
            .copied()
            .or_else(|| numbered().map(Self::from_number))
            .ok_or_else(|| Error::invalid(format!("`{text}` is no type of tensor elements")))
    }
}

/// Order of the dimensions of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// Not a picture, or not said.
    None,
    /// Channels last.
    Nhwc,
    /// Channels first.
    Nchw,
    /// A number that this library does not know.
    Unknown(i32),
}

impl Layout {
    /// Returns the layout with this number.
    pub fn from_number(number: i32) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Nhwc,
            2 => Self::Nchw,
            other => Self::Unknown(other),
        }
    }

    /// Returns the layout's number on the wire and in AXCL's public interface.
    pub fn number(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Nhwc => 1,
            Self::Nchw => 2,
            Self::Unknown(number) => number,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("-"),
            Self::Nhwc => f.pad("nhwc"),
            Self::Nchw => f.pad("nchw"),
            Self::Unknown(number) => f.pad(&format!("layout {number}")),
        }
    }
}

impl FromStr for Layout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let numbered = || text.strip_prefix("layout ")?.parse().ok();
        match text {
            "-" => Ok(Self::None),
            "nhwc" => Ok(Self::Nhwc),
            "nchw" => Ok(Self::Nchw),
            _ => numbered()
                .map(Self::from_number)
                .ok_or_else(|| Error::invalid(format!("`{text}` is no order of dimensions"))),
        }
    }
}

#[cfg(test)]
#[allow(non_snake_case)] // named after the requirement
mod tests {
    use super::*;

    /// Compares with the numbers of AXCL's public interface, written down once more by hand.
    #[test]
    fn S1_numbers_are_the_public_ones() {
        let public = [
            (1, "int4", Some(4), None),
            (2, "uint4", Some(4), None),
            (3, "int8", Some(8), Some("int8")),
            (4, "uint8", Some(8), Some("uint8")),
            (5, "int16", Some(16), Some("int16")),
            (6, "uint16", Some(16), Some("uint16")),
            (7, "int32", Some(32), Some("int32")),
            (8, "uint32", Some(32), Some("uint32")),
            (9, "int64", Some(64), Some("int64")),
            (10, "uint64", Some(64), Some("uint64")),
            (11, "fp4", Some(4), None),
            (12, "fp8", Some(8), None),
            (13, "fp16", Some(16), Some("float16")),
            (14, "bf16", Some(16), None),
            (15, "fp32", Some(32), Some("float32")),
            (16, "fp64", Some(64), Some("float64")),
        ];
        assert_eq!(DataType::ALL.len(), public.len() + 1);
        for (number, name, bits, numpy) in public {
            let kind = DataType::from_number(number);
            assert_eq!(kind.number(), number);
            assert_eq!(kind.to_string(), name);
            assert_eq!((kind.bits(), kind.numpy_name()), (bits, numpy));
            assert_eq!(name.parse::<DataType>().unwrap(), kind);
            if let Some(numpy) = numpy {
                assert_eq!(numpy.parse::<DataType>().unwrap(), kind);
            }
        }
        for (number, name) in [(0, "-"), (1, "nhwc"), (2, "nchw"), (3, "layout 3")] {
            let layout = Layout::from_number(number);
            assert_eq!((layout.number(), layout.to_string()), (number, name.into()));
            assert_eq!(name.parse::<Layout>().unwrap(), layout);
        }
    }

    #[test]
    fn S1_unknown_numbers_are_kept() {
        for number in [-1, 17, 99, i32::MAX] {
            let kind = DataType::from_number(number);
            assert_eq!((kind, kind.bits()), (DataType::Unknown(number), None));
            assert_eq!(kind.to_string().parse::<DataType>().unwrap(), kind);
        }
        assert!("fp33".parse::<DataType>().is_err() && "".parse::<DataType>().is_err());
        assert_eq!(DataType::Int4.bytes(), None);
        assert_eq!(DataType::Bf16.bytes(), Some(2));
    }
}
