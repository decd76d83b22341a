// SPDX-License-Identifier: MIT OR Apache-2.0

//! The allow-list: what clients may send, and attempts to get around it.

use ax650_wire_tests::{
    examples,
    wire::{
        frame::Header,
        grants::{Effect, Gift, Kind, Named, Taken, Thing},
        pb::Writer,
        policy::{check, check_with, native, shell::is_property_query, Refusal, Verdict},
        proctext::command,
        rpc::Call,
    },
};

const CALL: Call = Call {
    sequence: 9,
    card: 1,
    context: 2,
    stream: 1,
    pid: 5,
    tid: 6,
    timestamp: 7,
};

const DRAM: u64 = 0x1_4100_0000;

/// A frame of this type and command around what `body` writes.
fn frame(kind: u32, command: u32, body: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let header = CALL.header(kind, command).encode();
    let mut message = vec![0; 4096];
    let mut writer = Writer::new(&mut message);
    writer.message(1, |w| {
        w.varint(1, 9);
        if kind & 0xFF == 1 {
            w.varint(5, 1);
        }
    });
    writer.message(2, &body);
    writer.message(3, |_| {});
    let length = writer.finish().unwrap();
    message.truncate(length);
    [&header[..], &message].concat()
}

/// A runtime frame of service and api that agrees with itself.
fn runtime(service: u8, api: u8, body: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    let kind = u32::from_le_bytes([0, service, api, 0]);
    frame(kind, 0, |w| {
        w.message(1, |w| {
            w.message(1, |w| w.varint(1, service.into()));
            w.message(2, |w| {
                w.message(u32::from(service) + 1, |w| {
                    w.message(1, |w| w.varint(1, api.into()));
                    w.message(2, &body);
                });
            });
        });
    })
}

/// A control frame; `inner` is the command in the message.
fn control(command: u32, inner: u64, fields: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
    frame(0x3_0000, command, |w| {
        w.message(1, |w| {
            w.message(1, |_| {});
            w.message(2, |w| {
                w.message(1, |w| {
                    w.message(1, |w| w.varint(1, 3));
                    w.message(2, |w| {
                        w.message(4, |w| {
                            w.varint(1, inner);
                            fields(w);
                        })
                    });
                });
            });
        });
    })
}

fn native_call(module: u8, api: u8, arguments: &[&[u8]]) -> Vec<u8> {
    let kind = u32::from_le_bytes([1, module, api, 0]);
    frame(kind, 0, |w| {
        w.message(2, |w| {
            w.message(1, |w| w.varint(1, module.into()));
            w.message(2, |w| {
                w.message(u32::from(module) + 1, |w| {
                    w.varint(1, api.into());
                    arguments.iter().for_each(|argument| w.bytes(2, argument));
                });
            });
        });
    })
}

fn shell(line: &str) -> Vec<u8> {
    let mut out = vec![0; 1024];
    let length = CALL.shell(&mut out, line).unwrap();
    out.truncate(length);
    out
}

fn allowed(frame: &[u8]) {
    assert_eq!(check(frame, false).map(|_| ()), Ok(()), "{frame:x?}");
}

/// Refused for what it asks, from everyone.
fn never(frame: &[u8]) {
    for privileged in [false, true] {
        let refusal = check(frame, privileged).expect_err("refused");
        assert!(refusal.is_denial(), "{refusal}");
    }
}

/// Refused for what it asks, but not from the privileged.
fn privileged_only(frame: &[u8]) {
    let refusal = check(frame, false).expect_err("refused");
    assert!(refusal.is_denial(), "{refusal}");
    assert!(check(frame, true).is_ok(), "{:?}", check(frame, true));
}

/// Refused as malformed, from everyone.
fn malformed(frame: &[u8]) -> String {
    let refusal = check(frame, true).expect_err("refused");
    assert!(!refusal.is_denial(), "{refusal}");
    assert_eq!(check(frame, false), Err(refusal));
    refusal.to_string()
}

