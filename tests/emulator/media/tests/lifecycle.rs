// SPDX-License-Identifier: MIT OR Apache-2.0

//! Orders of life: what Init, Start, Stop, Reset, Destroy and Exit answer when they come twice, too
//! early or too late, and what becomes of those who wait meanwhile.

#![allow(non_snake_case)]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::vdec::{self, channel_attr, group_attr};
use common::venc::{self, cbr};
use common::{ffmpeg, n32, record, u32_at, Card, Client, IVE, IVPS, SYS, VDEC, VENC};

const OK: u32 = 0;
const NOT_INIT: u32 = 0x12;
const NOT_CONFIG: u32 = 0x13;
const BUSY: u32 = 0x11;
const EXISTS: u32 = 0x16;
const UNEXIST: u32 = 0x17;
const NO_NUMBER: u32 = 0x03;
const NO_CHANNEL: u32 = 0x04;
/// Longest time that one who waits may need to learn that there is nothing to wait for.
const PROMPT: Duration = Duration::from_secs(5);

/// A module's calls, by what they do to group or channel 3.
struct Module {
    name: &'static str,
    number: u32,
    base: u32,
    /// Whether numbers are of channels.
    channels: bool,
    call: fn(&Client, &str, u32) -> u32,
}

fn pool(client: &Client, what: &str, _: u32) -> u32 {
    let mut plan = record(96, &[(8, 4096), (16, 1)]);
    plan.resize(6144, 0);
    match what {
        "config" => client.status(SYS, 41, &[&plan]),
        "init" => client.status(SYS, 43, &[]),
        _ => client.status(SYS, 44, &[]),
    }
}

fn vdec_call(client: &Client, what: &str, id: u32) -> u32 {
    let id = n32(id);
    match what {
        "init" => client.status(VDEC, 0, &[&record(16, &[(0, 8)])]),
        "exit" => client.status(VDEC, 1, &[]),
        "create" => {
            let attr = group_attr(vdec::H264, vdec::STREAM, 320, 240);
            let code = client.status(VDEC, 5, &[&id, &attr]);
            if code == 0 {
                client.ok(VDEC, 31, &[&id, &n32(0), &channel_attr(320, 240, 320)]);
                client.ok(VDEC, 29, &[&id, &n32(0)]);
            }
            code
        }
        "start" => client.status(VDEC, 10, &[&id, &n32(u32::MAX)]),
        "stop" => client.status(VDEC, 11, &[&id]),
        "reset" => client.status(VDEC, 13, &[&id]),
        "get" => client.status(VDEC, 18, &[&id, &n32(0), &n32(u32::MAX)]),
        "select" => client.status(VDEC, 16, &[&n32(u32::MAX)]),
        _ => client.status(VDEC, 7, &[&id]),
    }
}

fn venc_call(client: &Client, what: &str, id: u32) -> u32 {
    let id = n32(id);
    match what {
        "init" => client.status(VENC, 0, &[&record(20, &[(0, 3)])]),
        "exit" => client.status(VENC, 1, &[]),
        "create" => {
            let attr = cbr(venc::H264, 320, 240, 10, 500);
            client.status(VENC, 2, &[&id, &attr, &[]])
        }
        "start" => client.status(VENC, 16, &[&id, &n32(u32::MAX)]),
        "stop" => client.status(VENC, 17, &[&id]),
        "reset" => client.status(VENC, 18, &[&id]),
        "get" => client.status(VENC, 13, &[&id, &n32(u32::MAX)]),
        "add" => client.status(VENC, 9, &[&n32(1), &id]),
        "select" => client.status(VENC, 7, &[&n32(1), &n32(u32::MAX)]),
        _ => client.status(VENC, 4, &[&id]),
    }
}

