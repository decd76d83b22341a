// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whole subcommands with a fake card: files in, files out, nothing left over.

use std::fs;
use std::path::{Path, PathBuf};

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use clap::Parser;

use crate::args::{Arguments, Command};
use crate::failure::Failure;
use crate::video::ffmpeg_tests::ffmpeg;
use crate::{bench, decode, encode, look, run, transcode};

/// A directory of the test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ax650-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.name(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a command line on a fresh fake card, which must be clean afterwards.
fn ax650(arguments: &[&str]) -> Result<(), Failure> {
    let fake = FakeCard::new();
    let card = fake.open();
    let arguments = Arguments::parse_from(std::iter::once(&"ax650").chain(arguments));
    let result = match &arguments.command {
        Command::Run(options) => run::run(&card, options),
        Command::Decode(options) => decode::decode(&card, options),
        Command::Encode(options) => encode::encode(&card, options),
        Command::Transcode(options) => transcode::transcode(&card, options),
        Command::Bench(options) => bench::bench(&[card.clone()], options),
        Command::Detect(options) => look::detect(&card, options),
        Command::Classify(options) => look::classify(&card, options),
        Command::Embed(options) => look::embed(&card, options),
        other => panic!("not for this test: {other:?}"),
    };
    assert_eq!(fake.open_handles(), (0, 0));
    assert_eq!(fake.card_memory_in_use(), 0);
    result
}

fn tensor(name: &str, size: u64) -> Meta {
    let groups = vec![OneMeta {
        size,
        dims: vec![size as i32],
        stride: Vec::new(),
    }];
    Meta {
        name: name.into(),
        format: 4, // UINT8
        layout: 0,
        groups,
    }
}

fn model() -> Vec<u8> {
    model_image(&IoMeta {
        inputs: vec![tensor("a", 4), tensor("b", 2)],
        outputs: vec![tensor("x/y", 4)],
    })
}

#[test]
fn run_a_model() {
    let scratch = Scratch::new("run");
    let model = scratch.write("model", &model());
    let a = scratch.write("a.bin", &[1, 2, 3, 4]);
    let out = scratch.name("out");
    ax650(&["run", &model, "-i", &a, "-o", &out, "--repeat", "3"]).unwrap();
    assert_eq!(
        fs::read(scratch.path("out/0_x_y.bin")).unwrap(),
        [2, 3, 4, 5]
    );
    // Several at a time: more runs than at a time, and fewer.
    for repeat in ["10", "2"] {
        let out = scratch.name(&format!("out{repeat}"));
        ax650(&[
            "run",
            &model,
            "-i",
            &a,
            "-o",
            &out,
            "--repeat",
            repeat,
            "--parallel",
            "3",
        ])
        .unwrap();
        let bytes = fs::read(scratch.path(&format!("out{repeat}/0_x_y.bin"))).unwrap();
        assert_eq!(bytes, [2, 3, 4, 5]);
    }
    // By name, and as .npy both ways.
    ax650(&[
        "run",
        &model,
        "-i",
        &format!("a={a}"),
        "-o",
        &out,
        "--npy",
        "--json",
    ])
    .unwrap();
    let npy = fs::read(scratch.path("out/0_x_y.npy")).unwrap();
    assert_eq!(npy[npy.len() - 4..], [2, 3, 4, 5]);
    let again = scratch.name("out/0_x_y.npy");
    // What is there stays, without --force.
    let failure = ax650(&["run", &model, "-i", &again, "-o", &out]).unwrap_err();
    assert!(failure.message.ends_with("it exists; --force replaces it"));
    assert_eq!(
        fs::read(scratch.path("out/0_x_y.bin")).unwrap(),
        [2, 3, 4, 5]
    );
    ax650(&["run", &model, "-i", &again, "-o", &out, "--force"]).unwrap();
    assert_eq!(
        fs::read(scratch.path("out/0_x_y.bin")).unwrap(),
        [3, 4, 5, 6]
    );
    ax650(&["run", &model, "--fill", "random"]).unwrap();
}

