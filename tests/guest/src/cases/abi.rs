// SPDX-License-Identifier: MIT OR Apache-2.0

//! The ioctl interface itself: sizes, reserved fields, bad pointers, handles, limits.

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use crate::card::Card;
use crate::case::Context;
use crate::client::Client;
use crate::errors::{errno, expect, expect_any};
use crate::guarded::Guarded;

crate::cases!["abi":
    R42_unknown_requests,
    reserved_fields_must_be_zero,
    structures_of_other_versions,
    structures_at_the_end_of_a_page,
    results_and_steps_at_the_end_of_a_page,
    bad_pointers,
    query_writes_no_more_than_asked,
    R03_handles_and_numbers,
    R41_sizes_are_bounded,
    R40_outputs_are_defined,
    limits_are_what_is_written,
];

/// Requests that the driver does not have.
fn R42_unknown_requests(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let mut page = [0_u8; 4096];
    let code =
        |dir: u64, ty: u64, number: u64, size: u64| (dir << 30) | (size << 16) | (ty << 8) | number;
    let ours = u64::from(AX650_IOC_TYPE);
    for number in 9..=255 {
        for dir in 0..4 {
            // SAFETY: all sizes are those of the page or less.
            let result = unsafe { card.raw(code(dir, ours, number, 64), page.as_mut_ptr()) };
            expect(libc::ENOTTY, result, || format!("number {number}"))?;
        }
    }
    for ty in [0, 0x41, 0x48, 0x4d, 0x50, 0x54, ours - 1, ours + 1, 0xff] {
        for number in 0..16 {
            // SAFETY: as above.
            let result = unsafe { card.raw(code(3, ty, number, 64), page.as_mut_ptr()) };
            expect(libc::ENOTTY, result, || {
                format!("type {ty:#x}, number {number}")
            })?;
        }
    }
    ensure!(page == [0; 4096], "a refused request has written");
    Ok(())
}

/// One field of one structure set to a value that it must not have.
fn refused<T: Plain>(
    card: &Card,
    code: u32,
    good: &T,
    change: impl FnOnce(&mut T),
) -> std::io::Result<i32> {
    let mut value = *good;
    change(&mut value);
    // SAFETY: the callers' structures name no memory that the kernel would write.
    unsafe { card.raw(code.into(), std::ptr::from_mut(&mut value).cast()) }
}

