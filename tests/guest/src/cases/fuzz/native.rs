// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests of the native node that make sense, or would but for one thing: by a generator that knows the handles it
//! holds.

use std::ffi::CStr;
use std::path::Path;

use ax650::proto::axclrpc::memory::{Api, RequestBody};
use ax650::{Header, Kind, Place};
use ax650_uapi::*;

use super::campaign::{Door, Region, Shared, ARENA, PLACE, PLACES};
use super::tally::Tally;
use super::tape::Tape;
use crate::card::Card;
use crate::client::Client;
use crate::{frame, kernel};

pub(super) const DOOR: Door = Door {
    name: "native",
    sequence,
};

/// The node.  It is not looked for: threads close each other's files, and a directory that is being read would be hit.
const NODE: &CStr = c"/dev/ax650-0";

/// Where requests put their parts in the arena.
const ARGUMENT: usize = 0;
const STEPS: usize = 4 << 10;
const FRAMES: usize = 8 << 10;
const RESULTS: usize = 40 << 10;
const DATA: usize = 24 << 10;
/// Most steps of a job here.
const MOST_STEPS: usize = 4;
const CARD_MEMORY: u32 = 256 << 10;

#[derive(Clone, Copy)]
struct Session {
    file: i32,
    handle: u32,
    card: u32,
    sequence: u64,
}

#[derive(Clone, Copy)]
struct Buffer {
    file: i32,
    handle: u32,
    size: u64,
    offset: u64,
}

/// What a sequence holds.
struct World<'a> {
    tape: &'a mut Tape,
    tally: &'a mut Tally,
    shared: &'a Shared,
    region: &'a mut Region,
    files: Vec<i32>,
    sessions: Vec<Session>,
    buffers: Vec<Buffer>,
    jobs: Vec<(i32, u64)>,
    events: Vec<i32>,
    dma_bufs: Vec<i32>,
    /// Memory of the card that the sequence owns.
    memory: u64,
}

/// Opens the card, makes requests, ends.
fn sequence(tape: &mut Tape, tally: &mut Tally, shared: &Shared, region: &mut Region) {
    const LENGTH: usize = 120;
    // A client in order, so that there is a session with card memory to begin with.
    let path = Path::new(NODE.to_str().expect("ASCII"));
    let home = Card::open_path(path, 0).ok().and_then(|card| {
        let mut client = Client::on(card).ok()?;
        let memory = client.malloc(CARD_MEMORY).ok()?;
        Some((client, memory))
    });
    let mut world = World {
        tape,
        tally,
        shared,
        region,
        files: Vec::new(),
        sessions: Vec::new(),
        buffers: Vec::new(),
        jobs: Vec::new(),
        events: Vec::new(),
        dma_bufs: Vec::new(),
        memory: 0,
    };
    if let Some((client, memory)) = &home {
        let limits = client.card.limits().unwrap_or_default();
        let file = client.card.fd();
        world.memory = *memory;
        world.sessions.push(Session {
            file,
            handle: client.session.session,
            card: client.session.card_id,
            sequence: client.session.next_sequence + 100,
        });
        world.buffers.push(Buffer {
            file,
            handle: client.reply.handle,
            size: client.reply.size as u64,
            offset: u64::from(client.reply.handle) * limits.max_buffer_bytes,
        });
        world.shared.show(file, client.session.session.into());
    }
    for _ in 0..LENGTH {
        world.step();
    }
    for number in 0..PLACES {
        world.region.empty(number);
    }
    for fd in world
        .files
        .iter()
        .chain(&world.events)
        .chain(&world.dma_bufs)
    {
        // SAFETY: a descriptor of this sequence, or of another's by now: all are expendable.
        unsafe { libc::close(*fd) };
    }
}

