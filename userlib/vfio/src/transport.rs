// SPDX-License-Identifier: GPL-2.0

//! The card as the crate `ax650` sees it.  Jobs are carried out when they are submitted, one after the other.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ax650::uapi::*;
use ax650::{Action, Card, Direction, Mapping, Step, Submission, Transport};
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::bulk::Piece;
use crate::container::Container;
use crate::dma::DmaMemory;
use crate::error::{refused, Error, Result};
use crate::function::Function;
use crate::jobs::{deadline, errno, now_ns, DEFAULT_TIMEOUT};
use crate::link::Link;
use crate::session::{self, Failure, Session, MAX_FRAME};
use crate::wire::control::{FIRST_USER_PORT, GROUP};
use crate::wire::handshake::REGION_SIZE;
use crate::wire::header::PORT_COUNT;
use crate::wire::record::Kind;
use crate::wire::ring::Geometry;
use crate::{boot, handshake, sysfs};

/// A card that this process has for itself.  Dropping it stops the card.
pub struct VfioCard {
    state: Mutex<State>,
    /// Readable while ended jobs wait to be looked at.
    node: EventFd,
    address: String,
    bus: u8,
    boot_time: Duration,
}

struct State {
    /// Goes first: the card is stopped before any memory goes.
    link: Link,
    container: Arc<Container>,
    sessions: BTreeMap<u32, Session>,
    buffers: HashMap<u32, DmaMemory>,
    jobs: BTreeMap<u64, (ax650_wait, Vec<ax650_step_result>)>,
    last_handle: u32,
    last_job: u64,
    next_port: u32,
}

impl VfioCard {
    /// Boots the card at PCI address `address`, or the first one, with the firmware in the file `firmware`.
    ///
    /// # Errors
    ///
    /// [`Error`]: there is no card for this process; the file is no firmware; the card does not boot.
    pub fn boot(address: Option<&str>, firmware: &Path) -> Result<Arc<Self>> {
        let firmware =
            std::fs::read(firmware).map_err(refused(format!("read {}", firmware.display())))?;
        let images = boot::check(&firmware)?;
        let place = sysfs::find(Path::new(sysfs::PCI), address)?;
        let container = Container::open(&place)?;
        let geometry = Geometry::new(REGION_SIZE);
        let geometry = geometry.ok_or_else(|| Error::Card("has no rings".into()))?;
        // Before the function: should anything fail the card is stopped before this goes.
        let region = DmaMemory::new(&container, REGION_SIZE as usize)
            .map_err(refused("make memory for the card"))?;
        let function = Function::new(container.device(&place.address)?)?;
        let begun = Instant::now();
        function.reset()?;
        let interrupt = function
            .interrupt()
            .inspect_err(|error| log::warn!("no interrupt: {error}; the card is polled"))
            .ok();
        boot::load(&function, &region, &images)?;
        handshake::shake_hands(&function, &region)?;
        let boot_time = begun.elapsed();
        log::info!(
            "{}: firmware {}, boot {:.1} s",
            place.address,
            images.version(),
            boot_time.as_secs_f64()
        );
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let node = EventFd::from_value_and_flags(0, flags).map_err(refused("make an eventfd"))?;
        Ok(Arc::new(Self {
            state: Mutex::new(State {
                link: Link::new(function, region, geometry, place.bus.into(), interrupt),
                container,
                sessions: BTreeMap::new(),
                buffers: HashMap::new(),
                jobs: BTreeMap::new(),
                last_handle: 0,
                last_job: 0,
                next_port: FIRST_USER_PORT,
            }),
            node,
            address: place.address,
            bus: place.bus,
            boot_time,
        }))
    }

