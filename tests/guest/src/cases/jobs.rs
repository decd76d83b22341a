// SPDX-License-Identifier: MIT OR Apache-2.0

//! Jobs: order, results, times, limits, and who may send what.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650::proto::axclrpc::{memory, system};
use ax650::{Header, Kind};
use ax650_uapi::*;

use crate::card::Card;
use crate::case::Context;
use crate::client::{pattern, Client, PATIENCE};
use crate::errors::{errno, expect};
use crate::{frame, kernel, process};

crate::cases!["jobs":
    steps_run_in_order,
    later_steps_are_not_begun_after_a_failure,
    eventfd_and_poll_tell_the_end,
    wait_for_any_job_oldest_first,
    wait_forgets_the_job,
    timeouts_are_absolute,
    stage_times_are_in_order,
    answers_that_do_not_fit,
    long_frames_both_ways,
    copies_of_all_sizes { timeout_s: 120 },
    copies_on_several_streams,
    limits_are_enforced,
    sequence_numbers_must_differ,
    P20_frames_that_nobody_may_send,
    P20_frames_that_users_may_not_send,
    telemetry_is_for_everybody,
];

/// Two patterns to the same place, the later one stays.
fn steps_run_in_order(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    const SIZE: usize = 300_000;
    let address = client.malloc(SIZE as u32)?;
    let (one, two, back) = (
        client.buffer(SIZE)?,
        client.buffer(SIZE)?,
        client.buffer(SIZE)?,
    );
    one.map.write(0, &pattern(SIZE, 1));
    two.map.write(0, &pattern(SIZE, 2));
    for pipelined in [0, AX650_STEP_PIPELINED] {
        for _ in 0..10 {
            let mut steps = [
                client.copy_step(AX650_STEP_COPY_TO_CARD, &one, 0, address, SIZE),
                client.copy_step(AX650_STEP_COPY_TO_CARD, &two, 0, address, SIZE),
                client.copy_step(AX650_STEP_COPY_FROM_CARD, &back, 0, address, SIZE),
            ];
            for step in &mut steps[1..] {
                step.flags = pipelined;
            }
            back.map.write(0, &vec![0; SIZE]);
            client.run(&steps)?;
            ensure!(
                back.map.read(0, SIZE) == pattern(SIZE, 2),
                "pipelined {pipelined}"
            );
        }
    }
    Ok(())
}

/// The first error is the job's, and what comes behind it is not begun.
fn later_steps_are_not_begun_after_a_failure(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let (_, one) = client.echo_frame(&[1; 3000]);
    let (_, two) = client.echo_frame(b"two");
    // The answer of the first does not fit.
    let steps = [
        client.call_step(&one, 0, 100),
        client.call_step(&two, 0, 4096),
    ];
    let job = client.submit(&steps)?;
    let (wait, results) = client.wait(job, 2, PATIENCE)?;
    ensure!(wait.status == -libc::EMSGSIZE, "{wait:?}");
    ensure!(results[0].status == -libc::EMSGSIZE, "{results:?}");
    ensure!(
        results[1].status == -libc::ECANCELED && results[1].sent_ns == 0,
        "{results:?}"
    );
    client.works()
}

