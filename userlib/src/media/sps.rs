// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is needed of the parameter sets of H.264 and H.265: the size of the pictures.

use super::bits::Bits;

/// What a sequence parameter set says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sps {
    /// Visible columns.
    pub width: u32,
    /// Visible rows.
    pub height: u32,
}

/// Larger pictures do not exist.
const MAX_SIDE: u32 = 16384;

impl Sps {
    fn cropped(coded: (u32, u32), crop: [u32; 4], unit: (u32, u32)) -> Option<Self> {
        let side = |coded: u32, before: u32, after: u32, unit: u32| {
            let cut = before.checked_add(after)?.checked_mul(unit)?;
            coded
                .checked_sub(cut)
                .filter(|side| (1..=MAX_SIDE).contains(side))
        };
        Some(Self {
            width: side(coded.0, crop[0], crop[1], unit.0)?,
            height: side(coded.1, crop[2], crop[3], unit.1)?,
        })
    }
}

/// Reads an H.264 sequence parameter set, a NAL unit without start code.
pub fn h264(nal: &[u8]) -> Option<Sps> {
    let mut bits = Bits::new(nal.get(1..)?);
    let profile = bits.number(8)?;
    bits.skip(16)?; // constraints, level
    bits.golomb()?; // id
    let mut chroma_format = 1;
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        chroma_format = bits.golomb()?;
        if chroma_format == 3 {
            bits.skip(1)?; // separate planes
        }
        bits.golomb()?; // bit depth luma
        bits.golomb()?; // bit depth chroma
        bits.skip(1)?; // lossless
        if bits.flag()? {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.golomb()?; // frame number bits
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.skip(1)?;
            bits.signed_golomb()?;
            bits.signed_golomb()?;
            for _ in 0..bits.golomb()?.min(256) {
                bits.signed_golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?; // reference frames
    bits.skip(1)?; // gaps
    let columns = bits.golomb()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.golomb()?.checked_add(1)?.checked_mul(16)?;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.skip(1)?; // adaptive field coding
    }
    let fields = if frames_only { 1 } else { 2 };
    let rows = map_units.checked_mul(fields)?;
    bits.skip(1)?; // direct 8x8
    let crop = read_crop(&mut bits)?;
    let unit = match chroma_format {
        0 | 3 => (1, 1),
        2 => (2, 1),
        _ => (2, 2),
    };
    Sps::cropped((columns, rows), crop, (unit.0, unit.1 * fields))
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed_golomb()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Left, right, top, bottom.
fn read_crop(bits: &mut Bits<'_>) -> Option<[u32; 4]> {
    if !bits.flag()? {
        return Some([0; 4]);
    }
    Some([
        bits.golomb()?,
        bits.golomb()?,
        bits.golomb()?,
        bits.golomb()?,
    ])
}

/// Reads an H.265 sequence parameter set, a NAL unit without start code.
pub fn h265(nal: &[u8]) -> Option<Sps> {
    let mut bits = Bits::new(nal.get(2..)?);
    bits.skip(4)?; // video parameter set
    let layers = bits.number(3)?;
    bits.skip(1)?; // temporal nesting
    skip_profile_tier_level(&mut bits, layers)?;
    bits.golomb()?; // id
    let chroma_format = bits.golomb()?;
    if chroma_format == 3 {
        bits.skip(1)?; // separate planes
    }
    let coded = (bits.golomb()?, bits.golomb()?);
    let crop = read_crop(&mut bits)?;
    let unit = match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    Sps::cropped(coded, crop, unit)
}

/// `layers`: the number of temporal layers less one.
fn skip_profile_tier_level(bits: &mut Bits<'_>, layers: u32) -> Option<()> {
    bits.skip(88 + 8)?;
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if layers > 0 {
        bits.skip(2 * (8 - layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}
