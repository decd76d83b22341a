// SPDX-License-Identifier: MIT OR Apache-2.0

//! `AX_VENC_STREAM_T`: an encoded picture as GetStream returns it.

use super::attr::Codec;
use super::nal;
use crate::call::blobs::{clamp32, Record};

/// Size of the structure.
pub const STREAM_SIZE: usize = 1200;
/// NAL units that the structure has room for.
const MAX_NALS: usize = 64;
/// Where the codec's information begins.
const INFO: usize = 832;

/// What is known of an encoded picture.
#[derive(Debug, Clone, Copy)]
pub struct Pack {
    /// Card address.
    pub phys: u64,
    /// Time stamp of the picture.
    pub pts: u64,
    /// Counts up by one per packet.
    pub seq: u64,
    /// User data of the picture.
    pub user_data: u64,
    /// Decodable without others.
    pub key: bool,
}

impl Pack {
    /// Writes the structure.
    pub fn write(&self, codec: Codec, bytes: &[u8]) -> Vec<u8> {
        let nals = nal::list(codec, bytes);
        let nals = &nals[..nals.len().min(MAX_NALS)];
        let len = clamp32(bytes.len());
        let mut r = Record::new(STREAM_SIZE);
        r.u64(0, self.phys)
            .u64(8, self.phys)
            .u32(16, len)
            .u64(24, self.pts)
            .u64(32, self.seq)
            .u64(40, self.user_data)
            .u32(48, codec.number())
            .u32(52, u32::from(!self.key))
            .u32(60, clamp32(nals.len()));
        for (i, nal) in nals.iter().enumerate() {
            let at = 64 + 12 * i;
            r.u32(at, nal.kind)
                .u32(at + 4, clamp32(nal.offset))
                .u32(at + 8, clamp32(nal.len));
        }
        // The first field of each codec's information.
        r.u32(INFO, len);
        r.finish()
    }
}
