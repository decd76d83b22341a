// SPDX-License-Identifier: MIT OR Apache-2.0

//! The examples of the codec, with the real one.

use std::sync::Arc;

use ax650_emu_api::Link;
use ax650_emu_media::Media;

use super::script::{complete, frame, lines, map_buffers, Except, Line, Player};
use super::WINDOW;
use crate::protocol::frames::Header;
use crate::tests::host::Host;
use crate::tests::Rig;
use crate::wire::request_body;

/// `-1` and the empty tail: how requests with a time limit end.
const FOR_EVER: [u8; 8] = [0x12, 4, 0xff, 0xff, 0xff, 0xff, 0x1a, 0];
const TAIL: [u8; 2] = [0x1a, 0];
/// Bytes of the stream piece that is sent by DMA, and of its frame.
const PIECE: usize = 64309;
const FRAME: usize = 0xfbcd;

/// The argument `index` of a native request in the notes.
fn argument(heading: &str, name: &str, index: usize) -> Vec<u8> {
    use prost::Message;
    let lines = lines(heading);
    let line = lines.iter().find(|l| l.name == name).unwrap();
    let request = crate::wire::Request::decode(&line.bytes[Header::LEN..]).unwrap();
    match request.body.unwrap().kind.unwrap() {
        request_body::Kind::Native(native) => {
            let (_, _, args) = crate::protocol::native::parts(native).unwrap();
            args[index].clone()
        }
        other => panic!("{other:?}"),
    }
}

/// A picture of 1920 x 1080, encoded as H.264 by another card.
fn picture() -> Vec<u8> {
    let host = Arc::new(Host::new());
    let media = Media::new(host.clone());
    let call = |api, args: &[&[u8]]| {
        let args: Vec<Vec<u8>> = args.iter().map(|a| a.to_vec()).collect();
        let answer = media.call(21, 2, api, &args);
        assert_eq!(answer[0], [0; 4], "{api}");
        answer
    };
    const VENC: &str = "VENC: pool";
    call(0, &[&argument(VENC, "AX_VENC_Init", 0)]);
    let mut attr = argument(VENC, "AX_VENC_CreateChn", 1);
    for (at, side) in [(4, 1920_u32), (8, 1080), (36, 1920), (40, 1080)] {
        attr[at..at + 4].copy_from_slice(&side.to_le_bytes());
    }
    let channel = [0; 4];
    call(2, &[&channel, &attr, &[]]);
    call(16, &[&channel, &[0xff; 4]]);
    let luma = host
        .cmm()
        .alloc(1920 * 1080 * 3 / 2, "picture", 21)
        .unwrap();
    host.dram().fill(luma, 1920 * 1080 * 3 / 2, 128).unwrap();
    let mut info = vec![0; 240];
    for (at, n) in [
        (0, 1920_u32),
        (4, 1080),
        (8, 3),
        (32, 1920),
        (36, 1920),
        (236, 1),
    ] {
        info[at..at + 4].copy_from_slice(&n.to_le_bytes());
    }
    info[56..64].copy_from_slice(&luma.to_le_bytes());
    call(5, &[&channel, &info, &[0xff; 4]]);
    let stream = &call(13, &[&channel, &10_000_u32.to_le_bytes()])[1];
    let phys = u64::from_le_bytes(stream[..8].try_into().unwrap());
    let len = u32::from_le_bytes(stream[16..20].try_into().unwrap());
    host.dram().read_vec(phys, len.into()).unwrap()
}

/// SendStream of a picture, of the length in the notes.
fn send_stream(picture: &[u8]) -> Vec<u8> {
    let header = Header {
        kind: 0x0011_0101,
        sequence: 12,
        card: 1,
        context: 3,
        stream: 1,
        command: 0,
    };
    let mut stream = vec![0; 56];
    stream[..8].copy_from_slice(&40_000_u64.to_le_bytes());
    stream[16] = 1;
    stream[28..32].copy_from_slice(&(PIECE as u32).to_le_bytes());
    let mut bytes = picture.to_vec();
    bytes.resize(PIECE, 0);
    let args = vec![vec![0; 4], stream, vec![0xff; 4], bytes];
    let request = request_body::Kind::Native(crate::protocol::native::request(1, 17, args));
    let frame = frame(&header, request, (24423, 24438));
    assert_eq!(frame.len(), FRAME);
    frame
}

fn position(lines: &[Line], name: &str) -> usize {
    let found = lines.iter().position(|l| l.name.starts_with(name));
    found.unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn decoder() {
    let rig = Rig::real();
    map_buffers(&rig.host);
    let mut player = Player::open(&rig, 24423);
    player.exceptions.push(Except {
        name: "card: room for it",
        bytes: 2..10,
        why: WINDOW,
    });
    rig.host.write(0x1_0000_0000, &send_stream(&picture()));
    let mut lines = lines("VDEC");
    // A piece of a stream that the notes do not show in full: it is no picture here.
    let small = position(&lines, "a small SendStream");
    complete(&mut lines[small], &TAIL);
    let release = position(&lines, "AX_VDEC_ReleaseChnFrame");
    complete(&mut lines[release], &TAIL);
    player.exceptions.push(Except {
        name: "answer with a picture",
        // Where the notes' card happened to have its pictures.
        bytes: 0x88..0x98,
        why: "the addresses of the picture",
    });
    player.play(&lines);
}

#[test]
fn encoder() {
    let rig = Rig::real();
    map_buffers(&rig.host);
    let player = Player::open(&rig, 24337);
    let mut lines = lines("VENC");
    let send = position(&lines, "AX_VENC_SendFrame");
    complete(&mut lines[send], &FOR_EVER);
    // The notes show no body for this announcement.
    assert!(lines
        .pop()
        .is_some_and(|l| l.name.starts_with("AX_VENC_ReleaseStream")));
    player.play(&lines);
}