/// Reserved fields and unknown flag bits.
fn reserved_fields_must_be_zero(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let einval = |what: &str, result| expect(libc::EINVAL, result, || what.to_owned());
    let card = client.card.duplicate()?;

    let query = ax650_query {
        kind: AX650_QUERY_CARD,
        ..Default::default()
    };
    for bit in [0, 7, 31] {
        einval(
            "query flags",
            refused(&card, AX650_IOC_QUERY, &query, |q| q.flags = 1 << bit),
        )?;
        einval(
            "query reserved",
            refused(&card, AX650_IOC_QUERY, &query, |q| q.reserved = 1 << bit),
        )?;
    }
    einval(
        "query kind 0",
        refused(&card, AX650_IOC_QUERY, &query, |q| q.kind = 0),
    )?;
    einval(
        "query kind 6",
        refused(&card, AX650_IOC_QUERY, &query, |q| q.kind = 6),
    )?;

    let create = ax650_session_create::default();
    einval(
        "session flags",
        refused(&card, AX650_IOC_SESSION_CREATE, &create, |s| s.flags = 1),
    )?;
    einval(
        "log level",
        refused(&card, AX650_IOC_SESSION_CREATE, &create, |s| {
            s.log_level = 8
        }),
    )?;
    let destroy = ax650_session_destroy {
        session: client.session.session,
        flags: 1,
    };
    einval(
        "destroy flags",
        refused(&card, AX650_IOC_SESSION_DESTROY, &destroy, |_| ()),
    )?;

    let buffer = ax650_buffer_create {
        size: 4096,
        ..Default::default()
    };
    einval(
        "buffer flags",
        refused(&card, AX650_IOC_BUFFER_CREATE, &buffer, |b| {
            b.flags = 1 << 31
        }),
    )?;
    einval(
        "buffer size 0",
        refused(&card, AX650_IOC_BUFFER_CREATE, &buffer, |b| b.size = 0),
    )?;
    let destroy = ax650_buffer_destroy {
        handle: client.reply.handle,
        flags: 2,
    };
    einval(
        "destroy flags",
        refused(&card, AX650_IOC_BUFFER_DESTROY, &destroy, |_| ()),
    )?;

    let control = ax650_control {
        op: AX650_CONTROL_BOOT,
        ..Default::default()
    };
    einval(
        "control op 0",
        refused(&card, AX650_IOC_CONTROL, &control, |c| c.op = 0),
    )?;
    einval(
        "control op 3",
        refused(&card, AX650_IOC_CONTROL, &control, |c| c.op = 3),
    )?;
    einval(
        "control flags",
        refused(&card, AX650_IOC_CONTROL, &control, |c| c.flags = 2),
    )?;
    einval(
        "control reserved",
        refused(&card, AX650_IOC_CONTROL, &control, |c| c.reserved = 1),
    )?;

    let (_, frame) = client.echo_frame(b"x");
    let call = client.call_step(&frame, 0, 4096);
    let reply = &client.reply;
    let copy = ax650_step {
        op: AX650_STEP_COPY_TO_CARD,
        sequence: 1 << 40,
        context: client.session.context,
        stream: 1,
        card_address: 1 << 32,
        buffer: reply.handle,
        size: 16,
        ..Default::default()
    };
    let submit = |step: ax650_step, change: &dyn Fn(&mut ax650_submit)| {
        let mut submit = ax650_submit {
            session: client.session.session,
            eventfd: -1,
            steps: std::ptr::from_ref(&step) as u64,
            step_count: 1,
            step_size: size_of::<ax650_step>() as u32,
            ..Default::default()
        };
        change(&mut submit);
        // SAFETY: SUBMIT writes only its own structure.
        unsafe {
            card.raw(
                AX650_IOC_SUBMIT.into(),
                std::ptr::from_mut(&mut submit).cast(),
            )
        }
    };
    einval("submit flags", submit(call, &|s| s.flags = 1))?;
    einval("submit reserved", submit(call, &|s| s.reserved = 1))?;
    einval("no steps", submit(call, &|s| s.step_count = 0))?;
    einval("129 steps", submit(call, &|s| s.step_count = 129))?;
    einval("step size 0", submit(call, &|s| s.step_size = 0))?;
    let step = |what: &str, base: ax650_step, change: &dyn Fn(&mut ax650_step)| {
        let mut step = base;
        change(&mut step);
        einval(what, submit(step, &|_| ()))
    };
    step("op 0", call, &|s| s.op = 0)?;
    step("op 4", call, &|s| s.op = 4)?;
    step("step flags", call, &|s| s.flags = 4)?;
    step("step reserved", call, &|s| s.reserved = 1)?;
    step("call with a sequence", call, &|s| s.sequence = 5)?;
    step("call with a context", call, &|s| s.context = 1)?;
    step("call with a stream", call, &|s| s.stream = 1)?;
    step("call with a card address", call, &|s| {
        s.card_address = 1 << 32
    })?;
    step("call with a buffer", call, &|s| s.buffer = reply.handle)?;
    step("call with an offset", call, &|s| s.offset = 1)?;
    step("capacity without a buffer", call, &|s| s.reply_buffer = 0)?;
    step("answer to a call without one", call, &|s| {
        s.flags = AX650_STEP_NO_REPLY
    })?;
    step("copy with a reply buffer", copy, &|s| {
        s.reply_buffer = reply.handle
    })?;
    step("copy with a frame", copy, &|s| {
        s.frame = frame.as_ptr() as u64
    })?;
    step("copy with a reply offset", copy, &|s| s.reply_offset = 1)?;
    step("copy with a capacity", copy, &|s| s.reply_capacity = 1)?;
    step("copy without an answer", copy, &|s| {
        s.flags = AX650_STEP_NO_REPLY
    })?;
    step("copy of nothing", copy, &|s| s.size = 0)?;
    step("copy without a context", copy, &|s| s.context = 0)?;
    step("copy without a stream", copy, &|s| s.stream = 0)?;

    let job = client.submit(&[call])?;
    let wait = ax650_wait {
        job,
        ..Default::default()
    };
    for flags in [2, 1 << 31, AX650_WAIT_NO_POLL | 4, u32::MAX] {
        einval(
            "wait flags",
            refused(&card, AX650_IOC_WAIT, &wait, |w| w.flags = flags),
        )?;
    }
    client.finish(job, 1)?;
    client.works()
}

