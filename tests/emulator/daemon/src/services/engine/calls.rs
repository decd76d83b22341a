// SPDX-License-Identifier: MIT OR Apache-2.0

//! The calls of the engine service [rpc 6].

use std::sync::atomic::Ordering;

use super::models::{create_context, io_info, load, system_bytes, unload, unload_all};
use super::refused::Refused;
use super::run::{prepare, Prepared};
use super::state::Engine;
use super::VERSION;
use crate::ports::session::{Caller, Session};
use crate::protocol::frames::Answer;
use crate::protocol::refusal::engine_zeroes;
use crate::wire::engine::{ApiKind, NpuKind, RequestBody, ResponseBody};

/// What a run that has arrived needs, if that is what the call is and if it is there.
pub(crate) fn arrived(
    session: &Session,
    engine: &Engine,
    api: i32,
    request: &RequestBody,
) -> Option<Prepared> {
    (api == ApiKind::RunModel as i32)
        .then(|| prepare(session, engine, request).ok())
        .flatten()
}

/// Runs a call; `None` if it wants no answer.
pub(crate) fn call(
    session: &Session,
    engine: &Engine,
    caller: &Caller<'_>,
    api: i32,
    request: RequestBody,
    prepared: Option<Prepared>,
) -> Option<Answer> {
    session.card.link.count("engine.calls", 1);
    let silent = request.noresp.unwrap_or(0) != 0;
    let mut body = engine_zeroes(api);
    if let Err(refused) = answer(session, engine, api, &request, prepared, &mut body) {
        session.card.link.count("engine.errors", 1);
        let name = ApiKind::try_from(api).map_or("an unknown call", |api| api.as_str_name());
        session.explain(caller, name, refused.status, &refused.why);
        body.status = refused.status as i32;
    }
    (!silent).then_some(Answer::Engine(api, body))
}

fn answer(
    session: &Session,
    engine: &Engine,
    api: i32,
    request: &RequestBody,
    prepared: Option<Prepared>,
    body: &mut ResponseBody,
) -> Result<(), Refused> {
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
            let prepared = prepared.map_or_else(|| prepare(session, engine, request), Ok)?;
            prepared.run(session, engine)?;
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
