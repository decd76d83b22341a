// SPDX-License-Identifier: MIT OR Apache-2.0

//! How fast channels were, how evenly, and which failed.

use std::time::Duration;

use serde_json::{json, Value};

use crate::bench::Cost;
use crate::failure::{Failure, CARD};
use crate::text;

/// What a channel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Decodes.
    Decode,
    /// Encodes.
    Encode,
    /// Runs a model.
    Infer,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Decode, Self::Encode, Self::Infer];

    fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
            Self::Infer => "infer",
        }
    }

    fn channels(self) -> &'static str {
        match self {
            Self::Decode => "decoders",
            Self::Encode => "encoders",
            Self::Infer => "threads with a model",
        }
    }
}

/// What a channel has done.
#[derive(Debug)]
pub struct Tally {
    /// What it does.
    pub kind: Kind,
    /// Pictures or inferences that were right.
    pub done: u64,
    /// How long it worked.
    pub took: Duration,
    /// Why it ended early.
    pub failure: Option<String>,
}

impl Tally {
    fn per_second(&self) -> f64 {
        self.done as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// What all channels have done.
#[derive(Debug)]
pub struct Report {
    /// Names of the cards.
    pub cards: Vec<String>,
    /// From the begin of the first to the end of the last.
    pub took: Duration,
    /// What a picture or an inference cost on average, on all cards together.
    pub cost: Cost,
    /// One for each channel.
    pub tallies: Vec<Tally>,
}

/// The channels of a kind.
struct Row<'a> {
    kind: Kind,
    tallies: Vec<&'a Tally>,
    /// Of each channel, the slowest first.
    rates: Vec<f64>,
}

impl Row<'_> {
    fn done(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.done).sum()
    }

    fn failures(&self) -> impl Iterator<Item = &str> {
        self.tallies
            .iter()
            .filter_map(|tally| tally.failure.as_deref())
    }

    /// Returns the rate of the slowest channel, that in the middle and that of the fastest.
    fn spread(&self) -> [f64; 3] {
        let last = self.rates.len() - 1;
        [0, last / 2, last].map(|at| self.rates[at])
    }
}

impl Report {
    fn rows(&self) -> Vec<Row<'_>> {
        let row = |kind| {
            let tallies: Vec<_> = self.tallies.iter().filter(|t| t.kind == kind).collect();
            let mut rates: Vec<_> = tallies.iter().map(|t| t.per_second()).collect();
            rates.sort_by(f64::total_cmp);
            Row {
                kind,
                tallies,
                rates,
            }
        };
        let rows = Kind::ALL.into_iter().map(row);
        rows.filter(|row| !row.tallies.is_empty()).collect()
    }

    fn rate(&self, row: &Row<'_>) -> f64 {
        row.done() as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Writes a table.
    pub fn text(&self) -> String {
        let title = [
            "KIND",
            "CHANNELS",
            "DONE",
            "PER SECOND",
            "SLOWEST",
            "MEDIAN",
            "FASTEST",
            "FAILED",
        ];
        let mut rows = vec![title.map(String::from).to_vec()];
        for row in self.rows() {
            let mut cells = vec![
                row.kind.name().to_owned(),
                row.tallies.len().to_string(),
                row.done().to_string(),
                format!("{:.1}", self.rate(&row)),
            ];
            cells.extend(row.spread().map(|rate| format!("{rate:.2}")));
            cells.push(row.failures().count().to_string());
            rows.push(cells);
        }
        let cards = self.cards.join(", ");
        format!(
            "{:.1} s on {cards}\n{}  each, on average: {}\n",
            self.took.as_secs_f64(),
            text::table(&rows),
            self.cost.text()
        )
    }

    /// Returns the same for programs.
    pub fn json(&self) -> Value {
        let kinds = self.rows().into_iter().map(|row| {
            let [slowest, median, fastest] = row.spread();
            json!({
                "kind": row.kind.name(),
                "channels": row.tallies.len(),
                "done": row.done(),
                "per_second": self.rate(&row),
                "channel_per_second": {"min": slowest, "median": median, "max": fastest},
                "failures": row.failures().collect::<Vec<_>>(),
            })
        });
        json!({
            "cards": self.cards,
            "seconds": self.took.as_secs_f64(),
            "kinds": kinds.collect::<Vec<_>>(),
            "per_operation": self.cost.json(),
        })
    }

    /// Fails if a channel did.
    pub fn judge(&self) -> Result<(), Failure> {
        let rows = self.rows();
        let failed = rows.iter().filter_map(|row| {
            let (count, all) = (row.failures().count(), row.tallies.len());
            let first = row.failures().next()?;
            let what = row.kind.channels();
            Some(format!(
                "{count} of {all} {what} failed, the first: {first}"
            ))
        });
        match failed.collect::<Vec<_>>().join("; ") {
            none if none.is_empty() => Ok(()),
            failed => Err(Failure::new(CARD, failed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(kind: Kind, done: u64, failure: Option<&str>) -> Tally {
        Tally {
            kind,
            done,
            took: Duration::from_secs(2),
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn rates_are_of_channels_and_of_all() {
        let tallies = [100, 20, 60, 40]
            .map(|done| tally(Kind::Decode, done, None))
            .into_iter()
            .chain([tally(Kind::Infer, 7, None)])
            .collect();
        let report = Report {
            cards: vec!["ax650-0".into(), "ax650-1".into()],
            took: Duration::from_secs(4),
            cost: Cost::default(),
            tallies,
        };
        let json = report.json();
        let kinds = &json["kinds"];
        assert_eq!(kinds[0]["per_second"], 55.0);
        let spread = json!({"min": 10.0, "median": 20.0, "max": 50.0});
        assert_eq!(kinds[0]["channel_per_second"], spread);
        assert_eq!(
            (&kinds[1]["kind"], &kinds[1]["done"]),
            (&json!("infer"), &json!(7))
        );
        assert!(kinds.get(2).is_none());
        assert!(report.judge().is_ok());
        let text = report.text();
        assert!(
            text.starts_with("4.0 s on ax650-0, ax650-1\nKIND"),
            "{text}"
        );
    }

    #[test]
    fn failures_are_counted() {
        let report = Report {
            cards: Vec::new(),
            took: Duration::from_secs(1),
            cost: Cost::default(),
            tallies: vec![
                tally(Kind::Encode, 1, None),
                tally(Kind::Encode, 0, Some("no room")),
                tally(Kind::Infer, 0, Some("no time")),
            ],
        };
        assert_eq!(report.json()["kinds"][0]["failures"], json!(["no room"]));
        let failure = report.judge().unwrap_err();
        let words =
            "1 of 2 encoders failed, the first: no room; 1 of 1 threads with a model failed";
        assert!(failure.message.starts_with(words), "{}", failure.message);
    }
}
