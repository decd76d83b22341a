// SPDX-License-Identifier: MIT OR Apache-2.0

//! Queues, timeouts, back-pressure, the ends of streams and sessions.

mod common;

use std::time::{Duration, Instant};

use ax650_emu_api::Link;
use common::vdec::{self, Decoder};
use common::venc::{self, Encoder};
use common::{ffmpeg, n32, n64, record, u32_at, u64_at, Card, VDEC, VENC};

/// A clip of which each picture stands alone, cut into pictures.
fn intra_clip(frames: u32) -> Vec<Vec<u8>> {
    let codec = "-c:v libx264 -preset ultrafast -tune zerolatency -g 1 \
                 -bsf:v h264_metadata=aud=insert -f h264";
    let clip = ffmpeg::clip(160, 120, frames, codec);
    let frames_cut = vdec::cut(&clip, &[0, 0, 0, 1, 9]);
    assert_eq!(frames_cut.len(), frames as usize);
    frames_cut
}

fn h264(card: &Card, session: u32) -> Decoder {
    Decoder::new(&card.client(session), vdec::H264, vdec::FRAME, 160, 120)
}

#[test]
fn timeouts_of_get_frame() {
    let card = Card::new();
    let decoder = h264(&card, 21);
    assert_eq!(decoder.get(0).err(), Some(vdec::EMPTY));
    let begin = Instant::now();
    assert_eq!(decoder.get(50).err(), Some(vdec::TIMED_OUT));
    assert!(begin.elapsed() >= Duration::from_millis(50));
    let select = |ms: i32| decoder.client.status(VDEC, 16, &[&ms.to_le_bytes()]);
    assert_eq!(select(0), vdec::QUEUE_EMPTY);
    assert_eq!(select(50), vdec::TIMED_OUT);
}

/// The decoder stops when the client keeps all buffers, and goes on when it gives one back.
#[test]
fn back_pressure() {
    let card = Card::new();
    let decoder = h264(&card, 21);
    let frames = intra_clip(60);
    // 5 buffers, 32 waiting units, one in the thread's hands.
    let mut sent = 0;
    while sent < frames.len() {
        match decoder.send(&frames[sent], sent as u64, 2000) {
            0 => sent += 1,
            code => {
                assert_eq!(code, vdec::TIMED_OUT);
                break;
            }
        }
    }
    assert!((33..45).contains(&sent), "{sent}");
    assert_eq!(decoder.send(&frames[sent], 0, 0), vdec::NO_BUFFER);
    let status = decoder.ok(12, &[]).remove(0);
    assert_eq!((u32_at(&status, 8), u32_at(&status, 12)), (32, 3));
    assert_eq!(
        (u32_at(&status, 24), u32_at(&status, 44)),
        (1, 1),
        "receiving, full"
    );
    assert_eq!((u32_at(&status, 36), u32_at(&status, 40)), (160, 120));
    // The client takes and keeps all that comes: as many as there are buffers.
    let mut kept = Vec::new();
    while let Ok(picture) = decoder.get(1000) {
        kept.push(picture);
    }
    assert_eq!(kept.len(), 5);
    let addresses: std::collections::BTreeSet<_> =
        kept.iter().map(|p| u64_at(&p.info, 56)).collect();
    assert_eq!(addresses.len(), 5);
    assert_eq!(decoder.release(&kept[2]), 0);
    assert_eq!(decoder.release(&kept[2]), vdec::UNEXIST);
    let next = decoder.get(5000).unwrap();
    assert_eq!(next.seq(), 5);
    assert_eq!(
        u64_at(&next.info, 56),
        u64_at(&kept[2].info, 56),
        "the buffer is used again"
    );
    for picture in kept
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != 2)
        .map(|(_, p)| p)
    {
        assert_eq!(decoder.release(picture), 0);
    }
    assert_eq!(decoder.release(&next), 0);
    for frame in &frames[sent..] {
        // The queue is full: the client takes pictures meanwhile.
        while decoder.send(frame, 0, 0) != 0 {
            let picture = decoder.get(5000).unwrap();
            assert_eq!(decoder.release(&picture), 0);
        }
    }
    assert_eq!(decoder.send_end(), 0);
    let last = decoder.take_all().pop().unwrap();
    assert_eq!(last.seq(), 59);
    assert!(card.media.proc_text("vdec").contains("H264"));
}

