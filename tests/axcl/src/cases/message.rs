// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/msg_userdev` (8.2).

use std::io;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::kernel;
use ax650_test_kit::process::{self, End};

use super::support::{
    canary, card, counted, driver_counter, inject, ready, recovers, refused, wait_alive, within,
    BOOT, MINUS_ONE,
};
use crate::client::Device;
use crate::node::buffer::{BufferNode, Piece};
use crate::node::host::{HostNode, ALIVE};
use crate::node::message::{
    Argument, MessageNode, ARGUMENT, CHECK, CONNECT, INITIALISE, LOCAL_ID, MESSAGE_END, POLLREMOVE,
    POLL_MESSAGE, PORT_END, REMOTE_IDS, RESET, STOP,
};
use crate::wire::transport::Message;

ax650_test_kit::cases!["axcl_abi":
    S8_2_initialise_and_ids,
    S8_2_other_requests_return_0,
    S8_2_bad_pointers,
    S8_2_connect,
    S8_2_check,
    S8_2_write,
    S8_2_write_of_all_sizes { timeout_s: 90 },
    S8_2_ring_full { timeout_s: 120 },
    K4_end_of_a_program_while_the_ring_is_full { timeout_s: 120 },
    S8_2_read,
    S8_2_poll,
    S8_2_stop,
    S8_2_close_drops_the_queue,
    S8_2_files_without_a_connection,
    S8_2_reset { timeout_s: 120 },
    R29_queue_of_a_port_is_bounded { timeout_s: 90 },
    R41_write_of_1_gib,
    R48_lists_on_extra_ports,
];

const NO_TIME: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_secs(10);

/// A port with nobody at its other end: an extra one.
struct Quiet {
    host: HostNode,
    id: u32,
    port: u32,
}

impl Quiet {
    fn new() -> Result<Self> {
        let (host, id) = card()?;
        host.create(id)?;
        let port = host.extra(id, 1)?.ports[0];
        Ok(Self { host, id, port })
    }

    fn file(&self) -> Result<MessageNode> {
        MessageNode::connected(self.id, self.port).context("an extra port")
    }
}

/// Nr 4, 5, 6.
fn S8_2_initialise_and_ids(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let file = MessageNode::open()?;
    let mut argument = Argument::new(5, 6);
    ensure!(file.request(INITIALISE, &mut argument)? == 0);
    ensure!(
        argument == Argument::new(-1, 129),
        "{:?}",
        argument.remote()
    );
    ensure!(file.request(REMOTE_IDS, &mut argument)? == 0);
    let remote = argument.remote();
    ensure!(remote[0] == id as i32, "{remote:?}");
    ensure!(remote[1..].iter().all(|&other| other == -1), "{remote:?}");
    ensure!(argument.device() == -1 && argument.port() == 129);
    // The host is 0.
    ensure!(file.request(LOCAL_ID, &mut argument)? == 0);
    Ok(())
}

/// Dispatch is on type and number only.
fn S8_2_other_requests_return_0(_: &mut Context) -> Result<()> {
    ready()?;
    let file = MessageNode::open()?;
    for nr in [0_u32, 3].into_iter().chain(9..=255) {
        let mut argument = Argument::new(7, 8);
        let result = file.request(0x4408_4D00 | nr, &mut argument);
        ensure!(matches!(result, Ok(0)), "number {nr}: {result:?}, not 0");
        ensure!(argument == Argument::new(7, 8), "number {nr} has written");
    }
    for kind in [0_u32, 0x41, 0x48, 0x4c, 0x4e, 0x50, 0xff] {
        for nr in 0..16 {
            let mut argument = Argument::new(7, 8);
            let result = file.request(0x4408_0000 | (kind << 8) | nr, &mut argument);
            ensure!(matches!(result, Ok(0)), "type {kind:#x}, {nr}: {result:?}");
            ensure!(
                argument == Argument::new(7, 8),
                "type {kind:#x}, {nr} has written"
            );
        }
    }
    // Size and direction do not matter.
    for code in [0x0000_4D06, 0x8004_4D06, 0xC008_4D06] {
        let mut argument = Argument::new(7, 8);
        ensure!(file.request(code, &mut argument)? == 0);
        ensure!(argument == Argument::new(-1, 129), "{code:#x} did nothing");
    }
    Ok(())
}

