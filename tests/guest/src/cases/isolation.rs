// SPDX-License-Identifier: MIT OR Apache-2.0

//! K2: clients on one card, of which one means the other harm, on a card whose service checks nothing itself: it
//! trusts every caller (switch `service.trust`).  What keeps them apart is the driver.

use std::io;
use std::time::Duration;

use anyhow::{bail, ensure, Context as _, Result};
use ax650::media::{Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Pool};
use ax650::proto::axclrpc::native::{DmadimApi, IvpsApi, Module, SysApi, VdecApi, VencApi};
use ax650::proto::axclrpc::{self, engine, memory, native, runtime};
use ax650::{Card, Kind, Model};
use ax650_uapi::{AX650_STEP_COPY_FROM_CARD, AX650_STEP_COPY_TO_CARD, AX650_STEP_PIPELINED};
use serde_json::{json, Value};

use crate::case::Context;
use crate::client::{canary, pattern, Buffer, Client};
use crate::process::{self, End};
use crate::{frame, kernel, onnx, runner};

crate::cases!["isolation":
    K2_memory_of_others_is_out_of_reach,
    K2_memory_is_given_back_when_nobody_uses_it { timeout_s: 90 },
    K31_copies_that_outlive_their_jobs_keep_their_memory { timeout_s: 90 },
    K2_memory_goes_with_its_session,
    K2_codecs_and_pools_of_others { timeout_s: 90 },
    K2_models_of_others,
    K2_calls_of_unknown_layout_are_privileged,
];

const SIZE: usize = 16 << 10;
const SOON: Duration = Duration::from_secs(20);

/// Runs `f` as an ordinary user who has a session of their own.
fn as_a_stranger(f: impl FnOnce(&mut Client) -> Result<()>) -> Result<()> {
    let child = process::fork(|| {
        let mut client = Client::new(0)?;
        process::become_user(1000)?;
        f(&mut client)
    })?;
    let end = child.wait(SOON * runner::slowness())?;
    ensure!(end == End::Exit(0), "{end:?}, see the console");
    Ok(())
}

/// Nothing of this may reach the card: SUBMIT refuses it with `errno`.
fn refused(errno: i32, what: &str, result: io::Result<u64>) -> Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(errno) => Ok(()),
        Err(error) => bail!("{what}: {error}, and not errno {errno}"),
        Ok(_) => bail!("{what}: accepted"),
    }
}

/// What is said of things of others.
fn not_given(what: &str, result: io::Result<u64>) -> Result<()> {
    refused(libc::EACCES, what, result)
}

/// Queues one call with this body.
fn submit(client: &mut Client, kind: Kind, body: axclrpc::RequestBody) -> io::Result<u64> {
    let header = client.header(kind, 0);
    let frame = frame::request(header, body);
    client.submit(&[client.call_step(&frame, 0, 4096)])
}

fn memory_body(address: u64, size: u32, from: u64) -> memory::RequestBody {
    memory::RequestBody {
        addr: address,
        size: Some(size),
        from: Some(from),
        ..Default::default()
    }
}

fn memory_call(
    client: &mut Client,
    api: memory::Api,
    body: memory::RequestBody,
) -> io::Result<u64> {
    submit(client, frame::kind_of_memory(api), frame::memory(api, body))
}

fn native_body(module: Module, api: i32, blobs: &[&[u8]]) -> axclrpc::RequestBody {
    use native::request_body::Kind as Call;
    let data = blobs.iter().map(|blob| blob.to_vec()).collect();
    let call = match module {
        Module::Sys => Call::Sys(native::SysRequest { api, data }),
        Module::Vdec => Call::Vdec(native::VdecRequest { api, data }),
        Module::Venc => Call::Venc(native::VencRequest { api, data }),
        Module::Ivps => Call::Ivps(native::IvpsRequest { api, data }),
        Module::Ive => Call::Ive(native::IveRequest { api, data }),
        Module::Engine => Call::Engine(native::EngineRequest { api, data }),
        Module::Dmadim => Call::Dmadim(native::DmadimRequest { api, data }),
        Module::Dsp => Call::Dsp(native::DspRequest { api, data }),
    };
    axclrpc::RequestBody {
        kind: Some(axclrpc::request_body::Kind::Native(native::Request {
            head: Some(native::Head {
                module: module.into(),
            }),
            body: Some(native::RequestBody { kind: Some(call) }),
        })),
    }
}

