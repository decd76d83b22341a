// SPDX-License-Identifier: MIT OR Apache-2.0

//! The calls of the card's service over the legacy nodes, and the worked examples [rpc 2] to
//! [rpc 7], [rpc 9].

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::kernel;
use prost::Message as _;
use serde_json::Value;

use super::support::{canary, card, counted, within};
use crate::client::{pattern, Device};
use crate::node::message::MessageNode;
use crate::rpc::native::{self, Module};
use crate::rpc::pb::axclrpc;
use crate::rpc::{engine, memory, system, Call, Caller};
use crate::wire::examples::{self, Example};
use crate::wire::header::{Header, HEADER, MESSAGE_FRAME};
use crate::wire::transport::{Message, LONGEST};

ax650_test_kit::cases!["axcl_rpc":
    S9_examples_are_what_the_client_sends,
    S9_examples_of_transport_messages,
    S9_examples_are_answered_likewise { timeout_s: 120 },
    S2_2_handshake,
    S2_2_handshake_again,
    S3_1_answers_repeat_the_header,
    S1_2_answers_find_their_callers { timeout_s: 90 },
    S2_4_frames_of_all_sizes { timeout_s: 120 },
    S3_2_calls_without_an_answer,
    S4_1_contexts_and_streams,
    S4_1_streams_keep_their_order,
    S4_1_events,
    S4_2_properties,
    S4_3_log,
    S5_1_memory_calls,
    S5_1_memory_errors,
    S5_4_queued_copies { timeout_s: 90 },
    S6_engine_errors,
    S7_answers_have_all_blobs { timeout_s: 150 },
];

/// Context id and stream of an example, and who sent it.
fn origin(example: &Example) -> Result<(Header, Caller, axclrpc::Request)> {
    let header = Header::from_frame(&example.bytes).context("no header")?;
    let request = axclrpc::Request::decode(&example.bytes[HEADER..]).context("no message")?;
    let head = request.head.context("no head")?;
    let env = head.env.unwrap_or_default();
    let caller = Caller {
        pid: env.pid,
        tid: env.tid,
        time: head.timestamp,
    };
    Ok((header, caller, request))
}

/// Requests among the examples that are printed to their end, and are frames.
fn requests() -> Result<Vec<Example>> {
    let mut all = examples::all()?;
    all.retain(|example| {
        example.to_card && example.port == 2 && example.length == example.bytes.len()
    });
    Ok(all)
}

