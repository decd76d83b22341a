// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engine service: a session's models [rpc 6].

mod models;
pub(crate) mod native;
mod refused;
mod run;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{json, Value};

use crate::calls::Caller;
use crate::errors::{code, About, Why, ENGINE_INDEX};
use crate::frames::Answer;
use crate::model::runtime::Stop;
use crate::session::Session;
use crate::wire::engine::{ApiKind, IoMeta, NpuKind, RequestBody, ResponseBody};
use models::{create_context, io_info, load, system_bytes, unload, unload_all, Model};
pub(crate) use native::NativeEngine;
pub(crate) use refused::Refused;
use run::prepare;
pub(crate) use run::Prepared;

const ILLEGAL: u32 = code(About::Engine, Why::IllegalParameter);
const INDEX: u32 = ENGINE_INDEX;
const UNSUPPORTED: u32 = code(About::Engine, Why::Unsupported);
const NO_MEMORY: u32 = code(About::Engine, Why::NoMemory);
const DECODE: u32 = code(About::Engine, Why::Decode);
const FAILED: u32 = code(About::Engine, Why::ExecuteFailed);

/// What the engine says of itself.
const VERSION: &str = concat!("ax650-emu ", env!("CARGO_PKG_VERSION"));

/// What a session has of the engine.
#[derive(Default)]
pub(crate) struct Engine {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Type of the NPU and how often it was initialised.
    npu: Option<(i32, u32)>,
    models: BTreeMap<u64, Arc<Model>>,
    /// Runs under way.
    runs: BTreeMap<u64, Arc<Stop>>,
    next_run: u64,
    stopped: bool,
}

/// A run under way, which the end of the session ends.
struct Run<'a> {
    engine: &'a Engine,
    number: u64,
    stop: Arc<Stop>,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.engine.state.lock().runs.remove(&self.number);
    }
}

impl Engine {
    /// Counts a run as under way until the result is dropped.
    fn begin(&self) -> Result<Run<'_>, Refused> {
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