fn native_call(client: &mut Client, module: Module, api: i32, blobs: &[&[u8]]) -> io::Result<u64> {
    let body = native_body(module, api, blobs);
    submit(client, Kind::native(module.into(), api), body)
}

fn engine_call(
    client: &mut Client,
    api: engine::ApiKind,
    body: engine::RequestBody,
) -> io::Result<u64> {
    let request = engine::Request {
        head: Some(engine::Head { api: api.into() }),
        body: Some(body),
    };
    let kind = runtime::request_body::Kind::Engine(request);
    let kind_number = Kind::engine(api.into());
    submit(
        client,
        kind_number,
        frame::runtime(runtime::Module::Engine, kind),
    )
}

/// Tensors for a run.
fn tensors(input: (u64, u64), output: (u64, u64)) -> engine::IoDesc {
    let one = |(address, size)| vec![engine::Desc { address, size }];
    engine::IoDesc {
        inputs: one(input),
        outputs: one(output),
        batch: 1,
    }
}

/// A picture at this address, of pages.
fn picture(luma: u64, side: u32) -> [u8; 240] {
    let mut frame = [0; 240];
    for (at, word) in [(0, side), (4, side), (8, 3), (32, side), (36, side)] {
        frame[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    frame[56..64].copy_from_slice(&luma.to_le_bytes());
    frame
}

/// All that takes an address, with one that is not the client's, and `own`, which is.
fn try_everything(client: &mut Client, buffer: &Buffer, own: u64, bad: (u64, u32)) -> Result<()> {
    use memory::Api::{Cmp, Flush, Free, Invalidate, Set, Sync};
    let (address, size) = bad;
    let what = |name: &str| format!("{name}, {size} bytes at {address:#x}");
    for (name, op) in [
        ("copy to the card", AX650_STEP_COPY_TO_CARD),
        ("copy from the card", AX650_STEP_COPY_FROM_CARD),
    ] {
        let step = client.copy_step(op, buffer, 0, address, size as usize);
        not_given(&what(name), client.submit(&[step]))?;
        // Behind a good step too.
        let good = client.copy_step(op, buffer, 0, own, 16);
        not_given(&what(name), client.submit(&[good, step]))?;
    }
    for api in [Flush, Invalidate, Set] {
        let body = memory_body(address, size, 0);
        not_given(&what(api.as_str_name()), memory_call(client, api, body))?;
    }
    for api in [Sync, Cmp] {
        for (to, from) in [(own, address), (address, own)] {
            let body = memory_body(to, size, from);
            not_given(&what(api.as_str_name()), memory_call(client, api, body))?;
        }
    }
    let body = memory_body(address, 0, 0);
    not_given(&what("free"), memory_call(client, Free, body))?;

    let (place, mine, len) = (
        address.to_le_bytes(),
        own.to_le_bytes(),
        u64::from(size).to_le_bytes(),
    );
    for (from, to) in [(&place, &mine), (&mine, &place)] {
        for (module, api) in [
            (Module::Dmadim, DmadimApi::AxDmaMemCopy as i32),
            (Module::Ivps, IvpsApi::AxIvpsCmmCopyTdp as i32),
            (Module::Ivps, IvpsApi::AxIvpsCmmCopyVpp as i32),
            (Module::Ivps, IvpsApi::AxIvpsCmmCopyVgp as i32),
        ] {
            let blobs: [&[u8]; 3] = [from, to, &len];
            not_given(
                &what("copy on the card"),
                native_call(client, module, api, &blobs),
            )?;
        }
    }
    let set: [&[u8]; 3] = [&place, &[0], &len];
    let set = native_call(client, Module::Dmadim, DmadimApi::AxDmaMemSet as i32, &set);
    not_given(&what("set"), set)?;
    let sum: [&[u8]; 2] = [&place, &len];
    let sum = native_call(
        client,
        Module::Dmadim,
        DmadimApi::AxDmaCheckSum as i32,
        &sum,
    );
    not_given(&what("sum"), sum)?;

    let load = engine::RequestBody {
        address: Some(address),
        size: Some(size.into()),
        ..Default::default()
    };
    not_given(
        &what("load a model"),
        engine_call(client, engine::ApiKind::LoadModel, load),
    )?;
    // A JPEG picture from there, and to there.
    const PICTURE: u64 = 16 * 24;
    let is_own = |to: u64| to >= own && to + PICTURE <= own + SIZE as u64;
    for (from, to) in [(address, own), (own, address)] {
        if is_own(to) && from == own {
            continue;
        }
        let mut one = [0; 296];
        one[28..32].copy_from_slice(&size.to_le_bytes());
        one[40..48].copy_from_slice(&from.to_le_bytes());
        one[56..288].copy_from_slice(&picture(to, 16)[..232]);
        // NV12
        one[292] = 3;
        let api = VdecApi::AxVdecJpegDecodeOneFrame as i32;
        not_given(
            &what("JPEG"),
            native_call(client, Module::Vdec, api, &[&one]),
        )?;
    }
    Ok(())
}

fn fill(client: &mut Client, address: u64, seed: u64) -> Result<()> {
    let buffer = client.buffer(SIZE)?;
    buffer.map.write(0, &pattern(SIZE, seed));
    let step = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, SIZE);
    client.run(&[step])?;
    client.give_up(buffer)
}

fn is_whole(client: &mut Client, address: u64, seed: u64) -> Result<()> {
    let buffer = client.buffer(SIZE)?;
    let step = client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, SIZE);
    client.run(&[step])?;
    ensure!(
        buffer.map.read(0, SIZE) == pattern(SIZE, seed),
        "memory at {address:#x} was changed"
    );
    client.give_up(buffer)
}

