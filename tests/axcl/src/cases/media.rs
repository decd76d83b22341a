// SPDX-License-Identifier: MIT OR Apache-2.0

//! Orders of native calls that programs make, and their ends [rpc 7].

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;

use super::support::{canary, ready};
use crate::client::{Decoder, Device, Encoder, Picture, Scope};
use crate::rpc::native::{self, Module, SysApi};

ax650_test_kit::cases!["axcl_media":
    D1_pool_exit_before_init,
    D2_stream_ends_after_stop_and_reset,
    E3_decoder_receives_0_pictures,
    E8_links_that_cannot_be,
];

/// The end of a stream [rpc 3.3].
const VENC_END: u32 = 0x8007_0228;

/// Numbers of modules in links.
const DECODER: u32 = 8;
const ENCODER: u32 = 7;

const SIZE: (usize, usize) = (320, 240);

/// A call of the system module that returns nothing but a code.
fn system(scope: &Scope<'_>, api: SysApi, data: Vec<Vec<u8>>) -> Result<u32> {
    native::returned(&scope.native(Module::Sys, api as i32, data, &[4])?)
}

/// Programs clear the pools before they set them up.
fn D1_pool_exit_before_init(_: &mut Context) -> Result<()> {
    ready()?;
    let device = Device::open()?;
    let scope = device.scope();
    for api in [SysApi::AxPoolExit, SysApi::AxPoolExit] {
        let code = system(&scope, api, Vec::new())?;
        ensure!(code == 0, "{api:?}: {code:#x}");
    }
    device.close()?;
    canary()
}

/// A thread that takes packets without a time limit ends when the channel is stopped and reset.
fn D2_stream_ends_after_stop_and_reset(_: &mut Context) -> Result<()> {
    ready()?;
    let device = Device::open()?;
    let mut encoder = Encoder::new(device.scope(), SIZE.0, SIZE.1)?;
    for n in 0..3 {
        let picture = Picture::gradient(SIZE.0, SIZE.1, n);
        ensure!(!encoder.encode(&picture, n as u64 * 33_000)?.is_empty());
    }
    let code = encoder.end_by_reset().context("GetStream(-1)")?;
    ensure!(code == VENC_END, "GetStream gives {code:#x}");
    encoder.close()?;
    device.close()?;
    canary()
}

/// A number of pictures of 0 is none that is refused.
fn E3_decoder_receives_0_pictures(_: &mut Context) -> Result<()> {
    ready()?;
    let device = Device::open()?;
    let decoder = Decoder::new(device.scope(), SIZE.0, SIZE.1)?;
    let code = decoder.start_again(0)?;
    ensure!(code == 0, "StartRecvStream: {code:#x}");
    decoder.close()?;
    device.close()?;
    canary()
}

/// `AX_MOD_INFO_T`.
fn place(module: u32, group: u32, channel: u32) -> Vec<u8> {
    let words = [module, group, channel];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Links of what does not exist, and a second link of one input.
fn E8_links_that_cannot_be(_: &mut Context) -> Result<()> {
    ready()?;
    let device = Device::open()?;
    let scope = device.scope();
    let link = |api, from: &[u8], to: &[u8]| system(&scope, api, vec![from.to_vec(), to.to_vec()]);
    let decoder = Decoder::new(device.scope(), SIZE.0, SIZE.1)?;
    let other = Decoder::another(device.scope(), SIZE.0, SIZE.1)?;
    let encoder = Encoder::new(device.scope(), SIZE.0, SIZE.1)?;
    let from = place(DECODER, decoder.number(), 0);
    let second = place(DECODER, other.number(), 0);
    let to = place(ENCODER, 0, encoder.number());
    for (what, from, to) in [
        (
            "from a module that does not exist",
            place(9999, 0, 0),
            to.clone(),
        ),
        (
            "to a module that does not exist",
            from.clone(),
            place(9999, 0, 0),
        ),
        (
            "from a group that does not exist",
            place(DECODER, 5000, 0),
            to.clone(),
        ),
        (
            "from a channel that does not exist",
            place(DECODER, decoder.number(), 77),
            to.clone(),
        ),
        (
            "to a channel that does not exist",
            from.clone(),
            place(ENCODER, 0, 5000),
        ),
        ("to a decoder", from.clone(), second.clone()),
        ("from an encoder", to.clone(), place(ENCODER, 0, 1)),
    ] {
        let code = link(SysApi::AxSysLink, &from, &to)?;
        ensure!(code != 0, "a link {what} is accepted");
    }
    let code = link(SysApi::AxSysLink, &from, &to)?;
    ensure!(code == 0, "a link in order: {code:#x}");
    let code = link(SysApi::AxSysLink, &second, &to)?;
    ensure!(code != 0, "a second link of one input is accepted");
    let code = link(SysApi::AxSysUnLink, &from, &to)?;
    ensure!(code == 0, "taking it back: {code:#x}");
    let code = link(SysApi::AxSysLink, &second, &to)?;
    ensure!(code == 0, "the other after it: {code:#x}");
    let code = link(SysApi::AxSysUnLink, &second, &to)?;
    ensure!(code == 0, "taking that back: {code:#x}");
    encoder.close()?;
    other.give_up()?;
    decoder.close()?;
    device.close()?;
    canary()
}
