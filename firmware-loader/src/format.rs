// SPDX-License-Identifier: MIT OR Apache-2.0

//! The bytes of header and records [pcie 3.1]. All numbers are little endian.

use crate::{Error, Result};
use std::fmt;

/// Length of the header, bytes.
pub const HEADER_SIZE: usize = 128;
/// Length of a record, bytes.
pub const RECORD_SIZE: usize = 464;
/// Most records that are accepted; real containers have five.
pub const MAX_RECORDS: u32 = 64;
/// What the card reads at once, bytes. It starts the first image after one such read.
pub const CHUNK: u64 = 3 << 20;

pub(crate) const MAGIC: u32 = 0x5C6D_8E9F;
pub(crate) const VERSION: u32 = 1;
/// [`Record::flags`]: the record carries a file.
pub(crate) const HAS_FILE: u32 = 1;

/// A text field of `N` bytes, filled up with NULs; a text of `N` bytes has none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FixedText<const N: usize>([u8; N]);

impl<const N: usize> FixedText<N> {
    /// Makes a field of a text; `field` is its name in errors. Each character becomes one byte.
    pub fn new(field: &'static str, text: &str) -> Result<Self> {
        let mut bytes = [0; N];
        let mut room = bytes.iter_mut();
        for character in text.chars() {
            let byte = u8::try_from(u32::from(character)).ok().filter(|&b| b != 0);
            let byte = byte.ok_or_else(|| Error::TextCharacter {
                field,
                text: text.into(),
            })?;
            *room.next().ok_or_else(|| Error::TextTooLong {
                field,
                text: text.into(),
                limit: N,
            })? = byte;
        }
        Ok(Self(bytes))
    }

    fn text(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or(&[])
    }

    /// Returns the text, byte for character, as [`Self::new`] takes it.
    pub fn to_latin1(&self) -> String {
        self.text().iter().copied().map(char::from).collect()
    }
}

/// Everything that is not printable ASCII is shown as `?`, so that a file cannot speak to the
/// terminal.
impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.text().iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '?',
        });
        f.pad(&shown.collect::<String>())
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// How a container tells that it is whole. The digest is over everything from the first record on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Not at all.
    None,
    /// The MD5 field: 32 hexadecimal digits, if the container is in order.
    Md5([u8; 32]),
    /// CRC-16/ARC.
    Crc16(u32),
}

impl Integrity {
    /// Returns the name of the digest's kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Md5(_) => "MD5",
            Self::Crc16(_) => "CRC-16",
        }
    }

    /// Number in the header.
    fn kind(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::Md5(_) => 1,
            Self::Crc16(_) => 2,
        }
    }
}

/// Header of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Size of the container, bytes.
    pub size: u64,
    /// What it is for.
    pub product: FixedText<32>,
    /// Version of the firmware.
    pub version: FixedText<32>,
    /// Where the records begin.
    pub record_offset: u32,
    /// How many there are.
    pub record_count: u32,
    /// Digest.
    pub integrity: Integrity,
}

/// One record: an image and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name of the record, `UBOOT` for example.
    pub id: FixedText<32>,
    /// `CODE`.
    pub kind: FixedText<32>,
    /// Name of the file it was packed from.
    pub name: FixedText<256>,
    /// Where in the container the image begins.
    pub offset: u64,
    /// Bytes of the image.
    pub size: u64,
    /// Address on the card.
    pub destination: u64,
    /// No known use; 0.
    pub block_size: u64,
    /// No known use on the card.
    pub partition: FixedText<72>,
    /// Bit 0: the record carries a file.
    pub flags: u32,
    /// No known use.
    pub select: u32,
    /// No known use; 0.
    pub reserved: [u8; 32],
}

/// Takes fields off the front of a byte string that is long enough for all of them.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("caller gave all bytes");
        self.0 = rest;
        *field
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
}

impl Header {
    /// Reads the fields; nothing is checked but what cannot be represented.
    pub(crate) fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<Self> {
        let mut fields = Fields(bytes);
        match fields.u32() {
            MAGIC => {}
            magic => return Err(Error::Magic(magic)),
        }
        match fields.u32() {
            VERSION => {}
            version => return Err(Error::Version(version)),
        }
        let size = fields.u64();
        let product = FixedText(fields.array());
        let version = FixedText(fields.array());
        let record_offset = fields.u32();
        let record_count = fields.u32();
        let kind = fields.u32();
        let crc16 = fields.u32();
        let md5 = fields.array();
        let integrity = match kind {
            0 => Integrity::None,
            1 => Integrity::Md5(md5),
            2 => Integrity::Crc16(crc16),
            _ => return Err(Error::IntegrityKind(kind)),
        };
        Ok(Self {
            size,
            product,
            version,
            record_offset,
            record_count,
            integrity,
        })
    }

    /// Returns the bytes of the header.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (crc16, md5) = match self.integrity {
            Integrity::None => (0, [0; 32]),
            Integrity::Md5(digits) => (0, digits),
            Integrity::Crc16(crc) => (crc, [0; 32]),
        };
        [
            &MAGIC.to_le_bytes()[..],
            &VERSION.to_le_bytes(),
            &self.size.to_le_bytes(),
            &self.product.0,
            &self.version.0,
            &self.record_offset.to_le_bytes(),
            &self.record_count.to_le_bytes(),
            &self.integrity.kind().to_le_bytes(),
            &crc16.to_le_bytes(),
            &md5,
        ]
        .concat()
    }
}

impl Record {
    /// Reads the fields; nothing is checked.
    pub(crate) fn decode(bytes: &[u8; RECORD_SIZE]) -> Self {
        let mut fields = Fields(bytes);
        Self {
            id: FixedText(fields.array()),
            kind: FixedText(fields.array()),
            name: FixedText(fields.array()),
            offset: fields.u64(),
            size: fields.u64(),
            destination: fields.u64(),
            block_size: fields.u64(),
            partition: FixedText(fields.array()),
            flags: fields.u32(),
            select: fields.u32(),
            reserved: fields.array(),
        }
    }

    /// Returns the bytes of the record.
    pub(crate) fn encode(&self) -> Vec<u8> {
        [
            &self.id.0[..],
            &self.kind.0,
            &self.name.0,
            &self.offset.to_le_bytes(),
            &self.size.to_le_bytes(),
            &self.destination.to_le_bytes(),
            &self.block_size.to_le_bytes(),
            &self.partition.0,
            &self.flags.to_le_bytes(),
            &self.select.to_le_bytes(),
            &self.reserved,
        ]
        .concat()
    }
}
