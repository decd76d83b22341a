// SPDX-License-Identifier: MIT OR Apache-2.0

//! `inspect` and `verify`.

use crate::{
    cli::{Inspect, Verify},
    standard, tell, Failure, Meter,
};
use ax650_command::interrupt::{self, Interruptible};
use ax650_firmware::{Container, Error, Integrity, Report, Result};
use serde::Serialize;
use std::{fs::File, io::Write, path::Path, process::ExitCode};

/// Opens a container; errors carry the file's name.
pub fn open(path: &Path) -> Result<(File, Container)> {
    let named = |source| Error::File {
        path: path.into(),
        source,
    };
    let mut file = File::open(path).map_err(named)?;
    if file.metadata().map_err(named)?.is_dir() {
        return Err(named(std::io::ErrorKind::IsADirectory.into()));
    }
    let container = Container::read(&mut file).map_err(|error| error.within(path))?;
    Ok((file, container))
}

fn scan(path: &Path, quiet: bool) -> Result<(Container, Report)> {
    let (mut file, container) = open(path)?;
    let mut meter = Meter::new("reading", quiet);
    let report = container
        .scan(&mut Interruptible(&mut file), &mut |done, total| {
            meter.bytes(done, total)
        })
        .map_err(|error| error.within(path))?;
    Ok((container, report))
}

/// Shows a container also if only its digest is wrong, but not with success.
pub fn inspect(arguments: &Inspect, quiet: bool) -> Result<ExitCode, Failure> {
    let (container, report) = scan(&arguments.file, quiet)?;
    let verdict = container.check(&report);
    let text = if arguments.json {
        json(&container, &report, verdict.is_ok())
    } else {
        table(&container, &report)
    };
    standard::output()?.write_all(text.as_bytes())?;
    verdict
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| error.within(&arguments.file).into())
}

pub fn verify(arguments: &Verify, quiet: bool) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.files {
        let result =
            scan(path, quiet).and_then(|(container, report)| match container.check(&report) {
                Ok(()) => Ok(container),
                Err(error) => Err(error.within(path)),
            });
        match result {
            Ok(container) if !quiet => {
                let (path, summary) = (path.display(), summary(&container));
                writeln!(standard::output()?, "{path}: OK, {summary}")?;
            }
            Ok(_) => {}
            Err(error) if interrupt::is_pending() => return Err(error.into()),
            Err(error) => {
                tell(&error.into());
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Returns product, version and what else is worth a glance.
pub fn summary(container: &Container) -> String {
    let header = &container.header;
    format!(
        "{} {}, {} bytes, {} records, integrity {}",
        header.product,
        header.version,
        header.size,
        container.records.len(),
        header.integrity.name()
    )
}

fn table(container: &Container, report: &Report) -> String {
    let mut lines = vec![summary(container)];
    let stated = &container.header.integrity;
    if *stated != Integrity::None {
        let verdict = match container.check(report) {
            Ok(()) => "correct".into(),
            Err(_) => format!("WRONG, content has {}", report.computed.digits()),
        };
        lines.push(format!("{} {}: {verdict}", stated.name(), stated.digits()));
    }
    lines.push(format!(
        "{:>2}  {:<10} {:<6} {:>11} {:>12}  {:<12} {:<9} {}",
        "#", "ID", "TYPE", "OFFSET", "SIZE", "DESTINATION", "CRC-32", "FILE"
    ));
    let records = container.records.iter().zip(&report.crc32).enumerate();
    lines.extend(records.map(|(index, (record, crc32))| {
        format!(
            "{index:>2}  {:<10} {:<6} {:>11} {:>12}  {:<#12x} {crc32:08x}  {}",
            record.id, record.kind, record.offset, record.size, record.destination, record.name
        )
    }));
    lines.join("\n") + "\n"
}

#[derive(Serialize)]
struct JsonContainer {
    product: String,
    version: String,
    size: u64,
    integrity: &'static str,
    digest: String,
    digest_computed: String,
    digest_ok: bool,
    records: Vec<JsonRecord>,
}

#[derive(Serialize)]
struct JsonRecord {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    file: String,
    offset: u64,
    size: u64,
    destination: u64,
    block_size: u64,
    partition: String,
    flags: u32,
    select: u32,
    crc32: u32,
}

fn json(container: &Container, report: &Report, digest_ok: bool) -> String {
    let records = container.records.iter().zip(&report.crc32);
    let records = records.map(|(record, &crc32)| JsonRecord {
        id: record.id.to_string(),
        kind: record.kind.to_string(),
        file: record.name.to_string(),
        offset: record.offset,
        size: record.size,
        destination: record.destination,
        block_size: record.block_size,
        partition: record.partition.to_string(),
        flags: record.flags,
        select: record.select,
        crc32,
    });
    let header = &container.header;
    let json = JsonContainer {
        product: header.product.to_string(),
        version: header.version.to_string(),
        size: header.size,
        integrity: header.integrity.name(),
        digest: header.integrity.digits(),
        digest_computed: report.computed.digits(),
        digest_ok,
        records: records.collect(),
    };
    serde_json::to_string_pretty(&json).expect("numbers and strings are JSON") + "\n"
}
