// SPDX-License-Identifier: MIT OR Apache-2.0

//! The log of the daemon, which the host can fetch [rpc 4.3].

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Instant;

use log::Level;
use parking_lot::Mutex;

/// The last lines, oldest first.
#[derive(Debug)]
pub(crate) struct CardLog {
    boot: Instant,
    lines: Mutex<VecDeque<String>>,
}

/// A text that cannot be taken for more lines than one, however it came about: names of tensors and
/// paths are the host's.
fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().take(CardLog::LONGEST).map(clean).collect();
    if text.chars().nth(CardLog::LONGEST).is_some() {
        line.push_str("...");
    }
    line
}

impl CardLog {
    /// Longest text of a line, characters.
    const LONGEST: usize = 2000;
    /// Lines kept.
    const KEEP: usize = 4096;

    /// An empty log whose times count from now.
    pub(crate) fn new() -> Self {
        Self {
            boot: Instant::now(),
            lines: Mutex::default(),
        }
    }

    /// Adds a line, here and in the emulator's own log.
    pub(crate) fn write(&self, level: Level, pid: u32, text: &str) {
        let text = one_line(text);
        log::log!(target: "card", level, "{text}");
        let line = format!(
            "[{:12.6}] {:<5} axcl_daemon[{pid}]: {text}\n",
            self.boot.elapsed().as_secs_f64(),
            level.as_str()
        );
        let mut lines = self.lines.lock();
        if lines.len() >= Self::KEEP {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// All lines.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines.lock();
        let mut text = String::with_capacity(lines.iter().map(String::len).sum());
        for line in &*lines {
            let _ = text.write_str(line);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_of_bounded_length() {
        let log = CardLog::new();
        log.write(Level::Error, 7, "a\nfaked line\r\u{7}end");
        log.write(Level::Error, 7, &"x".repeat(10_000));
        let text = log.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].ends_with("axcl_daemon[7]: a faked line  end"),
            "{text}"
        );
        assert!(lines[1].ends_with("x...") && lines[1].len() < 2100);
    }
}
