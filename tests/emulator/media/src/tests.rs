// SPDX-License-Identifier: MIT OR Apache-2.0

//! The table of calls beside what the modules read.

use crate::call::table::{find, SYS, VDEC, VENC};
use crate::memory::frame::{FRAME_SIZE, INFO_SIZE};
use crate::pool::PoolConfig;
use crate::{vdec, venc};

/// Structures of which the notes give the size and, if at all, only some fields: what this card
/// takes them to hold comes out at that size.
#[test]
fn readings_fill_their_structures() {
    const MODULE_INFO: usize = 12;
    const PARTITION: usize = 8 + 4 + 32 + 4;
    let request = |module, api, i: usize| find(module, api).unwrap().request[i];
    let answer = |module, api, i: usize| find(module, api).unwrap().answer[i];
    let groups = vdec::MAX_GROUPS as usize;
    let channels = venc::MAX_CHANNELS as usize;
    for (what, reading, size) in [
        ("common pools", 64 * PoolConfig::SIZE, request(SYS, 41, 0)),
        ("links", 4 + 6 * MODULE_INFO, answer(SYS, 34, 1)),
        ("partitions", 8 + 16 * PARTITION, answer(SYS, 14, 1)),
        ("CMM status", 16 + 8 + 16 * PARTITION, answer(SYS, 17, 1)),
        ("VDEC SelectGrp", 8 + 48 * groups, answer(VDEC, 16, 1)),
        (
            "user picture",
            16 + vdec::CHANNELS * INFO_SIZE,
            request(VDEC, 22, 1),
        ),
        ("one JPEG in", 56 + FRAME_SIZE + 8, request(VDEC, 33, 0)),
        ("VENC SelectGrp", 4 + 8 * channels, answer(VENC, 7, 1)),
        ("VENC SelectGrpQuery", 2 + 2 * channels, answer(VENC, 11, 1)),
    ] {
        assert_eq!(reading, size, "{what}");
    }
    // Of these only the beginning is used.
    assert!(FRAME_SIZE <= request(VENC, 6, 1), "SendFrameEx");
    assert!(FRAME_SIZE + 28 <= request(VENC, 43, 0), "one JPEG out");
}