fn ivps_call(client: &Client, what: &str, id: u32) -> u32 {
    let id = n32(id);
    match what {
        "init" => client.status(IVPS, 0, &[]),
        "exit" => client.status(IVPS, 1, &[]),
        "create" => {
            let code = client.status(IVPS, 2, &[&id, &[0; 8]]);
            if code == 0 {
                let mut pipeline = vec![0; 3184];
                pipeline[0] = 1;
                client.ok(IVPS, 5, &[&id, &pipeline]);
                client.ok(IVPS, 9, &[&id, &n32(0)]);
            }
            code
        }
        "start" => client.status(IVPS, 7, &[&id]),
        "stop" => client.status(IVPS, 8, &[&id]),
        "reset" => client.status(IVPS, 34, &[&id]),
        "get" => client.status(IVPS, 12, &[&id, &n32(0), &n32(u32::MAX)]),
        _ => client.status(IVPS, 4, &[&id]),
    }
}

fn ive(client: &Client, what: &str, _: u32) -> u32 {
    client.status(IVE, u32::from(what == "exit"), &[])
}

const GROUPS: [Module; 3] = [
    Module {
        name: "VDEC",
        number: VDEC,
        base: 0x8008_0100,
        channels: false,
        call: vdec_call,
    },
    Module {
        name: "VENC",
        number: VENC,
        base: 0x8007_0200,
        channels: true,
        call: venc_call,
    },
    Module {
        name: "IVPS",
        number: IVPS,
        base: 0x800d_0100,
        channels: false,
        call: ivps_call,
    },
];

