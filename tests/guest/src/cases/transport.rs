// SPDX-License-Identifier: MIT OR Apache-2.0

//! The message rings, with a card that breaks every rule of them in turn.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;
use serde_json::{json, Value};

use crate::card::{Card, BOOT};
use crate::case::Context;
use crate::client::{canary, pattern, Client};
use crate::{kernel, runner};

crate::cases!["transport":
    R26_header_fields { timeout_s: 120 },
    R26_one_header_that_announces_1_mib { timeout_s: 90 },
    R26_random_headers { timeout_s: 150 },
    R27_write_pointer_jumps { timeout_s: 150 },
    R28_bad_check_word_between_good_messages { timeout_s: 90 },
    K18_bad_check_words_do_not_hold_the_interrupt { timeout_s: 90, kernels: &["trixie-backports", "forky"] },
    R29_flood_of_a_port_nobody_reads { timeout_s: 90 },
    R30_lost_interrupts { timeout_s: 90 },
    R30_spurious_interrupts { timeout_s: 90 },
    R31_no_mailbox_slot,
    R31_ignored_doorbells { timeout_s: 90 },
    R31_bad_mailbox_slot,
    R33_card_stops_reading { timeout_s: 120 },
    R32_no_long_times_without_interrupts { timeout_s: 90 },
    R43_quiet_log,
];

/// Echoes go through again, after a time that a recovery may take.
fn recovers(what: &str) -> Result<()> {
    let mut last = None;
    kernel::until(&format!("the card to work after: {what}"), BOOT, || {
        // A card that had to be reset has new sessions only.
        let result = canary(0);
        let good = result.is_ok();
        last = result.err();
        Ok(good)
    })
    .with_context(|| format!("{:?}", last.map(|e| format!("{e:#}"))))
}

/// One call, which may get lost with the fault, but ends.
fn one_call() -> Result<()> {
    let mut client = Client::new(0)?;
    let (_, frame) = client.echo_frame(b"perhaps");
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        timeout_ns: kernel::now_ns() + 1_500_000_000,
        ..Default::default()
    };
    let step = client.call_step(&frame, 0, 4096);
    let job = client.card.submit_with(&mut submit, &[step])?;
    client.wait(job, 1, Duration::from_secs(30)).map(drop)
}

/// Calls until the next message of the card has gone wrong in this way.
fn with_fault(context: &mut Context, switch: &str, value: Value) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    context.host.switch(0, switch, value)?;
    let (_, frame) = client.echo_frame(b"perhaps");
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        timeout_ns: kernel::now_ns() + 1_500_000_000,
        ..Default::default()
    };
    let step = client.call_step(&frame, 0, 4096);
    if let Ok(job) = client.card.submit_with(&mut submit, &[step]) {
        client.wait(job, 1, Duration::from_secs(30))?;
    }
    context.host.clear(0)
}

/// Each word of a header with impossible values: counted, never followed.
fn R26_header_fields(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    // Who sent it and to whom is not looked at (R02).
    for (field, value, harmless) in [
        ("destination", 77_u64, true),
        ("sender", 200, true),
        ("reserved", 0xffff_ffff, true),
        ("port", 128, false),
        ("port", 0xffff_ffff, false),
        ("port", 5, false),
        ("length", 0, false),
        ("length", 0x6_0000, false),
        ("length", 0xffff_ffff, false),
        ("length", 0x7fff_ffe0, false),
        ("check", 0, false),
        ("check", 0xffff_ffff, false),
    ] {
        let what = format!("{field} {value:#x}");
        let before = card.counters()?;
        with_fault(
            context,
            "header.field",
            json!({"field": field, "value": value}),
        )
        .context(what.clone())?;
        let after = card.counters()?;
        let noticed =
            |c: &ax650_counters| c.bad_messages + c.ring_corrupt + c.dropped_no_port + c.resets;
        if harmless {
            ensure!(noticed(&after) == noticed(&before), "{what}: {after:?}");
        } else {
            ensure!(noticed(&after) > noticed(&before), "{what}: not counted");
        }
        recovers(&what)?;
    }
    Ok(())
}

/// Axera's driver never came out of this.
fn R26_one_header_that_announces_1_mib(context: &mut Context) -> Result<()> {
    let before = Card::open(0)?.counters()?;
    with_fault(context, "header.length", json!(1 << 20))?;
    recovers("1 MiB announced")?;
    let after = Card::open(0)?.counters()?;
    ensure!(after.bad_messages + after.ring_corrupt > before.bad_messages + before.ring_corrupt);
    Ok(())
}

