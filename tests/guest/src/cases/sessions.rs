// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sessions: many at once, killed at any moment, refused, late, forked.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650::Kind;
use ax650_uapi::*;
use serde_json::{json, Value};

use crate::card::{Card, BOOT};
use crate::case::Context;
use crate::client::{canary, pattern, Client, PATIENCE};
use crate::errors::{errno, expect};
use crate::process::{self, End, Pipe};
use crate::{kernel, runner};

crate::cases!["sessions":
    two_clients_at_once { timeout_s: 90 },
    P1_sigkill_mid_job { timeout_s: 300 },
    P1_sigkill_with_a_stalled_card { timeout_s: 120 },
    P22_many_clients_killed_at_random { timeout_s: 150 },
    P22_late_answer_never_crosses,
    R36_create_answered_late,
    R36_create_answered_wrongly,
    R36_create_refused_by_the_card,
    R37_a_hundred_timeouts { timeout_s: 120 },
    R38_all_sessions_taken { timeout_s: 90 },
    K4_end_is_told_when_there_is_room { timeout_s: 120 },
    K20_messages_without_room_are_bounded { timeout_s: 120 },
    K6_ports_are_kept_for_the_driver { timeout_s: 150 },
    R35_handles_of_other_files,
    R39_fork_threads_and_duplicates,
    R34_open_close_many_times { timeout_s: 90 },
    R12_signals_end_all_waits { timeout_s: 90 },
    card_out_of_memory,
    card_memory_comes_back_after_a_crash,
    clients_are_listed,
];

/// Sessions that the card serves, the driver's own among them.
pub(super) fn served(context: &mut Context) -> Result<u64> {
    let daemon = context.host.card(0, "daemon", json!({}))?;
    let sessions = &daemon["daemon"]["sessions"];
    Ok(match sessions {
        Value::Array(list) => list.len() as u64,
        Value::Object(map) => map.len() as u64,
        other => other
            .as_u64()
            .with_context(|| format!("no sessions in {daemon}"))?,
    })
}

/// Nothing of earlier sessions is left on the card or in the driver.
pub(super) fn all_gone(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let mut left = String::new();
    kernel::until(
        "the card to be left in order",
        Duration::from_secs(30),
        || {
            let quarantined = card.counters()?.quarantined_bytes;
            let (clients, served) = (card.clients()?.len(), served(context)?);
            left = format!(
                "{clients} clients, {served} sessions on the card, {quarantined} bytes kept"
            );
            // One is the driver's own.
            Ok(clients == 0 && quarantined == 0 && served <= 1)
        },
    )
    .with_context(|| left)
}

/// Two processes, each with its own data, none of the other's.
fn two_clients_at_once(context: &mut Context) -> Result<()> {
    let work = |seed: u64| {
        move || {
            let mut client = Client::new(0)?;
            for round in 0..40 {
                client.round_trip(50_000, seed + round)?;
                client.echo(&pattern(700, seed + round))?;
                client.echo(&pattern(3000, seed + round))?;
            }
            Ok(())
        }
    };
    let children = [process::fork(work(1000))?, process::fork(work(2000))?];
    for child in children {
        let end = child.wait(Duration::from_secs(80) * runner::slowness())?;
        ensure!(end == End::Exit(0), "{end:?}, see the console");
    }
    all_gone(context)
}

/// Copies, calls and long frames without end.
fn work_for_ever() -> Result<()> {
    let mut client = Client::new(0)?;
    let address = client.malloc(6 << 20)?;
    let buffer = client.buffer(6 << 20)?;
    loop {
        let (_, short) = client.echo_frame(&[1; 100]);
        let (_, long) = client.echo_frame(&[2; 9000]);
        let steps = [
            client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, buffer.size),
            client.call_step(&short, 0, 4096),
            client.call_step(&long, 4096, 16 << 10),
            client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, buffer.size),
        ];
        client.run(&steps)?;
    }
}