#[test]
fn run_with_bad_input() {
    let scratch = Scratch::new("bad-run");
    let model = scratch.write("model", &model());
    let short = scratch.write("short", &[1, 2, 3]);
    let strange = scratch.write("strange", b"no model");
    let nothing = scratch.write("nothing", b"");
    let out = scratch.name("out");
    for (arguments, code, message) in [
        (
            vec!["run", &model, "-i", &short, "-o", &out],
            1,
            "3 bytes, but input `a` is uint8 4",
        ),
        (
            vec!["run", &model, "-i", "/nonexistent"],
            1,
            "/nonexistent: no such file or directory",
        ),
        (
            vec!["run", "/nonexistent"],
            1,
            "/nonexistent: no such file or directory",
        ),
        (
            vec!["run", &strange],
            1,
            "the card refuses the model: engine: execution failed (0x8030070c); it is a text file",
        ),
        (vec!["run", &nothing], 1, "a model cannot be empty"),
        (
            vec!["run", &model, "--group", "1"],
            1,
            "shape group 1 of a model that has 1",
        ),
        (
            vec!["run", &model, "-i", "1", "-i", "2", "-i", "3"],
            2,
            "3 files for a model with 2 inputs",
        ),
        (
            vec!["run", &model, "-i", "a=1", "-i", "a=2"],
            2,
            "two files for input `a`",
        ),
        (
            vec!["run", &model, "-i", "c=short"],
            1,
            "there is no input `c`, and no such file; inputs: `a`, `b`",
        ),
        (
            vec!["run", "-", "-i", "a=-"],
            2,
            "standard input (-) is given more than once",
        ),
    ] {
        let failure = ax650(&arguments).unwrap_err();
        assert_eq!(failure.code, code, "{}", failure.message);
        assert!(failure.message.ends_with(message), "{}", failure.message);
    }
    assert!(!Path::new(&out).exists());
}

/// 1280x720; the fake decoder does not look at what is in the slices.
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1F, 0xAC, 0xD9, 0x40, 0x50, 0x05, 0xBB, 0x01, 0x6A, 0x02, 0x02, 0x02, 0x80,
    0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x19, 0x07, 0x8C, 0x18, 0xCB,
];

fn stream(pictures: u8) -> Vec<u8> {
    let mut nals: Vec<Vec<u8>> = vec![SPS.to_vec(), vec![0x68, 1]];
    nals.extend(
        (0..pictures).map(|picture| vec![if picture == 0 { 0x65 } else { 0x41 }, 0x80 | picture]),
    );
    nals.iter()
        .flat_map(|nal| [&[0, 0, 0, 1], nal.as_slice()].concat())
        .collect()
}

#[test]
fn decode_a_stream() {
    let scratch = Scratch::new("decode");
    let input = scratch.write("in.h264", &stream(20));
    let one = 1280 * 720 * 3 / 2;
    let out = scratch.name("out.nv12");
    ax650(&["decode", &input, "-o", &out, "--quiet"]).unwrap();
    let pictures = fs::read(&out).unwrap();
    assert_eq!(pictures.len(), 20 * one);
    // The fake decoder fills a picture with the sum of its packet's bytes.
    for (picture, bytes) in (1_u8..).zip(pictures[one..].chunks(one)) {
        assert_eq!(bytes[one - 1], 1 + 0x41 + (0x80 | picture));
    }
    let out = scratch.name("out.y4m");
    ax650(&[
        "decode",
        &input,
        "-o",
        &out,
        "-q",
        "-n",
        "2",
        "--fps",
        "30000/1001",
    ])
    .unwrap();
    let file = fs::read(&out).unwrap();
    assert!(file.starts_with(b"YUV4MPEG2 W1280 H720 F30000:1001 "));
    assert_eq!(scratch.files(), ["in.h264", "out.nv12", "out.y4m"]);

    // What was decoded can be encoded, and read back from the MP4.
    let raw = scratch.name("two.h264");
    ax650(&["encode", &out, "-o", &raw, "-q"]).unwrap();
    assert_eq!(fs::read(&raw).unwrap().len(), 2 * 64);
}

#[test]
fn transcode_on_the_card() {
    let scratch = Scratch::new("transcode");
    let input = scratch.write("in.264", &stream(9));
    let out = scratch.name("out.h265");
    ax650(&["transcode", &input, "-o", &out, "-q"]).unwrap();
    // The fake encoder keeps the first 64 bytes of a picture.
    let packets = fs::read(&out).unwrap();
    let sums: Vec<_> = packets.chunks(64).map(|packet| packet[0]).collect();
    let expected: Vec<_> = (1_u8..9)
        .map(|picture| 1 + 0x41 + (0x80 | picture))
        .collect();
    assert_eq!(sums[1..], expected);
    let failure = ax650(&["transcode", &input, "-o", &scratch.name("out.mp4"), "-q"]).unwrap_err();
    assert!(
        failure
            .message
            .ends_with("the stream has no parameter sets"),
        "{}",
        failure.message
    );
    assert_eq!(scratch.files(), ["in.264", "out.h265"]);
}

