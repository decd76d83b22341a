// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's `proc` and `sys` files.  Their forms are those that the host's parsers look for
//! [rpc 4.2]; all numbers are the state of the emulated card.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use ax650_emu_api::CmmBlock;
use sha2::{Digest, Sha256};

use crate::machine::card::{Card, CPU_CORES};
use crate::machine::npu::CORES;

const CLOCK_DIR: &str = "/sys/devices/system/cpu/cpufreq/policy0/";

/// What the card's Linux calls itself.  No real card's was seen: these are of the right form.
pub(super) const SYSTEM: &str = "Linux";
pub(super) const HOST_NAME: &str = "ax650";
pub(super) const RELEASE: &str = "5.15.73";
pub(super) const MACHINE: &str = "aarch64";

/// The card's root file system, KiB, and what of it is free.
pub(super) const ROOT_KIB: u64 = 253_871;
pub(super) const FREE_ROOT_KIB: u64 = 101_004;

/// CPU clocks that can be set, kHz.
const CLOCKS: [u32; 3] = [1_200_000, 1_400_000, 1_700_000];

/// Memory that Linux and the daemon take of that, KiB; what sessions add to it is little.
const SYSTEM_KIB: u64 = 186_000;

/// The text of the file `path`.
pub(super) fn read(card: &Card, path: &str) -> Option<String> {
    if let Some(name) = path.strip_prefix("/proc/ax_proc/") {
        return ax_proc(card, name);
    }
    if let Some(name) = path.strip_prefix(CLOCK_DIR) {
        return match name {
            "scaling_cur_freq" | "scaling_setspeed" => {
                Some(format!("{}\n", card.clock.load(Ordering::Relaxed)))
            }
            "scaling_available_frequencies" => {
                Some(CLOCKS.map(|c| format!("{c} ")).concat() + "\n")
            }
            "scaling_governor" => Some("userspace\n".into()),
            _ => None,
        };
    }
    match path {
        "/proc/meminfo" => Some(meminfo(card)),
        "/proc/version" => Some(format!("{SYSTEM} version {RELEASE} {}\n", version(card))),
        "/proc/cpuinfo" => Some(cpuinfo()),
        "/proc/loadavg" => Some(load_line(card) + "\n"),
        "/proc/cmdline" => Some("console=ttyS0,115200n8 root=/dev/ram0 rw\n".into()),
        "/proc/mounts" => Some(
            "/dev/root / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\n\
             tmpfs /tmp tmpfs rw 0 0\n"
                .into(),
        ),
        "/etc/hostname" | "/proc/sys/kernel/hostname" => Some(format!("{HOST_NAME}\n")),
        "/proc/uptime" => {
            let up = card.boot.elapsed().as_secs_f64();
            Some(format!(
                "{up:.2} {:.2}\n",
                up * f64::from(CPU_CORES) - card.cpu.total().as_secs_f64()
            ))
        }
        "/sys/class/thermal/thermal_zone0/temp" => {
            let npu = card.npu.meter.total().as_secs_f64() / f64::from(CORES);
            let cpu = card.cpu.total().as_secs_f64() / f64::from(CPU_CORES);
            Some(format!("{}\n", card.thermal.millidegrees(npu, cpu)))
        }
        // What the host has put there.
        _ => {
            let content = card.files.get(path).ok()?;
            Some(String::from_utf8_lossy(&content).into_owned())
        }
    }
}

/// Writes to the file `path`; the error is the system's text.
pub(super) fn write(card: &Card, path: &str, text: &str) -> Result<(), &'static str> {
    if path.strip_prefix(CLOCK_DIR) != Some("scaling_setspeed") {
        return Err(if read(card, path).is_some() {
            "Permission denied"
        } else {
            "nonexistent directory"
        });
    }
    let clock: u32 = text.trim().parse().map_err(|_| "Invalid argument")?;
    // As Linux does: the lowest clock that is not below the wish.
    let clock = CLOCKS
        .into_iter()
        .find(|c| *c >= clock)
        .unwrap_or(CLOCKS[CLOCKS.len() - 1]);
    card.clock.store(clock, Ordering::Relaxed);
    Ok(())
}

