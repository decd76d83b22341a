// SPDX-License-Identifier: MIT OR Apache-2.0

//! A process's connection with a card: ports, handshake, two buffers, two listeners.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};

use super::answers::Answers;
use super::memory::Order;
use super::{patience, transfer, Cut, Window};
use crate::node::host::{HostNode, Packet};
use crate::node::message::MessageNode;
use crate::rpc::pb::axclrpc::ResponseBody;
use crate::rpc::{self, Call, Caller};
use crate::wire::header::{Header, Key, COPY_START, MESSAGE_FRAME};
use crate::wire::record::{Record, RECORD};
use crate::wire::transport::{Message, LONGEST};

/// Smallest buffer that Axera's library asks for.
const LEAST_BUFFER: u32 = 1 << 20;

/// How a process wants to be connected.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes of each host buffer, and of the card's for this process.
    pub buffer_size: u32,
    /// Which parts of the host's buffers are used.
    pub cut: Cut,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            buffer_size: 4 << 20,
            cut: Cut::WHOLE,
        }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Device {
    /// Bus number of the card.
    pub id: u32,
    /// The file that owns the ports.
    pub host: HostNode,
    /// The ports, as the driver gave them.
    pub packet: Packet,
    shared: Arc<Shared>,
    listeners: Vec<JoinHandle<()>>,
}

/// What callers and listeners share.
#[derive(Debug)]
pub(super) struct Shared {
    ports: [MessageNode; 4],
    /// The window of transactions on P0, and the right to begin one.
    transaction: Mutex<Window>,
    pub(super) answers: Answers,
    /// Queued copies whose start the card has still to order.
    pub(super) orders: Mutex<HashMap<Key, Order>>,
    stopping: AtomicBool,
    sequence: AtomicU64,
}

/// The first card that the driver lists, once it runs.
pub fn first_card(host: &HostNode) -> Result<u32> {
    let deadline = Instant::now() + patience();
    loop {
        let ids = host.devices().context("list of cards")?;
        let status = host.status().context("status")?;
        let alive = |id: &&u32| status.get(**id as usize) == Some(&crate::node::host::ALIVE);
        if let Some(id) = ids.iter().find(alive) {
            return Ok(*id);
        }
        ensure!(Instant::now() < deadline, "no card runs: {ids:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Device {
    /// Connects this process with the first card.
    pub fn open() -> Result<Self> {
        Self::open_with(Settings::default())
    }

    /// The same with other settings.
    pub fn open_with(settings: Settings) -> Result<Self> {
        let host = HostNode::open().context("axcl_host")?;
        let id = first_card(&host)?;
        Self::connect(host, id, settings)
    }

    /// Connects this process with a card.
    pub fn connect(host: HostNode, id: u32, settings: Settings) -> Result<Self> {
        let size = settings.buffer_size.max(LEAST_BUFFER);
        let mut packet = Packet {
            buffer_size: size,
            ..Packet::new(crate::node::host::command::CREATE, id)
        };
        host.manage(&mut packet).context("create")?;
        ensure!(
            packet.command == crate::node::host::command::CREATED && packet.count == 4,
            "{packet:?}"
        );
        let port = |at: usize| {
            MessageNode::connected(id, packet.ports[at])
                .with_context(|| format!("port {}", packet.ports[at]))
        };
        let ports = [port(0)?, port(1)?, port(2)?, port(3)?];
        handshake(&ports).context("handshake")?;
        let window = Window::new(id, size, settings.cut)?;
        let inbound = Window::new(id, size, settings.cut)?;
        let shared = Arc::new(Shared {
            ports,
            transaction: Mutex::new(window),
            answers: Answers::default(),
            orders: Mutex::default(),
            stopping: AtomicBool::new(false),
            sequence: AtomicU64::new(1),
        });
        let (short, long) = (Arc::clone(&shared), Arc::clone(&shared));
        let listeners = vec![
            std::thread::spawn(move || short.listen(|shared| shared.short())),
            std::thread::spawn(move || long.listen(|shared| shared.long(&inbound))),
        ];
        let device = Self {
            id,
            host,
            packet,
            shared,
            listeners,
        };
        // The process's default context comes before anything else.
        device.create_context(1)?;
        Ok(device)
    }

    /// The default context.
    pub fn scope(&self) -> Scope<'_> {
        Scope {
            device: self,
            context: 1,
            stream: 1,
        }
    }

    /// Makes a context of its own for a thread; numbers count up from 2.
    pub fn context(&self, number: u32) -> Result<Scope<'_>> {
        self.create_context(number)?;
        Ok(Scope {
            context: number,
            ..self.scope()
        })
    }

    fn create_context(&self, number: u32) -> Result<()> {
        let scope = Scope {
            context: number,
            ..self.scope()
        };
        let call = rpc::system::create_context(&Caller::now(), number);
        let answer = rpc::system::control_answer(0, scope.call(&call)?)?;
        ensure!(
            answer.context == Some(number) && answer.stream == Some(1),
            "{answer:?}"
        );
        Ok(())
    }

    /// Answers that nobody was waiting for.
    pub fn strays(&self) -> Vec<Header> {
        self.shared.answers.strays()
    }

    /// The message ports, P0 to P3.
    pub fn ports(&self) -> &[MessageNode; 4] {
        &self.shared.ports
    }

    /// Bytes that go through a window at a time.
    pub fn capacity(&self) -> usize {
        self.shared.transaction().capacity()
    }

    /// Ends the connection as Axera's library does.
    pub fn close(mut self) -> Result<()> {
        let call = rpc::system::destroy_context(&Caller::now(), 1);
        rpc::system::control_answer(1, self.scope().call(&call)?)?;
        self.stop()?;
        self.host.destroy(&self.packet).context("destroy")
    }

    fn stop(&mut self) -> Result<()> {
        self.shared.stopping.store(true, Ordering::Release);
        for port in &self.shared.ports {
            port.stop().context("stop")?;
        }
        for listener in self.listeners.drain(..) {
            if listener.join().is_err() {
                bail!("a listener has panicked");
            }
        }
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // The files go with the last listener, which looks at this flag.
        self.shared.stopping.store(true, Ordering::Release);
        let stopped: Vec<_> = self.shared.ports.iter().map(MessageNode::stop).collect();
        if stopped.iter().all(Result::is_ok) {
            self.listeners
                .drain(..)
                .for_each(|listener| drop(listener.join()));
        }
    }
}

