// SPDX-License-Identifier: GPL-2.0

//! A session: a serving process on the card, its four ports, its calls and copies [pcie 5], [rpc 2].

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;

use crate::bulk::{out_of_turn, pull, push, tell, tell_where, Piece};
use crate::container::Container;
use crate::dma::DmaMemory;
use crate::jobs::errno;
use crate::link::Link;
use crate::wire::control::{Packet, CREATE, DESTROY, GROUP, NOTIFY_PORT};
use crate::wire::frame::{self, Header, COPY, COPY_DUE, MAX_MESSAGE};
use crate::wire::record::{CopyRecord, Kind, RECORD_SIZE};
use crate::wire::rpc;
use crate::wire::transfer::{ListKind, Transfer};

// TIMEOUT: how often SYNC is repeated, and how long each is waited for [rpc 2.2].
const SYNC_TRIES: u32 = 25;
const SYNC_WAIT: Duration = Duration::from_millis(200);

/// How much the card is to move at a time [rpc 2.3].
const WINDOW: u32 = 0x40_0000;
/// The longest frame.
pub(crate) const MAX_FRAME: u32 = 8 << 20;
/// Host memory for answers on their way in.
const INBOX: u32 = 256 << 10;

/// Context and stream that come with a session.
pub(crate) const CONTEXT: u32 = 1;
const STREAM: u32 = 1;

/// How a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The session goes on.
    Step(Errno),
    /// The card may be moving bytes still: it has to be stopped.
    Broken(Errno),
}

impl Failure {
    /// Makes a failure of an error in the middle of a transaction.
    fn broken(errno: Errno) -> Self {
        Self::Broken(errno)
    }
}

/// What is to be copied.
pub(crate) struct Copy {
    pub(crate) kind: Kind,
    pub(crate) sequence: u64,
    pub(crate) context: u32,
    pub(crate) stream: u32,
    pub(crate) address: u64,
}

/// A session.
pub(crate) struct Session {
    ports: [u32; GROUP],
    container: Arc<Container>,
    inbox: DmaMemory,
    number: u32,
}

/// Which of a session's ports it is [rpc 1.1].
mod role {
    pub(super) const HOST_BULK: usize = 0;
    pub(super) const CARD_BULK: usize = 1;
    pub(super) const CALLS: usize = 2;
    pub(super) const ANSWERS: usize = 3;
}

impl Session {
    /// Opens a session on `ports`: serving process, handshake, context.
    pub(crate) fn open(
        link: &mut Link,
        container: &Arc<Container>,
        ports: [u32; GROUP],
        log_level: u32,
        deadline: Instant,
    ) -> Result<Self, Errno> {
        link.forget(&ports);
        let request = Packet {
            dma_size: WINDOW,
            log_level,
            ..packet(link, CREATE, ports)
        };
        link.send(NOTIFY_PORT, &request.encode(), deadline)?;
        loop {
            let (_, message) = link.receive(&[NOTIFY_PORT], deadline)?;
            match Packet::parse(&message) {
                Some(answer) if answer.answers(&request) && answer.succeeded() => break,
                Some(answer) if answer.answers(&request) => return Err(Errno::EREMOTEIO),
                // Late, or not for this.
                _ => {}
            }
        }
        let session = Self {
            ports,
            container: container.clone(),
            inbox: DmaMemory::new(container, INBOX as usize).map_err(errno)?,
            number: random().map_err(errno)?,
        };
        let opened = session
            .handshake(link, deadline)
            .map_err(Failure::Step)
            .and_then(|()| session.make_context(link, deadline));
        match opened {
            Ok(()) => Ok(session),
            Err(Failure::Step(error)) => {
                session.close(link);
                Err(error)
            }
            Err(Failure::Broken(error)) => {
                link.stop(error);
                Err(error)
            }
        }
    }

    /// Returns where the program goes on counting: the context was made by the first request.
    pub(crate) fn next_sequence(&self) -> u64 {
        u64::from(self.number) + 2
    }

