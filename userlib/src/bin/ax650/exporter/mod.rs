// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 exporter`: figures for Prometheus.

mod http;
mod metrics;

use std::io::Write;
use std::net::TcpListener;

use crate::args::Exporter;
use crate::failure::{Failure, FAILURE};
use crate::host::System;
use crate::sample::Sample;
use crate::standard;

/// Prints the figures once, or serves them until interrupted.
pub fn exporter(device: Option<&str>, options: &Exporter) -> Result<(), Failure> {
    if options.once {
        let mut out = standard::output()?;
        out.write_all(page(device)?.as_bytes())?;
        return Ok(out.flush()?);
    }
    // A card that is named wrongly is not noticed at the first scrape only.
    page(device)?;
    let failed = |e| Failure::new(FAILURE, format!("{}: {e}", options.listen));
    let listener = TcpListener::bind(options.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    writeln!(standard::output()?, "http://{address}/metrics")?;
    let device = device.map(str::to_owned);
    http::serve(&listener, move || {
        page(device.as_deref()).map_err(|failure| failure.message)
    })
}

fn page(device: Option<&str>) -> Result<String, Failure> {
    let version = System::here().driver_version();
    Ok(metrics::page(&Sample::all(device)?, version.as_deref()))
}
