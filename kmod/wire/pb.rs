// SPDX-License-Identifier: GPL-2.0

//! Protobuf wire format, as much of it as the kernel needs.
//!
//! The reader is strict where strictness costs nothing: every encoder writes numbers in their
//! shortest form and no one writes groups, so neither is accepted. It borrows from the message and
//! does not recurse; depth is that of the caller's code.

use super::bytes::copy;

/// A field's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: bytes, text or a message.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// Returns the content of a bytes, text or message field.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the content of a 64 bit number.
    pub fn u64(self) -> Option<u64> {
        match self {
            Self::Varint(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the content of an unsigned 32 bit number or enumeration. A parser may cut longer
    /// ones, so they are not accepted.
    pub fn u32(self) -> Option<u32> {
        self.u64()?.try_into().ok()
    }

    /// Returns the content of a signed 32 bit number. Negative ones are sign-extended to 64 bits.
    pub fn i32(self) -> Option<i32> {
        (self.u64()? as i64).try_into().ok()
    }
}

/// A message that does not follow the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads the fields of one message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first field of `message`.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const M: usize>(&mut self) -> Result<[u8; M], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<M>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7F);
            let shifted = bits << shift;
            // The tenth byte has room for one bit only.
            if shifted >> shift != bits {
                return Err(Malformed);
            }
            value |= shifted;
            if byte & 0x80 == 0 {
                // A last byte of 0 makes the number longer than it need be.
                return if byte == 0 && shift != 0 {
                    Err(Malformed)
                } else {
                    Ok(value)
                };
            }
        }
        Err(Malformed)
    }

    /// Reads the next field and its number, `None` at the end of the message.
    pub fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed)?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed);
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed),
        };
        Ok(Some((number, value)))
    }

    /// Finds the last field with this number, skipping all others: how a receiver reads a singular
    /// field.
    pub fn last(mut self, wanted: u32) -> Result<Option<Value<'a>>, Malformed> {
        let mut found = None;
        while let Some((number, value)) = self.field()? {
            if number == wanted {
                found = Some(value);
            }
        }
        Ok(found)
    }

    /// Descends through nested messages, one field number per level. `None` if one is missing.
    pub fn descend(self, path: &[u32]) -> Result<Option<&'a [u8]>, Malformed> {
        let mut message = self.rest;
        for &number in path {
            match Reader::new(message).last(number)? {
                Some(value) => message = value.bytes().ok_or(Malformed)?,
                None => return Ok(None),
            }
        }
        Ok(Some(message))
    }
}

/// Writes the fields of a message; nested messages are measured before they are written.
pub struct Writer<'a> {
    /// `None` while measuring.
    out: Option<&'a mut [u8]>,
    len: usize,
    fits: bool,
}

impl<'a> Writer<'a> {
    /// Starts at the beginning of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self {
            out: Some(out),
            len: 0,
            fits: true,
        }
    }

    /// Bytes written, or `None` if not everything fitted.
    pub fn finish(self) -> Option<usize> {
        self.fits.then_some(self.len)
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(out) = &mut self.out {
            match out.get_mut(self.len..end) {
                Some(room) => copy(room, bytes),
                None => self.fits = false,
            }
        }
        self.len = end;
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(&[value as u8 | 0x80]);
            value >>= 7;
        }
        self.put(&[value as u8]);
    }

    fn tag(&mut self, number: u32, wire_type: u32) {
        self.raw_varint(u64::from((number << 3) | wire_type));
    }

    /// Writes a number, also when it is 0.
    pub fn varint(&mut self, number: u32, value: u64) {
        self.tag(number, 0);
        self.raw_varint(value);
    }

    /// Writes bytes or text.
    pub fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, 2);
        self.raw_varint(bytes.len() as u64);
        self.put(bytes);
    }

    /// Writes a message whose fields `body` writes. `body` runs more than once and must write the
    /// same each time.
    pub fn message(&mut self, number: u32, body: impl Fn(&mut Writer<'_>)) {
        let mut measure = Writer {
            out: None,
            len: 0,
            fits: true,
        };
        body(&mut measure);
        self.tag(number, 2);
        self.raw_varint(measure.len as u64);
        match &mut self.out {
            None => self.len = self.len.saturating_add(measure.len),
            Some(out) => {
                let room = out.get_mut(self.len..).unwrap_or(&mut []);
                let mut inner = Writer::new(room);
                body(&mut inner);
                self.len = self.len.saturating_add(inner.len);
                self.fits &= inner.fits;
            }
        }
    }
}
