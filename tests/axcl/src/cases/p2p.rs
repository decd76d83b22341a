// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/p2p` (8.3).

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::{Context, SWITCH};
use ax650_test_kit::kernel;

use super::support::{canary, ready, refused, BOOT, MINUS_ONE};
use crate::node::p2p::{P2pNode, CARD_SIDE, ENTRIES, TABLE, TABLE_SIZE};
use crate::node::{get32, get64};

ax650_test_kit::cases!["axcl_abi":
    S8_3_no_table_without_a_switch,
    S8_3_table_behind_a_switch { machines: &[SWITCH], kernels: &["trixie-backports"], timeout_s: 120 },
    S8_3_other_requests,
];

/// The card sits on a root port here: -1, and no bridge is changed (R50).
fn S8_3_no_table_without_a_switch(_: &mut Context) -> Result<()> {
    ready()?;
    let before = bridges()?;
    let p2p = P2pNode::open()?;
    for _ in 0..3 {
        refused(p2p.table(), MINUS_ONE, "table")?;
    }
    ensure!(bridges()? == before, "a bridge's configuration has changed");
    canary()
}

/// Two cards below one switch: the table says where they are, and no bridge is changed (R50).
fn S8_3_table_behind_a_switch(_: &mut Context) -> Result<()> {
    let host = ready()?;
    kernel::until("both cards", BOOT, || Ok(host.devices()?.len() == 2))?;
    let ids = host.devices()?;
    let before = bridges()?;
    // Axera's driver clears bits of the ports above the cards; those of QEMU have no such capability,
    // so this can be seen at the root port above the switch only.
    let acs = before.iter().filter(|(_, config)| has_acs(config)).count();
    eprintln!("{} bridges, {acs} with access control", before.len());
    ensure!(acs > 0, "no bridge with access control");
    let p2p = P2pNode::open()?;
    // Size and direction of the code do not matter.
    for code in [TABLE, 0x0000_5002, 0xC148_5002] {
        let mut table = [0x5a; TABLE_SIZE];
        p2p.node.bytes(code, &mut table)?;
        ensure!(get32(&table, 0) == 2, "{} entries", get32(&table, 0));
        for (at, id) in ids.iter().enumerate() {
            let config = config_of(*id)?;
            let entry = &table[8 + at * 40..];
            let bars = (get32(&config, 0x10), get32(&config, 0x14));
            ensure!(bars.0 & !0xf != 0 && bars.1 & !0xf != 0, "{bars:x?}");
            ensure!(get32(entry, 0) == *id, "id {}, not {id}", get32(entry, 0));
            ensure!(get64(entry, 8) == u64::from(bars.0 & !0xf), "BAR 0");
            // Raw, with its flags.
            ensure!(get64(entry, 16) == u64::from(bars.1), "BAR 1");
            ensure!(get64(entry, 24) == 0, "an address on the card");
            ensure!(get64(entry, 32) == 8 << 20, "{:#x}", get64(entry, 32));
        }
        let rest = &table[8 + ids.len() * 40..];
        ensure!(rest.iter().all(|&byte| byte == 0), "something behind it");
        ensure!(rest.len() == 40 * (ENTRIES - 2));
    }
    let bad = std::ptr::without_provenance_mut(8);
    // SAFETY: there is nothing at this address to be overwritten.
    let result = unsafe { p2p.node.request(TABLE, bad) };
    refused(result, &[libc::EFAULT], "a bad pointer")?;
    ensure!(bridges()? == before, "a bridge's configuration has changed");
    canary()
}

/// Configuration of the card on this bus.
fn config_of(bus: u32) -> Result<Vec<u8>> {
    let path = format!("/sys/bus/pci/devices/0000:{bus:02x}:00.0/config");
    std::fs::read(&path).with_context(|| path)
}

/// Whether there is an access control capability (id 13) among these extended ones, which begin at 0x100.
fn has_acs(extended: &[u8]) -> bool {
    let mut at = 0x100;
    // As many as there is room for.
    for _ in 0..960 {
        let Some(header) = extended.get(at - 0x100..at - 0xfc) else {
            return false;
        };
        let header = get32(header, 0);
        if header & 0xffff == 0x0d {
            return true;
        }
        at = (header >> 20) as usize;
        if at < 0x100 {
            return false;
        }
    }
    false
}

/// Configuration of all bridges but for their status registers: capabilities from 0x40 on, extended ones.
fn bridges() -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/sys/bus/pci/devices")? {
        let dir = entry?.path();
        if kernel::read(dir.join("class"))?.starts_with("0x0604") {
            let config = std::fs::read(dir.join("config"))?;
            let extended = config.get(0x100..).unwrap_or_default().to_vec();
            all.push((dir.display().to_string(), extended));
        }
    }
    all.sort();
    ensure!(!all.is_empty(), "no bridge");
    Ok(all)
}

/// Dispatch is on type and number: other types 0, other numbers EINVAL.
fn S8_3_other_requests(_: &mut Context) -> Result<()> {
    ready()?;
    let p2p = P2pNode::open()?;
    let mut argument = [0x5a; 4096];
    for code in CARD_SIDE {
        let result = p2p.node.bytes(code, &mut argument);
        refused(result, &[libc::EINVAL], &format!("{code:#x}"))?;
    }
    for number in (0..=255).filter(|&number| number != 2) {
        let result = p2p.node.bytes(0x8040_5000 | number, &mut argument);
        refused(result, &[libc::EINVAL], &format!("number {number}"))?;
    }
    for kind in [0x00_u32, 0x41, 0x48, 0x4d, 0x4f, 0x51, 0xff] {
        for number in 0..16 {
            let code = 0x8040_0000 | (kind << 8) | number;
            let result = p2p.node.bytes(code, &mut argument);
            ensure!(matches!(result, Ok(0)), "{code:#x}: {result:?}, not 0");
        }
    }
    ensure!(argument == [0x5a; 4096], "a request has written");
    // Size and direction do not matter for the one there is.
    for code in [TABLE, 0x0000_5002, 0xC004_5002] {
        let mut table = [0; TABLE_SIZE];
        refused(
            p2p.node.bytes(code, &mut table),
            MINUS_ONE,
            &format!("{code:#x}"),
        )?;
    }
    Ok(())
}