fn eventfd() -> Result<OwnedFd> {
    // SAFETY: plain system call.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    ensure!(fd >= 0, "eventfd: {}", io::Error::last_os_error());
    // SAFETY: a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Both ways of learning the end of a job without waiting in the driver.
fn eventfd_and_poll_tell_the_end(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let event = eventfd()?;
    for round in 0..20 {
        ensure!(kernel::poll(client.card.fd(), libc::POLLIN, Duration::from_millis(1))? == 0);
        let (header, frame) = client.echo_frame(&[round; 9]);
        let step = client.call_step(&frame, 0, 4096);
        let mut submit = ax650_submit {
            session: client.session.session,
            eventfd: event.as_raw_fd(),
            user_data: 0x1234_5678_9abc_def0 + u64::from(round),
            ..Default::default()
        };
        let job = client.card.submit_with(&mut submit, &[step])?;
        let events = kernel::poll(event.as_raw_fd(), libc::POLLIN, PATIENCE)?;
        ensure!(events == libc::POLLIN, "eventfd: {events:#x}");
        let mut count = [0_u8; 8];
        // SAFETY: eight bytes of room.
        let n = unsafe { libc::read(event.as_raw_fd(), count.as_mut_ptr().cast(), 8) };
        ensure!(n == 8 && u64::from_ne_bytes(count) == 1, "{count:?}");
        // R42: only bits that poll knows, and not those nobody asked for.
        let events = kernel::poll(client.card.fd(), libc::POLLIN | libc::POLLRDNORM, PATIENCE)?;
        ensure!(
            events == libc::POLLIN | libc::POLLRDNORM,
            "poll: {events:#x}"
        );
        let (wait, results) = client.card.wait(job, 0, 1)?;
        ensure!(
            wait.user_data == submit.user_data && wait.status == 0,
            "{wait:?}"
        );
        ensure!(client.echo_answer(&header, 0, results[0].bytes)? == [round; 9]);
    }
    let mut bad = ax650_submit {
        session: client.session.session,
        eventfd: 0,
        ..Default::default()
    };
    let (_, frame) = client.echo_frame(b"x");
    let step = client.call_step(&frame, 0, 4096);
    // Descriptor 0 is no eventfd, 1000 is none at all.
    ensure!(errno(client.card.submit_with(&mut bad, &[step])) != 0);
    bad.eventfd = 1000;
    expect(
        libc::EBADF,
        client.card.submit_with(&mut bad, &[step]),
        || "eventfd 1000".into(),
    )
}

/// Job 0 stands for any.
fn wait_for_any_job_oldest_first(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    expect(libc::ENOENT, client.card.wait(0, 0, 0), || "no job".into())?;
    let mut jobs = Vec::new();
    for at in 0..5_usize {
        let (_, frame) = client.echo_frame(&[at as u8; 5]);
        jobs.push(client.submit(&[client.call_step(&frame, at * 4096, 4096)])?);
    }
    ensure!(jobs.windows(2).all(|pair| pair[0] < pair[1]), "{jobs:?}");
    for job in jobs {
        let (wait, _) = client.wait(0, 1, PATIENCE)?;
        ensure!(wait.job == job && wait.status == 0, "{wait:?}, not {job}");
    }
    Ok(())
}

/// A result is given once.
fn wait_forgets_the_job(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let (_, frame) = client.echo_frame(b"once");
    let job = client.submit(&[client.call_step(&frame, 0, 4096)])?;
    client.finish(job, 1)?;
    expect(libc::ENOENT, client.card.wait(job, 0, 1), || {
        "a second time".into()
    })
}

/// Of jobs and of waits.
fn timeouts_are_absolute(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    context.host.switch(0, "rpc.drop", true)?;
    let (_, frame) = client.echo_frame(b"never answered");
    let step = client.call_step(&frame, 0, 4096);
    let begin = Instant::now();
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        timeout_ns: kernel::now_ns() + 1_000_000_000,
        ..Default::default()
    };
    let job = client.card.submit_with(&mut submit, &[step])?;
    expect(libc::EAGAIN, client.card.wait(job, 0, 1), || {
        "no waiting".into()
    })?;
    let until = kernel::now_ns() + 200_000_000;
    expect(libc::ETIME, client.card.wait(job, until, 1), || {
        "short wait".into()
    })?;
    ensure!(begin.elapsed() >= Duration::from_millis(200));
    let (wait, results) = client.wait(job, 1, PATIENCE)?;
    let took = begin.elapsed();
    ensure!(wait.status == -libc::ETIME, "{wait:?}, {results:?}");
    ensure!(took >= Duration::from_secs(1), "{took:?}");
    ensure!(
        took < Duration::from_secs(3) * crate::runner::slowness(),
        "{took:?}"
    );
    // A time that has passed.
    submit.timeout_ns = 1;
    let (_, frame) = client.echo_frame(b"too late");
    let job = client
        .card
        .submit_with(&mut submit, &[client.call_step(&frame, 0, 4096)])?;
    let (wait, _) = client.wait(job, 1, PATIENCE)?;
    ensure!(wait.status == -libc::ETIME, "{wait:?}");
    context.host.clear(0)?;
    client.works()
}

/// Queued, sent, done, woken.
fn stage_times_are_in_order(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let address = client.malloc(1 << 20)?;
    let buffer = client.buffer(1 << 20)?;
    let (_, frame) = client.echo_frame(b"x");
    let before = kernel::now_ns();
    let steps = [
        client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, 1 << 20),
        client.call_step(&frame, 0, 4096),
        client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, 1 << 20),
    ];
    let job = client.submit(&steps)?;
    let (wait, results) = client.wait(job, 3, PATIENCE)?;
    let mut times = vec![before, wait.queued_ns];
    for result in &results {
        ensure!(result.flags == 0 && result.status == 0, "{result:?}");
        times.extend([result.sent_ns, result.done_ns]);
    }
    times.extend([wait.done_ns, wait.woken_ns, kernel::now_ns()]);
    ensure!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
    Ok(())
}