impl World<'_> {
    fn step(&mut self) {
        match self.tape.below(64) {
            0..=11 => self.submit(),
            12..=21 => self.wait(),
            22..=29 => self.query(),
            30..=33 => self.make_buffer(),
            34..=36 => self.end_buffer(),
            37..=42 => self.map(),
            43..=44 => self.change_mapping(),
            45..=48 => self.touch(),
            49..=51 => self.poll(),
            52 => self.session(),
            53 => self.end_session(),
            54 => self.open(),
            55 => self.duplicate(),
            56 => self.close(),
            57 => self.event(),
            58 => self.export(),
            59 => self.control(),
            60 => self.fork(),
            61 => self.anything(),
            _ => self.foreign(),
        }
    }

    /// A file: mostly one of this sequence.
    fn file(&mut self) -> i32 {
        let own = self.sessions.iter().map(|session| session.file);
        let mut all: Vec<i32> = own.chain(self.files.iter().copied()).collect();
        if all.is_empty() {
            all.push(-1);
        }
        self.tape.of(&all)
    }

    /// Makes a request, now and then with something changed in it; `argument` is as the driver left it.
    fn request<T: Plain>(
        &mut self,
        what: &'static str,
        file: i32,
        code: u32,
        argument: &mut T,
    ) -> bool {
        let mut code = u64::from(code);
        if self.tape.once_in(12) {
            self.spoil(argument.as_bytes_mut());
        }
        if self.tape.once_in(60) {
            let size = self.tape.of(&[0, 4, 8, 16, 40, 56, 72, 128, 1024]);
            code = code & !(0x3fff << 16) | (size << 16);
        }
        // Behind the structure there are zeros, unless it lies at the end.
        let size = size_of::<T>();
        let at = if self.tape.once_in(40) {
            ARENA - size
        } else {
            self.region.put(ARGUMENT, &[0; 1100]);
            ARGUMENT
        };
        let address = self.region.put(at, argument.as_bytes());
        // SAFETY: the structure is in the arena; what its addresses name is in the region or nowhere.
        let rc = unsafe { libc::ioctl(file, code as libc::Ioctl, address) };
        let good = self.tally.call(what, rc.into()).is_some();
        self.region.get(at, argument.as_bytes_mut());
        good
    }

    /// Changes words; addresses become others of the region, or such that lead nowhere.
    fn spoil(&mut self, bytes: &mut [u8]) {
        for _ in 0..=self.tape.below(2) {
            let at = self.tape.below(bytes.len() / 4) * 4;
            let number = self.tape.number() as u32;
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            // A half of an address in the region with another half leads out of it.
            let at = at & !7;
            if let Some(word) = bytes.get_mut(at..at + 8) {
                let value = u64::from_le_bytes((&*word).try_into().expect("8 bytes"));
                if value >> 44 != 0 && value >> 47 == 0 || (1 << 24..1 << 44).contains(&value) {
                    let address = self.region.some_address(self.tape);
                    word.copy_from_slice(&address.to_le_bytes());
                }
            }
        }
    }

    fn soon(&mut self) -> u64 {
        let after = self
            .tape
            .of(&[0, 0, 100_000, 1_000_000, 3_000_000, 1_000_000_000]);
        kernel::now_ns() + after
    }

    fn query(&mut self) {
        let (what, kind, size) = self.tape.of(&[
            ("query card", AX650_QUERY_CARD, size_of::<ax650_card_info>()),
            (
                "query telemetry",
                AX650_QUERY_TELEMETRY,
                size_of::<ax650_telemetry>(),
            ),
            (
                "query counters",
                AX650_QUERY_COUNTERS,
                size_of::<ax650_counters>(),
            ),
            (
                "query clients",
                AX650_QUERY_CLIENTS,
                16 * size_of::<ax650_client>(),
            ),
            (
                "query limits",
                AX650_QUERY_LIMITS,
                size_of::<ax650_limits>(),
            ),
        ]);
        let size = self.tape.of(&[size, size, size, 0, size / 2, 2 * size]);
        let mut query = ax650_query {
            kind,
            size: size as u32,
            data: self.region.at(DATA),
            ..Default::default()
        };
        let file = self.file();
        self.request(what, file, AX650_IOC_QUERY, &mut query);
    }

    fn session(&mut self) {
        let mut create = ax650_session_create {
            log_level: self.tape.below(8) as u32,
            timeout_ns: self.tape.of(&[0, 0, 0, 1]),
            ..Default::default()
        };
        let file = self.file();
        if self.request(
            "SESSION_CREATE",
            file,
            AX650_IOC_SESSION_CREATE,
            &mut create,
        ) {
            self.shared.show(file, create.session.into());
            self.sessions.push(Session {
                file,
                handle: create.session,
                card: create.card_id,
                sequence: create.next_sequence,
            });
        }
    }

    fn end_session(&mut self) {
        // The first is worth most.
        let mut destroy = ax650_session_destroy::default();
        let mut file = self.file();
        if self.sessions.len() > 1 || self.tape.once_in(8) {
            if let Some(session) = self.sessions.pop() {
                (file, destroy.session) = (session.file, session.handle);
            }
        }
        self.request(
            "SESSION_DESTROY",
            file,
            AX650_IOC_SESSION_DESTROY,
            &mut destroy,
        );
    }

    fn make_buffer(&mut self) {
        if self.buffers.len() > 8 {
            return self.end_buffer();
        }
        let mut create = ax650_buffer_create {
            size: self.tape.of(&[
                4096,
                1,
                10_000,
                65_536,
                65_536,
                1 << 20,
                0,
                u64::MAX,
                1 << 45,
            ]),
            ..Default::default()
        };
        // Memory of this process, which the card only reads: what lies beside the arena is the allocator's, and
        // threads' stacks; and files of all kinds.
        match self.tape.below(8) {
            0 | 1 => {
                create.flags = AX650_BUFFER_USER_MEMORY | AX650_BUFFER_READ_ONLY;
                create.size = self.tape.of(&[4096, 1, 10_000, 0, u64::MAX, 1 << 45]);
                let past_a_page = self.tape.of(&[0, 0, 0, 1, 4095, 1 << 63]);
                create.address = self.region.at(DATA).wrapping_add(past_a_page);
            }
            2 => {
                create.flags = AX650_BUFFER_DMA_BUF;
                create.size = self.tape.of(&[0, 0, 0, 4096]);
                create.dma_buf = self.tape.held(&self.dma_bufs).unwrap_or(self.file());
            }
            _ => {}
        }
        if self.tape.once_in(3) && create.flags != 0 {
            create.flags |= AX650_BUFFER_READ_ONLY;
        }
        let file = self.file();
        if self.request("BUFFER_CREATE", file, AX650_IOC_BUFFER_CREATE, &mut create) {
            self.buffers.push(Buffer {
                file,
                handle: create.handle,
                size: create.size,
                offset: create.mmap_offset,
            });
        }
    }

    fn export(&mut self) {
        let mut export = ax650_buffer_export::default();
        let mut file = self.file();
        if let Some(buffer) = self.tape.held(&self.buffers) {
            (file, export.handle) = (buffer.file, buffer.handle);
        }
        if self.request("BUFFER_EXPORT", file, AX650_IOC_BUFFER_EXPORT, &mut export) {
            // In a structure that was said to be shorter the number is anything, such as that of somebody's file.
            let file = std::fs::read_link(format!("/proc/self/fd/{}", export.dma_buf));
            if file.is_ok_and(|path| path.to_string_lossy().starts_with("/dmabuf")) {
                self.dma_bufs.push(export.dma_buf);
            }
        }
    }

    fn end_buffer(&mut self) {
        let mut destroy = ax650_buffer_destroy::default();
        let mut file = self.file();
        if self.buffers.len() > 1 {
            let at = 1 + self.tape.below(self.buffers.len() - 1);
            let buffer = self.buffers.remove(at);
            (file, destroy.handle) = (buffer.file, buffer.handle);
        }
        self.request(
            "BUFFER_DESTROY",
            file,
            AX650_IOC_BUFFER_DESTROY,
            &mut destroy,
        );
    }

    fn submit(&mut self) {
        let Some(session) = self.tape.held(&self.sessions) else {
            return self.session();
        };
        let buffers = self
            .buffers
            .iter()
            .filter(|buffer| buffer.file == session.file);
        let buffers: Vec<Buffer> = buffers.copied().collect();
        let count = 1 + self.tape.below(MOST_STEPS);
        for number in 0..count {
            let buffer = self.tape.held(&buffers);
            let mut step = match self.tape.below(5) {
                0 | 1 => self.copy_step(&session, buffer),
                _ => self.call_step(&session, buffer, number),
            };
            step.flags |= self.tape.of(&[0, AX650_STEP_PIPELINED]);
            if self.tape.once_in(25) {
                self.spoil(step.as_bytes_mut());
            }
            self.region
                .put(STEPS + number * size_of::<ax650_step>(), step.as_bytes());
        }
        let mut submit = ax650_submit {
            session: session.handle,
            steps: self.region.at(STEPS),
            step_count: count as u32,
            step_size: size_of::<ax650_step>() as u32,
            timeout_ns: 0,
            user_data: self.tape.any(),
            eventfd: self.tape.held(&self.events).unwrap_or(-1),
            ..Default::default()
        };
        if self.tape.once_in(3) {
            submit.timeout_ns = self.soon();
        }
        if self.request("SUBMIT", session.file, AX650_IOC_SUBMIT, &mut submit) {
            self.jobs.push((session.file, submit.job));
        }
    }

    fn sequence_number(&mut self, session: &Session) -> u64 {
        let found = self
            .sessions
            .iter_mut()
            .find(|other| (other.file, other.handle) == (session.file, session.handle));
        match found {
            Some(session) => {
                session.sequence += 1;
                session.sequence
            }
            None => 1,
        }
    }

    fn copy_step(&mut self, session: &Session, buffer: Option<Buffer>) -> ax650_step {
        let size = self
            .tape
            .of(&[64, 4096, 10_000, 65_536])
            .min(buffer.map_or(0, |b| b.size));
        let slack = buffer.map_or(0, |b| b.size) - size;
        ax650_step {
            op: self
                .tape
                .of(&[AX650_STEP_COPY_TO_CARD, AX650_STEP_COPY_FROM_CARD]),
            sequence: self.sequence_number(session),
            context: 1,
            stream: 1,
            card_address: self.memory + self.tape.of(&[0, 64, 4096]),
            buffer: buffer.map_or(0, |buffer| buffer.handle),
            offset: self.tape.of(&[0, slack / 2, slack]),
            size,
            ..Default::default()
        }
    }

    fn call_step(
        &mut self,
        session: &Session,
        buffer: Option<Buffer>,
        number: usize,
    ) -> ax650_step {
        let mut header = Header {
            kind: Kind::LATENCY,
            sequence: self.sequence_number(session),
            card: session.card,
            place: Place {
                context: 1,
                stream: 1,
            },
            command: 0,
        };
        let body = match self.tape.below(8) {
            0 => {
                header.kind = frame::kind_of_memory(Api::Alloc);
                let body = RequestBody {
                    size: Some(self.tape.of(&[4096, 65_536, 0])),
                    cache_type: Some(0),
                    policy: Some(2),
                    ..Default::default()
                };
                frame::memory(Api::Alloc, body)
            }
            1 => {
                header.kind = frame::kind_of_memory(Api::Free);
                let body = RequestBody {
                    addr: self.tape.of(&[0, 0x1_4800_0000, self.memory + 1]),
                    ..Default::default()
                };
                frame::memory(Api::Free, body)
            }
            _ => frame::echo(&vec![7; self.tape.of(&[0, 10, 100, 1000, 3000])]),
        };
        let mut bytes = frame::request(header, body);
        if self.tape.once_in(15) {
            for _ in 0..=self.tape.below(3) {
                // Not the context: one that does not exist is never answered by a card.
                let at = 28 + self.tape.below(bytes.len() - 28);
                bytes[at] = self.tape.any() as u8;
            }
        }
        let at = FRAMES + number * (4 << 10);
        let frame = self.region.put(at, &bytes);
        let capacity = self.tape.of(&[4096, 4096, 4096, 64_u64]);
        let room = buffer.map_or(0, |buffer| buffer.size);
        ax650_step {
            op: AX650_STEP_CALL,
            size: bytes.len() as u64,
            frame,
            reply_buffer: buffer.map_or(0, |buffer| buffer.handle),
            reply_offset: 0,
            reply_capacity: capacity.min(room) as u32,
            ..Default::default()
        }
    }

    fn wait(&mut self) {
        if self.jobs.is_empty() && !self.tape.once_in(6) {
            return self.submit();
        }
        let (file, job) = if self.jobs.is_empty() || self.tape.once_in(10) {
            (self.file(), 0)
        } else {
            // The oldest, mostly: it may have ended.
            let at = self.tape.of(&[0, 0, 0, self.jobs.len() - 1]);
            self.jobs[at]
        };
        let after = self
            .tape
            .of(&[2_000_000_000, 2_000_000_000, 2_000_000_000, 1_000_000, 0]);
        let mut wait = ax650_wait {
            job,
            timeout_ns: if after == 0 {
                0
            } else {
                kernel::now_ns() + after
            },
            results: self
                .tape
                .of(&[self.region.at(RESULTS), self.region.at(RESULTS), 0]),
            result_count: self.tape.below(6) as u32,
            result_size: size_of::<ax650_step_result>() as u32,
            ..Default::default()
        };
        if self.request("WAIT", file, AX650_IOC_WAIT, &mut wait) {
            self.jobs.retain(|other| *other != (file, wait.job));
        } else if self.jobs.len() > 40 {
            self.jobs.remove(0);
        }
    }

    fn control(&mut self) {
        let mut control = ax650_control {
            op: self.tape.of(&[AX650_CONTROL_BOOT, AX650_CONTROL_RESET]),
            flags: self.tape.of(&[0, AX650_CONTROL_IF_NEEDED]),
            ..Default::default()
        };
        let file = self.file();
        self.request("CONTROL", file, AX650_IOC_CONTROL, &mut control);
    }

    fn map(&mut self) {
        let number = self.tape.below(PLACES);
        let Some(buffer) = self.tape.held(&self.buffers) else {
            return self.make_buffer();
        };
        let access = self.tape.of(&[3, 3, 3, 1, 2, 0, 7]);
        let shared = self.tape.of(&[
            libc::MAP_SHARED,
            libc::MAP_SHARED,
            libc::MAP_SHARED,
            libc::MAP_PRIVATE,
        ]);
        let size = (buffer.size as usize).clamp(1, PLACE);
        let size = self
            .tape
            .of(&[size, size, size, size, 4096, 4096, 4096, PLACE]);
        let offset = buffer.offset + self.tape.of(&[0, 0, 0, 0, 0, 0, 4096, 1 << 40]);
        let at = self.region.place(number) as *mut libc::c_void;
        // SAFETY: the place is this thread's.
        let map = unsafe {
            let flags = shared | libc::MAP_FIXED;
            libc::mmap(at, size, access, flags, buffer.file, offset as libc::off_t)
        };
        self.tally.call("mmap", map as i64);
    }

    /// munmap, mprotect, mremap, madvise of some pages of a place.
    fn change_mapping(&mut self) {
        let number = self.tape.below(PLACES);
        let at = self.region.place(number) + 4096 * self.tape.below(3);
        let size = 4096 * (1 + self.tape.below(16));
        let at = at as *mut libc::c_void;
        match self.tape.below(4) {
            0 => {
                self.region.empty(number);
                self.tally.call("munmap", 0);
            }
            1 => {
                let access = self.tape.of(&[0, 1, 2, 3, 7]);
                // SAFETY: pages of the region.
                let rc = unsafe { libc::mprotect(at, size, access) };
                self.tally.call("mprotect", rc.into());
            }
            2 => {
                let other = self.tape.below(PLACES);
                let to = self.region.place(other) as *mut libc::c_void;
                let new = 4096 * (1 + self.tape.below(16));
                let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
                // SAFETY: from the region to the region.
                let map = unsafe { libc::mremap(at, size, new, flags, to) };
                self.tally.call("mremap", map as i64);
                // The hole is closed again.
                self.region.empty(number);
            }
            _ => {
                let advice = self.tape.of(&[
                    libc::MADV_DONTNEED,
                    libc::MADV_DONTFORK,
                    libc::MADV_WILLNEED,
                ]);
                // SAFETY: pages of the region.
                let rc = unsafe { libc::madvise(at, size, advice) };
                self.tally.call("madvise", rc.into());
            }
        }
    }

    /// Lets the kernel read or write a mapping: it faults without a signal.
    fn touch(&mut self) {
        let at = self.region.place(self.tape.below(PLACES)) + 4096 * self.tape.below(2);
        let mut pipe = [0; 2];
        // SAFETY: room for two descriptors; then places of the region, which may not be mapped.
        let rc = unsafe {
            if libc::pipe2(pipe.as_mut_ptr(), libc::O_NONBLOCK) < 0 {
                return;
            }
            let written = libc::write(pipe[1], at as *const _, 2000);
            let rc = if written > 0 {
                libc::read(pipe[0], at as *mut _, 2000)
            } else {
                written
            };
            libc::close(pipe[0]);
            libc::close(pipe[1]);
            rc
        };
        self.tally.call("reading and writing a mapping", rc as i64);
    }

    fn poll(&mut self) {
        let fd = match self.tape.held(&self.events) {
            Some(event) if self.tape.once_in(2) => event,
            _ => self.file(),
        };
        let events = self
            .tape
            .of(&[libc::POLLIN, libc::POLLOUT, libc::POLLIN | libc::POLLPRI]);
        let mut poll = libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        let limit = self.tape.below(2) as i32;
        // SAFETY: one valid pollfd.
        let rc = unsafe { libc::poll(&mut poll, 1, limit) };
        self.tally.call("poll", rc.into());
    }

    fn event(&mut self) {
        if self.events.len() < 4 {
            // SAFETY: plain system call.
            let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK) };
            if self.tally.call("eventfd", fd.into()).is_some() {
                self.events.push(fd);
            }
        } else {
            let fd = self.events.remove(0);
            // SAFETY: it is given up.
            let rc = unsafe { libc::close(fd) };
            self.tally.call("close of an eventfd", rc.into());
        }
    }

    fn open(&mut self) {
        if self.files.len() > 3 {
            return self.close();
        }
        // SAFETY: a valid path.
        let fd = unsafe { libc::open(NODE.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        if self.tally.call("open", fd.into()).is_some() {
            self.files.push(fd);
        }
    }

    fn duplicate(&mut self) {
        let file = self.file();
        // SAFETY: plain system call.
        let fd = unsafe { libc::dup(file) };
        if self.tally.call("dup", fd.into()).is_some() {
            self.files.push(fd);
        }
    }

    fn close(&mut self) {
        let Some(fd) = self.files.pop() else {
            return self.open();
        };
        // SAFETY: it is given up; requests of other threads with it fail, or go on with the file.
        let rc = unsafe { libc::close(fd) };
        self.tally.call("close", rc.into());
        self.sessions.retain(|session| session.file != fd);
        self.buffers.retain(|buffer| buffer.file != fd);
        self.jobs.retain(|(file, _)| *file != fd);
    }

    /// A child uses what it has inherited and ends.
    fn fork(&mut self) {
        let file = self.file();
        // SAFETY: the child makes system calls only, with memory that it has.
        let rc = unsafe {
            let child = libc::fork();
            if child == 0 {
                self.query();
                self.submit();
                self.wait();
                self.end_buffer();
                libc::close(file);
                libc::_exit(0);
            }
            if child > 0 {
                libc::waitpid(child, std::ptr::null_mut(), 0);
            }
            child
        };
        self.tally.call("fork", rc.into());
    }

    /// Any request with any structure.
    fn anything(&mut self) {
        let mut words = [0_u64; 16];
        for word in &mut words {
            let number = self.tape.number();
            // No address but of the region.
            *word = match number {
                0..0x100_0000 => number,
                _ => self.region.some_address(self.tape),
            };
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let address = self.region.put(ARGUMENT, &bytes);
        let size = self.tape.of(&[8, 16, 24, 40, 56, 64, 72, 128]);
        let number = self.tape.below(10) as u64;
        let code = (3 << 30) | (size << 16) | (u64::from(AX650_IOC_TYPE) << 8) | number;
        let file = self.file();
        // SAFETY: the structure is in the arena; addresses are of the region or nowhere.
        let rc = unsafe { libc::ioctl(file, code as libc::Ioctl, address) };
        self.tally.call("anything", rc.into());
    }

    /// Something with another thread's handle: it may be in use there.
    fn foreign(&mut self) {
        let Some((file, handle)) = self.shared.any(self.tape) else {
            return self.query();
        };
        match self.tape.below(24) {
            0 => {
                let mut destroy = ax650_session_destroy {
                    session: handle as u32,
                    flags: 0,
                };
                let what = "SESSION_DESTROY of another thread's";
                self.request(what, file, AX650_IOC_SESSION_DESTROY, &mut destroy);
            }
            1 => {
                // SAFETY: as in `close`.
                let rc = unsafe { libc::close(file) };
                self.tally.call("close of another thread's", rc.into());
            }
            2..=8 => {
                let mut wait = ax650_wait::default();
                self.request("WAIT of another thread's", file, AX650_IOC_WAIT, &mut wait);
            }
            _ => {
                let mut create = ax650_buffer_create {
                    size: 4096,
                    ..Default::default()
                };
                let what = "BUFFER_CREATE of another thread's";
                if self.request(what, file, AX650_IOC_BUFFER_CREATE, &mut create) {
                    let mut destroy = ax650_buffer_destroy {
                        handle: create.handle,
                        flags: 0,
                    };
                    let what = "BUFFER_DESTROY of another thread's";
                    self.request(what, file, AX650_IOC_BUFFER_DESTROY, &mut destroy);
                }
            }
        }
    }
}
