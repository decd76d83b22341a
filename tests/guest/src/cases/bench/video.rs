// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures in and out: one 1080p channel, and as many channels as the card has.

use std::sync::Barrier;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure, Context as _, Result};
use ax650::media::{
    Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, PictureLayout, Received,
};
use ax650::{Buffer, Card};
use ax650_test_kit::costs::Meter;

use super::NATIVE;
use crate::case::{rounds, Context};
use crate::cases::codec::{get, picture, psnr, put, HEIGHT, WIDTH};

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
    // How often it is asked for more depends on how fast it is: for the record.
    let pictures = rounds(3, 30);
    meter.record(&format!("encode {pictures} 1080p pictures"), || {
        for _ in 0..pictures {
            packet = one_packet(&encoder, &buffer)?;
        }
        Ok(session.settle(LIMIT)?)
    })?;
    drop(encoder);
    ensure!(!packet.is_empty());
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, WIDTH, HEIGHT))?;
    let target = session.buffer(2 * buffer.len())?;
    meter.record(&format!("decode {pictures} 1080p pictures"), || {
        for _ in 0..pictures {
            decoder.send(&packet, 0)?;
            one_picture(&decoder, &target)?;
        }
        Ok(session.settle(LIMIT)?)
    })?;
    Ok(())
}

fn one_packet(encoder: &Encoder, buffer: &Buffer) -> Result<Vec<u8>> {
    encoder.send(buffer, 0)?;
    match encoder.receive(LIMIT)? {
        Received::Some(packet) => Ok(packet.data),
        other => bail!("{other:?}"),
    }
}

fn one_picture(decoder: &Decoder, target: &Buffer) -> Result<PictureLayout> {
    match decoder.receive(LIMIT)? {
        Received::Some(frame) => Ok(frame.download(target)?),
        other => bail!("{other:?}"),
    }
}

/// 16 encoders and 32 decoders, each in a thread of its own.  How they mix differs each time: for the record.
pub(super) fn channels_at_once(context: &mut Context) -> Result<()> {
    const ENCODERS: u32 = 16;
    const DECODERS: u32 = 32;
    let pictures = rounds(2, 50);
    let session = Card::open_first()?.session()?;
    // Every picture is a key picture: each can be decoded by itself.
    let config = EncoderConfig::new(Codec::H264, WIDTH, HEIGHT).gop(1);
    let encode = |encoder: &Encoder| -> Result<Vec<Vec<u8>>> {
        let buffer = session.buffer(encoder.layout().size())?;
        let packet = |n| {
            put(&encoder.layout(), &mut buffer.write()?, &picture(n));
            one_packet(encoder, &buffer)
        };
        (0..pictures).map(packet).collect()
    };
    let packets = encode(&Encoder::new(&session, &config)?)?;
    session.settle(LIMIT)?;
    let begin = Barrier::new((ENCODERS + DECODERS) as usize + 1);
    let encoder = || -> Result<()> {
        let made = Encoder::new(&session, &config);
        begin.wait();
        let encoded = encode(&made.context("an encoder")?)?;
        ensure!(encoded == packets, "the same pictures, other packets");
        Ok(())
    };
    let decoder = || -> Result<()> {
        let config = DecoderConfig::new(Codec::H264, WIDTH, HEIGHT).pictures(4);
        let made = Decoder::new(&session, &config);
        begin.wait();
        let decoder = made.context("a decoder")?;
        let target = session.buffer(1 << 20)?;
        // Small pictures come out late: as many as the level allows may be held back for their order.
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut all = packets.iter();
                all.try_for_each(|packet| decoder.send(packet, 0))?;
                decoder.finish()
            });
            for n in 0..pictures {
                let layout =
                    one_picture(&decoder, &target).with_context(|| format!("picture {n}"))?;
                let quality = psnr(&get(&layout, &target.read()?), &picture(n));
                ensure!(quality > 30.0, "picture {n}: {quality:.1} dB");
            }
            sender.join().map_err(|_| anyhow!("panic"))??;
            Ok(())
        })
    };
    std::thread::scope(|scope| {
        let encoders = (0..ENCODERS)
            .map(|_| scope.spawn(encoder))
            .collect::<Vec<_>>();
        let decoders = (0..DECODERS)
            .map(|_| scope.spawn(decoder))
            .collect::<Vec<_>>();
        let name =
            format!("{pictures} pictures of each of {ENCODERS} encoders and {DECODERS} decoders");
        Meter::new(context, NATIVE).record(&name, || {
            // All channels are there; then all begin.
            begin.wait();
            let mut results = Vec::new();
            for (what, threads) in [("encoder", encoders), ("decoder", decoders)] {
                for (number, thread) in threads.into_iter().enumerate() {
                    let result = thread.join().map_err(|_| anyhow!("panic")).and_then(|r| r);
                    results.push(result.with_context(|| format!("{what} {number}")));
                }
            }
            results.into_iter().collect()
        })
    })
    .map(drop)
}
