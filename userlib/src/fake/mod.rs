// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card in the same process, for tests without hardware.
//!
//! [`FakeCard`] stands where the driver and the card stand: it takes jobs, keeps buffers, and answers frames as
//! the notes say (`docs/protocol/`).  It is as simple as it can be: jobs are carried out when they are
//! submitted, its models add 1 to bytes, its codec makes pictures out of checksums.  What a real card computes, and how
//! the driver moves bytes, is tested against the emulated card in `tests/emulator`.

mod engine;
mod hostile;
mod images;
mod memory;
mod service;
mod video;

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ax650_uapi::*;
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::memfd::{memfd_create, MFdFlags};

use crate::card::Card;
use crate::clock::now_ns;
use crate::media::{VencChannel, VideoFrame};
use crate::transport::{Action, Direction, Mapping, Submission, Transport};

pub use engine::model_image;
use hostile::Hostile;
use service::Service;

/// A card made of a few data structures.
pub struct FakeCard {
    state: Mutex<State>,
    /// Jobs have ended.
    changed: Condvar,
    /// What the driver's node is to `poll()`: readable while ended jobs wait to be looked at.
    node: EventFd,
}

#[derive(Default)]
struct State {
    last_handle: u32,
    sessions: Vec<u32>,
    buffers: HashMap<u32, Mapping>,
    jobs: BTreeMap<u64, Job>,
    last_job: u64,
    service: Service,
    requests: Vec<Vec<u8>>,
    /// Fewest steps of the job that is to fail, the step, and how.
    fault: Option<(usize, usize, Errno)>,
    /// The next job's step with this number is not carried out before its time is over.
    stall: Option<usize>,
    /// Calls that the card is still at, though their time is over.
    stalled: Vec<Vec<u8>>,
    holding: bool,
    limit: Option<usize>,
    submits: u64,
    /// Of each step of the last job, whether it was to be sent behind the one ahead.
    sent_behind: Vec<bool>,
    hostile: Option<Hostile>,
}

enum Job {
    Held(Vec<OwnedStep>, Option<OwnedFd>),
    Ended(ax650_wait, Vec<ax650_step_result>),
}

enum OwnedStep {
    Copy {
        direction: Direction,
        card_address: u64,
        buffer: u32,
        offset: usize,
        size: usize,
    },
    Call {
        frame: Vec<u8>,
        reply: Option<(u32, usize, usize)>,
    },
}

