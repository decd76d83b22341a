// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650-llm serve`: HTTP as OpenAI has it.

mod api;
mod http;
mod said;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use ax650_command::failure::Failure;
use ax650_command::interrupt;

use crate::args::{Arguments, Serve};
use crate::load;
use workers::Workers;

/// How often to look for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Serves until an interrupt.
pub fn serve(arguments: &Arguments, options: &Serve) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of(format!("no event loop: {error}")))?;
    // An address that cannot be had is found before the model has been loaded.
    let address = options.listen;
    let failed = |error| Failure::of(format!("{address}: {error}"));
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(address))
        .map_err(failed)?;
    let (_card, network) = load(arguments, &options.model)?;
    let workers = Workers::start(&network, options.chats.into(), options.queue.into())?;
    let app = http::app(Arc::new(workers), &network.description);
    let here = listener.local_addr().map_err(failed)?;
    if !arguments.quiet {
        eprintln!(
            "ax650-llm: {} on http://{here}/v1",
            network.description.name
        );
    }
    let interrupted = async {
        while !interrupt::is_pending() {
            tokio::time::sleep(LOOK).await;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            served = axum::serve(listener, app) => served.map_err(failed),
            () = interrupted => interrupt::check(),
        }
    })
}