/// The whole argument is copied first, for every request.
fn S8_2_bad_pointers(_: &mut Context) -> Result<()> {
    ready()?;
    let file = MessageNode::open()?;
    let page = ax650_test_kit::guarded::Guarded::new()?;
    let short = page.end_minus(ARGUMENT - 1) as usize;
    for at in [0, 0x1000, short, 0xffff_8000_0000_0000, usize::MAX - 3] {
        for code in [
            CONNECT,
            CHECK,
            0x4408_4D03,
            LOCAL_ID,
            REMOTE_IDS,
            INITIALISE,
            RESET,
            STOP,
            0x4408_4D63,
        ] {
            // SAFETY: nothing is mapped there, or a page of this case's that ends too early.
            let result = unsafe { file.node.request(code, at as *mut u8) };
            refused(result, MINUS_ONE, &format!("{code:#x} at {at:#x}"))?;
        }
    }
    canary()
}

/// Nr 1.
fn S8_2_connect(_: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let (id, port) = (quiet.id as i32, quiet.port as i32);
    let wrong = [
        (id, PORT_END, "port 128"),
        (id, PORT_END + 1, "port 129"),
        (id, 1 << 20, "port 2^20"),
        (id, i32::MAX, "port 2^31 - 1"),
        (id, -1, "port -1"),
        (id, -5, "port -5"),
        (id, i32::MIN, "port -2^31"),
        (0, port, "the host itself"),
        (id + 1, port, "no such card"),
        (255, port, "card 255"),
        (256, port, "card 256"),
        (256 + id, port, "card 256 and more"),
        (-1, port, "card -1"),
        (i32::MAX, port, "card 2^31 - 1"),
        (i32::MIN, port, "card -2^31"),
    ];
    for (device, port, what) in wrong {
        let file = MessageNode::open()?;
        refused(file.connect(device, port), MINUS_ONE, what)?;
        refused(
            file.node.write(b"x"),
            &[libc::EPERM, libc::ENOTCONN, libc::EINVAL],
            what,
        )?;
    }
    let file = quiet.file()?;
    ensure!(file.node.poll(POLL_MESSAGE, NO_TIME)? == 0);
    drop(file);
    // Open and close, many times.
    for _ in 0..100 {
        drop(quiet.file()?);
    }
    canary()
}

/// Nr 2: cards here have had their handshake.
fn S8_2_check(_: &mut Context) -> Result<()> {
    let (_, id) = card()?;
    let file = MessageNode::open()?;
    let begin = Instant::now();
    for _ in 0..3 {
        file.check(id as i32)?;
    }
    for other in [0, id as i32 + 1, 255, 256, -1, i32::MAX, i32::MIN] {
        refused(file.check(other), MINUS_ONE, &format!("check of {other}"))?;
    }
    within(begin, Duration::from_secs(2), "checks")?;
    // Axera's driver forgets "checked" with the close of any file, and the next one hangs.
    drop(file);
    MessageNode::open()?.check(id as i32)?;
    within(begin, Duration::from_secs(4), "checks")?;
    canary()
}

/// What is refused.
fn S8_2_write(_: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    refused(file.node.write(&[]), MINUS_ONE, "an empty message")?;
    let long = vec![0; MESSAGE_END + 1];
    refused(
        file.node.write(&long[..MESSAGE_END]),
        MINUS_ONE,
        "0x60000 bytes",
    )?;
    refused(file.node.write(&long), MINUS_ONE, "0x60001 bytes")?;
    // A message that cannot be read is not sent: 0, and no message.
    let page = ax650_test_kit::guarded::Guarded::new()?;
    for (at, len) in [(0, 100), (page.end_minus(50) as usize, 100)] {
        // SAFETY: the kernel checks the address; this is what is tested.
        let n = unsafe { file.node.write_raw(at as *const u8, len) };
        ensure!(matches!(n, Ok(0)), "a bad address: {n:?}, not 0");
    }
    ensure!(file.node.write(&[1; 100])? == 100);
    canary()
}

