// SPDX-License-Identifier: GPL-2.0

//! Firmware container (`.pac`, [pcie 3.1]): header, records, images.
//!
//! A container is checked completely before the card is touched (R20): whoever gets past
//! [`Container::parse`] needs no further bounds checks, and past [`Container::verify`] has the bytes
//! that the packer hashed.

use super::{
    boot::CHUNK,
    bytes::{
        array_at,
        u32_at,
        u64_at,
        Text, //
    }, //
};

mod error;

pub use error::{
    ContainerError,
    RecordError, //
};

/// Length of the header.
pub const HEADER_SIZE: u64 = 128;
/// Length of a record.
pub const RECORD_SIZE: u64 = 464;
/// Most records; real containers have five.
pub const MAX_RECORDS: u32 = 64;

const MAGIC: u32 = 0x5C6D_8E9F;
const VERSION: u32 = 1;

/// How the container protects its content, from the first record to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Not at all.
    None,
    /// MD5 as 32 hexadecimal digits; they are not yet known to be digits.
    Md5([u8; 32]),
    /// CRC-16 of polynomial 0x8005, reflected, from 0.
    Crc16(u32),
}

/// A container whose structure is sound.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    bytes: &'a [u8],
    table: &'a [u8],
    /// Offset of the first record.
    pub record_offset: u32,
    /// Number of records, 1 to [`MAX_RECORDS`].
    pub record_count: u32,
    /// Digest over the records and images.
    pub integrity: Integrity,
}

/// Record of one image and its place on the card.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Name of the image, `UBOOT` for example.
    pub id: Text<'a>,
    /// Kind of the image: `CODE`.
    pub kind: Text<'a>,
    /// Name of the file it was packed from.
    pub name: Text<'a>,
    /// Offset of `image` in the container.
    pub offset: u64,
    /// The bytes to send; at least one.
    pub image: &'a [u8],
    /// Address of the image on the card; the image does not wrap.
    pub destination: u64,
}

/// The fields of a record that are numbers.
#[derive(Clone, Copy)]
struct Extent {
    offset: u64,
    size: u64,
    destination: u64,
}

impl Extent {
    fn read(record: &[u8]) -> Option<Self> {
        Some(Self {
            offset: u64_at(record, 320)?,
            size: u64_at(record, 328)?,
            destination: u64_at(record, 336)?,
        })
    }

    fn check(&self, first: u64, container: u64) -> Result<(), RecordError> {
        let Self {
            offset,
            size,
            destination,
        } = *self;
        if size == 0 {
            return Err(RecordError::Empty);
        }
        if offset < first {
            return Err(RecordError::Early { offset, first });
        }
        if offset.checked_add(size).is_none_or(|end| end > container) {
            return Err(RecordError::Beyond {
                offset,
                size,
                container,
            });
        }
        if destination.checked_add(size).is_none() {
            return Err(RecordError::Wraps { destination, size });
        }
        Ok(())
    }
}

/// Returns whether two ranges share a byte.
fn overlap(a: u64, a_size: u64, b: u64, b_size: u64) -> bool {
    a < b.saturating_add(b_size) && b < a.saturating_add(a_size)
}

impl<'a> Container<'a> {
    /// Checks everything but the digest.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContainerError> {
        let length = bytes.len() as u64;
        let header = bytes
            .get(..HEADER_SIZE as usize)
            .ok_or(ContainerError::Truncated { length })?;
        let word = |at| u32_at(header, at).unwrap_or(0);

