// SPDX-License-Identifier: MIT OR Apache-2.0

//! The boot stages [pcie 3].

mod host;

use std::time::Duration;

use ax650_emu::function::Bar4;
use host::{quick, BootError, Host, LIMIT};
use serde_json::json;

/// How long to wait for what must not come.
const SHORT: Duration = Duration::from_millis(200);

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3] ^ seed)
        .collect()
}

fn sha256(data: &[u8]) -> String {
    use sha2::Digest;
    ax650_emu::hex::hex(&sha2::Sha256::digest(data))
}

#[test]
fn images_arrive_unchanged_and_where_they_belong() {
    let mut host = Host::new(quick());
    let images = [
        (0x1400_1000, pattern(169_223, 1)),
        (0x1_1008_0000, pattern(192_178, 2)),
        (0x1_0020_0000, pattern(0x30_0000 + 12_345, 3)),
        (0x1_4000_0000, pattern(0x30_0000, 4)),
    ];
    host.load(&images).unwrap();
    let reply = host.control(json!({"cmd": "images"}));
    let listed = reply["images"].as_array().unwrap();
    assert_eq!(listed.len(), images.len());
    for (image, (destination, data)) in listed.iter().zip(&images) {
        assert_eq!(image["destination"], format!("{destination:#x}"));
        assert_eq!(image["size"], data.len());
        assert_eq!(image["sha256"], sha256(data));
        assert_eq!(image["chunks"], data.len().div_ceil(0x30_0000));
        // What the card holds, not what it was sent.
        let reply =
            host.control(json!({"cmd": "dram", "address": destination, "size": data.len()}));
        assert_eq!(reply["sha256"], sha256(data));
    }
    host.handshake();
    host.wait_state("alive");
    let state = host.state();
    assert_eq!(state["time_sync"]["seconds"], 1_700_000_000);
    assert_eq!(state["time_sync"]["nanoseconds"], 123_456_789);
    host.assert_no_faults();
}

#[test]
fn register_block_takes_wide_accesses_and_guards_what_is_behind_it() {
    let mut host = Host::new(quick());
    host.write64(0, 0x0c, 0x1122_3344_5566_7788);
    assert_eq!(host.read(0, 0x10), 0x1122_3344);
    assert_eq!(host.counter("refused"), 0);
    host.write(0, 0x2c, 1);
    assert_eq!(host.counter("refused.behind_boot_block"), 1);
    assert_eq!(host.read(0, 0x24), 0, "boot reason after power-on");
}

#[test]
fn loader_wants_on_chip_memory_and_reads_only() {
    let mut host = Host::new(quick());
    let buffer = host.memory.take(4096);
    assert_eq!(
        host.boot_command(8, buffer.bus, 0x1_0020_0000, 4096, LIMIT),
        Ok(2)
    );
    assert_eq!(host.counter("refused.boot_destination"), 1);
    assert_eq!(
        host.boot_command(0x10, 0x1_0000_0000, buffer.bus, 4096, SHORT),
        Err(BootError::Timeout)
    );
    assert_eq!(host.counter("refused.boot_command"), 1);
    assert_eq!(
        host.boot_command(8, buffer.bus, 0x1400_1000, 0x30_0001, LIMIT),
        Ok(2)
    );
    assert_eq!(
        host.boot_command(8, buffer.bus, 0x1400_1000, 0, LIMIT),
        Ok(2)
    );
    assert_eq!(host.counter("refused.boot_size"), 2);
    assert_eq!(host.state()["name"], "loader");
    assert_eq!(
        host.boot_command(8, buffer.bus, 0x1400_1000, 4096, LIMIT),
        Ok(1)
    );
    host.wait_state("u-boot");
    assert_eq!(
        host.boot_command(8, buffer.bus, 0x2_0000_0000, 4096, LIMIT),
        Ok(2),
        "behind 2 GiB"
    );
}

