// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card under the vendor's host driver [pcie 1] to [pcie 6]: it has to come up and work with every order
//! and width of that driver, and the faults that break the driver have to break it here.

mod host;
mod vendor;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650_emu::card::CardOptions;
use ax650_emu::function::Bar4;
use ax650_emu_api::{Daemon, Link};
use host::{eventually, quick};
use serde_json::{json, Value};
use vendor::{images, Vendor, EFAULT, FAILED, TIMEOUT};

/// Without an id of its own: it has to find out what the host calls it.
fn options() -> CardOptions {
    CardOptions {
        card_id: None,
        ..quick()
    }
}

/// Two images that are quickly sent.
fn small() -> Vec<vendor::Record> {
    vec![(0x1400_1000, vec![1; 64]), (0x1_0020_0000, vec![2; 64])]
}

fn alive() -> Vendor {
    let mut vendor = Vendor::probe(options(), 7);
    assert_eq!(vendor.bring_up(&small()), 0);
    vendor.host.wait_state("alive");
    vendor
}

#[test]
fn boot_create_talk_exit() {
    let mut vendor = Vendor::probe(options(), 7);
    assert_eq!(vendor.bring_up(&images()), 0);
    vendor.host.wait_state("alive");
    let listed = vendor.host.control(json!({"cmd": "images"}));
    let listed: Vec<u64> = listed["images"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|image| image["size"].as_u64())
        .collect();
    let sent: Vec<u64> = images().iter().map(|(_, i)| i.len() as u64).collect();
    assert_eq!(listed, sent);
    eventually("the first beat", || vendor.beat().then_some(()));
    vendor
        .host
        .control(json!({"cmd": "counters", "reset": true}));
    let (command, count, ports) = vendor.create(4711).unwrap();
    assert_eq!((command, count, ports), (3, 4, [21, 22, 23, 24]));
    for len in [1, 8, 40, 4096, 0x5_ffff] {
        let payload: Vec<u8> = (0..len).map(|i: usize| (i ^ len) as u8).collect();
        vendor.echo(ports[2], &payload);
    }
    let accesses = |what: &str| vendor.host.counter(&format!("mmio.bar1.{what}"));
    assert_eq!(
        (accesses("read"), accesses("write")),
        (6, 18),
        "4 for each of 6 messages"
    );
    vendor.exit(count, ports);
    eventually("the end of the group", || {
        let report = vendor.host.control(json!({"cmd": "daemon"}));
        (report["daemon"]["groups"] == json!([])).then_some(())
    });
    assert_eq!(vendor.create(4712).unwrap().2, [21, 22, 23, 24]);
    assert_eq!(vendor.unknown_sender, 0);
    vendor.host.assert_no_faults();
}

/// The flag goes out before base and size, and the processor may be elsewhere in between.
#[test]
fn the_order_of_step_0_is_survived() {
    for stall in [0, 1, 30] {
        for _ in 0..5 {
            let mut vendor = Vendor::probe(options(), 1);
            vendor.stall = Duration::from_millis(stall);
            assert_eq!(vendor.bring_up(&small()), 0);
            vendor.host.wait_state("alive");
            vendor.host.assert_no_faults();
        }
    }
}

/// A card that takes what is there when it sees the flag cannot live with that order.
#[test]
fn a_card_that_does_not_wait_reads_base_0() {
    for strict in [true, false] {
        let mut vendor = Vendor::probe(
            CardOptions {
                strict,
                ..options()
            },
            1,
        );
        vendor.stall = Duration::from_millis(300);
        vendor.limit = Duration::from_millis(600);
        vendor.host.set("step0.no_settle", !strict);
        assert_eq!(vendor.load_firmware(&small()), 0);
        vendor.host.wait_state("handshake0");
        // Acknowledged all the same, so the host waits for step 1.
        assert_eq!(vendor.handshake(), FAILED);
        assert_eq!(vendor.host.counter("refused.window"), 1);
        assert_eq!(vendor.host.state()["hung"], true);
    }
}

/// Base and size are cleared as soon as the host sees the acknowledge: too early for this card.
#[test]
fn parameters_are_cleared_under_a_slow_card() {
    let mut vendor = Vendor::probe(options(), 1);
    vendor.limit = Duration::from_millis(2500);
    vendor.host.set("step0.delay_base_ms", 1000);
    assert_eq!(vendor.load_firmware(&small()), 0);
    assert_eq!(vendor.handshake(), FAILED);
    assert_eq!(vendor.host.counter("refused.window"), 1);
}

