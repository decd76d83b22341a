// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures that are decoded, scaled, converted and looked at without leaving the card.

use std::process::Command;
use std::time::Duration;

use anyhow::{bail, ensure, Context as _, Result};
use ax650::media::{
    CardImage, Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, ImageEngine, ImageProcessor,
    Inference, Letterbox, Packet, PictureRunner, Pipeline, PipelineConfig, RateControl, Received,
    RunnerConfig,
};
use ax650::vision::{floats, BoxFinder, Detection};
use ax650::{Card, DataType, Model, Session};
use ax650_test_kit::costs;
use serde_json::{json, Value};

use crate::case::{Context, STOCK};
use crate::client::canary;
use crate::runner;

crate::cases!["pipeline":
    pictures_stay_on_the_card { timeout_s: 90, kernels: STOCK },
    channels_share_a_model { timeout_s: 90, kernels: STOCK },
    errors_of_a_stage_free_the_rest,
    detect_from_the_command_line { timeout_s: 60, kernels: STOCK },
];

/// Finds coloured squares: see tests/onnx/colours.py.
const COLOURS: &[u8] = include_bytes!("../../../../userlib/tests/data/colours.onnx");
const SOON: Duration = Duration::from_secs(20);

fn soon() -> Duration {
    SOON * runner::slowness()
}

/// Side of the squares in pictures of this size: the model sees all pictures as 128 pixels wide.
fn side(size: (u32, u32)) -> u32 {
    size.0 / 5
}

/// Where the square of picture `n` is, and its class: red, green, blue.
fn square(n: u32, size: (u32, u32)) -> (u32, u32, usize) {
    let side = side(size);
    let (x, y) = (
        16 + 24 * n % (size.0 - side - 16),
        32 + 8 * n % (size.1 - side - 32),
    );
    (x & !1, y & !1, n as usize / 4 % 3)
}

/// Picture number `n`: grey, with a coloured square.
fn put(encoder: &Encoder, bytes: &mut [u8], n: u32) {
    // Luma, blue and red of BT.601.
    const COLOURS: [[u8; 3]; 3] = [[81, 90, 240], [145, 54, 34], [41, 240, 110]];
    let layout = encoder.layout();
    let size = (layout.width, layout.height);
    let (left, top, class) = square(n, size);
    let side = side(size);
    let inside = |x: usize, y: usize| {
        (left..left + side).contains(&(x as u32)) && (top..top + side).contains(&(y as u32))
    };
    for (at, row) in layout.rows_mut(bytes).enumerate() {
        let rows = layout.height as usize;
        for (x, byte) in row.iter_mut().enumerate() {
            *byte = match at.checked_sub(rows) {
                None if inside(x, at) => COLOURS[class][0],
                Some(half) if inside(x, 2 * half) => COLOURS[class][1 + x % 2],
                None => 110 + (x / 16 + at / 16) as u8 % 8,
                Some(_) => 128,
            };
        }
    }
}

fn squares(session: &Session, codec: Codec, size: (u32, u32), count: u32) -> Result<Vec<Packet>> {
    let mut config = EncoderConfig::new(codec, size.0, size.1);
    if codec != Codec::Jpeg {
        config = config.rate(RateControl::Constant { bit_rate: 4000 });
    }
    let encoder = Encoder::new(session, &config)?;
    let buffer = session.buffer(encoder.layout().size())?;
    let mut packets = Vec::new();
    for n in 0..count {
        put(&encoder, &mut buffer.write()?, n);
        encoder.send(&buffer, u64::from(n) * 1000)?;
        match encoder.receive(soon())? {
            Received::Some(packet) => packets.push(packet),
            other => bail!("picture {n}: {other:?}"),
        }
    }
    Ok(packets)
}

/// Sends all packets and takes all results.
fn through(channel: &Pipeline, packets: &[Packet]) -> Result<Vec<Inference>> {
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| -> Result<()> {
            for packet in packets {
                channel.send(&packet.data, packet.pts)?;
            }
            Ok(channel.finish()?)
        });
        let mut seen = Vec::new();
        loop {
            match channel.receive(soon())? {
                Received::Some(inference) => seen.push(inference),
                Received::Nothing => bail!("nothing after {} pictures", seen.len()),
                Received::End => break,
            }
        }
        sender.join().ok().context("a panic")??;
        Ok(seen)
    })
}

