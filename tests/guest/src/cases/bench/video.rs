// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures in and out.

use std::time::Duration;

use anyhow::{bail, ensure, Result};
use ax650::media::{Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Received};
use ax650::Card;
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