/// The calls of the examples, made anew by this client's own functions.
fn calls() -> Vec<(&'static str, Call)> {
    use crate::rpc::engine::{ApiKind, Desc, IoDesc, RequestBody};
    use native::{sys, vdec, venc, SysApi, VdecApi, VencApi};
    const MODEL: u64 = 365_072_220_416;
    let word = |value: u32| value.to_le_bytes().to_vec();
    let words = |len: usize, list: &[(usize, u32)]| {
        let mut bytes = vec![0; len];
        for &(at, value) in list {
            crate::node::put32(&mut bytes, at, value);
        }
        bytes
    };
    let caller = Caller {
        pid: 24101,
        tid: 24101,
        time: 0,
    };
    let mut pool = words(96, &[(0, 0x200), (8, 0x7_0800), (16, 10)]);
    pool[28..37].copy_from_slice(b"anonymous");
    vec![
        ("create context 1", system::create_context(&caller, 1)),
        (
            "read the software version",
            system::shell("cat /proc/ax_proc/version"),
        ),
        (
            "read the temperature",
            system::shell("cat /sys/class/thermal/thermal_zone0/temp"),
        ),
        ("alloc", memory::malloc(8 << 20, false, 2)),
        (
            "copy",
            memory::copy(0x1_4180_0000, 0x1_4100_0000, 8 << 20, true),
        ),
        ("free", memory::free(0x1_4100_0000)),
        (
            "InitNpu",
            engine::call(
                ApiKind::InitNpu,
                RequestBody {
                    npu_type: Some(0),
                    ..Default::default()
                },
            ),
        ),
        (
            "LoadModel",
            engine::call(
                ApiKind::LoadModel,
                RequestBody {
                    address: Some(0x1_4100_0000),
                    size: Some(65536),
                    ..Default::default()
                },
            ),
        ),
        (
            "CreateContext",
            engine::of_model(ApiKind::CreateContext, MODEL),
        ),
        (
            "GetModelIoInfo",
            engine::of_model(ApiKind::GetModelIoInfo, MODEL),
        ),
        (
            "GetModelType",
            engine::of_model(ApiKind::GetModelType, MODEL),
        ),
        (
            "GetMemoryUsage",
            engine::of_model(ApiKind::GetMemoryUsage, MODEL),
        ),
        (
            "RunModel",
            engine::call(
                ApiKind::RunModel,
                RequestBody {
                    handle: Some(MODEL),
                    context: Some(MODEL + 1),
                    group: Some(0),
                    io: Some(IoDesc {
                        inputs: vec![Desc {
                            address: 5_385_551_872,
                            size: 150_528,
                        }],
                        outputs: vec![Desc {
                            address: 5_385_703_424,
                            size: 4000,
                        }],
                        batch: 1,
                    }),
                    noresp: Some(0),
                    ..Default::default()
                },
            ),
        ),
        ("UnloadModel", engine::of_model(ApiKind::UnloadModel, MODEL)),
        (
            "FinalNpu",
            engine::call(ApiKind::FinalNpu, RequestBody::default()),
        ),
        (
            "AX_VDEC_Init",
            vdec(VdecApi::AxVdecInit, vec![words(16, &[(0, 32), (4, 1)])]),
        ),
        (
            "AX_VDEC_CreateGrp",
            vdec(
                VdecApi::AxVdecCreateGrp,
                vec![
                    word(0),
                    words(
                        56,
                        &[
                            (0, 96),
                            (4, 1),
                            (8, 1920),
                            (12, 1088),
                            (16, 0x3f_c000),
                            (20, 1),
                        ],
                    ),
                ],
            ),
        ),
        (
            "AX_VDEC_SetChnAttr",
            vdec(
                VdecApi::AxVdecSetChnAttr,
                vec![
                    word(0),
                    word(0),
                    words(
                        68,
                        &[
                            (0, 1920),
                            (4, 1080),
                            (8, 2048),
                            (32, 3),
                            (36, 8),
                            (40, 0x32_a020),
                            (48, 3),
                        ],
                    ),
                ],
            ),
        ),
        (
            "AX_VDEC_EnableChn",
            vdec(VdecApi::AxVdecEnableChn, vec![word(0), word(0)]),
        ),
        (
            "AX_VDEC_StartRecvStream",
            vdec(
                VdecApi::AxVdecStartRecvStream,
                vec![word(0), word(u32::MAX)],
            ),
        ),
        (
            "AX_VDEC_GetChnFrame",
            vdec(
                VdecApi::AxVdecGetChnFrame,
                vec![word(0), word(0), word(u32::MAX)],
            ),
        ),
        (
            "AX_POOL_CreatePool",
            sys(SysApi::AxPoolCreatePool, vec![pool]),
        ),
        (
            "AX_VENC_Init",
            venc(VencApi::AxVencInit, vec![words(20, &[(0, 3), (16, 1)])]),
        ),
        (
            "AX_VENC_CreateChn",
            venc(
                VencApi::AxVencCreateChn,
                vec![word(0), crate::client::attributes(640, 480), Vec::new()],
            ),
        ),
        (
            "AX_VENC_StartRecvFrame",
            venc(VencApi::AxVencStartRecvFrame, vec![word(0), word(u32::MAX)]),
        ),
        (
            "AX_POOL_GetBlock",
            sys(
                SysApi::AxPoolGetBlock,
                vec![word(1), 0x7_0800_u64.to_le_bytes().to_vec(), Vec::new()],
            ),
        ),
        (
            "AX_POOL_Handle2PhysAddr",
            sys(SysApi::AxPoolHandle2PhysAddr, vec![word(0x5e00_0001)]),
        ),
        (
            "AX_VENC_GetStream",
            venc(VencApi::AxVencGetStream, vec![word(0), word(u32::MAX)]),
        ),
    ]
}

/// Byte for byte, with the numbers of that run.
fn S9_examples_are_what_the_client_sends(_: &mut Context) -> Result<()> {
    compare_requests()
}

/// Each whole request among the examples is one of [`calls`], in their order.
fn compare_requests() -> Result<()> {
    let (examples, calls) = (requests()?, calls());
    ensure!(
        examples.len() == calls.len(),
        "{} requests are printed, {} are made",
        examples.len(),
        calls.len()
    );
    for (example, (name, call)) in examples.iter().zip(&calls) {
        let (header, caller, _) = origin(example)?;
        let what = format!("{name}, printed as: {}", example.what);
        ensure!(
            call.kind == header.kind && call.command == header.command,
            "{what}: type {:#x}, command {}",
            call.kind,
            call.command
        );
        let frame = call.frame(&header, &caller);
        ensure!(
            frame == example.bytes,
            "{what}: {frame:02x?}, not {:02x?}",
            example.bytes
        );
    }
    Ok(())
}

