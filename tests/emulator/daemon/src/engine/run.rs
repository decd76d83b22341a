// SPDX-License-Identifier: MIT OR Apache-2.0

//! Running a model on tensors in card memory.

use std::sync::atomic::Ordering;

use ax650_emu_api::{Held, Hold};

use super::models::Model;
use super::{Refused, FAILED};
use crate::model::runtime::Stop;
use crate::model::TensorInfo;
use crate::session::Session;
use crate::switches;
use crate::wire::engine::{Desc, IoDesc, RequestBody};

/// Most runs of one call.
const MAX_BATCH: u32 = 4096;

/// One tensor's place in card memory.
struct Slot {
    address: u64,
    bytes: u64,
}

/// The places of `tensors` for `batch` runs.
fn slots(
    tensors: &[TensorInfo],
    io: &[Desc],
    group: usize,
    batch: u64,
) -> Result<Vec<Slot>, Refused> {
    if io.len() != tensors.len() {
        let text = format!("{} tensors where the model has {}", io.len(), tensors.len());
        return Err(Refused::illegal(text));
    }
    let slots = tensors.iter().zip(io).map(|(tensor, io)| {
        let bytes = tensor.bytes(group);
        let all = bytes.saturating_mul(batch);
        if io.size < all {
            let (name, given) = (&tensor.name, io.size);
            let why = format!("tensor {name:?} needs {all} bytes, given are {given}");
            return Err(Refused::illegal(why));
        }
        Ok(Slot {
            address: io.address,
            bytes,
        })
    });
    slots.collect()
}

/// Marks the memory of all tensors, which has to be allocated, as used by this run.
fn hold<'a>(
    session: &'a Session,
    model: &Model,
    space: u64,
    batch: u64,
    (inputs, outputs): (&[Slot], &[Slot]),
) -> Result<Hold<'a>, Refused> {
    let held = |address, len, what| Held {
        address,
        len,
        owner: session.id,
        what,
    };
    let tensors = model.network.inputs.iter().chain(&model.network.outputs);
    let slots = inputs
        .iter()
        .chain(outputs)
        .zip(tensors)
        .map(|(slot, tensor)| {
            let what = format!("tensor {:?} of a run", tensor.name);
            held(slot.address, slot.bytes * batch, what)
        });
    let own = [model.weights, (space, model.work_space())];
    let own = own.map(|(address, len)| held(address, len, "the model of a run".into()));
    let ranges = slots.chain(own).collect();
    session.card.link.cmm().hold(ranges).map_err(|held| {
        let (what, len, address) = (&held.what, held.len, held.address);
        Refused::illegal(format!(
            "{what}: {len} bytes at {address:#x} are not allocated"
        ))
    })
}

/// Runs a model, as soon as it gets its cores.
pub(super) fn run(session: &Session, request: &RequestBody) -> Result<(), Refused> {
    let model = session.engine.model(request.handle)?;
    let context = request.context.unwrap_or(0);
    let group = usize::try_from(request.group.unwrap_or(0)).unwrap_or(usize::MAX);
    let space = model.contexts.lock().get(&context).copied();
    let space = space.ok_or_else(|| Refused::illegal(format!("no context {context:#x}")))?;
    let groups = model.network.groups;
    if group >= groups {
        let why = format!("shape group {group} of a model with {groups}, counted from 0");
        return Err(Refused::index(why));
    }
    let empty = IoDesc::default();
    let io = request.io.as_ref().unwrap_or(&empty);
    let batch = io.batch.max(1);
    if batch > MAX_BATCH {
        let why = format!("a batch of {batch}, at most {MAX_BATCH} are run");
        return Err(Refused::illegal(why));
    }
    let place = |tensors, io| slots(tensors, io, group, batch.into());
    let inputs = place(&model.network.inputs, &io.inputs)?;
    let outputs = place(&model.network.outputs, &io.outputs)?;
    // From here on, before any waiting: the host has handed the memory over.
    let held = hold(session, &model, space, batch.into(), (&inputs, &outputs))?;
    let link = &session.card.link;
    if let Some(status) = switches::number(&**link, "engine.fail", FAILED.into()) {
        return Err(Refused::by_switch(status as u32));
    }
    let mask = match model.affinity.load(Ordering::Relaxed) {
        0 => u32::MAX,
        mask => mask,
    };
    let _cores = session
        .card
        .npu
        .take(model.network.cores, mask, &session.ended)
        .ok_or_else(Refused::ending)?;
    let run = session.engine.begin()?;
    let result = run_batch(
        session,
        &model,
        (group, batch),
        &run.stop,
        &held,
        (&inputs, &outputs),
    );
    link.count("engine.runs", batch.into());
    result.map_err(Refused::failed)
}

fn run_batch(
    session: &Session,
    model: &Model,
    (group, batch): (usize, u32),
    stop: &Stop,
    held: &Hold<'_>,
    (inputs, outputs): (&[Slot], &[Slot]),
) -> Result<(), String> {
    let dram = session.card.link.dram();
    for item in 0..u64::from(batch) {
        let read = inputs.iter().map(|slot| match slot.bytes {
            0 => Ok(Vec::new()),
            bytes => dram.read_vec(slot.address + item * bytes, bytes),
        });
        let bytes: Vec<_> = read.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        let results = model.network.run(group, &bytes, stop)?;
        for (index, (slot, bytes)) in outputs.iter().zip(results).enumerate() {
            if slot.bytes == 0 {
                continue;
            }
            let address = slot.address + item * slot.bytes;
            // The memory may be somebody else's by now.
            let written = held.if_intact(inputs.len() + index, || dram.write(address, &bytes));
            written
                .ok_or_else(|| format!("the memory of output {index} was freed meanwhile"))?
                .map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}
