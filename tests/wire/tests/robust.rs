// SPDX-License-Identifier: MIT OR Apache-2.0

//! The fuzz entry points, fed with noise and with damaged good input.

use ax650_wire_tests::{
    containers::{build, Digesting},
    examples,
    fuzz::TARGETS,
};
use proptest::prelude::*;

/// Good input of every sort.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = examples::all().into_iter().map(|e| e.bytes).collect();
    seeds.push(build(&[(0, 40), (0x1000, 9)], Digesting::Md5));
    seeds.push(build(&[(0, 40), (0x1000, 9)], Digesting::Crc16));
    seeds.extend(
        [
            "MemTotal: 10 kB\nMemFree: 5 kB\n",
            "total size=10KB(),used=5KB(),remain=5KB()",
            "CPU: 1% usr 99.5% idle",
            "utilization:5%",
            "uid: 0x1234",
            "V1.2.3",
            "-41350\n",
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    seeds
}

#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            _ if length == 0 => {}
            Self::Set(at, value) => bytes[at % length] = *value,
            Self::Cut(at) => bytes.truncate(at % length),
            Self::Insert(at, more) => {
                bytes.splice(at % length..at % length, more.iter().copied());
            }
            Self::Repeat(at, count) => {
                let at = at % length;
                let piece = bytes[at..(at + count).min(length)].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let interesting = prop_oneof![
        any::<u8>(),
        Just(0),
        Just(0x7F),
        Just(0x80),
        Just(0xFF),
        Just(1)
    ];
    prop_oneof![
        4 => (any::<usize>(), interesting).prop_map(|(at, value)| Damage::Set(at, value)),
        1 => any::<usize>().prop_map(Damage::Cut),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, more)| Damage::Insert(at, more)),
        1 => (any::<usize>(), 1usize..40).prop_map(|(at, count)| Damage::Repeat(at, count)),
    ]
}

/// More than usual; `PROPTEST_CASES` says otherwise, for long runs.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 2000;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn damaged(seed in 0..seeds().len(), damage in prop::collection::vec(damage(), 1..6)) {
        let mut bytes = seeds().swap_remove(seed);
        for damage in damage {
            damage.apply(&mut bytes);
        }
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }
}