#[test]
fn limit_of_pictures_and_restart() {
    let card = Card::new();
    let decoder = h264(&card, 21);
    decoder.ok(11, &[]);
    assert_eq!(decoder.take_all().len(), 0, "stopping ends the stream");
    assert_eq!(
        decoder.send(&[0, 0, 1, 9], 0, 0),
        0x8008_0115,
        "not started"
    );
    decoder.ok(10, &[&n32(3)]);
    let frames = intra_clip(5);
    for frame in &frames {
        // The thread may have come to the limit already.
        let code = decoder.send(frame, 0, -1);
        assert!(matches!(code, 0 | 0x8008_0115), "{code:#x}");
    }
    assert_eq!(decoder.take_all().len(), 3);
    decoder.ok(13, &[]);
    decoder.ok(10, &[&n32(u32::MAX)]);
    let feeder = decoder.feed(frames);
    assert_eq!(decoder.take_all().len(), 5);
    feeder.join().unwrap();
    assert_eq!(
        decoder.send(&[0, 0, 1, 9], 0, 0),
        0x8008_0115,
        "after the end"
    );
    assert_eq!(decoder.send_end(), 0, "a second end is none");
}

#[test]
fn reset_drops_everything() {
    let card = Card::new();
    let decoder = h264(&card, 21);
    let frames = intra_clip(20);
    for frame in &frames {
        assert_eq!(decoder.send(frame, 1, -1), 0);
    }
    let kept = decoder.get(5000).unwrap();
    decoder.ok(13, &[]);
    let status = decoder.ok(12, &[]).remove(0);
    assert_eq!((u32_at(&status, 8), u32_at(&status, 12)), (0, 0));
    assert_eq!(decoder.release(&kept), 0);
    let feeder = decoder.feed(frames);
    let pictures = decoder.take_all();
    feeder.join().unwrap();
    assert_eq!(pictures.len(), 20);
    assert!(pictures.iter().all(|p| p.pts() != 1));
}

/// Blocked callers come back when their session ends, and nothing is left on the card.
#[test]
fn end_of_a_session() {
    let card = Card::new();
    let other = h264(&card, 25);
    let before = card.link.cmm_used();
    let decoder = h264(&card, 21);
    let encoder = Encoder::new(&decoder.client, &venc::cbr(venc::H264, 160, 120, 10, 500));
    for frame in intra_clip(36) {
        if decoder.send(&frame, 0, 300) != 0 {
            break;
        }
    }
    let kept = decoder.get(5000).unwrap();
    let media = card.media.clone();
    std::thread::scope(|scope| {
        let full = scope.spawn(|| loop {
            match decoder.send(&[0, 0, 1, 9, 0xf0], 0, -1) {
                0 => (),
                code => return code,
            }
        });
        let stream = scope.spawn(|| encoder.get(-1).err());
        let idle = Decoder::new(&decoder.client, vdec::H265, vdec::FRAME, 160, 120);
        let frame = scope.spawn(move || idle.get(-1).err());
        encoder.ok(9, &[&n32(encoder.id)]);
        let select = scope.spawn(|| {
            encoder
                .client
                .status(VENC, 7, &[&n32(encoder.id), &n32(u32::MAX)])
        });
        std::thread::sleep(Duration::from_millis(300));
        media.session_end(21);
        assert_eq!(full.join().unwrap(), vdec::UNEXIST);
        assert_eq!(frame.join().unwrap(), Some(vdec::UNEXIST));
        assert_eq!(stream.join().unwrap(), Some(venc::UNEXIST));
        assert_eq!(select.join().unwrap(), venc::UNEXIST);
    });
    assert_eq!(card.link.cmm_used(), before);
    assert_eq!(
        decoder.release(&kept),
        0x8008_0112,
        "a new session of that number"
    );
    assert_eq!(
        other.get(0).err(),
        Some(vdec::EMPTY),
        "the other session lives on"
    );
    media.stop();
    assert_eq!(card.link.cmm_used(), 0);
    assert_eq!(other.get(0).err(), Some(0x8008_0112));
}

