// SPDX-License-Identifier: MIT OR Apache-2.0

//! Firmware: containers that must be refused, and cards that do not take good ones.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;
use serde_json::json;

use super::boot::{digits, text};
use crate::card::{Card, BOOT};
use crate::case::{Context, Start};
use crate::client::canary;
use crate::errors::expect;
use crate::kernel;

crate::cases!["firmware":
    R20_bad_containers_are_refused { timeout_s: 180 },
    R20_known_files_and_others_of_their_length { timeout_s: 180 },
    R21_strings_without_end,
    R23_card_reports_failure { start: Start::Unloaded, timeout_s: 120 },
    R23_card_never_answers_a_chunk { start: Start::Unloaded, timeout_s: 150 },
    R23_stale_success { start: Start::Unloaded },
    R23_card_cannot_read_memory { start: Start::Unloaded, timeout_s: 120 },
    R07_boot_reason_is_shown { start: Start::Unloaded },
];

const GOOD: &str = "/lib/firmware/axcl/ax650_card.pac";

/// Offsets in the container [pcie 3.1].
const HEADER_VERSION: usize = 48;
const RECORD_OFFSET: usize = 80;
const RECORD_COUNT: usize = 84;
const INTEGRITY: usize = 88;
const IMAGE_OFFSET: usize = 320;
const IMAGE_SIZE: usize = 328;

/// Puts another file where the driver finds it first, while `f` runs.
fn with_firmware<R>(bytes: &[u8], f: impl FnOnce() -> Result<R>) -> Result<R> {
    let dir = Path::new("/tmp/firmware");
    fs::create_dir_all(dir.join("axcl"))?;
    fs::write(dir.join("axcl/ax650_card.pac"), bytes)?;
    searching(dir, f)
}

/// Has the kernel look for firmware in `dir` first, while `f` runs.
pub(super) fn searching<R>(dir: &Path, f: impl FnOnce() -> Result<R>) -> Result<R> {
    const PATH: &str = "/sys/module/firmware_class/parameters/path";
    let before = kernel::read(PATH)?;
    kernel::write(PATH, &dir.to_string_lossy())?;
    let result = f();
    // An empty path cannot be written, but the end of a line is cut off.
    kernel::write(PATH, if before.is_empty() { "\n" } else { &before })?;
    result
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Each of these is refused with EINVAL before a byte reaches the card.
fn R20_bad_containers_are_refused(context: &mut Context) -> Result<()> {
    let good = fs::read(GOOD)?;
    let first = u32::from_le_bytes(good[RECORD_OFFSET..RECORD_OFFSET + 4].try_into()?) as usize;
    let mutate = |f: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        f(&mut bytes);
        bytes
    };
    let mutants: Vec<(&str, Vec<u8>)> = vec![
        // Not an empty file: the kernel goes on looking for another one then.
        ("one byte", good[..1].to_vec()),
        ("part of a header", good[..100].to_vec()),
        ("magic", mutate(&|b| b[0] ^= 1)),
        (
            "container version",
            mutate(&|b| put(b, 4, &9_u32.to_le_bytes())),
        ),
        (
            "size of the container",
            mutate(&|b| put(b, 8, &u64::MAX.to_le_bytes())),
        ),
        (
            "no records",
            mutate(&|b| put(b, RECORD_COUNT, &0_u32.to_le_bytes())),
        ),
        (
            "2^32-1 records",
            mutate(&|b| put(b, RECORD_COUNT, &u32::MAX.to_le_bytes())),
        ),
        (
            "records behind the end",
            mutate(&|b| put(b, RECORD_OFFSET, &u32::MAX.to_le_bytes())),
        ),
        (
            "integrity of unknown kind",
            mutate(&|b| put(b, INTEGRITY, &7_u32.to_le_bytes())),
        ),
        (
            "image behind the end",
            mutate(&|b| {
                let end = b.len() as u64;
                put(b, first + IMAGE_OFFSET, &end.to_le_bytes());
            }),
        ),
        (
            "offset and size overflow",
            mutate(&|b| {
                put(b, first + IMAGE_OFFSET, &(u64::MAX - 15).to_le_bytes());
                put(b, first + IMAGE_SIZE, &32_u64.to_le_bytes());
            }),
        ),
        (
            "image of 2^32+1 bytes",
            mutate(&|b| {
                put(b, first + IMAGE_SIZE, &((1_u64 << 32) + 1).to_le_bytes());
            }),
        ),
        (
            "first image of more than 3 MiB",
            mutate(&|b| {
                put(b, first + IMAGE_SIZE, &(0x30_0001_u64).to_le_bytes());
            }),
        ),
        ("truncated", good[..good.len() - 1].to_vec()),
        (
            "one bit of an image",
            mutate(&|b| {
                let last = b.len() - 1;
                b[last] ^= 0x10;
            }),
        ),
    ];
    let card = Card::open(0)?;
    context.host.card(0, "counters", json!({"reset": true}))?;
    for (what, bytes) in mutants {
        with_firmware(&bytes, || {
            let failures = card.counters()?.boot_failures;
            card.control(AX650_CONTROL_BOOT, 0).context("BOOT")?;
            kernel::until("the boot to fail", BOOT, || {
                Ok(card.counters()?.boot_failures > failures)
            })
        })
        .with_context(|| what.to_owned())?;
        kernel::until("the card to be given up", Duration::from_secs(10), || {
            Ok(card.info()?.state == AX650_STATE_DEAD)
        })
        .with_context(|| what.to_owned())?;
        let error = card.info()?.last_error;
        ensure!(
            error == -libc::EINVAL || error == -libc::EFBIG,
            "{what}: last_error {error}"
        );
    }
    let counters = context.host.card(0, "counters", json!({}))?;
    ensure!(
        counters["counters"]["boot.commands"].is_null(),
        "the card has got data: {counters}"
    );
    card.make_running()?;
    canary(0)
}

