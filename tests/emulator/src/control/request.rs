// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reading the fields of a request.

use serde_json::Value;

use crate::hex::unhex;

/// Why a command failed, for its client.
#[derive(Debug, PartialEq, Eq)]
pub struct Fail(pub String);

/// A request: a JSON object.
#[derive(Debug)]
pub struct Request(pub Value);

impl Request {
    /// The field `name`, if it is there and not null.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// The text in `name`.
    pub fn text(&self, name: &str) -> Result<&str, Fail> {
        match self.field(name) {
            None => Err(Fail(format!("\"{name}\" is missing"))),
            Some(value) => value
                .as_str()
                .ok_or_else(|| Fail(format!("\"{name}\" must be text, not {value}"))),
        }
    }

    /// The number in `name`: a JSON number, or text as "0x1000".
    pub fn number(&self, name: &str) -> Result<u64, Fail> {
        let value = self
            .field(name)
            .ok_or_else(|| Fail(format!("\"{name}\" is missing")))?;
        let number = match value {
            Value::String(text) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            },
            _ => value.as_u64(),
        };
        number.ok_or_else(|| Fail(format!("\"{name}\" must be a number, not {value}")))
    }

    /// The number in `name`, or `default` if there is none.
    pub fn number_or(&self, name: &str, default: u64) -> Result<u64, Fail> {
        match self.field(name) {
            None => Ok(default),
            Some(_) => self.number(name),
        }
    }

    /// The flag in `name`; false if there is none.
    pub fn flag(&self, name: &str) -> Result<bool, Fail> {
        match self.field(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(value) => Err(Fail(format!(
                "\"{name}\" must be true or false, not {value}"
            ))),
        }
    }

    /// The bytes in `name`, as hexadecimal digits; empty if there is none.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, Fail> {
        let Some(_) = self.field(name) else {
            return Ok(Vec::new());
        };
        let text = self.text(name)?;
        unhex(text).ok_or_else(|| {
            Fail(format!(
                "\"{name}\" must be an even number of hexadecimal digits"
            ))
        })
    }
}