/// Each is one message on the card, no byte more or less.
fn S8_2_write_of_all_sizes(context: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    let near = |n: usize| [n - 1, n, n + 1];
    let mut sizes: Vec<usize> = (1..=100).collect();
    sizes.extend(
        [128, 256, 1024, 4096, 0x1_0000, 0x2_0000]
            .into_iter()
            .flat_map(near),
    );
    sizes.extend([MESSAGE_END - 2, MESSAGE_END - 1]);
    let bytes = |context: &mut Context| counted(context, |name| name == "ring.h2c.bytes");
    let messages = |context: &mut Context| counted(context, |name| name == "ring.h2c.messages");
    for size in sizes {
        // The driver's own messages come in between now and then.
        let mut exact = false;
        for _ in 0..5 {
            let before = (messages(context)?, bytes(context)?);
            ensure!(file.node.write(&vec![0x5a; size])? == size);
            kernel::until("the card to take the message", SOON, || {
                Ok(messages(context)? > before.0)
            })?;
            let after = (messages(context)?, bytes(context)?);
            exact |= after == (before.0 + 1, before.1 + size as u64);
            if exact {
                break;
            }
        }
        ensure!(exact, "a message of {size} bytes is not that on the card");
    }
    ensure!(counted(context, |name| name == "ring.h2c.corrupt")? == 0);
    canary()
}

/// A card that does not read: ENOENT or EPERM after some tries, and nothing gets lost or mixed up.
fn S8_2_ring_full(context: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    context.host.switch(0, "ring.stuck", true)?;
    let message = vec![0x77; 100_000];
    let mut written = 0_usize;
    let error: io::Error = loop {
        let begin = Instant::now();
        match file.node.write(&message) {
            Ok(n) => {
                ensure!(n == message.len(), "{n} bytes");
                written += 1;
            }
            Err(e) => {
                within(begin, Duration::from_secs(2), "a write to a full ring")?;
                break e;
            }
        }
        ensure!(written < 30, "a ring without end");
    };
    ensure!(
        [libc::ENOENT, libc::EPERM].contains(&error.raw_os_error().unwrap_or(0)),
        "{error}"
    );
    eprintln!("{written} messages fit, then: {error}");
    context.host.clear(0)?;
    kernel::until("room in the ring", BOOT, || {
        match file.node.write(&[1; 1000]) {
            Ok(_) => Ok(true),
            // The driver may have had to reset the card.
            Err(e) => Ok(e.raw_os_error() == Some(libc::ENODEV)),
        }
    })?;
    drop(file);
    drop(quiet);
    recovers("a full ring")
}

/// A program that ends without a word while the ring is full: the card hears of it later.
fn K4_end_of_a_program_while_the_ring_is_full(context: &mut Context) -> Result<()> {
    let served = |context: &mut Context| -> Result<usize> {
        let report = super::support::service(context)?;
        let sessions = &report["daemon"]["sessions"];
        let list = sessions.as_array().map(Vec::len);
        let map = sessions.as_object().map(serde_json::Map::len);
        list.or(map)
            .with_context(|| format!("no sessions in {report}"))
    };
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    let before = served(context)?;
    let other = HostNode::open()?;
    other.create(quiet.id)?;
    kernel::until("its session", SOON, || Ok(served(context)? > before))?;
    context.host.switch(0, "ring.stuck", true)?;
    let mut written = 0;
    // Down to the room of the smallest message.
    for len in [100_000, 1000, 8] {
        while file.node.write(&vec![0x77; len]).is_ok() {
            written += 1;
            ensure!(written < 1000, "a ring without end");
        }
    }
    // The card is told in the room that is kept for such messages, which programs cannot fill.
    drop(other);
    std::thread::sleep(Duration::from_secs(1));
    context.host.clear(0)?;
    kernel::until("the card to end the session", SOON, || {
        Ok(served(context)? <= before)
    })?;
    drop(file);
    drop(quiet);
    recovers("a full ring")
}

