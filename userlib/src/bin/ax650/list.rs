// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 list`

use std::io::Write;

use ax650::{Card, CardInfo, Error, Listed};
use serde_json::{json, Value};

use crate::args::List;
use crate::failure::{Failure, NO_CARD};
use crate::host::{PciCard, System};
use crate::{standard, text};

/// Lists the cards.
pub fn list(options: &List) -> Result<(), Failure> {
    let rows = Row::all(Card::list(), System::here().cards());
    if options.json {
        let cards = rows.iter().map(Row::json).collect();
        writeln!(standard::output()?, "{}", Value::Array(cards))?;
    } else if !rows.is_empty() {
        let title = ["CARD", "BUS ID", "STATE", "FIRMWARE", "LINK"]
            .map(String::from)
            .to_vec();
        let rows: Vec<_> = std::iter::once(title)
            .chain(rows.iter().map(Row::cells))
            .collect();
        write!(standard::output()?, "{}", text::table(&rows))?;
    }
    // What can be shown is shown in any case; the exit code tells of the rest.
    if !rows.iter().any(|row| row.listed.is_some()) {
        return match Card::open_first() {
            Err(error) => Err(error.into()),
            // One was plugged in just now.
            Ok(_) => Err(Failure::new(NO_CARD, "no card found")),
        };
    }
    match rows.into_iter().find_map(Row::trouble) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// A card: what the driver says of it, and what sysfs says.
struct Row {
    listed: Option<Listed>,
    pci: Option<PciCard>,
}

impl Row {
    /// Cards with a node by their numbers, then those without.
    fn all(listed: Vec<Listed>, mut cards: Vec<PciCard>) -> Vec<Self> {
        let mut rows: Vec<_> = listed
            .into_iter()
            .map(|listed| {
                let at = cards
                    .iter()
                    .position(|card| card.index == Some(listed.index));
                Self {
                    pci: at.map(|at| cards.remove(at)),
                    listed: Some(listed),
                }
            })
            .collect();
        rows.extend(cards.into_iter().map(|card| Self {
            listed: None,
            pci: Some(card),
        }));
        rows
    }

    fn info(&self) -> Option<&CardInfo> {
        self.listed.as_ref()?.info.as_ref().ok()
    }

    /// Why the driver could not be asked, unless sysfs knows all the same.
    fn trouble(self) -> Option<Error> {
        match self.pci {
            Some(card) if card.state.is_some() => None,
            _ => self.listed?.info.err(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let name = match &self.listed {
            Some(listed) => format!("ax650-{}", listed.index),
            None => "-".into(),
        };
        match (self.info(), &self.pci) {
            (Some(info), _) => vec![
                name,
                info.pci.to_string(),
                info.state.to_string(),
                info.firmware_version.clone(),
                info.link(),
            ],
            (None, Some(card)) => vec![
                name,
                card.address.clone(),
                card.state_or_driver(),
                card.firmware.clone().unwrap_or_default(),
                card.link.map(|link| link.to_string()).unwrap_or_default(),
            ],
            (None, None) => vec![name, "-".into(), "unknown".into()],
        }
    }

    fn json(&self) -> Value {
        let mut value = match &self.pci {
            Some(card) => card.json(),
            None => json!({}),
        };
        if let Some(listed) = &self.listed {
            value["index"] = json!(listed.index);
            value["node"] = json!(listed.path);
            match &listed.info {
                Ok(info) => crate::info::identity(info, &mut value),
                Err(error) => value["error"] = error.to_string().into(),
            }
        }
        value
    }
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn F4_F10_shown_without_the_right_to_open_the_node() {
        let error = Error::Open {
            path: "/dev/ax650-1".into(),
            errno: Errno::EACCES,
        };
        let refused = Listed::new(1, "/dev/ax650-1", Err(error));
        let bound = PciCard {
            address: "0000:02:00.0".into(),
            driver: Some("ax650".into()),
            index: Some(1),
            state: Some("running".into()),
            firmware: Some("V3.10.2".into()),
            ..Default::default()
        };
        let free = PciCard {
            address: "0000:01:00.0".into(),
            ..Default::default()
        };
        let mut rows = Row::all(vec![refused], vec![free, bound]);
        assert_eq!(
            rows[0].cells(),
            ["ax650-1", "0000:02:00.0", "running", "V3.10.2", ""]
        );
        assert_eq!(rows[1].cells()[..3], ["-", "0000:01:00.0", "no driver"]);
        assert_eq!(rows[0].json()["state"], "running");
        assert_eq!(rows[0].json()["node"], "/dev/ax650-1");
        assert!(rows.remove(0).trouble().is_none());
    }
}
