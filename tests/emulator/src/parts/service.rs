// SPDX-License-Identifier: MIT OR Apache-2.0

//! The service on the card (crate `ax650-emu-daemon`) and the messages that wait for it.

use std::collections::VecDeque;
use std::sync::Arc;

use ax650_emu_api::Daemon;
use log::warn;
use parking_lot::Mutex;
use serde_json::Value;

/// Messages kept for a service that has not started yet.
const KEEP: usize = 1024;

#[derive(Default)]
struct State {
    daemon: Option<Arc<dyn Daemon>>,
    waiting: VecDeque<(u32, Vec<u8>)>,
}

/// Where messages from the host go.  The ports are open before the service runs, as on the card:
/// what comes early waits.
#[derive(Default)]
pub struct Service(Mutex<State>);

impl Service {
    /// Hands a message over.
    pub fn deliver(&self, port: u32, payload: Vec<u8>) {
        let mut state = self.0.lock();
        match state.daemon.clone() {
            Some(daemon) => {
                drop(state);
                daemon.message(port, payload);
            }
            None if state.waiting.len() < KEEP => state.waiting.push_back((port, payload)),
            None => warn!("no service yet: dropping a message on port {port}"),
        }
    }

    /// The service runs now: it gets what has waited.
    pub fn start(&self, daemon: Arc<dyn Daemon>) {
        let mut state = self.0.lock();
        // Under the lock, so that later messages stay behind.
        for (port, payload) in std::mem::take(&mut state.waiting) {
            daemon.message(port, payload);
        }
        state.daemon = Some(daemon);
    }

    /// Takes the service away, for the caller to stop it.
    pub fn take(&self) -> Option<Arc<dyn Daemon>> {
        let mut state = self.0.lock();
        state.waiting.clear();
        state.daemon.take()
    }

    /// The service's own report.
    pub fn report(&self) -> Value {
        let daemon = self.0.lock().daemon.clone();
        daemon.map_or(Value::Null, |d| d.report())
    }
}