impl FakeCard {
    /// Makes a card that runs.
    ///
    /// # Panics
    ///
    /// If the process can open no more files.
    pub fn new() -> Arc<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            node: EventFd::from_value_and_flags(0, flags).expect("a file more"),
        })
    }

    /// Lets the card refuse encoders whose attributes do not pass `check`, until all sessions have ended.
    pub fn check_encoders(&self, check: fn(&VencChannel) -> bool) {
        self.state().service.video.check = Some(check);
    }

    /// Lets the card tell something else of its pictures than what is so, until all sessions have ended.
    pub fn tell_of_pictures(&self, told: impl Fn(VideoFrame) -> VideoFrame + Send + 'static) {
        self.state().service.video.told = Some(Box::new(told));
    }

    /// Opens the card, as [`Card::open`] would.
    pub fn open(self: &Arc<Self>) -> Card {
        self.open_as("ax650-0")
    }

    /// Opens the card under another name.
    pub fn open_as(self: &Arc<Self>, name: &str) -> Card {
        Card::with_transport(self.clone(), name)
    }

    /// Returns the request frames so far, and forgets them.
    pub fn take_requests(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state().requests)
    }

    /// Jobs submitted so far.
    pub fn submits(&self) -> u64 {
        self.state().submits
    }

    /// Says of each step of the last job whether it was to be sent without waiting for those ahead.
    pub fn sent_behind(&self) -> Vec<bool> {
        self.state().sent_behind.clone()
    }

    /// Lets the given step of the next job fail, after it was sent.
    pub fn fail_next_job(&self, step: usize, errno: Errno) {
        self.fail_next_job_of(0, step, errno);
    }

    /// Lets the given step of the next job fail that has so many steps or more.
    pub fn fail_next_job_of(&self, steps: usize, step: usize, errno: Errno) {
        self.state().fault = Some((steps, step, errno));
    }

    /// Lets a call of the next job that has a step with this number, that one, take longer than its time: its job ends, but the card
    /// is at it until [`FakeCard::end_stalled`].  Later calls of the same stream take their turn behind it, and so long.
    pub fn stall_next_job(&self, step: usize) {
        self.state().stall = Some(step);
    }

    /// Carries out the calls that took longer than their time, and returns the numbers of their answers' bytes; `None`:
    /// a call that could not be carried out.
    pub fn end_stalled(&self) -> Vec<Option<usize>> {
        let mut state = self.state();
        let stalled = std::mem::take(&mut state.stalled);
        stalled
            .iter()
            .map(|frame| state.service.answer(frame).map(|answer| answer.len()))
            .collect()
    }

    /// Errors that the engine answered to runs so far: tensors that are not in card memory, most likely.
    pub fn failed_runs(&self) -> u64 {
        self.state().service.failed_runs()
    }

    /// Lets the service forget nothing, but take no more memory than `bytes`.
    pub fn limit_card_memory(&self, bytes: u64) {
        self.state().service.memory.limit(bytes);
    }

    /// Sets the card's log, as the card gives it out when asked.
    pub fn set_log(&self, text: &[u8]) {
        self.state().service.log = Some(text.to_vec());
    }

    /// Refuses jobs as long as so many wait for their end or to be looked at.
    pub fn limit_jobs(&self, jobs: usize) {
        self.state().limit = Some(jobs);
    }

    /// Jobs that have not ended, or whose end was not looked at.
    pub fn open_jobs(&self) -> usize {
        self.state().jobs.len()
    }

    /// Leaves jobs undone from now on.
    pub fn hold_jobs(&self) {
        self.state().holding = true;
    }

    /// Carries out the jobs that were left.
    pub fn release_jobs(&self) {
        let mut state = self.state();
        state.holding = false;
        let held: Vec<_> = state
            .jobs
            .iter()
            .filter_map(|(number, job)| matches!(job, Job::Held(..)).then_some(*number))
            .collect();
        for number in held {
            if let Some(Job::Held(steps, eventfd)) = state.jobs.remove(&number) {
                let ended = state.execute(&steps);
                state.jobs.insert(number, ended);
                if let Some(eventfd) = eventfd {
                    signal(eventfd.as_fd());
                }
            }
        }
        self.tell_pollers(&state);
        self.changed.notify_all();
    }

    /// Bytes of card memory in use.
    pub fn card_memory_in_use(&self) -> u64 {
        self.state().service.memory.in_use()
    }

    /// Sessions and buffers that are open.
    pub fn open_handles(&self) -> (usize, usize) {
        let state = self.state();
        (state.sessions.len(), state.buffers.len())
    }

    /// Makes the node readable if ended jobs wait to be looked at, else not.
    fn tell_pollers(&self, state: &State) {
        let _ = self.node.read();
        if state.jobs.values().any(|job| matches!(job, Job::Ended(..))) {
            signal(self.node.as_fd());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new_handle(&mut self) -> u32 {
        self.last_handle += 1;
        self.last_handle
    }

    fn execute(&mut self, steps: &[OwnedStep]) -> Job {
        let queued_ns = now_ns();
        let fault = self.fault.take_if(|(least, ..)| *least <= steps.len());
        let stall = self.stall.take_if(|at| *at < steps.len());
        let mut status = 0;
        let mut results = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let mut result = ax650_step_result {
                status: -libc::ECANCELED,
                ..Default::default()
            };
            if status == 0 {
                result.sent_ns = now_ns();
                let outcome = match fault {
                    Some((_, at, errno)) if at == index => Err(errno),
                    _ => match step {
                        OwnedStep::Call { frame, .. }
                            if stall == Some(index) || self.is_behind_stalled(frame) =>
                        {
                            self.requests.push(frame.clone());
                            self.stalled.push(frame.clone());
                            Err(Errno::ETIME)
                        }
                        step => self.step(step),
                    },
                };
                match outcome {
                    Ok(bytes) => (result.status, result.bytes) = (0, bytes),
                    Err(errno) => result.status = -(errno as i32),
                }
                result.done_ns = now_ns();
                status = result.status;
            }
            results.push(result);
        }
        let (result_count, done_ns) = (results.len() as u32, now_ns());
        Job::Ended(
            ax650_wait {
                result_count,
                status,
                queued_ns,
                done_ns,
                ..Default::default()
            },
            results,
        )
    }

    /// Returns whether the card is still at an earlier call of the same stream.
    fn is_behind_stalled(&self, frame: &[u8]) -> bool {
        // Context and stream of the header.
        let place = |frame: &[u8]| frame.get(16..24).map(<[u8]>::to_vec);
        self.stalled
            .iter()
            .any(|stalled| place(stalled) == place(frame))
    }

    fn step(&mut self, step: &OwnedStep) -> Result<u64, Errno> {
        match *step {
            OwnedStep::Copy {
                direction,
                card_address,
                buffer,
                offset,
                size,
            } => {
                let mapping = self.buffers.get(&buffer).ok_or(Errno::ENOENT)?;
                let card = self
                    .service
                    .memory
                    .bytes(card_address, size)
                    .ok_or(Errno::EIO)?;
                match direction {
                    Direction::ToCard => {
                        let mut bytes = Vec::new();
                        mapping.copy_into(offset, size, &mut bytes);
                        card.copy_from_slice(&bytes);
                    }
                    Direction::FromCard => mapping.copy_in(offset, card),
                }
                Ok(size as u64)
            }
            OwnedStep::Call { ref frame, reply } => {
                self.requests.push(frame.clone());
                let mut answer = self.service.answer(frame).ok_or(Errno::EBADMSG)?;
                if let Some(hostile) = &mut self.hostile {
                    answer = hostile.answer(answer);
                }
                let Some((buffer, offset, capacity)) = reply else {
                    return Ok(0);
                };
                let mapping = self.buffers.get(&buffer).ok_or(Errno::ENOENT)?;
                mapping.copy_in(offset, &answer[..answer.len().min(capacity)]);
                if answer.len() > capacity {
                    Err(Errno::EMSGSIZE)
                } else {
                    Ok(answer.len() as u64)
                }
            }
        }
    }
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

fn give(value: &impl Plain, data: &mut [u8]) -> usize {
    let bytes = value.as_bytes();
    let len = bytes.len().min(data.len());
    data[..len].copy_from_slice(&bytes[..len]);
    bytes.len()
}

impl Transport for FakeCard {
    fn query(&self, kind: u32, data: &mut [u8]) -> Result<usize, Errno> {
        let mut state = self.state();
        let len = match kind {
            AX650_QUERY_CARD => {
                let info = ax650_card_info {
                    abi_version: AX650_ABI_VERSION,
                    state: AX650_STATE_RUNNING,
                    generation: 1,
                    pci_bus: 1,
                    vendor: 0x1F4B,
                    device: 0x0650,
                    link_speed_mtps: 5000,
                    link_width: 2,
                    card_id: 1,
                    heartbeat_interval_ms: 1000,
                    boot_time_ns: 4_200_000_000,
                    firmware_version: padded("V3.10.2"),
                    chip: padded("AX650N"),
                    uid: 0x1234,
                    ..Default::default()
                };
                give(&info, data)
            }
            AX650_QUERY_TELEMETRY => {
                let telemetry = ax650_telemetry {
                    valid: AX650_TELEMETRY_TEMPERATURE | AX650_TELEMETRY_NPU | AX650_TELEMETRY_CMM,
                    temperature_mc: 41_350,
                    npu_load: 1250,
                    cmm_total: memory::SIZE,
                    cmm_used: state.service.memory.in_use(),
                    ..Default::default()
                };
                give(&telemetry, data)
            }
            AX650_QUERY_COUNTERS => {
                let messages = state.requests.len() as u64;
                let counters = ax650_counters {
                    jobs: state.last_job,
                    messages_sent: messages,
                    messages_received: messages,
                    doorbells: state.submits,
                    ..Default::default()
                };
                give(&counters, data)
            }
            AX650_QUERY_CLIENTS => {
                let one = size_of::<ax650_client>();
                for (session, room) in state.sessions.iter().zip(data.chunks_exact_mut(one)) {
                    let command = padded("test");
                    give(
                        &ax650_client {
                            pid: 1,
                            session: *session,
                            command,
                            ..Default::default()
                        },
                        room,
                    );
                }
                state.sessions.len() * one
            }
            AX650_QUERY_LIMITS => {
                let limits = ax650_limits {
                    max_sessions_per_card: 16,
                    max_sessions_per_file: 8,
                    max_buffers_per_file: 256,
                    max_jobs_per_session: 64,
                    max_steps_per_job: 64,
                    max_frame_bytes: 8 << 20,
                    max_buffer_bytes: 1 << 30,
                    max_bytes_per_file: 1 << 31,
                    max_bytes_per_card: 1 << 32,
                    default_timeout_ns: 30_000_000_000,
                    max_bytes_per_user: 3 << 30,
                    max_sessions_per_user: 12,
                    max_queued_steps: 4096,
                    max_calls_under_way: 64,
                    max_step_bytes: 4096,
                    max_files_per_user: 1024,
                    reserved: 0,
                };
                give(&limits, data)
            }
            _ => return Err(Errno::EINVAL),
        };
        if let Some(hostile) = &mut state.hostile {
            let end = len.min(data.len());
            hostile.facts(kind, &mut data[..end]);
        }
        Ok(len)
    }

    fn session_create(&self, request: &mut ax650_session_create) -> Result<(), Errno> {
        let mut state = self.state();
        request.session = state.new_handle();
        request.generation = 1;
        request.context = 1;
        request.card_id = 1;
        request.next_sequence = 2;
        let session = request.session;
        state.sessions.push(session);
        Ok(())
    }

    fn session_destroy(&self, session: u32) -> Result<(), Errno> {
        let mut state = self.state();
        let at = state
            .sessions
            .iter()
            .position(|known| *known == session)
            .ok_or(Errno::ENOENT)?;
        state.sessions.remove(at);
        if state.sessions.is_empty() {
            state.service = Service::default();
        }
        Ok(())
    }

    fn buffer_create(&self, size: usize) -> Result<(u32, Mapping), Errno> {
        let file = memfd_create(c"fake buffer", MFdFlags::MFD_CLOEXEC)?;
        nix::unistd::ftruncate(&file, i64::try_from(size).map_err(|_| Errno::EFBIG)?)?;
        let mine = Mapping::new(&file, 0, size)?;
        let theirs = Mapping::new(&file, 0, size)?;
        let mut state = self.state();
        let handle = state.new_handle();
        state.buffers.insert(handle, mine);
        Ok((handle, theirs))
    }

    unsafe fn buffer_over(
        &self,
        start: *mut u8,
        len: usize,
        _read_only: bool,
    ) -> Result<u32, Errno> {
        let start = NonNull::new(start).ok_or(Errno::EFAULT)?;
        // SAFETY: by the caller, until the buffer is given back.
        let mapping = unsafe { Mapping::over(start, len) }?;
        let mut state = self.state();
        let handle = state.new_handle();
        state.buffers.insert(handle, mapping);
        Ok(handle)
    }

    fn buffer_destroy(&self, handle: u32) -> Result<(), Errno> {
        self.state()
            .buffers
            .remove(&handle)
            .map(drop)
            .ok_or(Errno::ENOENT)
    }

    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<u64, Errno> {
        let mut state = self.state();
        if submission.steps.is_empty() {
            return Err(Errno::EINVAL);
        }
        if !state.sessions.contains(&submission.session) {
            return Err(Errno::ENOENT);
        }
        let steps: Vec<_> = submission
            .steps
            .iter()
            .map(|step| own(&step.action))
            .collect();
        if state.limit.is_some_and(|limit| state.jobs.len() >= limit) {
            return Err(Errno::EAGAIN);
        }
        state.last_job += 1;
        state.submits += 1;
        state.sent_behind = submission.steps.iter().map(|step| step.pipelined).collect();
        let job = state.last_job;
        let entry = if state.holding {
            let eventfd = submission.eventfd.map(|fd| fd.try_clone_to_owned());
            Job::Held(steps, eventfd.transpose().map_err(|_| Errno::EMFILE)?)
        } else {
            let ended = state.execute(&steps);
            if let Some(eventfd) = submission.eventfd {
                signal(eventfd);
            }
            ended
        };
        state.jobs.insert(job, entry);
        self.tell_pollers(&state);
        Ok(job)
    }

    fn wait(
        &self,
        job: u64,
        deadline_ns: u64,
        results: &mut [ax650_step_result],
    ) -> Result<ax650_wait, Errno> {
        let mut state = self.state();
        loop {
            match state.jobs.remove(&job).ok_or(Errno::ENOENT)? {
                Job::Ended(wait, ended) => {
                    self.tell_pollers(&state);
                    for (room, result) in results.iter_mut().zip(ended) {
                        *room = result;
                    }
                    return Ok(ax650_wait {
                        job,
                        woken_ns: now_ns(),
                        ..wait
                    });
                }
                held => drop(state.jobs.insert(job, held)),
            }
            let left = deadline_ns.saturating_sub(now_ns());
            if left == 0 {
                return Err(match deadline_ns {
                    0 => Errno::EAGAIN,
                    _ => Errno::ETIME,
                });
            }
            let left = Duration::from_nanos(left);
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn control(&self, _op: u32, _flags: u32) -> Result<u32, Errno> {
        Err(Errno::EPERM)
    }

    fn poll_fd(&self) -> BorrowedFd<'_> {
        self.node.as_fd()
    }
}

/// Makes an eventfd readable.
fn signal(eventfd: BorrowedFd<'_>) {
    // A full one is readable already.
    let _ = nix::unistd::write(eventfd, &1_u64.to_ne_bytes());
}

fn own(action: &Action<'_>) -> OwnedStep {
    match *action {
        Action::Copy {
            direction,
            card_address,
            buffer,
            offset,
            size,
            ..
        } => OwnedStep::Copy {
            direction,
            card_address,
            buffer,
            offset: offset as usize,
            size: size as usize,
        },
        Action::Call { frame, reply } => OwnedStep::Call {
            frame: frame.to_vec(),
            reply: reply
                .map(|reply| (reply.buffer, reply.offset as usize, reply.capacity as usize)),
        },
    }
}
