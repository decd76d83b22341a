// SPDX-License-Identifier: MIT OR Apache-2.0

//! QEMU's command line.
//!
//! TCG on purpose: not every machine that has /dev/kvm can use it, and the results are to be the
//! same everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, Context, Result};

use crate::arch::Arch;
use crate::device_tree;
use crate::kernel::Kernel;
use crate::profile::Iommu;

/// Where the guest's first serial line goes.
pub enum Console {
    /// to a socket on which the harness listens
    Socket(PathBuf),
    /// to the terminal
    Terminal,
}

/// A port that guest programs find by its name below /sys/class/virtio-ports.
pub struct Port {
    /// its name
    pub name: &'static str,
    /// the socket on which the harness listens
    pub socket: PathBuf,
}

/// A machine to be started.
pub struct Machine {
    /// its architecture
    pub arch: Arch,
    /// which kernel this is
    pub kernel: Kernel,
    /// its image
    pub vmlinuz: PathBuf,
    /// initramfs
    pub initrd: PathBuf,
    /// more words for the kernel command line
    pub append: String,
    /// MiB
    pub memory: u32,
    /// what translates the card's addresses
    pub iommu: Iommu,
    /// sockets of the cards, one port each
    pub cards: Vec<PathBuf>,
    /// these are ports of one switch, not root ports
    pub switch: bool,
    /// first serial line
    pub console: Console,
    /// virtio ports
    pub ports: Vec<Port>,
    /// directory that the guest mounts over 9p on /mnt/share
    pub share: Option<PathBuf>,
    /// socket for the monitor
    pub monitor: PathBuf,
    /// device tree in place of the machine's own
    pub device_tree: Option<PathBuf>,
}

/// Milliseconds that QEMU waits for the emulated card, with the whole guest stopped, before it takes it for
/// gone.  Not a time of the protocol: a busy machine may leave the card without a CPU for seconds.
const CARD_TIMEOUT_MS: u32 = 30_000;

/// Returns the `device_add` arguments (and `-device` argument) of a card.
pub fn card_device(index: usize, socket: &Path) -> serde_json::Value {
    serde_json::json!({
        "driver": "vfio-user-pci",
        "id": format!("card{index}"),
        "bus": format!("rp{index}"),
        "socket": {"type": "unix", "path": socket},
        "x-msg-timeout": CARD_TIMEOUT_MS,
    })
}

/// Slot of the port above the switch; the cards have those from 1 on.
const ROOT_SLOT: u8 = 100;

/// Escapes a path for use in a comma-separated option.
fn option(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

impl Machine {
    /// Returns the command that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.arch.qemu());
        command.args(self.arguments());
        command
    }

    /// What there is in any case: CPUs, memory, the IOMMU.
    fn basics(&self) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| args.extend(words.iter().map(|&w| w.to_owned()));
        add(&["-name", "ax650-guest", "-nodefaults", "-display", "none"]);
        add(self.arch.machine());
        add(&["-accel", "tcg,thread=multi", "-smp", "2"]);
        add(&["-m", &format!("{}M", self.memory)]);
        // The card reaches the guest's memory through this file.
        add(&[
            "-object",
            &format!("memory-backend-memfd,id=ram,size={}M,share=on", self.memory),
        ]);
        if self.iommu == Iommu::On {
            // Before the devices that it translates for.
            add(&["-device", self.arch.iommu_device()]);
        }
        args
    }

    /// Has the kernel believe that devices do not see the CPU's caches: `file` is made the machine's
    /// device tree, without the words that say they do.
    pub fn hide_coherence(&mut self, file: &Path) -> Result<()> {
        let mut command = Command::new(self.arch.qemu());
        command
            .args(self.basics())
            .args(["-machine", &format!("dumpdtb={}", option(file))]);
        let output = command.output().context("cannot run QEMU")?;
        if !output.status.success() {
            bail!(
                "QEMU does not tell its device tree: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let tree = std::fs::read(file).with_context(|| format!("no {}", file.display()))?;
        let tree = device_tree::rename_property(&tree, "dma-coherent", "dma-coherenT")?;
        std::fs::write(file, tree).with_context(|| format!("cannot write {}", file.display()))?;
        self.device_tree = Some(file.to_owned());
        Ok(())
    }

    fn arguments(&self) -> Vec<String> {
        let mut args = self.basics();
        let mut add = |words: &[&str]| args.extend(words.iter().map(|&w| w.to_owned()));
        if let Some(tree) = &self.device_tree {
            add(&["-dtb", &tree.display().to_string()]);
        }
        add(&[
            "-qmp",
            &format!("unix:{},server=on,wait=off", option(&self.monitor)),
        ]);
        add(&["-kernel", &self.vmlinuz.display().to_string()]);
        add(&["-initrd", &self.initrd.display().to_string()]);
        if let Some(share) = &self.share {
            let share = option(share);
            add(&[
                "-virtfs",
                &format!("local,path={share},mount_tag=share,security_model=none"),
            ]);
        }
        match &self.console {
            Console::Socket(path) => {
                let socket = format!("socket,id=console,path={},server=off", option(path));
                add(&["-chardev", &socket, "-serial", "chardev:console"]);
            }
            Console::Terminal => {
                add(&["-chardev", "stdio,id=console,mux=on,signal=off"]);
                add(&["-serial", "chardev:console", "-mon", "chardev=console"]);
            }
        }
        if !self.ports.is_empty() {
            add(&["-device", "virtio-serial-pci,id=ports"]);
        }
        for (index, port) in self.ports.iter().enumerate() {
            let nr = index + 1;
            let socket = format!(
                "socket,id=port{nr},path={},server=off",
                option(&port.socket)
            );
            let device = format!(
                "virtserialport,bus=ports.0,nr={nr},chardev=port{nr},name={}",
                port.name
            );
            add(&["-chardev", &socket, "-device", &device]);
        }
        if self.switch {
            let root = format!("pcie-root-port,id=root,slot={ROOT_SLOT},chassis=1");
            add(&["-device", &root]);
            add(&["-device", "x3130-upstream,id=switch,bus=root"]);
        }
        for (index, socket) in self.cards.iter().enumerate() {
            let kind = if self.switch {
                "xio3130-downstream,bus=switch"
            } else {
                "pcie-root-port"
            };
            let port = format!("{kind},id=rp{index},slot={},chassis=1", index + 1);
            add(&[
                "-device",
                &port,
                "-device",
                &card_device(index, socket).to_string(),
            ]);
        }
        add(&["-append", &self.kernel_command_line()]);
        args
    }

    fn kernel_command_line(&self) -> String {
        let mut line = format!(
            "{} {} panic=-1 oops=panic sysrq_always_enabled",
            self.arch.kernel_words(),
            self.arch.iommu_words(self.iommu)
        );
        if self.kernel == Kernel::Debug {
            // slab_debug=F turns off the allocator's per-CPU arrays of free objects, whose stale
            // pointers hide leaks from kmemleak.
            line.push_str(" kasan_multi_shot kmemleak=on slab_debug=F");
        }
        if self.share.is_none() {
            line.push_str(" ax650.share=no");
        }
        if !self.append.is_empty() {
            line.push(' ');
            line.push_str(&self.append);
        }
        line
    }
}
