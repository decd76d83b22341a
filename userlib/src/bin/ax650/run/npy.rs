// SPDX-License-Identifier: MIT OR Apache-2.0

//! Arrays in NumPy's .npy files (format version 1 to 3, little endian, C order).

use ax650::DataType;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The data begins at a multiple of this.
const ALIGN: usize = 64;
/// NumPy itself refuses to look at longer headers.
pub const MAX_HEADER: usize = 10_000;

/// An array in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Array<'a> {
    /// NumPy's name of the type, such as `<f4`.
    pub descr: &'a str,
    /// Dimensions.
    pub shape: Vec<u32>,
    /// The elements.
    pub data: &'a [u8],
}

/// Returns whether the file says it is one.
pub fn is_npy(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// Reads a file.
pub fn parse(file: &[u8]) -> Result<Array<'_>, String> {
    let cut = || "the file is cut short".to_owned();
    let rest = file.strip_prefix(MAGIC).ok_or("not an .npy file")?;
    let (len, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [version, ..] if !(1..=3).contains(version) => {
            return Err(format!("format version {version}"))
        }
        _ => return Err(cut()),
    };
    if len > MAX_HEADER {
        return Err(format!("a header of {len} bytes"));
    }
    let (header, data) = rest.split_at_checked(len).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "the header is no text")?;
    let descr = value(header, "descr")
        .and_then(|text| text.strip_prefix('\'')?.split_once('\''))
        .ok_or("the header has no type")?
        .0;
    if !value(header, "fortran_order").is_some_and(|text| text.starts_with("False")) {
        return Err("the array is in Fortran order".into());
    }
    let shape = value(header, "shape")
        .and_then(|text| text.strip_prefix('(')?.split_once(')'))
        .ok_or("the header has no shape")?
        .0
        .split(',')
        .map(str::trim)
        .filter(|dim| !dim.is_empty())
        .map(|dim| dim.parse().map_err(|_| format!("dimension `{dim}`")))
        .collect::<Result<_, _>>()?;
    Ok(Array { descr, shape, data })
}

/// What follows `'key':` in the header.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// Returns the header of a file with this array.
pub fn header(descr: &str, shape: &[u32]) -> Vec<u8> {
    let dims: Vec<_> = shape.iter().map(|dim| format!("{dim}, ")).collect();
    let dims = dims.concat();
    // One dimension keeps its comma: it is a tuple of Python.
    let dims = if shape.len() == 1 {
        dims.trim_end()
    } else {
        dims.trim_end_matches(", ")
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    let fixed = MAGIC.len() + 4;
    let len = (fixed + text.len() + 1).next_multiple_of(ALIGN) - fixed;
    text.push_str(&" ".repeat(len - 1 - text.len()));
    text.push('\n');
    let mut header = MAGIC.to_vec();
    header.extend([1, 0]);
    header.extend((len as u16).to_le_bytes());
    header.extend(text.bytes());
    header
}

/// Returns NumPy's name of a type; `None` if it has none.
pub fn descr(data_type: DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Int8 => "|i1",
        DataType::Uint8 => "|u1",
        DataType::Int16 => "<i2",
        DataType::Uint16 => "<u2",
        DataType::Int32 => "<i4",
        DataType::Uint32 => "<u4",
        DataType::Int64 => "<i8",
        DataType::Uint64 => "<u8",
        DataType::Fp16 => "<f2",
        DataType::Fp32 => "<f4",
        DataType::Fp64 => "<f8",
        // NumPy has none of its own; this is how it writes that of the package ml_dtypes.
        DataType::Bf16 => "<V2",
        _ => return None,
    })
}

/// Returns whether elements that NumPy calls `descr` can be those of a tensor.
pub fn fits(data_type: DataType, descr: &str) -> bool {
    match descr {
        "|b1" => data_type == DataType::Uint8,
        // Bits that have no name in NumPy.
        "|V2" | "<V2" | "<u2" if data_type == DataType::Bf16 => true,
        "|V1" | "<V1" | "|u1" if data_type == DataType::Fp8 => true,
        _ => self::descr(data_type) == Some(descr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for shape in [vec![], vec![5], vec![1, 3, 32, 320]] {
            let mut file = header("<f4", &shape);
            assert_eq!(file.len() % ALIGN, 0);
            file.extend([1, 2, 3, 4]);
            assert!(is_npy(&file));
            let array = parse(&file).unwrap();
            assert_eq!(
                array,
                Array {
                    descr: "<f4",
                    shape,
                    data: &[1, 2, 3, 4]
                }
            );
        }
        assert!(String::from_utf8_lossy(&header("|u1", &[7])).contains("'shape': (7,), }"));
    }

    #[test]
    fn written_by_numpy() {
        let file = b"\x93NUMPY\x01\x00\x3e\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n1234";
        let array = parse(file).unwrap();
        assert_eq!((array.shape, array.data), (vec![2, 3], &b"1234"[..]));
    }

    #[test]
    fn types_of_tensors_and_of_numpy() {
        for (data_type, good, bad) in [
            (DataType::Fp32, &["<f4"][..], &[">f4", "<f8", "|b1", ""][..]),
            (DataType::Uint8, &["|u1", "|b1"], &["|i1", "<u2"]),
            (DataType::Bf16, &["<V2", "|V2", "<u2"], &["<f2", "<V4"]),
            (DataType::Fp8, &["|V1", "|u1"], &["<V2"]),
            (DataType::Int4, &[], &["|i1", "|V1"]),
        ] {
            assert!(
                good.iter().all(|descr| fits(data_type, descr)),
                "{data_type}"
            );
            assert!(
                !bad.iter().any(|descr| fits(data_type, descr)),
                "{data_type}"
            );
        }
    }

    #[test]
    fn broken_files() {
        let good = header("<f4", &[2]);
        for cut in 0..good.len() {
            assert!(parse(&good[..cut]).is_err(), "{cut}");
        }
        let with = |from: &str, to: &str| {
            let text = String::from_utf8_lossy(&good[10..]).replace(from, to);
            let mut file = good[..10].to_vec();
            file.extend(text.bytes().take(good.len() - 10));
            parse(&file).unwrap_err()
        };
        assert_eq!(with("False", "True "), "the array is in Fortran order");
        assert_eq!(with("(2,)", "(x,)"), "dimension `x`");
        assert_eq!(with("descr", "drscr"), "the header has no type");
        assert_eq!(parse(b"\x93NUMPY\x09\x00"), Err("format version 9".into()));
    }
}