/// Whatever takes an address takes only those that the card has given to this very session.
fn K2_memory_of_others_is_out_of_reach(context: &mut Context) -> Result<()> {
    context.host.switch(0, "service.trust", true)?;
    let mut victim = Client::new(0)?;
    let theirs = [victim.malloc(SIZE as u32)?, victim.malloc(SIZE as u32)?];
    for (address, seed) in theirs.into_iter().zip(1..) {
        fill(&mut victim, address, seed)?;
    }
    as_a_stranger(|client| {
        let own = client.malloc(SIZE as u32)?;
        let buffer = client.buffer(2 * SIZE)?;
        let end = own + SIZE as u64;
        for bad in [
            (theirs[0], SIZE as u32),
            (theirs[0] + 64, 16),
            (theirs[1] + SIZE as u64 - 1, 1),
            (theirs[0], 2 * SIZE as u32),
            // Just before and behind what is its own, and beyond.
            (own - 16, 16),
            (own - 1, 2),
            (end, 16),
            (end - 1, 2),
            (own + 1, SIZE as u32),
            // Nobody's, and where the card's own system may be.
            (0x1_0000_0000, 4096),
            (0x8_0000_0000, 4096),
        ] {
            try_everything(client, &buffer, own, bad)?;
        }
        // Windows to the host, and registers of the card.
        for address in [0x5100_0000, 0x0420_0050, 0x4038_0000, 0] {
            let step = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, 16);
            refused(libc::EPERM, "a copy beside memory", client.submit(&[step]))?;
            let body = memory_body(address, 16, own);
            let set = memory_call(client, memory::Api::Set, body);
            refused(libc::EPERM, "memset beside memory", set)?;
        }
        // Its own, whole and in part, is good for everything.
        fill(client, own, 9)?;
        is_whole(client, own, 9)?;
        let body = memory_body(own + 100, 50, own + 1000);
        ensure!(client.memory(memory::Api::Sync, body)?.0 == 0);
        ensure!(client.free(own)? == 0);
        client.works()
    })?;
    for (address, seed) in theirs.into_iter().zip(1..) {
        is_whole(&mut victim, address, seed)?;
        ensure!(victim.free(address)? == 0);
    }
    context.host.clear(0)?;
    victim.works()
}