/// Does the steps of a row one after the other on a new card; each is a call and the id of its code.
#[track_caller]
fn run(module: &Module, steps: &[(&'static str, u32)]) {
    let name = format!("{} {steps:?}", module.name);
    let card = Card::with_memory(64 << 20);
    let client = card.client(21);
    let (call, whats) = (module.call, steps.to_vec());
    let (tell, told) = mpsc::channel();
    // In a thread, so that a call that never returns is told of.
    std::thread::spawn(move || {
        for (what, _) in whats {
            if tell.send(call(&client, what, 3)).is_err() {
                return;
            }
        }
    });
    for (i, (what, id)) in steps.iter().enumerate() {
        let want = if *id == OK { OK } else { module.base | id };
        let got = told.recv_timeout(PROMPT);
        assert_eq!(got, Ok(want), "step {i} ({what}) of {name}");
    }
    card.media.session_end(21);
    assert_eq!(card.link.cmm_used(), 0, "{name}");
}

#[test]
fn D1_pools() {
    let module = Module {
        name: "POOL",
        number: SYS,
        base: 0x800b_0100,
        channels: false,
        call: pool,
    };
    for steps in [
        &[("exit", OK), ("config", OK), ("init", OK), ("exit", OK)][..],
        &[("exit", OK), ("exit", OK), ("init", NOT_CONFIG)],
        &[("config", OK), ("init", OK), ("init", OK), ("exit", OK)],
        &[("config", OK), ("init", OK), ("exit", OK), ("exit", OK)],
        &[("config", OK), ("init", OK), ("exit", OK), ("init", OK)],
        &[
            ("config", OK),
            ("config", OK),
            ("init", OK),
            ("config", 0x15),
        ],
    ] {
        run(&module, steps);
    }
}

#[test]
fn D1_ive_begins_and_ends() {
    let module = Module {
        name: "IVE",
        number: IVE,
        base: 0,
        channels: false,
        call: ive,
    };
    for steps in [
        &[("exit", OK), ("init", OK), ("init", OK), ("exit", OK)][..],
        &[("init", OK), ("exit", OK), ("exit", OK)],
    ] {
        run(&module, steps);
    }
    // Its operations are none of this card's.
    assert!((2..=34).all(|api| !ax650_emu_media::Media::implemented(IVE, api)));
}

/// The orders that are the same for all three.
#[test]
fn D1_groups_and_channels() {
    let made = [("init", OK), ("create", OK)];
    let ended = [("destroy", OK), ("exit", OK)];
    let tables: [&[(&'static str, u32)]; 15] = [
        // Exit.
        &[("exit", OK), ("init", OK), ("exit", OK), ("exit", OK)],
        &[("init", OK), ("init", OK), ("exit", OK), ("exit", OK)],
        &[("init", OK), ("exit", OK), ("create", NOT_INIT)],
        &[
            ("create", NOT_INIT),
            ("init", OK),
            ("create", OK),
            ("exit", BUSY),
        ],
        // Create and destroy.
        &[("init", OK), ("destroy", UNEXIST), ("create", OK)],
        &[
            ("init", OK),
            ("create", OK),
            ("create", EXISTS),
            ("destroy", OK),
        ],
        &[
            ("init", OK),
            ("create", OK),
            ("destroy", OK),
            ("destroy", UNEXIST),
        ],
        &[
            ("init", OK),
            ("create", OK),
            ("destroy", OK),
            ("create", OK),
        ],
        &[
            ("init", OK),
            ("start", UNEXIST),
            ("stop", UNEXIST),
            ("reset", UNEXIST),
        ],
        // Start and stop.
        &[
            ("init", OK),
            ("create", OK),
            ("stop", OK),
            ("stop", OK),
            ("start", OK),
        ],
        &[
            ("init", OK),
            ("create", OK),
            ("start", OK),
            ("start", OK),
            ("stop", OK),
        ],
        &[
            ("init", OK),
            ("create", OK),
            ("start", OK),
            ("stop", OK),
            ("stop", OK),
        ],
        // Reset: created, started, stopped, and started again.
        &[
            ("init", OK),
            ("create", OK),
            ("reset", OK),
            ("start", OK),
            ("reset", OK),
        ],
        &[
            ("init", OK),
            ("create", OK),
            ("start", OK),
            ("stop", OK),
            ("reset", OK),
        ],
        &[
            ("init", OK),
            ("create", OK),
            ("start", OK),
            ("destroy", OK),
            ("exit", OK),
        ],
    ];
    for module in &GROUPS {
        for steps in tables {
            run(module, steps);
        }
        let again = [("start", OK), ("stop", OK), ("reset", OK)].repeat(2);
        run(module, &[&made[..], &again, &ended].concat());
        // Numbers that the card does not have.
        let card = Card::new();
        let client = card.client(21);
        assert_eq!((module.call)(&client, "init", 0), OK);
        let none = if module.channels {
            NO_CHANNEL
        } else {
            NO_NUMBER
        };
        for what in ["create", "start", "stop", "reset", "destroy"] {
            let code = (module.call)(&client, what, 1000);
            assert_eq!(code, module.base | none, "{} {what}", module.name);
        }
        assert!(module.number < 8);
    }
}

/// D2: after Stop and Reset one who waits for the end of the stream gets it; also the other way round,
/// and in the middle of the work.
#[test]
fn D2_reset_keeps_the_end_of_a_stopped_stream() {
    const END: u32 = 0x28;
    for module in &GROUPS {
        let begin = [("init", OK), ("create", OK), ("start", OK)];
        let resets = module.name != "IVPS";
        for rest in [
            &[("stop", OK), ("get", END)][..],
            &[("stop", OK), ("reset", OK), ("get", END)],
            &[
                ("stop", OK),
                ("reset", OK),
                ("get", END),
                ("reset", OK),
                ("get", END),
            ],
            &[
                ("stop", OK),
                ("reset", OK),
                ("reset", OK),
                ("get", END),
                ("destroy", OK),
            ],
            &[("reset", OK), ("stop", OK), ("get", END)],
        ] {
            run(module, &[&begin[..], rest].concat());
        }
        // SelectGrp names what has an end to tell, then there is nothing to wait for.
        let selects = [
            ("stop", OK),
            ("reset", OK),
            ("select", OK),
            ("get", END),
            ("select", END),
        ];
        match module.name {
            "VDEC" => run(module, &[&begin[..], &selects].concat()),
            "VENC" => run(module, &[&begin[..], &[("add", OK)], &selects].concat()),
            _ => assert!(!resets),
        }
    }
}

/// D2: the same with pictures in the encoder and packets that nobody takes, as a transcoder ends.
#[test]
fn D2_the_end_comes_after_work_that_is_dropped() {
    let picture = ffmpeg::pictures(320, 240, 1);
    for codec in [venc::H264, venc::H265] {
        let card = Card::new();
        let encoder = venc::Encoder::new(&card.client(21), &cbr(codec, 320, 240, 10, 500));
        for round in 0..3 {
            for pts in 0..6 {
                assert_eq!(encoder.send(&picture, pts, -1), 0, "round {round}");
            }
            encoder.ok(17, &[]);
            encoder.ok(18, &[]);
            let other = encoder.clone();
            let (tell, told) = mpsc::channel();
            let waits = std::thread::spawn(move || tell.send(other.get(-1).err()).unwrap());
            assert_eq!(told.recv_timeout(PROMPT), Ok(Some(venc::FLOW_END)));
            waits.join().unwrap();
            encoder.ok(16, &[&n32(u32::MAX)]);
            assert_eq!(encoder.get(0).err(), Some(venc::EMPTY), "a new stream");
        }
    }
}

/// One who waits for ever is told at once when what it waits for ends.
#[test]
fn D1_waiters_are_released() {
    for module in &GROUPS {
        let calls: &[&str] = match module.name {
            "IVPS" => &["get"],
            _ => &["get", "select"],
        };
        for (waits, by, want) in calls.iter().flat_map(|call| {
            [
                (*call, &["destroy"][..], UNEXIST),
                (*call, &["stop", "destroy"], 0x28),
            ]
        }) {
            let card = Card::new();
            let client = card.client(21);
            for what in ["init", "create", "start"] {
                assert_eq!((module.call)(&client, what, 3), OK);
            }
            if module.name == "VENC" {
                assert_eq!((module.call)(&client, "add", 3), OK);
            }
            let (tell, told) = mpsc::channel();
            let (waiter, call) = (client.clone(), module.call);
            let thread = std::thread::spawn(move || {
                // SelectGrp names the group whose stream has ended.
                tell.send(call(&waiter, waits, 3)).unwrap();
            });
            std::thread::sleep(Duration::from_millis(100));
            assert!(
                told.try_recv().is_err(),
                "{} {waits}: too early",
                module.name
            );
            assert_eq!((module.call)(&client, by[0], 3), OK);
            let code = told.recv_timeout(PROMPT);
            let name = format!("{} {waits} {by:?}", module.name);
            let code = code.unwrap_or_else(|_| panic!("{name}: never"));
            let named = waits == "select" && want == 0x28;
            let want = if named { OK } else { module.base | want };
            assert_eq!(code, want, "{name}: {code:#x}");
            thread.join().unwrap();
            for what in &by[1..] {
                assert_eq!((module.call)(&client, what, 3), OK);
            }
        }
    }
}

/// E3: any number of pictures may be asked for.
#[test]
fn E3_any_number_of_pictures() {
    let card = Card::new();
    let client = card.client(21);
    assert_eq!(vdec_call(&client, "init", 3), OK);
    assert_eq!(vdec_call(&client, "create", 3), OK);
    for count in [0, -1, -2, 1, 7, i32::MIN, i32::MAX] {
        let code = client.status(VDEC, 10, &[&n32(3), &count.to_le_bytes()]);
        assert_eq!(code, OK, "{count}");
        let status = client.ok(VDEC, 12, &[&n32(3)]).remove(0);
        assert_eq!(u32_at(&status, 24), 1, "{count}");
        assert_eq!(vdec_call(&client, "stop", 3), OK);
    }
    // None is no limit.
    let decoder = vdec::Decoder::new(&client, vdec::H264, vdec::STREAM, 320, 240);
    decoder.ok(11, &[]);
    decoder.ok(10, &[&n32(0)]);
    let feeder = decoder.feed(vec![ffmpeg::h264(320, 240, 5)]);
    assert_eq!(decoder.take_all().len(), 5);
    feeder.join().unwrap();
}
