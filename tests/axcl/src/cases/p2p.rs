// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/p2p` (8.3).

use anyhow::{ensure, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::kernel;

use super::support::{canary, ready, refused, MINUS_ONE};
use crate::node::p2p::{P2pNode, CARD_SIDE, TABLE, TABLE_SIZE};

ax650_test_kit::cases!["axcl_abi":
    S8_3_no_table_without_a_switch,
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
