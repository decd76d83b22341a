// SPDX-License-Identifier: MIT OR Apache-2.0

//! All worked examples of the protocol notes: what the host sends gives what the card sends, byte
//! for byte, but for what is named here.

mod script;
mod video;

use ax650_emu_api::Link;

use super::onnx::{integers, model, node, node_with, value, FLOAT, UINT8};
use super::Rig;
use crate::model::digest;
use crate::Options;
use script::{lines, map_buffers, Except, Player, PORTS};

/// The card's own address of its buffers, of which the host uses the length only.
const WINDOW: &str = "the card's address of the window";

#[test]
fn handshake_context_and_properties() {
    let rig = Rig::new();
    let mut player = Player::open(&rig, 24101);
    player.exceptions.push(Except {
        name: "answer (value is an example)",
        // Tenths of a degree and what is below: the temperature follows the load.
        bytes: 86..89,
        why: "the temperature",
    });
    player.play(&lines("Version"));
}

#[test]
fn memory() {
    let rig = Rig::new();
    map_buffers(&rig.host);
    let mut player = Player::open(&rig, 24101);
    player.exceptions.push(Except {
        name: "DMA_SGLIST_INFO from the card",
        bytes: 2..10,
        why: WINDOW,
    });
    player.play(&lines("malloc"));
    // The second block, of which the notes do not show the call.
    let second = rig.host.cmm().alloc(8 << 20, "test", PORTS[0]);
    assert_eq!(second, Ok(0x1_4180_0000));
    let data: Vec<u8> = (0..4 << 20).map(|n: u32| (n % 241) as u8).collect();
    rig.host.write(0x1_0000_0000, &data);
    player.play(&lines("memcpy host to card"));
    player.play(&lines("memcpy card to card"));
    rig.host.write(0x1_0000_0000, &vec![0; 4 << 20]);
    player.play(&lines("memcpy card to host"));
    assert!(rig.host.read(0x1_0000_0000, 4 << 20) == data);
    player.play(&lines("free"));
}

/// A model with the inputs and outputs of the notes' example.
fn classifier() -> Vec<u8> {
    model(
        vec![
            node_with("Cast", &["input"], &["wide"], ("to", FLOAT.into())),
            node_with("Flatten", &["wide"], &["flat"], ("axis", 1)),
            node("Slice", &["flat", "from", "to", "axis"], &["output"]),
        ],
        vec![
            integers("from", &[0]),
            integers("to", &[1000]),
            integers("axis", &[1]),
        ],
        vec![value("input", UINT8, &[1, 224, 224, 3])],
        vec![value("output", FLOAT, &[1, 1000])],
    )
}

#[test]
fn engine() {
    let dir = tempfile::tempdir().unwrap();
    let image = vec![0x5a; 65536];
    std::fs::write(dir.path().join(digest(&image) + ".onnx"), classifier()).unwrap();
    let rig = Rig::with(Options {
        model_dir: Some(dir.path().into()),
        ..Options::default()
    });
    let mut player = Player::open(&rig, 24178);
    let alloc = |size| rig.host.cmm().alloc(size, "test", PORTS[0]).unwrap();
    assert_eq!(alloc(65536), 0x1_4100_0000);
    assert_eq!(alloc(150_528), 0x1_4101_0000);
    assert_eq!(alloc(4000), 0x1_4103_5000);
    let dram = rig.host.dram();
    dram.write(0x1_4100_0000, &image).unwrap();
    let pixels: Vec<u8> = (0..150_528_u32).map(|i| (i % 251) as u8).collect();
    dram.write(0x1_4101_0000, &pixels).unwrap();
    let (usage, others): (Vec<_>, Vec<_>) = {
        let lines = lines("Engine");
        let at = lines
            .iter()
            .position(|l| l.name == "GetMemoryUsage")
            .unwrap();
        let usage = lines[at..at + 2].to_vec();
        (usage, [&lines[..at], &lines[at + 2..]].concat())
    };
    // Before RunModel, as in the notes.
    let run = others.iter().position(|l| l.name == "RunModel").unwrap();
    player.play(&others[..run]);
    player.exceptions.push(Except {
        name: "answer",
        // From the length of the body on.
        bytes: 0x35..usize::MAX,
        why: "the memory that a model takes",
    });
    player.play(&usage);
    player.exceptions.clear();
    player.play(&others[run..]);
    let output = dram.read_vec(0x1_4103_5000, 4000).unwrap();
    let want: Vec<u8> = pixels[..1000]
        .iter()
        .flat_map(|p| f32::from(*p).to_le_bytes())
        .collect();
    assert!(output == want);
}
