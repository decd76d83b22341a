// SPDX-License-Identifier: MIT OR Apache-2.0

//! Heartbeat, reset, loss of the card and of the host [pcie 2.9], [pcie 6], [pcie 12].

mod host;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650_emu::card::CardOptions;
use host::{eventually, quick, Host, Shared};
use serde_json::json;

fn alive() -> Host {
    let mut host = Host::new(quick());
    host.bring_up();
    host
}

fn beat(host: &Host) -> [u32; 4] {
    let region = host.shared.unwrap().region;
    [0, 4, 8, 12].map(|at| host.memory.get(region, at))
}

/// Frees of card memory in use are a counter and a list, each with its own reset.
#[test]
#[allow(non_snake_case)]
fn U9_card_memory_freed_in_use_is_reported() {
    let host = alive();
    let cmm = &host.card.cmm;
    let none = json!({"total": 0, "list": []});
    assert_eq!(host.faults()["freed_in_use"], none);
    let address = cmm.alloc(4096, "axcl_pid7", 21).unwrap();
    let held = ax650_emu_api::Held {
        address,
        len: 100,
        owner: 21,
        what: "a test".into(),
    };
    let hold = cmm.hold(vec![held]).unwrap();
    cmm.free(address).unwrap();
    drop(hold);
    let counter = |reset| {
        let answer = host.control(json!({"cmd": "counters", "reset": reset}));
        answer["counters"]["memory.freed_in_use"].clone()
    };
    assert_eq!(counter(false), 1);
    let faults = host.control(json!({"cmd": "faults", "reset": true}))["faults"].clone();
    let freed = &faults["freed_in_use"];
    assert_eq!((&freed["total"], &faults["total"]), (&1.into(), &0.into()));
    let want = json!({
        "address": format!("{address:#x}"), "size": 100, "session": 21, "for": "a test",
        "block": "axcl_pid7",
    });
    assert_eq!(freed["list"][0], want);
    assert_eq!(host.faults()["freed_in_use"], none);
    assert_eq!((counter(true), counter(false)), (1.into(), json!(null)));
}

/// Mappings come and go under the card's hands: each access is whole or refused.
#[test]
fn mappings_change_while_the_card_works() {
    let mut host = Host::new(quick());
    let memory = host.memory.take(0x2000);
    host.memory.write(memory, 0, &[1; 0x1000]);
    host.memory.write(memory, 0x1000, &[2; 0x1000]);
    let card = host.card.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let done = stop.clone();
    let reader = std::thread::spawn(move || {
        let (mut good, mut refused) = (0, 0);
        while !done.load(Ordering::SeqCst) || good == 0 || refused == 0 {
            let mut page = vec![0; 0x1000];
            match card.host.read(0x7_0000_0000, &mut page, "test") {
                Ok(()) => {
                    assert!(page == [1; 0x1000] || page == [2; 0x1000]);
                    good += 1;
                }
                Err(_) => refused += 1,
            }
        }
    });
    for round in 0..100 {
        host.map(0x7_0000_0000, 0x1000, memory.offset + 0x1000 * (round % 2));
        std::thread::yield_now();
        host.unmap(0x7_0000_0000, 0x1000);
    }
    stop.store(true, Ordering::SeqCst);
    host.map(0x7_0000_0000, 0x1000, memory.offset);
    // Both outcomes are seen in the end, if not before.
    eventually("reader", || {
        host.unmap(0x7_0000_0000, 0x1000);
        std::thread::sleep(Duration::from_millis(1));
        host.map(0x7_0000_0000, 0x1000, memory.offset);
        std::thread::sleep(Duration::from_millis(1));
        reader.is_finished().then_some(())
    });
    reader.join().unwrap();
}

#[test]
fn heartbeat() {
    let host = alive();
    eventually("the first beat", || (beat(&host)[2] != 0).then_some(()));
    assert_eq!(beat(&host)[..2], [3, 9000]);
    let region = host.shared.unwrap().region;
    host.memory.set(region, 12, 77);
    host.set("heartbeat.period_ms", 20);
    let first = beat(&host)[2];
    eventually("more beats", || (beat(&host)[2] > first + 3).then_some(()));
    assert_eq!(beat(&host)[3], 77, "offset 12 is the host's");
    host.set("heartbeat.frozen", true);
    let sent = host.counter("heartbeat.sent");
    eventually("beats go on", || {
        (host.counter("heartbeat.sent") > sent + 2).then_some(())
    });
    let frozen = beat(&host)[2];
    let sent = host.counter("heartbeat.sent");
    eventually("beats go on", || {
        (host.counter("heartbeat.sent") > sent + 2).then_some(())
    });
    assert_eq!(beat(&host)[2], frozen);
    host.clear("heartbeat.frozen");
    host.set("heartbeat.interval", 0xffff_ffffu32);
    eventually("the interval", || {
        (beat(&host)[1] == 0xffff_ffff).then_some(())
    });
    host.set("heartbeat.v2", true);
    eventually("a 64-bit count", || (beat(&host)[3] == 0).then_some(()));
    host.set("card_id", 9);
    eventually("the id", || (beat(&host)[0] == 9).then_some(()));
}

