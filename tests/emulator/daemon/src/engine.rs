// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engine service: a session's models (spec 6).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{json, Value};

use crate::errors::{code, About, Why};
use crate::frames::Answer;
use crate::model::runtime::Stop;
use crate::model::{Image, LoadError, Network, TensorInfo};
use crate::npu::CORES;
use crate::session::Session;
use crate::switches;
use crate::wire::engine::{
    ApiKind, IoDesc, IoMeta, LayoutKind, Meta, NpuKind, OneMeta, RequestBody, ResponseBody,
};

const ILLEGAL: u32 = code(About::Engine, Why::IllegalParameter);
const UNSUPPORTED: u32 = code(About::Engine, Why::Unsupported);
const NO_MEMORY: u32 = code(About::Engine, Why::NoMemory);
const DECODE: u32 = code(About::Engine, Why::Decode);
const FAILED: u32 = code(About::Engine, Why::ExecuteFailed);

/// Most contexts of a model, and most runs of one call.
const MAX_CONTEXTS: usize = 255;
const MAX_BATCH: u32 = 4096;

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

/// A loaded model.
struct Model {
    network: Network,
    sha256: String,
    affinity: AtomicU32,
    /// Card address and bytes of the weights.
    weights: (u64, u64),
    /// Card addresses of the work space of each context.
    contexts: Mutex<BTreeMap<u64, u64>>,
}

impl Model {
    /// Bytes of the work space of a context: that of all tensors of the largest group.
    fn work_space(&self) -> u64 {
        let tensors = || self.network.inputs.iter().chain(&self.network.outputs);
        let groups = 0..self.network.groups;
        groups
            .map(|g| tensors().map(|t| t.bytes(g)).sum())
            .max()
            .unwrap_or(0)
            .max(1)
    }
}

