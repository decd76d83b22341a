// SPDX-License-Identifier: MIT OR Apache-2.0

//! Readers of the card's property texts.

use ax650_wire_tests::wire::proctext::{
    chip_name, cmm, cpu_load, meminfo, npu_load, temperature, uid, version, Memory,
};

#[test]
fn chip() {
    assert_eq!(chip_name(b"AX650N_CHIP\n"), Some("AX650N"));
    assert_eq!(chip_name(b"chip: AX650C"), Some("AX650C"));
    assert_eq!(chip_name(b"AX650"), None);
    assert_eq!(chip_name(b""), None);
}

#[test]
fn software_version() {
    let found = |text| version(text).map(|v| v.to_string());
    assert_eq!(
        found(b"Ax_Version V3.10.2_20251215140224\n").as_deref(),
        Some("V3.10.2_20251215140224")
    );
    assert_eq!(found(b"V2.25.0").as_deref(), Some("V2.25.0"));
    assert_eq!(found(b"V3.10\n"), None);
    assert_eq!(found(b"Version 3.10.2"), None);
    assert_eq!(
        found(b"V1.2.3\x1b[2J\xff").as_deref(),
        Some("V1.2.3?[2J?"),
        "nothing that the terminal would obey"
    );
}

#[test]
fn unique_id() {
    assert_eq!(
        uid(b"ax_uid: 0x3e1407848aa41a42\n"),
        Some(0x3e14_0784_8aa4_1a42)
    );
    assert_eq!(uid(b"uid:1F"), Some(0x1F));
    assert_eq!(uid(b"uid: "), None);
    assert_eq!(uid(b"1234"), None);
    assert_eq!(uid(b"uid: 10000000000000000"), None, "65 bits");
}

#[test]
fn linux_memory() {
    let text = b"MemTotal:        2045468 kB\nMemFree:         1753848 kB\nMemAvailable: 1 kB\n";
    assert_eq!(
        meminfo(text),
        Some(Memory {
            total: 2_045_468,
            part: 1_753_848
        })
    );
    assert_eq!(meminfo(b"MemTotal: 5 kB\n"), None);
    assert_eq!(
        meminfo(b"MemTotal: 5 kB\nMemFree: 6 kB\n"),
        None,
        "more free than there is"
    );
    assert_eq!(
        meminfo(b"MemTotal: 99999999999999999999 kB MemFree: 1"),
        None
    );
}

#[test]
fn contiguous_memory() {
    let text = b"total size=7208960KB(7040MB),used=24320KB(23MB + 768KB),remain=7184640KB(7016MB + 256KB),partition_number=1\n";
    assert_eq!(
        cmm(text),
        Some(Memory {
            total: 7_208_960,
            part: 24_320
        })
    );
    assert_eq!(cmm(b"total size=1KB,used=2KB"), None);
    assert_eq!(cmm(b"total size=1KB"), None);
}

#[test]
fn junction_temperature() {
    assert_eq!(temperature(b"41350\n"), Some(41_350));
    assert_eq!(temperature(b" -5000"), Some(-5000));
    assert_eq!(temperature(b"300001"), None);
    assert_eq!(temperature(b"hot"), None);
    assert_eq!(temperature(b"99999999999999999999"), None);
}

#[test]
fn loads() {
    assert_eq!(
        cpu_load(b"CPU:   2% usr   1% sys   0% nic  97% idle   0% io   0% irq   0% sirq\n"),
        Some(300)
    );
    assert_eq!(cpu_load(b"CPU:  0.0% usr 98.75% idle"), Some(125));
    assert_eq!(cpu_load(b"CPU: 101% idle"), None);
    assert_eq!(cpu_load(b"idle"), None);
    assert_eq!(cpu_load(b"CPU: x idle"), None);
    assert_eq!(npu_load(b"utilization:12%\n"), Some(1200));
    assert_eq!(npu_load(b"NPU0 utilization: 3.5 %"), Some(350));
    assert_eq!(npu_load(b"utilization:12"), None);
    assert_eq!(npu_load(b"utilization:4294967297%"), None);
    assert_eq!(npu_load(b"utilization:200%"), None);
}
