// SPDX-License-Identifier: MIT OR Apache-2.0

//! Handshake, rings, doorbells, interrupts [pcie 2], [pcie 4].

mod host;

use std::time::Duration;

use host::{eventually, quick, Host, SendError};
use serde_json::json;

fn alive() -> Host {
    let mut host = Host::new(quick());
    host.bring_up();
    host
}

fn words(payload: &[u8]) -> Vec<u32> {
    payload
        .chunks(4)
        .map(|w| u32::from_le_bytes(w.try_into().unwrap()))
        .collect()
}

#[test]
fn writes_before_the_swap_are_lost() {
    let mut options = quick();
    options.boot_delay = Duration::from_millis(2000);
    let mut host = Host::new(options);
    host.load(&[(0x1400_1000, vec![1; 64]), (0x1_0020_0000, vec![2; 64])])
        .unwrap();
    host.wait_state("kernel");
    host.write64(0, 0x10, 0x1234_0000);
    host.write(0, 0x00, 0x1f4b);
    assert_eq!(host.read(0, 0x00), 0x1f4b, "still the boot block");
    host.wait_state("handshake0");
    assert_eq!(host.read(0, 0x00), 0);
    assert_eq!(host.read(0, 0x10), 0);
    assert_eq!(host.read(0, 0x7f_fffc), 0);
    host.handshake();
    host.wait_state("alive");
    host.assert_no_faults();
}

#[test]
fn window_limits() {
    for (offset, size, what) in [
        (0x8000, 0x40_0000, "64 KiB alignment"),
        (0, 0x40_0001, "4 MiB"),
        (0, 0, "empty"),
    ] {
        let mut host = Host::new(quick());
        host.load(&[(0x1400_1000, vec![1; 64]), (0x1_0020_0000, vec![2; 64])])
            .unwrap();
        host.wait_state("handshake0");
        let region = host.memory.take(0x50_0000);
        host.step0(region.bus + offset, size);
        eventually(what, || (host.counter("refused.window") == 1).then_some(()));
        assert_eq!(host.state()["hung"], true);
        assert_eq!(host.faults()["total"], 0);
    }
}

#[test]
fn echo_on_user_ports() {
    let mut host = alive();
    for len in [1, 7, 8, 9, 40, 100, 128, 4096, 393_215] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        host.echo(21 + (len % 107) as u32, &payload);
    }
    assert_eq!(host.counter("ring.h2c.messages"), 9);
    // Counted when the message is out.
    eventually("9 answers", || {
        (host.counter("ring.c2h.messages") == 9).then_some(())
    });
    assert_eq!(host.counter("doorbell.received"), 9);
    assert_eq!(host.counter("mmio.bar1.read.slot_request"), 9);
    assert_eq!(
        host.counter("mmio.bar1.write"),
        27,
        "4 accesses per message"
    );
    eventually("9 interrupts", || {
        (host.counter("msi.sent") == 9).then_some(())
    });
    assert!(host.interrupts() > 0);
    assert_eq!(host.doorbells(), (9, 9));
    host.assert_no_faults();
}

#[test]
fn rings_wrap_as_the_notes_say() {
    let mut host = alive();
    let payload: Vec<u8> = (0..0x5_ffffu32).map(|i| ((i * 7) >> 3) as u8).collect();
    for i in 0..6 {
        let mut payload = payload.clone();
        payload[0] = i;
        host.echo(30, &payload);
    }
    let [h2c_rp, h2c_wp, c2h_rp, c2h_wp] = host.pointers();
    assert_eq!((h2c_rp, h2c_wp), (0x24_0180, 0x24_0180));
    assert_eq!((c2h_rp, c2h_wp), (0x24_0180, 0x24_0180));
    // And many laps of small messages.
    for i in 0..2000u32 {
        host.echo(30, &vec![i as u8; 1 + (i * 37 % 5000) as usize]);
    }
    host.assert_no_faults();
}

#[test]
fn one_doorbell_covers_many_messages() {
    let mut host = alive();
    for i in 0..20 {
        host.publish(40, &[i; 10]).unwrap();
    }
    assert_eq!(host.receive(), None, "no doorbell yet");
    host.ring().unwrap();
    for i in 0..20 {
        assert_eq!(host.expect().payload, [i; 10]);
    }
    host.ring().unwrap();
    eventually("a doorbell that finds nothing", || {
        (host.counter("doorbell.found_empty") == 1).then_some(())
    });
    assert_eq!(host.doorbells(), (2, 2));
}

#[test]
fn port_11_creates_and_destroys() {
    let mut host = alive();
    let packet: Vec<u8> = [1u32, 3, 4711, 4, 21, 22, 23, 24, 0x1000, 2]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    host.send(11, &packet).unwrap();
    let reply = host.expect();
    assert_eq!(reply.header[2], 11);
    assert_eq!(
        words(&reply.payload),
        [3, 3, 4711, 4, 21, 22, 23, 24, 0x1000, 2]
    );
    let groups = |host: &Host| host.control(json!({"cmd": "daemon"}))["daemon"]["groups"].clone();
    assert_eq!(groups(&host), json!([[21, 22, 23, 24]]));
    let mut destroy = packet;
    destroy[0] = 2;
    destroy[8..12].fill(0);
    host.send(11, &destroy).unwrap();
    eventually("the end of the group", || {
        (groups(&host) == json!([])).then_some(())
    });
    assert_eq!(host.receive(), None, "destroy is not answered");
}

