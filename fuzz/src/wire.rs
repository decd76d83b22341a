// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the kernel module reads: firmware, the ring, messages of the card and frames of users.  The functions are those of
//! its host tests, which run them with noise too.

use ax650_wire_tests::containers::{build, Digesting};
use ax650_wire_tests::{examples, fuzz};

use crate::Target;

pub const TARGETS: &[Target] = &[
    target("wire_container", fuzz::container),
    target("wire_header", fuzz::header),
    target("wire_ring", fuzz::ring_pointers),
    target("wire_control", fuzz::control),
    target("wire_transfer", fuzz::transfer_message),
    target("wire_policy", fuzz::policy_frame),
    target("wire_answer", fuzz::answer),
    target("wire_proctext", fuzz::property),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run, seeds }
}

/// Good input of every sort.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = examples::all().into_iter().map(|e| e.bytes).collect();
    seeds.push(build(&[(0, 40), (0x1000, 9)], Digesting::Md5));
    seeds.push(build(&[(0, 40), (0x1000, 9)], Digesting::Crc16));
    let texts = [
        "MemTotal: 10 kB\nMemFree: 5 kB\n",
        "CPU: 1% usr 99.5% idle",
        "uid: 0x1234",
        "V1.2.3",
        "-41350\n",
    ];
    seeds.extend(texts.map(|text| text.as_bytes().to_vec()));
    seeds
}
