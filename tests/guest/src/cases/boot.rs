// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bring-up: from a card in whatever state to one that answers, or one that is known to be dead.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use ax650_uapi::*;
use serde_json::json;

use crate::card::{self, Card, BOOT};
use crate::case::{Context, Start, STOCK, TWO_CARDS};
use crate::client::{canary, Client};
use crate::errors::expect;
use crate::kernel::{self, until};

crate::cases!["boot":
    ready_after_load { start: Start::Unloaded },
    R08_load_returns_at_once { start: Start::Unloaded },
    R11_handshake_never_acknowledged {
        // Two minutes of waiting; on the debug kernel `axcl_pains/R11_*` does the same.
        kernels: STOCK, start: Start::Unloaded, timeout_s: 240, machines: &[TWO_CARDS],
    },
    R13_base_read_late { start: Start::Unloaded },
    R14_control_page_cleared_late { start: Start::Unloaded },
    R14_control_page_never_cleared { start: Start::Unloaded },
    R12_load_can_be_undone_during_handshake { start: Start::Unloaded },
    P5_card_has_wrong_id { start: Start::Unloaded },
    R02_id_changes { start: Start::Unloaded },
    R22_two_cards_boot_at_once { start: Start::Unloaded, machines: &[TWO_CARDS] },
    R15_lost_write_to_bar0 { start: Start::Unloaded },
    R15_uboot_slow { start: Start::Unloaded, timeout_s: 90 },
    C3_service_that_is_late { start: Start::Unloaded, timeout_s: 120 },
    C3_service_that_is_slow { start: Start::Unloaded, timeout_s: 120 },
    K8_card_that_was_reset_while_nobody_drove_it { start: Start::Unloaded },
    R53_no_firmware_file { start: Start::Unloaded },
];

/// Loads the module and waits until the card has got to `state`; how long that took.
pub fn load_and_reach(state: u32, limit: Duration) -> Result<Duration> {
    let begin = Instant::now();
    kernel::load_module("")?;
    Card::open(0)?.wait_state(state, limit)?;
    Ok(begin.elapsed())
}