/// A file that has passed is known again, others of its length are not taken for it: what the driver says that it has sent
/// is what busybox finds in the file.
fn R20_known_files_and_others_of_their_length(_: &mut Context) -> Result<()> {
    let good = fs::read(GOOD)?;
    // The header's strings are not covered by the container's digest.
    let other = |version: u8| {
        let mut bytes = good.clone();
        put(&mut bytes, HEADER_VERSION, &[version; 8]);
        bytes
    };
    let mut damaged = other(b'1');
    if let Some(last) = damaged.last_mut() {
        *last ^= 1;
    }
    let card = Card::open(0)?;
    let boots = |bytes: &[u8]| {
        with_firmware(bytes, || {
            let before = card.counters()?;
            card.control(AX650_CONTROL_BOOT, 0).context("BOOT")?;
            kernel::until("the boot to end", BOOT, || {
                let now = card.counters()?;
                let has_failed = now.boot_failures > before.boot_failures;
                let is_dead = has_failed && card.info()?.state == AX650_STATE_DEAD;
                Ok(now.boots > before.boots || is_dead)
            })?;
            Ok(card.counters()?.boots > before.boots)
        })
    };
    let known = || -> Result<u64> {
        let text = kernel::read("/sys/kernel/debug/ax650-0/counters")?;
        let line = text.lines().find_map(|l| l.strip_prefix("known_files "));
        line.context("no known_files")?.parse().context("a number")
    };
    // Four are remembered: a fifth has the oldest forgotten.
    for (name, bytes, is_known) in [
        ("the usual one", &good, None),
        ("1", &other(b'1'), Some(false)),
        ("2", &other(b'2'), Some(false)),
        ("3", &other(b'3'), Some(false)),
        ("4", &other(b'4'), Some(false)),
        ("4 again", &other(b'4'), Some(true)),
        ("1 again", &other(b'1'), Some(true)),
        ("the usual one, forgotten", &good, Some(false)),
    ] {
        let before = known()?;
        ensure!(boots(bytes)?, "file {name} does not boot");
        let was_known = known()? > before;
        ensure!(is_known.is_none_or(|is| is == was_known), "file {name}");
        let said = digits(&card.info()?.firmware_sha256);
        let copy = Path::new("/tmp/firmware.copy");
        fs::write(copy, bytes)?;
        let sum = Command::new("sha256sum").arg(copy).output()?;
        fs::remove_file(copy)?;
        let sum = String::from_utf8(sum.stdout)?;
        ensure!(sum.starts_with(&said), "file {name}: {said} for {sum}");
    }
    ensure!(!boots(&damaged)?, "a damaged file boots");
    card.make_running()?;
    canary(0)
}

