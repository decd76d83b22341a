// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests, reads and writes of the nodes for programs of AXCL that make sense, or would but for one thing.

use std::ffi::CString;

use ax650_axcl_tests::node::buffer::{self, list_argument, pieces_of, Piece, Single, LIST, SINGLE};
use ax650_axcl_tests::node::host::{self, command, Packet, PACKET};
use ax650_axcl_tests::node::{get32, message, p2p, path, put32, put64};
use ax650_axcl_tests::rpc::{system, Caller};
use ax650_axcl_tests::wire::header::Header;
use ax650_axcl_tests::wire::transport::Message;

use super::campaign::{Door, Region, Shared, PLACE, PLACES};
use super::tally::Tally;
use super::tape::Tape;

pub(super) const DOOR: Door = Door {
    name: "axcl",
    sequence,
};

const ARGUMENT: usize = 0;
const DATA: usize = 16 << 10;

struct World<'a> {
    tape: &'a mut Tape,
    tally: &'a mut Tally,
    shared: &'a Shared,
    region: &'a mut Region,
    /// The card's id.
    card: u32,
    hosts: Vec<i32>,
    /// Groups of ports, with the file that owns them.
    groups: Vec<(i32, Packet)>,
    /// Message files, with what they are connected to.
    ports: Vec<(i32, u32)>,
    buffers: Vec<i32>,
    pieces: Vec<Piece>,
    sequence: u64,
}

fn sequence(tape: &mut Tape, tally: &mut Tally, shared: &Shared, region: &mut Region) {
    const LENGTH: usize = 120;
    let mut world = World {
        tape,
        tally,
        shared,
        region,
        card: 0,
        hosts: Vec::new(),
        groups: Vec::new(),
        ports: Vec::new(),
        buffers: Vec::new(),
        pieces: Vec::new(),
        sequence: 1,
    };
    world.begin();
    for _ in 0..LENGTH {
        world.step();
    }
    let World {
        hosts,
        ports,
        buffers,
        region,
        ..
    } = world;
    for number in 0..PLACES {
        region.empty(number);
    }
    let ports = ports.iter().map(|(fd, _)| fd);
    for fd in hosts.iter().chain(ports).chain(&buffers) {
        // SAFETY: a descriptor of this sequence, or of another's by now: all are expendable.
        unsafe { libc::close(*fd) };
    }
}

