// SPDX-License-Identifier: MIT OR Apache-2.0

//! The log of the daemon, which the host can fetch (spec 4.3).

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

impl CardLog {
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