/// One message a call; too little room loses it, as does an address that is none.
fn S8_2_read(context: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    let mut room = vec![0; 4096];
    refused(file.node.read(&mut room), MINUS_ONE, "a read of nothing")?;
    let wait = || -> Result<()> {
        let events = file.node.poll(POLL_MESSAGE, SOON)?;
        ensure!(events == POLL_MESSAGE, "{events:#x}");
        Ok(())
    };
    for len in [1_usize, 2, 7, 8, 9, 40, 100, 1000] {
        let message = crate::client::pattern(len, len as u64);
        inject(context, quiet.port, &message)?;
        wait()?;
        room.fill(0xee);
        ensure!(
            file.node.read(&mut room)? == len,
            "a message of {len} bytes"
        );
        ensure!(room[..len] == message[..], "{len} bytes have changed");
        ensure!(
            room[len..].iter().all(|&byte| byte == 0xee),
            "more than {len} bytes"
        );
    }
    // In order, one at a time.
    for number in 1..=20_u8 {
        inject(context, quiet.port, &vec![number; usize::from(number)])?;
    }
    for number in 1..=20_u8 {
        wait()?;
        let n = file.node.read(&mut room)?;
        ensure!(
            n == usize::from(number) && room[0] == number,
            "{n} bytes of {}",
            room[0]
        );
    }
    refused(file.node.read(&mut room), MINUS_ONE, "a read of nothing")?;
    // Exactly enough, one byte too few, none at all.
    for (have, len) in [(10, 10), (9, 10), (0, 10)] {
        inject(context, quiet.port, &vec![3; len])?;
        inject(context, quiet.port, b"next")?;
        wait()?;
        let result = file.node.read(&mut room[..have]);
        if have == len {
            ensure!(matches!(result, Ok(10)), "{result:?}");
        } else {
            refused(result, MINUS_ONE, &format!("{len} bytes to {have}"))?;
        }
        wait()?;
        let n = file.node.read(&mut room)?;
        ensure!(&room[..n] == b"next", "the next message: {:x?}", &room[..n]);
    }
    inject(context, quiet.port, b"lost")?;
    wait()?;
    // SAFETY: nothing is mapped at 0.
    let result = unsafe { file.node.read_raw(std::ptr::null_mut(), 100) };
    refused(result, MINUS_ONE, "a bad address")?;
    refused(
        file.node.read(&mut room),
        MINUS_ONE,
        "the message that was lost",
    )?;
    canary()
}

fn S8_2_poll(context: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    let all = POLL_MESSAGE | libc::POLLOUT | libc::POLLWRNORM | libc::POLLPRI | POLLREMOVE;
    ensure!(file.node.poll(all, NO_TIME)? == 0);
    let begin = Instant::now();
    ensure!(file.node.poll(all, Duration::from_millis(300))? == 0);
    ensure!(
        begin.elapsed() >= Duration::from_millis(300),
        "poll did not wait"
    );
    inject(context, quiet.port, b"one")?;
    let events = file.node.poll(all, SOON)?;
    ensure!(events == POLL_MESSAGE, "{events:#x}");
    // As long as there is one.
    ensure!(file.node.poll(all, NO_TIME)? == POLL_MESSAGE);
    inject(context, quiet.port, b"two")?;
    kernel::until("both messages", SOON, || {
        let mut room = [0; 10];
        let events = file.node.poll(all, NO_TIME)?;
        if events == POLL_MESSAGE {
            file.node.read(&mut room)?;
        }
        Ok(&room[..3] == b"two")
    })?;
    ensure!(file.node.poll(all, NO_TIME)? == 0);
    // A waiter is woken at once.
    std::thread::scope(|scope| -> Result<()> {
        let waiter = scope.spawn(|| file.node.poll(all, Duration::from_secs(30)));
        std::thread::sleep(Duration::from_millis(200));
        inject(context, quiet.port, b"three")?;
        let events = waiter.join().map_err(|_| anyhow::anyhow!("panic"))??;
        ensure!(events == POLL_MESSAGE, "{events:#x}");
        Ok(())
    })
}

