// SPDX-License-Identifier: MIT OR Apache-2.0

//! A runtime over the legacy nodes at work: copies of all shapes, models, codec, threads, processes,
//! and what it costs on the bus.

use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::{Context, HIGH_MEMORY, NONCOHERENT, SWIOTLB, USUAL};
use ax650_test_kit::costs::count;
use ax650_test_kit::process::{self, End};
use ax650_test_kit::{kernel, onnx};
use serde_json::json;

use super::support::{all_gone, canary, card, digits};
use crate::client::{pattern, Cut, Decoder, Device, Encoder, Picture, Scope, Settings};
use crate::node::buffer::BufferNode;
use crate::rpc::engine::ApiKind;
use crate::rpc::system;

ax650_test_kit::cases!["axcl_runtime":
    open_work_close,
    buffers_of_several_sizes { timeout_s: 90 },
    copies_from_a_byte_to_windows {
        machines: &[USUAL, HIGH_MEMORY, SWIOTLB, NONCOHERENT], timeout_s: 120,
    },
    copies_to_odd_places { timeout_s: 90 },
    host_windows_of_many_shapes { timeout_s: 180 },
    card_windows_of_many_sizes { timeout_s: 150 },
    copies_with_bus_addresses { machines: &[USUAL, HIGH_MEMORY], timeout_s: 90 },
    the_card_has_what_was_copied,
    model,
    model_of_two_tensors_each_way,
    model_on_another_stream,
    encode_and_decode { timeout_s: 150 },
    threads_at_work { timeout_s: 150 },
    processes_at_work { timeout_s: 150 },
    both_doors_at_work { timeout_s: 120 },
    costs_of_calls { timeout_s: 90 },
];

/// The whole way, several times in one process.
fn open_work_close(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    for round in 0..10 {
        let device = Device::open().with_context(|| format!("round {round}"))?;
        device
            .scope()
            .works()
            .with_context(|| format!("round {round}"))?;
        if round % 2 == 0 {
            device.close()?;
        }
    }
    all_gone(&host, id)?;
    // Two connections of one process at the same time.
    let (one, two) = (Device::open()?, Device::open()?);
    one.scope().works()?;
    two.scope().works()?;
    one.close()?;
    two.scope().works()?;
    two.close()
}

fn there_and_back(scope: &Scope<'_>, size: usize, seed: u64) -> Result<()> {
    let data = pattern(size, seed);
    let at = scope.malloc(size as u32)?;
    scope.write(at, &data)?;
    let back = scope.read(at, size)?;
    let wrong = back.iter().zip(&data).position(|(a, b)| a != b);
    ensure!(
        wrong.is_none() && back.len() == size,
        "{size} bytes: {} came back, the first wrong one is at {wrong:?}",
        back.len()
    );
    scope.free(at)
}

/// `dma_buf_size` of Axera's configuration file.
fn buffers_of_several_sizes(_: &mut Context) -> Result<()> {
    for buffer_size in [1 << 20, (1 << 20) + 4096, 3 << 20, 8 << 20, 12_345_678] {
        let settings = Settings {
            buffer_size,
            ..Settings::default()
        };
        let device = Device::open_with(settings).with_context(|| format!("{buffer_size} bytes"))?;
        let scope = device.scope();
        for size in [1, buffer_size as usize - 1, buffer_size as usize, 9_000_001] {
            there_and_back(&scope, size, u64::from(buffer_size))
                .with_context(|| format!("through {buffer_size} bytes"))?;
        }
        scope.echo(&pattern(2_000_000, 2))?;
        device.close()?;
    }
    Ok(())
}

/// One byte to several windows.
fn copies_from_a_byte_to_windows(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    let near = |n: usize| [n - 1, n, n + 1];
    let mut sizes: Vec<usize> = (1..=70).collect();
    for power in [7, 8, 9, 10, 12, 14, 16, 18, 20, 21, 22, 23] {
        sizes.extend(near(1 << power));
    }
    sizes.extend([6_000_000, 12_345_678]);
    for size in sizes {
        there_and_back(&scope, size, size as u64)?;
    }
    device.close()
}

/// Any offset in card memory; what lies around stays.
fn copies_to_odd_places(_: &mut Context) -> Result<()> {
    const SIZE: usize = 300_000;
    let device = Device::open()?;
    let scope = device.scope();
    let at = scope.malloc(SIZE as u32)?;
    let mut expected = pattern(SIZE, 1);
    scope.write(at, &expected)?;
    let mut state = 12345_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        (state >> 33) as usize % below
    };
    for round in 0..60_u64 {
        let begin = random(SIZE - 1);
        let len = 1 + random((SIZE - begin).min(70_000));
        let data = pattern(len, round + 2);
        scope.write(at + begin as u64, &data)?;
        expected[begin..begin + len].copy_from_slice(&data);
        let from = random(SIZE - 1);
        let len = 1 + random(SIZE - from);
        ensure!(
            scope.read(at + from as u64, len)? == expected[from..from + len],
            "round {round}: {len} bytes from {from}"
        );
    }
    ensure!(scope.read(at, SIZE)? == expected);
    scope.free(at)?;
    device.close()
}