/// A caller that was built for an older or a newer interface.
fn structures_of_other_versions(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let limits = card.limits()?;
    let sized = |size: usize| u64::from(AX650_IOC_QUERY) & !(0x3fff << 16) | ((size as u64) << 16);
    let mut given = ax650_limits::default();
    let query = ax650_query {
        kind: AX650_QUERY_LIMITS,
        size: size_of::<ax650_limits>() as u32,
        data: std::ptr::from_mut(&mut given) as u64,
        ..Default::default()
    };

    // Older: without flags and reserved.  They are not written either.
    let mut short = [0xEE_u8; 24];
    short[..16].copy_from_slice(&query.as_bytes()[..16]);
    // SAFETY: `data` is `given`, of the size said.
    unsafe { card.raw(sized(16), short.as_mut_ptr()) }.context("16 bytes")?;
    ensure!(given == limits);
    ensure!(
        short[16..] == [0xEE; 8],
        "written behind a short structure: {short:x?}"
    );

    // Much older: nothing but a kind that does not exist.
    let mut tiny = 0_u32.to_ne_bytes();
    // SAFETY: a size of 4 bytes is what there is.
    let four = unsafe { card.raw(sized(4), tiny.as_mut_ptr()) };
    expect(libc::EINVAL, four, || "4 bytes".into())?;
    // SAFETY: a size of 0 means that nothing is read or written.
    let nothing = unsafe { card.raw(sized(0), std::ptr::null_mut()) };
    expect(libc::EINVAL, nothing, || "0 bytes".into())?;

    // Newer: the rest is 0 and comes back as it was, else the caller is told.
    for size in [32, 64, 1000, 4096] {
        let mut long = vec![0_u8; size];
        long[..24].copy_from_slice(query.as_bytes());
        given = ax650_limits::default();
        // SAFETY: `data` is `given`, of the size said.
        unsafe { card.raw(sized(size), long.as_mut_ptr()) }
            .with_context(|| format!("{size} bytes"))?;
        ensure!(given == limits);
        ensure!(
            long[24..].iter().all(|&b| b == 0),
            "written behind the known part"
        );
        for at in [24, size - 1] {
            let mut odd = vec![0_u8; size];
            odd[..24].copy_from_slice(query.as_bytes());
            odd[at] = 1;
            // SAFETY: as above.
            let result = unsafe { card.raw(sized(size), odd.as_mut_ptr()) };
            expect(libc::E2BIG, result, || {
                format!("{size} bytes with a byte at {at}")
            })?;
        }
    }
    Ok(())
}

