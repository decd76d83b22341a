// SPDX-License-Identifier: MIT OR Apache-2.0

//! Faults of recovery that events alone do not show.

use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;
use serde_json::json;

use super::events::{bind, unbind, DOWN};
use super::moments::runs_again;
use crate::card::{self, Card, BOOT};
use crate::case::{rounds, Context};
use crate::client::{canary, Client, PATIENCE};
use crate::kernel;

/// The command register, and its bit of bus mastering.
const COMMAND: u64 = 4;
const MASTER: u16 = 1 << 2;

/// Two bytes of a card's configuration.
fn config(card: u32, at: u64) -> Result<u16> {
    let file = std::fs::File::open(card::sysfs(card)?.join("config"))?;
    let mut word = [0; 2];
    file.read_exact_at(&mut word, at)?;
    Ok(u16::from_le_bytes(word))
}

fn set_config(card: u32, at: u64, bytes: &[u8]) -> Result<()> {
    let path = card::sysfs(card)?.join("config");
    let file = std::fs::File::options().write(true).open(path)?;
    Ok(file.write_all_at(bytes, at)?)
}

/// A card that comes back while the driver lets go of it does not go on writing to memory that is somebody
/// else's by then.
pub fn K7_unbind_while_the_bus_is_silent(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    context.host.switch(0, "all_ones", true)?;
    let unbinding = std::thread::spawn(unbind);
    std::thread::sleep(Duration::from_secs(1));
    context.host.clear(0)?;
    unbinding
        .join()
        .map_err(|_| anyhow::anyhow!("panic"))?
        .context("unbind")?;
    let command = config(0, COMMAND)?;
    ensure!(
        command & MASTER == 0,
        "command {command:#x}: the card may write to memory"
    );
    // Heartbeats to memory that is not the driver's any more would be found by the harness.
    std::thread::sleep(Duration::from_secs(4));
    bind()?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// The kernel gives up all that is on a bus if anything there has no driver: the card is looked for all the same.
pub fn K7_recovery_that_the_kernel_gives_up(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    let generation = client.session.generation;
    let other = card::address(1)?;
    kernel::write("/sys/bus/pci/drivers/ax650/unbind", &other)?;
    let mark = kernel::mark()?;
    let answer = context.host.hmp("pcie_aer_inject_error root POISON_TLP")?;
    ensure!(!answer.to_lowercase().contains("error:"), "{answer}");
    kernel::until(
        "the kernel to have given it up",
        Duration::from_secs(30),
        || mark.saw("device recovery failed"),
    )?;
    runs_again(&client.card, generation)?;
    drop(client);
    canary(0)?;
    kernel::write("/sys/bus/pci/drivers/ax650/bind", &other)?;
    Card::open(1)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(1)
}

/// Accesses to the mailbox that nobody has answered: fatal on some hosts.
fn unclaimed(context: &mut Context) -> Result<u64> {
    let answer = context.host.card(0, "counters", json!({}))?;
    let count = |name: &str| answer["counters"][name].as_u64().unwrap_or(0);
    Ok(count("mmio.bar1.read.unclaimed") + count("mmio.bar1.write.unclaimed"))
}

/// Its doorbell is not touched before it has been set up anew.
pub fn K10_no_access_to_a_card_that_has_reset_itself(context: &mut Context) -> Result<()> {
    for round in 0..rounds(4, 50) {
        let mut client = Client::new(0)?;
        client.works()?;
        let generation = client.session.generation;
        let before = unclaimed(context)?;
        context.host.card(0, "reset", json!({}))?;
        // In the reset, and after it.
        std::thread::sleep(Duration::from_millis(50 + 150 * u64::from(round % 4)));
        let (_, frame) = client.echo_frame(b"anybody?");
        let _ = client.submit(&[client.call_step(&frame, 0, 4096)]);
        runs_again(&client.card, generation)?;
        let count = unclaimed(context)? - before;
        ensure!(count == 0, "round {round}: {count} accesses to nobody");
    }
    canary(0)
}

/// Addresses that are gone are a configuration that is gone, although the card still decodes.
pub fn K10_addresses_are_wiped(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    let generation = client.session.generation;
    // BAR 0 and BAR 1.
    set_config(0, 0x10, &[0; 8])?;
    let begin = Instant::now();
    runs_again(&client.card, generation)?;
    eprintln!("runs again after {:?}", begin.elapsed());
    drop(client);
    canary(0)
}

/// A card that was reset on purpose is not booted by whatever happens to it then.
pub fn K21_a_card_that_is_down_stays_down(context: &mut Context) -> Result<()> {
    for (what, event) in DOWN {
        if (event.missing)()?.is_some() {
            continue;
        }
        let card = Card::open(0)?;
        card.make_running()?;
        card.control(AX650_CONTROL_RESET, 0)?;
        card.wait_state(AX650_STATE_LOADER, BOOT)?;
        let before = card.counters()?;
        (event.happen)(context).context(*what)?;
        // It is reset once more, and left there.
        kernel::until("the reset", BOOT, || {
            Ok(card.counters()?.resets > before.resets)
        })
        .context(*what)?;
        card.wait_state(AX650_STATE_LOADER, BOOT).context(*what)?;
        std::thread::sleep(Duration::from_secs(3));
        let state = card.info()?.state;
        ensure!(state == AX650_STATE_LOADER, "{what}: state {state}");
        ensure!(card.counters()?.boots == before.boots, "{what}: booted");
    }
    Card::open(0)?.make_running()?;
    canary(0)
}

/// How late the scheduler is meanwhile: a thread that only sleeps.
struct Lateness {
    stop: AtomicBool,
    worst: Mutex<Duration>,
}

impl Lateness {
    fn watch(&self) {
        const NAP: Duration = Duration::from_millis(10);
        while !self.stop.load(Ordering::Relaxed) {
            let begin = Instant::now();
            std::thread::sleep(NAP);
            let late = begin.elapsed() - NAP;
            let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
            *worst = late.max(*worst);
        }
    }

    /// The worst since it was last asked.
    fn take(&self) -> Duration {
        std::mem::take(&mut *self.worst.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Deadlines are seen to at once, also of a job that comes when the driver has just found nothing to do.
pub fn K23_deadlines_are_watched_from_the_start(context: &mut Context) -> Result<()> {
    const DEADLINE: Duration = Duration::from_millis(30);
    let mut client = Client::new(0)?;
    client.works()?;
    context.host.switch(0, "rpc.drop", true)?;
    let lateness = Lateness {
        stop: AtomicBool::new(false),
        worst: Mutex::default(),
    };
    let longest = std::thread::scope(|scope| -> Result<Duration> {
        scope.spawn(|| lateness.watch());
        let mut longest = Duration::ZERO;
        let all = (0..rounds(150, 3000)).try_for_each(|round| {
            let (_, frame) = client.echo_frame(b"never answered");
            let step = client.call_step(&frame, 0, 4096);
            lateness.take();
            let begin = Instant::now();
            let mut submit = ax650_submit {
                session: client.session.session,
                eventfd: -1,
                timeout_ns: kernel::now_ns() + DEADLINE.as_nanos() as u64,
                ..Default::default()
            };
            let job = client.card.submit_with(&mut submit, &[step])?;
            // Its end is what the next one follows at once.
            client.wait(job, 1, PATIENCE)?;
            let (took, late) = (begin.elapsed(), lateness.take());
            longest = longest.max(took);
            // A driver that has missed it looks again after a second.
            let slow = took > Duration::from_millis(800) && late < took / 4;
            ensure!(!slow, "round {round}: {took:?}, everybody else {late:?}");
            Ok(())
        });
        lateness.stop.store(true, Ordering::Relaxed);
        all.map(|()| longest)
    })?;
    eprintln!("the longest took {longest:?}");
    context.host.clear(0)?;
    drop(client);
    canary(0)
}

/// What others have set in the configuration since the driver was bound is still set after a reset.
pub fn K28_later_changes_of_the_configuration_stay(_: &mut Context) -> Result<()> {
    // Relaxed ordering, of the device control register.
    const RELAXED: u16 = 1 << 4;
    let mut at = u64::from(config(0, 0x34)? & 0xff);
    while at != 0 && config(0, at)? & 0xff != 0x10 {
        at = u64::from(config(0, at)? >> 8);
    }
    ensure!(at != 0, "no PCI Express capability");
    let control = at + 8;
    let card = Card::open(0)?;
    for _ in 0..2 {
        let wanted = config(0, control)? ^ RELAXED;
        set_config(0, control, &wanted.to_le_bytes())?;
        ensure!(config(0, control)? == wanted, "it cannot be changed");
        let generation = card.info()?.generation;
        card.control(AX650_CONTROL_BOOT, 0)?;
        runs_again(&card, generation)?;
        let now = config(0, control)?;
        ensure!(now == wanted, "{now:#x}, not {wanted:#x}");
    }
    canary(0)
}

/// As long as Axera's driver allows: for clients, and for the driver itself.
pub fn K30_sessions_that_take_long(context: &mut Context) -> Result<()> {
    context.host.switch(0, "port11.late_ms", 12_000)?;
    let card = Card::open(0)?;
    let session = card.session().context("SESSION_CREATE")?;
    card.end_session(session.session)?;
    let generation = card.info()?.generation;
    card.control(AX650_CONTROL_BOOT, 0)?;
    runs_again(&card, generation)?;
    let limit = Duration::from_secs(60) * crate::runner::slowness();
    kernel::until("the driver's own session", limit, || {
        Ok(card.telemetry().is_ok())
    })?;
    context.host.clear(0)?;
    canary(0)
}
