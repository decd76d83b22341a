// SPDX-License-Identifier: MIT OR Apache-2.0

//! Load of a set of equal units (CPU or NPU cores), measured from the times they are busy.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nix::time::{clock_gettime, ClockId};
use parking_lot::Mutex;

/// Load is that of the last second.
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct State {
    /// Busy times that are over, in the order of their ends.
    past: VecDeque<(Instant, Instant)>,
    /// Starts of those that are not.
    running: Vec<Instant>,
    total: Duration,
}

/// A meter of `units` units.
#[derive(Debug)]
pub(crate) struct BusyMeter {
    units: u32,
    state: Mutex<State>,
}

impl BusyMeter {
    /// A meter of idle units.
    pub(crate) fn new(units: u32) -> Self {
        Self {
            units,
            state: Mutex::default(),
        }
    }

    /// One unit is busy until the result is dropped.
    pub(crate) fn unit(&self) -> Busy<'_> {
        let start = Instant::now();
        self.state.lock().running.push(start);
        Busy {
            meter: self,
            start,
            cpu: None,
        }
    }

    /// One unit is busy while this thread uses the CPU, until the result is dropped.
    pub(crate) fn thread(&self) -> Busy<'_> {
        Busy {
            meter: self,
            start: Instant::now(),
            cpu: Some(thread_time()),
        }
    }

    /// Load in percent of all units.
    pub(crate) fn percent(&self) -> u32 {
        let now = Instant::now();
        let from = now.checked_sub(WINDOW).unwrap_or(now);
        let mut state = self.state.lock();
        while state.past.front().is_some_and(|(_, end)| *end < from) {
            state.past.pop_front();
        }
        let past = state
            .past
            .iter()
            .map(|(start, end)| *end - from.max(*start));
        let running = state.running.iter().map(|start| now - from.max(*start));
        let busy: Duration = past.chain(running).sum();
        let percent = 100.0 * busy.as_secs_f64() / (WINDOW.as_secs_f64() * f64::from(self.units));
        percent.round().min(100.0) as u32
    }

    /// Busy time since the start, that of all units together.
    pub(crate) fn total(&self) -> Duration {
        let now = Instant::now();
        let state = self.state.lock();
        state.total
            + state
                .running
                .iter()
                .map(|start| now - *start)
                .sum::<Duration>()
    }

    fn over(&self, start: Instant, end: Instant) {
        let mut state = self.state.lock();
        state.total += end - start;
        state.past.push_back((start, end));
        while state
            .past
            .front()
            .is_some_and(|(_, end)| end.elapsed() > WINDOW)
        {
            state.past.pop_front();
        }
    }
}

/// A unit is busy while this lives.
#[derive(Debug)]
pub(crate) struct Busy<'a> {
    meter: &'a BusyMeter,
    start: Instant,
    /// CPU time of the thread at the start, if that is what is measured.
    cpu: Option<Duration>,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let end = Instant::now();
        if let Some(before) = self.cpu {
            let used = thread_time().saturating_sub(before);
            return self
                .meter
                .over(self.start.max(end.checked_sub(used).unwrap_or(end)), end);
        }
        let mut state = self.meter.state.lock();
        if let Some(at) = state.running.iter().position(|start| *start == self.start) {
            state.running.swap_remove(at);
        }
        drop(state);
        self.meter.over(self.start, end);
    }
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_busy() {
        let meter = BusyMeter::new(2);
        assert_eq!(meter.percent(), 0);
        let busy = meter.unit();
        std::thread::sleep(Duration::from_millis(100));
        let running = meter.percent();
        assert!((4..50).contains(&running), "{running}");
        drop(busy);
        assert!(meter.percent() >= running);
        assert!(meter.total() >= Duration::from_millis(100));
        let before = meter.total();
        let idle = meter.thread();
        std::thread::sleep(Duration::from_millis(50));
        drop(idle);
        assert!(meter.total() - before < Duration::from_millis(45));
    }
}