fn find(model: &Model, output: &[u8], place: &Letterbox) -> Result<Vec<Detection>> {
    let dims = &model.outputs()[0].shapes[0].dims;
    let numbers = floats(output, DataType::Fp32)?;
    Ok(BoxFinder::default().find(&numbers, dims, place)?)
}

/// The surest box is of the square's colour and has its middle in the square.
fn is_the_square(found: &[Detection], n: u32, size: (u32, u32)) -> Result<()> {
    let (x, y, class) = square(n, size);
    let best = found.first().context("nothing was found")?;
    let middle = (
        (best.left + best.right) / 2.0,
        (best.top + best.bottom) / 2.0,
    );
    let near = |at: f32, first: u32| (first as f32..(first + side(size)) as f32).contains(&at);
    ensure!(
        best.class == class && near(middle.0, x) && near(middle.1, y),
        "picture {n}: {best:?}, not class {class} at {x},{y}"
    );
    Ok(())
}

fn used(context: &mut Context) -> Result<u64> {
    let state = context.host.card(0, "state", json!({}))?;
    let used = state["state"]["cmm"]["used"].as_u64();
    used.context("the card does not tell")
}

/// Host memory that the card has read and written, bytes.
fn moved(context: &mut Context) -> Result<u64> {
    let answer = context.host.card(0, "counters", json!({}))?;
    let count = |name: &str| answer["counters"][name].as_u64();
    let (read, written) = (count("dma.read.bytes"), count("dma.write.bytes"));
    read.zip(written).map(|(a, b)| a + b).context("no counters")
}

/// What crosses the link is the stream and the results, and these are the same as from a picture that went to the host
/// and back.
fn pictures_stay_on_the_card(context: &mut Context) -> Result<()> {
    const COUNT: u32 = 8;
    const SIZE: (u32, u32) = (1920, 1080);
    let session = Card::open_first()?.session()?;
    let packets = squares(&session, Codec::H264, SIZE, COUNT)?;
    let stream: usize = packets.iter().map(|packet| packet.data.len()).sum();
    let model = Model::load_bytes(&session, COLOURS)?;
    session.settle(soon())?;
    let before = used(context)?;

    let decoder = DecoderConfig::new(Codec::H264, SIZE.0, SIZE.1);
    let channel = Pipeline::new(&model, PipelineConfig::new(decoder))?;
    context.host.card(0, "counters", json!({"reset": true}))?;
    let seen = through(&channel, &packets)?;
    let each = moved(context)?.saturating_sub(stream as u64) / u64::from(COUNT);
    drop(channel);
    session.settle(soon())?;
    ensure!(
        used(context)? == before,
        "{} bytes before, {before}",
        used(context)?
    );
    eprintln!("beside {stream} bytes of stream {each} bytes a picture");
    ensure!(each < 100_000, "{each} bytes a picture");
    ensure!(seen.len() == COUNT as usize, "{} pictures", seen.len());
    for (n, seen) in (0..).zip(&seen) {
        ensure!(
            (seen.number, seen.pts) == (n.into(), u64::from(n) * 1000),
            "{n}: {}",
            seen.pts
        );
        is_the_square(&find(&model, &seen.outputs[0], &seen.place)?, n, SIZE)?;
    }

    // The same, with the way of each picture in full view.
    let decoder = Decoder::new(&session, &decoder)?;
    let processor = ImageProcessor::new(&session, ImageEngine::Tdp)?;
    let binding = model.bind(0)?;
    for packet in &packets[..2] {
        decoder.send(&packet.data, packet.pts)?;
    }
    decoder.finish()?;
    for (number, seen) in seen.iter().take(2).enumerate() {
        let Received::Some(frame) = decoder.receive(soon())? else {
            bail!("no picture");
        };
        let canvas = processor.canvas(128, 128, 114)?;
        let (pixels, memory) = processor.tensor(128, 128)?;
        let place = Letterbox::keep(SIZE, (128, 128));
        processor.resize(&CardImage::from(&frame), None, &canvas.part(place.inner)?)?;
        processor.convert(&canvas, &pixels)?;
        let tensor = session.buffer(128 * 128 * 3)?;
        memory.fetch(0, &tensor, 0..128 * 128 * 3)?;
        let nv12 = session.buffer(canvas.layout()?.size())?;
        let layout = canvas.fetch(&nv12)?;
        check_colours(&layout, &nv12.read()?, &tensor.read()?)?;
        let whole = session.buffer(frame.layout().size())?;
        let layout = CardImage::from(&frame).fetch(&whole)?;
        check_scaling(
            &layout,
            &whole.read()?,
            &place,
            &canvas.layout()?,
            &nv12.read()?,
        )?;
        binding.set_input(0, &tensor.read()?)?;
        binding.run()?;
        let same = *binding.output(0)? == *seen.outputs[0];
        ensure!(same, "picture {number}: another result from the same bytes");
    }
    drop((decoder, processor, binding));

    // A picture is one job: its calls go with one doorbell, and the copy of the results takes the others.
    let image = {
        let processor = ImageProcessor::new(&session, ImageEngine::default())?;
        processor.canvas(SIZE.0, SIZE.1, 90)?
    };
    let mut runner = PictureRunner::new(&model, RunnerConfig::default())?;
    let costs = costs::least(context, 7, || {
        runner.start(image.clone(), None)?;
        runner.receive(soon())?.context("no result").map(drop)
    })?;
    eprintln!("a picture: {costs:?}");
    // Three calls are left to interrupts; from four on the driver looks for the answers.
    ensure!(costs.doorbells <= 3 && costs.interrupts <= 4, "{costs:?}");
    let processor = ImageProcessor::for_model(&model, ImageEngine::default())?;
    let canvas = processor.canvas(128, 128, 114)?;
    let (pixels, memory) = processor.tensor(128, 128)?;
    let mut binding = model.bind_on_card(0)?;
    binding.set_input(0, &memory)?;
    let stream = session.stream();
    let costs = costs::least(context, 7, || {
        let (job, first) = processor.add_resize(stream.job(), &image, None, &canvas)?;
        let (job, second) = processor.add_convert(job, &canvas, &pixels)?;
        let (job, run) = binding.add_to(job);
        let mut done = job.run()?;
        first.finish(&mut done)?;
        second.finish(&mut done)?;
        Ok(run.finish(&mut done).map(drop)?)
    })?;
    eprintln!("scale, convert, run: {costs:?}");
    ensure!(costs.doorbells == 1 && costs.interrupts <= 3, "{costs:?}");
    canary(0)
}

