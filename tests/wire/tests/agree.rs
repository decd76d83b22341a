// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kernel's container parser and the loader's were written apart from each other; they have to
//! agree on every file: what `ax650-fw verify` passes boots, and nothing else does.

use ax650_firmware as loader;
use ax650_wire_tests::{
    containers::{build, cases, Digesting, Expect, HEADER, RECORD},
    fuzz::md5,
    wire::container::{Container, ContainerError},
};
use proptest::prelude::*;
use std::io::Cursor;

fn kernel(bytes: &[u8]) -> Expect {
    match Container::parse(bytes).and_then(|container| container.verify(md5)) {
        Ok(()) => Expect::Good,
        Err(
            ContainerError::Md5Text | ContainerError::Md5 { .. } | ContainerError::Crc16 { .. },
        ) => Expect::BadDigest,
        Err(_) => Expect::BadStructure,
    }
}

fn userspace(bytes: &[u8]) -> Expect {
    let mut file = Cursor::new(bytes);
    let verified = loader::Container::read(&mut file)
        .and_then(|container| container.verify(&mut file, &mut |_, _| {}));
    match verified {
        Ok(_) => Expect::Good,
        Err(loader::Error::Md5Text(_) | loader::Error::Digest { .. }) => Expect::BadDigest,
        Err(_) => Expect::BadStructure,
    }
}

/// Both verdicts, and if both parsers see a sound structure, both see the same one.
fn assert_agreement(bytes: &[u8], what: &str) -> Expect {
    let verdict = kernel(bytes);
    assert_eq!(userspace(bytes), verdict, "{what}: kernel says the right");
    let Ok(ours) = Container::parse(bytes) else {
        return verdict;
    };
    let theirs = loader::Container::read(&mut Cursor::new(bytes)).expect("agreed");
    assert_eq!(
        ours.product().to_string(),
        theirs.header.product.to_string()
    );
    assert_eq!(
        ours.version().to_string(),
        theirs.header.version.to_string()
    );
    assert_eq!(ours.records().count(), theirs.records.len());
    for (our, their) in ours.records().zip(&theirs.records) {
        assert_eq!(our.id.to_string(), their.id.to_string());
        assert_eq!(our.kind.to_string(), their.kind.to_string());
        assert_eq!(our.name.to_string(), their.name.to_string());
        assert_eq!(our.offset, their.offset);
        assert_eq!(our.image.len() as u64, their.size);
        assert_eq!(our.destination, their.destination);
    }
    verdict
}

#[test]
fn on_the_corpus() {
    for case in cases() {
        assert_eq!(assert_agreement(&case.bytes, case.name), case.expect);
    }
}

#[test]
fn on_packed_containers() {
    let mut file = Cursor::new(Vec::new());
    loader::pack(&loader::Sample::Small.content(), &mut file, &mut |_, _| {}).unwrap();
    assert_eq!(assert_agreement(file.get_ref(), "sample"), Expect::Good);
}

/// Two records, small enough to try a lot.
fn base(digesting: Digesting) -> Vec<u8> {
    build(&[(0x1400_1000, 40), (0x1_0000_0000, 24)], digesting)
}

/// Offset and width of every number in header and records.
fn numbers() -> Vec<(usize, usize)> {
    let header = [(0, 4), (4, 4), (8, 8), (80, 4), (84, 4), (88, 4), (92, 4)];
    let record = [(320, 8), (328, 8), (336, 8), (344, 8), (424, 4), (428, 4)];
    let mut all = header.to_vec();
    for index in 0..2 {
        let start = HEADER + index * RECORD;
        all.extend(record.map(|(at, width)| (start + at, width)));
    }
    all
}

/// Every number of the format set to every value that has ever been a problem.
#[test]
fn on_every_number() {
    let length = base(Digesting::None).len() as u64;
    let mut values: Vec<u64> = vec![40, 24, 64, 128, 464, 1056, 1096, 3 << 20, length];
    values.extend((0..64).map(|bit| 1 << bit));
    values.extend(values.clone().iter().map(|value| value.wrapping_neg()));
    let near = |value: &u64| [value.wrapping_sub(1), *value, value.wrapping_add(1)];
    let values: Vec<u64> = values.iter().flat_map(near).collect();

    let mut verdicts = [0; 3];
    for digesting in [Digesting::None, Digesting::Md5, Digesting::Crc16] {
        for (at, width) in numbers() {
            for value in &values {
                let mut bytes = base(digesting);
                bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
                let verdict = assert_agreement(&bytes, &format!("{value:#x} at {at}"));
                verdicts[verdict as usize] += 1;
            }
        }
    }
    assert!(verdicts.iter().all(|&count| count > 100), "{verdicts:?}");
}

/// Two numbers at a time, where one alone would not do.
#[test]
fn on_pairs_of_numbers() {
    let values = [
        0,
        1,
        24,
        40,
        1055,
        1056,
        1096,
        1120,
        u64::MAX,
        u64::MAX - 39,
        1 << 32,
        1 << 63,
    ];
    let numbers = numbers();
    for (n, first) in numbers.iter().enumerate() {
        for second in &numbers[n + 1..] {
            for a in values {
                for b in values {
                    let mut bytes = base(Digesting::None);
                    for (&(at, width), value) in [(first, a), (second, b)] {
                        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
                    }
                    assert_agreement(
                        &bytes,
                        &format!("{a:#x} at {first:?}, {b:#x} at {second:?}"),
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn on_damaged_containers(
        kind in 0usize..3,
        changes in prop::collection::vec((0usize..1120, any::<u8>()), 1..6),
        cut in prop::option::weighted(0.1, 0usize..1120),
        more in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = base([Digesting::None, Digesting::Md5, Digesting::Crc16][kind]);
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        bytes.extend(more);
        assert_agreement(&bytes, "damaged");
    }

    /// Records anywhere: most overlap, some do not.
    #[test]
    fn on_records_anywhere(
        extents in prop::collection::vec((0u64..400, 0u64..60, 0u64..400), 1..6),
        digesting in prop_oneof![Just(Digesting::None), Just(Digesting::Crc16)],
    ) {
        let images: Vec<_> = extents.iter().map(|&(.., to)| (to, 90)).collect();
        let mut bytes = build(&images, Digesting::None);
        let first = (HEADER + extents.len() * RECORD) as u64;
        for (index, (offset, size, _)) in extents.into_iter().enumerate() {
            let record = HEADER + index * RECORD;
            bytes[record + 320..][..8].copy_from_slice(&(first + offset).to_le_bytes());
            bytes[record + 328..][..8].copy_from_slice(&size.to_le_bytes());
        }
        if digesting == Digesting::Crc16 {
            bytes[88] = 2;
        }
        assert_agreement(&bytes, "records anywhere");
    }
}
