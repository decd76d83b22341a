// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can happen to a card from outside.
//!
//! Errors are those of the port above the card: the card has no advanced error reporting, and the ports no
//! containment (DPC), which looks from the driver like [`ONES`].  The kernels of the guests have neither
//! `aer_inject` nor `kexec`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;
use serde_json::json;

use super::moments::Effect;
use crate::card::{self, Card};
use crate::case::Context;
use crate::cases::reset::without_virtio_ports;
use crate::kernel;

/// Something that happens.
pub struct Event {
    /// What it does to a card.
    pub effect: Effect,
    /// Returns why it cannot happen here.
    pub missing: fn() -> Result<Option<String>>,
    /// Has it happen, and returns when it is over.
    pub happen: fn(&mut Context) -> Result<()>,
}

const fn event(effect: Effect, happen: fn(&mut Context) -> Result<()>) -> Event {
    Event {
        effect,
        missing: || Ok(None),
        happen,
    }
}

fn inject(context: &mut Context, error: &str) -> Result<()> {
    let answer = context
        .host
        .hmp(&format!("pcie_aer_inject_error rp0 {error}"))?;
    ensure!(!answer.to_lowercase().contains("error:"), "{answer}");
    Ok(())
}

/// An error that the bus has corrected.
pub const CORRECTABLE: Event = event(Effect::None, |context| {
    inject(context, "BAD_TLP")?;
    std::thread::sleep(Duration::from_millis(500));
    Ok(())
});

/// An error in a transaction.
pub const NONFATAL: Event = event(Effect::Boot, |context| inject(context, "POISON_TLP"));

/// An error of the link.
pub const FATAL: Event = event(Effect::Boot, |context| inject(context, "DLP"));

/// All ones for a while: a link that is down, or a port that contains an error.
pub const ONES: Event = event(Effect::Boot, |context| {
    context.host.switch(0, "all_ones", true)?;
    Card::open(0)?.wait_state(AX650_STATE_GONE, Duration::from_secs(10))?;
    std::thread::sleep(Duration::from_secs(1));
    context.host.clear(0)
});

/// The chip resets itself.
pub const OWN_RESET: Event = event(Effect::Boot, |context| {
    context.host.card(0, "reset", json!({})).map(drop)
});

/// Resets the function in the way that sysfs calls `method`.
fn reset_by(method: &str) -> Result<()> {
    let dir = card::sysfs(0)?;
    kernel::write(dir.join("reset_method"), method)?;
    let done = kernel::write(dir.join("reset"), "1").context(method.to_owned());
    kernel::write(dir.join("reset_method"), "default")?;
    done
}

fn no_method(method: &str) -> Result<Option<String>> {
    let methods = kernel::read(card::sysfs(0)?.join("reset_method")).unwrap_or_default();
    let has = methods.split_whitespace().any(|m| m == method);
    Ok((!has).then(|| format!("the card can be reset by '{methods}' only")))
}

/// A function level reset.
pub const FLR: Event = Event {
    effect: Effect::Boot,
    missing: || no_method("flr"),
    happen: |_| reset_by("flr"),
};

/// A reset by way of the power states.
pub const PM_RESET: Event = Event {
    effect: Effect::Boot,
    missing: || no_method("pm"),
    happen: |_| reset_by("pm"),
};

/// A reset of the bus that the card is on.
pub const BUS_RESET: Event = Event {
    effect: Effect::Boot,
    missing: || no_method("bus"),
    happen: |_| reset_by("bus"),
};

/// What resets the bus of the port above the card, with all that is on it.
fn bridge_reset() -> Result<PathBuf> {
    let card = card::sysfs(0)?.canonicalize()?;
    Ok(card.parent().context("no port")?.join("reset_subordinate"))
}

/// The same reset, asked of the port.
pub const BRIDGE_RESET: Event = Event {
    effect: Effect::Boot,
    missing: || {
        let there = bridge_reset()?.exists();
        Ok((!there).then(|| "this kernel does not reset what is below a port".into()))
    },
    happen: |_| kernel::write(bridge_reset()?, "1"),
};