#[test]
fn encoder_queues() {
    let card = Card::new();
    let client = card.client(21);
    let encoder = Encoder::new(&client, &venc::cbr(venc::H264, 160, 120, 10, 500));
    assert_eq!(encoder.get(0).err(), Some(venc::EMPTY));
    assert_eq!(encoder.get(30).err(), Some(venc::TIMED_OUT));
    let set = n32(2);
    assert_eq!(client.status(VENC, 7, &[&set, &n32(0)]), venc::UNEXIST);
    client.ok(VENC, 9, &[&set, &n32(encoder.id)]);
    assert_eq!(
        client.status(VENC, 9, &[&set, &n32(encoder.id)]),
        0x8007_0216
    );
    assert_eq!(client.status(VENC, 7, &[&set, &n32(0)]), venc::QUEUE_EMPTY);
    assert_eq!(
        client.ok(VENC, 11, &[&set])[0][..4],
        [1, 0, encoder.id as u8, 0]
    );
    // 4 packets, 4 pictures, one in the thread's hands.
    let picture = ffmpeg::pictures(160, 120, 1);
    let mut sent = 0;
    loop {
        match encoder.send(&picture, sent, 2000) {
            0 => sent += 1,
            code => break assert_eq!(code, venc::TIMED_OUT),
        }
    }
    assert_eq!(sent, 9);
    assert_eq!(encoder.send(&picture, 0, 0), venc::NO_BUFFER);
    let status = encoder.ok(40, &[]).remove(0);
    assert_eq!([0, 8, 12, 20].map(|at| u32_at(&status, at)), [4, 4, 1, 5]);
    let ready = client.ok(VENC, 7, &[&set, &n32(1000)]).remove(0);
    assert_eq!(
        [0, 4, 260].map(|at| u32_at(&ready, at)),
        [1, encoder.id, 96]
    );
    assert!(card.media.proc_text("venc").contains("CBR"));
    let packet = encoder.get(0).unwrap();
    assert_eq!(encoder.release(&packet), 0);
    assert_eq!(encoder.release(&packet), venc::UNEXIST);
    // The end comes after all that was sent.
    encoder.ok(17, &[]);
    assert_eq!(encoder.take_all().len(), 8);
    encoder.ok(18, &[]);
    encoder.ok(16, &[&n32(2)]);
    assert_eq!(encoder.send(&picture, 0, -1), 0);
    assert_eq!(encoder.send(&picture, 0, -1), 0);
    assert_eq!(
        encoder.send(&picture, 0, -1),
        0x8007_0215,
        "no more than 2 wanted"
    );
    assert_eq!(encoder.take_all().len(), 2);
    client.ok(VENC, 10, &[&set, &n32(encoder.id)]);
    client.ok(VENC, 8, &[&set]);
    assert_eq!(client.status(VENC, 8, &[&set]), venc::UNEXIST);
    encoder.ok(4, &[]);
    client.ok(VENC, 1, &[]);
    assert_eq!(encoder.status(40, &[]), 0x8007_0212);
}

/// A client that waits for channels in SelectGrp alone learns of the ends of their streams.
#[test]
fn select_to_the_end_of_packets() {
    let card = Card::new();
    let client = card.client(21);
    let encoder = Encoder::new(&client, &venc::cbr(venc::H264, 160, 120, 10, 500));
    let (set, forever) = (n32(3), n32(u32::MAX));
    client.ok(VENC, 9, &[&set, &n32(encoder.id)]);
    let picture = ffmpeg::pictures(160, 120, 1);
    let (mut packets, mut ends) = (0, 0);
    let last = std::thread::scope(|scope| {
        scope.spawn(|| {
            for pts in 0..6 {
                assert_eq!(encoder.send(&picture, pts, -1), 0);
            }
            encoder.ok(17, &[]);
        });
        loop {
            match client.status(VENC, 7, &[&set, &forever]) {
                0 => (),
                code => break code,
            }
            match encoder.get(0) {
                Ok(packet) => {
                    packets += 1;
                    assert_eq!(encoder.release(&packet), 0);
                }
                Err(code) => {
                    assert_eq!(code, venc::FLOW_END);
                    ends += 1;
                }
            }
        }
    });
    assert_eq!((last, packets, ends), (venc::FLOW_END, 6, 1));
    encoder.ok(16, &[&forever]);
    assert_eq!(client.status(VENC, 7, &[&set, &n32(0)]), venc::QUEUE_EMPTY);
}

