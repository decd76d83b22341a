// SPDX-License-Identifier: MIT OR Apache-2.0

//! Numbers for people.

use std::time::Duration;

/// Bytes with a binary unit, three digits.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return match unit {
                "B" => format!("{count} B"),
                _ if value < 10.0 => format!("{value:.2} {unit}"),
                _ if value < 100.0 => format!("{value:.1} {unit}"),
                _ => format!("{value:.0} {unit}"),
            };
        }
        value /= 1024.0;
    }
    format!("{value:.2} TiB")
}

/// Writes a time with a unit, three digits.
pub fn time(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    let (value, unit) = match us {
        _ if us < 1e3 => (us, "us"),
        _ if us < 1e6 => (us / 1e3, "ms"),
        _ => (us / 1e6, "s"),
    };
    match value {
        _ if value < 10.0 => format!("{value:.2} {unit}"),
        _ if value < 100.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// Writes a share of 1 in percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Lines of columns, as wide as they must be.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Smallest, mean and 99th percentile of some times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Smallest.
    pub min: Duration,
    /// Mean.
    pub avg: Duration,
    /// 99 of 100 are not above this.
    pub p99: Duration,
}

impl Spread {
    /// Computes the figures of at least one time.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        let sum: Duration = times.iter().sum();
        Self {
            min: times[0],
            avg: sum / times.len() as u32,
            p99: times[(times.len() * 99).div_ceil(100) - 1],
        }
    }

    /// Writes the figures as `min / avg / p99`.
    pub fn cells(&self) -> [String; 3] {
        [time(self.min), time(self.avg), time(self.p99)]
    }

    /// Returns the figures in microseconds.
    pub fn json(&self) -> serde_json::Value {
        let us = |time: Duration| time.as_nanos() as f64 / 1e3;
        serde_json::json!({ "min_us": us(self.min), "avg_us": us(self.avg), "p99_us": us(self.p99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        let texts = [0, 1023, 1024, 10_240, 1 << 20, 7040 << 20, 5 << 40].map(bytes);
        assert_eq!(
            texts,
            ["0 B", "1023 B", "1.00 KiB", "10.0 KiB", "1.00 MiB", "6.88 GiB", "5.00 TiB"]
        );
        let texts = [1_500, 12_345, 999_000, 1_234_567, 2_000_000_000]
            .map(|ns| time(Duration::from_nanos(ns)));
        assert_eq!(texts, ["1.50 us", "12.3 us", "999 us", "1.23 ms", "2.00 s"]);
    }

    #[test]
    fn spreads() {
        let ms = Duration::from_millis;
        let spread = Spread::of((1..=200).map(ms));
        assert_eq!(
            (spread.min, spread.avg, spread.p99),
            (ms(1), Duration::from_micros(100_500), ms(198))
        );
        assert_eq!(
            Spread::of([ms(5)]),
            Spread {
                min: ms(5),
                avg: ms(5),
                p99: ms(5)
            }
        );
    }

    #[test]
    fn tables() {
        let rows = [
            vec!["a".into(), "bb".into()],
            vec!["ccc".into(), String::new()],
        ];
        assert_eq!(table(&rows), "a    bb\nccc\n");
    }
}