    /// Opens the card, as [`Card::open`] would.
    pub fn open(self: &Arc<Self>) -> Card {
        Card::with_transport(self.clone(), &self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the node readable if ended jobs wait to be looked at, else not.
    fn tell_pollers(&self, state: &State) {
        let _ = self.node.read();
        if !state.jobs.is_empty() {
            let _ = self.node.write(1);
        }
    }

    fn card_info(&self, state: &State) -> ax650_card_info {
        let is_up = state.link.check().is_ok();
        ax650_card_info {
            abi_version: AX650_ABI_VERSION,
            state: if is_up {
                AX650_STATE_RUNNING
            } else {
                AX650_STATE_DEAD
            },
            generation: 1,
            pci_bus: self.bus.into(),
            vendor: 0x1F4B,
            device: 0x0650,
            card_id: state.link.id(),
            heartbeat_interval_ms: state.link.heartbeat_interval_ms(),
            boot_time_ns: self.boot_time.as_nanos() as u64,
            ..Default::default()
        }
    }
}

/// What this transport can do.
fn limits() -> ax650_limits {
    ax650_limits {
        max_sessions_per_card: 8,
        max_sessions_per_file: 8,
        max_buffers_per_file: 1024,
        max_jobs_per_session: 64,
        max_steps_per_job: 128,
        max_frame_bytes: MAX_FRAME,
        max_buffer_bytes: 256 << 20,
        max_bytes_per_file: 1 << 30,
        max_bytes_per_card: 1 << 30,
        default_timeout_ns: DEFAULT_TIMEOUT.as_nanos() as u64,
        max_bytes_per_user: 1 << 30,
        max_sessions_per_user: 8,
        max_queued_steps: 4096,
        max_calls_under_way: 1,
        max_step_bytes: size_of::<ax650_step>() as u32,
        max_files_per_user: 1,
        reserved: 0,
    }
}

fn give(value: &impl Plain, data: &mut [u8]) -> usize {
    let bytes = value.as_bytes();
    let len = bytes.len().min(data.len());
    data[..len].copy_from_slice(&bytes[..len]);
    bytes.len()
}

impl State {
    fn new_handle(&mut self) -> u32 {
        self.last_handle += 1;
        self.last_handle
    }

    /// Takes four ports, round the table, so that late messages of an ended session do not reach the next one.
    fn ports(&mut self) -> [u32; GROUP] {
        let size = GROUP as u32;
        if self.next_port + size > PORT_COUNT {
            self.next_port = FIRST_USER_PORT;
        }
        let first = self.next_port;
        self.next_port += size;
        [first, first + 1, first + 2, first + 3]
    }

    /// Carries a job out.
    fn execute(&mut self, submission: &Submission<'_>) -> (ax650_wait, Vec<ax650_step_result>) {
        let queued_ns = now_ns();
        let until = deadline(submission.deadline_ns);
        let mut status = 0;
        let mut results = Vec::new();
        for step in submission.steps {
            let mut result = ax650_step_result {
                status: -(Errno::ECANCELED as i32),
                ..Default::default()
            };
            if status == 0 {
                result.sent_ns = now_ns();
                match self.step(submission.session, step, until) {
                    Ok(bytes) => (result.status, result.bytes) = (0, bytes),
                    Err(failure) => {
                        let (Failure::Step(error) | Failure::Broken(error)) = failure;
                        result.status = -(error as i32);
                        if let Failure::Broken(error) = failure {
                            self.link.stop(error);
                        }
                    }
                }
                result.done_ns = now_ns();
                status = result.status;
            }
            results.push(result);
        }
        let wait = ax650_wait {
            result_count: results.len() as u32,
            status,
            queued_ns,
            done_ns: now_ns(),
            ..Default::default()
        };
        (wait, results)
    }

    fn step(&mut self, session: u32, step: &Step<'_>, until: Instant) -> Result<u64, Failure> {
        let no = Failure::Step;
        let session = self.sessions.get(&session).ok_or(no(Errno::ENOENT))?;
        match step.action {
            Action::Copy {
                direction,
                sequence,
                place,
                card_address,
                buffer,
                offset,
                size,
            } => {
                let memory = self.buffers.get(&buffer).ok_or(no(Errno::ENOENT))?;
                let kind = match direction {
                    Direction::ToCard => Kind::ToCard,
                    Direction::FromCard if !memory.is_writable() => return Err(no(Errno::EROFS)),
                    Direction::FromCard => Kind::FromCard,
                };
                let piece = usize::try_from(offset)
                    .ok()
                    .zip(u32::try_from(size).ok())
                    .filter(|&(offset, len)| memory.bus((offset, len as usize)).is_some())
                    .map(|(offset, len)| Piece {
                        memory,
                        offset,
                        len,
                    });
                let copy = session::Copy {
                    kind,
                    sequence,
                    context: place.context,
                    stream: place.stream,
                    address: card_address,
                };
                let piece = piece.ok_or(no(Errno::EINVAL))?;
                session.copy(&mut self.link, &copy, &piece, until)?;
                Ok(size)
            }
            Action::Call { frame, reply } => {
                let answer = session.call(&mut self.link, frame, reply.is_some(), until)?;
                let Some(reply) = reply else {
                    return Ok(0);
                };
                let memory = self.buffers.get(&reply.buffer).ok_or(no(Errno::ENOENT))?;
                let fits = answer.len().min(reply.capacity as usize);
                let offset = usize::try_from(reply.offset).map_err(|_| no(Errno::EINVAL))?;
                memory
                    .copy_in(offset, &answer[..fits])
                    .map_err(|error| no(errno(error)))?;
                match fits == answer.len() {
                    true => Ok(fits as u64),
                    false => Err(no(Errno::EMSGSIZE)),
                }
            }
        }
    }
}

impl Transport for VfioCard {
    fn query(&self, kind: u32, data: &mut [u8]) -> Result<usize, Errno> {
        match kind {
            AX650_QUERY_CARD => Ok(give(&self.card_info(&self.state()), data)),
            AX650_QUERY_COUNTERS => {
                let state = self.state();
                let counters = ax650_counters {
                    jobs: state.last_job,
                    ..state.link.counters()
                };
                Ok(give(&counters, data))
            }
            AX650_QUERY_LIMITS => Ok(give(&limits(), data)),
            _ => Err(Errno::EINVAL),
        }
    }

    fn session_create(&self, request: &mut ax650_session_create) -> Result<(), Errno> {
        let mut state = self.state();
        let state = &mut *state;
        if state.sessions.len() >= limits().max_sessions_per_card as usize {
            return Err(Errno::ENOSPC);
        }
        let ports = state.ports();
        let until = deadline(request.timeout_ns);
        let session = Session::open(
            &mut state.link,
            &state.container,
            ports,
            request.log_level,
            until,
        )?;
        request.session = state.new_handle();
        request.generation = 1;
        request.context = session::CONTEXT;
        request.card_id = state.link.id();
        request.next_sequence = session.next_sequence();
        state.sessions.insert(request.session, session);
        Ok(())
    }

    fn session_destroy(&self, session: u32) -> Result<(), Errno> {
        let mut state = self.state();
        let ended = state.sessions.remove(&session).ok_or(Errno::ENOENT)?;
        ended.close(&mut state.link);
        Ok(())
    }

    fn buffer_create(&self, size: usize) -> Result<(u32, Mapping), Errno> {
        let mut state = self.state();
        let (memory, theirs) = DmaMemory::shared(&state.container, size).map_err(errno)?;
        let handle = state.new_handle();
        state.buffers.insert(handle, memory);
        Ok((handle, theirs))
    }

    unsafe fn buffer_over(
        &self,
        start: *mut u8,
        len: usize,
        read_only: bool,
    ) -> Result<u32, Errno> {
        let start = NonNull::new(start).ok_or(Errno::EFAULT)?;
        let mut state = self.state();
        // SAFETY: by the caller, until the buffer is given back.
        let memory = unsafe { DmaMemory::over(&state.container, start, len, !read_only) };
        let memory = memory.map_err(errno)?;
        let handle = state.new_handle();
        state.buffers.insert(handle, memory);
        Ok(handle)
    }

    fn buffer_destroy(&self, handle: u32) -> Result<(), Errno> {
        let memory = self.state().buffers.remove(&handle);
        memory.map(drop).ok_or(Errno::ENOENT)
    }

    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<u64, Errno> {
        let mut state = self.state();
        if submission.steps.is_empty() {
            return Err(Errno::EINVAL);
        }
        if !state.sessions.contains_key(&submission.session) {
            return Err(Errno::ENOENT);
        }
        state.link.check()?;
        if state.jobs.len() >= limits().max_jobs_per_session as usize {
            return Err(Errno::EAGAIN);
        }
        let ended = state.execute(submission);
        state.last_job += 1;
        let job = state.last_job;
        state.jobs.insert(job, ended);
        if let Some(eventfd) = submission.eventfd {
            // A full one is readable already.
            let _ = nix::unistd::write(eventfd, &1_u64.to_ne_bytes());
        }
        self.tell_pollers(&state);
        Ok(job)
    }

    fn wait(
        &self,
        job: u64,
        _deadline_ns: u64,
        results: &mut [ax650_step_result],
    ) -> Result<ax650_wait, Errno> {
        let mut state = self.state();
        let job = match job {
            0 => *state.jobs.keys().next().ok_or(Errno::ENOENT)?,
            job => job,
        };
        let (wait, ended) = state.jobs.remove(&job).ok_or(Errno::ENOENT)?;
        self.tell_pollers(&state);
        for (room, result) in results.iter_mut().zip(ended) {
            *room = result;
        }
        Ok(ax650_wait {
            job,
            woken_ns: now_ns(),
            ..wait
        })
    }

    fn control(&self, _op: u32, _flags: u32) -> Result<u32, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn poll_fd(&self) -> BorrowedFd<'_> {
        self.node.as_fd()
    }
}