/// An answer longer than its room is cut, nothing is written behind the room, and the step says so.
fn answers_that_do_not_fit(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    for (size, room) in [
        (100, 40),
        (900, 300),
        (5000, 1000),
        (5000, 4000),
        (60_000, 28),
    ] {
        client.reply.map.write(0, &vec![0x5a; client.reply.size]);
        let (header, frame) = client.echo_frame(&pattern(size, 9));
        let job = client.submit(&[client.call_step(&frame, 64, room)])?;
        let (wait, results) = client.wait(job, 1, PATIENCE)?;
        ensure!(wait.status == -libc::EMSGSIZE, "{size} in {room}: {wait:?}");
        ensure!(
            results[0].bytes as usize > size,
            "{:?}: the true length",
            results[0]
        );
        let all = client.reply.map.read(0, client.reply.size);
        ensure!(
            all[..64].iter().all(|&b| b == 0x5a),
            "written before the room"
        );
        ensure!(
            all[64 + room..].iter().all(|&b| b == 0x5a),
            "written behind the room"
        );
        ensure!(
            all[64..64 + 4] == header.to_bytes()[..4],
            "no beginning of the answer"
        );
    }
    client.works()
}

/// Frames above 1024 bytes go by DMA.
fn long_frames_both_ways(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    for size in [900, 940, 980, 1000, 1024, 1100, 4000, 4096, 30_000] {
        client.echo(&pattern(size, size as u64))?;
    }
    let big = client.buffer(2 << 20)?;
    for size in [100_000, 256 << 10, 1 << 20] {
        let data = pattern(size, 3);
        let (header, frame) = client.echo_frame(&data);
        let mut step = client.call_step(&frame, 0, big.size);
        step.reply_buffer = big.handle;
        let results = client.run(&[step])?;
        let answer = frame::answer(&header, &big.map.read(0, results[0].bytes as usize))?;
        let back = frame::echoed(answer)?;
        ensure!(back == data, "{size} bytes came back changed");
    }
    // More at once than the session has room for in one place.
    const PLACE: usize = 20_000;
    let frames: Vec<_> = (0..24)
        .map(|number| {
            let data = pattern(16_000 - number, number as u64);
            (client.echo_frame(&data), data)
        })
        .collect();
    let steps: Vec<ax650_step> = frames
        .iter()
        .enumerate()
        .map(|(number, ((_, frame), _))| ax650_step {
            reply_buffer: big.handle,
            ..client.call_step(frame, number * PLACE, PLACE)
        })
        .collect();
    let results = client.run(&steps)?;
    for (number, ((header, _), data)) in frames.iter().enumerate() {
        let bytes = results[number].bytes as usize;
        let answer = frame::answer(header, &big.map.read(number * PLACE, bytes))?;
        ensure!(
            &frame::echoed(answer)? == data,
            "frame {number} came back changed"
        );
    }
    Ok(())
}

/// Odd sizes and offsets, more than one window, more pieces than a list can name.
fn copies_of_all_sizes(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    const ROOM: usize = 20 << 20;
    let address = client.malloc(ROOM as u32)?;
    let (out, back) = (client.buffer(ROOM)?, client.buffer(ROOM)?);
    let sizes = [
        1,
        2,
        31,
        4095,
        4096,
        4097,
        65_535,
        65_537,
        1 << 20,
        (4 << 20) - 1,
        4 << 20,
        (4 << 20) + 1,
        9_999_999,
    ];
    for (round, size) in sizes.into_iter().enumerate() {
        let (from, to) = (round * 61 + 3, round * 1013 + 7);
        let data = pattern(size, round as u64 + 1);
        out.map.write(from, &data);
        back.map.write(0, &vec![0xcc; to + size + 100]);
        let place = address + round as u64 * 4096 + round as u64;
        let steps = [
            client.copy_step(AX650_STEP_COPY_TO_CARD, &out, from, place, size),
            client.copy_step(AX650_STEP_COPY_FROM_CARD, &back, to, place, size),
        ];
        let results = client
            .run(&steps)
            .with_context(|| format!("{size} bytes"))?;
        ensure!(
            results.iter().all(|r| r.bytes == size as u64),
            "{size}: {results:?}"
        );
        ensure!(
            back.map.read(to, size) == data,
            "{size} bytes came back changed"
        );
        ensure!(
            back.map.read(0, to).iter().all(|&b| b == 0xcc),
            "{size}: written before"
        );
        ensure!(
            back.map.read(to + size, 100).iter().all(|&b| b == 0xcc),
            "{size}: written behind"
        );
    }
    Ok(())
}