/// Handshake, announcements, lists, completions, records.
fn S9_examples_of_transport_messages(_: &mut Context) -> Result<()> {
    compare_messages()
}

fn compare_messages() -> Result<()> {
    let mut seen = 0;
    for example in examples::all()? {
        if example.port > 1 {
            continue;
        }
        seen += 1;
        let what = || format!("{}: {:02x?}", example.what, example.bytes);
        if example.length == crate::wire::record::RECORD {
            let record = crate::wire::record::Record::from_bytes(&example.bytes)?;
            // The field that the kind does not use holds what was there before.
            let written = record.to_bytes();
            ensure!(written[..] == example.bytes[..], "{}", what());
            ensure!(record.size == 8 << 20, "{}", what());
            continue;
        }
        let message = Message::from_bytes(&example.bytes).with_context(what)?;
        let written = message.to_bytes();
        ensure!(written.len() == example.bytes.len(), "{}", what());
        // The bytes that a control message does not use are garbage.
        let used = match message {
            Message::TransferRequest { .. } => 9,
            Message::SglistInfo(_) | Message::LinkedList(_) => written.len(),
            _ => 5,
        };
        ensure!(written[..used] == example.bytes[..used], "{}", what());
    }
    ensure!(seen > 20, "{seen} messages only");
    Ok(())
}

/// Fields of a message, without their values, as its debug text has them.
fn shape(answer: &axclrpc::Response) -> Vec<String> {
    let text = format!("{:?}", answer.body);
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic()))
        .map(str::to_owned)
        .collect()
}

/// The card answers what is printed there with what is printed there, but for numbers of that run.
fn S9_examples_are_answered_likewise(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    let all = examples::all()?;
    let mut compared = 0;
    // Calls that mean the same to any card: context, properties, memory.
    let memory_at = scope.malloc(8 << 20)?;
    let other = scope.malloc(8 << 20)?;
    for (at, example) in all.iter().enumerate() {
        if !example.to_card
            || example.port != 2
            || example.section.starts_with("VDEC")
            || example.section.starts_with("VENC")
        {
            continue;
        }
        let Some(printed) = all
            .get(at + 1)
            .filter(|next| next.port == 3 && !next.to_card)
        else {
            continue;
        };
        let call = match example.what {
            text if text.contains("context 1") => system::create_context(&Caller::now(), 7),
            text if text.contains("version") => system::shell("cat /proc/ax_proc/version"),
            text if text.contains("temperature") => {
                system::shell("cat /sys/class/thermal/thermal_zone0/temp")
            }
            "alloc" => memory::malloc(8 << 20, false, 2),
            "request" if example.section.contains("card to card") => {
                memory::copy(other, memory_at, 8 << 20, true)
            }
            "request" => memory::free(other),
            "InitNpu" => engine::call(
                engine::ApiKind::InitNpu,
                engine::RequestBody {
                    npu_type: Some(0),
                    ..Default::default()
                },
            ),
            _ => continue,
        };
        let (header, frame) = scope.call_raw(&call)?;
        crate::rpc::answer(&header, &frame).with_context(|| example.what.to_owned())?;
        let got = axclrpc::Response::decode(&frame[HEADER..])?;
        let seen = axclrpc::Response::decode(&printed.bytes[HEADER..])?;
        // Texts and addresses differ; the tree of fields and which of them are there do not.
        let (got, seen) = (shape_without_text(&got), shape_without_text(&seen));
        ensure!(
            got == seen,
            "{}: {got:?}, printed is {seen:?}",
            example.what
        );
        compared += 1;
    }
    ensure!(compared == 7, "{compared} examples compared");
    scope.free(memory_at)?;
    device.close()
}

fn shape_without_text(answer: &axclrpc::Response) -> Vec<String> {
    let mut answer = answer.clone();
    if let Some(axclrpc::response_body::Kind::Runtime(runtime)) =
        answer.body.as_mut().and_then(|body| body.kind.as_mut())
    {
        let kind = runtime.body.as_mut().and_then(|body| body.kind.as_mut());
        if let Some(axclrpc::runtime::response_body::Kind::System(system)) = kind {
            let kind = system.body.as_mut().and_then(|body| body.kind.as_mut());
            if let Some(axclrpc::system::response_body::Kind::Control(control)) = kind {
                if let Some(shell) = control.shell.as_mut() {
                    shell.output.clear();
                }
            }
        }
    }
    shape(&answer)
}

