// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a session has of the engine: its models and the runs under way.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde_json::{json, Value};

use super::model::Model;
use super::refused::Refused;
use crate::machine::card::Card;
use crate::model::runtime::Stop;

/// What a session has of the engine.
#[derive(Default)]
pub(crate) struct Engine {
    pub(super) state: Mutex<State>,
    /// The card, if models of this are to be found by others.
    card: Option<Arc<Card>>,
}

/// The NPU of a session, its models and runs.
#[derive(Default)]
pub(super) struct State {
    /// Type of the NPU and how often it was initialised.
    pub(super) npu: Option<(i32, u32)>,
    /// Models by handle.
    pub(super) models: BTreeMap<u64, Arc<Model>>,
    /// Runs under way.
    runs: BTreeMap<u64, Arc<Stop>>,
    next_run: u64,
    stopped: bool,
}

/// A run under way, which the end of the session ends.
pub(super) struct Run<'a> {
    engine: &'a Engine,
    number: u64,
    /// Ends the run.
    pub(super) stop: Arc<Stop>,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.engine.state.lock().runs.remove(&self.number);
    }
}

impl Engine {
    /// An engine without models, which the card knows.
    pub(crate) fn new(card: &Arc<Card>) -> Arc<Self> {
        let engine = Arc::new(Self {
            card: Some(card.clone()),
            ..Self::default()
        });
        let weak: Weak<Self> = Arc::downgrade(&engine);
        let mut all = card.npu.engines.lock();
        all.retain(|other| other.strong_count() > 0);
        all.push(weak);
        engine
    }

    /// Finds a model of another session, if the card trusts every caller.
    pub(super) fn of_others<T>(&self, find: impl Fn(&mut State) -> Option<T>) -> Option<T> {
        let card = self.card.as_ref().filter(|card| card.trusts())?;
        let all: Vec<Weak<dyn Any + Send + Sync>> = card.npu.engines.lock().clone();
        all.iter().find_map(|engine| {
            let engine = engine.upgrade()?.downcast::<Self>().ok()?;
            let found = find(&mut engine.state.lock());
            found
        })
    }

    /// Counts a run as under way until the result is dropped.
    pub(super) fn begin(&self) -> Result<Run<'_>, Refused> {
        let stop = Stop::new().map_err(|e| Refused::too_many(e.to_string()))?;
        let stop = Arc::new(stop);
        let mut state = self.state.lock();
        if state.stopped {
            return Err(Refused::ending());
        }
        let number = state.next_run;
        state.next_run += 1;
        state.runs.insert(number, stop.clone());
        Ok(Run {
            engine: self,
            number,
            stop,
        })
    }

    /// The model of a handle.
    pub(super) fn model(&self, handle: Option<u64>) -> Result<Arc<Model>, Refused> {
        let handle = handle.unwrap_or(0);
        let model = self.state.lock().models.get(&handle).cloned();
        model
            .or_else(|| self.of_others(|state| state.models.get(&handle).cloned()))
            .ok_or_else(|| Refused::no_model(handle))
    }

    /// Ends the runs under way and lets no other begin: the session has ended.
    pub(crate) fn interrupt(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        for stop in state.runs.values() {
            let _ = stop.terminate();
        }
    }

    /// Forgets all models; their card memory is the session's and goes with it.
    pub(crate) fn clear(&self) {
        let models = std::mem::take(&mut self.state.lock().models);
        drop(models);
    }

    /// State for the control socket.
    pub(crate) fn report(&self) -> Value {
        let state = self.state.lock();
        let models = state.models.iter().map(|(handle, model)| {
            json!({
                "handle": handle,
                "sha256": model.sha256,
                "groups": model.network.groups,
                "contexts": model.contexts.lock().len(),
            })
        });
        models.collect()
    }
}