/// Pollers of the file see a hang-up.
fn S8_2_stop(_: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    std::thread::scope(|scope| -> Result<()> {
        let waiter = scope.spawn(|| {
            file.node
                .poll(libc::POLLIN | POLLREMOVE, Duration::from_secs(30))
        });
        std::thread::sleep(Duration::from_millis(200));
        let begin = Instant::now();
        file.stop()?;
        let events = waiter.join().map_err(|_| anyhow::anyhow!("panic"))??;
        within(begin, Duration::from_secs(2), "waking the waiter")?;
        // The kernel's poll(2) keeps POLLREMOVE for itself.
        ensure!(events & !POLLREMOVE == libc::POLLHUP, "{events:#x}");
        Ok(())
    })?;
    ensure!(file.node.poll(libc::POLLIN, NO_TIME)? == libc::POLLHUP);
    // Again, and never connected.
    file.stop()?;
    let bare = MessageNode::open()?;
    eprintln!("stop of a file without a connection: {:?}", bare.stop());
    drop(file);
    // The port can be opened again.
    ensure!(quiet.file()?.node.poll(libc::POLLIN, NO_TIME)? == 0);
    canary()
}

fn S8_2_close_drops_the_queue(context: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    for _ in 0..10 {
        inject(context, quiet.port, &[9; 500])?;
    }
    ensure!(file.node.poll(libc::POLLIN, SOON)? == libc::POLLIN);
    drop(file);
    let file = quiet.file()?;
    ensure!(file.node.poll(libc::POLLIN, Duration::from_millis(200))? == 0);
    refused(file.node.read(&mut [0; 1000]), MINUS_ONE, "an old message")?;
    inject(context, quiet.port, b"new")?;
    let message = file.receive(100, SOON)?;
    ensure!(message.as_deref() == Some(&b"new"[..]), "{message:x?}");
    // R39: a duplicate keeps the port open.
    let other = MessageNode {
        node: file.node.duplicate()?,
    };
    drop(file);
    inject(context, quiet.port, b"still")?;
    let message = other.receive(100, SOON)?;
    ensure!(message.as_deref() == Some(&b"still"[..]), "{message:x?}");
    Ok(())
}

/// Every call on a file that was never connected: an error, no effect, no wait.
fn S8_2_files_without_a_connection(_: &mut Context) -> Result<()> {
    ready()?;
    for _ in 0..10 {
        let file = MessageNode::open()?;
        ensure!(file.node.read(&mut [0; 100]).is_err(), "read");
        ensure!(file.node.write(&[0; 100]).is_err(), "write");
        let begin = Instant::now();
        let events = file
            .node
            .poll(libc::POLLIN | libc::POLLOUT, Duration::from_secs(5))?;
        // Axera's poll returns all bits, of which R42 leaves those that make sense.
        ensure!(events & (libc::POLLERR | libc::POLLHUP) != 0, "{events:#x}");
        within(begin, Duration::from_secs(2), "poll")?;
    }
    canary()
}

/// Nr 7: the card has gone, and comes back with a reboot.
fn S8_2_reset(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let file = MessageNode::open()?;
    for other in [0, id as i32 + 1, 256, -1, i32::MIN] {
        // The table promises 0, a new driver a clean error; neither may have an effect.
        let result = file.request(RESET, &mut Argument::new(other, 0));
        eprintln!("reset of {other}: {result:?}");
    }
    ensure!(host.status()?[id as usize] == ALIVE);
    canary()?;
    ensure!(file.request(RESET, &mut Argument::new(id as i32, 0))? == 0);
    host.reboot(id).context("reboot")?;
    wait_alive(&host)?;
    recovers("a reset by the message node")
}