/// SYNC, SYNC_ACK, DONE (2.2).
pub(crate) fn handshake(ports: &[MessageNode; 4]) -> Result<()> {
    const TRIES: usize = 25;
    let number = 0x00fb_a4e5 ^ std::process::id().rotate_left(16);
    for _ in 0..TRIES * ax650_test_kit::kernel::slowness() as usize {
        transfer::send(&ports[0], &Message::Sync(number))?;
        let deadline = Instant::now() + Duration::from_millis(200);
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(bytes) = ports[1].receive(LONGEST, left)? else {
                break;
            };
            match Message::from_bytes(&bytes)? {
                Message::SyncAck(n) if n == number.wrapping_add(1) => {
                    return transfer::send(&ports[0], &Message::Done(number.wrapping_add(2)));
                }
                Message::SyncAck(_) => {}
                other => bail!("{other:?} in the handshake"),
            }
        }
    }
    bail!("the card does not answer")
}

impl Shared {
    fn listen(&self, once: impl Fn(&Self) -> Result<()>) {
        while !self.stopping.load(Ordering::Acquire) {
            if let Err(e) = once(self) {
                if !self.stopping.load(Ordering::Acquire) {
                    self.answers.fail(format!("{e:#}"));
                }
                return;
            }
        }
    }

    /// A message of a port, `None` now and then.
    fn wait_on(&self, port: usize, limit: usize) -> Result<Option<Vec<u8>>> {
        let port_file = &self.ports[port];
        let message = port_file
            .receive(limit, Duration::from_millis(500))
            .with_context(|| format!("P{port}"))?;
        if message.is_none() {
            let events = port_file.node.poll(libc::POLLIN, Duration::ZERO)?;
            ensure!(
                events & (libc::POLLHUP | libc::POLLERR) == 0,
                "P{port} has hung up"
            );
        }
        Ok(message)
    }

    /// Takes an answer from P3.
    fn short(&self) -> Result<()> {
        match self.wait_on(3, MESSAGE_FRAME)? {
            Some(frame) => self.answers.deliver(frame),
            None => Ok(()),
        }
    }

    /// Does what the card begins on P1.
    fn long(&self, window: &Window) -> Result<()> {
        let Some(bytes) = self.wait_on(1, LONGEST)? else {
            return Ok(());
        };
        let (kind, size) = match Message::from_bytes(&bytes)? {
            Message::TransferRequest { kind, size } => (kind, size as usize),
            // The answer to a SYNC that was sent twice.
            Message::SyncAck(_) => return Ok(()),
            other => bail!("{other:?} on P1"),
        };
        if kind == COPY_START {
            ensure!(size == RECORD, "a start order of {size} bytes");
            return self.start(&Record::from_bytes(&self.raw(RECORD)?)?);
        }
        let frame = if size < MESSAGE_FRAME {
            self.raw(MESSAGE_FRAME)?
        } else {
            transfer::push(&self.ports[1], window, size).context("a long answer")?
        };
        ensure!(
            Header::from_frame(&frame).map(|header| header.kind) == Some(kind),
            "the announced type is {kind:#x}"
        );
        self.answers.deliver(frame)
    }