/// Pixels are those of BT.601 in studio range: apart from where colours change, which are smoothed.
fn check_colours(layout: &ax650::media::PictureLayout, nv12: &[u8], bgr: &[u8]) -> Result<()> {
    let rows: Vec<&[u8]> = layout.rows(nv12).collect();
    let (width, height) = (layout.width as usize, layout.height as usize);
    let (mut sum, mut worst) = (0_u64, 0);
    for y in 0..height {
        for x in 0..width {
            let pair = &rows[height + y / 2][x & !1..];
            let luma = (f32::from(rows[y][x]) - 16.0) * 255.0 / 219.0;
            let [blue, red] = [pair[0], pair[1]].map(|c| (f32::from(c) - 128.0) * 255.0 / 224.0);
            let wanted = [
                luma + 1.772 * blue,
                luma - 0.344_136 * blue - 0.714_136 * red,
                luma + 1.402 * red,
            ];
            for (want, have) in wanted.iter().zip(&bgr[3 * (width * y + x)..]) {
                let difference = (want.round() as u8).abs_diff(*have);
                sum += u64::from(difference);
                worst = worst.max(difference);
            }
        }
    }
    let mean = sum as f64 / (3 * width * height) as f64;
    eprintln!("colours differ by {mean:.3} on average, {worst} at most");
    ensure!(mean < 1.0, "{mean} on average, {worst} at most");
    Ok(())
}

/// Luma is scaled: each pixel is near the mean of what it shows, apart from edges; and around the picture it is grey.
fn check_scaling(
    layout: &ax650::media::PictureLayout,
    whole: &[u8],
    place: &Letterbox,
    small: &ax650::media::PictureLayout,
    canvas: &[u8],
) -> Result<()> {
    let rows: Vec<&[u8]> = layout.rows(whole).take(layout.height as usize).collect();
    let inner = place.inner;
    let mut sum = 0_u64;
    for (y, row) in (0..).zip(small.rows(canvas).take(small.height as usize)) {
        for (x, have) in (0..).zip(row) {
            let (dx, dy) = (x as i64 - i64::from(inner.x), y - i64::from(inner.y));
            let inside = (0..i64::from(inner.width)).contains(&dx)
                && (0..i64::from(inner.height)).contains(&dy);
            if !inside {
                ensure!(*have == 114, "{have} at {x},{y} beside the picture");
                continue;
            }
            let span = |at: i64, to: u32, from: u32| {
                let (at, to, from) = (at as usize, to as usize, from as usize);
                at * from / to..((at + 1) * from / to).max(at * from / to + 1)
            };
            let (columns, lines) = (
                span(dx, inner.width, layout.width),
                span(dy, inner.height, layout.height),
            );
            let count = columns.len() * lines.len();
            let total: usize = lines
                .map(|line| {
                    rows[line][columns.clone()]
                        .iter()
                        .map(|b| usize::from(*b))
                        .sum::<usize>()
                })
                .sum();
            sum += u64::from(((total / count) as u8).abs_diff(*have));
        }
    }
    let mean = sum as f64 / f64::from(inner.width * inner.height);
    eprintln!("luma differs by {mean:.3} on average from the mean of what it shows");
    ensure!(mean < 2.0, "{mean}");
    Ok(())
}

