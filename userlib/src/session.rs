// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sessions: serving processes on a card.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ax650_uapi::{ax650_limits, ax650_session_create};
use nix::errno::Errno;

use crate::arena::Arena;
use crate::buffer::Buffer;
use crate::cleanup::Cleanup;
use crate::error::{Error, Request, Result};
use crate::health::Health;
use crate::host_memory::HostMemory;
use crate::service::Services;
use crate::transport::Device;

/// Log level of the card's serving process: info.
const LOG_LEVEL: u32 = 2;

/// A session: one serving process on the card, with all that it holds there.
///
/// It ends when the last handle of it, and of what was made with it, is dropped; the card then releases what is
/// left.  Clones are handles of the same session; any thread may use it.
///
/// # Giving back
///
/// Dropping something that lives on the card does not wait for the card: it queues the call that gives it back, which is
/// sent at once if possible, else with a later job.  What a job uses is given back after the job has ended.  Where a
/// program has to know that it was given back there are [`Session::settle`] and the methods `close`.
///
/// # Fork
///
/// A child made by `fork()` has no part in the session: its calls fail with [`ErrorKind::LostSession`], and dropping
/// things does nothing.  The child can open the card itself.
///
/// [`ErrorKind::LostSession`]: crate::ErrorKind::LostSession
#[derive(Clone)]
pub struct Session {
    core: Arc<Core>,
    life: Hold,
}

/// What a handle has of the session's life.
#[derive(Clone)]
enum Hold {
    /// A user's handle: it keeps the session going.
    Strong(Arc<Life>),
    /// The hold of something that jobs keep: it does not keep the session going.
    Weak(Weak<Life>),
}

struct Core {
    device: Arc<Device>,
    created: ax650_session_create,
    limits: ax650_limits,
    sequence: AtomicU64,
    context: AtomicU32,
    stream: AtomicU32,
    /// Id of the serving process on the card; 0: not told yet.
    card_process: AtomicU32,
    arena: Arc<Arena>,
    services: Services,
    health: Health,
    cleanup: Cleanup,
}

/// Ends the session when dropped.
struct Life {
    core: Arc<Core>,
    has_ended: bool,
}

