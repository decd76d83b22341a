// SPDX-License-Identifier: MIT OR Apache-2.0

//! Health of a session, so that giving things back does not take for ever when the card does not answer.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use nix::errno::Errno;

/// Time for a call that gives something back.
const PATIENT: Duration = Duration::from_secs(10);
/// Time limit for giving things back after a call was not answered in time.
const IMPATIENT: Duration = Duration::from_secs(1);

const GOOD: u8 = 0;
const SLOW: u8 = 1;
const LOST: u8 = 2;

/// What the last jobs of a session tell.
#[derive(Debug, Default)]
pub(crate) struct Health(AtomicU8);

impl Health {
    /// Notes that a job ended well.
    pub(crate) fn well(&self) {
        let _ = self
            .0
            .compare_exchange(SLOW, GOOD, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Notes that a job or a request failed.
    pub(crate) fn failed(&self, errno: Errno) {
        let worse = match errno {
            Errno::ETIME | Errno::ETIMEDOUT => SLOW,
            Errno::ESTALE | Errno::ENODEV | Errno::EHOSTDOWN | Errno::ECANCELED => LOST,
            _ => return,
        };
        self.0.fetch_max(worse, Ordering::Relaxed);
    }

    /// Returns how long to wait for an answer when giving something back; `None`: the session has ended on
    /// the card, and everything was given back with it.
    pub(crate) fn cleanup_timeout(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            GOOD => Some(PATIENT),
            SLOW => Some(IMPATIENT),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_good_to_lost() {
        let health = Health::default();
        health.failed(Errno::EINVAL);
        assert_eq!(health.cleanup_timeout(), Some(PATIENT));
        health.failed(Errno::ETIME);
        assert_eq!(health.cleanup_timeout(), Some(IMPATIENT));
        health.well();
        assert_eq!(health.cleanup_timeout(), Some(PATIENT));
        health.failed(Errno::ESTALE);
        health.failed(Errno::ETIME);
        health.well();
        assert_eq!(health.cleanup_timeout(), None);
    }
}