/// Killed at a hundred points; each time another client's calls and copies go through at once, and
/// in the end nothing is left.  The card reports writes to pages that were freed too early.
fn P1_sigkill_mid_job(context: &mut Context) -> Result<()> {
    let mut other = Client::new(0)?;
    let limit = Duration::from_secs(1) * runner::slowness();
    let mut slowest = Duration::ZERO;
    for round in 0..100_u64 {
        let child = process::fork(work_for_ever)?;
        // From "before the session is there" to "deep in the copies".
        std::thread::sleep(Duration::from_millis(round * round % 311));
        child.signal(libc::SIGKILL);
        let begin = Instant::now();
        other
            .echo(&pattern(300, round))
            .with_context(|| format!("round {round}"))?;
        other
            .round_trip(4096, round)
            .with_context(|| format!("round {round}"))?;
        let took = begin.elapsed();
        if took > slowest {
            eprintln!("round {round}: {took:?}");
        }
        slowest = slowest.max(took);
        ensure!(
            begin.elapsed() < limit,
            "round {round}: {:?}",
            begin.elapsed()
        );
        let end = child.wait(Duration::from_secs(10))?;
        ensure!(end == End::Signal(libc::SIGKILL), "round {round}: {end:?}");
    }
    eprintln!("slowest canary {slowest:?}");
    drop(other);
    all_gone(context)
}

/// Killed while the card sits on a copy: the buffer is kept until the card cannot write to it.
fn P1_sigkill_with_a_stalled_card(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let before = card.counters()?.buffer_bytes;
    for _ in 0..3 {
        context.host.switch(0, "dma.stall_ms", 3000)?;
        let child = process::fork(work_for_ever)?;
        std::thread::sleep(Duration::from_millis(1500));
        let begin = Instant::now();
        child.kill(Duration::from_secs(5))?;
        ensure!(
            begin.elapsed() < Duration::from_secs(5),
            "{:?}",
            begin.elapsed()
        );
        context.host.clear(0)?;
        canary(0)?;
    }
    // What a transaction that was cut short might still reach is kept until the chip is reset.
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    let after = card.counters()?;
    ensure!(after.quarantined_bytes == 0, "{after:?}");
    ensure!(
        after.buffer_bytes <= before,
        "{before} bytes before, {}",
        after.buffer_bytes
    );
    card.make_running()?;
    all_gone(context)
}

/// Many at once, in all phases of their lives.
fn P22_many_clients_killed_at_random(context: &mut Context) -> Result<()> {
    for round in 0..6_u64 {
        let children = (0..20)
            .map(|_| process::fork(work_for_ever))
            .collect::<Result<Vec<_>>>()?;
        std::thread::sleep(Duration::from_millis(400));
        for (at, child) in children.iter().enumerate() {
            if at % 4 == 0 {
                std::thread::sleep(Duration::from_millis(round * 7 % 40));
            }
            child.signal(libc::SIGKILL);
        }
        for child in children {
            child.wait(Duration::from_secs(20))?;
        }
        canary(0).with_context(|| format!("round {round}"))?;
    }
    all_gone(context)
}

/// The answer to a call that nobody waits for any more does not go to the next session, even
/// though that has the same ports.
fn P22_late_answer_never_crosses(context: &mut Context) -> Result<()> {
    for _ in 0..3 {
        let mut first = Client::new(0)?;
        context.host.switch(0, "rpc.delay_ms", 1500)?;
        let (_, frame) = first.echo_frame(b"from the first session");
        let mut submit = ax650_submit {
            session: first.session.session,
            eventfd: -1,
            timeout_ns: kernel::now_ns() + 200_000_000,
            ..Default::default()
        };
        let step = first.call_step(&frame, 0, 4096);
        let job = first.card.submit_with(&mut submit, &[step])?;
        let (wait, _) = first.wait(job, 1, PATIENCE)?;
        ensure!(wait.status == -libc::ETIME, "{wait:?}");
        drop(first);
        context.host.clear(0)?;
        let mut second = Client::new(0)?;
        let end = Instant::now() + Duration::from_millis(2500);
        let mut round = 0;
        while Instant::now() < end {
            second.echo(&pattern(60, round))?;
            round += 1;
        }
    }
    Ok(())
}