/// The packets of a full stream buffer wait until the client gives some back.
#[test]
fn small_stream_buffer() {
    let card = Card::new();
    let mut attr = venc::attr(venc::H264, 320, 240, 6, &[1, 10, 10, 10]);
    attr[16..20].copy_from_slice(&n32(100_000));
    let encoder = Encoder::new(&card.client(21), &attr);
    let pixels = ffmpeg::pictures(320, 240, 12);
    let packets = encoder.encode(&pixels);
    assert_eq!(packets.len(), 12);
    let sum: usize = packets.iter().map(|p| p.bytes.len()).sum();
    assert!(sum > 100_000, "{sum}");
    let info = encoder.ok(15, &[]).remove(0);
    assert_eq!(u32_at(&info, 16), 100_000);
    let range = u64_at(&info, 0)..u64_at(&info, 0) + 100_000;
    assert!(packets
        .iter()
        .all(|p| range.contains(&u64_at(&p.stream, 0))));
}

/// The stream lies in card memory.
#[test]
fn stream_by_card_address() {
    use ax650_emu_api::Link;
    let card = Card::new();
    let decoder = h264(&card, 21);
    let frame = intra_clip(1).remove(0);
    let at = decoder.client.alloc(frame.len());
    card.link.dram().write(at, &frame).unwrap();
    let mut stream = record(56, &[(16, 1), (28, frame.len() as u32)]);
    stream[..8].copy_from_slice(&n64(7));
    stream[40..48].copy_from_slice(&n64(at));
    let forever = n32(u32::MAX);
    decoder.ok(17, &[&stream, &forever, &[]]);
    assert_eq!(decoder.send_end(), 0);
    assert_eq!(decoder.take_all()[0].pts(), 7);
    // What the header says, without a group.
    let info = decoder.client.ok(VDEC, 4, &[&stream, &n32(96)]).remove(0);
    assert_eq!([0, 4, 12].map(|at| u32_at(&info, at)), [160, 120, 8]);
    decoder.ok(13, &[]);
    decoder.ok(11, &[]);
    decoder.ok(10, &[&forever]);
    stream[40..48].copy_from_slice(&n64(u64::MAX - 4));
    assert_eq!(decoder.status(17, &[&stream, &forever, &[]]), 0x8008_010c);
    assert_eq!(
        decoder.status(17, &[&stream, &forever, &[1, 2]]),
        0x8008_010a,
        "length differs"
    );
    stream[40..48].fill(0);
    assert_eq!(decoder.status(17, &[&stream, &forever, &[]]), 0x8008_010b);
}

/// A client frees the picture of a SendFrame that waits for room.
#[test]
#[allow(non_snake_case)]
fn U9_a_picture_freed_while_it_is_sent_is_counted() {
    let card = Card::new();
    let encoder = Encoder::new(&card.client(21), &venc::cbr(venc::H264, 160, 120, 10, 500));
    let pixels = vec![128; 160 * 120 * 3 / 2];
    let holds = || card.link.cmm().holds();
    // Nobody takes packets, so the queue fills, and a sent picture is not in use any more.
    while encoder.send(&pixels, 0, 1000) == 0 {}
    assert!(holds().is_idle());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| encoder.status(5, &[&encoder.frame(0), &n32(u32::MAX)]));
        let start = Instant::now();
        while holds().is_idle() && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        encoder
            .client
            .ok(common::SYS, 4, &[&n64(encoder.picture), &n64(0)]);
        encoder.ok(4, &[]);
        assert_eq!(waiting.join().unwrap(), venc::UNEXIST);
    });
    let freed = holds().list_freed(false);
    assert_eq!(freed.len(), 1);
    assert_eq!(freed[0].held.what, "a picture to encode");
    assert!(holds().is_idle());
}
