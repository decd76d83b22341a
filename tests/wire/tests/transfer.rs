// SPDX-License-Identifier: MIT OR Apache-2.0

//! Transfer messages and copy records, against what was captured.

use ax650_wire_tests::{
    examples,
    wire::{
        record::{CopyRecord, Kind},
        transfer::{encode_list, ListKind, Transfer, TransferError, MAX_LIST},
    },
};

#[test]
fn captured_messages_are_read() {
    let read = |title| format!("{:?}", Transfer::parse(&examples::named(title).bytes));
    assert_eq!(read("SYNC"), "Ok(Sync(16491749))");
    assert_eq!(read("SYNC_ACK"), "Ok(SyncAck(16491750))");
    assert_eq!(read("DONE"), "Ok(Done(16491751))");
    assert_eq!(
        read("TRANSFER_REQUEST"),
        "Ok(Request { frame_type: 1090846976, size: 57 })"
    );
    assert_eq!(
        read("DMA_SGLIST_INFO from the card: one entry, 4 MiB of room"),
        "Ok(List(Sglist[(5368709120, 4194304)]))"
    );
    assert_eq!(
        read("DMA_LINKED_LIST from the host: bus 0x100000000 length 0x400000"),
        "Ok(List(Linked[(4294967296, 4194304)]))"
    );
    assert_eq!(
        read("DMA_READ_DONE 0x400000"),
        "Ok(ReadDone { bytes: 4194304 })"
    );
    assert_eq!(
        read("DMA_TASK_DONE 0x400000 (data now in the buffer)"),
        "Ok(TaskDone { bytes: 4194304 })"
    );
}

#[test]
fn captured_lists_are_written() {
    let example = examples::named("DMA_SGLIST_INFO from the host: its DMA buffer");
    let mut out = [0xEE; MAX_LIST];
    let length = encode_list(ListKind::Sglist, &[(0x1_0000_0000, 0x40_0000)], &mut out).unwrap();
    assert_eq!(&out[..length], example.bytes);
}

#[test]
fn lists_are_checked() {
    let mut out = [0; MAX_LIST];
    let mut encode = |entries: &[(u64, u32)]| encode_list(ListKind::Linked, entries, &mut out);
    assert_eq!(encode(&[]), None);
    assert_eq!(encode(&[(0, 1)]), None);
    assert_eq!(encode(&[(1, 0)]), None);
    assert_eq!(encode(&[(u64::MAX, 1)]), None, "wraps");
    assert_eq!(encode(&[(1, 1); 65]), None);
    assert_eq!(encode(&[(1, 1); 64]), Some(770));
    let full = out;
    let Ok(Transfer::List(list)) = Transfer::parse(&full) else {
        panic!("64 entries are a list");
    };
    assert_eq!((list.entries().count(), list.total()), (64, 64));

    assert!(matches!(
        Transfer::parse(&full[..769]),
        Err(TransferError::Length { .. })
    ));
    let mut changed = full;
    changed[1] = 65;
    assert_eq!(Transfer::parse(&changed), Err(TransferError::Count(65)));
    changed[1] = 0;
    assert_eq!(Transfer::parse(&changed), Err(TransferError::Count(0)));
    changed[1] = 63;
    assert!(matches!(
        Transfer::parse(&changed),
        Err(TransferError::Length { .. })
    ));
    let mut changed = full;
    changed[2..10].fill(0);
    assert_eq!(
        Transfer::parse(&changed),
        Err(TransferError::Entry {
            address: 0,
            length: 1
        })
    );
    let mut changed = full;
    changed[10..14].fill(0);
    assert_eq!(
        Transfer::parse(&changed),
        Err(TransferError::Entry {
            address: 1,
            length: 0
        })
    );
}

#[test]
fn odd_messages_are_refused() {
    for kind in [4u8, 5, 10, 255] {
        let mut message = [0; 17];
        message[0] = kind;
        assert_eq!(Transfer::parse(&message), Err(TransferError::Kind(kind)));
    }
    for length in [0, 1, 16, 18, 770] {
        assert!(matches!(
            Transfer::parse(&vec![0; length]),
            Err(TransferError::Length { .. })
        ));
    }
    assert!(matches!(
        Transfer::parse(&[8]),
        Err(TransferError::Length { .. })
    ));
}

#[test]
fn messages_are_written_as_captured() {
    assert_eq!(
        Transfer::Sync(0xFB_A4E5).encode().unwrap()[..],
        examples::named("SYNC").bytes[..]
    );
    let request = Transfer::Request {
        frame_type: 0x4105_0100,
        size: 57,
    };
    assert_eq!(
        request.encode().unwrap()[..],
        examples::named("TRANSFER_REQUEST").bytes[..]
    );
}

/// Equal to the captured record but for the host virtual address, which is nobody's business.
#[test]
fn copy_record_as_captured() {
    let record = CopyRecord {
        sequence: 4,
        card: 1,
        context: 1,
        stream: 1,
        kind: Kind::ToCard,
        address: 0x1_4100_0000,
        size: 0x80_0000,
    };
    let title = "memcpy record: kind 1, dst 0x141000000, host pointer, size 0x800000";
    let mut expected = examples::named(title).bytes;
    expected[29..37].fill(0);
    expected[45..53].fill(0);
    assert_eq!(record.encode()[..], expected[..]);

    let record = CopyRecord {
        sequence: 6,
        kind: Kind::FromCard,
        address: 0x1_4180_0000,
        ..record
    };
    let mut expected = examples::named("memcpy record: kind 0, src 0x141800000").bytes;
    expected[37..45].fill(0);
    expected[45..53].fill(0);
    assert_eq!(record.encode()[..], expected[..]);
}
