// SPDX-License-Identifier: MIT OR Apache-2.0

//! Offsets and sizes beside the notes.

use super::*;

/// Where in `bytes` the numbers `1, 2, 3, ..` begin.
fn offsets(bytes: &[u8], count: u32) -> Vec<usize> {
    let found = |n: u32| bytes.chunks(4).position(|word| word == n.to_le_bytes());
    (1..=count)
        .map(|n| 4 * found(n).unwrap_or_else(|| panic!("no {n} in {bytes:?}")))
        .collect()
}

/// Beside the offsets in the notes, in the order of their fields there.
#[test]
fn rate_controls_lie_as_the_notes_say() {
    let avbr = VencAvbr::new()
        .with_gop(1)
        .with_seconds(2)
        .with_max_bit_rate(3)
        .with_max_qp(4)
        .with_min_qp(5)
        .with_max_intra_qp(6)
        .with_min_intra_qp(7)
        .with_intra_qp_delta(8)
        .with_idr_qp_range(9)
        .with_change_position(10)
        .with_min_still_percent(11)
        .with_max_still_qp(12);
    let at = [0, 4, 8, 12, 16, 20, 24, 28, 32, 52, 56, 60];
    assert_eq!(offsets(avbr.as_bytes(), 12), at);

    let cvbr = VencCvbr::new()
        .with_gop(1)
        .with_seconds(2)
        .with_max_qp(3)
        .with_min_qp(4)
        .with_max_intra_qp(5)
        .with_min_intra_qp(6)
        .with_min_qp_delta(7)
        .with_max_qp_delta(8)
        .with_max_intra_ratio(9)
        .with_min_intra_ratio(10)
        .with_max_bit_rate(11)
        .with_short_time(12)
        .with_long_time(13)
        .with_long_max_bit_rate(14)
        .with_long_min_bit_rate(15)
        .with_intra_qp_delta(16)
        .with_idr_qp_range(17);
    let at = [
        0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 84, 88,
    ];
    assert_eq!(offsets(cvbr.as_bytes(), 17), at);

    let vbr = VencVbr::new()
        .with_gop(1)
        .with_seconds(2)
        .with_max_bit_rate(3)
        .with_quality(4)
        .with_max_qp(5)
        .with_min_qp(6)
        .with_max_intra_qp(7)
        .with_min_intra_qp(8)
        .with_intra_qp_delta(9)
        .with_idr_qp_range(10)
        .with_change_position(11);
    let at = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 56];
    assert_eq!(offsets(vbr.as_bytes(), 11), at);

    let qvbr = VencQvbr::new()
        .with_gop(1)
        .with_seconds(2)
        .with_target_bit_rate(3);
    assert_eq!(offsets(qvbr.as_bytes(), 3), [0, 4, 8]);
    let map = VencQpMap::new()
        .with_gop(1)
        .with_seconds(2)
        .with_target_bit_rate(3)
        .with_block_control(4)
        .with_qp_type(5)
        .with_block_type(6)
        .with_block_unit(7);
    assert_eq!(offsets(map.as_bytes(), 7), [0, 4, 8, 12, 16, 20, 24]);
    let fixed = VencFixQp::new()
        .with_gop(1)
        .with_intra_qp(2)
        .with_predicted_qp(3)
        .with_both_ways_qp(4);
    assert_eq!(offsets(fixed.as_bytes(), 4), [0, 4, 8, 12]);
    let jpeg = VencMjpegRate::new()
        .with_seconds(1)
        .with_bit_rate(2)
        .with_max_qp(3)
        .with_min_qp(4);
    assert_eq!(offsets(jpeg.as_bytes(), 4), [0, 4, 8, 12]);
    assert_eq!(VencMjpegFixQp::new().with_qp(1).as_bytes(), &[1, 0, 0, 0]);
}

#[test]
fn sizes_of_the_notes() {
    let sizes = [
        VencCbr::SIZE,
        VencVbr::SIZE,
        VencAvbr::SIZE,
        VencCvbr::SIZE,
        VencQvbr::SIZE,
        VencQpMap::SIZE,
        VencFixQp::SIZE,
        VencMjpegRate::SIZE,
        VencMjpegFixQp::SIZE,
        VencRateParam::SIZE,
    ];
    assert_eq!(sizes, [60, 60, 64, 92, 12, 28, 16, 16, 4, 120]);
}

#[test]
fn the_longest_rate_control_has_room_in_both() {
    let rate = [7; VencCvbr::SIZE];
    let channel = VencChannel::new().with_gop_mode(9).with_rate(&rate);
    assert_eq!(channel.as_bytes()[100..192], rate);
    assert_eq!((channel.target_rate(), channel.gop_mode()), (0.0, 9));
    // A shorter one leaves nothing behind.
    let shorter = channel.with_rate(&[1; VencQvbr::SIZE]);
    assert_eq!(shorter.rate()[..12], [1; 12]);
    assert!(shorter.rate()[12..].iter().all(|byte| *byte == 0));
    let param = VencRateParam::new()
        .with_rate_control(1)
        .with_source_rate(2.0)
        .with_target_rate(2.0)
        .with_rate(&rate);
    assert_eq!(param.as_bytes()[28..], rate);
    assert_eq!(param.as_bytes()[16..20], [1, 0, 0, 0]);
    assert_eq!(param.as_bytes()[20..24], 2.0_f32.to_le_bytes());
}
