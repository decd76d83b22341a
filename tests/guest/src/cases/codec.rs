// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures into streams and back, by way of the library.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context as _, Result};
use ax650::media::{
    jpeg, Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Packet, PictureLayout, Profile,
    RateControl, Received,
};
use ax650::{Card, Session};

use crate::case::{Context, NONCOHERENT, USUAL};
use crate::client::{canary, pattern};
use crate::process::{self, Pipe};
use crate::runner;

crate::cases!["codec":
    h264_there_and_back { machines: &[USUAL, NONCOHERENT], timeout_s: 120 },
    h265_there_and_back { timeout_s: 120 },
    jpeg_there_and_back,
    rubbish_for_the_decoder,
    channels_are_limited { timeout_s: 120 },
    f8_encoder_controls { timeout_s: 180 },
    f10_sizes_in_words,
    a_waiting_decoder_holds_up_nobody,
    killed_while_coding { timeout_s: 90 },
];

pub(super) const WIDTH: u32 = 320;
pub(super) const HEIGHT: u32 = 192;
const LIMIT: Duration = Duration::from_secs(20);

/// Picture number `n`: a soft gradient that moves, in packed NV12.
pub(super) fn picture(n: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for y in 0..HEIGHT {
        bytes.extend((0..WIDTH).map(|x| ((x / 2 + y / 2 + 4 * n) % 200 + 20) as u8));
    }
    for y in 0..HEIGHT / 2 {
        bytes.extend((0..WIDTH / 2).flat_map(|x| [(100 + y / 4) as u8, (110 + x / 8) as u8]));
    }
    bytes
}

/// Peak signal to noise ratio of two planes, dB.
pub(super) fn psnr(one: &[u8], two: &[u8]) -> f64 {
    let sum: u64 = one
        .iter()
        .zip(two)
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    if sum == 0 {
        return 100.0;
    }
    10.0 * (255.0 * 255.0 * one.len() as f64 / sum as f64).log10()
}

pub(super) fn encode(session: &Session, codec: Codec, count: u32) -> Result<Vec<Packet>> {
    let mut config = EncoderConfig::new(codec, WIDTH, HEIGHT);
    if codec != Codec::Jpeg {
        config = config.rate(RateControl::Constant { bit_rate: 4000 });
    }
    encode_as(session, &config, count)
}

fn encode_as(session: &Session, config: &EncoderConfig, count: u32) -> Result<Vec<Packet>> {
    let encoder = Encoder::new(session, config)?;
    let layout = encoder.layout();
    let buffer = session.buffer(layout.size())?;
    let mut packets = Vec::new();
    for n in 0..count {
        put(&layout, &mut buffer.write()?, &picture(n));
        encoder.send(&buffer, u64::from(n) * 1000)?;
        match encoder.receive(LIMIT)? {
            Received::Some(packet) => packets.push(packet),
            other => bail!("picture {n}: {other:?}"),
        }
    }
    Ok(packets)
}

pub(super) fn put(layout: &PictureLayout, to: &mut [u8], packed: &[u8]) {
    for (row, line) in layout
        .rows_mut(to)
        .zip(packed.chunks_exact(layout.width as usize))
    {
        row[..line.len()].copy_from_slice(line);
    }
}

pub(super) fn get(layout: &PictureLayout, from: &[u8]) -> Vec<u8> {
    layout
        .rows(from)
        .flat_map(|row| &row[..layout.width as usize])
        .copied()
        .collect()
}