impl Engine {
    fn model(&self, handle: Option<u64>) -> Result<Arc<Model>, u32> {
        let state = self.state.lock();
        state
            .models
            .get(&handle.unwrap_or(0))
            .cloned()
            .ok_or(ILLEGAL)
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

/// Runs a call; `None` if it wants no answer.
pub(crate) fn call(session: &Session, api: i32, request: RequestBody) -> Option<Answer> {
    session.card.link.count("engine.calls", 1);
    let silent = request.noresp.unwrap_or(0) != 0;
    let mut body = zeroes(api);
    if let Err(status) = answer(session, api, &request, &mut body) {
        session.card.link.count("engine.errors", 1);
        session.note(
            log::Level::Warn,
            &format!("engine call {api} ended with {status:#x}"),
        );
        body.status = status as i32;
    }
    (!silent).then_some(Answer::Engine(api, body))
}

fn answer(
    session: &Session,
    api: i32,
    request: &RequestBody,
    body: &mut ResponseBody,
) -> Result<(), u32> {
    let engine = &session.engine;
    let Ok(kind) = ApiKind::try_from(api) else {
        session.card.unknown(&format!("engine.{api}"));
        return Err(UNSUPPORTED);
    };
    let model = || engine.model(request.handle);
    match kind {
        ApiKind::InitNpu => init(engine, request.npu_type.unwrap_or(0))?,
        ApiKind::FinalNpu => finalize(session)?,
        ApiKind::GetNpuType => {
            body.npu_type = Some(engine.state.lock().npu.map_or(0, |(kind, _)| kind))
        }
        ApiKind::GetEngineVersion => {
            body.engine_version = Some(concat!("ax650-emu ", env!("CARGO_PKG_VERSION")).into());
        }
        ApiKind::LoadModel => body.handle = Some(load(session, request)?),
        ApiKind::GetModelVersion => body.model_version = Some(model()?.network.version.clone()),
        ApiKind::GetModelType => body.model_type = Some(model()?.network.cores as i32 - 1),
        ApiKind::GetMemoryUsage => {
            let model = model()?;
            let contexts = model.contexts.lock().len() as u64;
            body.cmm_usage = Some(model.weights.1 + contexts * model.work_space());
            body.sys_usage = Some(system_bytes(&model.network));
        }
        ApiKind::UnloadModel => unload(session, request.handle.unwrap_or(0))?,
        ApiKind::CreateContext => body.context = Some(create_context(session, request.handle)?),
        ApiKind::GetModelIoInfo => body.meta = Some(io_info(&model()?.network)),
        ApiKind::RunModel => run(session, request)?,
        ApiKind::SetAffinity => {
            let (model, mask) = (model()?, request.affinity.unwrap_or(0));
            if mask >> CORES != 0 || mask.count_ones() < model.network.cores {
                return Err(ILLEGAL);
            }
            model.affinity.store(mask, Ordering::Relaxed);
        }
        ApiKind::GetAffinity => body.affinity = Some(model()?.affinity.load(Ordering::Relaxed)),
        ApiKind::P2p => {
            session.card.unknown("engine.P2P");
            return Err(UNSUPPORTED);
        }
    }
    Ok(())
}

fn init(engine: &Engine, kind: i32) -> Result<(), u32> {
    if NpuKind::try_from(kind).is_err() {
        return Err(ILLEGAL);
    }
    let mut state = engine.state.lock();
    match &mut state.npu {
        None => state.npu = Some((kind, 1)),
        Some((now, count)) if *now == kind => *count += 1,
        // Another type while models may be running.
        Some(_) => return Err(ILLEGAL),
    }
    Ok(())
}

fn finalize(session: &Session) -> Result<(), u32> {
    let handles: Vec<u64> = {
        let mut state = session.engine.state.lock();
        match &mut state.npu {
            None => return Err(FAILED),
            Some((_, count)) if *count > 1 => {
                *count -= 1;
                return Ok(());
            }
            Some(_) => state.npu = None,
        }
        state.models.keys().copied().collect()
    };
    handles
        .into_iter()
        .try_for_each(|handle| unload(session, handle))
}

fn load(session: &Session, request: &RequestBody) -> Result<u64, u32> {
    if session.engine.state.lock().npu.is_none() {
        session.note(log::Level::Warn, "LoadModel before InitNpu");
        return Err(FAILED);
    }
    let (address, size) = (request.address.unwrap_or(0), request.size.unwrap_or(0));
    if size == 0 || !session.card.reachable(address, size) {
        return Err(ILLEGAL);
    }
    let image = session
        .card
        .link
        .dram()
        .read_vec(address, size)
        .map_err(|_| ILLEGAL)?;
    let loaded = Image::find(image, session.card.options.model_dir.as_deref()).and_then(|image| {
        Ok((
            Network::load(&image, session.card.npu.threads)?,
            image.sha256,
        ))
    });
    let (network, sha256) = loaded.map_err(|error| {
        session.note(log::Level::Error, &format!("model refused: {error}"));
        match error {
            LoadError::Groups(_) | LoadError::Type { .. } | LoadError::Outputs { .. } => {
                UNSUPPORTED
            }
            LoadError::NoModel(_) => DECODE,
            LoadError::Runtime(_) | LoadError::File(..) => FAILED,
        }
    })?;
    let name = format!("npu_weight_pid{}", session.pid);
    let weights = session
        .card
        .alloc(size, &name, session.id)
        .map_err(|_| NO_MEMORY)?;
    let handle = session.card.npu.handle();
    let text = format!(
        "model {handle:#x}: sha256 {sha256}, {} shape groups",
        network.groups
    );
    let model = Model {
        network,
        sha256,
        affinity: AtomicU32::new((1 << CORES) - 1),
        weights: (weights, size),
        contexts: Mutex::default(),
    };
    session
        .engine
        .state
        .lock()
        .models
        .insert(handle, Arc::new(model));
    session.card.link.count("engine.models_loaded", 1);
    session.note(log::Level::Info, &text);
    Ok(handle)
}

fn unload(session: &Session, handle: u64) -> Result<(), u32> {
    let model = session
        .engine
        .state
        .lock()
        .models
        .remove(&handle)
        .ok_or(ILLEGAL)?;
    let cmm = session.card.link.cmm();
    let contexts = std::mem::take(&mut *model.contexts.lock());
    for address in contexts.into_values().chain([model.weights.0]) {
        // Cannot fail: these blocks cannot be freed by a memory call.
        let _ = cmm.free(address);
    }
    Ok(())
}

fn create_context(session: &Session, handle: Option<u64>) -> Result<u64, u32> {
    let model = session.engine.model(handle)?;
    let mut contexts = model.contexts.lock();
    if contexts.len() >= MAX_CONTEXTS {
        return Err(NO_MEMORY);
    }
    let name = format!("npu_ctx_pid{}", session.pid);
    let space = session
        .card
        .alloc(model.work_space(), &name, session.id)
        .map_err(|_| NO_MEMORY)?;
    let context = handle.unwrap_or(0) + 1 + contexts.len() as u64;
    contexts.insert(context, space);
    Ok(context)
}

/// Bytes that the description of a model takes in the daemon itself.
fn system_bytes(network: &Network) -> u64 {
    let tensors = network.inputs.iter().chain(&network.outputs);
    let each = tensors.map(|t| t.name.len() + t.shapes.iter().map(|s| 8 * s.len()).sum::<usize>());
    (size_of::<Model>() + each.sum::<usize>()) as u64
}

fn io_info(network: &Network) -> IoMeta {
    let meta = |tensor: &TensorInfo| {
        let group = |index| OneMeta {
            size: tensor.bytes(index),
            dims: tensor.shapes[index].iter().map(|d| *d as i32).collect(),
            stride: Vec::new(),
        };
        Meta {
            name: tensor.name.clone(),
            format: tensor.format as i32,
            layout: layout(&tensor.shapes[0]).into(),
            groups: (0..network.groups).map(group).collect(),
        }
    };
    IoMeta {
        inputs: network.inputs.iter().map(meta).collect(),
        outputs: network.outputs.iter().map(meta).collect(),
    }
}

/// ONNX does not say which dimension has the channels; pictures have few of them.
fn layout(shape: &[i64]) -> LayoutKind {
    match shape {
        [_, channels @ 1..=4, _, _] if *channels > 0 => LayoutKind::Nchw,
        [_, _, _, channels @ 1..=4] if *channels > 0 => LayoutKind::Nhwc,
        _ => LayoutKind::None,
    }
}

/// One tensor's place in card memory.
struct Slot {
    address: u64,
    bytes: u64,
}

/// The places of `tensors` for `batch` runs, which all have to be allocated.
fn slots(
    session: &Session,
    tensors: &[TensorInfo],
    io: &[crate::wire::engine::Desc],
    group: usize,
    batch: u64,
) -> Result<Vec<Slot>, u32> {
    if io.len() != tensors.len() {
        return Err(ILLEGAL);
    }
    let slots = tensors.iter().zip(io).map(|(tensor, io)| {
        let bytes = tensor.bytes(group);
        let all = bytes.checked_mul(batch).ok_or(ILLEGAL)?;
        if io.size < all || !session.card.reachable(io.address, all) {
            let (name, given) = (&tensor.name, io.size);
            session.note(
                log::Level::Warn,
                &format!(
                    "{name:?} needs {all} bytes at {:#x}, given {given}",
                    io.address
                ),
            );
            return Err(ILLEGAL);
        }
        Ok(Slot {
            address: io.address,
            bytes,
        })
    });
    slots.collect()
}

fn run(session: &Session, request: &RequestBody) -> Result<(), u32> {
    let model = session.engine.model(request.handle)?;
    let context = request.context.unwrap_or(0);
    let group = usize::try_from(request.group.unwrap_or(0)).unwrap_or(usize::MAX);
    if !model.contexts.lock().contains_key(&context) || group >= model.network.groups {
        return Err(ILLEGAL);
    }
    let empty = IoDesc::default();
    let io = request.io.as_ref().unwrap_or(&empty);
    let batch = io.batch.max(1);
    if batch > MAX_BATCH {
        return Err(ILLEGAL);
    }
    let inputs = slots(
        session,
        &model.network.inputs,
        &io.inputs,
        group,
        batch.into(),
    )?;
    let outputs = slots(
        session,
        &model.network.outputs,
        &io.outputs,
        group,
        batch.into(),
    )?;
    let link = &session.card.link;
    if let Some(status) = switches::number(&**link, "engine.fail", FAILED.into()) {
        return Err(status as u32);
    }
    let mask = model.affinity.load(Ordering::Relaxed);
    let _cores = session
        .card
        .npu
        .take(model.network.cores, mask, &session.ended)
        .ok_or(FAILED)?;
    let (number, stop) = begin(&session.engine)?;
    let result = run_batch(session, &model, group, batch, &stop, (&inputs, &outputs));
    session.engine.state.lock().runs.remove(&number);
    link.count("engine.runs", batch.into());
    result.map_err(|error| {
        session.note(log::Level::Error, &format!("run failed: {error}"));
        FAILED
    })
}

fn begin(engine: &Engine) -> Result<(u64, Arc<Stop>), u32> {
    let stop = Arc::new(Stop::new().map_err(|_| NO_MEMORY)?);
    let mut state = engine.state.lock();
    if state.stopped {
        return Err(FAILED);
    }
    let number = state.next_run;
    state.next_run += 1;
    state.runs.insert(number, stop.clone());
    Ok((number, stop))
}

fn run_batch(
    session: &Session,
    model: &Model,
    group: usize,
    batch: u32,
    stop: &Stop,
    (inputs, outputs): (&[Slot], &[Slot]),
) -> Result<(), String> {
    let dram = session.card.link.dram();
    for item in 0..u64::from(batch) {
        let read = inputs
            .iter()
            .map(|slot| dram.read_vec(slot.address + item * slot.bytes, slot.bytes));
        let bytes: Vec<_> = read.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        let results = model.network.run(group, &bytes, stop)?;
        for (slot, bytes) in outputs.iter().zip(results) {
            dram.write(slot.address + item * slot.bytes, &bytes)
                .map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}