impl World<'_> {
    /// What each program begins with: files, the card's id, ports, memory, the handshake.
    fn begin(&mut self) {
        self.open_host();
        self.open_buffer();
        let mut list = [0; 1032];
        let file = self.host();
        if self.request("list of cards", file, host::DEVICES, &mut list) {
            self.card = get32(&list, 8);
        }
        self.manage("create", command::CREATE);
        for _ in 0..4 {
            self.connect();
        }
        self.scatter();
        if let Some(&(port, _)) = self.ports.first() {
            let number = 77;
            self.write("handshake", port, &Message::Sync(number).to_bytes());
            self.write("handshake", port, &Message::Done(number + 2).to_bytes());
        }
    }

    fn step(&mut self) {
        match self.tape.below(48) {
            0..=5 => self.facts(),
            6..=7 => self.manage("create", command::CREATE),
            8 => self.destroy(),
            9 => self.manage("extra ports", command::EXTRA),
            10 => self.recycle(),
            11..=12 => self.connect(),
            13..=15 => self.message_request(),
            16..=23 => self.send(),
            24..=29 => self.receive(),
            30..=32 => self.scatter(),
            33..=34 => self.allocate(),
            35..=36 => self.cache(),
            37..=40 => self.map(),
            41 => self.touch(),
            42 => self.poll(),
            43 => self.open_more(),
            44 => self.close(),
            45 => self.fork(),
            46 => self.anything(),
            _ => self.foreign(),
        }
    }

    fn host(&mut self) -> i32 {
        self.tape.held(&self.hosts).unwrap_or(-1)
    }

    fn buffer(&mut self) -> i32 {
        self.tape.held(&self.buffers).unwrap_or(-1)
    }

    fn port(&mut self) -> i32 {
        self.tape.held(&self.ports).map_or(-1, |(port, _)| port)
    }

    /// The card's id, mostly.
    fn id(&mut self) -> u32 {
        if self.tape.once_in(20) {
            self.tape.number() as u32
        } else {
            self.card
        }
    }

    fn open_node(&mut self, what: &'static str, name: &str) -> Option<i32> {
        let path = CString::new(path(name)).expect("a path");
        // SAFETY: a valid path.
        let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
        self.tally.call(what, fd.into()).map(|_| {
            self.shared.show(fd, 0);
            fd
        })
    }

    fn open_host(&mut self) {
        let fd = self.open_node("open of axcl_host", host::NAME);
        self.hosts.extend(fd);
    }

    fn open_buffer(&mut self) {
        let fd = self.open_node("open of ax_mmb_dev", buffer::NAME);
        self.buffers.extend(fd);
    }

    fn open_more(&mut self) {
        match self.tape.below(3) {
            0 if self.hosts.len() < 3 => self.open_host(),
            1 if self.buffers.len() < 3 => self.open_buffer(),
            _ => {
                let file = self.port();
                // SAFETY: plain system call.
                let fd = unsafe { libc::dup(file) };
                if self.tally.call("dup", fd.into()).is_some() {
                    self.ports.push((fd, 0));
                }
            }
        }
    }

    /// Makes a request, now and then with something changed in it; `argument` is as the driver left it.
    fn request<const N: usize>(
        &mut self,
        what: &'static str,
        file: i32,
        code: u32,
        argument: &mut [u8; N],
    ) -> bool {
        if self.tape.once_in(12) {
            for _ in 0..=self.tape.below(2) {
                let at = self.tape.below(N / 4) * 4;
                put32(argument, at, self.tape.number() as u32);
            }
        }
        let address = self.region.put(ARGUMENT, argument);
        // SAFETY: the structure is in the arena, and so is what its addresses name, if it is anywhere.
        let rc = unsafe { libc::ioctl(file, code as libc::Ioctl, address) };
        let good = self.tally.call(what, rc.into()).is_some();
        self.region.get(ARGUMENT, argument);
        good
    }

    fn facts(&mut self) {
        let file = self.host();
        let id = self.id();
        match self.tape.below(7) {
            0 => drop(self.request("status", file, host::STATUS, &mut [0; 1024])),
            1 => drop(self.request("list of cards", file, host::DEVICES, &mut [0; 1032])),
            2 => drop(self.request("wake", file, host::WAKE, &mut Packet::new(0, id).to_bytes())),
            3 => {
                let mut bytes = [0; 16];
                put32(&mut bytes, 0, id);
                self.request("bus info", file, host::BUS_INFO, &mut bytes);
            }
            4 => {
                let mut bytes = [0; 8];
                put32(&mut bytes, 0, id);
                self.request("number of pids", file, host::PID_COUNT, &mut bytes);
            }
            5 => {
                let mut bytes = [0; 16];
                put32(&mut bytes, 0, id);
                put32(&mut bytes, 4, self.tape.of(&[1, 8, 0]));
                put64(&mut bytes, 8, self.region.at(DATA));
                // Its address stays what it is.
                let address = self.region.put(ARGUMENT, &bytes);
                // SAFETY: the list goes to the arena.
                let rc = unsafe { libc::ioctl(file, host::PID_LIST as libc::Ioctl, address) };
                self.tally.call("list of pids", rc.into());
            }
            _ => {
                // Only for administrators.
                let code = self.tape.of(&[host::RESET, host::REBOOT, host::HEARTBEAT]);
                self.request("reset", file, code, &mut Packet::new(0, id).to_bytes());
            }
        }
    }

    fn manage(&mut self, what: &'static str, number: u32) {
        let file = self.host();
        let mut packet = Packet::new(number, self.id());
        packet.count = 1 + self.tape.below(4) as u32;
        let mut bytes = packet.to_bytes();
        if self.request(what, file, host::PORT_MANAGE, &mut bytes) {
            self.groups.push((file, Packet::from_bytes(&bytes)));
        }
    }

    fn give_back(&mut self, what: &'static str, number: u32) {
        let Some((file, packet)) = self.tape.held(&self.groups) else {
            return self.manage("create", command::CREATE);
        };
        let mut bytes: [u8; PACKET] = Packet {
            command: number,
            ..packet
        }
        .to_bytes();
        if self.request(what, file, host::PORT_MANAGE, &mut bytes) {
            self.groups.retain(|group| *group != (file, packet));
        }
    }

    fn destroy(&mut self) {
        self.give_back("destroy", command::DESTROY);
    }

    fn recycle(&mut self) {
        self.give_back("recycle", command::RECYCLE);
    }

    /// A file of the message node, connected to a port of this sequence's that is not yet used, mostly.
    fn connect(&mut self) {
        if self.ports.len() > 8 {
            return self.close();
        }
        let all = self
            .groups
            .iter()
            .flat_map(|(_, packet)| packet.valid_ports().to_vec());
        let taken: Vec<u32> = self.ports.iter().map(|(_, port)| *port).collect();
        let free: Vec<u32> = all.filter(|port| !taken.contains(port)).collect();
        let port = match free.first() {
            Some(port) if !self.tape.once_in(10) => *port,
            _ => self.tape.below(140) as u32,
        };
        let Some(fd) = self.open_node("open of msg_userdev", message::NAME) else {
            return;
        };
        let mut bytes = [0xff; message::ARGUMENT];
        put32(&mut bytes, 0, self.id());
        put32(&mut bytes, 4, port);
        self.request("connect", fd, message::CONNECT, &mut bytes);
        self.ports.push((fd, port));
    }

    fn message_request(&mut self) {
        let (what, code) = self.tape.of(&[
            ("check", message::CHECK),
            ("local id", message::LOCAL_ID),
            ("remote ids", message::REMOTE_IDS),
            ("initialise", message::INITIALISE),
        ]);
        let (what, code) = match self.tape.below(16) {
            0 => ("stop", message::STOP),
            1 => ("reset by a port", message::RESET),
            _ => (what, code),
        };
        let mut bytes = [0xff; message::ARGUMENT];
        put32(&mut bytes, 0, self.id());
        let file = self.port();
        self.request(what, file, code, &mut bytes);
    }

    fn write(&mut self, what: &'static str, file: i32, bytes: &[u8]) {
        let len = bytes.len().min(8 << 10);
        let address = self.region.put(DATA, &bytes[..len]);
        // SAFETY: the bytes are in the arena.
        let rc = unsafe { libc::write(file, address as *const _, len) };
        self.tally.call(what, rc as i64);
    }

    fn send(&mut self) {
        let file = self.port();
        let kind = self.tape.below(8);
        let pieces: Vec<Piece> = self.pieces.iter().take(64).copied().collect();
        let mut bytes = match kind {
            0 => Message::Sync(self.tape.any() as u32).to_bytes(),
            1 => Message::TransferRequest {
                kind: system::latency(&[]).kind,
                size: self.tape.of(&[100, 2000, 0x8000, u32::MAX]),
            }
            .to_bytes(),
            2 => Message::SglistInfo(pieces).to_bytes(),
            3 => Message::LinkedList(pieces).to_bytes(),
            4 => Message::TaskDone(self.tape.number() as u32).to_bytes(),
            5 => Message::ReadDone(self.tape.number() as u32).to_bytes(),
            _ => {
                let call = system::latency(&vec![5; self.tape.of(&[0, 100, 900])]);
                self.sequence += 1;
                let header = Header {
                    kind: call.kind,
                    sequence: self.sequence,
                    card: self.card,
                    context: 1,
                    stream: 1,
                    command: call.command,
                };
                call.frame(&header, &Caller::now())
            }
        };
        if self.tape.once_in(8) {
            let at = self.tape.below(bytes.len());
            bytes[at] = self.tape.any() as u8;
        }
        if self.tape.once_in(20) {
            bytes.truncate(self.tape.below(bytes.len()));
        }
        self.write("write to a port", file, &bytes);
    }

    fn receive(&mut self) {
        let fd = self.port();
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        let rc = unsafe { libc::poll(&mut poll, 1, self.tape.of(&[0, 0, 2])) };
        self.tally.call("poll of a port", rc.into());
        // A read without a message would wait.
        if poll.revents & libc::POLLIN != 0 {
            let len = self.tape.of(&[1024, 1024, 17, 0, 1]);
            let address = self.region.at(DATA);
            // SAFETY: there is room in the arena.
            let rc = unsafe { libc::read(fd, address as *mut _, len) };
            self.tally.call("read of a port", rc as i64);
        }
    }

    fn scatter(&mut self) {
        if self.tape.once_in(2) && self.buffers.len() > 1 {
            return self.close();
        }
        let size = self.tape.of(&[4096, 65_536, 1 << 20, 1, 0, u32::MAX]);
        let mut bytes: [u8; LIST] = *list_argument(self.id(), size);
        let file = self.buffer();
        if self.request("a list of pieces", file, buffer::SCATTER, &mut bytes) {
            self.pieces = pieces_of(&bytes);
        }
    }

    fn allocate(&mut self) {
        let code = self.tape.of(&[buffer::ALLOCATE, buffer::ALLOCATE_CACHED]);
        let mut bytes: [u8; SINGLE] = Single {
            device: self.id(),
            size: self.tape.of(&[4096, 65_536, 1, 0, u32::MAX]),
            ..Single::default()
        }
        .to_bytes();
        let file = self.buffer();
        if self.request("a buffer", file, code, &mut bytes) {
            let single = Single::from_bytes(&bytes);
            self.pieces.push(Piece {
                bus: single.bus,
                size: 4096,
            });
        }
    }

    fn cache(&mut self) {
        let code = self.tape.of(&[buffer::FLUSH, buffer::INVALIDATE]);
        let mut bytes: [u8; SINGLE] = Single {
            device: self.id(),
            size: self.tape.of(&[4096, 64, 0]),
            bus: 0,
            address: self.region.place(self.tape.below(PLACES)) as u64,
        }
        .to_bytes();
        let file = self.buffer();
        self.request("cache", file, code, &mut bytes);
    }

    fn map(&mut self) {
        let number = self.tape.below(PLACES);
        let at = self.region.place(number) as *mut libc::c_void;
        if self.tape.once_in(4) {
            self.region.empty(number);
            self.tally.call("munmap", 0);
            return;
        }
        let size = self.tape.of(&[4096, 4096, 65_536, PLACE]);
        let offset = self.tape.of(&[0, 0, 0, 4096]);
        let file = self.buffer();
        // SAFETY: the place is this thread's.
        let map = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_SHARED | libc::MAP_FIXED;
            libc::mmap(at, size, access, flags, file, offset)
        };
        self.tally.call("mmap", map as i64);
    }

    /// Lets the kernel read and write a mapping: as a message.
    fn touch(&mut self) {
        let at = self.region.place(self.tape.below(PLACES));
        let file = self.port();
        // SAFETY: the kernel checks the address; it is of the region.
        let rc = unsafe { libc::write(file, at as *const _, 100) };
        self.tally.call("write out of a mapping", rc as i64);
    }

    fn poll(&mut self) {
        let fd = self.host();
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd.
        let rc = unsafe { libc::poll(&mut poll, 1, 0) };
        self.tally.call("poll of axcl_host", rc.into());
    }

    fn close(&mut self) {
        let fd = match self.tape.below(6) {
            0 if self.hosts.len() > 1 => self.hosts.pop(),
            1..=2 if self.buffers.len() > 1 => {
                self.pieces.clear();
                self.buffers.pop()
            }
            _ if self.ports.len() > 4 => self.ports.pop().map(|(fd, _)| fd),
            _ => None,
        };
        let Some(fd) = fd else {
            return self.facts();
        };
        // SAFETY: it is given up.
        let rc = unsafe { libc::close(fd) };
        self.tally.call("close", rc.into());
        self.groups.retain(|(file, _)| *file != fd);
    }

    /// A child uses what it has inherited and ends.
    fn fork(&mut self) {
        // SAFETY: the child makes system calls only, with memory that it has.
        let rc = unsafe {
            let child = libc::fork();
            if child == 0 {
                self.facts();
                self.send();
                self.scatter();
                self.destroy();
                libc::_exit(0);
            }
            if child > 0 {
                libc::waitpid(child, std::ptr::null_mut(), 0);
            }
            child
        };
        self.tally.call("fork", rc.into());
    }

    /// Any request of any of the nodes, without addresses.
    fn anything(&mut self) {
        let file = match self.tape.below(3) {
            0 => self.host(),
            1 => self.buffer(),
            _ => self.port(),
        };
        let kind = self.tape.of(b"AMHP");
        let size = self.tape.of(&[8, 16, 32, 40, 1032]);
        let number = self.tape.below(18) as u32;
        let direction = self.tape.of(&[1, 2, 3]);
        let code = (direction << 30) | (size << 16) | (u32::from(kind) << 8) | number;
        let code = self.tape.of(&[code, code, p2p::TABLE]);
        if code == host::PID_LIST {
            return;
        }
        let mut bytes = [0; 2048];
        for at in 0..16 {
            put32(&mut bytes, at * 4, self.tape.below(300) as u32);
        }
        self.request("anything", file, code, &mut bytes);
    }

    /// Closes a file of another thread, which may be at work with it.
    fn foreign(&mut self) {
        match self.shared.any(self.tape) {
            Some((fd, _)) if self.tape.once_in(6) => {
                // SAFETY: all descriptors that are shown are expendable.
                let rc = unsafe { libc::close(fd) };
                self.tally.call("close of another thread's", rc.into());
            }
            Some((fd, _)) => {
                let mut bytes = [0; 8];
                put32(&mut bytes, 0, self.card);
                let what = "number of pids by another thread's";
                self.request(what, fd, host::PID_COUNT, &mut bytes);
            }
            None => self.facts(),
        }
    }
}
