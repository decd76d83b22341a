// SPDX-License-Identifier: MIT OR Apache-2.0

//! The digests of a container, computed in pieces.

use crate::{Error, Integrity, Result};
use md5::{Digest as _, Md5};

static CRC16: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_ARC);

/// The digest a container asks for, in the making.
pub(crate) enum Running {
    /// None asked for.
    None,
    /// MD5.
    Md5(Md5),
    /// CRC-16.
    Crc16(crc::Digest<'static, u16>),
}

impl Running {
    /// Starts the digest that `integrity` is of.
    pub fn new(integrity: &Integrity) -> Self {
        match integrity {
            Integrity::None => Self::None,
            Integrity::Md5(_) => Self::Md5(Md5::new()),
            Integrity::Crc16(_) => Self::Crc16(CRC16.digest()),
        }
    }

    /// Adds bytes to the digest.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::Md5(md5) => md5.update(bytes),
            Self::Crc16(crc) => crc.update(bytes),
        }
    }

    /// Returns the digest, as it is written into a header.
    pub fn finish(self) -> Integrity {
        match self {
            Self::None => Integrity::None,
            Self::Md5(md5) => {
                let mut digits = [0; 32];
                digits.copy_from_slice(format!("{:x}", md5.finalize()).as_bytes());
                Integrity::Md5(digits)
            }
            Self::Crc16(crc) => Integrity::Crc16(crc.finalize().into()),
        }
    }
}

impl Integrity {
    /// Returns the digest in hexadecimal digits; empty if there is none.
    pub fn digits(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Md5(digits) => digits.escape_ascii().to_string(),
            Self::Crc16(crc) => format!("{crc:04x}"),
        }
    }

    /// Compares what a header says with what was computed.
    pub(crate) fn check(&self, computed: &Self) -> Result<()> {
        let same = match (self, computed) {
            (Self::Md5(stated), Self::Md5(computed)) => {
                if !stated.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Error::Md5Text(self.digits()));
                }
                stated.eq_ignore_ascii_case(computed)
            }
            _ => self == computed,
        };
        if same {
            return Ok(());
        }
        Err(Error::Digest {
            kind: self.name(),
            stated: self.digits(),
            computed: computed.digits(),
        })
    }
}