#[test]
fn card_identity_is_its_own() {
    let mut host = alive();
    host.set("card_id", 7);
    host.send(21, b"x").unwrap();
    assert_eq!(host.expect().header, [0, 7, 21, 0, 1, 0xa65]);
}

#[test]
fn flow_control_of_a_card_that_ignores_doorbells() {
    let mut host = alive();
    host.set("doorbell.ignore", true);
    let mut rung = 0;
    for _ in 0..20 {
        host.publish(21, b"hello").unwrap();
        // The slots come back: it is the counters that stop the host.
        let busy = host.counter("doorbell.received");
        match host.ring() {
            Ok(()) => {
                rung += 1;
                eventually("the doorbell", || {
                    (host.counter("doorbell.received") > busy).then_some(())
                });
            }
            Err(e) => assert_eq!(e, SendError::FlowControl),
        }
    }
    assert_eq!(rung, 9);
    assert_eq!(host.counter("doorbell.ignored"), 9);
    assert_eq!(host.doorbells(), (9, 0));
    host.clear("doorbell.ignore");
    // A host that takes a read pointer that has caught up as proof rings again (R31).
    let region = host.shared.unwrap().region;
    host.memory.set64(region, 0x20, 0);
    host.ring().unwrap();
    for _ in 0..20 {
        assert_eq!(host.expect().payload, b"hello");
    }
}

#[test]
fn mailbox_faults() {
    let mut host = alive();
    host.set("mailbox.empty", true);
    assert_eq!(host.send(21, b"a"), Err(SendError::NoSlot(u32::MAX)));
    host.clear("mailbox.empty");
    host.set("mailbox.bad_slot", 100);
    assert_eq!(host.ring(), Err(SendError::NoSlot(100)));
    host.clear("mailbox.bad_slot");
    // A wrong byte count is no doorbell at all.
    let slot = u64::from(host.read(1, 0xc358));
    host.write(1, 0xc000 + 4 * slot, 1);
    host.write(1, 0xc100 + 4 * slot, 0x0500_0008);
    eventually("the bad doorbell", || {
        (host.counter("doorbell.bad_count") == 1).then_some(())
    });
    assert_eq!(host.doorbells(), (0, 0));
    assert_eq!(host.receive(), None);
    host.ring().unwrap();
    assert_eq!(host.expect().payload, b"a");
    host.write(1, 0xc000 + 4 * 40, 1);
    assert_eq!(host.counter("refused.mailbox"), 1);
}

#[test]
fn a_stuck_ring_counts_doorbells_and_fills_up() {
    let mut host = alive();
    host.set("ring.stuck", true);
    let payload = vec![5; 0x5_ffff];
    for _ in 0..5 {
        host.send(21, &payload).unwrap();
    }
    assert_eq!(host.send(21, &payload), Err(SendError::Full));
    eventually("the doorbells", || {
        (host.doorbells() == (5, 5)).then_some(())
    });
    assert_eq!(host.pointers()[0], 0);
    host.clear("ring.stuck");
    host.ring().unwrap();
    for _ in 0..5 {
        assert_eq!(host.expect().payload.len(), payload.len());
    }
}

#[test]
fn a_corrupt_ring_is_dropped_and_goes_on() {
    let mut host = alive();
    host.publish_raw([3, 0, 21, 0, 4, 0xbad], b"evil").unwrap();
    host.ring().unwrap();
    eventually("corruption", || {
        (host.counter("ring.h2c.corrupt") == 1).then_some(())
    });
    host.publish_raw([3, 0, 21, 0, 0x6_0000, 0xa65], b"long")
        .unwrap();
    host.ring().unwrap();
    eventually("corruption", || {
        (host.counter("ring.h2c.corrupt") == 2).then_some(())
    });
    host.publish_raw([3, 0, 200, 0, 4, 0xa65], b"port").unwrap();
    host.ring().unwrap();
    eventually("a bad port", || {
        (host.counter("refused.port") == 1).then_some(())
    });
    host.echo(21, b"good");
}

#[test]
fn a_full_c2h_ring_is_retried_then_given_up() {
    let mut host = alive();
    let payload = vec![5; 0x5_ffff];
    // 5 echoes fit; the card takes the other 2 messages all the same.
    for i in 1..8 {
        host.send(21, &payload).unwrap();
        eventually("the card", || {
            (host.counter("ring.h2c.messages") == i).then_some(())
        });
    }
    eventually("a full ring", || {
        (host.counter("ring.c2h.full") == 2).then_some(())
    });
    assert_eq!(host.counter("ring.c2h.retries"), 20);
    for _ in 0..5 {
        host.expect();
    }
    host.echo(21, b"good");
}

