// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line.

use ax650_command::failure::exit_codes_help;
use ax650_firmware::Sample;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Inspect, check, pack and boot firmware of AX650N accelerator cards
#[derive(Debug, Parser)]
#[command(
    name = "ax650-fw",
    version,
    after_help = exit_codes_help(true)
)]
pub struct Cli {
    /// Print nothing but errors and what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is in a container
    Inspect(Inspect),
    /// Check containers: structure and digest
    Verify(Verify),
    /// Make a container
    Pack(Pack),
    /// Take a container apart
    Extract(Extract),
    /// Print a manifest with the layout of real firmware, to start from
    Manifest(ManifestArguments),
    /// Boot a card with the installed firmware and wait until it runs
    Boot(Boot),
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// The container
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The containers
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Pack {
    /// Directory with the images, and mostly a manifest.toml
    #[arg(required_unless_present = "sample", conflicts_with = "sample")]
    pub directory: Option<PathBuf>,
    /// The container to make
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Manifest, if it is not manifest.toml in the directory
    #[arg(short, long, value_name = "FILE", conflicts_with = "sample")]
    pub manifest: Option<PathBuf>,
    /// Version of the firmware, instead of that in the manifest
    #[arg(long, value_name = "VERSION")]
    pub set_version: Option<String>,
    /// Pack meaningless bytes in the layout of real firmware, for the emulated card
    #[arg(long, value_name = "SIZE")]
    pub sample: Option<SampleSize>,
    /// Replace a file in the way
    #[arg(short, long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SampleSize {
    /// A few MiB
    Small,
    /// As large as real firmware, 155 MB
    Real,
}

impl From<SampleSize> for Sample {
    fn from(size: SampleSize) -> Self {
        match size {
            SampleSize::Small => Self::Small,
            SampleSize::Real => Self::Real,
        }
    }
}

#[derive(Debug, Args)]
pub struct Extract {
    /// The container
    pub file: PathBuf,
    /// Directory to write to, made if need be
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Replace files in the way
    #[arg(short, long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct ManifestArguments {
    /// Version of the firmware
    #[arg(long, value_name = "VERSION", default_value = "V1.0.0")]
    pub set_version: String,
}

#[derive(Debug, Args)]
pub struct Boot {
    /// Card: index (0), node (/dev/ax650-0) or PCI address (0000:01:00.0); default: the first
    #[arg(value_name = "CARD")]
    pub card: Option<String>,
    /// The same as an option, as ax650 has it
    #[arg(
        short,
        long,
        value_name = "CARD",
        env = "AX650_DEVICE",
        hide_env_values = true
    )]
    pub device: Option<String>,
    /// Do nothing if the card runs
    #[arg(long)]
    pub if_needed: bool,
    /// How long to wait until the card runs
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub timeout: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn exit_status_of_the_manual_page_is_up_to_date() {
        let text = ax650_command::failure::exit_codes_roff(true);
        ax650_test_docs::manual_section("ax650-fw", ".SH \"EXIT STATUS\"", &text);
    }

    #[test]
    fn completions_are_up_to_date() {
        ax650_test_docs::completions(Cli::command(), "ax650-fw");
    }
}