/// What was given back is soon another's: so not while anything that is under way names it, and nothing names it
/// afterwards.
fn K2_memory_is_given_back_when_nobody_uses_it(context: &mut Context) -> Result<()> {
    use memory::Api::{Free, Set};
    let mut client = Client::new(0)?;
    let buffer = client.buffer(SIZE)?;
    let free_frame = |client: &mut Client, address| {
        let header = client.header(frame::kind_of_memory(Free), 0);
        frame::request(header, frame::memory(Free, memory_body(address, 0, 0)))
    };

    let address = client.malloc(SIZE as u32)?;
    not_given(
        "free a part",
        memory_call(&mut client, Free, memory_body(address + 4096, 0, 0)),
    )?;
    ensure!(client.free(address)? == 0);
    let step = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, 16);
    not_given("a copy to freed memory", client.submit(&[step]))?;
    let again = memory_call(&mut client, Free, memory_body(address, 0, 0));
    not_given("free again", again)?;

    // In one job: behind its uses, if it waits for them; nothing uses it behind that.
    let address = client.malloc(SIZE as u32)?;
    let free = free_frame(&mut client, address);
    let copy = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, SIZE);
    let free_step = client.call_step(&free, 0, 4096);
    let mut along = free_step;
    along.flags = AX650_STEP_PIPELINED;
    refused(
        libc::EBUSY,
        "free beside a copy",
        client.submit(&[copy, along]),
    )?;
    not_given("a copy behind free", client.submit(&[free_step, copy]))?;
    client.run(&[copy, free_step])?;

    // In another job, which could be sent first.
    let address = client.malloc(SIZE as u32)?;
    context.host.switch(0, "dma.stall_ms", 300)?;
    let copy = client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, SIZE);
    let job = client.submit(&[copy])?;
    let body = memory_body(address, 0, 0);
    refused(
        libc::EBUSY,
        "free under a copy",
        memory_call(&mut client, Free, body),
    )?;
    client.finish(job, 1)?;
    context.host.clear(0)?;
    ensure!(client.free(address)? == 0);

    // A call whose time is over may go on: until its late answer its memory stays.
    let address = client.malloc(SIZE as u32)?;
    context.host.switch(0, "rpc.delay_ms", 2000)?;
    let header = client.header(frame::kind_of_memory(Set), 0);
    let set = frame::request(header, frame::memory(Set, memory_body(address, 64, 0)));
    let deadline = kernel::now_ns() + 100_000_000;
    let steps = [client.call_step(&set, 0, 4096)];
    let job = client.submit_until(&steps, deadline)?;
    let (wait, _) = client.wait(job, 1, SOON)?;
    ensure!(wait.status == -libc::ETIME, "{wait:?}");
    context.host.clear(0)?;
    // From another stream: that one would not have to wait for it.
    let header = client.header(frame::kind_of_memory(Free), 0);
    let mut elsewhere = header;
    elsewhere.place.stream = 7;
    let free = frame::request(elsewhere, frame::memory(Free, memory_body(address, 0, 0)));
    let result = client.submit(&[client.call_step(&free, 0, 4096)]);
    refused(libc::EBUSY, "free under a late call", result)?;
    // Its number is not free either: an answer to a second call could be taken for its own.
    let result = client.submit(&steps);
    refused(libc::EEXIST, "the number of a late call", result)?;
    kernel::until("the late answer", SOON, || {
        Ok(client.card.counters()?.late_replies > 0)
    })?;
    ensure!(client.free(address)? == 0);
    client.works()
}

/// The driver brings a copy to its end although the job's time is over: until then its memory is nobody else's.
fn K31_copies_that_outlive_their_jobs_keep_their_memory(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let buffer = client.buffer(SIZE)?;
    for op in [AX650_STEP_COPY_TO_CARD, AX650_STEP_COPY_FROM_CARD] {
        let address = client.malloc(SIZE as u32)?;
        context.host.switch(0, "dma.stall_ms", 3000)?;
        let step = client.copy_step(op, &buffer, 0, address, SIZE);
        let job = client.submit_until(&[step], kernel::now_ns() + 200_000_000)?;
        let (wait, _) = client.wait(job, 1, SOON)?;
        ensure!(wait.status == -libc::ETIME, "{wait:?}");
        let free = |client: &mut Client| {
            memory_call(client, memory::Api::Free, memory_body(address, 0, 0))
        };
        refused(libc::EBUSY, "free under a copy", free(&mut client))?;
        context.host.clear(0)?;
        let mut job = None;
        kernel::until("the end of the copy", SOON, || match free(&mut client) {
            Ok(number) => {
                job = Some(number);
                Ok(true)
            }
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => Ok(false),
            Err(e) => Err(e.into()),
        })?;
        client.finish(job.context("free")?, 1)?;
        ensure!(client.card.counters()?.session_resets == 0);
    }
    client.works()
}