impl Session {
    pub(crate) fn new(device: Arc<Device>, limits: ax650_limits) -> Result<Self> {
        let failed = |what: &str, request, errno| Error::Driver {
            card: device.card().into(),
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
        let (card, handle) = (device.card(), created.session);
        log::debug!(
            "{card}: session {handle} of generation {}",
            created.generation
        );
        let core = Arc::new(Core {
            device,
            created,
            limits,
            sequence: AtomicU64::new(created.next_sequence),
            context: AtomicU32::new(created.context + 1),
            stream: AtomicU32::new(2),
            card_process: AtomicU32::new(0),
            arena,
            services: Services::default(),
            health: Health::default(),
            cleanup: Cleanup::default(),
        });
        let life = Hold::Strong(Arc::new(Life {
            core: core.clone(),
            has_ended: false,
        }));
        Ok(Self { core, life })
    }

    pub(crate) fn default_context(&self) -> u32 {
        self.core.created.context
    }

    /// Makes a buffer of `len` bytes, zeroed.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: no memory, or more than the driver allows.
    pub fn buffer(&self, len: usize) -> Result<Buffer> {
        Buffer::new(self.core.device.clone(), len).map_err(|errno| {
            self.driver_error(
                &format!("make a buffer of {len} bytes"),
                Request::Buffer,
                errno,
            )
        })
    }

    /// Makes a buffer of memory that the program has, for example a `Vec<u8>`: the card reads and writes it in
    /// place.
    ///
    /// The driver pins its pages, which has its price: this is for memory that is large, or used again and again.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: no bytes, more than the driver or `RLIMIT_MEMLOCK` allows, or memory of a kind that cannot
    /// be pinned (`docs/uapi.md`).
    pub fn buffer_of(&self, memory: impl HostMemory) -> Result<Buffer> {
        let len = memory.size();
        Buffer::of(self.core.device.clone(), memory).map_err(|errno| self.no_buffer(len, errno))
    }

    /// Makes a buffer of a dma-buf: memory of another driver, or of another card's [`Buffer::export`].
    ///
    /// The card reads and, if it is `writable`, writes it in place.  The program maps it where it comes from;
    /// [`Buffer::read`] and [`Buffer::write`] are refused.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: no dma-buf, one that was opened for reading and is to be `writable`, more than the driver
    /// allows, or what its own driver has against it.
    pub fn buffer_of_dma_buf(&self, dma_buf: BorrowedFd<'_>, writable: bool) -> Result<Buffer> {
        Buffer::of_dma_buf(self.core.device.clone(), dma_buf, writable)
            .map_err(|errno| self.driver_error("use a dma-buf", Request::Buffer, errno))
    }

    /// Makes a buffer of bytes that jobs only read.
    ///
    /// # Safety
    ///
    /// As [`Buffer::borrowing`].
    pub(crate) unsafe fn buffer_borrowing(&self, bytes: &[u8]) -> Result<Buffer> {
        // SAFETY: by the caller.
        unsafe { Buffer::borrowing(self.core.device.clone(), bytes) }
            .map_err(|errno| self.no_buffer(bytes.len(), errno))
    }

    fn no_buffer(&self, len: usize, errno: Errno) -> Error {
        let what = format!("make a buffer of {len} bytes that the program has");
        self.driver_error(&what, Request::Buffer, errno)
    }

    /// Ends the session after giving back what was dropped, and tells how that went; dropping the last handle does the
    /// same without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`]: there are other handles of it, or things that were made with it; they keep it going.
    /// [`Error::Driver`]: the driver could not end it, or the card did not give back everything within `timeout`; the
    /// session has ended all the same.
    pub fn close(self, timeout: Duration) -> Result<()> {
        let settled = self.settle(timeout);
        let Self { core, life } = self;
        let life = match life {
            Hold::Strong(life) => Arc::into_inner(life),
            Hold::Weak(_) => None,
        };
        let Some(mut life) = life else {
            return Err(Error::Busy(
                "the session is still used by other handles and by what was made with it".into(),
            ));
        };
        life.end()
            .map_err(|errno| core.driver_error("end a session", Request::Session, errno))?;
        settled
    }

    /// Returns the generation of the card when the session began.
    pub fn generation(&self) -> u32 {
        self.core.created.generation
    }

    /// Returns the driver's limits.
    pub fn limits(&self) -> &ax650_limits {
        &self.core.limits
    }

    /// Returns the name of the card, `ax650-N`.
    pub fn card_name(&self) -> &str {
        self.core.device.card()
    }

    /// Returns whether both are handles of the same session.
    pub fn is_same(&self, other: &Session) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    /// Refuses what belongs to another session.  `what` names it.
    pub(crate) fn same_session(&self, other: &Session, what: &str) -> Result<()> {
        if self.is_same(other) {
            return Ok(());
        }
        let (mine, theirs) = (self.card_name(), other.card_name());
        Err(Error::invalid(if mine == theirs {
            format!("{what} of another session of {theirs}")
        } else {
            format!("{what} of a session of {theirs}, but this is one of {mine}")
        }))
    }

    /// Refuses a buffer of another open card.
    pub(crate) fn same_device(&self, buffer: &Buffer) -> Result<()> {
        if Arc::ptr_eq(&self.core.device, buffer.device()) {
            return Ok(());
        }
        let (mine, theirs) = (self.card_name(), buffer.device().card());
        Err(Error::invalid(if mine == theirs {
            format!("a buffer that was made with another opening of {theirs}")
        } else {
            format!("a buffer of {theirs} in a job for {mine}")
        }))
    }

    /// Makes a handle of the session for things that must not keep it going.
    pub(crate) fn without_life(&self) -> Self {
        let life = match &self.life {
            Hold::Strong(life) => Hold::Weak(Arc::downgrade(life)),
            Hold::Weak(life) => Hold::Weak(life.clone()),
        };
        Self {
            core: self.core.clone(),
            life,
        }
    }

    /// Makes a handle that keeps the session going for as long as it is held; `None`: the session is over.
    pub(crate) fn with_life(&self) -> Option<Self> {
        if self.core.device.is_inherited() {
            return None;
        }
        let life = match &self.life {
            Hold::Strong(life) => life.clone(),
            Hold::Weak(life) => life.upgrade()?,
        };
        Some(Self {
            core: self.core.clone(),
            life: Hold::Strong(life),
        })
    }

    /// Returns whether the session has ended, or belongs to the parent of this process: nothing is to be
    /// given back any more.
    pub(crate) fn is_over(&self) -> bool {
        self.with_life().is_none()
    }

    pub(crate) fn device(&self) -> &Device {
        &self.core.device
    }

    pub(crate) fn handle(&self) -> u32 {
        self.core.created.session
    }

    pub(crate) fn card_id(&self) -> u32 {
        self.core.created.card_id
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.core.arena
    }

    pub(crate) fn services(&self) -> &Services {
        &self.core.services
    }

    pub(crate) fn cleanup(&self) -> &Cleanup {
        &self.core.cleanup
    }

    pub(crate) fn default_timeout(&self) -> Duration {
        Duration::from_nanos(self.core.limits.default_timeout_ns)
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        self.core.sequence.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_context(&self) -> u32 {
        self.core.context.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_stream(&self) -> u32 {
        self.core.stream.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the id of the serving process on the card, as it names itself in its log.
    pub(crate) fn card_process(&self) -> Option<u32> {
        Some(self.core.card_process.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }

    pub(crate) fn note_card_process(&self, id: Option<u32>) {
        self.core
            .card_process
            .store(id.unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn health(&self) -> &Health {
        &self.core.health
    }

    pub(crate) fn driver_error(&self, what: &str, request: Request, errno: Errno) -> Error {
        self.core.driver_error(what, request, errno)
    }

    pub(crate) fn job_error(&self, what: String, errno: Errno) -> Error {
        self.core.health.failed(errno);
        Error::Job {
            card: self.card_name().into(),
            what,
            errno,
        }
    }
}

impl Core {
    fn driver_error(&self, what: &str, request: Request, errno: Errno) -> Error {
        self.health.failed(errno);
        Error::Driver {
            card: self.device.card().into(),
            what: what.into(),
            request,
            errno,
        }
    }
}

impl Life {
    /// Ends the session, once.
    fn end(&mut self) -> Result<(), Errno> {
        let Core {
            device,
            cleanup,
            created,
            ..
        } = &*self.core;
        if device.is_inherited() || std::mem::replace(&mut self.has_ended, true) {
            return Ok(());
        }
        cleanup.forget();
        device.session_destroy(created.session)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Err(errno) = self.end() {
            let (card, handle) = (self.core.device.card(), self.core.created.session);
            log::debug!("{card}: end session {handle}: {errno}");
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("card", &self.card_name())
            .field("handle", &self.handle())
            .finish()
    }
}