/// Encoded pictures come back in order, with their times, and look like what went in.
fn there_and_back(codec: Codec) -> Result<()> {
    const COUNT: u32 = 20;
    let session = Card::open_first()?.session()?;
    let packets = encode(&session, codec, COUNT)?;
    ensure!(packets.len() == COUNT as usize && packets[0].key);
    let raw = picture(0).len() * packets.len();
    let size: usize = packets.iter().map(|p| p.data.len()).sum();
    ensure!(size < raw / 2, "{size} bytes of {raw}");
    let decoder = Decoder::new(&session, &DecoderConfig::new(codec, WIDTH, HEIGHT))?;
    let buffer = session.buffer(1024 * 1024)?;
    let mut pictures = Vec::new();
    let mut take = |limit: Duration| -> Result<bool> {
        match decoder.receive(limit)? {
            Received::Some(frame) => {
                let pts = frame.pts();
                let layout = frame.download(&buffer)?;
                pictures.push((pts, get(&layout, &buffer.read()?)));
                Ok(true)
            }
            Received::Nothing => Ok(true),
            Received::End => Ok(false),
        }
    };
    for packet in &packets {
        decoder.send(&packet.data, packet.pts)?;
        take(Duration::from_millis(1))?;
    }
    decoder.finish()?;
    let begin = Instant::now();
    while take(Duration::from_secs(1))? {
        ensure!(
            begin.elapsed() < LIMIT * runner::slowness(),
            "the stream has no end"
        );
    }
    ensure!(
        pictures.len() == COUNT as usize,
        "{} pictures",
        pictures.len()
    );
    let mut worst = f64::MAX;
    for (n, (pts, bytes)) in pictures.iter().enumerate() {
        ensure!(*pts == n as u64 * 1000, "picture {n} has time {pts}");
        worst = worst.min(psnr(bytes, &picture(n as u32)));
    }
    eprintln!("{codec}: {size} bytes of {raw}, worst picture {worst:.1} dB");
    ensure!(worst > 30.0, "{worst:.1} dB");
    Ok(())
}

fn h264_there_and_back(_: &mut Context) -> Result<()> {
    there_and_back(Codec::H264)
}

fn h265_there_and_back(_: &mut Context) -> Result<()> {
    there_and_back(Codec::H265)
}

fn jpeg_there_and_back(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let packets = encode(&session, Codec::Jpeg, 2)?;
    for (n, packet) in packets.iter().enumerate() {
        ensure!(packet.data.starts_with(&[0xff, 0xd8]), "no JPEG");
        let (buffer, layout) = jpeg::decode(&session, &packet.data)?;
        let quality = psnr(&get(&layout, &buffer.read()?), &picture(n as u32));
        ensure!(quality > 30.0, "{quality:.1} dB");
    }
    ensure!(jpeg::decode(&session, &[0xff, 0xd8, 0, 0]).is_err());
    ensure!(jpeg::decode(&session, &packets[0].data[..100]).is_err());
    Ok(())
}

/// No stream at all: errors or no pictures, but an end, and the next decoder works.
fn rubbish_for_the_decoder(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    for codec in [Codec::H264, Codec::H265] {
        let decoder = Decoder::new(&session, &DecoderConfig::new(codec, WIDTH, HEIGHT))?;
        for round in 0..5 {
            let mut packet = vec![0, 0, 0, 1];
            packet.extend(pattern(3000, round));
            // The card may refuse it.
            let _ = decoder.send(&packet, round);
        }
        decoder.finish()?;
        let begin = Instant::now();
        while !matches!(decoder.receive(Duration::from_secs(1))?, Received::End) {
            ensure!(begin.elapsed() < LIMIT, "no end");
        }
    }
    there_and_back(Codec::H264)
}

/// 16 encoders and 32 decoders, no more; then there is room again.
fn channels_are_limited(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let decoder = || {
        Decoder::new(
            &session,
            &DecoderConfig::new(Codec::H264, 128, 128).pictures(4),
        )
    };
    let encoder = || Encoder::new(&session, &EncoderConfig::new(Codec::H264, 128, 128));
    let encoders = (0..16)
        .map(|_| encoder())
        .collect::<Result<Vec<_>, _>>()
        .context("16 encoders")?;
    ensure!(encoder().is_err(), "a 17th encoder");
    let decoders = (0..32)
        .map(|_| decoder())
        .collect::<Result<Vec<_>, _>>()
        .context("32 decoders")?;
    ensure!(decoder().is_err(), "a 33rd decoder");
    drop((encoders, decoders));
    encoder().context("an encoder when there is room again")?;
    decoder().context("a decoder when there is room again")?;
    Ok(())
}