/// Parts of all lengths, with and without gaps, unaligned, up to 64.
fn host_windows_of_many_shapes(_: &mut Context) -> Result<()> {
    let cut = |start, part, gap, parts| Cut {
        start,
        part,
        gap,
        parts,
    };
    for cut in [
        cut(1, usize::MAX, 0, 64),
        cut(4095, 4096, 0, 64),
        cut(0, 4096, 4096, 64),
        cut(0, 65_536, 0, 64),
        cut(3, 1000, 7, 64),
        cut(17, 1, 1, 64),
        cut(0, 1, 0, 1),
        cut(5, 100_001, 4095, 20),
        cut(100, 333, 3, 63),
    ] {
        let settings = Settings {
            cut,
            ..Settings::default()
        };
        let device = Device::open_with(settings).with_context(|| format!("{cut:?}"))?;
        let scope = device.scope();
        let capacity = device.capacity();
        // As many windows as do not take all day.
        let most = (capacity * 40).clamp(1, 1 << 20);
        for size in [1, 2, capacity, capacity + 1, 3 * capacity - 1, most] {
            let size = size.clamp(1, most);
            there_and_back(&scope, size, 7)
                .with_context(|| format!("a window of {capacity} bytes: {cut:?}"))?;
        }
        // Answers by P1 go through a window of the same shape.
        scope.echo(&pattern((capacity * 30).clamp(1100, 200_000), 3))?;
        device.close()?;
    }
    Ok(())
}

/// The card may have less room than the host.
fn card_windows_of_many_sizes(context: &mut Context) -> Result<()> {
    for limit in [1_u64, 100, 4097, 65_536, 1_000_000] {
        context.host.switch(0, "dma.short_list", limit)?;
        let device = Device::open()?;
        let most = (limit as usize * 50).min(3_000_000);
        for size in [1, 2, limit as usize, limit as usize + 1, most] {
            there_and_back(&device.scope(), size, limit)
                .with_context(|| format!("the card takes {limit} bytes at a time"))?;
        }
        device.close()?;
        context.host.clear(0)?;
    }
    canary()
}

/// Kinds 2 and 3, with contiguous buffers and places in them.
fn copies_with_bus_addresses(_: &mut Context) -> Result<()> {
    const SIZE: u32 = 2 << 20;
    let device = Device::open()?;
    let scope = device.scope();
    let file = BufferNode::open()?;
    let bus = file.allocate(device.id, SIZE, true)?;
    let map = file.map(0, SIZE as usize)?;
    let at = scope.malloc(SIZE)?;
    let mut expected = pattern(SIZE as usize, 1);
    map.write(0, &expected);
    scope.write_bus(at, bus, SIZE)?;
    ensure!(
        scope.read(at, SIZE as usize)? == expected,
        "bus address to card"
    );
    for (offset, len) in [(0, 1), (1, 1), (3, 5000), (4095, 2), (70_001, 1_000_003)] {
        let data = pattern(len, len as u64);
        map.write(offset, &data);
        scope.write_bus(at + 5, bus + offset as u64, len as u32)?;
        ensure!(
            scope.read(at + 5, len)? == data,
            "{len} bytes at {offset} to the card"
        );
        map.write(0, &vec![0xee; SIZE as usize]);
        scope.read_bus(at + 5, bus + offset as u64, len as u32)?;
        expected.fill(0xee);
        expected[offset..offset + len].copy_from_slice(&data);
        ensure!(
            map.read(0, SIZE as usize) == expected,
            "{len} bytes at {offset} from the card"
        );
    }
    scope.free(at)?;
    device.close()
}

