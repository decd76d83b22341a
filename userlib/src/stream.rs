// SPDX-License-Identifier: MIT OR Apache-2.0

//! Streams: the queues of a session.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::session::Session;
use crate::transport::Place;

/// A queue of the card: its calls and copies are carried out in order, those of different streams at the same
/// time.  A call that may block for long wants a stream of its own, made by [`Session::new_context`].
///
/// Clones are handles of the same stream.  What it has on the card ends with the last of them, and not before the jobs
/// that were submitted to it.
#[derive(Debug, Clone)]
pub struct Stream {
    lane: Arc<Lane>,
    session: Session,
}

/// The stream as jobs keep it.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Without life, as jobs must not keep the session going.
    session: Session,
    place: Place,
    owned: Owned,
}

/// What ends with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owned {
    Nothing,
    Stream,
    Context,
}

impl Session {
    /// Returns the default stream of the default context.
    pub fn stream(&self) -> Stream {
        let place = Place {
            context: self.default_context(),
            stream: 1,
        };
        Stream::borrowed(self.clone(), place)
    }
}

impl Stream {
    pub(crate) fn borrowed(session: Session, place: Place) -> Self {
        Self::owning(session, place, Owned::Nothing)
    }

    pub(crate) fn owning(session: Session, place: Place, owned: Owned) -> Self {
        let lane = Arc::new(Lane {
            session: session.without_life(),
            place,
            owned,
        });
        Self { lane, session }
    }

    /// Makes a handle of the stream for something that jobs keep.
    pub(crate) fn without_life(&self) -> Self {
        Self {
            lane: self.lane.clone(),
            session: self.session.without_life(),
        }
    }

    /// Returns the session that the stream belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns context and stream id.
    pub fn place(&self) -> Place {
        self.lane.place
    }

    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Ends what the stream has on the card, and tells how that went; dropping the last handle does the same without
    /// waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`]: there are other handles of it, things that use it, or jobs that have not ended; they keep it
    /// going.  [`Error::Card`], [`Error::Job`]: the card did not end it.
    pub fn close(self, timeout: Duration) -> Result<()> {
        let Self { lane, session } = self;
        session.reap();
        let (place, owned) = (lane.place, lane.owned);
        let mut lane =
            Arc::into_inner(lane).ok_or_else(|| Error::Busy("the stream is still used".into()))?;
        lane.owned = Owned::Nothing;
        drop(lane);
        Stream::borrowed(session, place).end(owned, timeout)
    }
}

impl Lane {
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.owned == Owned::Nothing || self.session.is_over() {
            return;
        }
        // Whatever was submitted to the stream has ended, as that would have kept it.
        let stream = Stream::borrowed(self.session.clone(), self.place);
        self.session.release(stream.end_call(self.owned));
    }
}
