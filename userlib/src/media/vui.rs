// SPDX-License-Identifier: MIT OR Apache-2.0

//! Video usability information: what sequence parameter sets of H.264 and H.265 say beside the size.

use super::bits::Bits;

/// Shape of a sample, colour and times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vui {
    /// Width and height of a sample, where they are told.
    pub sample_aspect: Option<(u32, u32)>,
    /// Whether samples use the full range of values, where it is told.
    pub full_range: Option<bool>,
    /// Primaries, transfer, matrix: their numbers in ITU-T H.273.
    pub colour: Option<(u8, u8, u8)>,
    /// Pictures in so many seconds.
    pub rate: Option<(u64, u64)>,
}

/// Shapes that have a number.
const SHAPES: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// The part that both codecs have.
fn common(bits: &mut Bits<'_>) -> Option<Vui> {
    let mut vui = Vui::default();
    if bits.flag()? {
        let shape = match bits.number(8)? {
            255 => Some((bits.number(16)?, bits.number(16)?)),
            0 => None,
            number => SHAPES.get(number as usize - 1).copied(),
        };
        vui.sample_aspect = shape.filter(|(width, height)| *width > 0 && *height > 0);
    }
    if bits.flag()? {
        bits.skip(1)?; // overscan
    }
    if bits.flag()? {
        bits.skip(3)?; // video format
        vui.full_range = Some(bits.flag()?);
        if bits.flag()? {
            let mut byte = || bits.number(8).map(|number| number as u8);
            vui.colour = Some((byte()?, byte()?, byte()?));
        }
    }
    if bits.flag()? {
        bits.golomb()?; // where chroma is measured
        bits.golomb()?;
    }
    Some(vui)
}

/// Reads it in a set of H.264.
pub(super) fn h264(bits: &mut Bits<'_>) -> Option<Vui> {
    let mut vui = common(bits)?;
    if bits.flag() == Some(true) {
        let (tick, scale) = (bits.number(32)?, bits.number(32)?);
        // A tick is a field.
        vui.rate = Some((scale.into(), 2 * u64::from(tick)));
    }
    Some(vui)
}

/// Reads it in a set of H.265, beginning behind the bit depths; `layers`: temporal layers less one.
pub(super) fn h265(bits: &mut Bits<'_>, layers: u32) -> Option<Vui> {
    let order_bits = bits.golomb().filter(|bits| *bits <= 12)? + 4;
    let first = if bits.flag()? { 0 } else { layers };
    for _ in first..=layers {
        bits.golomb()?; // pictures kept
        bits.golomb()?; // pictures out of order
        bits.golomb()?; // latency
    }
    for _ in 0..6 {
        bits.golomb()?; // sizes of blocks
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?; // asymmetric partitions, sample adaptive offset
    if bits.flag()? {
        bits.skip(8)?; // PCM
        bits.golomb()?;
        bits.golomb()?;
        bits.skip(1)?;
    }
    skip_reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..bits.golomb().filter(|count| *count <= 32)? {
            bits.skip(order_bits + 1)?;
        }
    }
    bits.skip(2)?; // motion vector prediction, smoothing
    if !bits.flag()? {
        return None;
    }
    let mut vui = common(bits)?;
    bits.skip(3)?; // neutral chroma, fields
    if bits.flag()? {
        for _ in 0..4 {
            bits.golomb()?; // display window
        }
    }
    if bits.flag() == Some(true) {
        let (tick, scale) = (bits.number(32)?, bits.number(32)?);
        vui.rate = Some((scale.into(), tick.into()));
    }
    Some(vui)
}

fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !bits.flag()? {
                bits.golomb()?;
                continue;
            }
            if size > 1 {
                bits.signed_golomb()?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size)) {
                bits.signed_golomb()?;
            }
        }
    }
    Some(())
}

fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let sets = bits.golomb().filter(|sets| *sets <= 64)?;
    let mut pictures = 0;
    for set in 0..sets {
        if set > 0 && bits.flag()? {
            bits.skip(1)?; // sign
            bits.golomb()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                if bits.flag()? || bits.flag()? {
                    kept += 1;
                }
            }
            pictures = kept;
            continue;
        }
        let (before, after) = (bits.golomb()?, bits.golomb()?);
        pictures = before.checked_add(after).filter(|count| *count <= 16)?;
        for _ in 0..pictures {
            bits.golomb()?;
            bits.skip(1)?;
        }
    }
    Some(())
}
