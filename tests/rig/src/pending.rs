// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cases that are known not to pass yet: `tests/rig/pending.txt`, a pattern and the reason on each line.
//! They are reported as skipped, with the reason; naming one with `--cases` runs it all the same.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::case::{Ended, Verdict};

/// The list.
pub struct Pending(Vec<(glob::Pattern, String)>);

impl Pending {
    /// Reads the list of the tree.
    pub fn load(tree: &Path) -> Result<Self> {
        let path = tree.join("tests/rig/pending.txt");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut list = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (pattern, reason) = line
                .split_once(char::is_whitespace)
                .with_context(|| format!("{}: '{line}' has no reason", path.display()))?;
            let pattern = glob::Pattern::new(pattern)
                .with_context(|| format!("{}: bad pattern '{pattern}'", path.display()))?;
            list.push((pattern, reason.trim().to_owned()));
        }
        Ok(Self(list))
    }

    /// The end of case `name`, if it is not to be run.
    pub fn verdict(&self, name: &str) -> Option<Ended> {
        let (_, reason) = self.0.iter().find(|(pattern, _)| pattern.matches(name))?;
        Some(Ended {
            name: name.to_owned(),
            verdict: Verdict::Skipped(reason.clone()),
            time: Duration::ZERO,
            log: Vec::new(),
        })
    }
}