/// SYNC on P0, SYNC_ACK plus 1 on P1, DONE plus 2 on P0; 25 tries of 200 ms.
fn S2_2_handshake(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    for number in [0_u32, 1, 0x00fb_a4e5, u32::MAX - 1, u32::MAX] {
        let packet = host.create(id)?;
        let open = |at: usize| MessageNode::connected(id, packet.ports[at]);
        let ports = [open(0)?, open(1)?, open(2)?, open(3)?];
        let begin = Instant::now();
        let mut answer = None;
        while answer.is_none() {
            within(begin, Duration::from_secs(5), "25 tries")?;
            ports[0].send(&Message::Sync(number).to_bytes())?;
            answer = ports[1].receive(LONGEST, Duration::from_millis(200))?;
        }
        let answer = Message::from_bytes(&answer.unwrap_or_default())?;
        ensure!(
            answer == Message::SyncAck(number.wrapping_add(1)),
            "{answer:?}"
        );
        ports[0].send(&Message::Done(number.wrapping_add(2)).to_bytes())?;
        drop(ports);
        host.destroy(&packet)?;
    }
    canary()
}

/// A SYNC that comes twice does not confuse the card.
fn S2_2_handshake_again(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let packet = host.create(id)?;
    let open = |at: usize| MessageNode::connected(id, packet.ports[at]);
    let ports = [open(0)?, open(1)?, open(2)?, open(3)?];
    for _ in 0..3 {
        ports[0].send(&Message::Sync(100).to_bytes())?;
    }
    crate::client::handshake(&ports)?;
    drop(ports);
    host.destroy(&packet)?;
    canary()
}

/// All 28 bytes, and head, body, tail (`rpc::answer` looks).
fn S3_1_answers_repeat_the_header(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.context(0x7fff_fff0)?;
    let caller = Caller::now();
    for call in [
        system::create_context(&caller, 5),
        system::shell("cat /proc/ax_proc/version"),
        system::latency(&[]),
        system::latency(&[1, 2, 3]),
        memory::malloc(100, true, 0),
        engine::call(engine::ApiKind::GetNpuType, Default::default()),
        native::sys(native::SysApi::AxSysGetCurPts, Vec::new()),
    ] {
        let (header, frame) = scope.call_raw(&call)?;
        ensure!(
            frame[..HEADER] == header.to_bytes(),
            "{:02x?}",
            &frame[..HEADER]
        );
        crate::rpc::answer(&header, &frame)?;
    }
    device.close()
}