/// By the card's own account, not by way of the driver.
fn the_card_has_what_was_copied(context: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    let at = scope.malloc(100_000)?;
    for seed in 1..5 {
        let data = pattern(100_000, seed);
        scope.write(at, &data)?;
        let place = json!({"address": at, "size": 100_000});
        let dram = context.host.card(0, "dram", place)?;
        let head = dram["head"].as_str().context("no head")?;
        let digits = digits(&data[..64]);
        ensure!(head == digits, "{head}, not {digits}");
    }
    scope.free(at)?;
    device.close()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Load, look at, run, unload.
fn model(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    scope.init_npu()?;
    let model = scope.load(&onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    ensure!(model.meta.inputs.len() == 1 && model.meta.outputs.len() == 1);
    let input = &model.meta.inputs[0];
    ensure!(input.name == "x", "{input:?}");
    ensure!(
        input.groups[0].size == 4000 && input.groups[0].dims == [1, 1000],
        "{input:?}"
    );
    for seed in 0..5 {
        let x: Vec<f32> = (0..1000).map(|n| (n * (seed + 1)) as f32 / 7.0).collect();
        let y: Vec<f32> = x.iter().map(|x| x + x).collect();
        let out = model.run(&scope, &[floats(&x)])?;
        ensure!(out == [floats(&y)], "run {seed}");
    }
    let of = |api| scope.of_model(api, model.handle);
    ensure!(of(ApiKind::GetModelVersion)?.model_version.is_some());
    ensure!(of(ApiKind::GetModelType)?.model_type.is_some());
    let usage = of(ApiKind::GetMemoryUsage)?;
    ensure!(
        usage.sys_usage.is_some() && usage.cmm_usage.is_some(),
        "{usage:?}"
    );
    let handle = model.handle;
    model.unload(&scope)?;
    let again = scope.of_model(ApiKind::UnloadModel, handle);
    ensure!(again.is_err(), "unloaded twice");
    scope.engine(ApiKind::FinalNpu, Default::default())?;
    device.close()
}

fn model_of_two_tensors_each_way(_: &mut Context) -> Result<()> {
    const LEN: usize = 5000;
    let device = Device::open()?;
    let scope = device.scope();
    scope.init_npu()?;
    let model = scope.load(&onnx::sum_and_product(LEN as u64))?;
    let a: Vec<f32> = (0..LEN).map(|n| n as f32).collect();
    let b: Vec<f32> = (0..LEN).map(|n| 3.0 - n as f32 / 8.0).collect();
    let pairs = || a.iter().zip(&b);
    let out = model.run(&scope, &[floats(&a), floats(&b)])?;
    let sum: Vec<f32> = pairs().map(|(a, b)| a + b).collect();
    let product: Vec<f32> = pairs().map(|(a, b)| a * b).collect();
    ensure!(out == [floats(&sum), floats(&product)]);
    model.unload(&scope)?;
    device.close()
}

/// Asynchronous execution is the same call on another stream; other calls go on.
fn model_on_another_stream(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    scope.init_npu()?;
    scope.control(&system::stream(true, 1, 2))?;
    let model = scope.load(&onnx::binary("Mul", &["x", "x"], &["y"], 64))?;
    for round in 0..10 {
        let x: Vec<f32> = (0..64).map(|n| (n + round) as f32).collect();
        model.put(&scope, &[floats(&x)])?;
        let run = crate::rpc::engine::call(ApiKind::RunModel, model.run_body());
        let pending = scope.on(2).begin(&run)?;
        scope.echo(b"meanwhile")?;
        let answer = scope.on(2).finish(pending)?;
        let answer = crate::rpc::engine::answer(ApiKind::RunModel, answer)?;
        ensure!(answer.status == 0, "{answer:?}");
        let y: Vec<f32> = x.iter().map(|x| x * x).collect();
        ensure!(model.get(&scope)? == [floats(&y)], "round {round}");
    }
    model.unload(&scope)?;
    scope.control(&system::stream(false, 1, 2))?;
    device.close()
}

/// Pictures into H.264 and back; each call in a context of its own.
fn encode_and_decode(_: &mut Context) -> Result<()> {
    const WIDTH: usize = 320;
    const HEIGHT: usize = 192;
    const COUNT: usize = 12;
    let device = Device::open()?;
    let pictures: Vec<Picture> = (0..COUNT)
        .map(|n| Picture::gradient(WIDTH, HEIGHT, n))
        .collect();
    let mut encoder = Encoder::new(device.context(2)?, WIDTH, HEIGHT)?;
    let packets = pictures
        .iter()
        .enumerate()
        .map(|(n, picture)| encoder.encode(picture, n as u64 * 1000))
        .collect::<Result<Vec<_>>>()?;
    encoder.close()?;
    let total: usize = packets.iter().map(Vec::len).sum();
    ensure!(total < COUNT * pictures[0].bytes.len() / 2, "{total} bytes");
    ensure!(packets[0].starts_with(&[0, 0, 0, 1]) || packets[0].starts_with(&[0, 0, 1]));
    let decoder = Decoder::new(device.context(3)?, WIDTH, HEIGHT)?;
    let mut seen = 0;
    for (n, packet) in packets.iter().enumerate() {
        decoder.send(packet, n as u64 * 1000)?;
    }
    decoder.send(&[], 0)?;
    while let Some((pts, picture)) = decoder.receive()? {
        ensure!(pts == seen as u64 * 1000, "picture {seen} has time {pts}");
        let quality = picture.psnr(&pictures[seen]);
        ensure!(quality > 30.0, "picture {seen}: {quality:.1} dB");
        seen += 1;
    }
    ensure!(seen == COUNT, "{seen} pictures of {COUNT}");
    decoder.close()?;
    device.close()
}

/// A context for each; copies share P0.
fn threads_at_work(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    std::thread::scope(|threads| -> Result<()> {
        let workers: Vec<_> = (2..8_u32)
            .map(|number| {
                let device = &device;
                threads.spawn(move || -> Result<()> {
                    let scope = device.context(number)?;
                    for round in 0..12_u64 {
                        let size = 1 + (u64::from(number) * 77_777 + round * 31_337) % 400_000;
                        there_and_back(&scope, size as usize, (u64::from(number) << 8) | round)?;
                        scope.echo(&pattern(size as usize / 100, round))?;
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
    ensure!(device.strays().is_empty(), "{:?}", device.strays());
    device.close()
}

/// Several at once, some of which die.
fn processes_at_work(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let work = |number: u64| {
        move || -> Result<()> {
            let device = Device::open()?;
            for round in 0..15 {
                let size = 1 + (number * 99_991 + round * 55_555) % 500_000;
                there_and_back(&device.scope(), size as usize, number * 100 + round)?;
                device.scope().echo(&pattern(3000, number * 100 + round))?;
            }
            device.close()
        }
    };
    let workers = (0..4)
        .map(|n| process::fork(work(n)))
        .collect::<Result<Vec<_>>>()?;
    let mut victims = Vec::new();
    for _ in 0..3 {
        victims.push(process::fork(|| {
            let device = Device::open()?;
            loop {
                there_and_back(&device.scope(), 300_000, 5)?;
            }
        })?);
    }
    std::thread::sleep(Duration::from_millis(700));
    for victim in victims {
        let end = victim.kill(Duration::from_secs(20))?;
        ensure!(end == End::Signal(libc::SIGKILL), "a victim: {end:?}");
    }
    for worker in workers {
        let end = worker.wait(Duration::from_secs(100) * kernel::slowness())?;
        ensure!(end == End::Exit(0), "{end:?}, see the console");
    }
    all_gone(&host, id)?;
    canary()
}

/// A program of the native interface beside one of the legacy nodes.
fn both_doors_at_work(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    for round in 0..3 {
        let mut native = std::process::Command::new("ax650")
            .arg("info")
            .stdout(std::process::Stdio::null())
            .spawn()
            .context("ax650 info")?;
        while native.try_wait()?.is_none() {
            device
                .scope()
                .works()
                .with_context(|| format!("round {round}"))?;
        }
        ensure!(native.wait()?.success(), "ax650 info");
    }
    device.close()
}

/// Doorbells, interrupts and register accesses: never more than with Axera's driver.
fn costs_of_calls(context: &mut Context) -> Result<()> {
    type Costs = [u64; 3];
    fn costs(context: &mut Context, mut f: impl FnMut() -> Result<()>) -> Result<Costs> {
        let mut best = [u64::MAX; 3];
        // The driver's own calls come in between now and then.
        for _ in 0..7 {
            let now = count(context, 1, &mut f)?;
            best = best.min([now.doorbells, now.interrupts, now.registers()]);
        }
        Ok(best)
    }
    let check = |what: &str, costs: Costs, axera: Costs| -> Result<()> {
        eprintln!("{what}: {costs:?}, Axera's driver {axera:?}");
        ensure!(
            costs
                .iter()
                .zip(axera)
                .all(|(ours, theirs)| *ours <= theirs),
            "{what}: {costs:?}, Axera's driver {axera:?}"
        );
        // A bell may serve for a message of another's.
        ensure!(
            costs.iter().any(|&cost| cost > 0),
            "{what}: nothing was counted"
        );
        Ok(())
    };
    let mut open = Vec::new();
    let opened = costs(context, || {
        open.push(Device::open()?);
        Ok(())
    })?;
    check("open", opened, [4, 3, 16])?;
    drop(open);
    let device = Device::open()?;
    let scope = device.scope();
    let small = costs(context, || scope.echo(b"small"))?;
    check("small call", small, [1, 1, 4])?;
    let at = scope.malloc(8 << 20)?;
    for (windows, to, from) in [(1, [3, 2, 12], [4, 1, 16]), (2, [4, 3, 16], [5, 2, 20])] {
        let data = pattern((windows * 4) << 20, 1);
        let there = costs(context, || scope.write(at, &data))?;
        check(&format!("{windows} windows to the card"), there, to)?;
        let back = costs(context, || scope.read(at, data.len()).map(drop))?;
        check(&format!("{windows} windows from the card"), back, from)?;
    }
    let data = pattern(5000, 1);
    let long = costs(context, || scope.echo(&data))?;
    // There and back.
    check("long frame", long, [4, 4, 16])?;
    device.close()
}