/// The caller gets its timeout; the reply that comes afterwards is not taken for the next one's.
fn R36_create_answered_late(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "port11.late_ms", 1500)?;
    for _ in 0..3 {
        let begin = Instant::now();
        let result = card.session_until(kernel::now_ns() + 300_000_000);
        expect(libc::ETIMEDOUT, result, || "a session".into())?;
        ensure!(begin.elapsed() < Duration::from_millis(1400) * runner::slowness());
    }
    context.host.clear(0)?;
    for _ in 0..10 {
        canary(0)?;
    }
    std::thread::sleep(Duration::from_secs(2));
    canary(0)?;
    all_gone(context)
}

/// Replies that are too short or, with 41 bytes, too long are no success.
fn R36_create_answered_wrongly(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    for switch in ["port11.short", "port11.long"] {
        context.host.switch(0, switch, true)?;
        let error = errno(card.session_until(kernel::now_ns() + 1_000_000_000));
        ensure!(error != 0, "{switch}: accepted");
        context.host.clear(0)?;
        canary(0).context(switch)?;
    }
    all_gone(context)
}

/// The card says no.
fn R36_create_refused_by_the_card(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "port11.fail", true)?;
    let begin = Instant::now();
    let error = errno(card.session());
    ensure!(error != 0, "accepted");
    ensure!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?} for a clear no",
        begin.elapsed()
    );
    context.host.clear(0)?;
    canary(0)
}

/// A failure frees its ports, here and on the card.
fn R37_a_hundred_timeouts(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "port11.no_reply", true)?;
    for round in 0..100 {
        let error = errno(card.session_until(kernel::now_ns() + 50_000_000));
        ensure!(error == libc::ETIMEDOUT, "round {round}: errno {error}");
    }
    context.host.clear(0)?;
    canary(0)?;
    all_gone(context)
}

/// Has the card stop reading, and fills the ring as far as clients may.  What one session may have under way
/// does not fill it, nor do all of them unless they give up what they have sent.
pub(super) fn fill_ring(context: &mut Context) -> Result<Vec<Client>> {
    let mut fillers = (0..20)
        .map(|_| Client::new(0))
        .collect::<Result<Vec<_>>>()?;
    let card = Card::open(0)?;
    let before = card.counters()?.ring_full;
    context.host.switch(0, "ring.stuck", true)?;
    let mut rounds = 0;
    while card.counters()?.ring_full == before {
        for filler in &mut fillers {
            let frames: Vec<Vec<u8>> = (0..if rounds == 0 { 128 } else { 1 })
                .map(|_| filler.echo_frame(&pattern(900, 1)).1)
                .collect();
            let steps: Vec<ax650_step> = frames
                .iter()
                .map(|frame| ax650_step {
                    flags: AX650_STEP_PIPELINED,
                    ..filler.call_step(frame, 0, 4096)
                })
                .collect();
            let mut submit = ax650_submit {
                session: filler.session.session,
                eventfd: -1,
                timeout_ns: 1,
                ..Default::default()
            };
            filler
                .card
                .submit_with(&mut submit, &steps)
                .with_context(|| format!("round {rounds}"))?;
        }
        rounds += 1;
        std::thread::sleep(Duration::from_millis(25));
    }
    eprintln!("{rounds} rounds fill the ring");
    Ok(fillers)
}

/// A session that ends while the ring is full: the card hears of it as soon as it reads again, and the ports
/// are nobody else's before.
fn K4_end_is_told_when_there_is_room(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    let session = client.session.session;
    let before = client.card.counters()?;
    let fillers = fill_ring(context)?;
    // The room that is kept for such messages: until nobody's end can be told any more.
    let file = Card::open(0)?;
    let mut requests = 0;
    while errno(file.session_until(1)) != libc::ENOSPC {
        requests += 1;
        ensure!(requests < 1000, "{requests} requests");
    }
    eprintln!("{requests} requests fill the rest of the ring");
    client.card.end_session(session)?;
    drop((client, fillers));
    std::thread::sleep(Duration::from_secs(1));
    context.host.clear(0)?;
    all_gone(context)?;
    ensure!(Card::open(0)?.counters()?.resets == before.resets, "reset");
    canary(0)
}