/// An address is no good in the next session, whatever the card has there now.
fn K2_memory_goes_with_its_session(context: &mut Context) -> Result<()> {
    context.host.switch(0, "service.trust", true)?;
    let mut first = Client::new(0)?;
    let address = first.malloc(SIZE as u32)?;
    fill(&mut first, address, 3)?;
    let card = first.card;
    card.end_session(first.session.session)?;
    let mut second = Client::on(card)?;
    let buffer = second.buffer(SIZE)?;
    let step = second.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, SIZE);
    not_given("memory of the session before", second.submit(&[step]))?;
    context.host.clear(0)?;
    second.works()
}

/// All numbers that an entry of this name has in the card's state.
fn numbers(state: &Value, name: &str, found: &mut Vec<u64>) {
    match state {
        Value::Object(map) => {
            for (key, value) in map {
                if key == name {
                    found.extend(value.as_u64());
                }
                numbers(value, name, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| numbers(value, name, found)),
        _ => {}
    }
}

/// Groups, channels, pools and blocks are numbers that anybody can guess.
fn K2_codecs_and_pools_of_others(context: &mut Context) -> Result<()> {
    context.host.switch(0, "service.trust", true)?;
    let session = Card::open_first()?.session()?;
    let config = EncoderConfig::new(Codec::H264, 128, 128);
    let encoder = Encoder::new(&session, &config)?;
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 128, 128))?;
    let pool = Pool::new(&session, 128 << 10, 2)?;
    let block = pool.block()?.context("no block")?;
    let (handle, address) = (block.handle().to_le_bytes(), block.address());
    let victim_memory = ax650::CardMemory::new(&session.stream(), SIZE as u64)?;
    victim_memory.set(0x5a)?;
    let theirs = victim_memory.address();
    as_a_stranger(|client| {
        let own = client.malloc(256 << 10)?;
        let buffer = client.buffer(4096)?;
        let (four, mut stream) = ([0; 4], [0; 56]);
        stream[20] = 1;
        for number in 0..4_u32 {
            let number = number.to_le_bytes();
            let frame = picture(own, 128);
            let mut forged = picture(address, 128);
            forged[164..168].copy_from_slice(&handle);
            let mut packet = [0; 1200];
            packet[..8].copy_from_slice(&address.to_le_bytes());
            let vdec: [(VdecApi, Vec<&[u8]>); 8] = [
                (VdecApi::AxVdecQueryStatus, vec![&number]),
                (VdecApi::AxVdecStopRecvStream, vec![&number]),
                (VdecApi::AxVdecResetGrp, vec![&number]),
                (VdecApi::AxVdecDisableChn, vec![&number, &four]),
                (
                    VdecApi::AxVdecSendStream,
                    vec![&number, &stream, &four, &[]],
                ),
                (VdecApi::AxVdecGetChnFrame, vec![&number, &four, &four]),
                (
                    VdecApi::AxVdecReleaseChnFrame,
                    vec![&number, &four, &forged],
                ),
                (VdecApi::AxVdecDestroyGrp, vec![&number]),
            ];
            for (api, blobs) in vdec {
                let result = native_call(client, Module::Vdec, api as i32, &blobs);
                not_given(api.as_str_name(), result)?;
            }
            let venc: [(VencApi, Vec<&[u8]>); 6] = [
                (VencApi::AxVencQueryStatus, vec![&number]),
                (VencApi::AxVencStopRecvFrame, vec![&number]),
                (VencApi::AxVencSendFrame, vec![&number, &frame, &four]),
                (VencApi::AxVencGetStream, vec![&number, &four]),
                (VencApi::AxVencReleaseStream, vec![&number, &packet]),
                (VencApi::AxVencDestroyChn, vec![&number]),
            ];
            for (api, blobs) in venc {
                let result = native_call(client, Module::Venc, api as i32, &blobs);
                not_given(api.as_str_name(), result)?;
            }
            let size = 4096_u64.to_le_bytes();
            let sys: [(SysApi, Vec<&[u8]>); 3] = [
                (SysApi::AxPoolDestroyPool, vec![&number]),
                (SysApi::AxPoolGetBlock, vec![&number, &size, &[]]),
                (SysApi::AxPoolHandle2PhysAddr, vec![&number]),
            ];
            for (api, blobs) in sys {
                let result = native_call(client, Module::Sys, api as i32, &blobs);
                not_given(api.as_str_name(), result)?;
            }
        }
        for api in [
            SysApi::AxPoolReleaseBlock,
            SysApi::AxPoolHandle2PhysAddr,
            SysApi::AxPoolHandle2BlkSize,
        ] {
            let result = native_call(client, Module::Sys, api as i32, &[&handle]);
            not_given(api.as_str_name(), result)?;
        }
        // Neither may the image processor read what is another's, nor write it.
        let (mine, stolen) = (picture(own, 128), picture(address, 128));
        for (from, to) in [(&mine, &stolen), (&stolen, &mine)] {
            let (from, to, aspect) = (&from[..232], &to[..232], [0; 24]);
            let ivps: [(IvpsApi, Vec<&[u8]>); 6] = [
                (IvpsApi::AxIvpsCscTdp, vec![from, to]),
                (IvpsApi::AxIvpsCscVpp, vec![from, to]),
                (IvpsApi::AxIvpsCscVgp, vec![from, to]),
                (IvpsApi::AxIvpsCropResizeTdp, vec![from, to, &aspect]),
                (IvpsApi::AxIvpsCropResizeVpp, vec![from, to, &aspect]),
                (IvpsApi::AxIvpsCropResizeVgp, vec![from, to, &aspect]),
            ];
            for (api, blobs) in ivps {
                let result = native_call(client, Module::Ivps, api as i32, &blobs);
                not_given(api.as_str_name(), result)?;
            }
        }
        for (address, size) in [(address, 4096), (address + 4096, 16), (theirs, 16)] {
            let step = client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, size);
            not_given("a copy from another's block", client.submit(&[step]))?;
        }
        client.works()
    })?;
    drop(block);
    ensure!(decoder.status()?.received() == 0, "a packet of a stranger");
    let daemon = context.host.card(0, "daemon", json!({}))?.to_string();
    ensure!(daemon.contains("\"receiving\":true"), "{daemon}");
    drop((pool, decoder));
    let layout = encoder.layout();
    let buffer = session.buffer(layout.size())?;
    encoder.send(&buffer, 1)?;
    ensure!(matches!(
        encoder.receive(SOON)?,
        ax650::media::Received::Some(_)
    ));
    drop(encoder);
    session.settle(SOON)?;
    context.host.clear(0)?;
    canary(0)
}

