// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where things are: the tree, the target directory, the logs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Returns the top of the source tree: where the scripts of `tests/env` are.
pub fn tree() -> Result<PathBuf> {
    let mut dir = std::env::current_dir().context("no working directory")?;
    loop {
        if dir.join("tests/env/kernels.sh").is_file() {
            return Ok(dir);
        }
        if !dir.pop() {
            anyhow::bail!("run this in the source tree (tests/env/kernels.sh is not above here)");
        }
    }
}

/// Returns cargo's target directory.
pub fn target(tree: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| tree.join("target"), PathBuf::from)
}

/// Makes the directory that the logs of this run go to.  Names sort by time; of earlier runs the
/// last few are kept.
pub fn make_log_dir(base: &Path) -> Result<PathBuf> {
    const KEEP: usize = 5;
    std::fs::create_dir_all(base).with_context(|| format!("cannot make {}", base.display()))?;
    let mut old: Vec<PathBuf> = std::fs::read_dir(base)
        .with_context(|| format!("cannot read {}", base.display()))?
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| {
            p.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with("run-"))
        })
        .collect();
    old.sort();
    for dir in old.iter().rev().skip(KEEP) {
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let dir = base.join(format!("run-{seconds}-{}", std::process::id()));
    std::fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}
