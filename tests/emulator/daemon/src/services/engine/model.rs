// SPDX-License-Identifier: MIT OR Apache-2.0

//! A loaded model.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::refused::Refused;
use crate::machine::npu::CORES;
use crate::model::Network;

/// A loaded model.
pub(super) struct Model {
    pub(super) network: Network,
    pub(super) sha256: String,
    pub(super) affinity: AtomicU32,
    /// Card address and bytes of the weights.
    pub(super) weights: (u64, u64),
    /// Card addresses of the work space of each context.
    pub(super) contexts: Mutex<BTreeMap<u64, u64>>,
}

impl Model {
    /// Bytes of card memory that it takes.
    pub(super) fn card_bytes(&self) -> u64 {
        let contexts = self.contexts.lock().len() as u64;
        self.weights.1 + contexts * self.work_space()
    }

    /// Sets the cores that it may run on; 0 is what programs have that do not care.
    pub(super) fn set_affinity(&self, mask: u32) -> Result<(), Refused> {
        let needs = self.network.cores;
        if mask >> CORES != 0 || (1..needs).contains(&mask.count_ones()) {
            let why =
                format!("core mask {mask:#x}: the NPU has {CORES} cores, the model needs {needs}");
            return Err(Refused::illegal(why));
        }
        self.affinity.store(mask, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes of the work space of a context: that of all tensors of the largest group.
    pub(super) fn work_space(&self) -> u64 {
        let tensors = || self.network.inputs.iter().chain(&self.network.outputs);
        let groups = 0..self.network.groups;
        groups
            .map(|g| tensors().map(|t| t.bytes(g)).sum())
            .max()
            .unwrap_or(0)
            .max(1)
    }
}