/// Many threads, contexts and sizes at once; nobody gets another's answer.
fn S1_2_answers_find_their_callers(_: &mut Context) -> Result<()> {
    const THREADS: u32 = 6;
    let device = Device::open()?;
    std::thread::scope(|threads| -> Result<()> {
        let workers: Vec<_> = (0..THREADS)
            .map(|number| {
                let device = &device;
                threads.spawn(move || -> Result<()> {
                    let scope = device.context(2 + number)?;
                    for round in 0..40_u64 {
                        let seed = u64::from(number) * 1000 + round;
                        // Three calls under way on one stream.
                        let data: Vec<Vec<u8>> = [10, 800, 2000 * (round as usize % 3)]
                            .iter()
                            .map(|&size| pattern(size, seed + size as u64))
                            .collect();
                        let sent = data
                            .iter()
                            .map(|data| scope.begin(&system::latency(data)))
                            .collect::<Result<Vec<_>>>()?;
                        for (data, pending) in data.iter().zip(sent) {
                            let back = system::latency_answer(scope.finish(pending)?)?;
                            ensure!(back == *data, "thread {number}, round {round}");
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("panic"))??;
        }
        Ok(())
    })?;
    ensure!(
        device.strays().is_empty(),
        "answers to nobody: {:?}",
        device.strays()
    );
    device.close()
}

/// Around 1024 bytes, where frames begin to go by DMA, and up to several windows.
fn S2_4_frames_of_all_sizes(context: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    // What is in a frame besides the data of an echo.
    let empty = {
        let header = scope.header(0, 0);
        system::latency(&[0; 300])
            .frame(&header, &Caller::now())
            .len()
            - 300
    };
    for frame in 900..=1100_usize {
        if frame % 10 == 0 || (1015..1035).contains(&frame) {
            let size = frame - empty;
            scope
                .echo(&pattern(size, frame as u64))
                .with_context(|| format!("{size} bytes"))?;
        }
    }
    // Exactly at the limit a frame is a message of its own: no DMA.
    let call = |size: usize| system::latency(&vec![1; size]);
    for wanted in [MESSAGE_FRAME, MESSAGE_FRAME + 1] {
        let header = scope.header(0, 0);
        let size = (600..1024)
            .find(|&size| call(size).frame(&header, &Caller::now()).len() == wanted)
            .context("no such size")?;
        let before = counted(context, |name| name.starts_with("bulk."))?;
        scope.echo(&vec![1; size])?;
        let after = counted(context, |name| name.starts_with("bulk."))?;
        ensure!(
            (after > before) == (wanted > MESSAGE_FRAME),
            "a frame of {wanted} bytes: bulk transfers {before}, then {after}"
        );
    }
    for size in [
        2000,
        65_535,
        65_536,
        1 << 20,
        (4 << 20) - 100,
        4 << 20,
        (9 << 20) + 1,
    ] {
        scope
            .echo(&pattern(size, size as u64))
            .with_context(|| format!("{size} bytes"))?;
    }
    device.close()
}

/// `noresp`.
fn S3_2_calls_without_an_answer(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    let at = scope.malloc(4096)?;
    for value in [1_u8, 2, 3] {
        scope.begin(&memory::memset(at, value, 4096, false))?;
        scope.control(&system::sync_stream(1, 1, -1))?;
        ensure!(scope.read(at, 4096)? == [value; 4096], "memset {value}");
    }
    scope.begin(&memory::copy(at, at + 2048, 2048, false))?;
    scope.echo(b"after")?;
    ensure!(device.strays().is_empty(), "{:?}", device.strays());
    scope.free(at)?;
    device.close()
}

/// Commands 0, 1, 4, 5, 6.
fn S4_1_contexts_and_streams(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    for number in 2..10 {
        let scope = device.context(number)?;
        for stream in 2..5 {
            scope.control(&system::stream(true, number, stream))?;
            scope.on(stream).echo(&pattern(100, stream.into()))?;
            for timeout in [-1, 0, 1000] {
                scope
                    .on(stream)
                    .control(&system::sync_stream(number, stream, timeout))?;
            }
        }
        for stream in 2..5 {
            scope.control(&system::stream(false, number, stream))?;
        }
        let call = system::destroy_context(&Caller::now(), number);
        scope.control(&call)?;
    }
    device.scope().works()?;
    device.close()
}

/// What is queued on one is done in order.
fn S4_1_streams_keep_their_order(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    scope.control(&system::stream(true, 1, 2))?;
    let at = scope.malloc(1 << 20)?;
    let stream = scope.on(2);
    for round in 0..20_u8 {
        // Fill all, then half, then copy the half over the rest.
        stream.begin(&memory::memset(at, round, 1 << 20, false))?;
        stream.begin(&memory::memset(at, 200 - round, 1 << 19, false))?;
        stream.begin(&memory::copy(at + (1 << 19), at, 1 << 19, false))?;
        stream.control(&system::sync_stream(1, 2, -1))?;
        let data = scope.read(at, 1 << 20)?;
        ensure!(
            data.iter().all(|&byte| byte == 200 - round),
            "round {round}"
        );
    }
    scope.control(&system::stream(false, 1, 2))?;
    scope.free(at)?;
    device.close()
}

/// Commands 7 to 10: a stream waits for what another has to mark.
fn S4_1_events(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    let at = scope.malloc(4096)?;
    for stream in [2, 3] {
        scope.control(&system::stream(true, 1, stream))?;
    }
    scope.control(&system::event(true, 1, 2, 1))?;
    for round in 0..10_u8 {
        scope.on(2).begin(&memory::memset(at, round, 4096, false))?;
        scope.on(2).begin(&system::record_event(1, 2, 1))?;
        scope.on(3).begin(&system::wait_event(1, 3, 1, 5000))?;
        scope
            .on(3)
            .begin(&memory::copy(at + 2048, at, 2048, false))?;
        scope.on(3).control(&system::sync_stream(1, 3, -1))?;
        ensure!(scope.read(at, 4096)? == [round; 4096], "round {round}");
    }
    scope.control(&system::event(false, 1, 2, 1))?;
    for stream in [2, 3] {
        scope.control(&system::stream(false, 1, stream))?;
    }
    ensure!(device.strays().is_empty(), "{:?}", device.strays());
    scope.free(at)?;
    device.close()
}

/// The shell commands of the properties, with the words that their parsers look for.
fn S4_2_properties(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    for (line, words) in [
        ("cat /proc/ax_proc/chip_type", &["AX650"][..]),
        ("cat /proc/ax_proc/version", &["V"]),
        ("cat /proc/ax_proc/uid", &[":"]),
        ("cat /proc/meminfo", &["MemTotal:", "MemFree:", "kB"]),
        (
            "cat /proc/meminfo | grep -E \"MemTotal|MemFree\"",
            &["MemTotal:", "MemFree:"],
        ),
        (
            "cat /proc/ax_proc/mem_cmm_info  | grep \"total size\"",
            &["total size=", "used=", "remain=", "KB("],
        ),
        ("cat /sys/class/thermal/thermal_zone0/temp", &[]),
        (
            "top -bn1 | grep -E \"CPU:\" | grep -v \"grep\"",
            &["CPU:", "idle"],
        ),
        ("cat /proc/ax_proc/npu/top", &["utilization:", "%"]),
        (
            "cat /proc/ax_proc/mem_cmm_info | grep -E 'name=\"npu_.*_pid1.*\"' || true",
            &[],
        ),
        ("cat /proc/ax_proc/vdec", &[]),
        ("cat /proc/ax_proc/venc", &[]),
        ("cat /proc/ax_proc/pool", &[]),
        ("cat /proc/ax_proc/link_table", &[]),
    ] {
        let (status, output) = scope.shell(line)?;
        ensure!(status == 0, "{line}: status {status}");
        for word in words {
            ensure!(output.contains(word), "{line}: no {word} in {output:?}");
        }
    }
    let (_, temperature) = scope.shell("cat /sys/class/thermal/thermal_zone0/temp")?;
    let temperature: i32 = temperature.trim().parse()?;
    ensure!((0..150_000).contains(&temperature), "{temperature}");
    // The end of a command line that does not exist is told, and nothing else happens.
    let (status, _) = scope.shell("no such program")?;
    ensure!(status != 0);
    device.close()
}

fn S4_3_log(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    for kind in 0..3 {
        let (name, content) = system::log_answer(scope.call(&system::log(kind, 0))?)?;
        eprintln!("log {kind}: {name:?}, {} bytes", content.len());
        ensure!(!name.is_empty() && !name.contains('\0'), "{name:?}");
    }
    device.close()
}

/// Calls 0 to 4, 7, 8.
fn S5_1_memory_calls(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    for cached in [false, true] {
        for policy in 0..4 {
            for size in [1, 4096, 100_000, 8 << 20] {
                let (status, address) = scope.memory(&memory::malloc(size, cached, policy))?;
                let address = address.context("no address")?;
                ensure!(status == 0 && address != 0, "{status:#x}");
                scope.write(address, &pattern(size as usize, policy.into()))?;
                scope.memory_done(&memory::cache(false, address, size))?;
                scope.memory_done(&memory::cache(true, address, size))?;
                let back = scope.read(address, size as usize)?;
                ensure!(
                    back == pattern(size as usize, policy.into()),
                    "{size} bytes"
                );
                scope.free(address)?;
            }
        }
    }
    let (one, two) = (scope.malloc(1 << 20)?, scope.malloc(1 << 20)?);
    scope.write(one, &pattern(1 << 20, 5))?;
    scope.memory_done(&memory::copy(two, one, 1 << 20, true))?;
    ensure!(scope.read(two, 1 << 20)? == pattern(1 << 20, 5));
    scope.memory_done(&memory::compare(one, two, 1 << 20))?;
    scope.memory_done(&memory::memset(two + 1000, 0x5a, 1, true))?;
    let (status, _) = scope.memory(&memory::compare(one, two, 1 << 20))?;
    ensure!(status != 0, "different, and yet equal");
    scope.memory_done(&memory::compare(one, two, 1000))?;
    // Offsets at any place, of any parity.
    scope.memory_done(&memory::copy(two + 3, one + 70_001, 99_999, true))?;
    ensure!(scope.read(two + 3, 99_999)? == pattern(1 << 20, 5)[70_001..][..99_999]);
    scope.memory_done(&memory::memset(one + 1, 0xc3, 12_345, true))?;
    let edge = scope.read(one, 12_347)?;
    ensure!(edge[1..12_346].iter().all(|&byte| byte == 0xc3));
    ensure!(edge[0] == pattern(1 << 20, 5)[0] && edge[12_346] == pattern(1 << 20, 5)[12_346]);
    scope.free(one)?;
    scope.free(two)?;
    device.close()
}

/// The card's refusals come through as they are.
fn S5_1_memory_errors(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    let at = scope.malloc(4096)?;
    scope.free(at)?;
    for (what, call) in [
        ("a second free", memory::free(at)),
        ("free of nothing", memory::free(0)),
        ("free of what was never given", memory::free(at + 1)),
        ("no bytes", memory::malloc(0, false, 2)),
    ] {
        let (status, _) = scope.memory(&call)?;
        ensure!(status & 0x8000_0000 != 0, "{what}: status {status:#x}");
    }
    // More than there is: a card has some GiB, a call asks for at most 4.
    let mut taken = Vec::new();
    let status = loop {
        match scope.memory(&memory::malloc(u32::MAX, false, 2))? {
            (0, Some(address)) => taken.push(address),
            (status, _) => break status,
        }
        ensure!(taken.len() < 16, "a card without end");
    };
    ensure!(status & 0x8000_0000 != 0, "no memory: status {status:#x}");
    for address in taken {
        scope.free(address)?;
    }
    scope.works()?;
    device.close()
}

/// For a thread to get a CPU.
const SOON: Duration = Duration::from_millis(500);

/// The card orders their start on P1 when the stream gets there.
fn S5_4_queued_copies(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    scope.control(&system::stream(true, 1, 2))?;
    let stream = scope.on(2);
    for size in [1_usize, 1000, 65_537, 5 << 20] {
        let (one, two) = (scope.malloc(size as u32)?, scope.malloc(size as u32)?);
        let data = pattern(size, size as u64);
        // To the card, on the card, back: all queued at once.
        let there = stream.queue_write(one, data.clone())?;
        stream.begin(&memory::copy(two, one, size as u32, false))?;
        let back = stream.queue_read(two, size)?;
        stream.control(&system::sync_stream(1, 2, -1))?;
        // The card has said so before; another thread of this client may still be about to read it.
        kernel::until(
            "queued copies, the stream being through",
            SOON * kernel::slowness(),
            || Ok(there.is_done() && back.is_done()),
        )?;
        there.wait()?;
        ensure!(back.wait()? == data, "{size} bytes came back changed");
        scope.free(one)?;
        scope.free(two)?;
    }
    // Two streams, and other work meanwhile.
    scope.control(&system::stream(true, 1, 3))?;
    let at = scope.malloc(1 << 20)?;
    let copies: Vec<_> = (0..8_u32)
        .map(|number| {
            let place = at + u64::from(number) * 100_000;
            scope
                .on(2 + number % 2)
                .queue_write(place, pattern(100_000, number.into()))
        })
        .collect::<Result<_>>()?;
    scope.works()?;
    for copy in &copies {
        copy.wait()?;
    }
    for number in 0..8_u32 {
        let place = at + u64::from(number) * 100_000;
        ensure!(
            scope.read(place, 100_000)? == pattern(100_000, number.into()),
            "copy {number}"
        );
    }
    for stream in [2, 3] {
        scope
            .on(stream)
            .control(&system::sync_stream(1, stream, -1))?;
        scope.control(&system::stream(false, 1, stream))?;
    }
    scope.free(at)?;
    device.close()
}

/// Models that do not exist: an error, and the fields that were asked for may be absent.
fn S6_engine_errors(_: &mut Context) -> Result<()> {
    use engine::{ApiKind, RequestBody};
    let device = Device::open()?;
    let scope = device.scope();
    scope.init_npu()?;
    let at = scope.malloc(4096)?;
    scope.write(at, &pattern(4096, 1))?;
    let rubbish = RequestBody {
        address: Some(at),
        size: Some(4096),
        ..Default::default()
    };
    ensure!(
        scope.try_engine(ApiKind::LoadModel, rubbish)?.status != 0,
        "rubbish was loaded"
    );
    for api in [
        ApiKind::GetModelVersion,
        ApiKind::GetModelType,
        ApiKind::GetMemoryUsage,
        ApiKind::UnloadModel,
        ApiKind::CreateContext,
        ApiKind::GetModelIoInfo,
        ApiKind::RunModel,
    ] {
        let body = RequestBody {
            handle: Some(0xdead_beef),
            context: Some(1),
            group: Some(0),
            ..Default::default()
        };
        let answer = scope.try_engine(api, body)?;
        ensure!(answer.status != 0, "{api:?} of no model: {answer:?}");
    }
    scope.free(at)?;
    scope.works()?;
    device.close()
}

/// The table of 7.5: name and sizes of the answer's blobs.
const SIZES: &str = include_str!("../../../../vectors/native-call-sizes.json");

/// All of them present also on failure, each of its full size.
fn S7_answers_have_all_blobs(_: &mut Context) -> Result<()> {
    use native::{SysApi, VdecApi, VencApi};
    let table: Value = serde_json::from_str(SIZES)?;
    let device = Device::open()?;
    let scope = device.scope();
    // Requests to nobody: a group, channel, pool, block that does not exist; no time to wait.
    const NOBODY: u32 = 200;
    let word = |value: u32| value.to_le_bytes().to_vec();
    let mut calls: Vec<(Module, i32, &str, Vec<Vec<u8>>)> = Vec::new();
    let mut add = |module, api: i32, name, sizes: &[usize]| {
        let data = sizes
            .iter()
            .enumerate()
            .map(|(at, &size)| match (at, size) {
                (0, 4) => word(NOBODY),
                _ => vec![0; size],
            });
        calls.push((module, api, name, data.collect()));
    };
    for (api, request) in [
        (VdecApi::AxVdecDestroyGrp, &[4][..]),
        (VdecApi::AxVdecGetGrpAttr, &[4]),
        (VdecApi::AxVdecStopRecvStream, &[4]),
        (VdecApi::AxVdecQueryStatus, &[4]),
        (VdecApi::AxVdecGetGrpParam, &[4]),
        (VdecApi::AxVdecSendStream, &[4, 56, 4, 0]),
        (VdecApi::AxVdecGetChnFrame, &[4, 4, 4]),
        (VdecApi::AxVdecReleaseChnFrame, &[4, 4, 240]),
        (VdecApi::AxVdecGetDisplayMode, &[4]),
        (VdecApi::AxVdecEnableChn, &[4, 4]),
        (VdecApi::AxVdecDisableChn, &[4, 4]),
        (VdecApi::AxVdecSetChnAttr, &[4, 4, 68]),
        (VdecApi::AxVdecGetChnAttr, &[4, 4]),
        (VdecApi::AxVdecGetStreamBufInfo, &[4]),
        (VdecApi::AxVdecGetVuiParam, &[4]),
    ] {
        add(Module::Vdec, api as i32, api.as_str_name(), request);
    }
    for (api, request) in [
        (VencApi::AxVencDestroyChn, &[4][..]),
        (VencApi::AxVencSendFrame, &[4, 240, 4]),
        (VencApi::AxVencGetStream, &[4, 4]),
        (VencApi::AxVencReleaseStream, &[4, 1200]),
        (VencApi::AxVencGetStreamBufInfo, &[4]),
        (VencApi::AxVencStartRecvFrame, &[4, 4]),
        (VencApi::AxVencStopRecvFrame, &[4]),
        (VencApi::AxVencGetRoiAttr, &[4, 4]),
        (VencApi::AxVencGetRcParam, &[4]),
        (VencApi::AxVencGetVuiParam, &[4]),
        (VencApi::AxVencGetRateJamStrategy, &[4]),
        (VencApi::AxVencGetSuperFrameStrategy, &[4]),
        (VencApi::AxVencGetIntraRefresh, &[4]),
        (VencApi::AxVencGetSliceSplit, &[4]),
        (VencApi::AxVencRequestIdr, &[4, 4]),
        (VencApi::AxVencQueryStatus, &[4]),
        (VencApi::AxVencGetJpegParam, &[4]),
    ] {
        add(Module::Venc, api as i32, api.as_str_name(), request);
    }
    for (api, request) in [
        (SysApi::AxSysMemGetPartitionInfo, &[][..]),
        (SysApi::AxSysMemQueryStatus, &[]),
        (SysApi::AxPoolDestroyPool, &[4]),
        (SysApi::AxPoolGetBlock, &[4, 8, 0]),
        (SysApi::AxPoolReleaseBlock, &[4]),
        (SysApi::AxPoolHandle2PhysAddr, &[4]),
        (SysApi::AxPoolHandle2PoolId, &[4]),
        (SysApi::AxPoolHandle2BlkSize, &[4]),
        (SysApi::AxSysGetCurPts, &[]),
        (SysApi::AxSysGetChipType, &[]),
    ] {
        add(Module::Sys, api as i32, api.as_str_name(), request);
    }
    let mut wrong = Vec::new();
    for (module, api, name, data) in calls {
        let sizes: Vec<usize> = match table[name].as_array() {
            Some(list) => list
                .iter()
                .filter_map(Value::as_u64)
                .map(|n| n as usize)
                .collect(),
            None => bail!("{name} is not in the table"),
        };
        if let Err(e) = scope.native(module, api, data, &sizes) {
            wrong.push(format!("{name}: {e:#}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    device.close()
}

#[cfg(test)]
mod tests {
    #[test]
    fn requests_are_those_of_the_examples() {
        super::compare_requests().unwrap();
    }

    #[test]
    fn messages_are_those_of_the_examples() {
        super::compare_messages().unwrap();
    }
}
