// SPDX-License-Identifier: MIT OR Apache-2.0

//! The daemon against a small host in memory, without hardware, ring or QEMU.

// Tests of a fault or requirement have its name.
#![allow(non_snake_case)]

mod client;
mod copies;
mod engine;
mod every_call;
mod examples;
mod faults;
mod host;
mod onnx;
mod peers;
mod properties;
mod sessions;
mod starved;
mod streams;
mod usrwork;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ax650_emu_api::Daemon;
use parking_lot::{Condvar, Mutex};
use serde_json::{json, Value};

use crate::Codec;
use crate::Options;
use host::Host;

/// Arguments or results of a native call.
type Blobs = Vec<Vec<u8>>;

/// A codec whose answers are given, but for two calls that block: GetChnFrame (VDEC 18) until its
/// session ends, and SendStream (VDEC 17), while [`FakeCodec::at_work`] says so, whatever happens.
#[derive(Default)]
pub(crate) struct FakeCodec {
    pub(crate) answers: Mutex<HashMap<(u32, u32), Blobs>>,
    /// Sessions that have ended; 0 is all of them.
    ended: Mutex<Vec<u32>>,
    news: Condvar,
    /// Held while the codec is at work.
    pub(crate) at_work: Mutex<()>,
}

impl FakeCodec {
    /// Lets the blocked calls of a session return.
    pub(crate) fn release(&self, session: u32) {
        self.ended.lock().push(session);
        self.news.notify_all();
    }

    /// Forgets which sessions have ended.
    pub(crate) fn forget(&self) {
        self.ended.lock().clear();
    }
}

impl Codec for FakeCodec {
    fn implemented(&self, module: u32, api: u32) -> bool {
        module < 3 && api != 36
    }

    fn call(&self, session: u32, module: u32, api: u32, _args: &[Vec<u8>]) -> Vec<Vec<u8>> {
        if (module, api) == (1, 18) {
            let mut ended = self.ended.lock();
            while !ended.contains(&session) && !ended.contains(&0) {
                self.news.wait(&mut ended);
            }
            return vec![vec![1, 0, 0, 0], vec![0; 240]];
        }
        if (module, api) == (1, 17) {
            drop(self.at_work.lock());
        }
        assert_ne!((module, api), (1, 30), "this call panics");
        let answers = self.answers.lock();
        answers
            .get(&(module, api))
            .cloned()
            .unwrap_or_else(|| vec![vec![0; 4]])
    }

    fn session_end(&self, session: u32) {
        self.release(session);
    }

    fn stop(&self) {
        self.release(0);
    }

    fn report(&self) -> Value {
        json!({})
    }

    fn proc_text(&self, name: &str) -> String {
        format!("text of {name}\n")
    }
}

/// A card and its host.
pub(crate) struct Rig {
    pub(crate) host: Arc<Host>,
    pub(crate) codec: Arc<FakeCodec>,
    pub(crate) daemon: Arc<dyn Daemon>,
}

impl Rig {
    /// A card with default settings but for a short patience.
    pub(crate) fn new() -> Self {
        Self::with(Options {
            patience: Duration::from_secs(3),
            ..Options::default()
        })
    }

    /// A card with its real codec; `codec` is not asked then.
    pub(crate) fn real() -> Self {
        let host = Arc::new(Host::new());
        let options = Options {
            patience: Duration::from_secs(3),
            ..Options::default()
        };
        Self {
            daemon: crate::start(host.clone(), options),
            host,
            codec: Arc::default(),
        }
    }

    pub(crate) fn with(options: Options) -> Self {
        let host = Arc::new(Host::new());
        let codec = Arc::new(FakeCodec::default());
        let daemon = crate::start_with_codec(host.clone(), options, codec.clone());
        Self {
            host,
            codec,
            daemon,
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.daemon.stop();
    }
}
