// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models come and go.

use std::sync::atomic::AtomicU32;
use std::sync::Arc;

use parking_lot::Mutex;

use super::model::Model;
use super::refused::Refused;
use super::state::Engine;
use crate::machine::npu::CORES;
use crate::model::{Format, Image, LoadError, Network, TensorInfo};
use crate::ports::session::Session;
use crate::wire::engine::{IoMeta, LayoutKind, Meta, OneMeta};

/// Most contexts of a model: their numbers lie between its handle and the next.
const MAX_CONTEXTS: usize = 255;

/// Takes an image from card memory; returns the handle of the model.
pub(super) fn load(
    session: &Session,
    engine: &Engine,
    address: u64,
    size: u64,
) -> Result<u64, Refused> {
    if engine.state.lock().npu.is_none() {
        return Err(Refused::failed("the NPU is not initialised"));
    }
    let nowhere = || Refused::illegal(format!("{size} bytes at {address:#x} are not allocated"));
    if size == 0 || !session.card.reachable(address, size) {
        return Err(nowhere());
    }
    let image = session.card.link.dram().read_vec(address, size);
    let image = image.map_err(|_| nowhere())?;
    let model_dir = session.card.options.model_dir.as_deref();
    let image = Image::find(image, model_dir).map_err(|e| Refused::model(&e, None))?;
    let refused = |error: LoadError| Refused::model(&error, Some(&image.sha256));
    let mut network = Network::open(&image, session.card.npu.threads).map_err(refused)?;
    let run = engine.begin()?;
    network.find_output_shapes(&run.stop).map_err(refused)?;
    drop(run);
    let sha256 = image.sha256.clone();
    let name = format!("npu_weight_pid{}", session.pid);
    let weights = session
        .card
        .alloc(size, &name, session.id)
        .map_err(|_| Refused::no_memory(session, size, "the weights"))?;
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
    engine.state.lock().models.insert(handle, Arc::new(model));
    session.card.link.count("engine.models_loaded", 1);
    session.note(log::Level::Info, &text);
    Ok(handle)
}

/// Forgets a model and frees its card memory.
pub(super) fn unload(session: &Session, engine: &Engine, handle: u64) -> Result<(), Refused> {
    let model = engine.state.lock().models.remove(&handle);
    let model = model
        .or_else(|| engine.of_others(|state| state.models.remove(&handle)))
        .ok_or_else(|| Refused::no_model(handle))?;
    let cmm = session.card.link.cmm();
    let contexts = std::mem::take(&mut *model.contexts.lock());
    for address in contexts.into_values().chain([model.weights.0]) {
        // Cannot fail: these blocks cannot be freed by a memory call.
        if let Ok(users) = cmm.free(address) {
            session.freed_in_use("of a model", &users);
        }
    }
    Ok(())
}

/// Forgets all models of an engine that is not to be used any more.
pub(super) fn unload_all(session: &Session, engine: &Engine) -> Result<(), Refused> {
    let handles: Vec<u64> = engine.state.lock().models.keys().copied().collect();
    handles
        .into_iter()
        .try_for_each(|handle| unload(session, engine, handle))
}

/// Makes an execution context; returns its number.
pub(super) fn create_context(
    session: &Session,
    engine: &Engine,
    handle: u64,
) -> Result<u64, Refused> {
    let model = engine.model(Some(handle))?;
    let mut contexts = model.contexts.lock();
    if contexts.len() >= MAX_CONTEXTS {
        let why = format!("the model has {MAX_CONTEXTS} contexts, which is all it can have");
        return Err(Refused::too_many(why));
    }
    let name = format!("npu_ctx_pid{}", session.pid);
    let bytes = model.work_space();
    let space = session
        .card
        .alloc(bytes, &name, session.id)
        .map_err(|_| Refused::no_memory(session, bytes, "a context"))?;
    let context = handle + 1 + contexts.len() as u64;
    contexts.insert(context, space);
    Ok(context)
}

/// Bytes that the description of a model takes in the daemon itself.
pub(super) fn system_bytes(network: &Network) -> u64 {
    let tensors = network.inputs.iter().chain(&network.outputs);
    let each = tensors.map(|t| t.name.len() + t.shapes.iter().map(|s| 8 * s.len()).sum::<usize>());
    (size_of::<Model>() + each.sum::<usize>()) as u64
}

/// Names, types and shapes of inputs and outputs.
pub(super) fn io_info(network: &Network) -> IoMeta {
    let meta = |tensor: &TensorInfo| {
        let group = |index| OneMeta {
            size: tensor.bytes(index),
            dims: tensor.shapes[index].iter().map(|d| *d as i32).collect(),
            stride: Vec::new(),
        };
        Meta {
            name: tensor.name.clone(),
            format: tensor.format as i32,
            layout: layout(tensor).into(),
            groups: (0..network.groups).map(group).collect(),
        }
    };
    IoMeta {
        inputs: network.inputs.iter().map(meta).collect(),
        outputs: network.outputs.iter().map(meta).collect(),
    }
}

/// What is known of a tensor's layout: the operators of ONNX want pictures as NCHW, but one that is
/// taken as bytes with up to four of them a pixel is as the program has it.  Of tensors of other ranks
/// nothing is known.
fn layout(tensor: &TensorInfo) -> LayoutKind {
    match tensor.shapes[0][..] {
        [_, height, width, 1..=4] if height.min(width) > 4 && tensor.format == Format::Uint8 => {
            LayoutKind::Nhwc
        }
        [_, _, _, _] => LayoutKind::Nchw,
        _ => LayoutKind::LayoutNone,
    }
}