/// What an unprivileged client names with this frame.
fn names(frame: &[u8]) -> Vec<Named> {
    let mut names = Vec::new();
    check_with(frame, false, &mut |named| names.push(named)).expect("allowed");
    names
}

fn effect(frame: &[u8]) -> Effect {
    check(frame, false).expect("allowed").effect
}

fn range(address: u64, size: u64) -> Named {
    Named::Range { address, size }
}

#[test]
fn captured_calls_are_allowed() {
    let calls: Vec<_> = examples::all()
        .into_iter()
        .filter(|example| example.to_card && example.port == 2)
        .collect();
    assert!(calls.len() > 20, "{}", calls.len());
    for call in calls {
        let verdict = check(&call.bytes, true);
        assert!(verdict.is_ok(), "{}: {verdict:?}", call.title);
        let verdict = check(&call.bytes, false);
        let is_known = !matches!(verdict, Err(Refusal::Privileged(_)));
        // What is privileged is so for its type, not for what it says.
        assert!(!is_known || verdict.is_ok(), "{}: {verdict:?}", call.title);
    }
}

#[test]
fn own_requests_are_allowed() {
    let mut out = [0; 1024];
    let length = CALL.create_context(&mut out).unwrap();
    allowed(&out[..length]);
    let length = CALL.destroy_context(&mut out).unwrap();
    allowed(&out[..length]);
    let length = CALL.latency(&mut out, &[1; 500]).unwrap();
    allowed(&out[..length]);
    assert_eq!(
        check(&out[..length], false),
        Ok(Verdict {
            header: Header::parse(&out).unwrap(),
            reply: true,
            effect: Effect::None
        })
    );
}

#[test]
fn streams_and_events() {
    for command in [4, 5, 6, 7, 8, 9, 10] {
        let frame = control(command, command.into(), |w| {
            w.varint(4, 2);
            w.varint(7, 2);
            w.varint(8, 1);
            w.varint(9, -1i64 as u64);
            w.varint(10, u64::from(command >= 9));
        });
        let verdict = check(&frame, false).unwrap();
        assert_eq!(verdict.reply, command < 9, "noresp");
    }
    privileged_only(&control(3, 3, |w| w.message(6, |w| w.varint(1, 0x1f4b))));
    for privileged in [false, true] {
        assert_eq!(
            check(&control(11, 11, |_| {}), privileged),
            Err(Refusal::Command(11))
        );
    }
}

#[test]
fn property_queries() {
    for line in [
        command::CHIP,
        command::VERSION,
        command::UID,
        command::MEMORY,
        command::CMM,
        command::TEMPERATURE,
        command::CPU,
        command::NPU,
        "cat /proc/meminfo",
        "cat /proc/ax_proc/link_table",
        "cat /proc/ax_proc/mem_cmm_info | grep -E 'name=\"npu_.*_pid4711.*\"' || true",
    ] {
        allowed(&shell(line));
    }
}

#[test]
fn other_command_lines_need_privilege() {
    for line in [
        "",
        "reboot",
        "cat /proc/ax_proc/version; reboot",
        "cat /proc/ax_proc/version\n",
        " cat /proc/ax_proc/version",
        "cat /proc/ax_proc/version\0; reboot",
        "cat /proc/ax_proc/../kcore",
        "cat /proc/ax_proc/mem_cmm_info | grep -E 'name=\"npu_.*_pid'; reboot; '.*\"' || true",
        "cat /proc/ax_proc/mem_cmm_info | grep -E 'name=\"npu_.*_pid.*\"' || true",
        "cat /proc/ax_proc/mem_cmm_info | grep -E 'name=\"npu_.*_pid12345678901.*\"' || true",
        "echo 1 > /sys/devices/system/cpu/cpufreq/policy0/scaling_setspeed",
    ] {
        privileged_only(&shell(line));
        assert!(!is_property_query(line.as_bytes()));
    }
}