/// Work of one stream does not mix with that of another.
fn copies_on_several_streams(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let streams = [2, 3, 4];
    for stream in streams {
        control(&mut client, system::Command::CreateStream, stream)?;
    }
    const SIZE: usize = 200_000;
    let address = client.malloc(3 * SIZE as u32)?;
    let buffer = client.buffer(6 * SIZE)?;
    let mut jobs = Vec::new();
    for (at, stream) in streams.into_iter().enumerate() {
        buffer.map.write(at * SIZE, &pattern(SIZE, at as u64));
        let place = address + (at * SIZE) as u64;
        let mut steps = [
            client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, at * SIZE, place, SIZE),
            client.copy_step(
                AX650_STEP_COPY_FROM_CARD,
                &buffer,
                (3 + at) * SIZE,
                place,
                SIZE,
            ),
        ];
        for step in &mut steps {
            step.stream = stream;
        }
        jobs.push(client.submit(&steps)?);
    }
    for job in jobs {
        client.finish(job, 2)?;
    }
    ensure!(buffer.map.read(0, 3 * SIZE) == buffer.map.read(3 * SIZE, 3 * SIZE));
    for stream in streams {
        control(&mut client, system::Command::DestroyStream, stream)?;
    }
    client.works()
}

fn control(client: &mut Client, command: system::Command, stream: u32) -> Result<()> {
    let request = system::ControlRequest {
        cmd: command.into(),
        context: Some(client.session.context),
        stream: Some(stream),
        ..Default::default()
    };
    client
        .call(Kind::CONTROL, command as u32, frame::control(request))
        .map(drop)
}

/// So many jobs and no more; then they go again.
fn limits_are_enforced(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let limits = client.card.limits()?;
    context.host.switch(0, "rpc.drop", true)?;
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        timeout_ns: kernel::now_ns() + 8_000_000_000 * u64::from(crate::runner::slowness()),
        ..Default::default()
    };
    let mut jobs = Vec::new();
    let refused = loop {
        let (_, frame) = client.echo_frame(b"x");
        let step = client.call_step(&frame, 0, 4096);
        match client.card.submit_with(&mut submit, &[step]) {
            Ok(job) => jobs.push(job),
            Err(e) => break e,
        }
        ensure!(
            jobs.len() <= limits.max_jobs_per_session as usize,
            "more than the limit"
        );
    };
    ensure!(refused.raw_os_error() == Some(libc::EAGAIN), "{refused}");
    ensure!(
        jobs.len() == limits.max_jobs_per_session as usize,
        "{} jobs",
        jobs.len()
    );
    context.host.clear(0)?;
    for job in jobs {
        client.wait(job, 1, PATIENCE)?;
    }
    client.works()
}

/// Two calls of one name at a time could not be told apart.
fn sequence_numbers_must_differ(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    context.host.switch(0, "rpc.delay_ms", 500)?;
    let (_, frame) = client.echo_frame(b"first");
    let step = client.call_step(&frame, 0, 4096);
    let job = client.submit(&[step])?;
    expect(libc::EEXIST, client.submit(&[step]), || {
        "the same again".into()
    })?;
    client.finish(job, 1)?;
    context.host.clear(0)?;
    client.works()
}

fn send(client: &Client, frame: &[u8]) -> io::Result<u64> {
    client.submit(&[client.call_step(frame, 0, 4096)])
}

/// Frames with host addresses, or that run code on the card: not even root sends them.
fn P20_frames_that_nobody_may_send(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let address = client.malloc(4096)?;
    for api in [memory::Api::Write, memory::Api::Read] {
        for kind in 0..4 {
            let body = memory::RequestBody {
                addr: address,
                size: Some(4096),
                from: Some(0x1000_0000),
                kind: Some(kind),
                phy: Some(0x1000_0000),
                noresp: Some(0),
                ..Default::default()
            };
            let header = client.header(frame::kind_of_memory(api), 0);
            let bytes = frame::request(header, frame::memory(api, body));
            expect(libc::EPERM, send(&client, &bytes), || {
                format!("{api:?}, kind {kind}")
            })?;
        }
    }
    // Copy records, card to card, user programs, unknown services: the type alone is enough.
    for kind in [
        0x4105_0100,
        0x4106_0100,
        0x0000_0300,
        0x0003_0300,
        0x0000_0400,
        0x0005_0400,
        0x0000_0500,
        0x0000_0002,
        0x1234_5678,
    ] {
        let header = client.header(Kind(kind), 0);
        let bytes = frame::request(header, frame::echo(b"x"));
        expect(libc::EPERM, send(&client, &bytes), || {
            format!("type {kind:#x}")
        })?;
    }
    // What the header says and what the message says must be the same.
    let free = memory::RequestBody {
        addr: address,
        ..Default::default()
    };
    let header = client.header(Kind::memory(memory::Api::Flush.into()), 0);
    let bytes = frame::request(header, frame::memory(memory::Api::Free, free));
    ensure!(
        errno(send(&client, &bytes)) != 0,
        "flush outside, free inside"
    );
    client.works()
}

