// SPDX-License-Identifier: GPL-2.0

//! The card's properties are texts that command lines on the card write [rpc 4.2]. Their exact
//! format on a real card is not known, so the readers look for the words that matter, accept any
//! bytes around them, and give `None` for what they cannot find.

use super::bytes::Text;

/// Command lines that ask for a property.
pub mod command {
    /// For [`super::chip_name`].
    pub const CHIP: &str = "cat /proc/ax_proc/chip_type";
    /// For [`super::version`].
    pub const VERSION: &str = "cat /proc/ax_proc/version";
    /// For [`super::uid`].
    pub const UID: &str = "cat /proc/ax_proc/uid";
    /// For [`super::meminfo`].
    pub const MEMORY: &str = "cat /proc/meminfo | grep -E \"MemTotal|MemFree\"";
    /// For [`super::cmm`].
    pub const CMM: &str = "cat /proc/ax_proc/mem_cmm_info  | grep \"total size\"";
    /// For [`super::temperature`].
    pub const TEMPERATURE: &str = "cat /sys/class/thermal/thermal_zone0/temp";
    /// For [`super::cpu_load`].
    pub const CPU: &str = "top -bn1 | grep -E \"CPU:\" | grep -v \"grep\"";
    /// For [`super::npu_load`].
    pub const NPU: &str = "cat /proc/ax_proc/npu/top";
}

/// A memory's size and what is in use or free of it, KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Size of the memory, in all.
    pub total: u64,
    /// Used or free part of the memory, as the function says.
    pub part: u64,
}

/// Finds what follows the first `word` in `text`.
fn after<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(word.len()).position(|w| w == word)?;
    text.get(at.checked_add(word.len())?..)
}

fn trim_start(text: &[u8]) -> &[u8] {
    let blank = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    text.get(blank..).unwrap_or(&[])
}

/// Reads the number at the start of `text` and what follows it.
fn number(text: &[u8], radix: u32) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    let mut digits = 0usize;
    for &byte in text {
        let Some(digit) = char::from(byte).to_digit(radix) else {
            break;
        };
        value = value.checked_mul(radix.into())?.checked_add(digit.into())?;
        digits = digits.checked_add(1)?;
    }
    (digits != 0).then_some((value, text.get(digits..)?))
}

/// Reads a number with up to two decimals that count, in hundredths, and what follows it.
fn hundredths(text: &[u8]) -> Option<(u32, &[u8])> {
    let (whole, mut rest) = number(text, 10)?;
    let mut value = u32::try_from(whole).ok()?.checked_mul(100)?;
    if let Some((b'.', decimals)) = rest.split_first() {
        let digit = |at: usize| char::from(*decimals.get(at)?).to_digit(10);
        let first = digit(0)?;
        value = value
            .checked_add(first.checked_mul(10)?)?
            .checked_add(digit(1).unwrap_or(0))?;
        rest = number(decimals, 10)?.1;
    }
    Some((value, rest))
}

/// Hundredths of a percent, at most all.
fn percent(value: u32) -> Option<u32> {
    (value <= 10_000).then_some(value)
}

/// Reads the name of the chip, from [`command::CHIP`].
pub fn chip_name(text: &[u8]) -> Option<&'static str> {
    ["AX650N", "AX650A", "AX650C"]
        .into_iter()
        .find(|name| after(text, name.as_bytes()).is_some())
}

/// Reads the version of the software, from [`command::VERSION`]: the word that begins with V and
/// three dotted numbers.
pub fn version(text: &[u8]) -> Option<Text<'_>> {
    text.split(|byte| byte.is_ascii_whitespace() || *byte == 0)
        .find(|word| is_version(word).is_some())
        .map(Text::new)
}

fn is_version(word: &[u8]) -> Option<()> {
    let (_, rest) = number(word.strip_prefix(b"V")?, 10)?;
    let (_, rest) = number(rest.strip_prefix(b".")?, 10)?;
    number(rest.strip_prefix(b".")?, 10).map(|_| ())
}

/// Reads the unique id of the chip, from [`command::UID`]: the hexadecimal number after a colon.
pub fn uid(text: &[u8]) -> Option<u64> {
    let digits = trim_start(after(text, b":")?);
    let digits = digits
        .strip_prefix(b"0x")
        .or_else(|| digits.strip_prefix(b"0X"))
        .unwrap_or(digits);
    number(digits, 16).map(|(value, _)| value)
}

/// Reads the memory of the card's Linux, from [`command::MEMORY`]; `part` is free.
pub fn meminfo(text: &[u8]) -> Option<Memory> {
    let kib = |word: &[u8]| number(trim_start(after(text, word)?), 10).map(|(value, _)| value);
    let memory = Memory {
        total: kib(b"MemTotal:")?,
        part: kib(b"MemFree:")?,
    };
    (memory.part <= memory.total).then_some(memory)
}

/// Contiguous memory, from [`command::CMM`]; `part` is used.
pub fn cmm(text: &[u8]) -> Option<Memory> {
    let rest = after(text, b"total size=")?;
    let (total, rest) = number(rest, 10)?;
    let (part, _) = number(after(rest, b"used=")?, 10)?;
    (part <= total).then_some(Memory { total, part })
}

/// Reads the junction temperature, 1/1000 degree Celsius, from [`command::TEMPERATURE`].
pub fn temperature(text: &[u8]) -> Option<i32> {
    let text = trim_start(text);
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (value, _) = number(digits, 10)?;
    let value = i32::try_from(value).ok()?;
    if value > 300_000 {
        return None;
    }
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

/// Reads the load of the card's CPUs, 1/100 percent, from [`command::CPU`]: what is missing to 100
/// in the number before the word idle.
pub fn cpu_load(text: &[u8]) -> Option<u32> {
    let words = || {
        text.split(|b| b.is_ascii_whitespace())
            .filter(|w| !w.is_empty())
    };
    let (value, _) = words()
        .zip(words().skip(1))
        .find(|(_, word)| word.starts_with(b"idle"))?;
    10_000u32.checked_sub(percent(hundredths(value)?.0)?)
}

/// Reads the load of the NPU, 1/100 percent, from [`command::NPU`].
pub fn npu_load(text: &[u8]) -> Option<u32> {
    let (value, rest) = hundredths(trim_start(after(text, b"utilization:")?))?;
    if !trim_start(rest).starts_with(b"%") {
        return None;
    }
    percent(value)
}
