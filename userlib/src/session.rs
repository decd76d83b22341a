// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sessions and their streams.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ax650_uapi::{ax650_limits, ax650_session_create};
use nix::errno::Errno;

use crate::arena::Arena;
use crate::buffer::Buffer;
use crate::error::{Error, Request, Result};
use crate::health::Health;
use crate::job::{Job, Outstanding};
use crate::service::Services;
use crate::transport::{Place, Transport};

/// Log level of the card's serving process: info.
const LOG_LEVEL: u32 = 2;

/// A session: one serving process on the card, with all that it holds there.
///
/// It ends when the last handle of it, and of what was made with it, is dropped; the card then releases what is
/// left.  Clones are handles of the same session; any thread may use it.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    device: Arc<dyn Transport>,
    card: String,
    created: ax650_session_create,
    limits: ax650_limits,
    sequence: AtomicU64,
    context: AtomicU32,
    stream: AtomicU32,
    arena: Arc<Arena>,
    left: Mutex<Vec<Outstanding>>,
    services: Services,
    health: Health,
}

impl Session {
    pub(crate) fn new(
        device: Arc<dyn Transport>,
        card: String,
        limits: ax650_limits,
    ) -> Result<Self> {
        let failed = |what: &str, request, errno| Error::Driver {
            card: card.clone(),
            what: what.into(),
            request,
            errno,
        };
        let arena = Arena::new(device.clone())
            .map_err(|errno| failed("make room for answers", Request::Buffer, errno))?;
        let mut created = ax650_session_create {
            log_level: LOG_LEVEL,
            ..Default::default()
        };
        device
            .session_create(&mut created)
            .map_err(|errno| failed("open a session", Request::Session, errno))?;
        log::debug!(
            "{card}: session {} of generation {}",
            created.session,
            created.generation
        );
        Ok(Self {
            inner: Arc::new(Inner {
                device,
                created,
                limits,
                sequence: AtomicU64::new(created.next_sequence),
                context: AtomicU32::new(created.context + 1),
                stream: AtomicU32::new(2),
                arena,
                left: Mutex::default(),
                services: Services::default(),
                health: Health::default(),
                card,
            }),
        })
    }

    /// The default stream of the default context.
    pub fn stream(&self) -> Stream {
        let place = Place {
            context: self.inner.created.context,
            stream: 1,
        };
        Stream::borrowed(self.clone(), place)
    }

    /// Makes a buffer of `len` bytes, zeroed.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: no memory, or more than the driver allows.
    pub fn buffer(&self, len: usize) -> Result<Buffer> {
        Buffer::new(self.inner.device.clone(), len).map_err(|errno| {
            self.driver_error(
                &format!("make a buffer of {len} bytes"),
                Request::Buffer,
                errno,
            )
        })
    }

    /// Generation of the card when the session began.
    pub fn generation(&self) -> u32 {
        self.inner.created.generation
    }

    /// What the driver allows.
    pub fn limits(&self) -> &ax650_limits {
        &self.inner.limits
    }

    /// Name of the card, `ax650-N`.
    pub fn card_name(&self) -> &str {
        &self.inner.card
    }

    pub(crate) fn device(&self) -> &dyn Transport {
        &*self.inner.device
    }

    pub(crate) fn handle(&self) -> u32 {
        self.inner.created.session
    }

    pub(crate) fn card_id(&self) -> u32 {
        self.inner.created.card_id
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.inner.arena
    }

    pub(crate) fn services(&self) -> &Services {
        &self.inner.services
    }

    pub(crate) fn default_timeout(&self) -> Duration {
        Duration::from_nanos(self.inner.limits.default_timeout_ns)
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        self.inner.sequence.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_context(&self) -> u32 {
        self.inner.context.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_stream(&self) -> u32 {
        self.inner.stream.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps a job whose owner lost interest until it has ended.
    pub(crate) fn leave(&self, job: Outstanding) {
        self.left().push(job);
    }

    /// Gives back what the jobs held that were left and have ended since.
    pub(crate) fn reap(&self) {
        let left = std::mem::take(&mut *self.left());
        for job in left {
            match job.look(self, 0) {
                Ok(None) => self.left().push(job),
                Ok(Some((wait, _))) if wait.status == 0 => {}
                Ok(Some(_)) | Err(_) => job.lose(),
            }
        }
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Vec<Outstanding>> {
        self.inner
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> &Health {
        &self.inner.health
    }

    pub(crate) fn driver_error(&self, what: &str, request: Request, errno: Errno) -> Error {
        self.inner.health.failed(errno);
        Error::Driver {
            card: self.inner.card.clone(),
            what: what.into(),
            request,
            errno,
        }
    }

    pub(crate) fn job_error(&self, what: String, errno: Errno) -> Error {
        self.inner.health.failed(errno);
        Error::Job {
            card: self.inner.card.clone(),
            what,
            errno,
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { card, created, .. } = &*self.inner;
        f.debug_struct("Session")
            .field("card", card)
            .field("handle", &created.session)
            .finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for job in std::mem::take(self.left.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            job.lose();
        }
        if let Err(errno) = self.device.session_destroy(self.created.session) {
            log::debug!(
                "{}: end session {}: {errno}",
                self.card,
                self.created.session
            );
        }
    }
}

/// A queue of the card: its calls and copies are carried out in order, those of different streams at the same
/// time.  A call that may block for long wants a stream of its own, made by [`Session::new_context`].
#[derive(Debug)]
pub struct Stream {
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

impl Stream {
    pub(crate) fn borrowed(session: Session, place: Place) -> Self {
        Self {
            session,
            place,
            owned: Owned::Nothing,
        }
    }

    pub(crate) fn owning(session: Session, place: Place, owned: Owned) -> Self {
        Self {
            session,
            place,
            owned,
        }
    }

    /// The session it belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Context and stream id.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Begins to put a job together.  All its steps belong to this stream, but for calls that were prepared for
    /// another one.
    pub fn job(&self) -> Job<'_> {
        Job::new(self)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(timeout) = self.session.health().cleanup_timeout() else {
            return;
        };
        if let Err(error) = self.end(self.owned, timeout) {
            log::debug!("{:?}: {error}", self.place);
        }
    }
}