#[test]
fn videos_that_are_none() {
    let scratch = Scratch::new("bad-video");
    let text = scratch.write("text.h264", b"this is a text");
    let mp4 = scratch.write("text.mp4", b"this is a text");
    let jpeg = scratch.write("text.jpg", b"this is a text");
    let yuv = scratch.write("a.yuv", &[0; 100]);
    let y4m = scratch.write("a.y4m", b"YUV4MPEG2 W64 H64\nFRAME\nshort");
    let h264 = scratch.write("a.h264", &stream(3));
    let (nv12, avi) = (scratch.name("out.nv12"), scratch.name("out.avi"));
    let png = scratch.name("x.png");
    let out = scratch.name("out.h264");
    let before = scratch.files();
    for (arguments, code, message) in [
        (
            vec!["decode", &text, "-o", &nv12],
            1,
            "not an H.264 stream?",
        ),
        (
            vec!["decode", &mp4, "-o", &nv12],
            1,
            "text.mp4: not an MP4 file",
        ),
        (
            vec!["decode", &jpeg, "-o", &nv12],
            1,
            "text.jpg: JPEG: no start marker",
        ),
        (
            vec!["decode", &yuv, "-o", &nv12],
            1,
            "not an .mp4, .h264 or .h265 file by its name",
        ),
        // Raw pictures have any name if they are asked for.
        (vec!["decode", &h264, "-o", &avi, "--pixels", "nv12"], 1, ""),
        (
            vec!["decode", &h264, "-o", &png],
            2,
            "--pixels asks for raw ones by any name",
        ),
        (
            vec!["decode", "/nonexistent.mp4", "-o", &nv12],
            1,
            "no such file or directory",
        ),
        (
            vec!["decode", &h264, "-o", "/nonexistent/x.nv12"],
            1,
            "no such file or directory",
        ),
        (
            vec!["encode", &yuv, "-o", &out],
            2,
            "its pictures' size is not known, give --size",
        ),
        (
            vec!["encode", &yuv, "-o", &out, "-s", "64x64"],
            1,
            "100 bytes are no whole number of pictures of 64x64",
        ),
        (
            vec!["encode", &yuv, "-o", &out, "-s", "3x2"],
            1,
            "pictures of 3x2 cannot be encoded: even sizes from 32x32 to 8192x8192 can",
        ),
        (
            vec!["encode", &y4m, "-o", &out],
            1,
            "the last picture is cut short",
        ),
        (
            vec!["encode", &y4m, "-o", &avi],
            2,
            "give an .h264, .h265 or .mp4 file",
        ),
        (
            vec!["transcode", &h264, "-o", &scratch.name("x.jpg")],
            2,
            "give a video file",
        ),
    ] {
        let result = ax650(&arguments);
        if message.is_empty() {
            result.unwrap();
            fs::remove_file(&avi).unwrap();
            continue;
        }
        let failure = result.unwrap_err();
        assert_eq!(failure.code, code, "{}", failure.message);
        assert!(failure.message.ends_with(message), "{}", failure.message);
    }
    assert_eq!(scratch.files(), before);
}

/// A file of the field, copied to a place of the test's own.
fn field(scratch: &Scratch, name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/field");
    scratch.write(name, &fs::read(directory.join(name)).unwrap())
}

/// The fake decoder makes a picture of each packet, so that all must come out but what is hidden or missing.
#[test]
fn pictures_out_are_pictures_in() {
    let scratch = Scratch::new("count");
    let one = 176 * 144 * 3 / 2;
    for (name, count, code) in [
        ("c14_zeronal_first.h264", 20, 0),
        ("c29_svcprefix_slices.h264", 20, 0),
        ("m08_frag_nonempty.mp4", 30, 0),
        ("m11_editlist.mp4", 17, 0),
        ("m14_pcm.mov", 30, 0),
        ("n01_zerolast.mp4", 29, 0),
        ("n02_trunc_faststart.mp4", 15, 7),
        ("n31_zeronal.mp4", 30, 0),
    ] {
        let input = field(&scratch, name);
        let out = scratch.name("out.nv12");
        let result = ax650(&["decode", &input, "-o", &out, "-q", "--force"]);
        let got = result.err().map_or(0, |failure| failure.code);
        let pictures = fs::read(&out).unwrap().len() / one;
        assert_eq!((pictures, got), (count, code), "{name}");
    }
}