/// Headers of random words.
fn R26_random_headers(context: &mut Context) -> Result<()> {
    for round in 0..40_u64 {
        let hex = |bytes: &[u8]| {
            let digits = bytes.iter().map(|b| format!("{b:02x}"));
            digits.collect::<Vec<_>>().concat()
        };
        let header = hex(&pattern(24, round + 1));
        let payload = hex(&pattern(32, round + 1000));
        // The rings may be away for a reset that an earlier one has caused.
        let request = json!({"to": "card0", "cmd": "inject", "what": "header", "header": header, "payload": payload});
        context.host.try_request(request)?;
        if round % 8 == 7 {
            recovers("random headers")?;
        }
    }
    recovers("random headers")
}

/// The card's write pointer goes where nothing was written.
fn R27_write_pointer_jumps(context: &mut Context) -> Result<()> {
    for bytes in [64_u64, 33, 1, 0x10_0000, 0x1000_0000, 0x8000_0000_0000] {
        let what = format!("a jump of {bytes:#x}");
        let before = Card::open(0)?.counters()?;
        let request = json!({"to": "card0", "cmd": "inject", "what": "wp-jump", "bytes": bytes});
        let answer = context.host.try_request(request)?;
        ensure!(answer["ok"] == true, "{what}: {answer}");
        kernel::until(&what, Duration::from_secs(10), || {
            let after = Card::open(0)?.counters()?;
            Ok(after.ring_corrupt + after.bad_messages + after.resets
                > before.ring_corrupt + before.bad_messages + before.resets)
        })?;
        recovers(&what)?;
    }
    // Again and again: a card that goes on like this is reset, and is right afterwards.
    for _ in 0..30 {
        context.host.try_request(
            json!({"to": "card0", "cmd": "inject", "what": "wp-jump", "bytes": 1_u64 << 40}),
        )?;
    }
    recovers("many jumps")
}

/// The message with the bad word is lost; those before and after it are not.
fn R28_bad_check_word_between_good_messages(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    for round in 0..5 {
        client.echo(b"good")?;
        context.host.switch(0, "header.bad_check", 1)?;
        let (_, lost) = client.echo_frame(b"lost");
        let (header, good) = client.echo_frame(b"not lost");
        let mut submit = ax650_submit {
            session: client.session.session,
            eventfd: -1,
            timeout_ns: kernel::now_ns() + 2_000_000_000,
            ..Default::default()
        };
        let step = client.call_step(&lost, 0, 4096);
        let first = client.card.submit_with(&mut submit, &[step])?;
        let second = client.submit(&[client.call_step(&good, 4096, 4096)])?;
        let results = client
            .finish(second, 1)
            .with_context(|| format!("round {round}"))?;
        ensure!(client.echo_answer(&header, 4096, results[0].bytes)? == b"not lost");
        let (wait, _) = client.wait(first, 1, Duration::from_secs(20))?;
        ensure!(wait.status == -libc::ETIME, "{wait:?}");
        context.host.clear(0)?;
    }
    client.works()
}

/// A ring full of bad headers costs no more than to look at each once: to wait for each would take 3 s, in the
/// interrupt's thread.
fn K18_bad_check_words_do_not_hold_the_interrupt(context: &mut Context) -> Result<()> {
    /// How far it is from a header of zeros to the next.
    const STEP: u64 = 64;
    let text = kernel::read("/sys/kernel/debug/ax650-0/transport")?;
    let size = text
        .lines()
        .find_map(|line| line.strip_prefix("receive_ring_bytes "))
        .context("no size")?
        .parse::<u64>()?;
    let headers = (size - 4096) / STEP;
    let mut times = Vec::new();
    for _ in 0..8 {
        // There is nothing in the ring of a card that was just booted.
        let card = Card::open(0)?;
        let generation = card.info()?.generation;
        card.control(AX650_CONTROL_BOOT, 0)?;
        kernel::until("the boot", BOOT, || {
            let info = card.info()?;
            Ok(info.state == AX650_STATE_RUNNING && info.generation > generation)
        })?;
        let generation = card.info()?.generation;
        let before = card.counters()?.bad_messages;
        let request =
            json!({"to": "card0", "cmd": "inject", "what": "wp-jump", "bytes": headers * STEP});
        let answer = context.host.try_request(request)?;
        ensure!(answer["ok"] == true, "{answer}");
        let begin = Instant::now();
        let mut is_reset = false;
        kernel::until("bad headers", Duration::from_secs(30), || {
            // The driver may have enough of such a card before it has looked at all of them.
            is_reset = card.info()?.generation > generation;
            Ok(is_reset || card.counters()?.bad_messages - before > headers * 9 / 10)
        })?;
        if !is_reset {
            times.push(begin.elapsed());
        }
        recovers("a ring of bad headers")?;
        if times.len() == 3 {
            break;
        }
    }
    let best = times.iter().min().context("reset each time")?;
    eprintln!("{headers} headers in {best:?}");
    // A header is read again for 90 us.
    let waited = Duration::from_micros(90) * headers as u32;
    ensure!(*best < waited / 2, "{best:?}");
    Ok(())
}

