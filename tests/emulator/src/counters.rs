// SPDX-License-Identifier: MIT OR Apache-2.0

//! Named counters: what the host did to the card, and what the card did to the host.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Map, Value};

/// Counters by dotted name (docs/emulator.md lists them).  A counter exists once it was counted.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<String, u64>>);

impl Counters {
    /// Adds `by` to the counter `name`.
    pub fn add(&self, name: &str, by: u64) {
        let mut map = self.0.lock();
        match map.get_mut(name) {
            Some(value) => *value = value.wrapping_add(by),
            None => drop(map.insert(name.to_owned(), by)),
        }
    }

    /// Adds 1 to the counter `name`.
    pub fn hit(&self, name: &str) {
        self.add(name, 1);
    }

    /// The value of `name`; 0 if it was never counted.
    pub fn get(&self, name: &str) -> u64 {
        self.0.lock().get(name).copied().unwrap_or(0)
    }

    /// All counters as one JSON object; `reset` sets them to 0 in the same step.
    pub fn snapshot(&self, reset: bool) -> Value {
        let mut map = self.0.lock();
        let object: Map<String, Value> = map
            .iter()
            .map(|(name, &value)| (name.clone(), value.into()))
            .collect();
        if reset {
            map.clear();
        }
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_resets() {
        let counters = Counters::default();
        counters.add("a.b", 2);
        counters.hit("a.b");
        assert_eq!(counters.get("a.b"), 3);
        assert_eq!(counters.snapshot(true)["a.b"], 3);
        assert_eq!(counters.get("a.b"), 0);
    }
}
