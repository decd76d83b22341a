// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures in and out: one 1080p channel, and as many channels as the card has.

use std::sync::Barrier;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure, Context as _, Result};
use ax650::media::{Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Received};
use ax650::{Card, Session};
use ax650_test_kit::costs::Meter;

use super::NATIVE;
use crate::case::{rounds, Context};

const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn decode_and_encode(context: &mut Context) -> Result<()> {
    const WIDTH: u32 = 1920;
    const HEIGHT: u32 = 1080;
    let mut meter = Meter::new(context, NATIVE);
    let session = Card::open_first()?.session()?;
    // Every picture is a key picture: packets can be decoded in any order, and again.
    let config = EncoderConfig::new(Codec::H264, WIDTH, HEIGHT).gop(1);
    let encoder = Encoder::new(&session, &config)?;
    let buffer = session.buffer(encoder.layout().size())?;
    buffer.write()?.fill(0x80);
    let mut packet = Vec::new();
    meter.measure("encode a 1080p picture", 30, || {
        packet = one_packet(&encoder, &buffer)?;
        Ok(session.settle(LIMIT)?)
    })?;
    drop(encoder);
    ensure!(!packet.is_empty());
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, WIDTH, HEIGHT))?;
    let target = session.buffer(2 * buffer.len())?;
    meter.measure("decode a 1080p picture", 30, || {
        decoder.send(&packet, 0)?;
        one_picture(&decoder, &target)?;
        Ok(session.settle(LIMIT)?)
    })?;
    Ok(())
}

fn one_packet(encoder: &Encoder, buffer: &ax650::Buffer) -> Result<Vec<u8>> {
    encoder.send(buffer, 0)?;
    match encoder.receive(LIMIT)? {
        Received::Some(packet) => Ok(packet.data),
        other => bail!("{other:?}"),
    }
}

fn one_picture(decoder: &Decoder, target: &ax650::Buffer) -> Result<()> {
    match decoder.receive(LIMIT)? {
        Received::Some(frame) => Ok(frame.download(target).map(drop)?),
        other => bail!("{other:?}"),
    }
}

/// 16 encoders and 32 decoders, each in a thread of its own.  How they mix differs each time: for the record.
pub(super) fn channels_at_once(context: &mut Context) -> Result<()> {
    const ENCODERS: u32 = 16;
    const DECODERS: u32 = 32;
    const SIDE: u32 = 128;
    let pictures = rounds(2, 50);
    let session = Card::open_first()?.session()?;
    let config = EncoderConfig::new(Codec::H264, SIDE, SIDE).gop(1);
    let packet = {
        let encoder = Encoder::new(&session, &config)?;
        let buffer = session.buffer(encoder.layout().size())?;
        one_packet(&encoder, &buffer)?
    };
    session.settle(LIMIT)?;
    let begin = Barrier::new((ENCODERS + DECODERS) as usize + 1);
    let encode = |session: &Session| -> Result<()> {
        let made = Encoder::new(session, &config);
        begin.wait();
        begin.wait();
        let encoder = made.context("an encoder")?;
        let buffer = session.buffer(encoder.layout().size())?;
        (0..pictures).try_for_each(|_| one_packet(&encoder, &buffer).map(drop))
    };
    let decode = |session: &Session| -> Result<()> {
        let config = DecoderConfig::new(Codec::H264, SIDE, SIDE).pictures(4);
        let made = Decoder::new(session, &config);
        begin.wait();
        begin.wait();
        let decoder = made.context("a decoder")?;
        let target = session.buffer((SIDE * SIDE * 2) as usize)?;
        for _ in 0..pictures {
            decoder.send(&packet, 0)?;
            one_picture(&decoder, &target)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for _ in 0..ENCODERS {
            threads.push(scope.spawn(|| encode(&session)));
        }
        for _ in 0..DECODERS {
            threads.push(scope.spawn(|| decode(&session)));
        }
        // All channels are there; then all begin.
        begin.wait();
        let name = format!("{pictures} pictures of each of 16 encoders and 32 decoders");
        Meter::new(context, NATIVE).record(&name, || {
            begin.wait();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().map_err(|_| anyhow!("panic"))?)
        })
    })?;
    Ok(())
}