/// Messages for ports that nobody has, and for the driver's own: dropped, counted, no memory kept.
fn R29_flood_of_a_port_nobody_reads(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let before = client.card.counters()?;
    let payload = "ab".repeat(900);
    for round in 0..600_u32 {
        let port = [0, 9, 12, 100, 127, 10, 11][round as usize % 7];
        context.host.card(
            0,
            "inject",
            json!({"what": "message", "port": port, "payload": payload}),
        )?;
        if round % 100 == 0 {
            client.works().with_context(|| format!("round {round}"))?;
        }
    }
    client.works()?;
    let after = client.card.counters()?;
    let dropped =
        after.dropped_no_port + after.dropped_overflow + after.bad_messages + after.late_replies
            - before.dropped_no_port
            - before.dropped_overflow
            - before.bad_messages
            - before.late_replies;
    ensure!(dropped >= 400, "{dropped} of 600 counted");
    ensure!(after.resets == before.resets);
    Ok(())
}

/// Every third interrupt is lost, then all of them.
fn R30_lost_interrupts(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let before = client.card.counters()?;
    context.host.switch(0, "msi.lose", 3)?;
    for round in 0..60 {
        client.echo(&pattern(100, round))?;
    }
    client.round_trip(3 << 20, 1)?;
    context.host.switch(0, "msi.lose", true)?;
    let begin = Instant::now();
    for round in 0..10 {
        client.echo(&pattern(100, round))?;
    }
    let took = begin.elapsed();
    ensure!(
        took < Duration::from_secs(10) * runner::slowness(),
        "10 echoes in {took:?}"
    );
    client.round_trip(1 << 20, 2)?;
    let after = client.card.counters()?;
    ensure!(
        after.interrupts_recovered > before.interrupts_recovered,
        "{after:?}"
    );
    context.host.clear(0)?;
    client.works()
}

/// More interrupts than messages, and fewer.
fn R30_spurious_interrupts(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    for (switch, value) in [
        ("msi.duplicate", json!(true)),
        ("msi.storm", json!(1000)),
        ("msi.coalesce_ms", json!(20)),
    ] {
        context.host.switch(0, switch, value)?;
        for round in 0..20 {
            client.echo(&pattern(100, round)).context(switch)?;
        }
        client.round_trip(1 << 20, 1).context(switch)?;
        context.host.clear(0)?;
    }
    for vector in 0..4 {
        context
            .host
            .card(0, "inject", json!({"what": "msi", "vector": vector}))?;
    }
    client.works()
}

/// For five seconds no slot is to be had: the calls wait, and go through when there is one.
fn R31_no_mailbox_slot(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let before = client.card.counters()?;
    context.host.switch(0, "mailbox.empty", true)?;
    let jobs = (0..5)
        .map(|at| {
            let (_, frame) = client.echo_frame(b"patience");
            Ok(client.submit(&[client.call_step(&frame, at * 4096, 4096)])?)
        })
        .collect::<Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_secs(5));
    let after = client.card.counters()?;
    ensure!(after.doorbell_busy > before.doorbell_busy);
    ensure!(after.resets == before.resets, "reset for want of a slot");
    context.host.clear(0)?;
    for job in jobs {
        client.finish(job, 1)?;
    }
    client.works()
}

/// Twenty lost doorbells in one session, then some more: the ninth is not the end.
fn R31_ignored_doorbells(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let before = client.card.counters()?;
    for count in [20, 9, 1, 3] {
        context.host.switch(0, "doorbell.ignore", count)?;
        for round in 0..6 {
            client
                .echo(&pattern(50, round))
                .with_context(|| format!("{count} ignored"))?;
        }
    }
    // One by one: each loss is made good without a trace.
    for round in 0..24 {
        context.host.switch(0, "doorbell.ignore", 1)?;
        client
            .echo(&pattern(50, round))
            .with_context(|| format!("single loss {round}"))?;
    }
    let after = client.card.counters()?;
    ensure!(
        after.doorbells_recovered >= before.doorbells_recovered + 20,
        "{after:?}"
    );
    ensure!(after.resets == before.resets);
    client.works()
}