/// Nothing is read or written behind a structure that ends where memory ends.
fn structures_at_the_end_of_a_page(_: &mut Context) -> Result<()> {
    let client = Client::new(0)?;
    let card = &client.card;
    fn put<T: Plain>(card: &Card, code: u32, value: T) -> Result<T> {
        let mut page = Guarded::new()?;
        page.put_at_end(value.as_bytes());
        let at = page.end_minus(size_of::<T>());
        // SAFETY: the structure is in `page`; the callers' ones name no memory.
        unsafe { card.raw(code.into(), at) }.with_context(|| T::NAME)?;
        let mut value = T::default();
        value
            .as_bytes_mut()
            .copy_from_slice(page.tail(size_of::<T>()));
        ensure!(
            page.before(size_of::<T>())
                .iter()
                .all(|&b| b == Guarded::FILL),
            "{}: written before",
            T::NAME
        );
        Ok(value)
    }
    put(
        card,
        AX650_IOC_QUERY,
        ax650_query {
            kind: AX650_QUERY_CARD,
            ..Default::default()
        },
    )?;
    let session = put(
        card,
        AX650_IOC_SESSION_CREATE,
        ax650_session_create::default(),
    )?;
    put(
        card,
        AX650_IOC_SESSION_DESTROY,
        ax650_session_destroy {
            session: session.session,
            flags: 0,
        },
    )?;
    let buffer = put(
        card,
        AX650_IOC_BUFFER_CREATE,
        ax650_buffer_create {
            size: 100,
            ..Default::default()
        },
    )?;
    put(
        card,
        AX650_IOC_BUFFER_DESTROY,
        ax650_buffer_destroy {
            handle: buffer.handle,
            flags: 0,
        },
    )?;
    let boot = ax650_control {
        op: AX650_CONTROL_BOOT,
        flags: AX650_CONTROL_IF_NEEDED,
        ..Default::default()
    };
    put(card, AX650_IOC_CONTROL, boot)?;
    Ok(())
}

/// The same for what structures point to.
fn results_and_steps_at_the_end_of_a_page(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let (_, first) = client.echo_frame(b"one");
    let (_, second) = client.echo_frame(b"two");
    let mut frames = [Guarded::new()?, Guarded::new()?];
    let mut steps = Guarded::new()?;
    let mut bytes = Vec::new();
    for (page, frame) in frames.iter_mut().zip([&first, &second]) {
        page.put_at_end(frame);
        let mut step = client.call_step(frame, 0, 4096);
        step.frame = page.end_minus(frame.len()) as u64;
        bytes.extend_from_slice(step.as_bytes());
    }
    steps.put_at_end(&bytes);
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        steps: steps.end_minus(bytes.len()) as u64,
        step_count: 2,
        step_size: size_of::<ax650_step>() as u32,
        ..Default::default()
    };
    // SAFETY: SUBMIT writes only its own structure.
    unsafe {
        client.card.raw(
            AX650_IOC_SUBMIT.into(),
            std::ptr::from_mut(&mut submit).cast(),
        )
    }?;

    // Older callers know shorter results, and may want only the first.
    for (count, size) in [(1, size_of::<ax650_step_result>()), (2, 8)] {
        if size == 8 {
            submit.job = client.submit(&[
                client.call_step(&first, 0, 4096),
                client.call_step(&second, 0, 4096),
            ])?;
        }
        let room = count * size;
        let mut results = Guarded::new()?;
        let mut wait = ax650_wait {
            job: submit.job,
            timeout_ns: u64::MAX,
            results: results.end_minus(room) as u64,
            result_count: count as u32,
            result_size: size as u32,
            ..Default::default()
        };
        // SAFETY: the results have the room that is said.
        unsafe {
            client
                .card
                .raw(AX650_IOC_WAIT.into(), std::ptr::from_mut(&mut wait).cast())
        }?;
        ensure!(wait.status == 0 && wait.result_count == 2, "{wait:?}");
        ensure!(results.tail(room)[..4] == [0; 4], "a status that is not 0");
        ensure!(
            results.before(room).iter().all(|&b| b == Guarded::FILL),
            "written before the results"
        );
        results.touch();
    }
    client.works()
}

