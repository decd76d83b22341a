// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decodes an H.264 elementary stream (Annex B) on the first card into raw NV12 pictures.
//!
//! ```text
//! decode IN.h264 OUT.nv12
//! ```

use std::{fs, io::Write, time::Duration};

use ax650::media::{annexb, Codec, Decoder, DecoderConfig, Received};
use ax650::Card;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Decodes `stream`; returns the number of pictures and their size.
pub fn decode(card: &Card, stream: &[u8], out: &mut dyn Write) -> Result<(u64, u32, u32)> {
    // The stream says how large its pictures are; the card wants to know before the first.
    let set = annexb::find_sps(Codec::H264, stream).ok_or("no H.264 parameter set")?;
    let session = card.session()?;
    let config = DecoderConfig::new(Codec::H264, set.width, set.height);
    let decoder = Decoder::new(&session, &config)?;
    // A decoder has room for a few pictures only, so one thread sends while another receives.
    // A packet is all NAL units of one picture.
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for (packet, number) in annexb::packets(Codec::H264, stream).zip(0..) {
                decoder.send(&packet, number)?;
            }
            decoder.finish()
        });
        let mut count = 0;
        loop {
            match decoder.receive(Duration::from_secs(20))? {
                Received::Some(frame) => {
                    // The picture is in card memory, until `frame` is dropped.
                    let buffer = session.buffer(frame.layout().size())?;
                    let layout = frame.download(&buffer)?;
                    // Without what may lie between the rows.
                    out.write_all(&layout.rows(&buffer.read()?).collect::<Vec<_>>().concat())?;
                    count += 1;
                }
                Received::Nothing => return Err("no picture for 20 s".into()),
                Received::End => break,
            }
        }
        sender.join().expect("it does not panic")?;
        Ok((count, set.width, set.height))
    })
}

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let (input, output) = args.next().zip(args.next()).ok_or("usage: decode IN OUT")?;
    let (stream, mut out) = (fs::read(input)?, fs::File::create(output)?);
    let (count, width, height) = decode(&Card::open_first()?, &stream, &mut out)?;
    println!("{count} pictures of {width}x{height}");
    Ok(())
}
