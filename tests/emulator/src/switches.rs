// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fault switches: how tests make the card misbehave [pcie 12].

mod table;

use std::collections::BTreeMap;

use parking_lot::RwLock;
use serde_json::{json, Value};

pub use table::{hardware, Kind, Spec, TABLE};

/// Why a switch was not set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// There is none of this name.
    #[error("there is no switch \"{0}\"")]
    Unknown(String),
    /// The value does not fit the switch.
    #[error("switch \"{name}\" wants {wanted}, not {value}")]
    Value {
        /// The switch.
        name: String,
        /// What it takes.
        wanted: &'static str,
        /// What was given.
        value: String,
    },
}

/// Names and descriptions of the switches that the service on the card reads.
pub type ServiceSwitches = &'static [(&'static str, &'static str)];

/// The switches that are set now.
#[derive(Debug, Default)]
pub struct Switches {
    set: RwLock<BTreeMap<&'static str, Value>>,
    service: ServiceSwitches,
}

impl Switches {
    /// The hardware's switches, and those of the service.
    pub fn new(service: ServiceSwitches) -> Self {
        Self {
            set: RwLock::default(),
            service,
        }
    }

    fn specs(&self) -> impl Iterator<Item = Spec> {
        let service = self.service.iter();
        let service = service.map(|&(name, about)| Spec {
            name,
            kind: Kind::Any,
            about,
        });
        hardware().copied().chain(service)
    }

    fn spec(&self, name: &str) -> Result<Spec, SwitchError> {
        self.specs()
            .find(|s| s.name == name)
            .ok_or_else(|| SwitchError::Unknown(name.to_owned()))
    }

    /// Sets `name` to `value`.
    pub fn set(&self, name: &str, value: Value) -> Result<(), SwitchError> {
        let spec = self.spec(name)?;
        if !spec.kind.accepts(&value) {
            return Err(SwitchError::Value {
                name: name.to_owned(),
                wanted: spec.kind.wants(),
                value: value.to_string(),
            });
        }
        let mut set = self.set.write();
        if value == Value::Bool(false) {
            set.remove(spec.name);
        } else {
            set.insert(spec.name, value);
        }
        Ok(())
    }

    /// Sets a switch as given on the command line: `name=value` with a JSON value, or `name` for
    /// `name=true`.
    pub fn set_text(&self, text: &str) -> Result<(), SwitchError> {
        let (name, value) = text.split_once('=').unwrap_or((text, "true"));
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        self.set(name, value)
    }

    /// Clears `name`, or all switches.
    pub fn clear(&self, name: Option<&str>) -> Result<(), SwitchError> {
        let mut set = self.set.write();
        match name {
            Some(name) => drop(set.remove(self.spec(name)?.name)),
            None => set.clear(),
        }
        Ok(())
    }

    /// The value of `name`, if it is set.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.set.read().get(name).cloned()
    }

    /// The switch is set to `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.set
            .read()
            .get(name)
            .is_some_and(|v| v == &Value::Bool(true))
    }

    /// The switch is set to a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.set.read().get(name).and_then(Value::as_u64)
    }

    /// Uses the switch up by one: true if it is set.  A number counts down and the switch is
    /// cleared when it comes to 0; `true` stays.
    pub fn take(&self, name: &str) -> bool {
        let mut set = self.set.write();
        let left = match set.get(name) {
            None => return false,
            Some(Value::Bool(on)) => return *on,
            Some(value) => value.as_u64().unwrap_or(0),
        };
        match left.checked_sub(1) {
            None => {}
            Some(0) => drop(set.remove(name)),
            Some(less) => {
                if let Some(value) = set.get_mut(name) {
                    *value = less.into();
                }
            }
        }
        left > 0
    }

    /// Uses a one-shot number up: gives it and clears the switch.
    pub fn take_number(&self, name: &str) -> Option<u64> {
        let mut set = self.set.write();
        let number = set.get(name).and_then(Value::as_u64)?;
        set.remove(name);
        Some(number)
    }

    /// Uses one of the times of a switch with a `count` field (1 if it has none).
    pub fn take_object(&self, name: &str) -> Option<Value> {
        let mut set = self.set.write();
        let value = set.get(name)?.clone();
        let count = value.get("count").and_then(Value::as_u64).unwrap_or(1);
        if count > 1 {
            if let Some(object) = set.get_mut(name).and_then(Value::as_object_mut) {
                object.insert("count".to_owned(), (count - 1).into());
            }
        } else {
            set.remove(name);
        }
        Some(value)
    }

    /// All switches with their kinds, descriptions and present values.
    pub fn report(&self) -> Value {
        let set = self.set.read();
        self.specs()
            .map(|s| {
                json!({
                    "name": s.name,
                    "type": s.kind.name(),
                    "description": s.about,
                    "value": set.get(s.name),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let switches = Switches::default();
        assert!(switches.set("silent", true.into()).is_ok());
        assert!(switches.set("silent", 3.into()).is_err());
        assert!(switches.set("uboot.slow_ms", 3.into()).is_ok());
        assert!(switches.set("uboot.slow_ms", (-1).into()).is_err());
        assert_eq!(
            switches.set("nonsense", true.into()),
            Err(SwitchError::Unknown("nonsense".to_owned()))
        );
        assert!(switches.set_text("silent").is_ok());
        assert!(switches.set_text("msi.lose=3").is_ok());
        assert!(switches.set_text("msi.lose=x").is_err());
        assert_eq!(switches.number("msi.lose"), Some(3));
        switches.clear(None).unwrap();
        assert!(!switches.flag("silent"));
    }

    #[test]
    fn counts_are_used_up() {
        let switches = Switches::default();
        switches.set("doorbell.ignore", 2.into()).unwrap();
        let taken: Vec<bool> = (0..3).map(|_| switches.take("doorbell.ignore")).collect();
        assert_eq!(taken, [true, true, false]);
        switches.set("doorbell.ignore", true.into()).unwrap();
        assert!((0..3).all(|_| switches.take("doorbell.ignore")));
        let field = json!({"field": "port", "value": 200, "count": 2});
        switches.set("header.field", field).unwrap();
        assert!(switches.take_object("header.field").is_some());
        assert!(switches.take_object("header.field").is_some());
        assert!(switches.take_object("header.field").is_none());
        switches.set("ring.wp_jump", 64.into()).unwrap();
        assert_eq!(switches.take_number("ring.wp_jump"), Some(64));
        assert_eq!(switches.take_number("ring.wp_jump"), None);
    }

    #[test]
    fn switches_of_the_service() {
        let switches = Switches::new(&[("rpc.drop", "calls are not answered")]);
        assert!(switches.set("rpc.drop", 2.into()).is_ok());
        assert_eq!(switches.get("rpc.drop"), Some(2.into()));
        let report = switches.report();
        let last = report.as_array().and_then(|a| a.last()).unwrap();
        assert_eq!(
            (&last["name"], &last["value"]),
            (&json!("rpc.drop"), &json!(2))
        );
    }

    #[test]
    fn names_are_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for spec in hardware() {
            assert!(seen.insert(spec.name), "{}", spec.name);
        }
    }
}