    /// The next message of P1, which is under way.
    fn raw(&self, limit: usize) -> Result<Vec<u8>> {
        let message = self.ports[1].receive(limit, patience())?;
        message.context("nothing follows a request on P1")
    }

    /// Runs a queued copy that the card wants now.
    fn start(&self, record: &Record) -> Result<()> {
        let order = self
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&record.header.key())
            .with_context(|| format!("an order for {record:x?}, which nobody has queued"))?;
        order.run(self, record)
    }

    /// The right to use P0, with its window.
    pub(super) fn transaction(&self) -> MutexGuard<'_, Window> {
        self.transaction
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// P0.
    pub(super) fn p0(&self) -> &MessageNode {
        &self.ports[0]
    }
}

/// A call that has been sent.
#[derive(Debug)]
pub struct Pending {
    header: Header,
}

/// Where calls are made: a context and a stream of a device.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The device.
    pub device: &'a Device,
    /// Context.
    pub context: u32,
    /// Stream.
    pub stream: u32,
}

impl<'a> Scope<'a> {
    /// The same context, another stream.
    pub fn on(self, stream: u32) -> Self {
        Self { stream, ..self }
    }

    pub(super) fn shared(&self) -> &'a Shared {
        &self.device.shared
    }

    /// A header with a new sequence number.
    pub fn header(&self, kind: u32, command: u32) -> Header {
        Header {
            kind,
            sequence: self.device.shared.sequence.fetch_add(1, Ordering::Relaxed),
            card: self.device.id,
            context: self.context,
            stream: self.stream,
            command,
        }
    }

    /// Sends a frame: a short one as a message, a long one by DMA.
    pub fn send_frame(&self, frame: &[u8]) -> Result<()> {
        let shared = self.shared();
        if frame.len() <= MESSAGE_FRAME {
            return shared.ports[2].send(frame).context("P2");
        }
        let header = Header::from_frame(frame).context("no header")?;
        let window = shared.transaction();
        let request = Message::TransferRequest {
            kind: header.kind,
            size: frame.len() as u32,
        };
        transfer::send(shared.p0(), &request)?;
        transfer::pull(shared.p0(), &window, frame).context("a long frame")
    }

    /// Sends a call.
    pub fn begin(&self, call: &Call) -> Result<Pending> {
        let header = self.header(call.kind, call.command);
        if call.answered {
            self.shared().answers.expect(&header);
        }
        self.send_frame(&call.frame(&header, &Caller::now()))?;
        Ok(Pending { header })
    }

    /// Takes the answer to a call.
    pub fn finish(&self, pending: Pending) -> Result<ResponseBody> {
        self.finish_in(pending, patience())
    }

    /// The same with another limit.
    pub fn finish_in(&self, pending: Pending, limit: Duration) -> Result<ResponseBody> {
        let frame = self.shared().answers.wait(&pending.header, limit)?;
        rpc::answer(&pending.header, &frame)
    }

    /// Sends a call and takes its answer.
    pub fn call(&self, call: &Call) -> Result<ResponseBody> {
        ensure!(call.answered, "a call without an answer");
        let pending = self.begin(call)?;
        self.finish(pending)
    }

    /// Sends a call and takes its answer as it is.
    pub fn call_raw(&self, call: &Call) -> Result<(Header, Vec<u8>)> {
        let pending = self.begin(call)?;
        let frame = self.shared().answers.wait(&pending.header, patience())?;
        Ok((pending.header, frame))
    }

    /// A control call, whose status must be 0 if it has one.
    pub fn control(&self, call: &Call) -> Result<rpc::system::ControlResponse> {
        let answer = rpc::system::control_answer(call.command, self.call(call)?)?;
        ensure!(answer.status.unwrap_or(0) == 0, "{answer:?}");
        Ok(answer)
    }

    /// An echo, which must come back as it was.
    pub fn echo(&self, data: &[u8]) -> Result<()> {
        let back = rpc::system::latency_answer(self.call(&rpc::system::latency(data))?)?;
        ensure!(
            back == data,
            "{} bytes sent, {} others came back",
            data.len(),
            back.len()
        );
        Ok(())
    }

    /// What a command line on the card prints.
    pub fn shell(&self, line: &str) -> Result<(i32, String)> {
        let answer = self.control(&rpc::system::shell(line))?;
        let shell = answer.shell.context("a shell answer without shell")?;
        Ok((shell.status, shell.output))
    }

    /// The least that must work.
    pub fn works(&self) -> Result<()> {
        self.echo(b"is anybody there?")?;
        let memory = self.malloc(10_000)?;
        let data = super::pattern(10_000, 1);
        self.write(memory, &data)?;
        ensure!(self.read(memory, data.len())? == data, "changed on the way");
        self.free(memory)
    }
}