/// Addresses where the caller has no memory.
fn bad_pointers(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let page = Guarded::new()?;
    let (_, frame) = client.echo_frame(b"x");
    let bad: [u64; 5] = [
        0,
        8,
        page.end_minus(0) as u64,
        0x8000_0000_0000_0000,
        0xffff_8880_0000_0000,
    ];
    for address in bad {
        let efault =
            |what: &str, result| expect(libc::EFAULT, result, || format!("{what} at {address:#x}"));
        for code in [
            AX650_IOC_QUERY,
            AX650_IOC_SESSION_CREATE,
            AX650_IOC_SESSION_DESTROY,
            AX650_IOC_BUFFER_CREATE,
            AX650_IOC_BUFFER_DESTROY,
            AX650_IOC_SUBMIT,
            AX650_IOC_WAIT,
        ] {
            // SAFETY: there is nothing at this address that the kernel could write to.
            efault("a structure", unsafe {
                client.card.raw(code.into(), address as *mut u8)
            })?;
        }
        let mut query = ax650_query {
            kind: AX650_QUERY_CARD,
            size: 16,
            data: address,
            ..Default::default()
        };
        // SAFETY: as above.
        efault("query data", unsafe {
            client.card.raw(
                AX650_IOC_QUERY.into(),
                std::ptr::from_mut(&mut query).cast(),
            )
        })?;
        let mut step = client.call_step(&frame, 0, 4096);
        step.frame = address;
        efault("a frame", client.submit(&[step]).map(|_| 0))?;
        let mut submit = ax650_submit {
            session: client.session.session,
            eventfd: -1,
            steps: address,
            step_count: 1,
            step_size: size_of::<ax650_step>() as u32,
            ..Default::default()
        };
        // SAFETY: SUBMIT writes only its own structure.
        efault("steps", unsafe {
            client.card.raw(
                AX650_IOC_SUBMIT.into(),
                std::ptr::from_mut(&mut submit).cast(),
            )
        })?;
        if address == 0 {
            continue; // no results wanted
        }
        // A job whose results could not be handed over is still there.
        let (_, frame) = client.echo_frame(b"y");
        let job = client.submit(&[client.call_step(&frame, 0, 4096)])?;
        let mut wait = ax650_wait {
            job,
            timeout_ns: u64::MAX,
            results: address,
            result_count: 1,
            result_size: size_of::<ax650_step_result>() as u32,
            ..Default::default()
        };
        // SAFETY: as for the structures.
        efault("results", unsafe {
            client
                .card
                .raw(AX650_IOC_WAIT.into(), std::ptr::from_mut(&mut wait).cast())
        })?;
        client.finish(job, 1)?;
    }
    client.works()
}

/// min(in, out) bytes, and the size that there is.
fn query_writes_no_more_than_asked(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let full = size_of::<ax650_card_info>();
    for size in [0, 1, 4, 100, full - 1, full, full + 1, full + 500] {
        let mut page = Guarded::new()?;
        let room = size.max(1);
        let mut query = ax650_query {
            kind: AX650_QUERY_CARD,
            size: size as u32,
            data: if size == 0 {
                0
            } else {
                page.end_minus(room) as u64
            },
            ..Default::default()
        };
        // SAFETY: the room is as said.
        unsafe {
            card.raw(
                AX650_IOC_QUERY.into(),
                std::ptr::from_mut(&mut query).cast(),
            )
        }
        .with_context(|| format!("size {size}"))?;
        ensure!(query.size as usize == full, "{} for {size}", query.size);
        page.touch();
        if size > full {
            let rest = &page.tail(room)[full..];
            ensure!(
                rest.iter().all(|&b| b == Guarded::FILL),
                "written behind what there is"
            );
        }
    }
    Ok(())
}