    /// Sends SYNC, waits for its acknowledgement, sends DONE.
    fn handshake(&self, link: &mut Link, deadline: Instant) -> Result<(), Errno> {
        let [to, from] = [role::HOST_BULK, role::CARD_BULK].map(|role| self.ports[role]);
        for _ in 0..SYNC_TRIES {
            tell(link, to, &Transfer::Sync(self.number), deadline)?;
            let until = deadline.min(Instant::now() + SYNC_WAIT);
            loop {
                match link.receive(&[from], until) {
                    Ok((_, message)) => match Transfer::parse(&message) {
                        Ok(Transfer::SyncAck(number)) if number == self.number.wrapping_add(1) => {
                            let done = Transfer::Done(self.number.wrapping_add(2));
                            return tell(link, to, &done, deadline);
                        }
                        _ => drop(out_of_turn(from, &message)),
                    },
                    Err(Errno::ETIME) if Instant::now() < deadline => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Err(Errno::ETIME)
    }

    fn make_context(&self, link: &mut Link, deadline: Instant) -> Result<(), Failure> {
        let pid = std::process::id();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let call = rpc::Call {
            sequence: u64::from(self.number) + 1,
            card: link.id(),
            context: CONTEXT,
            stream: STREAM,
            pid,
            tid: pid,
            timestamp: now.unwrap_or_default().as_secs(),
        };
        let mut request = [0; MAX_MESSAGE];
        let len = call.create_context(&mut request);
        let request = len.and_then(|len| request.get(..len));
        let request = request.ok_or(Failure::Step(Errno::EMSGSIZE))?;
        let answer = self.call(link, request, true, deadline)?;
        let answer = rpc::control_answer(&answer).map_err(|error| {
            log::warn!("context: {error}");
            Failure::Step(Errno::EPROTO)
        })?;
        match answer.status {
            0 => Ok(()),
            _ => Err(Failure::Step(Errno::EREMOTEIO)),
        }
    }

    /// Makes a call and returns the answer, which is empty if none is asked for.
    pub(crate) fn call(
        &self,
        link: &mut Link,
        request: &[u8],
        is_answered: bool,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let header = Header::parse(request).ok_or(Failure::Step(Errno::EMSGSIZE))?;
        if request.len() <= MAX_MESSAGE {
            link.send(self.ports[role::CALLS], request, deadline)
                .map_err(Failure::Step)?;
        } else {
            self.send_long(link, header, request, deadline)?;
        }
        if !is_answered {
            return Ok(Vec::new());
        }
        loop {
            let answer = self.next_answer(link, deadline)?;
            match Header::parse(&answer) {
                Some(of) if of.answers(&header) => return Ok(answer),
                // To a call that was given up.
                _ => log::debug!("a late answer"),
            }
        }
    }

    /// Has the card fetch a frame that is too long for a message.
    fn send_long(
        &self,
        link: &mut Link,
        header: Header,
        request: &[u8],
        deadline: Instant,
    ) -> Result<(), Failure> {
        let size = u32::try_from(request.len()).map_err(|_| Failure::Step(Errno::EMSGSIZE))?;
        let step = |error| Failure::Step(errno(error));
        let memory = DmaMemory::new(&self.container, request.len()).map_err(step)?;
        memory.copy_in(0, request).map_err(step)?;
        let port = self.ports[role::HOST_BULK];
        let begin = Transfer::Request {
            frame_type: header.kind,
            size,
        };
        let piece = Piece {
            memory: &memory,
            offset: 0,
            len: size,
        };
        let sent = tell(link, port, &begin, deadline)
            .and_then(|()| pull(link, port, &piece, deadline))
            .map_err(Failure::broken);
        if sent.is_err() {
            // Before the memory goes.
            link.stop(Errno::EIO);
        }
        sent
    }

    /// Returns the next frame that comes, by whichever way.
    fn next_answer(&self, link: &mut Link, deadline: Instant) -> Result<Vec<u8>, Failure> {
        let bulk = self.ports[role::CARD_BULK];
        let ways = [bulk, self.ports[role::ANSWERS]];
        loop {
            let (port, message) = link.receive(&ways, deadline).map_err(Failure::Step)?;
            if port != bulk {
                return Ok(message);
            }
            match Transfer::parse(&message) {
                // A queued copy is due, which nobody here has queued: its record follows.
                Ok(Transfer::Request {
                    frame_type: COPY | COPY_DUE,
                    ..
                }) => drop(link.receive(&[bulk], deadline).map_err(Failure::broken)?),
                Ok(Transfer::Request { size, .. }) if (size as usize) < MAX_MESSAGE => {
                    let (_, frame) = link.receive(&[bulk], deadline).map_err(Failure::broken)?;
                    return Ok(frame);
                }
                Ok(Transfer::Request { size, .. }) if size <= MAX_FRAME => {
                    return self
                        .take_long(link, size, deadline)
                        .map_err(Failure::broken)
                }
                _ => return Err(Failure::Broken(out_of_turn(bulk, &message))),
            }
        }
    }

    /// Takes a frame that is too long for a message: the card writes its chunks into the inbox.
    fn take_long(&self, link: &mut Link, size: u32, deadline: Instant) -> Result<Vec<u8>, Errno> {
        let port = self.ports[role::CARD_BULK];
        let window = size.min(INBOX);
        let bus = self.inbox.bus((0, window as usize)).ok_or(Errno::EINVAL)?;
        tell_where(link, port, ListKind::Sglist, (bus, window), deadline)?;
        let mut frame = Vec::new();
        while (frame.len() as u64) < u64::from(size) {
            let left = size - frame.len() as u32;
            let (_, message) = link.receive(&[port], deadline)?;
            match Transfer::parse(&message) {
                Ok(Transfer::TaskDone { bytes }) if (1..=left.min(window)).contains(&bytes) => {
                    let chunk = self.inbox.copy_out(0, bytes as usize).map_err(errno)?;
                    frame.extend(chunk);
                    tell(link, port, &Transfer::ReadDone { bytes }, deadline)?;
                }
                _ => return Err(out_of_turn(port, &message)),
            }
        }
        Ok(frame)
    }

    /// Copies between a piece of host memory and the card [rpc 5.3].
    pub(crate) fn copy(
        &self,
        link: &mut Link,
        copy: &Copy,
        piece: &Piece<'_>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let most = match copy.kind {
            Kind::ToCard => u32::MAX,
            // All chunks of a push go to the same list: one push for each window.
            Kind::FromCard => WINDOW,
        };
        let mut done = 0;
        while done < piece.len {
            let part = Piece {
                memory: piece.memory,
                offset: piece.offset + done as usize,
                len: (piece.len - done).min(most),
            };
            let moved = self.copy_part(link, copy, done, &part, deadline);
            moved.map_err(Failure::broken)?;
            done += part.len;
        }
        Ok(())
    }

    fn copy_part(
        &self,
        link: &mut Link,
        copy: &Copy,
        done: u32,
        part: &Piece<'_>,
        deadline: Instant,
    ) -> Result<(), Errno> {
        let port = self.ports[role::HOST_BULK];
        let request = Transfer::Request {
            frame_type: frame::COPY,
            size: RECORD_SIZE as u32,
        };
        let record = CopyRecord {
            sequence: copy.sequence,
            card: link.id(),
            context: copy.context,
            stream: copy.stream,
            kind: copy.kind,
            address: copy.address.wrapping_add(done.into()),
            size: part.len,
        };
        tell(link, port, &request, deadline)?;
        link.send(port, &record.encode(), deadline)?;
        match copy.kind {
            Kind::ToCard => pull(link, port, part, deadline),
            Kind::FromCard => push(link, port, part, deadline),
        }
    }

    /// Ends the session.
    pub(crate) fn close(&self, link: &mut Link) {
        let farewell = packet(link, DESTROY, self.ports);
        let deadline = Instant::now() + SYNC_WAIT;
        if let Err(error) = link.send(NOTIFY_PORT, &farewell.encode(), deadline) {
            log::debug!("farewell: {error}");
        }
    }
}

/// Makes a control packet.
fn packet(link: &Link, command: u32, ports: [u32; GROUP]) -> Packet {
    Packet {
        command,
        device: link.id(),
        pid: std::process::id(),
        count: GROUP as u32,
        ports,
        ..Packet::default()
    }
}

/// Returns a number that nobody guesses: late answers to others are not taken for answers to this session.
fn random() -> std::io::Result<u32> {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes))
}
