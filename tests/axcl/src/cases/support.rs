// SPDX-License-Identifier: MIT OR Apache-2.0

//! What several cases need.

use std::path::Path;
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::kernel;
use serde_json::{json, Value};

use crate::client::Device;
use crate::node::host::{HostNode, ALIVE};
use crate::node::{path, NODES};

/// Longest boot, on any kernel.
pub const BOOT: Duration = Duration::from_secs(90);

/// Sees to it that the legacy nodes are there, and a card runs: the module may have been loaded
/// without them.
pub fn ready() -> Result<HostNode> {
    if !nodes_are_there() {
        if kernel::module_loaded() {
            kernel::unload_module().context("unloading the module, which has no legacy nodes")?;
        }
        load()?;
    }
    let host = HostNode::open().context("axcl_host")?;
    wait_alive(&host)?;
    Ok(host)
}

fn nodes_are_there() -> bool {
    NODES.iter().all(|name| Path::new(&path(name)).exists())
}

/// Loads the module with the legacy nodes.
pub fn load() -> Result<()> {
    kernel::load_module("axcl_abi=1").context("loading the module with axcl_abi=1")?;
    kernel::until("the legacy nodes", Duration::from_secs(10), || {
        Ok(nodes_are_there())
    })
}

/// Waits until the first card is alive.
pub fn wait_alive(host: &HostNode) -> Result<u32> {
    let mut found = 0;
    kernel::until("a card to be alive", BOOT, || {
        let status = host.status()?;
        let Some(&id) = host.devices()?.first() else {
            return Ok(false);
        };
        found = id;
        Ok(status[id as usize] == ALIVE)
    })?;
    Ok(found)
}

/// Nodes ready, and the id of the first card.
pub fn card() -> Result<(HostNode, u32)> {
    let host = ready()?;
    let id = host
        .devices()?
        .first()
        .copied()
        .context("no card is listed")?;
    Ok((host, id))
}

/// Opens a card anew and sees that it works.
pub fn canary() -> Result<()> {
    let device = Device::open().context("canary")?;
    device.scope().works().context("canary")?;
    device.close().context("canary")
}

/// The card works again, after a time that a recovery may take.
pub fn recovers(what: &str) -> Result<()> {
    let mut last = String::new();
    kernel::until(&format!("the card to work after: {what}"), BOOT, || {
        let result = canary();
        let good = result.is_ok();
        last = result.err().map_or(String::new(), |e| format!("{e:#}"));
        Ok(good)
    })
    .with_context(|| last.clone())
}

/// Waits until no process has ports of the card.
pub fn all_gone(host: &HostNode, id: u32) -> Result<()> {
    kernel::until("all ports to be free", Duration::from_secs(20), || {
        Ok(host.pid_count(id)? == 0)
    })
}

/// The sum of those of the card's counters that `wanted` picks.
pub fn counted(context: &mut Context, wanted: impl Fn(&str) -> bool) -> Result<u64> {
    let answer = context.host.card(0, "counters", json!({}))?;
    let all = answer["counters"].as_object();
    let list = all.into_iter().flatten().filter(|(name, _)| wanted(name));
    Ok(list.filter_map(|(_, value)| value.as_u64()).sum())
}

/// Hexadecimal digits.
pub fn digits(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.concat()
}

/// Puts a message for a port into the card's ring.
pub fn inject(context: &mut Context, port: u32, payload: &[u8]) -> Result<()> {
    let fields = json!({"what": "message", "port": port, "payload": digits(payload)});
    context.host.card(0, "inject", fields).map(drop)
}

/// The card's own account of its sessions.
pub fn service(context: &mut Context) -> Result<Value> {
    context.host.card(0, "daemon", json!({}))
}

/// An errno was returned that says why.
pub fn refused<T>(result: std::io::Result<T>, errnos: &[i32], what: &str) -> Result<()> {
    ax650_test_kit::errors::expect_any(errnos, result, || what.to_owned())
}

/// The answer of section 8 to what is wrong: -1, which user space sees as EPERM.
pub const MINUS_ONE: &[i32] = &[libc::EPERM];
/// What a clean refusal looks like where the protocol documents leave the number open.
pub const CLEAN: &[i32] = &[libc::EPERM, libc::ENODEV, libc::EINVAL, libc::ENXIO];

/// The wait took no longer than `limit`, on any kernel.
pub fn within(begin: std::time::Instant, limit: Duration, what: &str) -> Result<()> {
    let took = begin.elapsed();
    ensure!(took < limit * kernel::slowness(), "{what}: {took:?}");
    Ok(())
}

/// One of the driver's counters of the first card (`docs/debugfs.md`).
pub fn driver_counter(name: &str) -> Result<u64> {
    let text = kernel::read("/sys/kernel/debug/ax650-0/counters")?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(' '));
    let found = pairs.find(|(other, _)| *other == name);
    let (_, value) = found.with_context(|| format!("no counter {name}"))?;
    value.parse().context("a counter")
}

/// Attribute of the card in the first slot.
pub fn attribute(name: &str) -> Result<String> {
    let slot = kernel::read("/sys/bus/pci/slots/1/address")?;
    kernel::read(format!("/sys/bus/pci/devices/{slot}.0/{name}"))
}
