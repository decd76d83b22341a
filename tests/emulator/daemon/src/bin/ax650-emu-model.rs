// SPDX-License-Identifier: MIT OR Apache-2.0

//! Prepares ONNX models for the emulated card and shows what the card makes of them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ax650_emu_daemon::model::{digest, parse_group, pin, Group, Image, Network, TensorInfo};
use clap::{Parser, Subcommand};

/// Prepare ONNX models for the emulated AX650N card
#[derive(Parser)]
#[command(name = "ax650-emu-model", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write fixed shapes (shape groups) into a model
    Pin {
        /// ONNX file
        model: PathBuf,
        /// Shapes of one group; give it once per group
        #[arg(long = "group", value_name = "NAME:DxDx...[,...]", required = true, value_parser = parse_group)]
        groups: Vec<Group>,
        /// File to write
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Print inputs, outputs and shape groups as the card reports them
    Show {
        /// Model image
        model: PathBuf,
        /// Directory with models by SHA-256
        #[arg(long)]
        model_dir: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Pin {
            model,
            groups,
            output,
        } => pin_file(&model, &groups, &output),
        Command::Show { model, model_dir } => show(&model, model_dir.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ax650-emu-model: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn pin_file(model: &Path, groups: &[Group], output: &Path) -> Result<(), String> {
    let pinned = pin(&read(model)?, groups).map_err(|e| format!("{}: {e}", model.display()))?;
    std::fs::write(output, &pinned).map_err(|e| format!("{}: {e}", output.display()))?;
    println!("{}  {}", digest(&pinned), output.display());
    Ok(())
}

fn show(model: &Path, model_dir: Option<&Path>) -> Result<(), String> {
    let named = |e| format!("{}: {e}", model.display());
    let image = Image::find(read(model)?, model_dir).map_err(named)?;
    let network = Network::load(&image, 0).map_err(named)?;
    println!("sha256   {}", image.sha256);
    println!("made by  {}", network.version);
    println!("groups   {}", network.groups);
    for (kind, tensors) in [("input", &network.inputs), ("output", &network.outputs)] {
        tensors.iter().for_each(|tensor| print_tensor(kind, tensor));
    }
    Ok(())
}

fn print_tensor(kind: &str, tensor: &TensorInfo) {
    for (group, shape) in tensor.shapes.iter().enumerate() {
        let (name, format) = (&tensor.name, tensor.format);
        println!(
            "{kind:<6}  {name}  {format:?}  group {group}: {shape:?}, {} bytes",
            tensor.bytes(group)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn manual_page_is_up_to_date() {
        ax650_test_docs::manual_page(Arguments::command(), "ax650-emu-model", "");
    }
}
