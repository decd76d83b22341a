// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kernel's container check, on the corpus.

use ax650_wire_tests::{
    containers::{build, cases, Digesting, Expect},
    fuzz::md5,
    wire::container::{Container, ContainerError, RecordError},
};

fn judge(bytes: &[u8]) -> Result<(), ContainerError> {
    Container::parse(bytes)?.verify(md5)
}

fn is_digest(error: &ContainerError) -> bool {
    matches!(
        error,
        ContainerError::Md5Text | ContainerError::Md5 { .. } | ContainerError::Crc16 { .. }
    )
}

#[test]
fn corpus_is_judged_as_expected() {
    for case in cases() {
        let found = match judge(&case.bytes) {
            Ok(()) => Expect::Good,
            Err(error) if is_digest(&error) => Expect::BadDigest,
            Err(_) => Expect::BadStructure,
        };
        assert_eq!(
            found,
            case.expect,
            "{}: {:?}",
            case.name,
            judge(&case.bytes)
        );
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = build(&[(0, 33), (4096, 7)], Digesting::Md5);
    for length in 0..whole.len() {
        assert!(judge(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn every_bit_of_records_and_images_counts() {
    let whole = build(&[(0, 33), (4096, 7)], Digesting::Md5);
    for at in 128..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(judge(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn errors_name_field_and_value() {
    let message = |change: fn(&mut Vec<u8>)| {
        let mut file = build(&[(0x1400_1000, 64), (0x1_0000_0000, 16)], Digesting::None);
        change(&mut file);
        judge(&file).unwrap_err().to_string()
    };
    let size = 128 + 2 * 464 + 80;
    assert_eq!(
        message(|file| file[0] = 0),
        "magic 0x5c6d8e00 is not 0x5c6d8e9f"
    );
    assert_eq!(
        message(|file| file.truncate(100)),
        "100 bytes are less than a header of 128"
    );
    assert_eq!(
        message(|file| file[128 + 464 + 328 + 4] = 1),
        format!("record 1: offset 0x460 + size 0x100000010 exceeds the container's 0x{size:x}")
    );
    assert_eq!(
        message(|file| file[84..88].fill(0xFF)),
        "record count 4294967295 is not 1 to 64"
    );
    assert_eq!(
        message(|file| file[128 + 336..][..8].fill(0xFF)),
        "record 0: destination 0xffffffffffffffff + size 0x40 exceeds 64 bits"
    );
}

#[test]
fn content_is_found() {
    let file = build(&[(0x1400_1000, 64), (0x1_0000_0000, 16)], Digesting::Md5);
    let container = Container::parse(&file).unwrap();
    assert_eq!(container.product().to_string(), "AX650_card");
    assert_eq!(container.version().to_string(), "V1.2.3");
    assert_eq!(container.image_bytes(), 80);
    let records: Vec<_> = container.records().collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].id.to_string(), "A");
    assert_eq!(records[0].kind.to_string(), "CODE");
    assert_eq!(records[0].name.to_string(), "image.bin");
    assert_eq!(records[0].offset, 128 + 2 * 464);
    assert_eq!(records[0].image, &file[1056..1120]);
    assert_eq!(records[1].destination, 0x1_0000_0000);
    assert_eq!(records[1].image, &file[1120..]);
}

#[test]
fn unterminated_text_is_bounded_and_printable() {
    let mut file = build(&[(0, 5)], Digesting::None);
    file[16..48].fill(0x1B);
    file[48..80].fill(b'v');
    let container = Container::parse(&file).unwrap();
    assert_eq!(container.product().to_string(), "?".repeat(32));
    assert_eq!(container.version().to_string(), "v".repeat(32));
}

#[test]
fn record_errors_name_the_other_record() {
    let file = build(&[(0, 64), (0x100, 16), (0x10F, 1)], Digesting::None);
    assert_eq!(
        judge(&file),
        Err(ContainerError::Record {
            index: 2,
            error: RecordError::Collides(1)
        })
    );
}