#[test]
fn shell_arguments_need_privilege() {
    let with_arguments = |arguments: &[&[u8]]| {
        control(2, 2, |w| {
            w.message(5, |w| {
                w.bytes(1, command::VERSION.as_bytes());
                arguments.iter().for_each(|argument| w.bytes(2, argument));
            })
        })
    };
    allowed(&with_arguments(&[]));
    privileged_only(&with_arguments(&[b"; reboot"]));
    privileged_only(&with_arguments(&[b""]));
    let refusal = with_arguments(&[b"a", b"b"]);
    assert!(check(&refusal, false).is_err());
}

/// A harmless command line does not cover for a second one.
#[test]
fn shell_cannot_be_said_twice() {
    let twice = |w: &mut Writer<'_>| {
        w.bytes(1, command::VERSION.as_bytes());
        w.bytes(1, b"reboot");
    };
    let frame = control(2, 2, |w| w.message(5, twice));
    assert_eq!(
        check(&frame, false),
        Err(Refusal::Repeated("shell request", 1))
    );
    // Nor in a second shell message, a second control message, a second anything on the way.
    let frame = control(2, 2, |w| {
        w.message(5, |w| w.bytes(1, command::VERSION.as_bytes()));
        w.message(5, |w| w.bytes(1, b"reboot"));
    });
    assert_eq!(malformed(&frame), "control has field 5 twice");
}

#[test]
fn repeated_levels_are_refused() {
    let good = shell(command::VERSION);
    let (header, message) = good.split_at(28);
    let twice = [header, message, message].concat();
    assert_eq!(malformed(&twice), "request has field 1 twice");
    let bad = shell("reboot");
    // A second body, merged by the card into the first.
    let body = &bad[28..];
    let start = 2 + usize::from(body[1]);
    let twice = [header, message, &body[start..]].concat();
    assert_eq!(malformed(&twice), "request has field 2 twice");
}

#[test]
fn command_in_header_and_message_agree() {
    let line = |w: &mut Writer<'_>| w.message(5, |w| w.bytes(1, b"reboot"));
    assert_eq!(
        malformed(&control(0, 2, line)),
        "command: header says 0, message 2"
    );
    assert_eq!(
        malformed(&control(2, 0, line)),
        "command: header says 2, message 0"
    );
    // A command line in another command's request.
    malformed(&control(0, 0, line));
    malformed(&control(4, 4, line));
    // 2^32 + 2 is 2 for a parser that cuts, 0 is not 2 for one that does not.
    malformed(&control(0, (1 << 32) + 2, line));
    malformed(&control(2, (1 << 32) + 2, line));
}

#[test]
fn memory_calls() {
    let copy = |w: &mut Writer<'_>| {
        w.varint(1, DRAM);
        w.varint(2, 4096);
        w.varint(3, DRAM + 8192);
        w.varint(9, 1);
    };
    for api in [2, 3, 4, 7, 8] {
        assert_eq!(
            check(&runtime(1, api, copy), false).map(|v| v.reply),
            Ok(false)
        );
    }
    assert_eq!(
        names(&runtime(1, 7, copy)),
        [range(DRAM, 4096), range(DRAM + 8192, 4096)]
    );
    let give = runtime(1, 0, |w| w.varint(2, 4096));
    assert_eq!(effect(&give), Effect::Gives(Gift::Memory(4096)));
    let take = runtime(1, 1, |w| w.varint(1, DRAM));
    let memory = Thing::new(Kind::Memory, DRAM);
    assert_eq!(effect(&take), Effect::Takes(Taken::Whole(memory)));
    assert_eq!(names(&take), []);
    // Without an answer nobody could tell what has become of it.
    for api in [0, 1] {
        let silent = runtime(1, api, |w| {
            w.varint(1, DRAM);
            w.varint(9, 1);
        });
        assert!(malformed(&silent).ends_with("have to ask for an answer"));
    }
    // Copies from and to the host.
    never(&runtime(1, 5, copy));
    never(&runtime(1, 6, copy));
    never(&runtime(1, 9, copy));
    let mut direct = runtime(1, 5, copy);
    for kind in [0x4105_0100u32, 0x4106_0100, 0x4100_0000, 0x0100_0100, 2] {
        direct[..4].copy_from_slice(&kind.to_le_bytes());
        never(&direct);
    }
    // A host bus address in a call that has no use for one.
    never(&runtime(1, 7, |w| {
        copy(w);
        w.varint(10, 0xFEE0_0000);
    }));
}

