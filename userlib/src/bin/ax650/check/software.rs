// SPDX-License-Identifier: MIT OR Apache-2.0

//! Kernel, module, firmware file, and other people's drivers.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ax650::FIRMWARE_NAME;
use flate2::read::GzDecoder;

use super::Finding;
use crate::host::{PciCard, System, DRIVER};

/// How deep modules may be below `/lib/modules/RELEASE`.
const DEPTH: u32 = 6;

/// Checks whether the module is loaded, and if not, why.
pub fn module(system: &System) -> Vec<Finding> {
    if let Some(version) = system.driver_version() {
        return vec![Finding::ok(
            "module",
            format!("{DRIVER} {version} is loaded").replace("  ", " "),
        )];
    }
    let release = system.release().unwrap_or_default();
    if has_module(&system.path(&format!("/lib/modules/{release}")), DEPTH) {
        let mut findings = vec![Finding::fail("module", format!("{DRIVER} is built for this kernel, but not loaded"))
            .remedy(format!("`sudo modprobe {DRIVER}`; if that fails, the kernel log tells why (Secure Boot wants signed modules)"))];
        findings.extend(blacklisted(system));
        return findings;
    }
    let others: Vec<_> = system
        .entries("/lib/modules")
        .iter()
        .filter(|directory| has_module(directory, DEPTH))
        .filter_map(|directory| Some(directory.file_name()?.to_str()?.to_owned()))
        .collect();
    let missing = if others.is_empty() {
        Finding::fail(
            "module",
            format!("{DRIVER} is not installed for the running kernel {release}"),
        )
        .remedy("install the package ax650-dkms (or ax650-kmod), see docs/packaging.md")
    } else {
        Finding::fail(
            "module",
            format!("{DRIVER} is built for {}, but not for the running kernel {release}", others.join(", ")),
        )
        .remedy(format!("`sudo dkms autoinstall -k {release}`, whose output names what is missing, or boot the other kernel"))
    };
    let mut findings = vec![missing];
    if rust(system, &release) == Some(false) {
        findings.push(
            Finding::fail(
                "kernel",
                format!(
                    "{release} is without Rust (CONFIG_RUST): the module cannot be built for it"
                ),
            )
            .remedy("use a kernel with it, for example that of Debian 13's backports"),
        );
    }
    findings
}

/// Whether a kernel's configuration has Rust; `None` if the configuration is not there.
fn rust(system: &System, release: &str) -> Option<bool> {
    let files = [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
        format!("/lib/modules/{release}/build/.config"),
        format!("/usr/src/linux-headers-{release}/.config"),
        format!("/usr/src/linux-headers-{release}/include/config/auto.conf"),
    ];
    let config = files
        .iter()
        .find_map(|file| system.read(file))
        .or_else(|| unpack(&system.path("/proc/config.gz")))?;
    Some(config.lines().any(|line| line == "CONFIG_RUST=y"))
}

/// The kernel's own copy of its configuration.
fn unpack(path: &Path) -> Option<String> {
    const LIMIT: u64 = 4 << 20;
    let mut text = String::new();
    GzDecoder::new(File::open(path).ok()?)
        .take(LIMIT)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

fn has_module(directory: &Path, depth: u32) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match entry.file_name().to_str() {
            // Some of the kernel's own thousands: ours is not among them.
            Some("build" | "source") => false,
            Some(_) if is_directory => depth > 0 && has_module(&entry.path(), depth - 1),
            Some(name) => name
                .strip_prefix(DRIVER)
                .is_some_and(|rest| [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].contains(&rest)),
            None => false,
        }
    })
}

fn blacklisted(system: &System) -> Option<Finding> {
    let files = ["/etc/modprobe.d", "/lib/modprobe.d", "/run/modprobe.d"]
        .into_iter()
        .flat_map(|directory| {
            system
                .entries(directory)
                .into_iter()
                .map(move |path| (directory, path))
        });
    for (directory, path) in files {
        let name = path.file_name()?.to_str()?.to_owned();
        let text = system
            .read(&format!("{directory}/{name}"))
            .unwrap_or_default();
        let listed = text
            .lines()
            .any(|line| line.split_whitespace().eq(["blacklist", DRIVER]));
        if listed {
            return Some(
                Finding::warn(
                    "module",
                    format!("{directory}/{name} keeps {DRIVER} from being loaded by itself"),
                )
                .remedy(format!("remove the line `blacklist {DRIVER}`")),
            );
        }
    }
    None
}

/// Checks whether Axera's own modules are in the way.
pub fn axcl(system: &System) -> Option<Finding> {
    let modules = system.read("/proc/modules").unwrap_or_default();
    let theirs: Vec<_> = modules
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with("axcl_") || name.starts_with("ax_pcie"))
        .collect();
    if theirs.is_empty() {
        return None;
    }
    let names = theirs.join(" ");
    Some(
        Finding::fail(
            "axcl",
            format!(
                "modules of Axera's driver are loaded: {names}; a card can have one driver only"
            ),
        )
        .remedy(format!(
            "remove Axera's package (axclhost), then `sudo modprobe -r {names}` or reboot"
        )),
    )
}

/// Checks whether there is firmware for the next boot.
pub fn firmware(system: &System, cards: &[PciCard]) -> Finding {
    let custom = system
        .read("/sys/module/firmware_class/parameters/path")
        .unwrap_or_default();
    let directories = directories(&custom, &system.release().unwrap_or_default());
    let found = directories
        .iter()
        .flat_map(|directory| {
            ["", ".zst", ".xz"].map(|end| format!("{directory}/{FIRMWARE_NAME}{end}"))
        })
        .find(|file| system.path(file).exists());
    match found {
        Some(file) => Finding::ok("firmware", file),
        None => {
            let message = format!(
                "there is no {}/{FIRMWARE_NAME}",
                directories.last().map_or("", |d| d)
            );
            let remedy = "install it there (it comes with Axera's host package; `ax650-fw verify FILE` checks it), \
                          then `sudo ax650 reset`";
            let running = !cards.is_empty()
                && cards
                    .iter()
                    .all(|card| card.state.as_deref() == Some("running"));
            if running {
                Finding::warn(
                    "firmware",
                    message + ": the next boot of the card will fail",
                )
                .remedy(remedy)
            } else {
                Finding::fail("firmware", message).remedy(remedy)
            }
        }
    }
}

/// Where the kernel looks, in its order.
fn directories(custom: &str, release: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !custom.is_empty() {
        found.push(custom.to_owned());
    }
    for base in ["/lib/firmware/updates", "/lib/firmware"] {
        if !release.is_empty() {
            found.push(format!("{base}/{release}"));
        }
        found.push(base.to_owned());
    }
    found
}