#[test]
fn faults_in_what_the_card_sends() {
    let mut host = alive();
    host.set(
        "header.field",
        json!({"field": "port", "value": 0xffff, "count": 2}),
    );
    host.send(21, b"a").unwrap();
    assert_eq!(host.expect().header[2], 0xffff);
    host.send(21, b"b").unwrap();
    assert_eq!(host.expect().header[2], 0xffff);
    host.echo(21, b"c");
    host.set("header.bad_check", 1);
    host.send(21, b"d").unwrap();
    assert_eq!(host.expect().header[5], !0xa65);
    host.echo(21, b"e");
    host.control(json!({"cmd": "inject", "what": "message", "port": 99, "payload": "00ff"}));
    let message = host.expect();
    assert_eq!(
        (message.header[2], &message.payload[..]),
        (99, &[0, 0xff][..])
    );
    let header: Vec<u8> = [1u32, 2, 3, 4, 2, 6]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let header = ax650_emu::hex::hex(&header);
    host.control(json!({"cmd": "inject", "what": "header", "header": header, "payload": "0102"}));
    assert_eq!(host.expect().header, [1, 2, 3, 4, 2, 6]);
    let before = host.pointers()[3];
    host.control(json!({"cmd": "inject", "what": "wp-jump", "bytes": 7}));
    assert_eq!(host.pointers()[3], before + 7);
}

#[test]
fn header_length_and_write_pointer_jump() {
    let mut host = alive();
    host.set("header.length", 1 << 20);
    host.set("ring.wp_jump", 32);
    host.send(21, b"a").unwrap();
    eventually("the message", || {
        (host.pointers()[3] == 64 + 32).then_some(())
    });
    let region = host.shared.unwrap().region;
    assert_eq!(host.memory.get(region, 0x20_0080 + 16), 1 << 20);
}

#[test]
fn interrupts_lost_doubled_merged_and_spurious() {
    let mut host = alive();
    host.interrupts();
    host.set("msi.lose", true);
    host.echo(21, b"a");
    eventually("a lost interrupt", || {
        (host.counter("msi.suppressed.lost") == 1).then_some(())
    });
    assert_eq!(host.interrupts(), 0);
    host.set("msi.lose", 3);
    for _ in 0..6 {
        host.echo(21, b"b");
    }
    eventually("4 of 6", || (host.counter("msi.sent") == 4).then_some(()));
    assert_eq!(host.counter("msi.suppressed.lost"), 3);
    host.clear("msi.lose");
    host.set("msi.duplicate", true);
    host.echo(21, b"c");
    eventually("2 for 1", || (host.counter("msi.sent") == 6).then_some(()));
    host.clear("msi.duplicate");
    host.set("msi.coalesce_ms", 2000);
    for _ in 0..5 {
        host.echo(21, b"d");
    }
    eventually("1 for 5", || (host.counter("msi.sent") == 7).then_some(()));
    assert_eq!(host.counter("msi.suppressed.coalesced"), 4);
    host.clear("msi.coalesce_ms");
    host.set("msi.storm", 1000);
    eventually("a storm", || {
        (host.counter("msi.spurious") > 20).then_some(())
    });
    host.clear("msi.storm");
    host.control(json!({"cmd": "inject", "what": "msi", "vector": 0}));
}

#[test]
fn interrupts_obey_configuration_space() {
    let mut host = alive();
    host.interrupts();
    host.config_write(host::MSI + 16, 0xf);
    host.echo(21, b"a");
    eventually("a masked vector", || {
        (host.counter("msi.suppressed.masked") == 1).then_some(())
    });
    assert_eq!(host.interrupts(), 0);
    assert_eq!(host.config_read(host::MSI + 20), 1, "pending");
    host.config_write(host::MSI + 16, 0xe);
    assert_eq!(host.interrupts(), 1, "delivered when unmasked");
    assert_eq!(host.config_read(host::MSI + 20), 0);
    host.config_write(host::MSI, 0);
    host.echo(21, b"b");
    eventually("MSI off", || {
        (host.counter("msi.suppressed.disabled") == 1).then_some(())
    });
    host.control(json!({"cmd": "inject", "what": "msi", "vector": 3}));
    assert_eq!(host.interrupts(), 0);
}

/// Whatever a guest does to registers, the card lives: nothing panics, a reset brings it back.
#[test]
fn random_accesses_do_no_harm() {
    let mut host = alive();
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed >> 33
    };
    for _ in 0..20_000 {
        let region = (random() % 9) as u32;
        let limit = [0x80, 0x1_0000, 0x100_0000, 1 << 62][(random() % 4) as usize];
        let offset = ((random() << 31) | random()) % limit;
        let mut data = vec![random() as u8; (random() % 9) as usize];
        if random() % 2 == 0 {
            host.raw_read(region, offset, &mut data);
        } else {
            host.raw_write(region, offset, &data);
        }
    }
    host.raw_read(0, u64::MAX, &mut [0; 4]);
    // The reset register may have been hit: the card is in some state, and comes back from it.
    eventually("a link", || (!host.card.link_down()).then_some(()));
    host.enable();
    host.chip_reset();
    host.wait_state("loader");
    host.memory.free_all();
    host.enable();
    host.bring_up();
    host.echo(21, b"well");
}
