// SPDX-License-Identifier: MIT OR Apache-2.0

//! What differs between the architectures that guests have: compilers, the machine, the names of
//! things on the kernel's command line.

use crate::profile::{Iommu, Profile};

/// Architecture of a guest, by Debian's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Arch {
    /// x86-64: the rig's own
    Amd64,
    /// 64-bit Arm: cross-built, and emulated like all guests
    Arm64,
}

/// Cases that are run for arm64 if none are named: what the architecture can break, in minutes.
const ARM64_CASES: &[&str] = &[
    "host/*",
    "boot/*",
    "jobs/*",
    "buffers/*",
    "abi/*",
    "axcl_runtime/*",
    "engine/*",
    "codec/*",
    "reset/*",
    "unplug/*",
];

impl Arch {
    /// Returns the name that the scripts of tests/env know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Begins the names of its cases, and of things made for it.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Amd64 => "",
            Self::Arm64 => "arm64-",
        }
    }

    /// Returns the patterns of the cases to run when none are given; none: all.
    pub fn usual_cases(self) -> &'static [&'static str] {
        match self {
            Self::Amd64 => &[],
            Self::Arm64 => ARM64_CASES,
        }
    }

    /// Returns what cargo calls the architecture.
    pub fn triple(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Returns what cargo must know besides.
    pub fn cargo_environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Amd64 => &[],
            Self::Arm64 => &[
                (
                    "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
                    "aarch64-linux-gnu-gcc",
                ),
                (
                    "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
                    "qemu-aarch64 -L /usr/aarch64-linux-gnu",
                ),
            ],
        }
    }

    /// Runs one of its programs on this machine: the words before the program's own.
    pub fn runner(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => None,
            Self::Arm64 => Some("qemu-aarch64"),
        }
    }

    /// Returns the C compiler for it, if it is not this machine's own.
    pub fn compiler(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => None,
            Self::Arm64 => Some("aarch64-linux-gnu-gcc"),
        }
    }

    /// Strips its modules.
    pub fn strip(self) -> &'static str {
        match self {
            Self::Amd64 => "strip",
            Self::Arm64 => "aarch64-linux-gnu-strip",
        }
    }

    /// Emulates a whole machine.
    pub fn qemu(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-system-x86_64",
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    /// Returns QEMU's arguments that say which machine, without its memory and devices.
    pub fn machine(self) -> &'static [&'static str] {
        match self {
            Self::Amd64 => &[
                "-machine",
                "q35,memory-backend=ram,kernel-irqchip=split",
                // With 5-level page tables KASAN now and then reports a wild access at boot, falsely.
                "-cpu",
                "max,la57=off",
                // Hotplug by pciehp, as on a real slot; q35 would rather use ACPI.
                "-global",
                "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
            ],
            Self::Arm64 => &[
                "-machine",
                "virt,memory-backend=ram,gic-version=3",
                // The architecture's own pointer authentication is slow to emulate.
                "-cpu",
                "max,pauth-impdef=on",
            ],
        }
    }

    /// Returns whether there is such a machine.
    pub fn has_machine(self, profile: &Profile) -> bool {
        self == Self::Arm64 || !profile.noncoherent
    }

    /// Returns the device that translates addresses; it goes before those it translates for.
    pub fn iommu_device(self) -> &'static str {
        match self {
            Self::Amd64 => "intel-iommu,intremap=on,caching-mode=on",
            // QEMU's SMMUv3 does not tell vfio-user devices of mappings ("requires iommu MAP
            // notifier").  Above the driver of the IOMMU the kernel does the same for both.  Its place
            // on the bus is in the device tree.  Without a driver nothing is let through: QEMU would map all
            // memory for a card that is being removed, and give up if its process is dead.
            Self::Arm64 => "virtio-iommu-pci,addr=1e.0,boot-bypass=off",
        }
    }

    /// Words for the kernel: its console, and what keeps it from complaining of a busy host.
    pub fn kernel_words(self) -> &'static str {
        match self {
            // The kernel's check of the timer interrupt fails on a host that is too busy to deliver
            // it, as does the check of the time stamp counter by another clock.
            Self::Amd64 => "console=ttyS0 no_timer_check tsc=reliable",
            // An empty slot is put to sleep, and QEMU's ports do not wake up when a card is plugged.
            Self::Arm64 => "console=ttyAMA0 pcie_port_pm=off",
        }
    }

    /// Returns the name of the way in which the card's addresses are translated.
    pub fn iommu_words(self, iommu: Iommu) -> &'static str {
        match (self, iommu) {
            (Self::Amd64, Iommu::On) => "intel_iommu=on iommu.passthrough=0 iommu.strict=1",
            (Self::Amd64, Iommu::Off) => "intel_iommu=off",
            (Self::Amd64, Iommu::Swiotlb) => "intel_iommu=off swiotlb=force",
            (Self::Arm64, Iommu::On) => "iommu.passthrough=0 iommu.strict=1",
            (Self::Arm64, Iommu::Off) => "",
            // 128 MiB: without a number, or with the usual one, the kernel makes do with a MiB in a
            // machine this small.
            (Self::Arm64, Iommu::Swiotlb) => "swiotlb=65536,force",
        }
    }
}
