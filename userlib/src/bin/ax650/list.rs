// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 list`

use ax650::{Card, Listed};
use serde_json::{json, Value};

use crate::args::List;
use crate::failure::Failure;
use crate::text;

/// Lists the cards.
pub fn list(options: &List) -> Result<(), Failure> {
    let cards = Card::list();
    if cards.is_empty() && !options.json {
        // Tells why.
        return Card::open_first().map(drop).map_err(Failure::from);
    }
    if options.json {
        println!("{}", Value::Array(cards.iter().map(to_json).collect()));
    } else {
        let title = ["CARD", "BUS ID", "STATE", "FIRMWARE", "LINK"]
            .map(String::from)
            .to_vec();
        let rows: Vec<_> = std::iter::once(title)
            .chain(cards.iter().map(row))
            .collect();
        print!("{}", text::table(&rows));
    }
    // The list is shown in any case; the exit code tells of cards that cannot be asked.
    match cards.into_iter().find_map(|card| card.info.err()) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn row(card: &Listed) -> Vec<String> {
    let name = format!("ax650-{}", card.index);
    match &card.info {
        Ok(info) => vec![
            name,
            info.pci.to_string(),
            info.state.to_string(),
            info.firmware_version.clone(),
            info.link(),
        ],
        Err(_) => vec![name, "-".into(), "unknown".into()],
    }
}

fn to_json(card: &Listed) -> Value {
    let mut value = json!({ "index": card.index, "node": card.path });
    match &card.info {
        Ok(info) => crate::info::identity(info, &mut value),
        Err(error) => value["error"] = error.to_string().into(),
    }
    value
}
