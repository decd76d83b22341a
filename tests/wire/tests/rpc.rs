// SPDX-License-Identifier: MIT OR Apache-2.0

//! The driver's own calls, against what was captured; the protobuf reader and writer.

use ax650_wire_tests::{
    examples,
    wire::{
        frame::Header,
        pb::{Malformed, Reader, Value, Writer},
        rpc::{control_answer, latency_answer, AnswerError, Call},
    },
};
use proptest::prelude::*;

const CALL: Call = Call {
    sequence: 1,
    card: 1,
    context: 1,
    stream: 1,
    pid: 24101,
    tid: 24101,
    timestamp: 1_795_305_447,
};

const SHELL: Call = Call {
    sequence: 4,
    context: 2,
    pid: 24261,
    tid: 24265,
    timestamp: 1_795_305_449,
    ..CALL
};

/// Written out by hand from the schema: it was not seen on the wire.
#[test]
fn sync_stream_by_the_schema() {
    let mut out = [0; 256];
    let length = CALL.sync_stream(&mut out).unwrap();
    let header = Header::parse(&out[..length]).unwrap();
    assert_eq!(
        (header.kind, header.command),
        (0x0003_0000, 6),
        "{header:?}"
    );
    // cmd 6, context, stream, timeout -1 as int32.
    let mut body = vec![0x08, 6, 0x20];
    body.push(CALL.context as u8);
    body.push(0x38);
    body.push(CALL.stream as u8);
    body.push(0x48);
    body.extend([0xff; 9]);
    body.push(1);
    let found = out[..length].windows(body.len()).any(|part| part == body);
    assert!(found, "{:02x?}", &out[..length]);
}

#[test]
fn create_context_as_captured() {
    let mut out = [0; 128];
    let length = CALL.create_context(&mut out).unwrap();
    assert_eq!(out[..length], examples::named("create context 1").bytes);
}

#[test]
fn shell_as_captured() {
    let mut out = [0; 128];
    let length = SHELL.shell(&mut out, "cat /proc/ax_proc/version").unwrap();
    assert_eq!(
        out[..length],
        examples::named("read the software version").bytes
    );
}

#[test]
fn requests_need_room() {
    let mut out = [0; 1024];
    let length = SHELL.shell(&mut out, "cat /proc/ax_proc/version").unwrap();
    for room in 0..length {
        assert_eq!(
            SHELL.shell(&mut out[..room], "cat /proc/ax_proc/version"),
            None
        );
    }
    assert_eq!(SHELL.latency(&mut out, &[7; 1024]), None);
}

#[test]
fn captured_answers_are_read() {
    let answers: Vec<_> = examples::all()
        .into_iter()
        .filter(|e| !e.to_card && e.port == 3 && e.bytes.starts_with(&[0, 0, 3, 0]))
        .collect();
    let read: Vec<_> = answers
        .iter()
        .map(|answer| control_answer(&answer.bytes).unwrap())
        .collect();
    assert_eq!(read.len(), 3);
    assert_eq!((read[0].command, read[0].status), (0, 0));
    assert_eq!(read[1].command, 2);
    assert_eq!(read[1].output, b"Ax_Version V3.10.2_20251215140224\n");
    assert_eq!(read[2].output, b"41350\n");
}

#[test]
fn latency_comes_back() {
    let data: Vec<u8> = (0..=255).collect();
    let mut out = [0; 512];
    let length = CALL.latency(&mut out, &data).unwrap();
    // The answer has the shape of the request.
    assert_eq!(latency_answer(&out[..length]), Ok(&data[..]));
    assert_eq!(
        control_answer(&out[..length]),
        Err(AnswerError::Missing("control part"))
    );
    assert_eq!(latency_answer(&out[..20]), Err(AnswerError::Short(20)));
    assert_eq!(
        latency_answer(&out[..28]),
        Err(AnswerError::Missing("latency part"))
    );
    assert_eq!(
        latency_answer(&out[..length - 1]),
        Err(AnswerError::Malformed)
    );
}

