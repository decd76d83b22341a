// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is needed of the sequence parameter sets of H.264 and H.265: size and kind of the pictures.

use super::bits::Bits;
use super::vui::{self, Vui};

/// What a sequence parameter set says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sps {
    /// Number by which picture parameter sets name it.
    pub id: u32,
    /// Visible columns.
    pub width: u32,
    /// Visible rows.
    pub height: u32,
    /// `chroma_format_idc`: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma: u32,
    /// Bits of a sample, the larger of luma and chroma.
    pub depth: u32,
    /// Shape of a sample, colour and times; `None` where the set has none or cannot be read so far.
    pub vui: Option<Vui>,
    /// What slice headers of H.264 depend on.
    pub(super) slices: SliceSyntax,
}

/// What slice headers of H.264 depend on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SliceSyntax {
    pub(super) separate_planes: bool,
    pub(super) frame_num_bits: u32,
    pub(super) order_type: u32,
    pub(super) order_bits: u32,
    pub(super) no_order_deltas: bool,
    pub(super) frames_only: bool,
}

/// Larger pictures do not exist.
const MAX_SIDE: u32 = 16384;

fn cropped(coded: (u32, u32), crop: [u32; 4], unit: (u32, u32)) -> Option<(u32, u32)> {
    let side = |coded: u32, before: u32, after: u32, unit: u32| {
        let cut = before.checked_add(after)?.checked_mul(unit)?;
        coded
            .checked_sub(cut)
            .filter(|side| (1..=MAX_SIDE).contains(side))
    };
    Some((
        side(coded.0, crop[0], crop[1], unit.0)?,
        side(coded.1, crop[2], crop[3], unit.1)?,
    ))
}

/// Reads an H.264 sequence parameter set, a NAL unit without start code.
pub fn h264(nal: &[u8]) -> Option<Sps> {
    let mut bits = Bits::new(nal.get(1..)?);
    let profile = bits.number(8)?;
    bits.skip(16)?; // constraints, level
    let id = bits.golomb().filter(|id| *id < 32)?;
    let mut slices = SliceSyntax::default();
    let (mut chroma_format, mut depth) = (1, 8);
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        chroma_format = bits.golomb()?;
        if chroma_format == 3 {
            slices.separate_planes = bits.flag()?;
        }
        depth = read_depth(&mut bits)?;
        bits.skip(1)?; // lossless
        if bits.flag()? {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    slices.frame_num_bits = bits.golomb().filter(|bits| *bits <= 12)? + 4;
    slices.order_type = bits.golomb()?;
    match slices.order_type {
        0 => slices.order_bits = bits.golomb().filter(|bits| *bits <= 12)? + 4,
        1 => {
            slices.no_order_deltas = bits.flag()?;
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
    slices.frames_only = bits.flag()?;
    if !slices.frames_only {
        bits.skip(1)?; // adaptive field coding
    }
    let fields = if slices.frames_only { 1 } else { 2 };
    let rows = map_units.checked_mul(fields)?;
    bits.skip(1)?; // direct 8x8
    let crop = read_crop(&mut bits)?;
    let unit = match chroma_format {
        0 | 3 => (1, 1),
        2 => (2, 1),
        _ => (2, 2),
    };
    let (width, height) = cropped((columns, rows), crop, (unit.0, unit.1 * fields))?;
    let vui = match bits.flag() {
        Some(true) => vui::h264(&mut bits),
        _ => None,
    };
    Some(Sps {
        id,
        width,
        height,
        chroma: chroma_format,
        depth,
        vui,
        slices,
    })
}

/// Bits of luma and chroma samples: the larger.
fn read_depth(bits: &mut Bits<'_>) -> Option<u32> {
    let (luma, chroma) = (bits.golomb()?, bits.golomb()?);
    Some(luma.max(chroma).min(8) + 8)
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
    let id = bits.golomb().filter(|id| *id < 16)?;
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
    let (width, height) = cropped(coded, crop, unit)?;
    let depth = read_depth(&mut bits)?;
    Some(Sps {
        id,
        width,
        height,
        chroma: chroma_format,
        depth,
        vui: vui::h265(&mut bits, layers),
        slices: SliceSyntax::default(),
    })
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
