// SPDX-License-Identifier: MIT OR Apache-2.0

//! Figures that follow the load slowly: the chip's temperature and the load averages.

use std::time::Instant;

use parking_lot::Mutex;

/// Idle temperature, degrees Celsius.
const IDLE: f64 = 41.35;
/// What full load of all units adds.
const NPU_RISE: f64 = 28.0;
const CPU_RISE: f64 = 9.0;
/// Time in which 63 % of a change is through, seconds.
const LAG: f64 = 20.0;

#[derive(Debug)]
struct State {
    at: Instant,
    degrees: f64,
    /// Busy seconds of all units up to then.
    npu: f64,
    cpu: f64,
}

/// A body with one heat capacity, warmed by busy units.
#[derive(Debug)]
pub(crate) struct Thermal {
    state: Mutex<State>,
}

impl Thermal {
    /// A chip that has been idle for long.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                at: Instant::now(),
                degrees: IDLE,
                npu: 0.0,
                cpu: 0.0,
            }),
        }
    }

    /// The temperature now, in 1/1000 degree, given the busy seconds since the start divided by the
    /// number of units.
    pub(crate) fn millidegrees(&self, npu: f64, cpu: f64) -> i32 {
        let mut state = self.state.lock();
        let now = Instant::now();
        let time = (now - state.at).as_secs_f64();
        if time > 0.0 {
            state.degrees = step(
                state.degrees,
                time,
                (npu - state.npu) / time,
                (cpu - state.cpu) / time,
            );
            (state.at, state.npu, state.cpu) = (now, npu, cpu);
        }
        (state.degrees * 1000.0).round() as i32
    }
}

/// The temperature `time` seconds after it was `degrees`, at the loads (0 to 1) of that time.
fn step(degrees: f64, time: f64, npu: f64, cpu: f64) -> f64 {
    let end = IDLE + NPU_RISE * npu.clamp(0.0, 1.0) + CPU_RISE * cpu.clamp(0.0, 1.0);
    relax(degrees, end, time, LAG)
}

/// What was `value`, `time` seconds later, on its way to `end`.
fn relax(value: f64, end: f64, time: f64, lag: f64) -> f64 {
    end + (value - end) * (-time / lag).exp()
}

/// The load averages over 1, 5 and 15 minutes.
#[derive(Debug)]
pub(crate) struct LoadAverage {
    /// When it was looked at last, the busy seconds of all cores up to then, and the averages.
    state: Mutex<(Instant, f64, [f64; 3])>,
}

impl LoadAverage {
    const LAGS: [f64; 3] = [60.0, 300.0, 900.0];

    /// No load up to now.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new((Instant::now(), 0.0, [0.0; 3])),
        }
    }

    /// The averages now, given the busy seconds of all cores since the start.
    pub(crate) fn averages(&self, busy: f64) -> [f64; 3] {
        let mut state = self.state.lock();
        let (at, before, averages) = &mut *state;
        let time = at.elapsed().as_secs_f64();
        if time > 0.0 {
            let running = (busy - *before) / time;
            for (average, lag) in averages.iter_mut().zip(Self::LAGS) {
                *average = relax(*average, running, time, lag);
            }
            *before = busy;
            *at = Instant::now();
        }
        *averages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_under_load_and_cools_after() {
        let mut degrees = IDLE;
        for _ in 0..10 {
            let next = step(degrees, 10.0, 1.0, 0.5);
            assert!(next > degrees);
            degrees = next;
        }
        assert!((degrees - (IDLE + NPU_RISE + CPU_RISE / 2.0)).abs() < 0.5);
        assert!(step(degrees, 10.0, 0.0, 0.0) < degrees);
        assert_eq!(Thermal::new().millidegrees(0.0, 0.0), 41_350);
    }

    #[test]
    fn load_averages_forget_at_their_own_pace() {
        let load = LoadAverage::new();
        std::thread::sleep(std::time::Duration::from_millis(10));
        let [one, five, fifteen] = load.averages(60.0);
        assert!(one > five && five > fifteen && fifteen > 0.0);
    }
}
