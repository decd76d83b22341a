// SPDX-License-Identifier: MIT OR Apache-2.0

//! Trees of `/sys`, `/proc` and the rest, one for each thing that can be wrong.

#![allow(non_snake_case)]

use std::fs;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::*;

/// A system that is all right, below a directory of the test's own.
struct Tree(PathBuf, u32);

const DEVICE: &str = "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0";
const RELEASE: &str = "7.3.4-amd64";

impl Tree {
    fn healthy(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ax650-check-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let mut tree = Self(path, 0);
        for (file, text) in [
            ("vendor", "0x1f4b"),
            ("device", "0x0650"),
            ("state", "running"),
            ("generation", "1"),
            ("firmware_version", "V3.10.2"),
            ("heartbeat_age_ms", "400"),
            ("last_error", "0"),
            ("current_link_speed", "5.0 GT/s PCIe"),
            ("current_link_width", "2"),
            ("max_link_speed", "5.0 GT/s PCIe"),
            ("max_link_width", "2"),
        ] {
            tree.device(file, text);
        }
        tree.write(
            "/sys/devices/pci0000:00/0000:00:01.0/max_link_speed",
            "8.0 GT/s PCIe",
        );
        tree.write("/sys/devices/pci0000:00/0000:00:01.0/max_link_width", "4");
        tree.write("/sys/kernel/iommu_groups/3/type", "DMA-FQ");
        tree.write("/sys/bus/pci/drivers/ax650/bind", "");
        tree.write(&format!("{DEVICE}/misc/ax650-0/dev"), "10:120");
        tree.link("/sys/bus/pci/devices/0000:01:00.0", DEVICE);
        tree.link(&format!("{DEVICE}/driver"), "/sys/bus/pci/drivers/ax650");
        tree.link(
            &format!("{DEVICE}/iommu_group"),
            "/sys/kernel/iommu_groups/3",
        );
        tree.write("/sys/module/ax650/version", "0.1.0");
        tree.write("/proc/sys/kernel/osrelease", RELEASE);
        tree.write(
            "/proc/modules",
            "ax650 200704 0 - Live 0x0\nnetfs 1 0 - Live 0x0\n",
        );
        tree.write("/lib/firmware/axcl/ax650_card.pac", "firmware");
        tree.write("/dev/ax650-0", "");
        fs::set_permissions(tree.path("/dev/ax650-0"), PermissionsExt::from_mode(0o660)).unwrap();
        if nix::unistd::geteuid().is_root() {
            // Not root's own group, which is nobody's to join.
            std::os::unix::fs::chown(tree.path("/dev/ax650-0"), None, Some(4712)).unwrap();
        }
        tree.1 = tree.path("/dev/ax650-0").metadata().unwrap().gid();
        tree.write(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\njo:x:4711:4711::/home/jo:/bin/sh\n",
        );
        tree.write(
            "/etc/group",
            &format!("cards:x:{}:ann\njo:x:4711:\n", tree.group()),
        );
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        System::at(&self.0).path(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    }

    fn device(&self, file: &str, text: &str) {
        self.write(&format!("{DEVICE}/{file}"), text);
    }

    /// The target is a path of the tree.
    fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        symlink(self.path(target), path).unwrap();
    }

    fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// The group of the node, that of whoever runs the test.
    fn group(&self) -> u32 {
        self.1
    }

    fn member(&self) -> Person {
        Person {
            uid: 4711,
            groups: vec![4711, self.group()],
        }
    }

    fn findings(&self) -> Vec<Finding> {
        examine(&System::at(&self.0), &self.member(), None).unwrap()
    }

    /// The one finding of that check that is not in order.
    fn finding(&self, check: &str) -> (Level, String) {
        let found = self.findings();
        let mut bad = found
            .iter()
            .filter(|finding| finding.check == check && finding.level != Level::Ok);
        let bad = bad.next().unwrap_or_else(|| panic!("{check}: {found:#?}"));
        let remedy = bad.remedy.as_deref().unwrap_or("no remedy");
        (bad.level, format!("{} -> {remedy}", bad.message))
    }

