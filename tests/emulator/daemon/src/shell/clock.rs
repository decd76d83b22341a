// SPDX-License-Identifier: MIT OR Apache-2.0

//! The time of day on the card, which its host has told it: UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// Seconds since 1970.
    seconds: u64,
}

/// The time now.
pub(super) fn now() -> Clock {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Clock {
        seconds: since.map_or(0, |time| time.as_secs()),
    }
}

impl Clock {
    /// Year, month and day, from 1.
    fn date(self) -> (u64, u64, u64) {
        // Days since 0000-03-01, in eras of 400 years: leap days are the last of their years then.
        let days = self.seconds / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (era * 400 + year + u64::from(month <= 2), month, day)
    }

    /// The time in a format of `date`; the error is a letter that is not known.
    pub(super) fn format(self, format: &str) -> Result<String, char> {
        let (year, month, day) = self.date();
        let time = self.seconds % 86_400;
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let mut text = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            text += &match letters.next().ok_or('%')? {
                'a' => DAYS[(self.seconds / 86_400 + 4) as usize % 7].to_owned(),
                'b' => MONTHS[month as usize - 1].to_owned(),
                'e' => format!("{day:2}"),
                'd' => format!("{day:02}"),
                'm' => format!("{month:02}"),
                'Y' => year.to_string(),
                'H' => format!("{hour:02}"),
                'M' => format!("{minute:02}"),
                'S' => format!("{second:02}"),
                's' => self.seconds.to_string(),
                'F' => format!("{year}-{month:02}-{day:02}"),
                'T' => format!("{hour:02}:{minute:02}:{second:02}"),
                'Z' => "UTC".to_owned(),
                '%' => "%".to_owned(),
                other => return Err(other),
            };
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 UTC 1970"),
            (951_782_399, "Mon Feb 28 23:59:59 UTC 2000"),
            (951_782_400, "Tue Feb 29 00:00:00 UTC 2000"),
            (1_795_305_447, "Sat Nov 21 23:57:27 UTC 2026"),
            (4_107_542_400, "Mon Mar  1 00:00:00 UTC 2100"),
        ] {
            let clock = Clock { seconds };
            assert_eq!(clock.format("%a %b %e %H:%M:%S %Z %Y").as_deref(), Ok(text));
        }
        let clock = Clock { seconds: 86_399 };
        assert_eq!(
            clock.format("%F %T %s%%").as_deref(),
            Ok("1970-01-01 23:59:59 86399%")
        );
        assert_eq!(clock.format("%Q"), Err('Q'));
    }
}
