// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can be set when the daemon starts.

use std::path::PathBuf;
use std::time::Duration;

/// What can be set when the daemon starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory with models by SHA-256 and shape groups; see [`crate::model`].
    pub model_dir: Option<PathBuf>,
    /// How long a transaction waits for the host's next message.
    pub patience: Duration,
    /// Longest frame that is taken by DMA, bytes.
    pub max_frame: u32,
    /// Threads of one inference; 0 for one per CPU of this machine.
    pub engine_threads: usize,
    /// What `/proc/ax_proc/version` says after `Ax_Version `.
    pub version: String,
    /// What `/proc/ax_proc/chip_type` says.
    pub chip: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model_dir: None,
            patience: Duration::from_secs(30),
            max_frame: 64 << 20,
            engine_threads: 0,
            version: "V3.10.2_20251215140224".into(),
            chip: "AX650N_CHIP".into(),
        }
    }
}