/// Three at a time, one of which encodes; each gets its own pictures, in order.
fn channels_share_a_model(context: &mut Context) -> Result<()> {
    const COUNT: u32 = 10;
    const SIZE: (u32, u32) = (320, 192);
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, COLOURS)?;
    let codecs = [Codec::H264, Codec::H265, Codec::H264];
    let streams = codecs
        .iter()
        .map(|codec| squares(&session, *codec, SIZE, COUNT))
        .collect::<Result<Vec<_>>>()?;
    session.settle(soon())?;
    let before = used(context)?;
    let channels = codecs
        .iter()
        .enumerate()
        .map(|(at, codec)| {
            let config = PipelineConfig::new(DecoderConfig::new(*codec, SIZE.0, SIZE.1));
            Ok(Pipeline::new(
                &model,
                match at {
                    0 => config.encoder(EncoderConfig::new(Codec::H264, SIZE.0, SIZE.1)),
                    _ => config,
                },
            )?)
        })
        .collect::<Result<Vec<_>>>()?;
    let all = std::thread::scope(|scope| {
        let work = channels.iter().zip(&streams);
        let threads: Vec<_> = work
            .map(|(channel, packets)| scope.spawn(|| through(channel, packets)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a panic")?)
            .collect::<Result<Vec<_>>>()
    })?;
    for (at, seen) in all.iter().enumerate() {
        ensure!(seen.len() == COUNT as usize, "channel {at}: {}", seen.len());
        for (n, seen) in (0..).zip(seen) {
            ensure!(
                seen.pts == u64::from(n) * 1000,
                "channel {at}: {n} is {}",
                seen.pts
            );
            is_the_square(&find(&model, &seen.outputs[0], &seen.place)?, n, SIZE)?;
            ensure!(seen.packet.is_some() == (at == 0), "channel {at}: {n}");
        }
    }
    // What was encoded again shows the same.
    let packets: Vec<_> = all
        .into_iter()
        .flatten()
        .filter_map(|seen| seen.packet)
        .collect();
    let config = PipelineConfig::new(DecoderConfig::new(Codec::H264, SIZE.0, SIZE.1));
    let again = through(&Pipeline::new(&model, config)?, &packets)?;
    for (n, seen) in (0..).zip(&again) {
        is_the_square(&find(&model, &seen.outputs[0], &seen.place)?, n, SIZE)?;
    }
    ensure!(again.len() == COUNT as usize, "{} again", again.len());
    drop(channels);
    session.settle(soon())?;
    ensure!(
        used(context)? == before,
        "{} bytes, {before} before",
        used(context)?
    );
    canary(0)
}

/// Memory runs out, a stream is none, runs fail: the caller hears of it, and nothing stays on the card.
fn errors_of_a_stage_free_the_rest(context: &mut Context) -> Result<()> {
    const SIZE: (u32, u32) = (320, 192);
    let session = Card::open_first()?.session()?;
    let packets = squares(&session, Codec::H264, SIZE, 4)?;
    let model = Model::load_bytes(&session, COLOURS)?;
    session.settle(soon())?;
    let before = used(context)?;
    let config = || PipelineConfig::new(DecoderConfig::new(Codec::H264, SIZE.0, SIZE.1));
    // Nothing can be made of it: no memory.
    context
        .host
        .switch(0, "memory.limit_bytes", before + (64 << 10))?;
    let result = Pipeline::new(&model, config());
    context.host.clear(0)?;
    ensure!(result.is_err(), "no memory, and no error");
    drop(result);
    session.settle(soon())?;
    ensure!(
        used(context)? == before,
        "{} bytes, {before} before",
        used(context)?
    );
    // The decoder takes what is no picture and the stream ends: an end, and no error.
    let channel = Pipeline::new(&model, config())?;
    let _ = channel.send(b"this is not a packet of any stream", 0);
    channel.finish()?;
    ensure!(matches!(channel.receive(soon())?, Received::End));
    drop(channel);
    // The model fails.
    let channel = Pipeline::new(&model, config())?;
    channel.send(&packets[0].data, 0)?;
    channel.send(&packets[1].data, 1)?;
    context.host.switch(0, "engine.fail", true)?;
    let error = channel.receive(soon()).err();
    context.host.clear(0)?;
    let error = error.context("a run that failed, and no error")?;
    ensure!(error.card_code().is_some(), "{error}");
    let later = channel.send(&packets[2].data, 2).err().context("taken")?;
    ensure!(later.to_string().contains("has failed"), "{later}");
    drop(channel);
    session.settle(soon())?;
    let after = used(context)?;
    ensure!(after == before, "{after} bytes, {before} before");
    canary(0)
}

/// Boxes of a video and of a picture as JSON, and drawn.
fn detect_from_the_command_line(_: &mut Context) -> Result<()> {
    const SIZE: (u32, u32) = (320, 192);
    const COUNT: u32 = 6;
    let home = "/tmp/pipeline";
    std::fs::create_dir_all(home)?;
    {
        let session = Card::open_first()?.session()?;
        let write = |name: &str, codec, count| -> Result<()> {
            let packets = squares(&session, codec, SIZE, count)?;
            let bytes: Vec<u8> = packets.into_iter().flat_map(|packet| packet.data).collect();
            Ok(std::fs::write(format!("{home}/{name}"), bytes)?)
        };
        write("clip.h264", Codec::H264, COUNT)?;
        write("still.jpg", Codec::Jpeg, 1)?;
    }
    std::fs::write(format!("{home}/colours.onnx"), COLOURS)?;
    std::fs::write(format!("{home}/labels"), "red\ngreen\nblue\n")?;
    let detect = |arguments: &str| -> Result<Vec<Value>> {
        let line = format!("detect -q -m colours.onnx --labels labels {arguments}");
        let output = Command::new("/bin/ax650")
            .args(line.split_whitespace())
            .current_dir(home)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{line}: {said}");
        let text = String::from_utf8(output.stdout)?;
        Ok(text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?)
    };
    let check = |line: &Value, n: u32| -> Result<()> {
        let (x, y, class) = square(n, SIZE);
        let best = &line["detections"][0];
        let edge = |at: usize| best["box"][at].as_f64().context("no box");
        let (across, down) = ((edge(0)? + edge(2)?) / 2.0, (edge(1)? + edge(3)?) / 2.0);
        let end = |first: u32| f64::from(first + side(SIZE));
        let near = |at: f64, first: u32| (f64::from(first)..end(first)).contains(&at);
        ensure!(
            line["frame"] == n
                && (line["width"] == SIZE.0 && line["height"] == SIZE.1)
                && best["label"] == ["red", "green", "blue"][class]
                && near(across, x)
                && near(down, y),
            "{n}: {line}"
        );
        Ok(())
    };
    let lines = detect("clip.h264 --draw drawn.mp4")?;
    ensure!(lines.len() == COUNT as usize, "{} lines", lines.len());
    for (n, line) in (0..).zip(&lines) {
        check(line, n)?;
        // The encoder has written 30 pictures a second.
        let pts = line["pts"].as_f64().context("no time")?;
        ensure!((pts - f64::from(n) / 30.0).abs() < 1e-5, "{line}");
    }
    let drawn = std::fs::read(format!("{home}/drawn.mp4"))?;
    ensure!(drawn.get(4..8) == Some(b"ftyp"), "no MP4");
    let lines = detect("still.jpg --draw drawn.png")?;
    ensure!(lines.len() == 1, "{} lines", lines.len());
    check(&lines[0], 0)?;
    ensure!(std::fs::read(format!("{home}/drawn.png"))?.starts_with(b"\x89PNG"));
    // Several at a time: each has its own lines.
    let lines = detect("clip.h264 still.jpg clip.h264 -n 3")?;
    for (name, count) in [("clip.h264", 6), ("still.jpg", 1)] {
        let of = lines.iter().filter(|line| line["input"] == name).count();
        ensure!(of == count, "{of} lines of {name}");
    }
    let lines = detect("still.jpg --threshold 1")?;
    ensure!(lines[0]["detections"] == json!([]), "{lines:?}");
    canary(0)
}
