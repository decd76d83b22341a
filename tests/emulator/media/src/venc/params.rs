// SPDX-License-Identifier: MIT OR Apache-2.0

//! Parameters of a channel that are set and read back as they are.

use std::collections::BTreeMap;

use crate::call::blobs::View;
use crate::call::errors::Fault;

/// Number of SetRcParam.
pub const RATE: u32 = 21;
/// Number of SetJpegParam.
pub const JPEG: u32 = 41;
/// Numbers of the Set calls, each followed by its Get call, and the size of the structure.
const CALLS: [(u32, usize); 7] = [
    (RATE, 120),
    (25, 36), // VuiParam
    (29, 16), // RateJamStrategy
    (31, 20), // SuperFrameStrategy
    (33, 16), // IntraRefresh
    (37, 8),  // SliceSplit
    (JPEG, 440),
];
/// Regions of interest that a channel can have.
const MAX_ROI: u32 = 8;
/// Size of `AX_VENC_ROI_ATTR_T`.
const ROI_SIZE: usize = 32;
/// Quality of JPEG images until SetJpegParam.
const DEFAULT_QUALITY: u32 = 90;

/// What the Set calls brought.
#[derive(Debug, Default)]
pub struct Params {
    set: BTreeMap<u32, Vec<u8>>,
    roi: BTreeMap<u32, Vec<u8>>,
}

impl Params {
    /// Whether `api` is one of these Set calls.
    pub fn is_set(api: u32) -> bool {
        CALLS.iter().any(|c| c.0 == api)
    }

    /// Whether `api` is one of these Get calls.
    pub fn is_get(api: u32) -> bool {
        CALLS.iter().any(|c| c.0 + 1 == api)
    }

    /// The channel has got another attribute, which brings its own rate control.
    pub fn forget_rate(&mut self) {
        self.set.remove(&RATE);
    }

    /// Whether the Set call `api` was made.
    pub fn has(&self, api: u32) -> bool {
        self.set.contains_key(&api)
    }

    /// The Set call `api`.
    pub fn set(&mut self, api: u32, bytes: &[u8]) -> Result<(), Fault> {
        if api == JPEG && !(1..=99).contains(&View(bytes).u32(0)) {
            return Err(Fault::IllegalParam);
        }
        self.set.insert(api, bytes.to_vec());
        Ok(())
    }

    /// The Get call `api`: zeros, or the default quality, until it was set.
    pub fn get(&self, api: u32) -> Vec<u8> {
        let set = api.wrapping_sub(1);
        if let Some(bytes) = self.set.get(&set) {
            return bytes.clone();
        }
        let size = CALLS.iter().find(|c| c.0 == set).map_or(0, |c| c.1);
        let mut bytes = vec![0; size];
        if set == JPEG {
            bytes[..4].copy_from_slice(&DEFAULT_QUALITY.to_le_bytes());
        }
        bytes
    }

    /// Quality of JPEG images: the first field of SetJpegParam.
    pub fn quality(&self) -> u32 {
        View(&self.get(JPEG + 1)).u32(0)
    }

    /// SetRoiAttr: the structure begins with the number of the region.
    pub fn set_roi(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let index = View(bytes).u32(0);
        if index >= MAX_ROI {
            return Err(Fault::IllegalParam);
        }
        self.roi.insert(index, bytes.to_vec());
        Ok(())
    }

    /// GetRoiAttr.
    pub fn roi(&self, index: u32) -> Result<Vec<u8>, Fault> {
        if index >= MAX_ROI {
            return Err(Fault::IllegalParam);
        }
        Ok(self.roi.get(&index).cloned().unwrap_or_else(|| {
            let mut bytes = vec![0; ROI_SIZE];
            bytes[..4].copy_from_slice(&index.to_le_bytes());
            bytes
        }))
    }
}