/// A container whose strings fill their fields is shown as far as they go.
fn R21_strings_without_end(_: &mut Context) -> Result<()> {
    let mut bytes = fs::read(GOOD)?;
    // The digest covers what follows the header; the name in the first record is covered, so
    // there is to be no digest.
    let first = u32::from_le_bytes(bytes[RECORD_OFFSET..RECORD_OFFSET + 4].try_into()?) as usize;
    put(&mut bytes, INTEGRITY, &0_u32.to_le_bytes());
    put(&mut bytes, 16, &[b'n'; 32]);
    put(&mut bytes, HEADER_VERSION, &[b'v'; 32]);
    put(&mut bytes, first, &[b'i'; 320]);
    let card = Card::open(0)?;
    let mark = kernel::mark()?;
    with_firmware(&bytes, || {
        card.control(AX650_CONTROL_BOOT, 0)?;
        card.wait_state(AX650_STATE_HANDSHAKE, BOOT)?;
        card.wait_state(AX650_STATE_RUNNING, BOOT).map(drop)
    })?;
    ensure!(text(&card.info()?.firmware_file) == "v".repeat(32));
    for long in ["n".repeat(33), "v".repeat(33), "i".repeat(33)] {
        ensure!(!mark.saw(&long)?, "the log has {long}");
    }
    canary(0)
}

/// Fails all boots for a reason, then boots.
fn fails_then_boots(context: &mut Context, errno: i32, limit: Duration) -> Result<()> {
    kernel::load_module("")?;
    let card = Card::open(0)?;
    card.wait_state(AX650_STATE_DEAD, limit)?;
    let info = card.info()?;
    ensure!(info.last_error == -errno, "last_error {}", info.last_error);
    ensure!(card.counters()?.boot_failures > 0);
    // A dead card answers what needs no card, and clearly refuses the rest.
    ensure!(card.limits().is_ok());
    expect(libc::EHOSTDOWN, card.session(), || {
        "a session of a dead card".into()
    })?;
    context.host.clear(0)?;
    card.make_running()?;
    canary(0)
}

/// The card says that it could not read a chunk; which bits it set is in the log.
fn R23_card_reports_failure(context: &mut Context) -> Result<()> {
    context.host.switch(0, "boot.status_fail", 0x402)?;
    let mark = kernel::mark()?;
    fails_then_boots(context, libc::EREMOTEIO, BOOT)?;
    ensure!(mark.saw("0x402")?, "the log does not name the bits");
    Ok(())
}

/// The card takes a command and never says how it ended.
fn R23_card_never_answers_a_chunk(context: &mut Context) -> Result<()> {
    context.host.switch(0, "boot.status_never", true)?;
    fails_then_boots(context, libc::ETIMEDOUT, Duration::from_secs(60))
}

/// The success of an earlier command is not taken for that of the next: all images arrive whole.
fn R23_stale_success(context: &mut Context) -> Result<()> {
    let reference = {
        kernel::load_module("")?;
        Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
        context.host.card(0, "images", json!({}))?["images"].clone()
    };
    kernel::unload_module()?;
    context.host.switch(0, "boot.stale_done", true)?;
    kernel::load_module("")?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    let images = context.host.card(0, "images", json!({}))?["images"].clone();
    let digests = |images: &serde_json::Value| -> Vec<String> {
        images
            .as_array()
            .into_iter()
            .flatten()
            .map(|i| i["sha256"].to_string())
            .collect()
    };
    ensure!(!digests(&reference).is_empty(), "{reference}");
    ensure!(
        digests(&images).ends_with(&digests(&reference)),
        "{images} instead of {reference}"
    );
    canary(0)
}

/// One failed read is tried again, from the start; if all fail, the card is given up.
fn R23_card_cannot_read_memory(context: &mut Context) -> Result<()> {
    context.host.switch(0, "boot.dma_error", 1)?;
    kernel::load_module("")?;
    let card = Card::open(0)?;
    card.wait_state(AX650_STATE_RUNNING, BOOT)?;
    ensure!(card.counters()?.boot_failures == 1);
    canary(0)?;
    drop(card);
    kernel::unload_module()?;
    context.host.switch(0, "boot.dma_error", true)?;
    fails_then_boots(context, libc::EREMOTEIO, BOOT)
}

/// Why the chip was started the last time is told.
fn R07_boot_reason_is_shown(context: &mut Context) -> Result<()> {
    context.host.switch(0, "boot_reason", 2)?;
    let mark = kernel::mark()?;
    kernel::load_module("")?;
    let card = Card::open(0)?;
    card.wait_state(AX650_STATE_RUNNING, BOOT)?;
    ensure!(
        card.info()?.boot_reason & 2 != 0,
        "{:#x}",
        card.info()?.boot_reason
    );
    ensure!(mark.saw("thermal")?, "the log does not tell");
    Ok(())
}