/// The host gives the card 100 ms to see the flag of step 1.  A card that gets no processor time in
/// that time finds the clock, and must neither wait for the flag nor clear the clock.
#[test]
fn step_1_seen_late() {
    let mut vendor = Vendor::probe(options(), 1);
    vendor.host.set("step1.no_ack", true);
    assert_eq!(vendor.load_firmware(&small()), 0);
    assert_eq!(vendor.step0(), 0);
    vendor.set_up_rings();
    vendor.host.wait_state("handshake1");
    vendor.host.clear("step1.no_ack");
    let region = vendor.region;
    eventually("the announcement", || {
        (vendor.host.memory.get(region, 4) == 0xa650).then_some(())
    });
    vendor.host.set("silent", true);
    assert_eq!(vendor.step1(), 0);
    vendor.time_sync();
    vendor.host.clear("silent");
    vendor.host.wait_state("alive");
    assert_eq!(vendor.host.state()["time_sync"]["seconds"], 1_764_000_000);
    assert_eq!(vendor.host.counter("handshake.step1_late"), 1);
    vendor.echo(21, b"well");
}

#[test]
fn the_card_zeroes_half_of_each_pointer() {
    let mut vendor = Vendor::probe(options(), 1);
    assert_eq!(vendor.load_firmware(&small()), 0);
    let pointers = [0x40, 0x60, 0x20_0040, 0x20_0060];
    for at in pointers {
        vendor.host.memory.set64(vendor.region, at, u64::MAX);
    }
    assert_eq!(vendor.step0(), 0);
    vendor.host.wait_state("handshake1");
    for at in pointers {
        assert_eq!(
            vendor.host.memory.get64(vendor.region, at),
            0xffff_ffff_0000_0000
        );
    }
}

/// Parameter shm_size of the vendor's module; the last one makes messages skip the end of a ring.
#[test]
fn smaller_regions() {
    for n in [0x3f_0000, 0x10_0000, 0x8_0000 + 16] {
        let mut vendor = Vendor::probe(options(), 1);
        vendor.n = n;
        assert_eq!(vendor.bring_up(&small()), 0);
        vendor.host.wait_state("alive");
        for i in 0..400u32 {
            vendor.echo(
                30,
                &vec![i as u8; 1 + (i * 97_711) as usize % (n / 100) as usize],
            );
        }
        assert!(
            vendor.pointers(vendor.h2c()).0 > 2 * vendor.h2c().size,
            "several laps"
        );
        vendor.host.assert_no_faults();
    }
}

/// The saved words of MSI are those of a vector that is not in use [pcie 1.6]: the card is alive
/// after a reboot, and its answers lie unread.
#[test]
fn no_interrupt_after_a_reboot() {
    let mut vendor = alive();
    vendor.create(1).unwrap();
    assert_eq!(vendor.reboot(&small()), 0);
    vendor.host.wait_state("alive");
    eventually("beats need no interrupt", || vendor.beat().then_some(()));
    vendor.limit = Duration::from_millis(500);
    assert_eq!(vendor.create(1), Err(FAILED));
    eventually("the reply that nobody is told of", || {
        (vendor.host.counter("msi.suppressed.masked") == 1).then_some(())
    });
    let (rp, wp) = vendor.pointers(vendor.c2h());
    assert_eq!((rp, wp), (0, 128));
    assert_eq!(vendor.host.state()["config"]["msi_mask"], "0xf");
    vendor.restore_live_msi();
    vendor.limit = Duration::from_secs(20);
    assert_eq!(vendor.receive(11).map(|reply| reply.len()), Some(40));
    // The ports of the failed create are lost.
    assert_eq!(vendor.create(1).unwrap().2, [25, 26, 27, 28]);
    vendor.host.assert_no_faults();
}

#[test]
fn unload_and_load_again() {
    let mut vendor = alive();
    vendor.echo(21, b"first");
    for round in 2..4 {
        vendor.unload();
        assert_eq!(vendor.host.state()["name"], "loader");
        assert_eq!(vendor.load_modules(&small()), 0);
        vendor.host.wait_state("alive");
        assert_eq!(vendor.host.state()["boots"], round);
        vendor.echo(21, b"again");
    }
    assert_eq!(vendor.host.counter("reset.chip"), 2);
    vendor.host.assert_no_faults();
}