/// Values that are no handle, none of this file, or not any more.
fn R03_handles_and_numbers(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let spare = client.card.buffer(4096)?;
    client.card.end_buffer(spare.handle)?;
    expect(libc::ENOENT, client.card.end_buffer(spare.handle), || {
        "given up".into()
    })?;
    let session = client.card.session()?;
    client.card.end_session(session.session)?;
    expect(
        libc::ENOENT,
        client.card.end_session(session.session),
        || "given up".into(),
    )?;
    let (_, frame) = client.echo_frame(b"x");
    let good = client.call_step(&frame, 0, 4096);
    let buffer = client.buffer(4096)?;
    for number in [
        0,
        7,
        127,
        128,
        255,
        256,
        1024,
        65_536,
        1 << 28,
        1 << 29,
        1 << 31,
        u32::MAX,
    ] {
        let enoent = |what: &str, errno: i32| {
            ensure!(errno == libc::ENOENT, "{what} {number}: errno {errno}");
            Ok(())
        };
        enoent("session", errno(client.card.end_session(number)))?;
        enoent("buffer", errno(client.card.end_buffer(number)))?;
        enoent(
            "session of a job",
            errno(client.card.submit(number, &[good])),
        )?;
        enoent(
            "job",
            errno(client.card.wait(u64::from(number) + 1000, 0, 0)),
        )?;
        if number != 0 {
            let step = ax650_step {
                reply_buffer: number,
                ..good
            };
            enoent("reply buffer", errno(client.submit(&[step])))?;
        }
        let copy = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, 1 << 32, 16);
        let step = ax650_step {
            buffer: number,
            ..copy
        };
        enoent("buffer of a copy", errno(client.submit(&[step])))?;
    }
    client.works()
}

/// Numbers that would make the kernel allocate, copy or loop without end.
fn R41_sizes_are_bounded(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let limits = client.card.limits()?;
    for size in [
        limits.max_buffer_bytes + 1,
        1 << 40,
        1 << 63,
        u64::MAX - 4095,
        u64::MAX,
    ] {
        expect(libc::EINVAL, client.card.buffer(size), || {
            format!("buffer of {size}")
        })?;
    }
    let (_, frame) = client.echo_frame(b"x");
    let good = client.call_step(&frame, 0, 4096);
    for size in [
        0,
        27,
        u64::from(limits.max_frame_bytes) + 1,
        1 << 30,
        1 << 32,
        u64::MAX,
    ] {
        let step = ax650_step { size, ..good };
        expect(libc::EMSGSIZE, client.submit(&[step]), || {
            format!("frame of {size}")
        })?;
    }
    for (offset, capacity) in [
        (0, u32::MAX),
        (u64::MAX, 1),
        (1 << 63, 16),
        (client.reply.size as u64, 1),
    ] {
        let step = ax650_step {
            reply_offset: offset,
            reply_capacity: capacity,
            ..good
        };
        expect(libc::EINVAL, client.submit(&[step]), || {
            format!("answer at {offset}")
        })?;
    }
    let buffer = client.buffer(8192)?;
    for (offset, size) in [
        (0, 8193),
        (8192, 1),
        (u64::MAX, 2),
        (1, u64::MAX),
        (4096, 4097),
        (0, 1 << 32),
    ] {
        let mut step = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, 1 << 32, 16);
        (step.offset, step.size) = (offset, size);
        // EPERM: not all of it is card memory.
        expect_any(&[libc::EINVAL, libc::EPERM], client.submit(&[step]), || {
            format!("copy of {size} at {offset}")
        })?;
    }
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        steps: std::ptr::from_ref(&good) as u64,
        step_size: size_of::<ax650_step>() as u32,
        ..Default::default()
    };
    for count in [limits.max_steps_per_job + 1, 1 << 16, 1 << 31, u32::MAX] {
        submit.step_count = count;
        // SAFETY: SUBMIT writes only its own structure.
        let result = unsafe {
            client.card.raw(
                AX650_IOC_SUBMIT.into(),
                std::ptr::from_mut(&mut submit).cast(),
            )
        };
        expect(libc::EINVAL, result, || format!("{count} steps"))?;
    }
    // A huge element with a good beginning: the rest is looked at, in bounded time, and is no memory.
    submit.step_count = 1;
    submit.step_size = u32::MAX;
    // SAFETY: as above.
    let result = unsafe {
        client.card.raw(
            AX650_IOC_SUBMIT.into(),
            std::ptr::from_mut(&mut submit).cast(),
        )
    };
    expect_any(&[libc::EFAULT, libc::E2BIG, libc::EINVAL], result, || {
        "a step of 4 GiB".into()
    })?;
    client.works()
}