    fn expect(&self, check: &str, level: Level, words: &[&str]) {
        let (found, text) = self.finding(check);
        assert_eq!(found, level, "{text}");
        for word in words {
            assert!(text.contains(word), "no {word}: {text}");
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_healthy_system_is_healthy() {
    let tree = Tree::healthy("healthy");
    let findings = tree.findings();
    assert!(
        findings.iter().all(|finding| finding.level == Level::Ok),
        "{findings:#?}"
    );
    assert!(findings.len() >= 8);
}

#[test]
fn no_card() {
    let tree = Tree::healthy("no-card");
    tree.remove("/sys/bus/pci/devices");
    tree.remove("/dev/ax650-0");
    tree.expect(
        "card",
        Level::Fail,
        &["1f4b:0650", "lspci -d 1f4b:", "rescan"],
    );
}

#[test]
fn module_not_loaded_blacklisted_missing_or_for_another_kernel() {
    let tree = Tree::healthy("module");
    tree.remove("/sys/module/ax650");
    tree.remove(&format!("{DEVICE}/driver"));
    tree.expect(
        "module",
        Level::Fail,
        &["not installed", RELEASE, "ax650-dkms"],
    );
    tree.write("/lib/modules/7.0.0-old/updates/dkms/ax650.ko.xz", "");
    tree.expect(
        "module",
        Level::Fail,
        &[
            "7.0.0-old",
            "not for the running kernel",
            "dkms autoinstall -k 7.3.4-amd64",
        ],
    );
    tree.write(
        &format!("/lib/modules/{RELEASE}/updates/dkms/ax650.ko.zst"),
        "",
    );
    tree.expect(
        "module",
        Level::Fail,
        &["not loaded", "sudo modprobe ax650"],
    );
    tree.write("/etc/modprobe.d/mine.conf", "# no\nblacklist  ax650");
    let text = tree
        .findings()
        .iter()
        .map(Finding::text)
        .collect::<String>();
    assert!(
        text.contains("/etc/modprobe.d/mine.conf keeps ax650"),
        "{text}"
    );
}

#[test]
fn kernel_without_rust() {
    let tree = Tree::healthy("rust");
    tree.remove("/sys/module/ax650");
    tree.write(&format!("/boot/config-{RELEASE}"), "CONFIG_RUST=y");
    assert!(tree
        .findings()
        .iter()
        .all(|finding| finding.check != "kernel"));
    tree.write(
        &format!("/boot/config-{RELEASE}"),
        "# CONFIG_RUST is not set",
    );
    tree.expect("kernel", Level::Fail, &["without Rust", "backports"]);
    // Where /boot is not readable, or has none.
    tree.remove("/boot");
    assert!(tree
        .findings()
        .iter()
        .all(|finding| finding.check != "kernel"));
    let file = fs::File::create(tree.path("/proc/config.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed
        .write_all(b"CONFIG_64BIT=y\n# CONFIG_RUST is not set\n")
        .unwrap();
    packed.finish().unwrap();
    tree.expect("kernel", Level::Fail, &["without Rust"]);
}

#[test]
fn other_drivers() {
    let tree = Tree::healthy("drivers");
    tree.write(
        "/proc/modules",
        "axcl_host 1 0 - Live 0x0\nax_pcie_mmb 1 0 - Live 0x0",
    );
    tree.expect(
        "axcl",
        Level::Fail,
        &["axcl_host ax_pcie_mmb", "modprobe -r axcl_host"],
    );
    tree.remove(&format!("{DEVICE}/misc"));
    tree.write("/sys/bus/pci/drivers/vfio-pci/bind", "");
    tree.link(&format!("{DEVICE}/driver"), "/sys/bus/pci/drivers/vfio-pci");
    tree.expect(
        "driver",
        Level::Fail,
        &["vfio-pci", "virtual machine", "driver_override"],
    );
    tree.remove(&format!("{DEVICE}/driver"));
    tree.expect(
        "driver",
        Level::Fail,
        &["no driver, although", "drivers/ax650/bind"],
    );
}

#[test]
fn F4_missing_firmware_is_named_with_its_remedy() {
    let tree = Tree::healthy("firmware");
    tree.remove("/lib/firmware/axcl");
    tree.expect(
        "firmware",
        Level::Warn,
        &["/lib/firmware/axcl/ax650_card.pac", "next boot"],
    );
    tree.device("state", "dead");
    tree.device("last_error", "-2");
    tree.expect(
        "firmware",
        Level::Fail,
        &["/lib/firmware/axcl/ax650_card.pac", "ax650-fw verify"],
    );
    tree.expect(
        "state",
        Level::Fail,
        &[
            "/lib/firmware/axcl/ax650_card.pac",
            "ax650 reset -d ax650-0",
        ],
    );
    // Where an administrator may have put it.
    tree.write("/sys/module/firmware_class/parameters/path", "/srv/fw");
    tree.write("/srv/fw/axcl/ax650_card.pac.xz", "");
    assert!(tree
        .findings()
        .iter()
        .all(|f| f.check != "firmware" || f.level == Level::Ok));
}

#[test]
fn F10_permission_names_the_real_group() {
    let tree = Tree::healthy("access");
    let system = System::at(&tree.0);
    let stranger = Person {
        uid: 4711,
        groups: vec![4711],
    };
    let text = |tree: &Tree| {
        let findings = examine(&System::at(&tree.0), &stranger, None).unwrap();
        findings.iter().map(Finding::text).collect::<String>()
    };
    let shown = text(&tree);
    assert!(
        shown.contains("jo may not open /dev/ax650-0: it is for group cards"),
        "{shown}"
    );
    assert!(shown.contains("`sudo adduser jo cards`"), "{shown}");
    // In the group, but not since before the login.
    tree.write("/etc/group", &format!("cards:x:{}:ann,jo", tree.group()));
    let shown = text(&tree);
    assert!(shown.contains("newgrp cards"), "{shown}");
    fs::set_permissions(tree.path("/dev/ax650-0"), PermissionsExt::from_mode(0o600)).unwrap();
    let shown = text(&tree);
    assert!(shown.contains("70-ax650.rules"), "{shown}");
    let root = Person {
        uid: 0,
        groups: vec![0],
    };
    assert!(access::may_open(&system, "/dev/ax650-0", &root).is_ok());
}

#[test]
fn states_of_the_card() {
    let tree = Tree::healthy("state");
    for (state, error, level, words) in [
        (
            "dead",
            "-110",
            Level::Fail,
            &["did not answer in time", "sudo ax650 reset -d ax650-0"][..],
        ),
        ("loader", "0", Level::Fail, &["loader", "boots it"]),
        ("gone", "0", Level::Fail, &["does not answer on the bus"]),
        ("booting", "0", Level::Warn, &["booting", "a minute"]),
    ] {
        tree.device("state", state);
        tree.device("last_error", error);
        tree.expect("state", level, words);
    }
    tree.device("state", "running");
    tree.device("heartbeat_age_ms", "61000");
    tree.expect("state", Level::Warn, &["61 s ago"]);
}

#[test]
fn links() {
    let tree = Tree::healthy("link");
    tree.device("current_link_width", "1");
    tree.expect("link", Level::Warn, &["Gen2 x1", "x2 at 5.0 GT/s"]);
    tree.device("current_link_width", "2");
    tree.device("current_link_speed", "2.5 GT/s PCIe");
    tree.expect("link", Level::Warn, &["Gen1 x2"]);
    tree.write(
        "/sys/devices/pci0000:00/0000:00:01.0/max_link_speed",
        "2.5 GT/s PCIe",
    );
    tree.expect("link", Level::Info, &["all that the slot gives"]);
    // As QEMU says it of what has no link.
    tree.device("max_link_speed", "Unknown");
    assert!(tree
        .findings()
        .iter()
        .all(|finding| finding.check != "link"));
}

#[test]
fn iommu_off_or_identity() {
    let tree = Tree::healthy("iommu");
    tree.write("/sys/kernel/iommu_groups/3/type", "identity");
    tree.expect("iommu", Level::Info, &["identity", "iommu=pt"]);
    tree.remove(&format!("{DEVICE}/iommu_group"));
    tree.expect("iommu", Level::Info, &["no IOMMU", "intel_iommu=on"]);
}

#[test]
fn exit_status_and_json() {
    let tree = Tree::healthy("json");
    let run = |device: Option<&str>| {
        let findings = examine(&System::at(&tree.0), &tree.member(), device);
        findings
            .and_then(|findings| verdict(&findings))
            .map_err(|failure| failure.code)
    };
    assert_eq!(run(None), Ok(()));
    for name in ["0", "ax650-0", "/dev/ax650-0", "0000:01:00.0", "01:00.0"] {
        assert_eq!(run(Some(name)), Ok(()), "{name}");
    }
    assert_eq!(run(Some("1")), Err(3));
    tree.device("current_link_width", "1");
    assert_eq!(run(None), Err(WARNINGS));
    tree.device("state", "dead");
    assert_eq!(run(None), Err(PROBLEMS));
    let value: Value = serde_json::from_str(&report(&tree.findings(), true)).unwrap();
    assert_eq!(value["healthy"], false);
    let first = &value["findings"][0];
    assert_eq!(
        (&first["check"], &first["level"]),
        (&json!("card"), &json!("ok"))
    );
    assert!(first["remedy"].is_null());
}
