// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cards on the PCI bus: there, driven, up, linked, fenced in.

use ax650::explain_last_error;
use nix::errno::Errno;

use super::Finding;
use crate::host::{PciCard, System, DRIVER};

/// Cards beat at least every 9 s [rpc 6]; the driver calls one suspect by the interval that it announces.
const HEARTBEAT_LIMIT_MS: u64 = 20_000;

/// Returns the cards' nodes in `/dev`.
pub fn nodes(system: &System) -> Vec<String> {
    system
        .entries("/dev")
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .filter(|name| name.starts_with("ax650-"))
        .map(|name| format!("/dev/{name}"))
        .collect()
}

/// Checks whether there are cards.
pub fn presence(system: &System, cards: &[PciCard]) -> Finding {
    let nodes = nodes(system);
    match cards {
        [] if !nodes.is_empty() => Finding::info(
            "card",
            format!(
                "{}; this system does not show its PCI bus (a container?), so little can be checked",
                nodes.join(", ")
            ),
        ),
        [] => Finding::fail("card", "no PCI device 1f4b:0650").remedy(
            "is the card seated and has it power? `lspci -d 1f4b:` must show it; \
             `echo 1 | sudo tee /sys/bus/pci/rescan` looks again; a virtual machine must be given it",
        ),
        cards => {
            let addresses: Vec<_> = cards.iter().map(|card| card.address.as_str()).collect();
            Finding::ok("card", format!("on the PCI bus: {}", addresses.join(", ")))
        }
    }
}

/// Checks whether a card has our driver.
pub fn driver(system: &System, card: &PciCard) -> Finding {
    let address = &card.address;
    let bind = format!("`echo {address} | sudo tee /sys/bus/pci/drivers/{DRIVER}/bind`");
    match card.driver.as_deref() {
        Some(DRIVER) => match card.index {
            Some(index) => Finding::ok("driver", format!("{address} is /dev/ax650-{index}")),
            None => Finding::fail("driver", format!("{address} has its driver, but no node"))
                .remedy("see the kernel log"),
        },
        Some(other) => {
            let guest = match other {
                "vfio-pci" => ": it is set aside for a virtual machine",
                _ => "",
            };
            Finding::fail("driver", format!("{address} is bound to {other}{guest}")).remedy(
                format!(
                    "`echo {address} | sudo tee /sys/bus/pci/drivers/{other}/unbind`, \
                 `echo | sudo tee /sys/bus/pci/devices/{address}/driver_override`, then {bind}"
                ),
            )
        }
        None if system.driver_version().is_some() => Finding::fail(
            "driver",
            format!("{address} has no driver, although the module is loaded"),
        )
        .remedy(format!("see the kernel log for why; {bind}")),
        None => Finding::fail("driver", format!("{address} has no driver"))
            .remedy("load the module, see above"),
    }
}

/// Checks whether a card is up.
pub fn state(card: &PciCard) -> Option<Finding> {
    let name = card.name();
    let reset = format!("`sudo ax650 reset -d {name}`");
    let state = card.state.as_deref()?;
    let firmware = card.firmware.as_deref().unwrap_or("version not known");
    Some(match (state, card.heartbeat_ms) {
        ("running", Some(ms)) if ms > HEARTBEAT_LIMIT_MS => Finding::warn(
            "state",
            format!("{name} was last heard of {} s ago", ms / 1000),
        )
        .remedy(format!(
            "see the kernel log; {reset} if it does not recover"
        )),
        ("running", _) => Finding::ok("state", format!("{name} runs, firmware {firmware}")),
        ("dead", _) => {
            let errno = card.last_error.map(Errno::from_raw);
            let why = explain_last_error(&name, errno);
            Finding::fail("state", format!("{name} is dead: {why}")).remedy(reset)
        }
        ("loader", _) => Finding::fail("state", format!("{name} waits in its loader"))
            .remedy(format!("{reset} boots it")),
        ("gone", _) => Finding::fail("state", format!("{name} does not answer on the bus"))
            .remedy("power the machine off and on; is the card seated and cooled?"),
        (other, _) => Finding::warn("state", format!("{name} is not up: {other}"))
            .remedy("look again in a minute"),
    })
}

/// Checks whether a card's link is as good as it could be.
pub fn link(card: &PciCard) -> Option<Finding> {
    let (now, most) = (card.link?, card.link_max?);
    let slot = card.slot_max.unwrap_or(most);
    let name = card.name();
    let best = (most.width.min(slot.width), most.speed.min(slot.speed));
    Some(if now.width < best.0 || now.speed < best.1 {
        Finding::warn(
            "link",
            format!(
                "{name} has {now}, but x{} at {:.1} GT/s could be had: copies are slow",
                best.0, best.1
            ),
        )
        .remedy("seat the card anew, look at riser, cable and the firmware's PCIe settings")
    } else if best.0 < most.width || best.1 < most.speed {
        Finding::info(
            "link",
            format!("{name} has {now}, all that the slot gives; the card could do {most}"),
        )
        .remedy("a wider or faster slot makes copies faster")
    } else {
        Finding::ok("link", format!("{name} has {now}"))
    })
}

/// Checks whether a card can touch memory that it was not given.
pub fn iommu(card: &PciCard) -> Finding {
    let name = card.name();
    let risk = "a faulty card, or firmware that is not what it seems, can write anywhere in memory";
    let remedy = "enable it in the machine's firmware (VT-d, AMD-Vi, SMMU); on Intel also boot with intel_iommu=on";
    match card.iommu.as_deref() {
        None => Finding::info("iommu", format!("{name} is behind no IOMMU: {risk}")).remedy(remedy),
        Some("identity") => Finding::info(
            "iommu",
            format!("the IOMMU lets {name} through (identity): {risk}"),
        )
        .remedy("boot without iommu=pt"),
        Some(_) => Finding::ok("iommu", format!("{name} is behind an IOMMU")),
    }
}