        if word(0) != MAGIC {
            return Err(ContainerError::Magic(word(0)));
        }
        if word(4) != VERSION {
            return Err(ContainerError::Version(word(4)));
        }
        let stated = u64_at(header, 8).unwrap_or(0);
        if stated != length {
            return Err(ContainerError::Size { stated, length });
        }
        let (offset, count) = (word(80), word(84));
        if !(1..=MAX_RECORDS).contains(&count) {
            return Err(ContainerError::Count(count));
        }
        let (table, images) = Self::table(bytes, offset, count).ok_or(ContainerError::Table {
            offset,
            count,
            size: length,
        })?;
        let integrity = match word(88) {
            0 => Integrity::None,
            1 => Integrity::Md5(array_at(header, 96).unwrap_or([0; 32])),
            2 => Integrity::Crc16(word(92)),
            kind => return Err(ContainerError::Integrity(kind)),
        };
        check_records(table, images, length)?;
        Ok(Self {
            bytes,
            table,
            record_offset: offset,
            record_count: count,
            integrity,
        })
    }

    /// Finds the record table and the offset of its end.
    fn table(bytes: &'a [u8], offset: u32, count: u32) -> Option<(&'a [u8], u64)> {
        let start = u64::from(offset);
        let end = start.checked_add(u64::from(count).checked_mul(RECORD_SIZE)?)?;
        if start < HEADER_SIZE {
            return None;
        }
        let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        Some((bytes.get(range)?, end))
    }

    /// Returns the product the firmware is for.
    pub fn product(&self) -> Text<'a> {
        Text::new(self.bytes.get(16..48).unwrap_or(&[]))
    }

    /// Returns the version of the firmware.
    pub fn version(&self) -> Text<'a> {
        Text::new(self.bytes.get(48..80).unwrap_or(&[]))
    }

    /// Returns the records, in the order in which they are loaded.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + Clone {
        let bytes = self.bytes;
        self.table
            .chunks_exact(RECORD_SIZE as usize)
            .filter_map(move |record| {
                let extent = Extent::read(record)?;
                let start = usize::try_from(extent.offset).ok()?;
                let end = start.checked_add(usize::try_from(extent.size).ok()?)?;
                Some(Record {
                    id: Text::new(record.get(..32)?),
                    kind: Text::new(record.get(32..64)?),
                    name: Text::new(record.get(64..320)?),
                    offset: extent.offset,
                    image: bytes.get(start..end)?,
                    destination: extent.destination,
                })
            })
    }

    /// Bytes of all images.
    pub fn image_bytes(&self) -> u64 {
        self.records().fold(0, |sum: u64, record| {
            sum.saturating_add(record.image.len() as u64)
        })
    }

    /// Checks the digest, if the container has one. `md5` computes that of its argument.
    pub fn verify(&self, md5: impl FnOnce(&[u8]) -> [u8; 16]) -> Result<(), ContainerError> {
        let content = self.bytes.get(self.record_offset as usize..).unwrap_or(&[]);
        match self.integrity {
            Integrity::None => Ok(()),
            Integrity::Md5(text) => {
                let stated = from_hex(&text).ok_or(ContainerError::Md5Text)?;
                let computed = md5(content);
                if stated == computed {
                    Ok(())
                } else {
                    Err(ContainerError::Md5 { stated, computed })
                }
            }
            Integrity::Crc16(stated) => {
                let computed = crc16(content);
                if stated == u32::from(computed) {
                    Ok(())
                } else {
                    Err(ContainerError::Crc16 { stated, computed })
                }
            }
        }
    }
}

/// Checks every record by itself and against those before it. At most 64, so squares do not hurt.
fn check_records(table: &[u8], images: u64, container: u64) -> Result<(), ContainerError> {
    let extents = || {
        let records = table.chunks_exact(RECORD_SIZE as usize);
        (0u32..).zip(records.filter_map(Extent::read))
    };
    for (index, extent) in extents() {
        let wrong = |error| ContainerError::Record { index, error };
        extent.check(images, container).map_err(wrong)?;
        let Extent {
            offset,
            size,
            destination,
        } = extent;
        if index == 0 && size > u64::from(CHUNK) {
            return Err(wrong(RecordError::TooBigToStart { size }));
        }
        for (earlier, other) in extents().take_while(|(earlier, _)| *earlier < index) {
            if overlap(offset, size, other.offset, other.size) {
                return Err(wrong(RecordError::Overlap(earlier)));
            }
            if overlap(destination, size, other.destination, other.size) {
                return Err(wrong(RecordError::Collides(earlier)));
            }
        }
    }
    Ok(())
}

/// Reads 32 hexadecimal digits.
fn from_hex(text: &[u8; 32]) -> Option<[u8; 16]> {
    let mut out = [0; 16];
    for (byte, digits) in out.iter_mut().zip(text.chunks_exact(2)) {
        for &digit in digits {
            let value = char::from(digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(out)
}

/// What a byte does to the CRC-16.
#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the compiler evaluates it"
)]
const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 != 0 { 0xA001 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Computes the CRC-16 with the reflected polynomial 0x8005, from 0, without final xor.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, &byte| {
        let [low, high] = crc.to_le_bytes();
        let effect = CRC16.get(usize::from(low ^ byte)).copied();
        u16::from(high) ^ effect.unwrap_or(0)
    })
}
