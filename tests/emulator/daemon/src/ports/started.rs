// SPDX-License-Identifier: MIT OR Apache-2.0

//! Copies that the card has started, and who waits for them [rpc 5.4].

use std::collections::HashMap;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::channel::BulkError;
use crate::protocol::frames::Header;
use crate::wait::latch::Latch;

/// What names a queued copy: sequence, context, stream.
type Name = (u64, u32, u32);

fn name(header: &Header) -> Name {
    (header.sequence, header.context, header.stream)
}

/// Copies that the card has started and that the host has not yet run.
#[derive(Debug, Default)]
pub(crate) struct Started {
    copies: Mutex<HashMap<Name, Option<Result<(), BulkError>>>>,
    news: Condvar,
}

impl Started {
    /// A copy is about to be started.
    pub(super) fn begin(&self, header: &Header) {
        self.copies.lock().insert(name(header), None);
    }

    /// Nobody waits for the copy any more.
    pub(super) fn forget(&self, header: &Header) {
        self.copies.lock().remove(&name(header));
    }

    /// Notes the result of a copy, if it is one of these.
    pub(super) fn finish(&self, header: &Header, result: &Result<(), BulkError>) {
        if let Some(slot) = self.copies.lock().get_mut(&name(header)) {
            *slot = Some(result.clone());
            self.news.notify_all();
        }
    }

    /// The result of a started copy, `None` if it has none at the deadline or the session ends.
    pub(super) fn wait(
        &self,
        header: &Header,
        deadline: Instant,
        ended: &Latch,
    ) -> Option<Result<(), BulkError>> {
        let mut copies = self.copies.lock();
        loop {
            if let Some(result) = copies.get(&name(header)).cloned().flatten() {
                return Some(result);
            }
            // The clock is looked at after the result: one that comes at the deadline counts.
            if ended.is_raised() || Instant::now() >= deadline {
                return None;
            }
            self.news.wait_until(&mut copies, deadline);
        }
    }

    /// Wakes all waiters: the session has ended.
    pub(crate) fn wake(&self) {
        // With the lock, so that nobody is between looking at the session and going to sleep.
        let _copies = self.copies.lock();
        self.news.notify_all();
    }
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The waiter's clock runs out while the result is being written.
    #[test]
    fn U21_a_result_at_the_deadline_is_no_timeout() {
        let header = Header::parse(&[0; 28]).unwrap();
        let (started, ended) = (Started::default(), Latch::default());
        started.copies.lock().insert(name(&header), None);
        let deadline = Instant::now() + Duration::from_millis(60);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| started.wait(&header, deadline, &ended));
            // Time for the waiter to wait; then it finds the lock taken at its deadline.
            std::thread::sleep(Duration::from_millis(30));
            let mut copies = started.copies.lock();
            std::thread::sleep(Duration::from_millis(60));
            copies.insert(name(&header), Some(Ok(())));
            drop(copies);
            started.news.notify_all();
            assert_eq!(waiter.join().unwrap(), Some(Ok(())));
        });
        started.copies.lock().insert(name(&header), None);
        assert_eq!(started.wait(&header, Instant::now(), &ended), None);
    }
}