#[test]
fn card_addresses_are_in_card_memory() {
    let with = |address: u64, size: u64, from: u64| {
        runtime(1, 7, move |w| {
            w.varint(1, address);
            w.varint(2, size);
            w.varint(3, from);
        })
    };
    allowed(&with(DRAM, 0, DRAM));
    for (address, size, from) in [
        (0x5100_0000, 4096, DRAM),
        (DRAM, 4096, 0x5100_0060),
        (0xFFFF_F000, 0x2000, DRAM),
        (DRAM, 4096, 0),
        (u64::MAX - 10, 4096, DRAM),
        (0x8_FFFF_F000, 0x1001, DRAM),
        (0x10_5100_0000, 4096, DRAM),
    ] {
        never(&with(address, size, from));
    }
    // Compared as the card sees them: the size of these has 32 bits.
    malformed(&with(DRAM, 1 << 32, DRAM));
}

#[test]
fn memory_type_and_api_agree() {
    // Header says free, message says write.
    let mut frame = runtime(1, 5, |w| w.varint(1, DRAM));
    frame[2] = 1;
    assert_eq!(malformed(&frame), "api: header says 1, message 5");
    // Header says memory, message control.
    let mut frame = control(2, 2, |w| w.message(5, |w| w.bytes(1, b"reboot")));
    frame[..4].copy_from_slice(&0x0001_0100u32.to_le_bytes());
    malformed(&frame);
    // Header says runtime, message native.
    let mut frame = native_call(0, 1, &[]);
    frame[..4].copy_from_slice(&0x0001_0100u32.to_le_bytes());
    malformed(&frame);
}

#[test]
fn engine_calls() {
    let model = Thing::new(Kind::Model, 0x1234_u64);
    for api in (0..=13).filter(|api| *api != 4) {
        let call = runtime(2, api, |w| w.varint(4, 0x1234));
        let named = names(&call).contains(&Named::Thing(model));
        assert_eq!(named, !matches!(api, 0..=3 | 8), "{api}");
    }
    let of = |api| effect(&runtime(2, api, |w| w.varint(4, 0x1234)));
    assert_eq!(of(8), Effect::Takes(Taken::Whole(model)));
    assert_eq!(of(9), Effect::Gives(Gift::ModelContext(model)));
    assert_eq!(of(1), Effect::Takes(Taken::Models));
    never(&runtime(2, 14, |_| {}));
    let run = |address: u64| {
        runtime(2, 11, move |w| {
            w.message(8, |w| {
                w.message(1, |w| {
                    w.varint(2, DRAM);
                    w.varint(3, 4096);
                });
                w.message(2, |w| {
                    w.varint(2, address);
                    w.varint(3, 4096);
                });
                w.varint(3, 1);
            })
        })
    };
    allowed(&run(DRAM));
    never(&run(0x5100_0000));
    never(&run(0));
    allowed(&runtime(2, 4, |w| {
        w.varint(2, DRAM);
        w.varint(3, 1 << 20);
    }));
    never(&runtime(2, 4, |w| {
        w.varint(2, 0x5100_0000);
        w.varint(3, 1 << 20);
    }));
}