/// Its configuration is wiped, and put back before anything is made of it.
fn K8_card_that_was_reset_while_nobody_drove_it(context: &mut Context) -> Result<()> {
    for _ in 0..2 {
        context.host.card(0, "reset", serde_json::json!({}))?;
        std::thread::sleep(Duration::from_secs(2));
        load_and_reach(AX650_STATE_RUNNING, BOOT)?;
        canary(0)?;
        kernel::unload_module()?;
    }
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// The card is asked who it is until it has said so.
fn says_who_it_is(context: &mut Context, switch: &str, value: serde_json::Value) -> Result<()> {
    context.host.switch(0, switch, value)?;
    let mark = kernel::mark()?;
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    let card = Card::open(0)?;
    std::thread::sleep(Duration::from_secs(8));
    let info = card.info()?;
    ensure!(info.firmware_version == [0; 64], "the switch does nothing");
    // The log does not tell of what is not known.
    let known = |line: &String| line.contains("fw ,") || line.contains("memory 0 MiB");
    ensure!(!mark.lines()?.iter().any(known), "{:?}", mark.lines()?);
    context.host.clear(0)?;
    until("the card's name", Duration::from_secs(30), || {
        let info = card.info()?;
        Ok(text(&info.firmware_version).starts_with('V')
            && text(&info.chip).contains("AX650")
            && info.uid != 0)
    })?;
    until("the line that it is ready", Duration::from_secs(20), || {
        mark.saw("ready: fw V")
    })?;
    canary(0)
}

/// The service makes no sessions for the first seconds.
fn C3_service_that_is_late(context: &mut Context) -> Result<()> {
    says_who_it_is(context, "port11.no_reply", true.into())
}

/// It makes them, but answers too late.
fn C3_service_that_is_slow(context: &mut Context) -> Result<()> {
    says_who_it_is(context, "rpc.delay_ms", 3000.into())
}

/// A card boots by itself when the module is loaded, and says who it is, once.
fn ready_after_load(_: &mut Context) -> Result<()> {
    let mark = kernel::mark()?;
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    until("the line that it is ready", Duration::from_secs(10), || {
        mark.saw("ready: fw ")
    })?;
    let info = Card::open(0)?.info()?;
    ensure!(info.abi_version == AX650_ABI_VERSION);
    ensure!(info.vendor == card::VENDOR);
    ensure!(info.device == 0x0650);
    ensure!(info.last_error == 0);
    ensure!(info.generation == 1);
    ensure!(info.boot_bytes_done == info.boot_bytes_total && info.boot_bytes_total > 0);
    ensure!(info.boot_time_ns > 0);
    ensure!(info.firmware_sha256 != [0; 32]);
    ensure!(
        text(&info.firmware_version).starts_with('V'),
        "{:?}",
        text(&info.firmware_version)
    );
    ensure!(!text(&info.firmware_file).is_empty());
    ensure!(text(&info.chip).contains("AX650"), "{:?}", text(&info.chip));
    let log = mark.lines()?;
    let ready: Vec<&String> = log
        .iter()
        .filter(|line| line.contains("ready: fw "))
        .collect();
    ensure!(ready.len() == 1, "{ready:?}");
    for word in ["link ", "memory ", "boot "] {
        ensure!(ready[0].contains(word), "no {word} in: {}", ready[0]);
    }
    canary(0)
}

/// The characters of a NUL-padded field.
pub fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Writes a digest in digits, as the programs do that make them.
pub fn digits(digest: &[u8]) -> String {
    let digits = digest.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

/// Loading the module does not wait for the card: one that never answers costs nothing.
fn R08_load_returns_at_once(context: &mut Context) -> Result<()> {
    context.host.switch(0, "loader.stuck", true)?;
    let begin = Instant::now();
    kernel::load_module("")?;
    let took = begin.elapsed();
    ensure!(
        took < Duration::from_secs(3) * crate::runner::slowness(),
        "{took:?}"
    );
    let card = Card::open(0)?;
    ensure!(card.info()?.state != AX650_STATE_RUNNING);
    // It takes back what it began, whatever it waits for.
    let begin = Instant::now();
    drop(card);
    kernel::unload_module()?;
    let took = begin.elapsed();
    ensure!(
        took < Duration::from_secs(5) * crate::runner::slowness(),
        "unload: {took:?}"
    );
    Ok(())
}

/// Firmware that never comes up, stuck in the first step or in the second: the card is dead, not
/// alive, within a limit and with a reason; then it can be booted.
fn R11_handshake_never_acknowledged(context: &mut Context) -> Result<()> {
    // A minute of tries at most may come before the two minutes of the last.
    const LIMIT: Duration = Duration::from_secs(190);
    context.host.switch(0, "step0.no_ack", true)?;
    context.host.switch(1, "step1.no_ack", true)?;
    kernel::load_module("")?;
    let cards = [Card::open(0)?, Card::open(1)?];
    for card in &cards {
        card.wait_state(AX650_STATE_DEAD, LIMIT)?;
        let info = card.info()?;
        ensure!(
            info.last_error == -libc::ETIMEDOUT,
            "last_error {}",
            info.last_error
        );
        ensure!(card.counters()?.boots == 0);
        expect(libc::EHOSTDOWN, card.session(), || {
            "a session of a dead card".into()
        })?;
    }
    for (number, card) in (0..).zip(&cards) {
        context.host.clear(number)?;
        card.make_running()?;
        canary(number)?;
    }
    Ok(())
}

/// The card looks at base and size only some time after it has seen the flag.
fn R13_base_read_late(context: &mut Context) -> Result<()> {
    for delay in [10, 500] {
        context.host.switch(0, "step0.delay_base_ms", delay)?;
        load_and_reach(AX650_STATE_RUNNING, BOOT)?;
        canary(0)?;
        kernel::unload_module()?;
    }
    Ok(())
}

/// No message goes out before the card has cleared the control page: the counters of doorbells
/// rung and handled agree.
fn R14_control_page_cleared_late(context: &mut Context) -> Result<()> {
    context.host.switch(0, "timesync.delay_clear_ms", 3000)?;
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    let counters = context.host.card(0, "counters", json!({}))?;
    ensure!(
        counters["counters"]["doorbell.early"].is_null(),
        "{counters}"
    );
    canary(0)
}

/// A card that never does it holds the boot up for a bounded time, and is used or given up.
fn R14_control_page_never_cleared(context: &mut Context) -> Result<()> {
    context.host.switch(0, "timesync.no_clear", true)?;
    kernel::load_module("")?;
    let card = Card::open(0)?;
    let mut state = 0;
    until("the end of the boot", Duration::from_secs(50), || {
        state = card.info()?.state;
        Ok(matches!(state, AX650_STATE_RUNNING | AX650_STATE_DEAD))
    })?;
    if state == AX650_STATE_RUNNING {
        canary(0)?;
    }
    Ok(())
}

/// The waits of a boot end when the driver is wanted no more.
fn R12_load_can_be_undone_during_handshake(context: &mut Context) -> Result<()> {
    for switch in [
        "loader.stuck",
        "boot.status_never",
        "step0.no_ack",
        "step1.no_ack",
    ] {
        context.host.switch(0, switch, true)?;
        kernel::load_module("")?;
        std::thread::sleep(Duration::from_secs(3));
        let begin = Instant::now();
        kernel::unload_module()?;
        let took = begin.elapsed();
        ensure!(
            took < Duration::from_secs(4) * crate::runner::slowness(),
            "{switch}: {took:?}"
        );
        context.host.clear(0)?;
    }
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// A card that calls itself by another number than the one of its bus works.
fn P5_card_has_wrong_id(context: &mut Context) -> Result<()> {
    context.host.switch(0, "card_id", 3)?;
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    let mut client = Client::new(0)?;
    client.works()?;
    // Once it has been heard of, the id is there to see.
    until("its own id", Duration::from_secs(15), || {
        Ok(client.card.info()?.card_id == 3)
    })
}

/// Messages belong to the card whose ring they are in, whatever the sender's field says.
fn R02_id_changes(context: &mut Context) -> Result<()> {
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    let mut client = Client::new(0)?;
    for id in [0, 1, 77, 255] {
        context.host.switch(0, "card_id", id)?;
        client.works()?;
        canary(0)?;
    }
    Ok(())
}

/// Two cards boot at the same time, and each gets its own firmware.
fn R22_two_cards_boot_at_once(context: &mut Context) -> Result<()> {
    for card in [0, 1] {
        context.host.switch(card, "uboot.slow_ms", 3000)?;
    }
    kernel::load_module("")?;
    let cards = [Card::open(0)?, Card::open(1)?];
    let mut together = false;
    until("both cards to run", BOOT, || {
        let states = [cards[0].info()?.state, cards[1].info()?.state];
        let booting = |s| matches!(s, AX650_STATE_BOOTING | AX650_STATE_HANDSHAKE);
        together |= states.into_iter().all(booting);
        ensure!(!states.contains(&AX650_STATE_DEAD), "{states:?}");
        Ok(states == [AX650_STATE_RUNNING; 2])
    })?;
    ensure!(together, "one after the other");
    let digests = |card: u32, context: &mut Context| -> Result<serde_json::Value> {
        Ok(context.host.card(card, "images", json!({}))?["images"].clone())
    };
    let images = [digests(0, context)?, digests(1, context)?];
    let list = |images: &serde_json::Value| -> Vec<(String, String)> {
        let field = |image: &serde_json::Value, key: &str| image[key].to_string();
        let all = images.as_array().into_iter().flatten();
        all.map(|i| (field(i, "address"), field(i, "sha256")))
            .collect()
    };
    ensure!(!list(&images[0]).is_empty(), "{}", images[0]);
    ensure!(
        list(&images[0]) == list(&images[1]),
        "{} and {}",
        images[0],
        images[1]
    );
    canary(0)?;
    canary(1)
}

/// Writes to BAR0 get lost while the card's Linux re-points it: they are made again.
fn R15_lost_write_to_bar0(context: &mut Context) -> Result<()> {
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    let card = Card::open(0)?;
    for lost in [1, 3, 9] {
        card.control(AX650_CONTROL_BOOT, 0)?;
        card.wait_state(AX650_STATE_HANDSHAKE, BOOT)?;
        context.host.switch(0, "bar0.lost_write", lost)?;
        card.wait_state(AX650_STATE_RUNNING, BOOT)?;
        canary(0)?;
    }
    Ok(())
}

/// U-Boot that takes its time, within the limit for a chunk, is waited for.
fn R15_uboot_slow(context: &mut Context) -> Result<()> {
    context.host.switch(0, "uboot.slow_ms", 4000)?;
    let took = load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    ensure!(took > Duration::from_secs(4), "{took:?}");
    ensure!(Card::open(0)?.counters()?.boot_failures == 0);
    canary(0)
}

/// Without a firmware file the card is there, dead, with the reason, and boots once there is one.
fn R53_no_firmware_file(_: &mut Context) -> Result<()> {
    const FILE: &str = "/lib/firmware/axcl/ax650_card.pac";
    const AWAY: &str = "/lib/firmware/axcl/away";
    std::fs::rename(FILE, AWAY)?;
    let result = (|| {
        load_and_reach(AX650_STATE_DEAD, BOOT)?;
        let card = Card::open(0)?;
        let info = card.info()?;
        ensure!(
            info.last_error == -libc::ENOENT,
            "last_error {}",
            info.last_error
        );
        Ok(card)
    })();
    std::fs::rename(AWAY, FILE)?;
    result?.make_running()?;
    canary(0)
}