/// The driver does not reset a card at load.  One that still runs shows memory where the boot
/// registers were.
#[test]
fn a_card_that_still_runs_takes_no_firmware() {
    let mut vendor = alive();
    vendor.host.bus_reset();
    vendor.host.enable();
    vendor.limit = Duration::from_millis(300);
    assert_eq!(vendor.load_firmware(&small()), TIMEOUT);
    assert_eq!(vendor.host.state()["name"], "alive");
}

/// The check request on a card that runs ([pcie 4.12], item 15): step 0 cannot succeed, and does no harm to
/// the card.
#[test]
fn a_second_handshake_is_not_answered() {
    let mut vendor = alive();
    vendor.limit = Duration::from_millis(300);
    assert_eq!(vendor.step0(), FAILED);
    // The doorbell counters of a driver that takes BAR0 for shared memory.
    vendor.host.write64(0, 0x20, 9);
    let mut counter = [0; 8];
    vendor.host.raw_read(0, 0x20, &mut counter);
    assert_eq!(u64::from_le_bytes(counter), 9);
    vendor.limit = Duration::from_secs(20);
    vendor.echo(21, b"still here");
}

#[test]
fn crash_dump() {
    let mut vendor = alive();
    vendor.host.set("boot_reason", 0x12);
    vendor.reset();
    let records = small();
    assert_eq!(vendor.send_records(&records[..1]), 0);
    let dump = vendor.dump(0x40_0000).unwrap().unwrap();
    assert_eq!(dump.len(), 0x40_0000);
    assert_eq!(
        dump[0x20_0000..0x20_0040],
        [2; 64],
        "the kernel of the boot before"
    );
    assert_eq!(vendor.host.read(0, 0x24), 0);
    assert_eq!(vendor.bring_up(&records[1..]), 0);
    vendor.host.wait_state("alive");
    vendor.host.assert_no_faults();
}

/// What breaks firmware load, with the codes that the driver gives back.
#[test]
fn firmware_faults() {
    for (switch, value, code) in [
        ("boot.status_fail", json!(0x402), EFAULT),
        ("boot.dma_error", json!(1), EFAULT),
        ("boot.status_never", json!(true), TIMEOUT),
        ("loader.stuck", json!(true), TIMEOUT),
        ("uboot.slow_ms", json!(3_600_000), TIMEOUT),
    ] {
        let mut vendor = Vendor::probe(options(), 1);
        if code == TIMEOUT {
            vendor.limit = Duration::from_millis(300);
        }
        vendor.host.set(switch, value);
        assert_eq!(vendor.load_firmware(&small()), code, "{switch}");
    }
    // U-Boot that is slow, but not too slow.
    let mut vendor = Vendor::probe(options(), 1);
    vendor.host.set("uboot.slow_ms", 300);
    assert_eq!(vendor.bring_up(&small()), 0);
    // All-ones is success too: only the handshake shows that nobody is there.
    let mut vendor = Vendor::probe(options(), 1);
    vendor.host.set("all_ones", true);
    vendor.limit = Duration::from_millis(300);
    assert_eq!(vendor.load_firmware(&small()), 0);
    assert_eq!(vendor.handshake(), FAILED);
}

#[test]
fn handshake_faults() {
    for switch in ["step0.no_ack", "step1.no_ack"] {
        let mut vendor = Vendor::probe(options(), 1);
        vendor.host.set(switch, true);
        assert_eq!(vendor.load_firmware(&small()), 0);
        vendor.limit = Duration::from_secs(2);
        assert_eq!(vendor.handshake(), FAILED, "{switch}");
        vendor.limit = Duration::from_secs(20);
        vendor.host.clear(switch);
        if switch == "step0.no_ack" {
            assert_eq!(vendor.handshake(), 0);
        } else {
            assert_eq!(vendor.step1(), 0);
            vendor.time_sync();
        }
        vendor.host.wait_state("alive");
    }
}

#[test]
fn a_large_bar4_is_made_small() {
    let mut vendor = Vendor::probe(
        CardOptions {
            bar4: Bar4::Large,
            ..options()
        },
        1,
    );
    for round in 0..2 {
        assert_eq!(vendor.host.state()["config"]["bar4_size"], 1 << 20);
        assert_eq!(vendor.bring_up(&small()), 0);
        vendor.host.wait_state("alive");
        vendor.reset();
        assert_eq!(vendor.host.counter("reset.chip"), round + 1);
    }
    vendor.host.assert_no_faults();
}