/// The kernel forgets the card, and finds it again.
pub const REMOVE: Event = event(Effect::Node, |context| {
    kernel::write(card::sysfs(0)?.join("remove"), "1")?;
    context.host.clear(0)?;
    kernel::write("/sys/bus/pci/rescan", "1")
});

/// Directory of the driver.
const DRIVER: &str = "/sys/bus/pci/drivers/ax650";

/// Has the driver let go of card 0.
pub fn unbind() -> Result<()> {
    kernel::write(format!("{DRIVER}/unbind"), &card::address(0)?)
}

/// Has the driver take card 0.
pub fn bind() -> Result<()> {
    kernel::write(format!("{DRIVER}/bind"), &card::address(0)?)
}

/// The driver lets go of the card, and takes it again.
pub const UNBIND: Event = event(Effect::Node, |context| {
    unbind()?;
    context.host.clear(0)?;
    bind()
});

/// The card is given to the driver of virtual machines, or to nobody, and back.
pub const OVERRIDE: Event = event(Effect::Node, |context| {
    let other = ["vfio-pci", "pci-stub"]
        .into_iter()
        .find(|name| Path::new("/sys/bus/pci/drivers").join(name).exists());
    let dir = card::sysfs(0)?;
    let address = card::address(0)?;
    kernel::write(dir.join("driver_override"), other.unwrap_or("nobody"))?;
    unbind()?;
    kernel::write("/sys/bus/pci/drivers_probe", &address)?;
    let driver = dir.join("driver").canonicalize().ok();
    ensure!(
        driver.as_ref().and_then(|path| path.file_name()) == other.map(|name| name.as_ref()),
        "{driver:?} has taken the card"
    );
    context.host.clear(0)?;
    if let Some(driver) = driver {
        kernel::write(driver.join("unbind"), &address)?;
    }
    kernel::write(dir.join("driver_override"), "\n")?;
    kernel::write("/sys/bus/pci/drivers_probe", &address)
});

/// Why a sleep cannot be rehearsed.
fn no_rehearsal(state: &str, level: &str) -> Result<Option<String>> {
    let levels = kernel::read("/sys/power/pm_test").unwrap_or_default();
    let states = kernel::read("/sys/power/state")?;
    let has = |words: &str, word| {
        let bare = |w: &str| w.trim_matches(['[', ']']) == word;
        words.split_whitespace().any(bare)
    };
    Ok(if !has(&states, state) {
        Some(format!("this machine's sleeps are '{states}'"))
    } else if !has(&levels, level) {
        Some(format!("this kernel rehearses '{levels}' only"))
    } else {
        None
    })
}

/// Goes to sleep as far as `level`, and wakes up after a moment.
fn rehearse(context: &mut Context, state: &str, level: &str) -> Result<()> {
    // Seconds of it; of no use here.
    let _ = kernel::write("/sys/module/suspend/parameters/pm_test_delay", "1");
    kernel::write("/sys/power/pm_test", level)?;
    context.host.close();
    let slept = without_virtio_ports(|| kernel::write("/sys/power/state", state));
    kernel::write("/sys/power/pm_test", "none")?;
    slept.with_context(|| format!("{state}, {level}"))
}

/// Sleep with the processors idle, as far as the devices.
pub const FREEZE: Event = Event {
    effect: Effect::Boot,
    missing: || no_rehearsal("freeze", "devices"),
    happen: |context| rehearse(context, "freeze", "devices"),
};

/// Sleep with the power on for memory only, but for the last step.
pub const MEMORY: Event = Event {
    effect: Effect::Boot,
    missing: || no_rehearsal("mem", "core"),
    happen: |context| rehearse(context, "mem", "core"),
};

/// Hibernation, but for the image.
pub const DISK: Event = Event {
    effect: Effect::Boot,
    missing: || no_rehearsal("disk", "core"),
    happen: |context| rehearse(context, "disk", "core"),
};

/// Those that a card which is down must survive as such.
pub const DOWN: &[(&str, Event)] = &[
    ("a fatal error", FATAL),
    ("a reset of the bus", BUS_RESET),
    ("a sleep", FREEZE),
];