/// A model of others can be neither run, nor asked, nor unloaded, and none be run on memory of others.
fn K2_models_of_others(context: &mut Context) -> Result<()> {
    use engine::ApiKind::{
        CreateContext, GetMemoryUsage, GetModelIoInfo, RunModel, SetAffinity, UnloadModel,
    };
    context.host.switch(0, "service.trust", true)?;
    let session = Card::open_first()?.session()?;
    let image = onnx::binary("Add", &["x", "x"], &["y"], 16);
    let model = Model::load_bytes(&session, &image)?;
    let victim = ax650::CardMemory::new(&session.stream(), 4096)?;
    victim.set(1)?;
    let theirs = victim.address();
    let mut handles = Vec::new();
    numbers(
        &context.host.card(0, "daemon", json!({}))?,
        "handle",
        &mut handles,
    );
    ensure!(!handles.is_empty(), "the card tells of no model");
    as_a_stranger(|client| {
        let own = client.malloc(4096)?;
        for &handle in &handles {
            for context in [handle + 1, 0] {
                let run = engine::RequestBody {
                    handle: Some(handle),
                    context: Some(context),
                    io: Some(tensors((own, 64), (own + 64, 64))),
                    ..Default::default()
                };
                not_given("run", engine_call(client, RunModel, run))?;
            }
            for api in [
                CreateContext,
                GetModelIoInfo,
                GetMemoryUsage,
                SetAffinity,
                UnloadModel,
            ] {
                let body = engine::RequestBody {
                    handle: Some(handle),
                    affinity: Some(1),
                    ..Default::default()
                };
                not_given(api.as_str_name(), engine_call(client, api, body))?;
            }
        }
        client.works()
    })?;
    // The stranger has a model too, and names tensors that are not theirs.
    let child = process::fork(|| {
        let card = Card::open_first()?;
        let session = card.session()?;
        process::become_user(1000)?;
        let model = Model::load_bytes(&session, &image)?;
        let out = model.run_bytes(&[&[0; 64]])?;
        ensure!(out[0] == [0; 64]);
        let binding = model.bind(0)?;
        binding.run()?;
        let mine = ax650::CardMemory::new(&session.stream(), 4096)?;
        let buffer = session.buffer(4096)?;
        let stream = session.stream();
        let part = ax650::Part::from_card(&buffer, 0..64, theirs);
        let job = stream.job().then(part);
        let error = job.run().err().context("a copy of another's tensor")?;
        ensure!(error.to_string().contains("not given"), "{error}");
        mine.set(3)?;
        Ok(())
    })?;
    let end = child.wait(SOON * runner::slowness())?;
    ensure!(end == End::Exit(0), "{end:?}, see the console");
    let out = model.run_bytes(&[&2.0_f32.to_le_bytes().repeat(16)])?;
    ensure!(out[0] == 4.0_f32.to_le_bytes().repeat(16));
    context.host.clear(0)?;
    canary(0)
}