#[test]
fn services_that_are_closed() {
    for service in [3, 4, 5, 255] {
        for api in 0..5 {
            let mut frame = runtime(2, 0, |_| {});
            frame[1] = service;
            frame[2] = api;
            never(&frame);
        }
    }
    let mut alive = control(0, 0, |_| {});
    alive[2] = 0;
    never(&alive);
}

#[test]
fn two_services_in_one_message() {
    let frame = frame(0x100, 0, |w| {
        w.message(1, |w| {
            w.message(1, |w| w.varint(1, 1));
            w.message(2, |w| {
                w.message(2, |w| w.message(2, |w| w.varint(2, 64)));
                w.message(5, |w| w.message(1, |w| w.varint(1, 1)));
            });
        });
    });
    assert_eq!(malformed(&frame), "runtime body: header says 2, message 5");
}

#[test]
fn unknown_fields_are_refused() {
    let frame = runtime(1, 0, |w| w.varint(11, 1));
    assert_eq!(malformed(&frame), "memory body has the unknown field 11");
    let mut frame = runtime(1, 0, |w| w.varint(2, 1));
    frame.extend([0x20, 0x01]);
    assert_eq!(malformed(&frame), "request has the unknown field 4");
}

#[test]
fn incomplete_frames() {
    let whole = shell(command::VERSION);
    for length in 0..whole.len() {
        assert!(check(&whole[..length], true).is_err(), "{length}");
    }
    assert_eq!(check(&whole[..27], true), Err(Refusal::Short(27)));
}

#[test]
fn native_calls() {
    // SendStream with its bytes inline.
    let stream = |physical: u64, length: u32| {
        let mut stream = [0u8; 56];
        stream[28..32].copy_from_slice(&length.to_le_bytes());
        stream[40..48].copy_from_slice(&physical.to_le_bytes());
        if physical == 0 {
            // A time that would be an address in the windows.
            stream[..8].copy_from_slice(&0x5100_0000u64.to_le_bytes());
        }
        native_call(1, 17, &[&[3, 0, 0, 0], &stream, &[0; 4], &[0x51; 300]])
    };
    let group = Thing::new(Kind::Decoder, 3u32);
    assert_eq!(names(&stream(0, 300)), [Named::Thing(group)]);
    malformed(&stream(0, 301));
    privileged_only(&stream(DRAM, 300));

    let copy = |source: u64, destination: u64| {
        native_call(
            6,
            5,
            &[
                &source.to_le_bytes(),
                &destination.to_le_bytes(),
                &4096u64.to_le_bytes(),
            ],
        )
    };
    assert_eq!(
        names(&copy(DRAM, DRAM + 4096)),
        [range(DRAM, 4096), range(DRAM + 4096, 4096)]
    );
    never(&copy(DRAM, 0x5100_0000));
    never(&copy(0x5100_0000, DRAM));
    // Numbers of other sizes, or fewer or more of them, are read by the card as it likes.
    malformed(&native_call(6, 5, &[&[0; 8], &[0; 8], &[0; 4]]));
    malformed(&native_call(6, 5, &[&[0; 8], &[0; 8]]));
    malformed(&native_call(6, 5, &[&[0; 8], &[0; 8], &[0; 8], &[]]));
}