#[test]
fn a_command_stays_pending_while_uboot_starts() {
    let mut host = Host::new(quick());
    host.set("uboot.slow_ms", 2000);
    let buffer = host.memory.take(4096);
    let command = |host: &mut Host, to, limit| host.boot_command(8, buffer.bus, to, 4096, limit);
    assert_eq!(command(&mut host, 0x1400_1000, LIMIT), Ok(1));
    assert_eq!(
        command(&mut host, 0x1_0020_0000, SHORT),
        Err(BootError::Timeout)
    );
    assert_eq!(host.read(0, 0x04), 8, "not picked up yet");
    host::eventually("the pending command", || {
        (host.read(0, 0x08) == 1).then_some(())
    });
    assert_eq!(host.read(0, 0x04), 0);
}

#[test]
fn dma_with_bus_mastering_off_is_refused_and_recorded() {
    let mut host = Host::new(quick());
    let buffer = host.memory.take(4096);
    host.config_write(host::COMMAND, 2);
    assert_eq!(
        host.boot_command(8, buffer.bus, 0x1400_1000, 4096, LIMIT),
        Ok(2)
    );
    let faults = host.faults();
    assert_eq!(
        (&faults["total"], &faults["blocked"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(faults["list"][0]["kind"], "bus-master-off");
    host.config_write(host::COMMAND, 6);
    assert_eq!(
        host.boot_command(8, buffer.bus, 0x1400_1000, 4096, LIMIT),
        Ok(1)
    );
}

#[test]
fn unmapped_memory_is_a_fault() {
    let mut host = Host::new(quick());
    // The second page of two is not mapped.
    host.map(0x10_0000, 0x1000, 0);
    assert_eq!(
        host.boot_command(8, 0x10_0000, 0x1400_1000, 0x2000, LIMIT),
        Ok(2)
    );
    assert_eq!(
        host.boot_command(8, 0x10_0000, 0x1400_1000, 0x2000, LIMIT),
        Ok(2)
    );
    let faults = host.faults();
    assert_eq!(faults["total"], 2);
    let list = faults["list"].as_array().unwrap();
    assert_eq!(list.len(), 1, "equal faults are one entry");
    assert_eq!(list[0]["address"], "0x101000");
    assert_eq!(list[0]["direction"], "read");
    assert_eq!(list[0]["for"], "boot image");
    assert_eq!(list[0]["count"], 2);
    host.unmap(0x10_0000, 0x1000);
    assert_eq!(
        host.boot_command(8, 0x10_0000, 0x1400_1000, 0x1000, LIMIT),
        Ok(2)
    );
    assert_eq!(host.faults()["total"], 3);
    host.control(json!({"cmd": "faults", "reset": true}));
    assert_eq!(host.faults()["total"], 0);
}

#[test]
fn scattered_mappings_are_one_buffer_for_the_card() {
    let mut host = Host::new(quick());
    let data = pattern(0x3000, 9);
    let buffer = host.memory.take(0x3000);
    for (page, at) in [(0, 0x2000), (1, 0), (2, 0x1000)] {
        let piece = &data[page * 0x1000..(page + 1) * 0x1000];
        host.memory.write(buffer, at, piece);
        host.map(
            0x9_0000_0000 + 0x1000 * page as u64,
            0x1000,
            buffer.offset + at,
        );
    }
    assert_eq!(
        host.boot_command(8, 0x9_0000_0000, 0x1400_1000, 0x3000, LIMIT),
        Ok(1)
    );
    let images = host.control(json!({"cmd": "images"}));
    assert_eq!(images["images"][0]["sha256"], sha256(&data));
}

#[test]
fn crash_dump_after_a_reset() {
    let mut host = Host::new(quick());
    host.bring_up();
    host.chip_reset();
    host.wait_state("loader");
    host.enable();
    let buffer = host.memory.take(0x30_0000);
    assert_eq!(host.read(0, 0x24), 1, "boot reason: software reset");
    host.write(0, 0x24, 0);
    host.send_image(buffer, 0x1400_1000, &[7; 64]).unwrap();
    // The memory of the session before is still there.
    assert_eq!(
        host.boot_command(0x10, 0x1_0020_0000, buffer.bus, 4096, LIMIT),
        Ok(0x2000)
    );
    assert_eq!(host.memory.read(buffer, 0, 4096), vec![2; 4096]);
    assert_eq!(
        host.boot_command(0x10, 0x1_8000_0000, buffer.bus, 4096, LIMIT),
        Ok(0x4000)
    );
}

#[test]
fn finish_without_a_kernel_hangs() {
    let mut host = Host::new(quick());
    host.load(&[(0x1400_1000, vec![1; 64])]).unwrap();
    host::eventually("the hang", || {
        host.state()["hung"].as_bool().filter(|&hung| hung)
    });
    assert_eq!(host.counter("refused.finish"), 1);
    host.chip_reset();
    host.wait_state("loader");
    host.enable();
    host.bring_up();
}

#[test]
fn switches_of_the_boot_stages() {
    let mut host = Host::new(quick());
    let buffer = host.memory.take(4096);
    let loader =
        |host: &mut Host, limit| host.boot_command(8, buffer.bus, 0x1400_1000, 4096, limit);
    host.set("loader.stuck", true);
    assert_eq!(loader(&mut host, SHORT), Err(BootError::Timeout));
    assert_eq!(host.read(0, 0x04), 8);
    host.set("boot.dma_error", 1);
    host.clear("loader.stuck");
    host::eventually("failed DMA", || (host.read(0, 0x08) == 2).then_some(()));
    host.set("boot_reason", 0x12);
    assert_eq!(host.read(0, 0x24), 0x12);
    host.set("bar0.lost_write", 2);
    host.write(0, 0x20, 5);
    host.write(0, 0x20, 6);
    assert_eq!(host.read(0, 0x20), 0);
    host.write(0, 0x20, 7);
    assert_eq!(host.read(0, 0x20), 7);
    assert_eq!(loader(&mut host, LIMIT), Ok(1));
    host.wait_state("u-boot");
    let uboot =
        |host: &mut Host, limit| host.boot_command(8, buffer.bus, 0x1_0020_0000, 4096, limit);
    host.set("boot.status_fail", 0x0402);
    assert_eq!(uboot(&mut host, LIMIT), Ok(0x0402));
    host.clear("boot.status_fail");
    host.set("boot.status_never", true);
    assert_eq!(uboot(&mut host, SHORT), Err(BootError::Timeout));
    assert_eq!(host.read(0, 0x04), 0, "picked up all the same");
    host.clear("boot.status_never");
    host.set("boot.stale_done", true);
    host.write(0, 0x04, 8);
    host::eventually("stale success", || (host.read(0, 0x08) == 1).then_some(()));
    assert_eq!(
        host.read(0, 0x04),
        8,
        "success before the command was picked up"
    );
    host.write(0, 0x08, 0);
    host::eventually("true success", || (host.read(0, 0x08) == 1).then_some(()));
}

#[test]
fn both_sizes_of_bar4_reset_the_chip() {
    for bar4 in [Bar4::Small, Bar4::Large] {
        let mut host = Host::new(ax650_emu::card::CardOptions {
            bar4,
            reset_time: Duration::from_secs(1),
            ..quick()
        });
        let wrong = if bar4 == Bar4::Small { 0x54 } else { 0x50 };
        host.write(4, wrong, 1);
        assert_eq!(host.counter("refused.bar4"), 1);
        host.chip_reset();
        assert_eq!(host.config_read(0), u32::MAX, "link down");
        host.wait_state("loader");
        assert_eq!(host.config_read(0), 0x0650_1f4b);
        assert_eq!(host.config_read(4) & 7, 0, "COMMAND");
        assert_eq!(host.config_read(0x20), 0xc, "BAR4");
        assert_eq!(host.config_read(0x50) >> 16, 0x0384, "MSI control");
        assert_eq!(host.read(0, 0), u32::MAX, "BAR0 does not decode");
    }
}