/// Who knows what a call does may make it; the driver does not, so it lets the administrator's programs only.
fn K2_calls_of_unknown_layout_are_privileged(_: &mut Context) -> Result<()> {
    as_a_stranger(|client| {
        let (four, eight) = ([0; 4], [0; 8]);
        let calls: [(Module, i32, Vec<&[u8]>); 10] = [
            (
                Module::Sys,
                SysApi::AxSysMemAlloc as i32,
                vec![&eight, &four, &four, &[]],
            ),
            (Module::Sys, SysApi::AxSysMmap as i32, vec![&eight, &four]),
            (Module::Sys, SysApi::AxPoolExit as i32, vec![]),
            (
                Module::Sys,
                SysApi::AxPoolPhysAddr2Handle as i32,
                vec![&eight],
            ),
            (
                Module::Vdec,
                VdecApi::AxVdecCreateGrp as i32,
                vec![&four, &[0; 56]],
            ),
            (Module::Vdec, VdecApi::AxVdecDeinit as i32, vec![]),
            (
                Module::Venc,
                VencApi::AxVencSendFrameEx as i32,
                vec![&four, &[0; 1176], &four],
            ),
            (
                Module::Ivps,
                IvpsApi::AxIvpsCreateGrp as i32,
                vec![&four, &eight],
            ),
            (
                Module::Ivps,
                IvpsApi::AxIvpsFlipAndRotationTdp as i32,
                vec![&[0; 232], &four, &four, &[0; 232]],
            ),
            (
                Module::Dmadim,
                DmadimApi::AxDmaMemCopyXd as i32,
                vec![&[0; 56], &four],
            ),
        ];
        for (module, api, blobs) in calls {
            let result = native_call(client, module, api, &blobs);
            let what = format!("call {api} of {}", module.as_str_name());
            refused(libc::EPERM, &what, result)?;
        }
        // A known call with one of its structures out of the ordinary.
        let mut group = [0; 56];
        group[32..40].copy_from_slice(&0x1_4100_0000_u64.to_le_bytes());
        let api = VdecApi::AxVdecCreateGrpEx as i32;
        let result = native_call(client, Module::Vdec, api, &[&group]);
        refused(
            libc::EPERM,
            "a buffer of the client's for a decoder",
            result,
        )?;
        client.works()
    })
}
