// SPDX-License-Identifier: MIT OR Apache-2.0

//! The allow-list: what clients may send, and attempts to get around it.

use ax650_wire_tests::{
    examples,
    wire::{
        frame::Header,
        pb::Writer,
        policy::{check, native, shell::is_property_query, Refusal, Verdict},
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

#[test]
fn captured_calls_are_allowed() {
    let calls: Vec<_> = examples::all()
        .into_iter()
        .filter(|example| example.to_card && example.port == 2)
        .collect();
    assert!(calls.len() > 20, "{}", calls.len());
    for call in calls {
        let verdict = check(&call.bytes, false);
        assert!(verdict.is_ok(), "{}: {verdict:?}", call.title);
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
            reply: true
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
    allowed(&runtime(1, 0, |w| w.varint(2, 4096)));
    allowed(&runtime(1, 1, |w| w.varint(1, DRAM)));
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
    for api in 0..=13 {
        allowed(&runtime(2, api, |w| w.varint(4, 0x1234)));
    }
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
    let stream = |physical: u64| {
        let mut stream = [0u8; 56];
        stream[40..48].copy_from_slice(&physical.to_le_bytes());
        // A time that would be an address in the windows.
        stream[..8].copy_from_slice(&0x5100_0000u64.to_le_bytes());
        native_call(1, 17, &[&[0; 4], &stream, &[0; 4], &[0x51; 300]])
    };
    allowed(&stream(0));
    allowed(&stream(DRAM));
    never(&stream(0x5100_0000));
    never(&stream(0x1000));

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
    allowed(&copy(DRAM, DRAM + 4096));
    never(&copy(DRAM, 0x5100_0000));
    never(&copy(0x5100_0000, DRAM));

    let picture = |chroma: u64| {
        let mut info = [0u8; 240];
        info[56..64].copy_from_slice(&DRAM.to_le_bytes());
        info[64..72].copy_from_slice(&chroma.to_le_bytes());
        native_call(2, 5, &[&[0; 4], &info, &[0xFF; 4]])
    };
    allowed(&picture(DRAM));
    never(&picture(0x5100_0000));
}

/// A picture of one-shot calls carries a time; that is no address, wherever it points.
#[test]
fn times_are_no_addresses() {
    let picture = |luma: u64, time: u64| {
        let mut frame = [0u8; 232];
        frame[56..64].copy_from_slice(&luma.to_le_bytes());
        frame[192..200].copy_from_slice(&time.to_le_bytes());
        frame
    };
    let convert = |luma, time| {
        let target = picture(DRAM, 0);
        native_call(3, 53, &[&picture(luma, time), &target])
    };
    allowed(&convert(DRAM, 0x5100_0000));
    never(&convert(0x5100_0000, 0));

    let jpeg = |stream: u64, luma: u64| {
        let mut one = [0u8; 296];
        one[..8].copy_from_slice(&0x5100_0000u64.to_le_bytes());
        one[40..48].copy_from_slice(&stream.to_le_bytes());
        one[56..288].copy_from_slice(&picture(luma, 0x5100_0000));
        native_call(1, 33, &[&one])
    };
    allowed(&jpeg(DRAM, DRAM));
    never(&jpeg(0x5100_0000, DRAM));
    never(&jpeg(DRAM, 0x5100_0000));
    allowed(&native_call(0, 72, &[&0x5100_0000u64.to_le_bytes()]));
}

#[test]
fn raw_copies_are_bounded_by_their_size() {
    let set = |address: u64, size: u64| {
        native_call(6, 6, &[&address.to_le_bytes(), &[0], &size.to_le_bytes()])
    };
    allowed(&set(DRAM, 1 << 20));
    never(&set(DRAM, u64::MAX - DRAM - 1));
    never(&set(DRAM, 1 << 40));
    never(&set(0x5000_0000, 0x0200_0000));
    let map =
        |address: u64, size: u32| native_call(0, 5, &[&address.to_le_bytes(), &size.to_le_bytes()]);
    allowed(&map(DRAM, 4096));
    never(&map(0x8_FFFF_F000, 4097));
    never(&map(0x5100_0000, 4096));
}

#[test]
fn unknown_structures_are_scanned() {
    // SetUserPic.
    let user_picture = |word: u64| {
        let mut structure = [0u8; 736];
        structure[400..408].copy_from_slice(&word.to_le_bytes());
        native_call(1, 22, &[&[0; 4], &structure])
    };
    allowed(&user_picture(DRAM));
    allowed(&user_picture(1920));
    never(&user_picture(0x5100_0060));
    // SendFrameEx: a frame, and something behind it.
    let extended = |at: usize| {
        let mut structure = [0u8; 1176];
        structure[at..at + 8].copy_from_slice(&0x5100_0060u64.to_le_bytes());
        native_call(2, 6, &[&[0; 4], &structure, &[0; 4]])
    };
    allowed(&extended(192));
    never(&extended(56));
    never(&extended(240));
    assert!(malformed(&native_call(1, 1, &[&[][..]; 17])).starts_with("native call "));
}

#[test]
fn native_calls_of_the_whole_card() {
    for (module, api) in [(0, 101), (5, 1), (7, 2)] {
        privileged_only(&native_call(module, api, &[]));
    }
    for (module, api) in [(0, 0), (0, 1), (0, 18), (1, 36), (3, 39), (7, 7), (8, 0)] {
        assert_eq!(native::allowed(module, api, true), None);
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
    let mut frame = native_call(7, 2, &[]);
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
