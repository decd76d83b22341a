// SPDX-License-Identifier: MIT OR Apache-2.0

//! All that can be measured of a card at one moment, for `ax650 top` and `ax650 exporter`.

use std::time::{Duration, Instant};

use ax650::{Card, CardInfo, Client, Counters, Telemetry};

use crate::failure::{Failure, NO_CARD};
use crate::host::{PciCard, System};

/// A card at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// When it was taken.
    pub at: Instant,
    /// Name of the node, or the PCI address of a card without one.
    pub name: String,
    /// PCI address.
    pub bus_id: String,
    /// State, as the driver names it.
    pub state: String,
    /// Number of the boot.
    pub generation: Option<u32>,
    /// Firmware version, "" if not known.
    pub firmware: String,
    /// Time since the last heartbeat.
    pub heartbeat_age: Option<Duration>,
    /// Time in which a model was run since the driver was bound.
    pub npu_busy: Option<Duration>,
    /// What the card says of itself.
    pub telemetry: Telemetry,
    /// What happened since the driver was bound; `None` without access to the node.
    pub counters: Option<Counters>,
    /// Sessions and programs of AXCL; `None` without access to the node.
    pub clients: Option<Vec<Client>>,
    /// Why something is missing.
    pub error: Option<String>,
}

impl Sample {
    /// Takes a sample of each card, or of the one that `device` names.
    pub fn all(device: Option<&str>) -> Result<Vec<Self>, Failure> {
        let system = System::here();
        let cards = match device {
            Some(name) => {
                let named = system.card(Some(name));
                vec![named.ok_or_else(|| Failure::new(NO_CARD, format!("no card {name}")))?]
            }
            None => system.cards(),
        };
        Ok(cards.iter().map(Self::of).collect())
    }

    /// Takes a sample of a card of this system: of what sysfs says, and of what the driver says to who may open the node.
    pub fn of(pci: &PciCard) -> Self {
        let mut sample = Self {
            at: Instant::now(),
            name: pci.name(),
            bus_id: pci.address.clone(),
            state: pci.state_or_driver(),
            generation: pci.generation,
            firmware: pci.firmware.clone().unwrap_or_default(),
            heartbeat_age: pci.heartbeat_ms.map(Duration::from_millis),
            npu_busy: pci.npu_busy_us.map(Duration::from_micros),
            telemetry: Telemetry::default(),
            counters: None,
            clients: None,
            error: None,
        };
        if let Some(index) = pci.index {
            match Card::open_index(index) {
                Ok(card) => sample.ask(&card),
                Err(error) => sample.error = Some(error.to_string()),
            }
        }
        sample
    }

    /// Takes a sample of a card that is open, without what only sysfs knows.
    #[cfg(test)]
    pub fn of_open(card: &Card) -> Self {
        let mut sample = Self::of(&PciCard {
            address: "0000:01:00.0".into(),
            ..Default::default()
        });
        sample.name = card.name().into();
        sample.ask(card);
        sample
    }

    fn ask(&mut self, card: &Card) {
        let asked = self.ask_driver(card);
        self.error = asked.err().map(|error| error.to_string());
    }

    fn ask_driver(&mut self, card: &Card) -> ax650::Result<()> {
        // What the driver knows by itself comes first: it is there when the card does not answer.
        self.counters = Some(card.counters()?);
        self.clients = Some(card.clients()?);
        self.note(&card.info()?);
        if matches!(self.state.as_str(), "running" | "suspect") {
            self.telemetry = card.telemetry()?;
        }
        Ok(())
    }

    fn note(&mut self, info: &CardInfo) {
        self.bus_id = info.pci.to_string();
        self.state = info.state.to_string();
        self.generation = Some(info.generation);
        self.firmware.clone_from(&info.firmware_version);
        self.heartbeat_age = info.heartbeat_age;
    }

    /// Returns a counter by its name in `ax650.h`.
    pub fn counter(&self, name: &str) -> Option<u64> {
        let mut counters = self.counters.as_ref()?.iter();
        counters.find(|(own, _)| *own == name).map(|(_, n)| n)
    }
}