/// A card that goes on with an answer without being told to, while nothing can be told to it, does not have the
/// driver keep more and more to be told.
fn K20_messages_without_room_are_bounded(context: &mut Context) -> Result<()> {
    // Messages of a transaction: its type, a number, another.
    const REQUEST: u8 = 3;
    const TASK_DONE: u8 = 6;
    const CHUNK: u32 = 64;
    fn transfer(kind: u8, first: u32, second: u32) -> String {
        let words = [first, second, 0, 0].map(|w| format!("{:08x}", w.swap_bytes()));
        format!("{kind:02x}{}", words.concat())
    }
    let mut client = Client::new(0)?;
    client.works()?;
    let clients = kernel::read("/sys/kernel/debug/ax650-0/clients")?;
    let line = clients.lines().find_map(|l| l.strip_prefix("native "));
    let port = line.and_then(|l| l.split(',').nth(1)).context("no port")?;
    let port: u32 = port.parse()?;
    let fillers = fill_ring(context)?;
    let mut say = |payload: String| {
        let fields = json!({"what": "message", "port": port, "payload": payload});
        context.host.card(0, "inject", fields).map(drop)
    };
    let open = |client: &mut Client| {
        let (_, frame) = client.echo_frame(b"still there?");
        errno(client.submit(&[client.call_step(&frame, 0, 4096)])) != libc::EPROTO
    };
    say(transfer(REQUEST, Kind::LATENCY.0, 1 << 20))?;
    for _ in 0..16 {
        say(transfer(TASK_DONE, CHUNK, 0))?;
    }
    std::thread::sleep(Duration::from_secs(1));
    ensure!(
        open(&mut client),
        "what it may be told at a time is refused"
    );
    for _ in 0..64 {
        say(transfer(TASK_DONE, CHUNK, 0))?;
    }
    kernel::until("the session to be ended", PATIENCE, || {
        Ok(!open(&mut client))
    })?;
    drop((client, fillers));
    context.host.clear(0)?;
    // What the card was told of is kept until it is reset.
    let card = Card::open(0)?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    card.make_running()?;
    all_gone(context)?;
    canary(0)
}

/// Clients cannot take the ports that the driver needs for a session of its own, by which it knows how
/// the card is: not even while it has none, because the card did not answer.
fn K6_ports_are_kept_for_the_driver(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "port11.no_reply", 1)?;
    let before = card.info()?.generation;
    card.control(AX650_CONTROL_BOOT, 0)?;
    kernel::until("the boot", BOOT, || {
        let info = card.info()?;
        Ok(info.state == AX650_STATE_RUNNING && info.generation > before)
    })?;
    // The driver's request is the one without an answer.
    std::thread::sleep(Duration::from_secs(1));
    let limits = card.limits()?;
    let mut files = Vec::new();
    let mut sessions = 0;
    while sessions < limits.max_sessions_per_card {
        let file = Card::open(0)?;
        for _ in 0..limits.max_sessions_per_file {
            if sessions < limits.max_sessions_per_card {
                file.session().with_context(|| format!("{sessions}"))?;
                sessions += 1;
            }
        }
        files.push(file);
    }
    let end = Instant::now() + Duration::from_secs(12);
    while Instant::now() < end {
        expect(libc::ENOSPC, Card::open(0)?.session(), || "one more".into())?;
    }
    kernel::until("the driver's session", Duration::from_secs(30), || {
        Ok(card.info()?.firmware_version != [0; 64])
    })?;
    drop(files);
    context.host.clear(0)?;
    all_gone(context)?;
    canary(0)
}