/// What the driver gives back is what it knows, and nothing that was in its memory by chance: two
/// calls with different rubbish in the outputs give the same.
fn R40_outputs_are_defined(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    fn ask<T: Plain>(card: &Card, kind: u32, fill: u8) -> Result<T> {
        let mut value = T::default();
        value.as_bytes_mut().fill(fill);
        let mut query = ax650_query {
            kind,
            size: size_of::<T>() as u32,
            data: std::ptr::from_mut(&mut value) as u64,
            ..Default::default()
        };
        // SAFETY: `data` is `value`, of the size said.
        unsafe {
            card.raw(
                AX650_IOC_QUERY.into(),
                std::ptr::from_mut(&mut query).cast(),
            )
        }?;
        Ok(value)
    }
    ensure!(
        ask::<ax650_limits>(&card, AX650_QUERY_LIMITS, 0)? == ask(&card, AX650_QUERY_LIMITS, 0xff)?
    );
    let still = |mut info: ax650_card_info| {
        info.heartbeat_age_ns = 0;
        info
    };
    let zeros = still(ask(&card, AX650_QUERY_CARD, 0)?);
    let ones = still(ask(&card, AX650_QUERY_CARD, 0xff)?);
    ensure!(zeros == ones, "{zeros:?} and {ones:?}");
    ensure!(zeros.reserved == 0);
    for field in [
        &zeros.firmware_version[..],
        &zeros.firmware_file,
        &zeros.chip,
    ] {
        let end = field
            .iter()
            .position(|&b| b == 0)
            .context("text without an end")?;
        ensure!(
            field[end..].iter().all(|&b| b == 0),
            "rubbish behind {:?}",
            &field[..end]
        );
    }
    let telemetry = ask::<ax650_telemetry>(&card, AX650_QUERY_TELEMETRY, 0xff)?;
    ensure!(
        telemetry.reserved == 0 && telemetry.valid < 32,
        "{telemetry:?}"
    );
    let session = card.session()?;
    ensure!(
        session.flags == 0 && session.session != 0 && session.context != 0,
        "{session:?}"
    );
    let clients = card.clients()?;
    ensure!(
        clients.len() == 1 && clients[0].pid == std::process::id() as i32,
        "{clients:?}"
    );
    let name = &clients[0].command;
    let end = name
        .iter()
        .position(|&b| b == 0)
        .context("a name without an end")?;
    ensure!(name[end..].iter().all(|&b| b == 0), "{name:?}");
    Ok(())
}

/// The numbers of `docs/uapi.md` are those that LIMITS tells.
fn limits_are_what_is_written(_: &mut Context) -> Result<()> {
    const TEXT: &str = include_str!("../../../../docs/uapi.md");
    let limits = Card::open(0)?.limits()?;
    let written: [(&str, u64); 14] = [
        ("max_sessions_per_card", limits.max_sessions_per_card.into()),
        ("max_sessions_per_user", limits.max_sessions_per_user.into()),
        ("max_sessions_per_file", limits.max_sessions_per_file.into()),
        ("max_buffers_per_file", limits.max_buffers_per_file.into()),
        ("max_buffer_bytes", limits.max_buffer_bytes),
        ("max_frame_bytes", limits.max_frame_bytes.into()),
        ("max_bytes_per_file", limits.max_bytes_per_file),
        ("max_bytes_per_user", limits.max_bytes_per_user),
        ("max_bytes_per_card", limits.max_bytes_per_card),
        ("max_jobs_per_session", limits.max_jobs_per_session.into()),
        ("max_steps_per_job", limits.max_steps_per_job.into()),
        ("max_queued_steps", limits.max_queued_steps.into()),
        ("max_calls_under_way", limits.max_calls_under_way.into()),
        ("max_files_per_user", limits.max_files_per_user.into()),
    ];
    for (name, value) in written {
        let text = format!("`{name}` ({value})");
        ensure!(TEXT.contains(&text), "{text} is not in docs/uapi.md");
    }
    Ok(())
}