fn ax_proc(card: &Card, name: &str) -> Option<String> {
    Some(match name {
        "chip_type" => format!("{}\n", card.options.chip),
        "version" => format!("Ax_Version {}\n", card.options.version),
        "uid" => format!("ax_uid: {}\n", uid(card.link.card_id())),
        "mem_cmm_info" => cmm_info(card),
        "npu/top" => npu_top(card),
        "vdec" | "venc" | "jenc" | "ivps" | "rgn" | "ive" | "pool" | "link_table" => {
            card.codec.proc_text(name)
        }
        _ => return None,
    })
}

/// A number that is the same at every boot of this card, and another on the next card.
fn uid(card: u32) -> String {
    let digest = format!("{:x}", Sha256::digest(format!("ax650-emu card {card}")));
    format!("0x{}", &digest[..16])
}

/// Memory of Linux on the card, which is what CMM leaves: total, free, and that of files, KiB.
pub(super) fn memory(card: &Card) -> (u64, u64, u64) {
    let total = card
        .link
        .dram()
        .size()
        .saturating_sub(card.link.cmm().size())
        >> 10;
    let files = (card.files.usage().1 as u64).div_ceil(1 << 10);
    let free = total.saturating_sub(SYSTEM_KIB);
    let files = files.min(free);
    (total, free - files, files)
}

/// What the kernel says of its making.
pub(super) fn version(card: &Card) -> String {
    format!("#1 SMP PREEMPT {}", card.options.version)
}

/// The kernel's load averages, running and all processes, the last process.
pub(super) fn load_line(card: &Card) -> String {
    let [one, five, fifteen] = card.load.averages(card.cpu.total().as_secs_f64());
    let (started, last) = card.processes();
    format!("{one:.2} {five:.2} {fifteen:.2} 1/{} {last}", started + 1)
}

/// The description of each core.
fn cpuinfo() -> String {
    let core = |n| {
        format!(
            "processor\t: {n}\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32\n\
             CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x2\nCPU part\t: 0xd05\n\
             CPU revision\t: 0\n\n"
        )
    };
    (0..CPU_CORES).map(core).collect()
}

fn meminfo(card: &Card) -> String {
    let (total, free, files) = memory(card);
    format!(
        "MemTotal:       {total:>8} kB\nMemFree:        {free:>8} kB\nMemAvailable:   {free:>8} kB\n\
         Buffers:        {0:>8} kB\nCached:         {files:>8} kB\n",
        0
    )
}

/// `n KiB (in words)`.
fn kib(bytes: u64) -> String {
    let kib = bytes.div_ceil(1 << 10);
    format!("{kib}KB({}MB + {}KB)", kib >> 10, kib & 1023)
}

fn cmm_info(card: &Card) -> String {
    let cmm = card.link.cmm();
    let blocks = cmm.list();
    let used: u64 = blocks.iter().map(|b| b.size).sum();
    let mut text = String::from("--------------------SDK VERSION-------------------\n");
    let _ = writeln!(text, "[Axera version]: ax_cmm {}", card.options.version);
    let _ = writeln!(
        text,
        "+---PARTITION: Phys(0x{:X}, 0x{:X}), Size={}KB({}MB),    NAME=\"anonymous\"",
        cmm.base(),
        cmm.base() + cmm.size() - 1,
        cmm.size() >> 10,
        cmm.size() >> 20
    );
    let _ = writeln!(text, " nBlock(Max=0, Cur={}, New=0, Free=0)", blocks.len());
    for block in &blocks {
        text.push_str(&cmm_block(block));
    }
    let _ = writeln!(
        text,
        "\n---CMM_USE_INFO:\n total size={},used={},remain={},partition_number=1,block_number={}",
        kib(cmm.size()),
        kib(used),
        kib(cmm.size() - used),
        blocks.len()
    );
    text
}

fn cmm_block(block: &CmmBlock) -> String {
    format!(
        "   |-Block: phys(0x{:X}, 0x{:X}), cache =non-cacheable, length={}KB({}MB),    name=\"{}\"\n",
        block.address,
        block.address + block.size - 1,
        block.size >> 10,
        block.size >> 20,
        block.name
    )
}

fn npu_top(card: &Card) -> String {
    format!("utilization:{}%\n", card.npu.meter.percent())
}