/// When there are no more ports, the next session is refused; when one ends, there is room.
fn R38_all_sessions_taken(context: &mut Context) -> Result<()> {
    let limits = Card::open(0)?.limits()?;
    let mut files = Vec::new();
    let mut sessions = 0;
    'all: loop {
        let file = Card::open(0)?;
        for at in 0..=limits.max_sessions_per_file {
            match file.session() {
                Ok(_) => sessions += 1,
                Err(e) if at == limits.max_sessions_per_file => {
                    ensure!(e.raw_os_error() == Some(libc::ENOSPC), "{e}");
                    break;
                }
                Err(e) => {
                    ensure!(e.raw_os_error() == Some(libc::ENOSPC), "{e}");
                    files.push(file);
                    break 'all;
                }
            }
        }
        files.push(file);
    }
    ensure!(
        sessions == limits.max_sessions_per_card,
        "{sessions} of {}",
        limits.max_sessions_per_card
    );
    ensure!(errno(Card::open(0)?.session()) != 0);
    drop(files);
    all_gone(context)?;
    canary(0)
}

/// Handles mean nothing in another file.
fn R35_handles_of_other_files(_: &mut Context) -> Result<()> {
    let mut one = Client::new(0)?;
    let bare = Card::open(0)?;
    expect(libc::ENOENT, bare.end_session(one.session.session), || {
        "session".into()
    })?;
    expect(libc::ENOENT, bare.end_buffer(one.reply.handle), || {
        "buffer".into()
    })?;
    let (_, frame) = one.echo_frame(b"x");
    let step = one.call_step(&frame, 0, 4096);
    expect(
        libc::ENOENT,
        bare.submit(one.session.session, &[step]),
        || "submit".into(),
    )?;
    let job = one.submit(&[step])?;
    expect(libc::ENOENT, bare.wait(job, 0, 1), || "wait".into())?;
    ensure!(bare
        .map(
            u64::from(one.reply.handle) * bare.limits()?.max_buffer_bytes,
            4096
        )
        .is_err());
    one.finish(job, 1)?;
    one.works()
}

/// The session belongs to the open file, whoever uses it.
fn R39_fork_threads_and_duplicates(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    // A second file of the same thread.
    let mut other = Client::new(0)?;
    client.works()?;
    other.works()?;
    drop(other);
    client.works()?;
    // A child uses it and ends: the file is still open here.
    let child = process::fork(|| client.works())?;
    ensure!(
        child.wait(Duration::from_secs(20))? == End::Exit(0),
        "see the console"
    );
    client.works()?;
    // The parent closes, the child goes on.
    let (mut ready, mut go) = (Pipe::new()?, Pipe::new()?);
    let mut moved = client;
    let child = process::fork(|| {
        ready.send()?;
        go.wait(Duration::from_secs(20))?;
        moved.works()
    })?;
    ready.wait(Duration::from_secs(10))?;
    drop(moved);
    std::thread::sleep(Duration::from_millis(200));
    ensure!(
        Card::open(0)?.clients()?.len() == 1,
        "it ended with the first of two closes"
    );
    go.send()?;
    ensure!(
        child.wait(Duration::from_secs(20))? == End::Exit(0),
        "see the console"
    );
    // Opened by one thread, closed by another.
    let client = Client::new(0)?;
    std::thread::spawn(move || drop(client))
        .join()
        .map_err(|_| anyhow::anyhow!("panic"))?;
    all_gone(context)
}

/// Open, half of a life, close: nothing adds up.
fn R34_open_close_many_times(context: &mut Context) -> Result<()> {
    let before = Card::open(0)?.counters()?;
    for round in 0..60 {
        let card = Card::open(0)?;
        if round % 3 > 0 {
            card.session()?;
        }
        if round % 3 > 1 {
            let mut client = Client::on(card)?;
            client.echo(b"x")?;
        }
    }
    all_gone(context)?;
    let after = Card::open(0)?.counters()?;
    ensure!(
        after.buffer_bytes <= before.buffer_bytes,
        "{} bytes",
        after.buffer_bytes
    );
    ensure!(after.resets == before.resets);
    canary(0)
}

