// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

fn dword(config: &ConfigSpace, at: usize) -> u32 {
    let mut data = [0; 4];
    config.read(at, &mut data);
    u32::from_le_bytes(data)
}

/// The dwords of a real card [pcie 1.4], less what the host had written to them.
#[test]
fn reset_image_is_that_of_a_card() {
    let config = ConfigSpace::new(Subsystem::default(), Bar4::Small);
    for (at, value) in [
        (0x00, 0x0650_1f4b),
        (0x04, 0x0010_0000),
        (0x08, 0x0400_0001),
        (0x0c, 0),
        (0x10, 0x0000_0008),
        (0x14, 0x0000_0008),
        (0x18, 0),
        (0x20, 0x0000_000c),
        (0x24, 0),
        (0x2c, 0x0650_1f4b),
        (0x34, 0x0000_0040),
        (0x3c, 0x0000_0100),
        (0x40, 0x5bd3_5001),
        (0x44, 0x0000_0008),
        (0x50, 0x0384_7005),
        (0x60, 0),
        (0x70, 0x0002_0010),
        (0x74, 0x0000_8fc0),
        (0x78, 0x0000_2010),
        (0x7c, 0x0040_c022),
        (0x80, 0x1012_0000),
        (0x94, 0x0000_0810),
        (0x98, 0),
        (0x9c, 0x0000_0006),
        (0xa0, 0x0000_0002),
    ] {
        assert_eq!(dword(&config, at), value, "{at:#x}");
    }
}

#[test]
fn extended_capabilities_form_the_list_of_a_card() {
    let config = ConfigSpace::new(Subsystem::default(), Bar4::Small);
    let mut found = Vec::new();
    let mut at = 0x100;
    while at != 0 {
        let head = dword(&config, at);
        found.push((at, head & 0xffff, (head >> 16) & 0xf));
        at = (head >> 20) as usize;
    }
    let expected = [
        (0x100, 0x01, 2),
        (0x148, 0x18, 1),
        (0x150, 0x1e, 1),
        (0x160, 0x0b, 1),
        (0x260, 0x0b, 1),
        (0x278, 0x15, 1),
        (0x2b8, 0x24, 1),
    ];
    assert_eq!(found, expected);
    assert_eq!(dword(&config, 0x164), 0x1004_0002);
    assert_eq!(dword(&config, 0x264), 0x0180_0006);
}

#[test]
fn bars_size_as_hardware_does() {
    let mut config = ConfigSpace::new(Subsystem::default(), Bar4::Large);
    for at in (0x10..0x28).step_by(4) {
        config.write(at, &[0xff; 4]);
    }
    let sizes: Vec<u32> = (0x10..0x28)
        .step_by(4)
        .map(|at| dword(&config, at))
        .collect();
    assert_eq!(
        sizes,
        [0xff80_0008, 0xffff_0008, 0, 0, 0xff00_000c, 0xffff_ffff]
    );
    // Resizable BAR: 1 MiB is offered, 2 MiB is not.
    config.write(0x280, &0x144u32.to_le_bytes());
    assert_eq!(config.bar4_size(), 16 << 20);
    config.write(0x280, &0x044u32.to_le_bytes());
    assert_eq!(config.bar4_size(), 1 << 20);
    config.write(0x20, &[0xff; 4]);
    assert_eq!(dword(&config, 0x20), 0xfff0_000c);
    config.write(0x280, &0x444u32.to_le_bytes());
    assert_eq!(dword(&config, 0x20), 0xff00_000c);
    config.reset();
    assert_eq!(config.bar(4), 0);
    assert_eq!(config.bar4_size(), 16 << 20);
}

#[test]
fn small_bar4_offers_one_size() {
    let mut config = ConfigSpace::new(Subsystem::default(), Bar4::Small);
    assert_eq!(dword(&config, 0x27c), 1 << 4);
    assert_eq!(dword(&config, 0x280), 0x44);
    config.write(0x280, &0x444u32.to_le_bytes());
    assert_eq!(config.bar4_size(), 1 << 20);
}

#[test]
fn read_only_and_clear_on_1_bits() {
    let mut config = ConfigSpace::new(Subsystem::default(), Bar4::Small);
    config.write(0, &[0; 4]);
    assert_eq!(dword(&config, 0), 0x0650_1f4b);
    config.write(4, &[0xff; 4]);
    assert_eq!(dword(&config, 4), 0x0010_0546);
    config.write(0xffe, &[0xff; 4]);
    assert_eq!(dword(&config, 0xffc), 0);
}

#[test]
fn power_states_stop_decoding_and_mastering() {
    let mut config = ConfigSpace::new(Subsystem::default(), Bar4::Small);
    config.write(4, &[6, 0]);
    assert!(config.bus_master() && config.decodes_memory());
    config.write(0x44, &[3]);
    assert!(!config.bus_master() && !config.decodes_memory());
    config.write(0x44, &[2]);
    assert_eq!(dword(&config, 0x44) & 3, 3, "D2 does not exist");
    config.write(0x44, &[0]);
    assert!(config.bus_master() && config.decodes_memory());
}

#[test]
fn msi_masking_and_pending() {
    let mut config = ConfigSpace::new(Subsystem::default(), Bar4::Small);
    assert_eq!(config.msi_vectors(), 0);
    config.write(4, &[6, 0]);
    config.write(0x52, &0x0021u16.to_le_bytes());
    assert_eq!(config.msi_vectors(), 4);
    config.write(0x60, &[0x02]);
    assert!(config.msi_masked(1) && !config.msi_masked(0));
    config.set_msi_pending(1, true);
    assert_eq!(config.msi_deliverable().count(), 0);
    assert_eq!(dword(&config, 0x64), 2);
    config.write(0x60, &[0]);
    assert_eq!(config.msi_deliverable().collect::<Vec<_>>(), [1]);
    config.write(4, &[2, 0]);
    assert_eq!(config.msi_deliverable().count(), 0, "bus mastering is off");
}
