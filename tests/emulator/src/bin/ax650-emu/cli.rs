// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use ax650_emu::card::CardOptions;
use ax650_emu::function::{Bar4, Subsystem};
use ax650_emu::switches::ServiceSwitches;
use clap::{Parser, ValueEnum};

/// Emulated AX650N PCIe card, served to QEMU over vfio-user.
///
/// Start it, then start QEMU (10.1 or later) with guest memory that can be shared, and with the card
/// at a PCIe root port:
///
///   qemu-system-x86_64 -machine q35,memory-backend=ram \
///     -object memory-backend-memfd,id=ram,size=2G,share=on -m 2G \
///     -device pcie-root-port,id=rp0,slot=1,chassis=1 \
///     -device '{"driver":"vfio-user-pci","bus":"rp0","socket":{"type":"unix","path":"SOCKET"}}' ...
///
/// The card keeps running when QEMU ends and serves the next one; SIGTERM, SIGINT or the control
/// command "quit" end it.  docs/emulator.md tells about the control socket and the fault switches.
///
/// Several cards are several of these programs, each with a socket and a root port of its own.
///
/// Exit status: 0 ended on request, 1 something failed, 2 wrong command line.
#[derive(Debug, Parser)]
#[command(name = "ax650-emu", version, verbatim_doc_comment)]
pub struct Cli {
    /// vfio-user socket to serve the card on
    #[arg(long, value_name = "PATH")]
    pub socket: PathBuf,

    /// Control socket: JSON lines, any number of clients
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// The id that the card calls itself, whatever the host calls it
    ///
    /// On a card it is the bus number that its endpoint has captured.  vfio-user does not tell bus
    /// numbers; without this option the card takes the id that the host addresses it by in its
    /// messages, and 1 before the first of them.
    #[arg(long, value_name = "N")]
    pub card_id: Option<u8>,

    /// Size of BAR4: 1M, or 16M with Resizable BAR
    #[arg(
        long,
        value_name = "SIZE",
        value_enum,
        ignore_case = true,
        default_value = "1M"
    )]
    pub bar4: Bar4Size,

    /// Card memory, as 8G or 4096M; all but 1152 MiB of it is CMM.  Host memory is used as needed
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "8G")]
    pub memory: u64,

    /// Subsystem vendor and device id, in hexadecimal
    #[arg(long, value_name = "V:D", value_parser = subsystem, default_value = "1f4b:0650")]
    pub subsystem: Subsystem,

    /// Directory with ONNX models, for models that the host loads by name or digest
    #[cfg(feature = "service")]
    #[arg(long, value_name = "DIR")]
    pub model_dir: Option<PathBuf>,

    /// Time that Linux on the card takes to boot
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    pub boot_delay_ms: u64,

    /// Version of the card's software, which its property queries show; V2... beats as V2 does
    #[arg(long, value_name = "VERSION", default_value = "V3.10.2_20251215140224")]
    pub firmware: String,

    /// Slots of the doorbell mailbox
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub mailbox_slots: u8,

    /// Give the host no time between the flag of handshake step 0 and its parameters
    ///
    /// A host whose order is right does not need any.
    #[arg(long)]
    pub strict: bool,

    /// Run an echo in place of the card's service: hardware tests only
    #[arg(long)]
    pub echo: bool,

    /// Log level: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: log::LevelFilter,

    /// Set a fault switch; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub switch: Vec<String>,

    /// Write counters, faults and images to this file at the end, as JSON
    ///
    /// The file is made at the start, so that a place where it cannot be made is known at once.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Values of `--bar4`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Bar4Size {
    /// 1 MiB
    #[value(name = "1M")]
    Small,
    /// 16 MiB
    #[value(name = "16M")]
    Large,
}

impl Cli {
    #[cfg(feature = "service")]
    fn service_switches(&self) -> ServiceSwitches {
        if self.echo {
            &[]
        } else {
            ax650_emu_daemon::SWITCHES
        }
    }

    #[cfg(not(feature = "service"))]
    fn service_switches(&self) -> ServiceSwitches {
        &[]
    }

    /// How to make the card.
    pub fn card_options(&self) -> CardOptions {
        CardOptions {
            card_id: self.card_id,
            bar4: match self.bar4 {
                Bar4Size::Small => Bar4::Small,
                Bar4Size::Large => Bar4::Large,
            },
            memory: self.memory,
            subsystem: self.subsystem,
            boot_delay: Duration::from_millis(self.boot_delay_ms),
            mailbox_slots: usize::from(self.mailbox_slots),
            strict: self.strict,
            heartbeat_v2: self.firmware.starts_with("V2"),
            service_switches: self.service_switches(),
            ..CardOptions::default()
        }
    }
}

fn memory(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        _ => return Err("a size is a number with M or G, as 8G".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|e| format!("{e}"))?;
    let size = number.checked_mul(1 << shift).ok_or("too large")?;
    let least = 2 << 30;
    let most = 64 << 30;
    if !(least..=most).contains(&size) {
        return Err("a card has 2G to 64G".to_owned());
    }
    Ok(size)
}

fn subsystem(text: &str) -> Result<Subsystem, String> {
    let (vendor, device) = text
        .split_once(':')
        .ok_or("two numbers with a colon between them")?;
    let number =
        |digits: &str| u16::from_str_radix(digits, 16).map_err(|e| format!("{digits}: {e}"));
    Ok(Subsystem {
        vendor: number(vendor)?,
        device: number(device)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn manual_page_is_up_to_date() {
        ax650_test_docs::manual_page(Cli::command(), "ax650-emu", "");
    }

    #[test]
    fn values() {
        let cli = Cli::parse_from([
            "ax650-emu",
            "--socket",
            "s",
            "--bar4",
            "16m",
            "--memory",
            "4096M",
        ]);
        let options = cli.card_options();
        assert_eq!((options.bar4, options.memory), (Bar4::Large, 4 << 30));
        for bad in ["8", "1G", "65G", "xG", "99999999999999999999G", ""] {
            assert!(memory(bad).is_err(), "{bad}");
        }
        assert_eq!(subsystem("1f4b:0650"), Ok(Subsystem::default()));
        for bad in ["1f4b", "1f4b:", "x:1", "10000:1"] {
            assert!(subsystem(bad).is_err(), "{bad}");
        }
    }
}