#[test]
fn sizes_that_change() {
    let scratch = Scratch::new("sizes");
    for name in ["c21_resup.h264", "c22_resdown.h264", "p02_twostsd_size.mp4"] {
        let input = field(&scratch, name);
        let out = scratch.name("out.y4m");
        let failure = ax650(&["decode", &input, "-o", &out, "-q"]).unwrap_err();
        assert!(failure.message.contains("pictures of one size only"));
        assert!(!scratch.path("out.y4m").exists());
        let raw_name = scratch.name("out.nv12");
        let failure = ax650(&["decode", &input, "-o", &raw_name, "--strict", "-q"]).unwrap_err();
        assert!(
            failure.message.contains("the size is"),
            "{}",
            failure.message
        );
        let raw = scratch.name("out.h265");
        ax650(&["transcode", &input, "-o", &raw, "-q", "--force"]).unwrap();
        let packets = fs::read(&raw).unwrap().len() / 64;
        assert_eq!(packets, if name.starts_with('p') { 20 } else { 30 });
        let mp4 = scratch.name("out.mp4");
        let failure = ax650(&["transcode", &input, "-o", &mp4, "-q"]).unwrap_err();
        assert!(failure.message.contains("pictures of one size only"));
    }
}

#[test]
fn files_are_replaced_with_force_only() {
    let scratch = Scratch::new("force");
    let input = scratch.write("in.h264", &stream(3));
    let yuv = scratch.write("in.yuv", &[0; 64 * 64 * 3 / 2]);
    for arguments in [
        vec!["decode", &input, "-o", "old.nv12"],
        vec!["encode", &yuv, "-s", "64x64", "-o", "old.h264"],
        vec!["transcode", &input, "-o", "old.h265"],
    ] {
        let name = arguments[arguments.len() - 1];
        let old = scratch.write(name, b"old");
        let mut arguments = arguments.clone();
        *arguments.last_mut().unwrap() = &old;
        let failure = ax650(&arguments).unwrap_err();
        assert!(failure.message.ends_with("it exists; --force replaces it"));
        assert_eq!(fs::read(&old).unwrap(), b"old");
        arguments.extend(["--force", "-q"]);
        ax650(&arguments).unwrap();
        assert_ne!(fs::read(&old).unwrap(), b"old");
        // Not even then.
        *arguments
            .iter_mut()
            .find(|word| **word == old.as_str())
            .unwrap() = arguments[1];
        let before = fs::read(arguments[1]).unwrap();
        let failure = ax650(&arguments).unwrap_err();
        assert!(failure.code == 2, "{}", failure.message);
        assert_eq!(fs::read(arguments[1]).unwrap(), before);
    }
}

#[test]
fn other_containers_are_named() {
    let scratch = Scratch::new("other");
    let mkv = scratch.write("a.mkv", &[0x1A, 0x45, 0xDF, 0xA3, 1, 2, 3, 4]);
    let failure = ax650(&["decode", &mkv, "--md5"]).unwrap_err();
    assert!(failure.message.contains("Matroska") && failure.message.contains("| ax650 decode -"));
    let input = field(&scratch, "m22_mjpegfirst.mp4");
    let failure = ax650(&["decode", &input, "--md5", "--track", "1"]).unwrap_err();
    assert!(failure.message.contains("neither H.264 nor H.265"));
    let failure = ax650(&["decode", &input, "--md5", "--track", "9"]).unwrap_err();
    assert!(failure.message.contains("no track 9; it has 1 video"));
}

