// SPDX-License-Identifier: MIT OR Apache-2.0

//! The manifest: a TOML file that says what to pack from the files next to it.

use crate::{
    error::in_file,
    format::{FixedText, HAS_FILE},
    Container, Content, Error, Image, Integrity, Result, Source,
};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// Name of the manifest in a directory to be packed.
pub const MANIFEST_NAME: &str = "manifest.toml";

/// The digest a container is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ManifestIntegrity {
    /// None.
    None,
    /// MD5.
    #[default]
    Md5,
    /// CRC-16.
    Crc16,
}

/// What to pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is for.
    pub product: String,
    /// Version of the firmware.
    pub version: String,
    /// Digest.
    #[serde(default)]
    pub integrity: ManifestIntegrity,
    /// The images, in the order in which the card is to take them.
    #[serde(rename = "record")]
    pub records: Vec<ManifestRecord>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRecord {
    /// Name of the record.
    pub id: String,
    /// Type of the record.
    #[serde(default = "code")]
    pub kind: String,
    /// File with the image, relative to the directory.
    pub file: String,
    /// File name to note in the record, if it is not `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address on the card. A string if TOML's 63 bits do not suffice.
    pub destination: Address,
    /// No known use.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub block_size: Address,
    /// No known use on the card.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// Bit 0: carries a file.
    #[serde(default = "has_file", skip_serializing_if = "is_has_file")]
    pub flags: u32,
    /// No known use.
    #[serde(default, skip_serializing_if = "is_none")]
    pub select: u32,
}

fn code() -> String {
    "CODE".into()
}

fn has_file() -> u32 {
    HAS_FILE
}

fn is_has_file(flags: &u32) -> bool {
    *flags == HAS_FILE
}

fn is_zero(address: &Address) -> bool {
    address.0 == 0
}

fn is_none(select: &u32) -> bool {
    *select == 0
}

/// A 64 bit number: an integer, or a string of hexadecimal digits after `0x`, as which it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AddressForm", into = "AddressForm")]
pub struct Address(pub u64);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum AddressForm {
    Number(u64),
    Text(String),
}

impl From<Address> for AddressForm {
    fn from(address: Address) -> Self {
        Self::Text(format!("0x{:x}", address.0))
    }
}

impl TryFrom<AddressForm> for Address {
    type Error = String;

    fn try_from(form: AddressForm) -> std::result::Result<Self, String> {
        match form {
            AddressForm::Number(number) => Ok(Self(number)),
            AddressForm::Text(text) => {
                let digits = text.strip_prefix("0x").map(|d| d.replace('_', ""));
                digits
                    .and_then(|digits| u64::from_str_radix(&digits, 16).ok())
                    .map(Self)
                    .ok_or_else(|| format!("{text:?} is not a number like \"0x140000000\""))
            }
        }
    }
}

/// A record of the default manifest.
pub(crate) struct Default {
    id: &'static str,
    file: &'static str,
    destination: u64,
}

/// The five records of real firmware, with the names its files have.
pub(crate) const DEFAULT: [Default; 5] = [
    Default::new("UBOOT", "u-boot.bin", 0x1400_1000),
    Default::new("DTB", "AX650_card.dtb", 0x1_1008_0000),
    Default::new("ATF", "atf_bl31.img", 0x1_1FF1_0000),
    Default::new("KERNEL", "Image", 0x1_0020_0000),
    Default::new("ROOTFS", "rootfs.ext4", 0x1_4000_0000),
];

impl Default {
    const fn new(id: &'static str, file: &'static str, destination: u64) -> Self {
        Self {
            id,
            file,
            destination,
        }
    }

    fn record(&self) -> ManifestRecord {
        ManifestRecord {
            id: self.id.into(),
            kind: code(),
            file: self.file.into(),
            name: None,
            destination: Address(self.destination),
            block_size: Address(0),
            partition: String::new(),
            flags: HAS_FILE,
            select: 0,
        }
    }

    /// Returns the image, from a file in `directory`.
    pub(crate) fn image(&self, directory: impl AsRef<Path>) -> Result<Image> {
        self.record().image(directory.as_ref())
    }
}

impl Manifest {
    /// Returns the layout of real firmware.
    pub fn real(version: &str) -> Self {
        Self {
            product: "AX650_card".into(),
            version: version.into(),
            integrity: ManifestIntegrity::Md5,
            records: DEFAULT.iter().map(Default::record).collect(),
        }
    }

    /// Reads a manifest.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(in_file(path))?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start);
            let line = 1 + text
                .bytes()
                .take(before)
                .filter(|byte| *byte == b'\n')
                .count();
            Error::Manifest {
                path: path.into(),
                // One line, as all messages.
                message: format!("line {line}: {}", error.message().replace('\n', ", ")),
            }
        })
    }

    /// Makes the manifest of a container whose images are in these files, in the order of the records.
    pub fn of(container: &Container, files: &[String]) -> Self {
        let records = container.records.iter().zip(files);
        let records = records.map(|(record, file)| {
            let name = record.name.to_latin1();
            ManifestRecord {
                id: record.id.to_latin1(),
                kind: record.kind.to_latin1(),
                file: file.clone(),
                name: (name != *file).then_some(name),
                destination: Address(record.destination),
                block_size: Address(record.block_size),
                partition: record.partition.to_latin1(),
                flags: record.flags,
                select: record.select,
            }
        });
        Self {
            product: container.header.product.to_latin1(),
            version: container.header.version.to_latin1(),
            integrity: match container.header.integrity {
                Integrity::None => ManifestIntegrity::None,
                Integrity::Md5(_) => ManifestIntegrity::Md5,
                Integrity::Crc16(_) => ManifestIntegrity::Crc16,
            },
            records: records.collect(),
        }
    }

    /// Returns the manifest as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings and numbers are TOML")
    }

    /// Returns what the manifest says, with the files in `directory`.
    pub fn content(&self, directory: &Path) -> Result<Content> {
        let images = self.records.iter().map(|record| record.image(directory));
        Ok(Content {
            product: FixedText::new("product", &self.product)?,
            version: FixedText::new("version", &self.version)?,
            integrity: self.integrity,
            images: images.collect::<Result<_>>()?,
        })
    }
}

impl ManifestRecord {
    fn image(&self, directory: &Path) -> Result<Image> {
        Ok(Image {
            id: FixedText::new("id", &self.id)?,
            kind: FixedText::new("kind", &self.kind)?,
            name: FixedText::new("name", self.name.as_ref().unwrap_or(&self.file))?,
            destination: self.destination.0,
            block_size: self.block_size.0,
            partition: FixedText::new("partition", &self.partition)?,
            flags: self.flags,
            select: self.select,
            source: Source::File(directory.join(&self.file)),
        })
    }
}