/// Whatever is waited for: a signal ends it within a second.
fn R12_signals_end_all_waits(context: &mut Context) -> Result<()> {
    let ends = |what: &str, f: fn() -> Result<()>| -> Result<()> {
        let child = process::fork(f)?;
        std::thread::sleep(Duration::from_millis(1500));
        let begin = Instant::now();
        child.signal(libc::SIGTERM);
        let end = child.wait(Duration::from_secs(10))?;
        ensure!(end == End::Signal(libc::SIGTERM), "{what}: {end:?}");
        let took = begin.elapsed();
        ensure!(
            took < Duration::from_secs(1) * runner::slowness(),
            "{what}: {took:?}"
        );
        Ok(())
    };
    context.host.switch(0, "rpc.delay_ms", 1000)?;
    ends("WAIT", || {
        // The session gets its answer late, this call as well, the next one when all is over.
        let mut client = Client::new(0)?;
        loop {
            client.echo(b"x")?;
        }
    })?;
    context.host.clear(0)?;
    context.host.switch(0, "port11.no_reply", true)?;
    ends("SESSION_CREATE", || {
        Card::open(0)?.session_until(kernel::now_ns() + 60_000_000_000)?;
        Ok(())
    })?;
    context.host.clear(0)?;
    context.host.switch(0, "dma.stall_ms", 5000)?;
    ends("WAIT for a copy", work_for_ever)?;
    context.host.clear(0)?;
    canary(0)?;
    all_gone(context)
}

/// The card's own errors: none left, given back twice, never given.
fn card_out_of_memory(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let mut pieces = Vec::new();
    let status = loop {
        match client.try_malloc(512 << 20)? {
            (0, address) => pieces.push(address),
            (status, _) => break status,
        }
        ensure!(pieces.len() < 64, "a card without end");
    };
    ensure!(pieces.len() >= 10, "{} pieces only", pieces.len());
    ensure!(status & 0x8000_0000 != 0, "{status:#x}");
    // A call fails, nothing else.
    client.echo(b"still there")?;
    let last = pieces.pop().context("no piece")?;
    ensure!(client.free(last)? == 0);
    // The driver does not even ask the card.
    ensure!(client.free(last).is_err(), "freed twice");
    ensure!(client.free(last + 1).is_err(), "freed what was never given");
    client.round_trip(1 << 20, 1)?;
    for address in pieces {
        ensure!(client.free(address)? == 0);
    }
    client.works()
}

/// What a killed process held on the card is free again.
fn card_memory_comes_back_after_a_crash(context: &mut Context) -> Result<()> {
    let used = |context: &mut Context| -> Result<u64> {
        let state = context.host.card(0, "state", json!({}))?;
        state["state"]["cmm"]["used"]
            .as_u64()
            .with_context(|| state.to_string())
    };
    let before = used(context)?;
    let mut ready = Pipe::new()?;
    let child = process::fork(|| {
        let mut client = Client::new(0)?;
        client.malloc(900 << 20)?;
        ready.send()?;
        std::thread::sleep(Duration::from_secs(60));
        Ok(())
    })?;
    ready.wait(Duration::from_secs(20))?;
    ensure!(used(context)? >= before + (900 << 20));
    child.kill(Duration::from_secs(5))?;
    kernel::until(
        "the card's memory to come back",
        Duration::from_secs(20),
        || Ok(used(context)? <= before),
    )?;
    all_gone(context)
}

/// Who uses the card, and how much.
fn clients_are_listed(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.round_trip(100_000, 5)?;
    let own = std::process::id() as i32;
    let list = client.card.clients()?;
    let me = list
        .iter()
        .find(|c| c.pid == own)
        .with_context(|| format!("{list:?}"))?;
    ensure!(
        me.bytes_to_card >= 100_000 && me.bytes_from_card >= 100_000,
        "{me:?}"
    );
    ensure!(me.jobs >= 3, "{me:?}");
    ensure!(me.buffer_bytes >= client.reply.size as u64, "{me:?}");
    ensure!(
        me.command.starts_with(b"selftest") || me.command.starts_with(b"exe"),
        "{me:?}"
    );
    Ok(())
}