/// A slot number that is none is not used.
fn R31_bad_mailbox_slot(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    for slot in [64_u64, 100, 0x7fff_ffff, 0xffff_fffe] {
        context.host.switch(0, "mailbox.bad_slot", slot)?;
        let (_, frame) = client.echo_frame(b"patience");
        let job = client.submit(&[client.call_step(&frame, 0, 4096)])?;
        std::thread::sleep(Duration::from_millis(500));
        context.host.clear(0)?;
        client
            .finish(job, 1)
            .with_context(|| format!("slot {slot:#x}"))?;
    }
    client.works()
}

/// The ring fills up: senders wait, their jobs end in time, and all is well when it empties.
fn R33_card_stops_reading(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let fillers = super::sessions::fill_ring(context)?;
    let before = client.card.counters()?;
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        timeout_ns: kernel::now_ns() + 6_000_000_000 * u64::from(runner::slowness()),
        ..Default::default()
    };
    let mut jobs = Vec::new();
    // What the ring has no room for.
    for _ in 0..20 {
        let frames: Vec<Vec<u8>> = (0..128).map(|_| client.echo_frame(&[3; 850]).1).collect();
        let steps: Vec<ax650_step> = frames
            .iter()
            .map(|frame| ax650_step {
                flags: AX650_STEP_PIPELINED,
                reply_buffer: 0,
                reply_offset: 0,
                reply_capacity: 0,
                ..client.call_step(frame, 0, 0)
            })
            .collect();
        let begin = Instant::now();
        jobs.push(client.card.submit_with(&mut submit, &steps)?);
        let took = begin.elapsed();
        ensure!(
            took < Duration::from_secs(1) * runner::slowness(),
            "SUBMIT took {took:?}"
        );
    }
    let after = client.card.counters()?;
    ensure!(after.ring_full > before.ring_full, "the ring was not full");
    for job in jobs {
        let (wait, _) = client.wait(job, 128, Duration::from_secs(60))?;
        ensure!(wait.status != 0, "a job ended well");
    }
    drop(fillers);
    context.host.clear(0)?;
    recovers("a stuck ring")
}

/// The longest times for which a thread with real-time priority does not get a CPU while much is
/// sent: no copying with interrupts off.  The shortest of ten, since a busy host takes its CPUs away
/// for a while as well, but not every time.
fn R32_no_long_times_without_interrupts(_: &mut Context) -> Result<()> {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    const ROUNDS: usize = 10;
    let stop = AtomicBool::new(false);
    let longest_us = AtomicU64::new(0);
    let mut gaps = std::thread::scope(|scope| -> Result<Vec<u64>> {
        scope.spawn(|| {
            let priority = libc::sched_param { sched_priority: 50 };
            // SAFETY: a valid structure; it concerns this thread only.
            unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &priority) };
            while !stop.load(Ordering::Relaxed) {
                let begin = Instant::now();
                std::thread::sleep(Duration::from_millis(1));
                longest_us.fetch_max(begin.elapsed().as_micros() as u64, Ordering::Relaxed);
            }
        });
        let work = || -> Result<Vec<u64>> {
            let mut client = Client::new(0)?;
            let mut gaps = Vec::new();
            for round in 0..ROUNDS as u64 {
                longest_us.store(0, Ordering::Relaxed);
                client.round_trip(8 << 20, round)?;
                client.echo(&pattern(60_000, round))?;
                gaps.push(longest_us.load(Ordering::Relaxed));
            }
            Ok(gaps)
        };
        let result = work();
        stop.store(true, Ordering::Relaxed);
        result
    })?;
    gaps.sort_unstable();
    eprintln!("longest times without a CPU {gaps:?} us");
    let limit = Duration::from_millis(100) * runner::slowness();
    ensure!(Duration::from_micros(gaps[0]) < limit, "{gaps:?} us");
    Ok(())
}

/// Work in order leaves no trace in the log, and the log never shows a pointer.
fn R43_quiet_log(_: &mut Context) -> Result<()> {
    let mark = kernel::mark()?;
    for _ in 0..10 {
        canary(0)?;
    }
    one_call()?;
    let lines: Vec<String> = mark
        .lines()?
        .into_iter()
        .filter(|line| line.contains("ax650 "))
        .collect();
    ensure!(lines.is_empty(), "{lines:?}");
    let pointer = |line: &String| {
        line.contains("ax650 ") && (line.contains("ffff8") || line.contains("ffffffff8"))
    };
    let pointers: Vec<String> = kernel::dmesg()?.into_iter().filter(pointer).collect();
    ensure!(pointers.is_empty(), "{pointers:?}");
    Ok(())
}
