// SPDX-License-Identifier: MIT OR Apache-2.0

//! Slice headers and picture parameter sets, as far as it takes to tell one picture from the next.

use std::collections::BTreeMap;

use super::bits::Bits;
use super::sps::{self, Sps};
use super::Codec;

/// The parameter sets of a stream so far.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    sequences: BTreeMap<u32, Sps>,
    pictures: BTreeMap<u32, PictureSet>,
}

/// A picture parameter set.
#[derive(Debug, Clone, Copy)]
struct PictureSet {
    sequence: u32,
    field_order: bool,
    redundant: bool,
}

/// What is the same in all slices of a picture of H.264.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    set: u32,
    frame_num: u32,
    /// `None`: a frame, else whether it is the bottom field.
    field: Option<bool>,
    reference: bool,
    /// Number of an IDR picture.
    idr: Option<u32>,
    order: Option<u32>,
    order_delta: [i64; 2],
}

/// A slice of H.264.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) first_block: u32,
    pub(super) redundant: bool,
    pub(super) plane: u32,
    /// `None`: its parameter sets are not known.
    pub(super) picture: Option<Picture>,
}

impl Picture {
    /// Tells whether both are the two fields of one frame.
    pub(super) fn is_other_field(&self, first: &Picture) -> bool {
        match (self.field, first.field) {
            (Some(this), Some(that)) => this != that && self.frame_num == first.frame_num,
            _ => false,
        }
    }
}

impl ParameterSets {
    /// Keeps a NAL unit if it is a parameter set.
    pub(super) fn note(&mut self, codec: Codec, nal: &[u8]) {
        let Some(head) = nal.first() else { return };
        let set = match (codec, head & 0x1F, (head >> 1) & 0x3F) {
            (Codec::H264, 7, _) => sps::h264(nal),
            (Codec::H265, _, 33) if layer(nal) == 0 => sps::h265(nal),
            (Codec::H264, 8, _) | (Codec::H265, _, 34) => {
                if let Some((id, set)) = picture_set(codec, nal) {
                    self.pictures.insert(id, set);
                }
                None
            }
            _ => None,
        };
        if let Some(set) = set {
            self.sequences.insert(set.id, set);
        }
    }

    /// Returns the sequence parameter set of the picture that a slice belongs to.
    pub(super) fn sequence_of(&self, codec: Codec, slice: &[u8]) -> Option<&Sps> {
        let id = match codec {
            Codec::H264 => {
                let mut bits = Bits::new(slice.get(1..)?);
                bits.golomb()?;
                bits.golomb()?;
                bits.golomb()?
            }
            _ => {
                let kind = (slice.first()? >> 1) & 0x3F;
                let mut bits = Bits::new(slice.get(2..)?);
                if !bits.flag()? {
                    return None;
                }
                if matches!(kind, 16..=23) {
                    bits.skip(1)?;
                }
                bits.golomb()?
            }
        };
        let sequence = self.pictures.get(&id)?.sequence;
        self.sequences.get(&sequence)
    }

    /// Returns any sequence parameter set.
    pub(super) fn any_sequence(&self) -> Option<&Sps> {
        self.sequences.values().next()
    }

    /// Reads the header of an H.264 slice; `None` if it is cut.
    pub(super) fn slice(&self, nal: &[u8]) -> Option<Slice> {
        let head = nal.first()?;
        let mut bits = Bits::new(nal.get(1..)?);
        let first_block = bits.golomb()?;
        let mut slice = Slice {
            first_block,
            redundant: false,
            plane: 0,
            picture: None,
        };
        self.rest(*head, &mut bits, &mut slice);
        Some(slice)
    }

    fn rest(&self, head: u8, bits: &mut Bits<'_>, slice: &mut Slice) -> Option<()> {
        bits.golomb()?; // kind
        let set = bits.golomb()?;
        let pps = self.pictures.get(&set)?;
        let sps = self.sequences.get(&pps.sequence)?.slices;
        if sps.separate_planes {
            slice.plane = bits.number(2)?;
        }
        let frame_num = bits.number(sps.frame_num_bits)?;
        let mut field = None;
        if !sps.frames_only && bits.flag()? {
            field = Some(bits.flag()?);
        }
        let idr = match head & 0x1F {
            5 => Some(bits.golomb()?),
            _ => None,
        };
        let (mut order, mut order_delta) = (None, [0; 2]);
        let deltas = pps.field_order && field.is_none();
        match sps.order_type {
            0 => {
                order = Some(bits.number(sps.order_bits)?);
                if deltas {
                    order_delta[0] = bits.signed_golomb()?;
                }
            }
            1 if !sps.no_order_deltas => {
                order_delta[0] = bits.signed_golomb()?;
                if deltas {
                    order_delta[1] = bits.signed_golomb()?;
                }
            }
            _ => {}
        }
        if pps.redundant {
            slice.redundant = bits.golomb()? > 0;
        }
        slice.picture = Some(Picture {
            set,
            frame_num,
            field,
            reference: head & 0x60 != 0,
            idr,
            order,
            order_delta,
        });
        Some(())
    }
}

/// Returns the layer of an H.265 NAL unit; 0 is the one that is decoded.
pub(super) fn layer(nal: &[u8]) -> u8 {
    match nal {
        [head, next, ..] => ((head & 1) << 5) | (next >> 3),
        _ => 0,
    }
}

fn picture_set(codec: Codec, nal: &[u8]) -> Option<(u32, PictureSet)> {
    let mut set = PictureSet {
        sequence: 0,
        field_order: false,
        redundant: false,
    };
    if codec == Codec::H265 {
        let mut bits = Bits::new(nal.get(2..)?);
        let id = bits.golomb().filter(|id| *id < 64)?;
        set.sequence = bits.golomb()?;
        return Some((id, set));
    }
    let mut bits = Bits::new(nal.get(1..)?);
    let id = bits.golomb().filter(|id| *id < 256)?;
    set.sequence = bits.golomb()?;
    bits.skip(1)?; // kind of entropy coding
    set.field_order = bits.flag()?;
    // Slice groups, which nobody uses, make the rest hard to find.
    if bits.golomb()? == 0 {
        set.redundant = redundant(&mut bits).unwrap_or(false);
    }
    Some((id, set))
}

fn redundant(bits: &mut Bits<'_>) -> Option<bool> {
    bits.golomb()?; // references
    bits.golomb()?;
    bits.skip(3)?; // weights
    for _ in 0..3 {
        bits.signed_golomb()?; // quantisers
    }
    bits.skip(2)?; // deblocking, intra prediction
    bits.flag()
}