/// No beat waits for what is computed, nor for messages and bulk data under way.
#[test]
#[allow(non_snake_case)]
fn D8_beats_come_without_idle_cpu() {
    let mut host = alive();
    host.set("heartbeat.period_ms", 50);
    let region = host.shared.unwrap().region;
    let stop = AtomicBool::new(false);
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let gap = std::thread::scope(|scope| {
        for _ in 0..4 * cores {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let start = Instant::now();
        let (mut last, mut stamp, mut gap) = (start, beat(&host)[2], Duration::ZERO);
        while start.elapsed() < Duration::from_secs(3) {
            host.echo(21, b"meanwhile");
            let now = host.memory.get(region, 8);
            if now != stamp {
                gap = gap.max(last.elapsed());
                (last, stamp) = (Instant::now(), now);
            }
        }
        stop.store(true, Ordering::Relaxed);
        gap.max(last.elapsed())
    });
    assert!(gap < Duration::from_secs(1), "no beat for {gap:?}");
}

#[test]
fn older_firmware_counts_in_64_bits() {
    let mut host = Host::new(CardOptions {
        heartbeat_v2: true,
        ..quick()
    });
    host.set("heartbeat.period_ms", 20);
    host.bring_up();
    let region = host.shared.unwrap().region;
    host.memory.set(region, 12, 77);
    eventually("a 64-bit count", || {
        let [_, _, stamp, high] = beat(&host);
        (stamp != 0 && high == 0).then_some(())
    });
}

#[test]
fn the_first_beat_can_be_late() {
    let mut host = Host::new(quick());
    host.set("heartbeat.first_delay_ms", 3_600_000);
    host.bring_up();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(host.counter("heartbeat.sent"), 0);
    host.clear("heartbeat.first_delay_ms");
    eventually("a beat", || (beat(&host)[2] != 0).then_some(()));
}

#[test]
fn a_chip_reset_starts_from_the_loader() {
    // Long enough to be seen.
    let mut host = Host::new(CardOptions {
        reset_time: Duration::from_secs(1),
        ..quick()
    });
    host.bring_up();
    for round in 1..4 {
        host.echo(21, b"before");
        let region = host.shared.unwrap().region;
        host.chip_reset();
        assert_eq!(host.config_read(0), u32::MAX);
        assert_eq!(host.read(0, 8), u32::MAX);
        host.wait_state("loader");
        let page = host.memory.read(region, 0, 0x80);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(
            host.memory.read(region, 0, 0x80),
            page,
            "the old region is left alone"
        );
        // The host's settings are gone.
        assert_eq!(host.read(0, 0x24), u32::MAX);
        host.enable();
        assert_eq!(host.read(0, 0x24), 1, "boot reason");
        host.memory.free_all();
        host.bring_up();
        assert_eq!(host.state()["boots"], round + 1);
        assert_eq!(host.counter("reset.chip"), round);
        host.interrupts();
        host.echo(21, b"after");
        eventually("an interrupt", || (host.interrupts() > 0).then_some(()));
    }
    host.assert_no_faults();
}

#[test]
fn a_reset_in_every_state() {
    let mut host = Host::new(quick());
    let images = [(0x1400_1000, vec![1; 64]), (0x1_0020_0000, vec![2; 64])];
    let again = |host: &mut Host| {
        host.chip_reset();
        host.wait_state("loader");
        host.memory.free_all();
        host.enable();
    };
    again(&mut host);
    let buffer = host.memory.take(4096);
    host.send_image(buffer, 0x1400_1000, &[1; 64]).unwrap();
    host.wait_state("u-boot");
    again(&mut host);
    host.load(&images).unwrap();
    again(&mut host);
    host.load(&images).unwrap();
    host.wait_state("handshake0");
    again(&mut host);
    host.load(&images).unwrap();
    let region = host.memory.take(0x40_0000);
    host.step0(region.bus, region.len);
    host.wait_state("handshake1");
    again(&mut host);
    host.bring_up();
    host.echo(21, b"all is well");
    host.assert_no_faults();
}

#[test]
fn reset_time_and_reason_can_be_set() {
    let mut host = alive();
    host.set("reset.slow_ms", 400);
    host.set("boot_reason", 0);
    let start = Instant::now();
    host.chip_reset();
    host.wait_state("loader");
    assert!(start.elapsed() >= Duration::from_millis(400));
    host.enable();
    assert_eq!(host.read(0, 0x24), 0);
}

#[test]
fn a_bus_reset_does_not_reset_the_chip() {
    let mut host = alive();
    host.bus_reset();
    assert_eq!(host.config_read(4) & 7, 0);
    assert_eq!(host.read(0, 0), u32::MAX);
    assert_eq!(host.state()["name"], "alive");
    host.enable();
    host.echo(21, b"still there");
    assert_eq!(host.counter("reset.bus"), 1);
}

#[test]
fn the_card_outlives_its_host() {
    let mut host = alive();
    host.set("heartbeat.period_ms", 5);
    host.disconnect();
    // Beats go nowhere, and that is no fault.
    let failed = host.counter("heartbeat.failed");
    eventually("lost beats", || {
        (host.counter("heartbeat.failed") > failed + 2).then_some(())
    });
    assert_eq!(host.faults()["total"], 0);
    assert_eq!(host.state()["name"], "alive");
    host.clear("heartbeat.period_ms");
    // The next host finds a card that runs, and resets it.
    host.map(host::BUS, 64 << 20, 0);
    host.enable();
    host.chip_reset();
    host.wait_state("loader");
    host.enable();
    host.memory.free_all();
    host.bring_up();
    host.echo(21, b"hello");
    host.assert_no_faults();
}

#[test]
fn a_silent_card_wakes_up_by_reset_or_switch() {
    let mut host = alive();
    host.set("heartbeat.period_ms", 5);
    host.set("silent", true);
    // One beat may be under way.
    let sent = eventually("silence", || {
        let sent = host.counter("heartbeat.sent");
        std::thread::sleep(Duration::from_millis(100));
        (host.counter("heartbeat.sent") == sent).then_some(sent)
    });
    host.send(21, b"anybody?").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(host.counter("heartbeat.sent"), sent);
    assert_eq!(host.receive(), None);
    assert_eq!(host.config_read(0), 0x0650_1f4b, "registers answer");
    host.clear("silent");
    assert_eq!(host.expect().payload, b"anybody?");
    host.set("silent", true);
    host.send(21, b"again?").unwrap();
    host.chip_reset();
    host.wait_state("loader");
    host.enable();
    host.memory.free_all();
    host.bring_up();
    host.echo(21, b"new life");
}

#[test]
fn a_silent_card_uses_up_its_mailbox() {
    let mut host = alive();
    host.set("silent", true);
    // One doorbell may already be in the hands of the card when it falls silent: none here.
    for _ in 0..8 {
        host.send(21, b"x").unwrap();
    }
    assert_eq!(host.send(21, b"x"), Err(host::SendError::NoSlot(u32::MAX)));
}

#[test]
fn all_ones() {
    let mut host = alive();
    host.set("all_ones", true);
    assert_eq!(host.config_read(0), u32::MAX);
    assert_eq!(host.read(0, 0), u32::MAX);
    assert_eq!(host.read(1, 0xc358), u32::MAX);
    host.chip_reset();
    assert_eq!(host.counter("reset.chip"), 0, "writes vanish");
    host.clear("all_ones");
    assert_eq!(host.config_read(0), 0x0650_1f4b);
    assert_eq!(host.state()["name"], "alive");
}

#[test]
fn a_region_taken_away_is_a_fault() {
    let mut host = alive();
    let region = host.shared.unwrap().region;
    host.set("heartbeat.period_ms", 5);
    host.unmap(host::BUS, 64 << 20);
    eventually("faults", || {
        (host.faults()["total"].as_u64() > Some(2)).then_some(())
    });
    let faults = host.faults();
    assert_eq!(faults["list"][0]["for"], "control page");
    assert_eq!(faults["list"][0]["direction"], "write");
    assert_eq!(faults["list"][0]["address"], format!("{:#x}", region.bus));
    // Looking at the card's state is no access of the card.
    host.set("heartbeat.period_ms", 3_600_000);
    std::thread::sleep(Duration::from_millis(50));
    let total = host.faults()["total"].clone();
    assert_eq!(host.state()["shared"]["pointers"], json!(null));
    assert_eq!(host.faults()["total"], total);
    host.map(host::BUS, 64 << 20, 0);
    host.echo(21, b"back");
}

#[test]
fn handshake_switches() {
    let mut host = Host::new(quick());
    host.set("step0.no_ack", true);
    host.set("step0.delay_base_ms", 30);
    host.set("step1.no_ack", true);
    host.set("timesync.delay_clear_ms", 2000);
    host.load(&[(0x1400_1000, vec![1; 64]), (0x1_0020_0000, vec![2; 64])])
        .unwrap();
    host.wait_state("handshake0");
    host.write(0, 0, 0x1f4b);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(host.read(0, 4), 0);
    host.clear("step0.no_ack");
    let region = host.memory.take(0x40_0000);
    host.step0(region.bus, region.len);
    host.wait_state("handshake1");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(host.memory.get(region, 4), 0);
    host.clear("step1.no_ack");
    eventually("step 1", || {
        (host.memory.get(region, 4) == 0xa650).then_some(())
    });
    host.memory.write(region, 0, &[0; 32]);
    host.memory.set(region, 0, 0x1f4b);
    eventually("the end of step 1", || {
        (host.memory.get(region, 0) == 0).then_some(())
    });
    // Rung too early: the card's clear makes the counters disagree [pcie 2.7].
    host.memory.set64(region, 0x20, 5);
    host.memory.set(region, 0, 0x2222_2222);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(host.memory.get(region, 0), 0x2222_2222, "the clear is late");
    eventually("the clear", || {
        (host.memory.get64(region, 0x20) == 0).then_some(())
    });
    host.shared = Some(Shared::new(region));
    host.wait_state("alive");
    host.echo(21, b"x");
}

#[test]
fn no_clear_after_time_sync() {
    let mut host = Host::new(quick());
    host.set("timesync.no_clear", true);
    host.set("heartbeat.first_delay_ms", 3_600_000);
    host.load(&[(0x1400_1000, vec![1; 64]), (0x1_0020_0000, vec![2; 64])])
        .unwrap();
    let region = host.memory.take(0x40_0000);
    host.step0(region.bus, region.len);
    eventually("step 1", || {
        (host.memory.get(region, 4) == 0xa650).then_some(())
    });
    host.memory.set(region, 0, 0x1f4b);
    eventually("the end of step 1", || {
        (host.memory.get(region, 0) == 0).then_some(())
    });
    host.memory.set(region, 0, 0x2222_2222);
    host.wait_state("alive");
    assert_eq!(host.memory.get(region, 0), 0x2222_2222);
}

#[test]
fn control_commands() {
    let host = alive();
    let switches = host.control(json!({"cmd": "switches"}));
    let silent = switches["switches"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["name"] == "silent");
    assert_eq!(silent.unwrap()["type"], "flag");
    let counters = host.control(json!({"cmd": "counters", "id": 17}));
    assert_eq!(counters["id"], 17);
    assert!(counters["counters"]["boot.count"] == 1);
    for (request, error) in [
        (
            json!({"cmd": "nonsense"}),
            "there is no command \"nonsense\"; \"help\" lists them",
        ),
        (json!({}), "\"cmd\" is missing"),
        (json!([]), "a request must be a JSON object"),
        (
            json!({"cmd": "set", "switch": "x", "value": 1}),
            "there is no switch \"x\"",
        ),
        (
            json!({"cmd": "set", "switch": "silent"}),
            "\"value\" is missing",
        ),
        (
            json!({"cmd": "set", "switch": "silent", "value": 7}),
            "switch \"silent\" wants true or false, not 7",
        ),
        (
            json!({"cmd": "dram", "address": "0x1", "size": 1}),
            "card address 0x1+0x1 is outside the card's memory",
        ),
        (
            json!({"cmd": "inject", "what": "msi", "vector": 4}),
            "there are 4 vectors, 4 is none",
        ),
        (
            json!({"cmd": "inject", "what": "header", "header": "00"}),
            "\"header\" must be 24 bytes",
        ),
        (
            json!({"cmd": "inject", "what": "message", "port": 1, "payload": "0g"}),
            "\"payload\" must be an even number of hexadecimal digits",
        ),
        (json!({"cmd": "unplug"}), "there is no vfio-user socket"),
    ] {
        let reply = host.try_control(request);
        assert_eq!(
            (&reply["ok"], &reply["error"]),
            (&json!(false), &json!(error))
        );
    }
    let late = host.try_control(json!({"cmd": "wait-state", "state": "loader", "timeout_ms": 10}));
    assert_eq!(late["ok"], false);
}
