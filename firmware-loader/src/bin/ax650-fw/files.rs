// SPDX-License-Identifier: MIT OR Apache-2.0

//! `pack`, `extract` and `manifest`.

use crate::{
    cli::{Extract, ManifestArguments, Pack},
    inspect::open,
    standard, Failure, Meter,
};
use ax650_command::interrupt::Interruptible;
use ax650_firmware::{
    write_atomically, Content, FixedText, Manifest, Result, Sample, MANIFEST_NAME,
};
use std::{io::Write, path::Path, process::ExitCode};

/// Version of what has neither a manifest nor one given.
const UNNAMED: &str = "V0.0.0";

fn content(arguments: &Pack) -> Result<Content> {
    let mut content = match (&arguments.directory, arguments.sample) {
        (_, Some(sample)) => Sample::from(sample).content(),
        (directory, None) => {
            let directory = directory.as_deref().unwrap_or(Path::new("."));
            let beside = directory.join(MANIFEST_NAME);
            let manifest = match &arguments.manifest {
                Some(path) => Manifest::read(path)?,
                None if beside.exists() => Manifest::read(&beside)?,
                None => Manifest::real(UNNAMED),
            };
            manifest.content(directory)?
        }
    };
    if let Some(version) = &arguments.set_version {
        content.version = FixedText::new("version", version)?;
    }
    Ok(content)
}

pub fn pack(arguments: &Pack, quiet: bool) -> Result<ExitCode, Failure> {
    let content = content(arguments)?;
    let mut meter = Meter::new("packing", quiet);
    let mut size = 0;
    write_atomically(&arguments.output, arguments.force, |file| {
        let header =
            ax650_firmware::pack(&content, &mut Interruptible(file), &mut |done, total| {
                meter.bytes(done, total);
            })?;
        size = header.size;
        Ok(())
    })?;
    drop(meter);
    if !quiet {
        let output = arguments.output.display();
        writeln!(standard::output()?, "{output}: {size} bytes")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes a container apart, unless its digest is wrong.
pub fn extract(arguments: &Extract, quiet: bool) -> Result<ExitCode, Failure> {
    let (mut file, container) = open(&arguments.file)?;
    let mut meter = Meter::new("checking", quiet);
    container.verify(&mut Interruptible(&mut file), &mut |done, total| {
        meter.bytes(done, total)
    })?;
    drop(meter);
    let mut meter = Meter::new("extracting", quiet);
    let manifest = ax650_firmware::extract(
        &container,
        &mut Interruptible(&mut file),
        &arguments.output,
        arguments.force,
        &mut |done, total| meter.bytes(done, total),
    )?;
    drop(meter);
    if !quiet {
        let mut out = standard::output()?;
        let files = manifest.records.iter().map(|record| record.file.as_str());
        for file in files.chain([MANIFEST_NAME]) {
            writeln!(out, "{}", arguments.output.join(file).display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn manifest(arguments: &ManifestArguments) -> Result<ExitCode, Failure> {
    let manifest = Manifest::real(&arguments.set_version);
    manifest.content(Path::new("."))?;
    standard::output()?.write_all(manifest.to_toml().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