fn shell_frame(client: &mut Client, line: &str) -> (Header, Vec<u8>) {
    let shell = system::ShellRequest {
        cmd: line.into(),
        args: Vec::new(),
    };
    let request = system::ControlRequest {
        cmd: system::Command::Shell.into(),
        shell: Some(shell),
        ..Default::default()
    };
    let header = client.header(Kind::CONTROL, system::Command::Shell as u32);
    (header, frame::request(header, frame::control(request)))
}

/// The card runs command lines as root: users may only ask the known questions.
fn P20_frames_that_users_may_not_send(_: &mut Context) -> Result<()> {
    const ASKED: &str = "cat /proc/ax_proc/version";
    let child = process::fork(|| {
        let card = Card::open(0)?;
        process::become_user(1000)?;
        let mut client = Client::on(card)?;
        for line in [
            "reboot",
            "cat /etc/shadow",
            "cat /proc/ax_proc/version; reboot",
            "cat /proc/ax_proc/../../etc/shadow",
            "",
            "cat /proc/ax_proc/version\0",
        ] {
            let (_, frame) = shell_frame(&mut client, line);
            let error = errno(send(&client, &frame));
            ensure!(
                error == libc::EPERM || error == libc::EINVAL,
                "'{line}': errno {error}"
            );
        }
        let (header, frame) = shell_frame(&mut client, ASKED);
        let results = client.run(&[client.call_step(&frame, 0, 4096)])?;
        let answer = client.reply.map.read(0, results[0].bytes as usize);
        frame::answer(&header, &answer)?;
        let request = system::ControlRequest {
            cmd: system::Command::SetupPcieSubId.into(),
            pcie_sub_id: Some(system::PcIeSubId {
                vendor_id: 1,
                device_id: 2,
            }),
            ..Default::default()
        };
        let header = client.header(Kind::CONTROL, system::Command::SetupPcieSubId as u32);
        let bytes = frame::request(header, frame::control(request));
        expect(libc::EPERM, send(&client, &bytes), || "subsystem id".into())?;
        expect(
            libc::EPERM,
            client.card.control(AX650_CONTROL_RESET, 0),
            || "reset".into(),
        )?;
        expect(
            libc::EPERM,
            client.card.control(AX650_CONTROL_BOOT, 0),
            || "boot".into(),
        )?;
        expect(libc::EPERM, client.card.control(77, 1), || {
            "anything".into()
        })?;
        client.works()
    })?;
    let end = child.wait(Duration::from_secs(40))?;
    ensure!(end == process::End::Exit(0), "{end:?}, see the console");
    // Root may.
    let mut client = Client::new(0)?;
    let (_, frame) = shell_frame(&mut client, "uname -a");
    client.run(&[client.call_step(&frame, 0, 4096)]).map(drop)
}

/// Temperature, memory and load without a session.
fn telemetry_is_for_everybody(_: &mut Context) -> Result<()> {
    let child = process::fork(|| {
        let card = Card::open(0)?;
        process::become_user(1000)?;
        let all = AX650_TELEMETRY_TEMPERATURE
            | AX650_TELEMETRY_CPU
            | AX650_TELEMETRY_NPU
            | AX650_TELEMETRY_MEMORY
            | AX650_TELEMETRY_CMM;
        let telemetry = card.telemetry()?;
        ensure!(telemetry.valid == all, "{telemetry:?}");
        ensure!(
            (1_000..120_000).contains(&telemetry.temperature_mc),
            "{telemetry:?}"
        );
        ensure!(
            telemetry.cpu_load <= 10_000 && telemetry.npu_load <= 10_000,
            "{telemetry:?}"
        );
        ensure!(
            telemetry.memory_free <= telemetry.memory_total,
            "{telemetry:?}"
        );
        ensure!(telemetry.cmm_total == 7040 << 20, "{telemetry:?}");
        ensure!(telemetry.cmm_used <= telemetry.cmm_total, "{telemetry:?}");
        Ok(())
    })?;
    let end = child.wait(Duration::from_secs(20))?;
    ensure!(end == process::End::Exit(0), "{end:?}, see the console");
    Ok(())
}