/// The command that the message shows brings the pictures of either codec here, whatever the file's name.
#[test]
fn the_command_for_other_containers_works() {
    let scratch = Scratch::new("hint");
    for (codec, kind) in [
        ("libx264", "mkv"),
        ("libx265", "mkv"),
        ("libx264", "ts"),
        ("libx265", "ts"),
        ("libx264", "avi"),
    ] {
        let input = scratch.name(&format!("it's {codec}.{kind}"));
        let made = ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=128x96:r=25:d=0.8",
            "-f",
            "lavfi",
            "-i",
            "sine=d=0.8",
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            codec,
            "-c:a",
            "aac",
            &input,
        ]);
        if made.is_none() {
            return;
        }
        let message = ax650(&["decode", &input, "--md5"]).unwrap_err().message;
        let (_, command) = message.split_once("try: ").expect("a command");
        let command = command.strip_suffix(" | ax650 decode -").unwrap();
        let piped = scratch.name("piped.mp4");
        let line = format!("{command} 2>&1 >'{piped}'");
        let shell = std::process::Command::new("sh")
            .args(["-c", &line])
            .output();
        let shell = shell.unwrap();
        assert!(shell.status.success(), "{line}: {shell:?}");
        let out = scratch.name("out.nv12");
        ax650(&["decode", &piped, "-o", &out, "-q", "--force"]).unwrap();
        let pictures = fs::read(&out).unwrap().len() / (128 * 96 * 3 / 2);
        assert_eq!(pictures, 20, "{codec} {kind}");
    }
}

/// Each kind of loss is a failure with `--strict`, that leaves nothing behind, and none without.
#[test]
fn strict_refuses_each_loss() {
    let scratch = Scratch::new("strict");
    let mut rows = vec![
        (field(&scratch, "m12_rot90.mp4"), "rotation by 270 degrees"),
        (field(&scratch, "m01_av.mp4"), "not carried over: audio"),
        (field(&scratch, "a12_fullrange.h264"), "full range"),
    ];
    for (format, words) in [
        ("yuv420p10le", "10-bit pictures become 8-bit 4:2:0"),
        ("yuv422p", "4:2:2 pictures become 8-bit 4:2:0"),
        ("yuv444p", "4:4:4 pictures become 8-bit 4:2:0"),
    ] {
        let path = scratch.name(&format!("{format}.h264"));
        let source = "testsrc2=s=128x96:d=0.2";
        let codec = ["-f", "lavfi", "-i", source, "-c:v", "libx264", "-pix_fmt"];
        if ffmpeg(&[&codec[..], &[format, &path]].concat()).is_some() {
            rows.push((path, words));
        }
    }
    let out = scratch.name("out.h265");
    for (input, words) in rows {
        let line = ["transcode", &input, "-o", &out, "-q"];
        let failure = ax650(&[&line[..], &["--strict"]].concat()).unwrap_err();
        assert!(
            failure.code == 1 && failure.message.contains(words),
            "{}",
            failure.message
        );
        assert!(!Path::new(&out).exists(), "{input}");
        ax650(&line).unwrap();
        fs::remove_file(&out).unwrap();
    }
}

/// A model whose input is a picture of 8x8, and which adds 1 to its bytes.
fn looker(dims: &[i32]) -> Vec<u8> {
    let tensor = |name: &str, dims: &[i32]| Meta {
        name: name.into(),
        format: 4, // UINT8
        layout: 1,
        groups: vec![OneMeta {
            size: dims.iter().product::<i32>() as u64,
            dims: dims.to_vec(),
            stride: Vec::new(),
        }],
    };
    model_image(&IoMeta {
        inputs: vec![tensor("x", &[1, 8, 8, 3])],
        outputs: vec![tensor("y", dims)],
    })
}

