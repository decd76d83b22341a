// SPDX-License-Identifier: MIT OR Apache-2.0

//! Counts of requests by how they ended.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

/// What was asked for, and how it ended: 0 or errno.
#[derive(Default)]
pub(super) struct Tally {
    counts: BTreeMap<(&'static str, i32), u64>,
    last: (&'static str, i32),
    /// What the running sequence has shown: which end came after which.  It guides where there is no coverage.
    pub(super) seen: HashSet<u64>,
}

impl Tally {
    /// Counts the end of a request.
    pub(super) fn note<T>(&mut self, what: &'static str, result: io::Result<T>) -> Option<T> {
        let errno = match &result {
            Ok(_) => 0,
            Err(error) => error.raw_os_error().unwrap_or(-1),
        };
        *self.counts.entry((what, errno)).or_default() += 1;
        let mut hasher = DefaultHasher::new();
        (self.last, what, errno).hash(&mut hasher);
        self.seen.insert(hasher.finish());
        self.last = (what, errno);
        result.ok()
    }

    /// Counts the end of a system call.
    pub(super) fn call(&mut self, what: &'static str, rc: i64) -> Option<i64> {
        let result = if rc < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(rc)
        };
        self.note(what, result)
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            *self.counts.entry(*key).or_default() += count;
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(super) fn good(&self) -> u64 {
        let good = self.counts.iter().filter(|((_, errno), _)| *errno == 0);
        good.map(|(_, count)| count).sum()
    }

    /// Lines of a table: a request, how often it ended well and with which errors.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        let mut last = "";
        for ((what, errno), count) in &self.counts {
            if *what != last {
                table.push_str(&format!("\n  {what}:"));
                last = what;
            }
            match errno {
                0 => table.push_str(&format!(" ok {count}")),
                errno => {
                    let text = io::Error::from_raw_os_error(*errno).to_string();
                    let text = text.split(" (os").next().unwrap_or_default();
                    table.push_str(&format!(", {text} {count}"));
                }
            }
        }
        table
    }
}
