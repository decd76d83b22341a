// SPDX-License-Identifier: MIT OR Apache-2.0

//! Descriptions of the video in files that are written.

use std::io;

use ax650::media::{sps, Codec};
use mp4_atom::{Avc1, Avcc, Colr, Hvc1, HvcCArray, Hvcc, Pasp, Visual};

use crate::video::look::Look;

/// Describes a video by its parameter sets and the look of its pictures.
pub fn sample_entry(
    codec: Codec,
    size: (u16, u16),
    parameter_sets: &[Vec<u8>],
    look: &Look,
) -> io::Result<mp4_atom::Codec> {
    let visual = Visual {
        data_reference_index: 1,
        width: size.0,
        height: size.1,
        ..Default::default()
    };
    let (across, down) = look.aspect;
    let pasp = (across != down).then_some(Pasp {
        h_spacing: across,
        v_spacing: down,
    });
    let (primaries, transfer, matrix) = look.colour;
    let colr = look.has_colour().then_some(Colr::Nclx {
        colour_primaries: primaries.into(),
        transfer_characteristics: transfer.into(),
        matrix_coefficients: matrix.into(),
        full_range_flag: look.full_range,
    });
    let missing = || io::Error::other("the stream has no parameter sets");
    let of_type = |number: u8| {
        let matching = |set: &&Vec<u8>| nal_type(codec, set) == number;
        parameter_sets
            .iter()
            .filter(matching)
            .cloned()
            .collect::<Vec<_>>()
    };
    if codec == Codec::H264 {
        let (sps, pps) = (of_type(7), of_type(8));
        let (Some(first), false) = (sps.first(), pps.is_empty()) else {
            return Err(missing());
        };
        let mut avcc = Avcc::new(first, &pps[0]).map_err(io::Error::other)?;
        if matches!(first.get(1), Some(100 | 110 | 122 | 144)) {
            avcc.ext = Some(Default::default());
        }
        (avcc.sequence_parameter_sets, avcc.picture_parameter_sets) = (sps, pps);
        return Ok(Avc1 {
            visual,
            avcc,
            colr,
            pasp,
            ..Default::default()
        }
        .into());
    }
    let (vps, sps, pps) = (of_type(32), of_type(33), of_type(34));
    let profile = sps
        .first()
        .and_then(|sps| profile_of_h265(sps))
        .ok_or_else(missing)?;
    if vps.is_empty() || pps.is_empty() {
        return Err(missing());
    }
    let array = |nal_unit_type, nalus| HvcCArray {
        completeness: true,
        nal_unit_type,
        nalus,
    };
    let hvcc = Hvcc {
        configuration_version: 1,
        general_profile_space: profile[0] >> 6,
        general_tier_flag: profile[0] & 0x20 != 0,
        general_profile_idc: profile[0] & 0x1F,
        general_profile_compatibility_flags: profile[1..5].try_into().expect("4 bytes"),
        general_constraint_indicator_flags: profile[5..11].try_into().expect("6 bytes"),
        general_level_idc: profile[11],
        // 4:2:0 with 8 bits, as all that the card encodes.
        chroma_format_idc: 1,
        num_temporal_layers: 1,
        temporal_id_nested: true,
        length_size_minus_one: 3,
        arrays: vec![array(32, vps), array(33, sps), array(34, pps)],
        ..Default::default()
    };
    Ok(Hvc1 {
        visual,
        hvcc,
        colr,
        pasp,
        ..Default::default()
    }
    .into())
}

/// Returns the type of a NAL unit; 0 if it is empty.
pub fn nal_type(codec: Codec, nal: &[u8]) -> u8 {
    match codec {
        Codec::H264 => nal.first().map_or(0, |head| head & 0x1F),
        _ => nal.first().map_or(0, |head| (head >> 1) & 0x3F),
    }
}

/// Returns whether a NAL unit is one that goes into the description.
pub fn is_parameter_set(codec: Codec, nal: &[u8]) -> bool {
    match codec {
        Codec::H264 => matches!(nal_type(codec, nal), 7 | 8),
        _ => matches!(nal_type(codec, nal), 32..=34),
    }
}

/// Returns type and number of a parameter set.
pub fn set_id(codec: Codec, set: &[u8]) -> Option<(u8, u32)> {
    let kind = nal_type(codec, set);
    let id = match (codec, kind) {
        (Codec::H264, 7) => sps::h264(set)?.id,
        (Codec::H264, _) => golomb(set.get(1..)?)?,
        (_, 32) => u32::from(set.get(2)? >> 4),
        (_, 33) => sps::h265(set)?.id,
        _ => golomb(set.get(2..)?)?,
    };
    Some((kind, id))
}

/// The Exp-Golomb number at the beginning of the bytes; those of parameter sets are short.
fn golomb(bytes: &[u8]) -> Option<u32> {
    let mut head = [0; 4];
    let length = bytes.len().min(4);
    head[..length].copy_from_slice(&bytes[..length]);
    let bits = u32::from_be_bytes(head);
    let zeros = bits.leading_zeros();
    (zeros < 16).then(|| (bits >> (31 - 2 * zeros)) - 1)
}

/// The 12 bytes about profile and level in an H.265 sequence parameter set.
fn profile_of_h265(sps: &[u8]) -> Option<[u8; 12]> {
    let mut plain = Vec::new();
    for (at, byte) in sps.iter().enumerate().take(24) {
        // The byte that keeps start codes out of NAL units.
        if !(*byte == 3 && at >= 2 && sps[at - 1] == 0 && sps[at - 2] == 0) {
            plain.push(*byte);
        }
    }
    plain.get(3..15)?.try_into().ok()
}