#[test]
fn a_wrong_id_loses_every_reply() {
    let mut vendor = Vendor::probe(quick(), 1);
    assert_eq!(vendor.bring_up(&small()), 0);
    vendor.limit = Duration::from_millis(300);
    assert_eq!(vendor.create(1), Err(FAILED));
    eventually("the reply of a stranger", || {
        vendor.interrupt();
        (vendor.unknown_sender == 1).then_some(())
    });
    eventually("alive throughout", || vendor.beat().then_some(()));
}

#[test]
fn nine_lost_doorbells_are_the_end() {
    let mut vendor = alive();
    for lost in [5, 4] {
        vendor.host.set("doorbell.ignore", lost);
        for _ in 0..lost {
            let seen = vendor.host.counter("doorbell.received");
            assert_eq!(vendor.send(21, b"lost"), 4);
            eventually("the doorbell", || {
                (vendor.host.counter("doorbell.received") > seen).then_some(())
            });
        }
        if lost == 5 {
            // One that is served brings what was lost.
            vendor.echo(22, b"served");
        }
    }
    let rung = vendor.doorbells().0;
    let messages = vendor.host.counter("ring.h2c.messages");
    for _ in 0..3 {
        assert_eq!(vendor.send(21, b"never"), 5, "success all the same");
    }
    assert_eq!(vendor.doorbells().0, rung, "it never rings again");
    assert_eq!(vendor.host.counter("ring.h2c.messages"), messages);
}

#[test]
fn no_slot_for_a_while() {
    let mut vendor = alive();
    vendor.host.set("mailbox.empty", true);
    assert_eq!(vendor.send(21, b"late"), 4);
    vendor.host.clear("mailbox.empty");
    vendor.open(21);
    vendor.echo(22, b"next");
    assert_eq!(vendor.receive(21).as_deref(), Some(&b"late"[..]));
}

#[test]
fn ring_full_and_too_long() {
    let mut vendor = alive();
    assert_eq!(vendor.send(21, &vec![0; 0x6_0000]), FAILED);
    vendor.host.set("ring.stuck", true);
    for _ in 0..5 {
        assert_eq!(vendor.send(21, &vec![0; 0x5_ffff]), 0x5_ffff);
    }
    assert_eq!(vendor.send(21, &vec![0; 0x5_ffff]), TIMEOUT, "no room");
}

#[test]
fn one_header_of_a_mebibyte_runs_away() {
    let mut vendor = alive();
    vendor.host.set("header.length", 1 << 20);
    assert_eq!(vendor.send(21, b"x"), 1);
    eventually("the end", || {
        vendor.interrupt();
        vendor.runaway.then_some(())
    });
    // The same without a word from the host.
    let mut vendor = alive();
    let header: Vec<u8> = [0, 7, 21, 0, 1 << 20, 0xa65u32]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let header = ax650_emu::hex::hex(&header);
    vendor
        .host
        .control(json!({"cmd": "inject", "what": "header", "header": header, "payload": "00"}));
    eventually("the end", || {
        vendor.interrupt();
        vendor.runaway.then_some(())
    });
}

#[test]
fn a_bad_check_word_costs_one_short_message() {
    let mut vendor = alive();
    vendor.host.set("header.bad_check", 1);
    vendor.open(21);
    assert_eq!(vendor.send(21, b"bad"), 3);
    vendor.echo(21, b"good");
    assert!(!vendor.runaway);
}

#[test]
fn interrupts_that_do_not_come() {
    let mut vendor = alive();
    vendor.open(21);
    vendor.host.set("msi.lose", true);
    assert_eq!(vendor.send(21, b"one"), 3);
    vendor.limit = Duration::from_millis(200);
    assert_eq!(vendor.receive(21), None, "nothing looks for it");
    vendor.host.clear("msi.lose");
    vendor.limit = Duration::from_secs(20);
    assert_eq!(vendor.send(21, b"two"), 3);
    assert_eq!(vendor.receive(21).as_deref(), Some(&b"one"[..]));
    vendor.host.set("msi.duplicate", true);
    vendor.host.set("msi.storm", 500);
    vendor.echo(22, b"storm");
}

#[test]
fn heartbeat_lost_and_back() {
    let mut vendor = alive();
    vendor.host.set("heartbeat.period_ms", 10);
    eventually("beats", || vendor.beat().then_some(()));
    for switch in ["silent", "heartbeat.frozen", "all_ones"] {
        vendor.host.set(switch, true);
        // One may be under way.
        eventually(switch, || {
            std::thread::sleep(Duration::from_millis(100));
            (!vendor.beat()).then_some(())
        });
        std::thread::sleep(Duration::from_millis(100));
        assert!(!vendor.beat(), "{switch}");
        vendor.host.clear(switch);
        eventually("beats", || vendor.beat().then_some(()));
    }
}