    fn model(&self, handle: Option<u64>) -> Result<Arc<Model>, Refused> {
        let handle = handle.unwrap_or(0);
        let model = self.state.lock().models.get(&handle).cloned();
        model.ok_or_else(|| Refused::no_model(handle))
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

/// What the answer to `api` has to carry even when the call fails: the host rejects an answer that
/// lacks the field it has asked for.
pub(crate) fn zeroes(api: i32) -> ResponseBody {
    let mut body = ResponseBody::default();
    match ApiKind::try_from(api) {
        Ok(ApiKind::GetNpuType) => body.npu_type = Some(0),
        Ok(ApiKind::GetEngineVersion) => body.engine_version = Some(String::new()),
        Ok(ApiKind::LoadModel) => body.handle = Some(0),
        Ok(ApiKind::GetModelVersion) => body.model_version = Some(String::new()),
        Ok(ApiKind::GetModelType) => body.model_type = Some(0),
        Ok(ApiKind::GetMemoryUsage) => (body.sys_usage, body.cmm_usage) = (Some(0), Some(0)),
        Ok(ApiKind::CreateContext) => body.context = Some(0),
        Ok(ApiKind::GetModelIoInfo) => body.meta = Some(IoMeta::default()),
        Ok(ApiKind::GetAffinity) => body.affinity = Some(0),
        _ => {}
    }
    body
}

/// What a run that has arrived needs, if that is what the call is and if it is there.
pub(crate) fn arrived(session: &Session, api: i32, request: &RequestBody) -> Option<Prepared> {
    (api == ApiKind::RunModel as i32)
        .then(|| prepare(session, request).ok())
        .flatten()
}

/// Runs a call; `None` if it wants no answer.
pub(crate) fn call(
    session: &Session,
    caller: &Caller<'_>,
    api: i32,
    request: RequestBody,
    prepared: Option<Prepared>,
) -> Option<Answer> {
    session.card.link.count("engine.calls", 1);
    let silent = request.noresp.unwrap_or(0) != 0;
    let mut body = zeroes(api);
    if let Err(refused) = answer(session, api, &request, prepared, &mut body) {
        session.card.link.count("engine.errors", 1);
        let name = ApiKind::try_from(api).map_or("an unknown call", |api| api.as_str_name());
        session.explain(caller, name, refused.status, &refused.why);
        body.status = refused.status as i32;
    }
    (!silent).then_some(Answer::Engine(api, body))
}

fn answer(
    session: &Session,
    api: i32,
    request: &RequestBody,
    prepared: Option<Prepared>,
    body: &mut ResponseBody,
) -> Result<(), Refused> {
    let engine = &session.engine;
    let Ok(kind) = ApiKind::try_from(api) else {
        session.card.unknown(&format!("engine.{api}"));
        return Err(Refused::unsupported(format!("there is no call {api}")));
    };
    let model = || engine.model(request.handle);
    match kind {
        ApiKind::InitNpu => init(engine, request.npu_type.unwrap_or(0))?,
        ApiKind::FinalNpu => finalize(session, engine)?,
        ApiKind::GetNpuType => {
            body.npu_type = Some(engine.state.lock().npu.map_or(0, |(kind, _)| kind))
        }
        ApiKind::GetEngineVersion => {
            body.engine_version = Some(VERSION.into());
        }
        ApiKind::LoadModel => {
            let (address, size) = (request.address.unwrap_or(0), request.size.unwrap_or(0));
            body.handle = Some(load(session, engine, address, size)?);
        }
        ApiKind::GetModelVersion => body.model_version = Some(model()?.network.version.clone()),
        ApiKind::GetModelType => body.model_type = Some(model()?.network.cores as i32 - 1),
        ApiKind::GetMemoryUsage => {
            let model = model()?;
            body.cmm_usage = Some(model.card_bytes());
            body.sys_usage = Some(system_bytes(&model.network));
        }
        ApiKind::UnloadModel => unload(session, engine, request.handle.unwrap_or(0))?,
        ApiKind::CreateContext => {
            body.context = Some(create_context(
                session,
                engine,
                request.handle.unwrap_or(0),
            )?)
        }
        ApiKind::GetModelIoInfo => body.meta = Some(io_info(&model()?.network)),
        ApiKind::RunModel => {
            // What was not there at the arrival may be by now; if not, this says what.
            let prepared = prepared.map_or_else(|| prepare(session, request), Ok)?;
            prepared.run(session)?;
        }
        ApiKind::SetAffinity => {
            model()?.set_affinity(request.affinity.unwrap_or(0))?;
        }
        ApiKind::GetAffinity => body.affinity = Some(model()?.affinity.load(Ordering::Relaxed)),
        ApiKind::P2p => {
            session.card.unknown("engine.P2P");
            return Err(Refused::unsupported("no other card can be reached"));
        }
    }
    Ok(())
}

fn init(engine: &Engine, kind: i32) -> Result<(), Refused> {
    if NpuKind::try_from(kind).is_err() {
        return Err(Refused::illegal(format!("there is no NPU type {kind}")));
    }
    let mut state = engine.state.lock();
    match &mut state.npu {
        None => state.npu = Some((kind, 1)),
        Some((now, count)) if *now == kind => *count += 1,
        // Another type while models may be running.
        Some((now, _)) => {
            let why = format!("the NPU is initialised as type {now}, not {kind}");
            return Err(Refused::illegal(why));
        }
    }
    Ok(())
}

fn finalize(session: &Session, engine: &Engine) -> Result<(), Refused> {
    {
        let mut state = engine.state.lock();
        match &mut state.npu {
            None => return Err(Refused::failed("the NPU is not initialised")),
            Some((_, count)) if *count > 1 => {
                *count -= 1;
                return Ok(());
            }
            Some(_) => state.npu = None,
        }
    }
    unload_all(session, engine)
}