/// An `AX_VIDEO_FRAME_INFO_T` of NV12.
fn picture(width: u32, height: u32, planes: [u64; 2]) -> [u8; 240] {
    let mut info = [0u8; 240];
    for (at, word) in [(0, width), (4, height), (8, 3), (32, width), (36, width)] {
        info[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    for (at, plane) in [56, 64].into_iter().zip(planes) {
        info[at..at + 8].copy_from_slice(&plane.to_le_bytes());
    }
    info
}

#[test]
fn pictures_for_an_encoder() {
    let send = |info: &[u8; 240]| native_call(2, 5, &[&[2, 0, 0, 0], info, &[0xFF; 4]]);
    let encoder = Thing::new(Kind::Encoder, 2u32);
    let good = picture(64, 32, [DRAM, DRAM + 2048]);
    let named = names(&send(&good));
    assert_eq!(named[0], Named::Thing(encoder));
    let sizes: Vec<_> = named[1..]
        .iter()
        .map(|named| match named {
            Named::Source { address, plane, .. } => {
                (*address, plane.size((0, 0)), plane.size((128, 64)))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    // No less than a picture of the encoder's own size.
    assert_eq!(
        sizes,
        [(DRAM, 64 * 32, 128 * 64), (DRAM + 2048, 64 * 16, 128 * 32)]
    );
    assert!(matches!(effect(&send(&good)), Effect::Feeds { .. }));
    // Chroma behind the luma, where the card takes it to be.
    let one = picture(64, 31, [DRAM, 0]);
    let named = names(&send(&one));
    assert!(matches!(named[1], Named::Source { plane, .. } if plane.size((0, 0)) == 64 * 47));
    assert_eq!(named.len(), 2);
    // Blocks are named.
    let mut in_block = good;
    in_block[164..168].copy_from_slice(&7u32.to_le_bytes());
    assert!(names(&send(&in_block)).contains(&Named::Thing(Thing::new(Kind::Block, 7u32))));
    // What is not known in every part.
    let with = |at: usize, bytes: &[u8]| {
        let mut info = good;
        info[at..at + bytes.len()].copy_from_slice(bytes);
        send(&info)
    };
    privileged_only(&with(8, &4u32.to_le_bytes()));
    privileged_only(&with(16, &1u32.to_le_bytes()));
    privileged_only(&with(36, &128u32.to_le_bytes()));
    privileged_only(&with(72, &DRAM.to_le_bytes()));
    privileged_only(&with(104, &DRAM.to_le_bytes()));
    privileged_only(&with(176, &(-1i16).to_le_bytes()));
    privileged_only(&with(180, &65i16.to_le_bytes()));
    allowed(&with(180, &64i16.to_le_bytes()));
    never(&with(64, &0x5100_0000u64.to_le_bytes()));
}

/// An `AX_VIDEO_FRAME_T` of BGR.
fn bgr(width: u32, height: u32, stride: u32, address: u64) -> [u8; 240] {
    let mut image = picture(width, height, [address, 0]);
    image[8..12].copy_from_slice(&0xa5u32.to_le_bytes());
    image[32..36].copy_from_slice(&stride.to_le_bytes());
    image[36..40].fill(0);
    image
}

#[test]
fn images_for_the_processor() {
    allowed(&native_call(3, 0, &[]));
    let target = DRAM + (1 << 20);
    let (source, small) = (
        picture(64, 32, [DRAM, DRAM + 2048]),
        picture(32, 16, [target, target + 512]),
    );
    let convert =
        |api, from: &[u8; 240], to: &[u8; 240]| native_call(3, api, &[&from[..232], &to[..232]]);
    let resize = |api, from: &[u8; 240], to: &[u8; 240], aspect: [u8; 24]| {
        native_call(3, api, &[&from[..232], &to[..232], &aspect])
    };
    let planes = [
        range(DRAM, 2048),
        range(DRAM + 2048, 1024),
        range(target, 512),
        range(target + 512, 256),
    ];
    for api in [54, 66, 83] {
        let call = resize(api, &source, &small, [0; 24]);
        assert_eq!(names(&call), planes);
        assert_eq!(effect(&call), Effect::None);
        // What the 24 bytes say is not known.
        let mut aspect = [0; 24];
        aspect[23] = 1;
        privileged_only(&resize(api, &source, &small, aspect));
        malformed(&convert(api, &source, &small));
    }
    // BGR takes three bytes a pixel, and its stride may count either.
    for api in [53, 69, 82] {
        for (stride, size) in [(0, 64 * 3 * 32), (64, 64 * 3 * 32), (192, 192 * 3 * 32)] {
            let call = convert(api, &source, &bgr(64, 32, stride, target));
            let written = range(target, size);
            assert_eq!(names(&call), [planes[0], planes[1], written], "{stride}");
        }
        allowed(&convert(api, &bgr(64, 32, 192, target), &source));
        malformed(&resize(api, &source, &small, [0; 24]));
    }
    // Blocks are named, of source and target.
    let mut in_block = small;
    in_block[164..168].copy_from_slice(&7u32.to_le_bytes());
    let block = Named::Thing(Thing::new(Kind::Block, 7u32));
    assert!(names(&convert(53, &source, &in_block)).contains(&block));
    assert!(names(&convert(53, &in_block, &source)).contains(&block));
    // What is not known in every part, on either side.
    for (at, bytes) in [
        (8, &4u32.to_le_bytes()[..]),
        (8, &0xa3u32.to_le_bytes()),
        (16, &1u32.to_le_bytes()),
        (36, &128u32.to_le_bytes()),
        (72, &DRAM.to_le_bytes()),
        (104, &DRAM.to_le_bytes()),
        (32, &65537u32.to_le_bytes()),
        // Crops outside of it, and a corner without a size.
        (176, &(-2i16).to_le_bytes()),
        (180, &65i16.to_le_bytes()),
        (176, &2i16.to_le_bytes()),
    ] {
        let mut odd = source;
        odd[at..at + bytes.len()].copy_from_slice(bytes);
        privileged_only(&resize(54, &odd, &small, [0; 24]));
        privileged_only(&resize(54, &small, &odd, [0; 24]));
        privileged_only(&convert(69, &odd, &small));
    }
    let mut two = bgr(64, 32, 192, target);
    two[64..72].copy_from_slice(&DRAM.to_le_bytes());
    privileged_only(&convert(69, &source, &two));
    let mut part = source;
    for (at, number) in [(176, 32i16), (178, 16), (180, 32), (182, 16)] {
        part[at..at + 2].copy_from_slice(&number.to_le_bytes());
    }
    allowed(&resize(54, &part, &small, [0; 24]));
    // Neither side may be anywhere but in card memory.
    let elsewhere = picture(64, 32, [0x5100_0000, 0x5100_0800]);
    never(&resize(54, &elsewhere, &small, [0; 24]));
    never(&resize(54, &source, &elsewhere, [0; 24]));
    never(&convert(53, &source, &bgr(64, 32, 192, 0x5100_0000)));
    // No encoder takes BGR.
    let image = bgr(64, 32, 192, target);
    privileged_only(&native_call(2, 5, &[&[2, 0, 0, 0], &image, &[0xFF; 4]]));
}

/// A picture carries a time; that is no address, wherever it points.
#[test]
fn times_are_no_addresses() {
    let picture_of = |stream: u64, luma: u64, format: u32| {
        let mut one = [0u8; 296];
        one[..8].copy_from_slice(&0x5100_0000u64.to_le_bytes());
        one[28..32].copy_from_slice(&77u32.to_le_bytes());
        one[40..48].copy_from_slice(&stream.to_le_bytes());
        let mut frame = picture(64, 32, [luma, DRAM + 2048]);
        frame[192..200].copy_from_slice(&0x5100_0000u64.to_le_bytes());
        one[56..288].copy_from_slice(&frame[..232]);
        one[292..].copy_from_slice(&format.to_le_bytes());
        native_call(1, 33, &[&one])
    };
    let jpeg = |stream, luma| picture_of(stream, luma, 3);
    assert_eq!(
        names(&jpeg(DRAM, DRAM)),
        [range(DRAM, 77), range(DRAM, 2048), range(DRAM + 2048, 1024)]
    );
    never(&jpeg(0x5100_0000, DRAM));
    never(&jpeg(DRAM, 0x5100_0000));
    // BGR takes more than the frame says.
    assert!(check(&picture_of(DRAM, DRAM, 0x40), false).is_err());
    privileged_only(&native_call(0, 72, &[&0x5100_0000u64.to_le_bytes()]));
}

#[test]
fn raw_copies_are_bounded_by_their_size() {
    let set = |address: u64, size: u64| {
        native_call(6, 6, &[&address.to_le_bytes(), &[0], &size.to_le_bytes()])
    };
    assert_eq!(names(&set(DRAM, 1 << 20)), [range(DRAM, 1 << 20)]);
    never(&set(DRAM, u64::MAX - DRAM - 1));
    never(&set(DRAM, 1 << 40));
    never(&set(0x5000_0000, 0x0200_0000));
    never(&set(0, 16));
}

/// Everything else is the privileged's, and even theirs may not show the windows to the host.
#[test]
fn unknown_structures_are_privileged_and_scanned() {
    // SetUserPic.
    let user_picture = |word: u64| {
        let mut structure = [0u8; 736];
        structure[400..408].copy_from_slice(&word.to_le_bytes());
        native_call(1, 22, &[&[0; 4], &structure])
    };
    privileged_only(&user_picture(DRAM));
    privileged_only(&user_picture(1920));
    never(&user_picture(0x5100_0060));
    // MemAlloc, CreateGrp of a number of the client's, IVPS FlipAndRotationTdp.
    privileged_only(&native_call(0, 2, &[&[0; 8], &[0; 4], &[0; 4], &[]]));
    privileged_only(&native_call(1, 5, &[&[0; 4], &[0; 56]]));
    privileged_only(&native_call(
        3,
        52,
        &[&[0; 232], &[0; 4], &[0; 4], &[0; 232]],
    ));
    assert!(malformed(&native_call(0, 81, &[&[][..]; 17])).starts_with("native call "));
    // A decoder that would use memory of the client's.
    let group = |buffer: u64, skip: u32| {
        let mut attribute = [0u8; 56];
        attribute[24..28].copy_from_slice(&skip.to_le_bytes());
        attribute[32..40].copy_from_slice(&buffer.to_le_bytes());
        native_call(1, 6, &[&attribute])
    };
    assert_eq!(effect(&group(0, 0)), Effect::Gives(Gift::Decoder));
    privileged_only(&group(DRAM, 0));
    privileged_only(&group(0, 1));
}

/// No frame names so much that it would take long.
#[test]
fn names_are_bounded() {
    let run = |tensors: usize| {
        runtime(2, 11, move |w| {
            w.message(8, |w| {
                for _ in 0..tensors {
                    w.message(1, |w| {
                        w.varint(2, DRAM);
                        w.varint(3, 1);
                    });
                }
            })
        })
    };
    allowed(&run(200));
    assert!(malformed(&run(300)).starts_with("more than 256"));
}

#[test]
fn native_calls_of_the_whole_card() {
    for (module, api) in [(0, 101), (5, 1), (7, 2)] {
        privileged_only(&native_call(module, api, &[]));
    }
    for (module, api) in [(0, 0), (0, 1), (0, 18), (1, 36), (3, 39), (7, 7), (8, 0)] {
        assert!(!native::exists(module, api));
        let mut frame = native_call(1, 1, &[]);
        frame[1] = module;
        frame[2] = api;
        never(&frame);
    }
}

#[test]
fn native_type_and_api_agree() {
    let mut frame = native_call(0, 101, &[]);
    frame[2] = 81;
    assert_eq!(malformed(&frame), "api: header says 81, message 101");
    let mut frame = native_call(7, 0, &[]);
    frame[1] = 1;
    malformed(&frame);
    // The api said twice.
    let frame = self::frame(0x0051_0001, 0, |w| {
        w.message(2, |w| {
            w.message(1, |_| {});
            w.message(2, |w| {
                w.message(1, |w| {
                    w.varint(1, 81);
                    w.varint(1, 101);
                })
            });
        })
    });
    assert_eq!(malformed(&frame), "native call has field 1 twice");
}
