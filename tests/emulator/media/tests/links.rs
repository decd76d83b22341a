// SPDX-License-Identifier: MIT OR Apache-2.0

//! E8: which links are refused, and what is told of those that there are.

#![allow(non_snake_case)]

mod common;

use common::{n32, record, u32_at, Card, Client, SYS};

const VDEC: u32 = 8;
const VENC: u32 = 7;
const IVPS: u32 = 0x0d;

const NO_MODULE: u32 = 0x800b_0101;
const NO_GROUP: u32 = 0x800b_0103;
const NO_CHANNEL: u32 = 0x800b_0104;
const NOT_PERMITTED: u32 = 0x800b_0115;
const EXISTS: u32 = 0x800b_0116;
const UNEXIST: u32 = 0x800b_0117;

type End = [u32; 3];

fn info(end: End) -> Vec<u8> {
    end.map(n32).concat()
}

fn link(client: &Client, from: End, to: End) -> u32 {
    client.status(SYS, 31, &[&info(from), &info(to)])
}

#[test]
fn E8_modules_groups_and_channels_that_do_not_exist() {
    let card = Card::new();
    let client = card.client(21);
    let (good, target) = ([VDEC, 0, 0], [VENC, 0, 0]);
    for (from, to, code) in [
        ([0, 0, 0], target, NO_MODULE),
        ([0x2a, 0, 0], target, NO_MODULE),
        ([u32::MAX, 0, 0], target, NO_MODULE),
        (good, [6, 0, 0], NO_MODULE),
        ([VDEC, 164, 0], target, NO_GROUP),
        ([VDEC, u32::MAX, 0], target, NO_GROUP),
        ([IVPS, 256, 0], target, NO_GROUP),
        (good, [VENC, 1, 0], NO_GROUP),
        (good, [IVPS, 256, 0], NO_GROUP),
        ([VDEC, 0, 3], target, NO_CHANNEL),
        ([IVPS, 0, 5], target, NO_CHANNEL),
        (good, [VENC, 0, 64], NO_CHANNEL),
        (good, [VENC, 0, u32::MAX], NO_CHANNEL),
        (good, [IVPS, 0, 5], NO_CHANNEL),
        // Nothing comes out of an encoder or goes into a decoder or round in a circle.
        ([VENC, 0, 0], [IVPS, 0, 0], NOT_PERMITTED),
        ([IVPS, 0, 0], [VDEC, 0, 0], NOT_PERMITTED),
        ([IVPS, 3, 0], [IVPS, 3, 0], NOT_PERMITTED),
        (good, good, NOT_PERMITTED),
    ] {
        let got = link(&client, from, to);
        assert_eq!(got, code, "{from:?} {to:?}: {got:#x}");
    }
    assert_eq!(card.media.report()["sys"]["links"], 0);
}

#[test]
fn E8_an_input_has_one_source() {
    let card = Card::new();
    let client = card.client(21);
    let decoder = [VDEC, 0, 0];
    for target in [[VENC, 0, 0], [VENC, 0, 1], [IVPS, 2, 0]] {
        assert_eq!(link(&client, decoder, target), 0);
        // The same again, or another source.
        assert_eq!(link(&client, decoder, target), EXISTS);
        assert_eq!(link(&client, [VDEC, 1, 0], target), EXISTS);
        let source = client.ok(SYS, 33, &[&info(target)]).remove(0);
        assert_eq!(source, info(decoder));
    }
    // A group of the image processor has one input for all its channels.
    assert_eq!(link(&client, [VDEC, 1, 0], [IVPS, 2, 1]), EXISTS);
    assert_eq!(client.ok(SYS, 33, &[&info([IVPS, 2, 4])]), [info(decoder)]);
    let targets = client.ok(SYS, 34, &[&info(decoder)]).remove(0);
    assert_eq!(u32_at(&targets, 0), 3);
    let want = [[VENC, 0, 0], [VENC, 0, 1], [IVPS, 2, 0]]
        .map(info)
        .concat();
    assert_eq!(targets[4..4 + 36], want);
    assert_eq!(card.media.proc_text("link_table").lines().count(), 6);
    let unlink = |from: End, to: End| client.status(SYS, 32, &[&info(from), &info(to)]);
    assert_eq!(unlink([VDEC, 1, 0], [VENC, 0, 1]), UNEXIST);
    assert_eq!(unlink(decoder, [VENC, 0, 1]), 0);
    assert_eq!(unlink(decoder, [VENC, 0, 1]), UNEXIST);
    assert_eq!(client.status(SYS, 33, &[&info([VENC, 0, 1])]), UNEXIST);
    // Free for another one.
    assert_eq!(link(&client, [VDEC, 1, 0], [VENC, 0, 1]), 0);
    // What is not linked; and other sessions have links of their own.
    assert_eq!(client.status(SYS, 34, &[&info([VDEC, 5, 0])]), UNEXIST);
    let other = card.client(25);
    assert_eq!(other.status(SYS, 33, &[&info([VENC, 0, 0])]), UNEXIST);
    card.media.session_end(21);
    assert_eq!(
        client.status(SYS, 34, &[&record(12, &[(0, VDEC)])]),
        UNEXIST
    );
}