/// A service whose end takes long.
struct Slow(Duration);

impl Daemon for Slow {
    fn message(&self, _: u32, _: Vec<u8>) {}

    fn stop(&self) {
        std::thread::sleep(self.0);
    }

    fn report(&self) -> Value {
        Value::Null
    }
}

/// The host restores configuration space 1 s after the reset, whatever the card was doing; commands
/// wait in the boot registers.
#[test]
fn the_link_comes_back_in_time() {
    const LONG: Duration = Duration::from_millis(2500);
    let service = |_: Arc<dyn Link>| -> Arc<dyn Daemon> { Arc::new(Slow(LONG)) };
    let mut vendor = Vendor::probe_with(options(), 1, Box::new(service));
    assert_eq!(vendor.bring_up(&small()), 0);
    vendor.host.wait_state("alive");
    let start = Instant::now();
    vendor.reset();
    assert!(start.elapsed() < LONG);
    assert_eq!(vendor.host.config_read(4) & 6, 6, "restored");
    assert_eq!(vendor.bring_up(&small()), 0);
    assert!(start.elapsed() >= LONG, "card memory is not used by two");
    vendor.host.wait_state("alive");
    vendor.host.assert_no_faults();
}

#[cfg(feature = "service")]
mod with_the_service {
    use super::*;

    fn alive() -> Vendor {
        let options = CardOptions {
            service_switches: ax650_emu_daemon::SWITCHES,
            ..options()
        };
        let service = |link| ax650_emu_daemon::start(link, ax650_emu_daemon::Options::default());
        let mut vendor = Vendor::probe_with(options, 1, Box::new(service));
        assert_eq!(vendor.bring_up(&small()), 0);
        vendor.host.wait_state("alive");
        vendor
    }

    #[test]
    fn create_and_exit() {
        let mut vendor = alive();
        for pid in 1..20 {
            let (command, count, ports) = vendor.create(pid).unwrap();
            assert_eq!((command, ports), (3, [21, 22, 23, 24]));
            vendor.exit(count, ports);
        }
        eventually("the end of all", || {
            (vendor.host.counter("sessions.closed") == 19).then_some(())
        });
        vendor.host.assert_no_faults();
    }

    /// 26 whole groups, one of 3 ports, and groups of none: all "succeed".
    #[test]
    fn ports_run_out() {
        let mut vendor = alive();
        let groups: Vec<_> = (1..29).map(|pid| vendor.create(pid).unwrap()).collect();
        let counts: Vec<u32> = groups.iter().map(|group| group.1).collect();
        assert_eq!(counts[..26], [4; 26]);
        assert_eq!(counts[26..], [3, 0]);
        assert_eq!(vendor.host.counter("sessions.opened"), 26);
        for (_, count, ports) in groups {
            vendor.exit(count, ports);
        }
        eventually("the end of all", || {
            (vendor.host.counter("sessions.closed") == 26).then_some(())
        });
    }

    #[test]
    fn replies_that_fail_or_are_odd() {
        let mut vendor = alive();
        vendor.host.set("port11.fail", 1);
        assert_eq!(vendor.create(1), Err(FAILED));
        vendor.host.clear("port11.fail");
        assert_eq!(vendor.create(1).unwrap().2, [21, 22, 23, 24], "not lost");
        // A reply that is too long, or too short but for its command, is success.
        for switch in ["port11.long", "port11.short"] {
            vendor.host.set(switch, true);
            assert_eq!(vendor.create(2).unwrap().0, 3, "{switch}");
            vendor.host.clear(switch);
        }
    }

    /// The late reply is taken by the next caller, and the ports of the first are lost.
    #[test]
    fn a_late_reply_goes_to_the_next() {
        let mut vendor = alive();
        vendor.host.set("port11.late_ms", 3000);
        vendor.limit = Duration::from_millis(300);
        assert_eq!(vendor.create(1), Err(FAILED));
        vendor.host.clear("port11.late_ms");
        vendor.host.set("port11.no_reply", 1);
        vendor.limit = Duration::from_secs(20);
        assert_eq!(vendor.create(2).unwrap().2, [25, 26, 27, 28]);
        assert_eq!(vendor.host.counter("port11.creates"), 2);
        assert_eq!(vendor.host.counter("ring.c2h.messages"), 1);
    }
}