/// A card that floods a port nobody reads costs bounded memory, and other ports nothing.
fn R29_queue_of_a_port_is_bounded(context: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    let device = Device::connect(HostNode::open()?, quiet.id, Default::default())?;
    let free = || -> Result<u64> {
        let text = kernel::read("/proc/meminfo")?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable"));
        let word = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(word.context("MemAvailable")?.parse()?)
    };
    let before = free()?;
    let message = vec![1; 1900];
    for round in 0..1000 {
        inject(context, quiet.port, &message)?;
        if round % 250 == 0 {
            device
                .scope()
                .works()
                .with_context(|| format!("round {round}"))?;
        }
    }
    device.scope().works()?;
    let used = before.saturating_sub(free()?);
    eprintln!(
        "{used} KiB used by 1000 messages of {} bytes",
        message.len()
    );
    ensure!(used < 32 << 10, "{used} KiB");
    // What was kept is in order and whole; the file goes on.
    let mut kept = 0;
    while let Some(got) = file.receive(4096, NO_TIME)? {
        ensure!(got == message, "{} bytes", got.len());
        kept += 1;
    }
    ensure!(kept > 0, "nothing was kept");
    inject(context, quiet.port, b"after")?;
    ensure!(file.receive(100, SOON)?.as_deref() == Some(&b"after"[..]));
    let _ = &quiet.host;
    device.close()
}

/// The length is looked at before any memory is allocated.
fn R41_write_of_1_gib(_: &mut Context) -> Result<()> {
    let quiet = Quiet::new()?;
    let (id, port) = (quiet.id, quiet.port);
    let child = process::fork(|| {
        let file = MessageNode::open()?;
        let _ = file.connect(id as i32, port as i32);
        for len in [1_usize << 30, 1 << 40, (1 << 32) + 5, isize::MAX as usize] {
            let begin = Instant::now();
            // SAFETY: the kernel checks address and length.
            let result = unsafe { file.node.write_raw(0x1000 as *const u8, len) };
            // The kernel itself cuts or refuses some of these lengths before the driver sees them.
            let clean = [libc::EPERM, libc::EFAULT, libc::ENOTCONN, libc::EINVAL];
            refused(result, &clean, &format!("{len:#x} bytes"))?;
            within(begin, Duration::from_secs(1), "a long write")?;
        }
        Ok(())
    })?;
    ensure!(child.wait(SOON)? == End::Exit(0), "see the console");
    canary()
}

/// Programs of users on the card move their data by such ports [rpc 8]: lists there name memory of
/// this process; short data is what it is.
fn R48_lists_on_extra_ports(context: &mut Context) -> Result<()> {
    const SIZE: u32 = 0x8000;
    let quiet = Quiet::new()?;
    let file = quiet.file()?;
    let buffer = BufferNode::open()?;
    let pieces = buffer.scatter(quiet.id, SIZE)?;
    let foreign = Message::LinkedList(vec![Piece {
        bus: 0x10_0000_0000,
        size: 4096,
    }]);
    let announce = |size| Message::TransferRequest { kind: 9, size }.to_bytes();
    file.send(&announce(SIZE))?;
    refused(file.send(&foreign.to_bytes()), MINUS_ONE, "a foreign list")?;
    // The memory stays until the card says that it has it.
    file.send(&Message::LinkedList(pieces).to_bytes())?;
    drop(buffer);
    let before = driver_counter("buffer_bytes")?;
    ensure!(before >= SIZE.into(), "{before} bytes are kept");
    inject(context, quiet.port, &Message::ReadDone(SIZE).to_bytes())?;
    let answer = file.receive(100, SOON)?.context("no message")?;
    ensure!(Message::from_bytes(&answer)? == Message::ReadDone(SIZE));
    // Data, whatever it looks like, and what is no list.
    file.send(&announce(26))?;
    file.send(&foreign.to_bytes())?;
    refused(file.send(&foreign.to_bytes()), MINUS_ONE, "a foreign list")?;
    file.send(&[8; 100])?;
    drop(file);
    drop(quiet);
    kernel::until("the memory to come back", SOON, || {
        let bytes = driver_counter("buffer_bytes")?;
        Ok(bytes + u64::from(SIZE) <= before && driver_counter("quarantined_bytes")? == 0)
    })?;
    canary()
}