/// F8: every rate control that the library has works; the level suits, and is in the stream.
fn f8_encoder_controls(_: &mut Context) -> Result<()> {
    const COUNT: u32 = 5;
    let session = Card::open_first()?.session()?;
    let fixed = |qp| RateControl::Fixed {
        intra: qp,
        predicted: qp,
        both_ways: qp,
    };
    let rates = [
        RateControl::Constant { bit_rate: 700 },
        RateControl::Variable { max_bit_rate: 700 },
        RateControl::Adaptive { max_bit_rate: 700 },
        RateControl::Quality { bit_rate: 700 },
        RateControl::Constrained {
            bit_rate: 600,
            max_bit_rate: 700,
        },
        fixed(20),
        fixed(44),
    ];
    for codec in [Codec::H264, Codec::H265] {
        let mut sizes = Vec::new();
        for rate in rates {
            let config = EncoderConfig::new(codec, WIDTH, HEIGHT).rate(rate);
            let packets =
                encode_as(&session, &config, COUNT).with_context(|| config.to_string())?;
            ensure!(
                packets.len() == COUNT as usize && packets[0].key,
                "{config}"
            );
            sizes.push(packets.iter().map(|packet| packet.data.len()).sum());
        }
        let [.., fine, coarse]: [usize; 7] = sizes.try_into().expect("as many as rates");
        ensure!(
            coarse * 3 < fine * 2,
            "{codec}: QP 44 takes {coarse} bytes, QP 20 {fine}"
        );
    }
    for (profile, level, wanted) in [
        (None, None, 13),
        (Some(Profile::Baseline), None, 13),
        (Some(Profile::Main), Some("4.1"), 41),
    ] {
        let mut config = EncoderConfig::new(Codec::H264, WIDTH, HEIGHT);
        (config.profile, config.level) = (profile, level.map(|text| text.parse()).transpose()?);
        let packets = encode_as(&session, &config, 1)?;
        let data = &packets[0].data;
        let sps = data
            .windows(7)
            .find(|bytes| bytes[..3] == [0, 0, 1] && bytes[3] & 0x1F == 7)
            .context("no parameter set")?;
        ensure!(sps[6] == wanted, "{config}: level {}", sps[6]);
    }
    Ok(())
}

/// F10: sizes that the card does not encode are told with those that it does.
fn f10_sizes_in_words(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    for (width, height) in [(2, 2), (30, 192), (320, 8194), (63, 64)] {
        let config = EncoderConfig::new(Codec::H264, width, height);
        let error = match Encoder::new(&session, &config) {
            Ok(_) => bail!("{width}x{height} can be encoded"),
            Err(error) => error.to_string(),
        };
        let words = format!(
            "pictures of {width}x{height} cannot be encoded: even sizes from 32x32 to 8192x8192 can"
        );
        ensure!(error == words, "{error}");
    }
    Ok(())
}

/// A call that waits on the card for a picture does not stop calls of others, nor of this session.
fn a_waiting_decoder_holds_up_nobody(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, WIDTH, HEIGHT))?;
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| decoder.receive(Duration::from_secs(4)));
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..5 {
            let begin = Instant::now();
            canary(0)?;
            session.stream().echo(&[1; 100], Some(LIMIT))?;
            ensure!(
                begin.elapsed() < Duration::from_secs(1) * runner::slowness(),
                "{:?}",
                begin.elapsed()
            );
        }
        match waiter.join().map_err(|_| anyhow::anyhow!("panic"))?? {
            Received::Nothing => Ok(()),
            other => bail!("{other:?} out of nothing"),
        }
    })
}

/// Clients die in the middle; the card has its channels back.
fn killed_while_coding(_: &mut Context) -> Result<()> {
    for round in 0..20_u64 {
        let mut ready = Pipe::new()?;
        let child = process::fork(|| {
            let session = Card::open_first()?.session()?;
            ready.send()?;
            loop {
                encode(&session, Codec::H264, 30)?;
            }
        })?;
        ready.wait(Duration::from_secs(20))?;
        std::thread::sleep(Duration::from_millis(round * 37 % 200));
        child.kill(Duration::from_secs(10))?;
    }
    let session = Card::open_first()?.session()?;
    ensure!(encode(&session, Codec::H264, 3)?.len() == 3);
    canary(0)
}