/// Pictures of the fake decoder are all of one shade, so what is seen in them is known.
#[test]
fn look_at_a_stream() {
    let scratch = Scratch::new("look");
    let clip = scratch.write("in.h264", &stream(6));
    let labels = scratch.write("labels", b"none\n one \n");
    let out = scratch.name("out.jsonl");
    let lines = |out: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(out).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    // Two classes of the same score: the shade that the picture's packet gives it, and 1.
    let model = scratch.write("model", &looker(&[1, 2]));
    ax650(&[
        "classify", &clip, "-m", &model, "-o", &out, "-q", "--labels", &labels, "--top", "1",
    ])
    .unwrap();
    let seen = lines(&out);
    assert_eq!(seen.len(), 6);
    let shade = |number: usize| f64::from(1 + 0x41 + (0x80 | number as u8) + 1);
    for (number, line) in seen.iter().enumerate().skip(1) {
        let best = serde_json::json!([{"class": 0, "score": shade(number), "label": "none"}]);
        assert_eq!((&line["frame"], &line["classes"]), (&number.into(), &best));
        assert_eq!(line["pts"].as_f64(), Some(number as f64 / 25.0));
    }
    // A file that exists stays.
    let again = ax650(&["classify", &clip, "-m", &model, "-o", &out, "-q"]);
    assert!(again.unwrap_err().message.contains("exists"));
    ax650(&[
        "embed",
        &clip,
        "-m",
        &model,
        "-o",
        &out,
        "-q",
        "--force",
        "--stretch",
        "--raw",
        "-n",
        "2",
    ])
    .unwrap();
    let seen = lines(&out);
    assert_eq!(seen.len(), 2);
    assert_eq!(
        seen[1]["embedding"],
        serde_json::json!([shade(1), shade(1)])
    );
    ax650(&[
        "embed", &clip, &clip, "-m", &model, "-o", &out, "-q", "--force", "-n", "1",
    ])
    .unwrap();
    let seen = lines(&out);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0]["input"], clip);
    let length = seen[0]["embedding"].as_array().unwrap().iter();
    let square: f64 = length.map(|x| x.as_f64().unwrap().powi(2)).sum();
    assert!((square - 1.0).abs() < 1e-6, "{square}");

    // Detectors, and models that are none.
    let detector = scratch.write("detector", &looker(&[1, 5, 8]));
    let drawn = scratch.name("drawn.h264");
    ax650(&[
        "detect", &clip, "-m", &detector, "-o", &out, "-q", "--force", "--draw", &drawn,
    ])
    .unwrap();
    let seen = lines(&out);
    // All places are the same box.
    assert_eq!(seen[0]["detections"].as_array().unwrap().len(), 1);
    assert!(fs::metadata(&drawn).unwrap().len() > 0);
    let picture = scratch.name("one.png");
    for (line, says) in [
        (
            vec!["detect", &clip, "-m", &model],
            "an output of 1x2 has no boxes",
        ),
        (
            vec!["detect", &clip, &clip, "-m", &detector, "--draw", &drawn],
            "--draw wants one input",
        ),
        (
            vec!["detect", &clip, "-m", &detector, "--draw", &picture],
            "a .png file holds one picture",
        ),
        (
            vec!["detect", &clip, "-m", &detector, "--draw", &clip, "--force"],
            "this is the input",
        ),
        (
            vec!["detect", &clip, "-m", &detector, "-n", "0"],
            "0 pictures",
        ),
        (vec!["detect", &labels, "-m", &detector], "labels"),
    ] {
        let failure = ax650(&[line.clone(), vec!["-q", "-o", "/dev/null"]].concat()).unwrap_err();
        assert!(
            failure.message.contains(says),
            "{line:?}: {}",
            failure.message
        );
    }
    ax650(&[
        "detect",
        &clip,
        "-m",
        &detector,
        "-q",
        "-o",
        "/dev/null",
        "--draw",
        &picture,
        "-n",
        "1",
    ])
    .unwrap();
    let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(&picture).unwrap()));
    let info = decoder.read_info().unwrap().info().size();
    assert_eq!(info, (1280, 720));
}

#[test]
fn bench_runs() {
    ax650(&[
        "bench", "--calls", "20", "--sizes", "1,64k", "--volume", "1M", "--json",
    ])
    .unwrap();
    ax650(&[
        "bench",
        "--calls",
        "1",
        "--sizes",
        "1",
        "--streams",
        "3",
        "--json",
    ])
    .unwrap();
    ax650(&["bench", "--calls", "1", "--sizes", "1", "--streams", "3"]).unwrap();
    ax650(&["bench", "--model"]).unwrap();
    let scratch = Scratch::new("bench");
    let model = scratch.write("model", &model());
    ax650(&[
        "bench",
        "--decode",
        "2",
        "--encode",
        "1",
        "--infer",
        "2",
        "--infer-model",
        &model,
        "-n",
        "30",
        "--size",
        "64x48",
    ])
    .unwrap();
    let clip = scratch.write("in.h264", &stream(6));
    ax650(&[
        "bench", "--decode", "3", "--clip", &clip, "-n", "9", "--json",
    ])
    .unwrap();
    ax650(&["bench", "--model", "--json"]).unwrap();
    assert_eq!(
        ax650(&["bench", "--calls", "1", "--sizes", "2G"])
            .unwrap_err()
            .code,
        2
    );
}
