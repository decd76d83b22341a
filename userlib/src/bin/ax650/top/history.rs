// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card over time.

use std::collections::VecDeque;

use ax650::Client;

use crate::sample::Sample;

/// Looks that are remembered.
const LENGTH: usize = 240;

/// A card, its last two samples, and how it went before.
pub struct History {
    before: Option<Sample>,
    /// The last sample.
    pub last: Sample,
    /// Share of time in which a model ran, percent.
    pub npu: VecDeque<u64>,
    /// Memory for models, tensors and pictures in use, percent.
    pub memory: VecDeque<u64>,
    /// Degrees Celsius.
    pub temperature: VecDeque<u64>,
    /// Bytes a second in both directions.
    pub moved: VecDeque<u64>,
}

/// A client with its rates, per second.
pub struct Row {
    /// Name of its card.
    pub card: String,
    /// What the driver says of it.
    pub client: Client,
    /// Jobs.
    pub jobs: f64,
    /// Bytes to the card.
    pub to_card: f64,
    /// Bytes from the card.
    pub from_card: f64,
}

impl History {
    /// Begins with a first sample.
    pub fn new(first: Sample) -> Self {
        Self {
            before: None,
            last: first,
            npu: VecDeque::new(),
            memory: VecDeque::new(),
            temperature: VecDeque::new(),
            moved: VecDeque::new(),
        }
    }

    /// Takes the next sample.
    pub fn take(&mut self, sample: Sample) {
        self.before = Some(std::mem::replace(&mut self.last, sample));
        let moved = [self.rate("bytes_to_card"), self.rate("bytes_from_card")];
        let moved: f64 = moved.iter().flatten().sum();
        let telemetry = &self.last.telemetry;
        let share = |share: Option<f64>| (share.unwrap_or(0.0) * 100.0).round() as u64;
        for (list, value) in [
            (
                &mut self.npu,
                share(
                    self.before
                        .as_ref()
                        .and_then(|before| busy(before, &self.last)),
                ),
            ),
            (
                &mut self.memory,
                share(
                    telemetry
                        .cmm
                        .map(|cmm| cmm.used as f64 / cmm.total.max(1) as f64),
                ),
            ),
            (
                &mut self.temperature,
                telemetry
                    .temperature
                    .map_or(0, |degrees| degrees.max(0.0).round() as u64),
            ),
            (&mut self.moved, moved as u64),
        ] {
            if list.len() == LENGTH {
                list.pop_front();
            }
            list.push_back(value);
        }
    }

    fn seconds(&self) -> Option<f64> {
        let seconds = (self.last.at - self.before.as_ref()?.at).as_secs_f64();
        (seconds > 0.0).then_some(seconds)
    }

    /// Returns how fast a counter grows, per second.
    pub fn rate(&self, counter: &str) -> Option<f64> {
        let before = self.before.as_ref()?.counter(counter)?;
        // The driver was bound anew.
        let grown = self.last.counter(counter)?.checked_sub(before)?;
        Some(grown as f64 / self.seconds()?)
    }

    /// Returns the share of time in which a model ran, 0 to 1; without sysfs what the card says.
    pub fn npu_share(&self) -> Option<f64> {
        let measured = self
            .before
            .as_ref()
            .and_then(|before| busy(before, &self.last));
        measured.or(self.last.telemetry.npu_load)
    }

    /// Returns the clients with their rates.
    pub fn rows(&self) -> Vec<Row> {
        let before = self
            .before
            .as_ref()
            .and_then(|before| before.clients.as_deref())
            .unwrap_or(&[]);
        let clients = self.last.clients.as_deref().unwrap_or(&[]);
        let row = |client: &Client| {
            let key = |c: &Client| (c.raw.session, c.raw.pid, c.axcl);
            let old = before.iter().find(|old| key(old) == key(client));
            let rate = |now: u64, then: fn(&Client) -> u64| match (old, self.seconds()) {
                (Some(old), Some(seconds)) => now.saturating_sub(then(old)) as f64 / seconds,
                _ => 0.0,
            };
            Row {
                card: self.last.name.clone(),
                jobs: rate(client.raw.jobs, |c| c.raw.jobs),
                to_card: rate(client.raw.bytes_to_card, |c| c.raw.bytes_to_card),
                from_card: rate(client.raw.bytes_from_card, |c| c.raw.bytes_from_card),
                client: client.clone(),
            }
        };
        clients.iter().map(row).collect()
    }
}

/// The share of time between two samples in which a model ran.
fn busy(before: &Sample, last: &Sample) -> Option<f64> {
    let time = (last.at - before.at).as_secs_f64();
    let busy = last.npu_busy?.checked_sub(before.npu_busy?)?.as_secs_f64();
    (time > 0.0).then(|| (busy / time).min(1.0))
}