#[test]
fn negative_status() {
    let mut message = [0; 64];
    let mut writer = Writer::new(&mut message);
    writer.message(2, |w| {
        w.message(1, |w| {
            w.message(2, |w| {
                w.message(1, |w| {
                    w.message(2, |w| w.message(4, |w| w.varint(6, -22i64 as u64)))
                })
            })
        })
    });
    let length = writer.finish().unwrap();
    let frame = [&[0; 28], &message[..length]].concat();
    assert_eq!(control_answer(&frame).unwrap().status, -22);
}

#[test]
fn frame_header_round_trip_and_match() {
    for example in examples::all()
        .iter()
        .filter(|e| matches!(e.port, 2 | 3) && e.bytes.len() >= 28)
    {
        let header = Header::parse(&example.bytes).unwrap();
        assert_eq!(
            header.encode()[..],
            example.bytes[..28],
            "{}",
            example.title
        );
    }
    let request = CALL.header(0x3_0000, 0);
    assert!(request.answers(&request));
    assert!(Header {
        kind: 5,
        command: 5,
        ..request
    }
    .answers(&request));
    for other in [
        Header {
            sequence: 2,
            ..request
        },
        Header { card: 2, ..request },
        Header {
            context: 2,
            ..request
        },
        Header {
            stream: 2,
            ..request
        },
    ] {
        assert!(!other.answers(&request));
    }
    assert_eq!(Header::parse(&[0; 27]), None);
}

#[test]
fn reader_refuses() {
    let bad: [&[u8]; 12] = [
        &[0x08],                                                      // no value
        &[0x08, 0x80],                                                // cut varint
        &[0x08, 0x80, 0x00],                                          // longer than need be
        &[0x88, 0x00],                                                // the same, tag
        &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],      // 65 bits
        &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], // 11 bytes
        &[0x00, 0x00],                                                // field 0
        &[0x0B],                                                      // group
        &[0x0C],                                                      // end of group
        &[0x12, 0x05, 1, 2],                                          // cut bytes
        &[0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],      // 2^64-1 bytes
        &[0x0D, 1, 2, 3],                                             // cut fixed
    ];
    for message in bad {
        let mut reader = Reader::new(message);
        assert_eq!(reader.field(), Err(Malformed), "{message:?}");
    }
    assert_eq!(
        Reader::new(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]).field(),
        Ok(Some((1, Value::Varint(u64::MAX))))
    );
    assert_eq!(Value::Varint(1 << 32).u32(), None);
    assert_eq!(Value::Varint(1 << 31).i32(), None);
    assert_eq!(Value::Varint(u64::MAX).i32(), Some(-1));
}

#[test]
fn descending_takes_the_last_and_misses_cleanly() {
    let message = [0x0A, 2, 0x08, 1, 0x0A, 2, 0x08, 2];
    let inner = Reader::new(&message).descend(&[1]).unwrap().unwrap();
    assert_eq!(Reader::new(inner).last(1), Ok(Some(Value::Varint(2))));
    assert_eq!(Reader::new(&message).descend(&[2]), Ok(None));
    assert_eq!(Reader::new(&message).descend(&[1, 1]), Err(Malformed));
}

proptest! {
    #[test]
    fn written_fields_are_read(
        number in 1u32..(1 << 28),
        value in any::<u64>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut out = [0; 400];
        let mut writer = Writer::new(&mut out);
        writer.message(number, |w| {
            w.varint(number, value);
            w.bytes(1, &bytes);
        });
        let length = writer.finish().unwrap();
        let mut reader = Reader::new(&out[..length]);
        let (found, inner) = reader.field().unwrap().unwrap();
        prop_assert_eq!(found, number);
        prop_assert_eq!(reader.field(), Ok(None));
        let mut reader = Reader::new(inner.bytes().unwrap());
        prop_assert_eq!(reader.field(), Ok(Some((number, Value::Varint(value)))));
        prop_assert_eq!(reader.field(), Ok(Some((1, Value::Bytes(&bytes)))));
        prop_assert_eq!(reader.field(), Ok(None));
    }
}
