// SPDX-License-Identifier: MIT OR Apache-2.0

//! Running a model on tensors in card memory.

use std::sync::atomic::Ordering;

use super::models::Model;
use super::{FAILED, ILLEGAL};
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

/// The places of `tensors` for `batch` runs, which all have to be allocated.
fn slots(
    session: &Session,
    tensors: &[TensorInfo],
    io: &[Desc],
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

/// Runs a model, as soon as it gets its cores.
pub(super) fn run(session: &Session, request: &RequestBody) -> Result<(), u32> {
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
    let mask = match model.affinity.load(Ordering::Relaxed) {
        0 => u32::MAX,
        mask => mask,
    };
    let _cores = session
        .card
        .npu
        .take(model.network.cores, mask, &session.ended)
        .ok_or(FAILED)?;
    let run = session.engine.begin()?;
    let result = run_batch(
        session,
        &model,
        group,
        batch,
        &run.stop,
        (&inputs, &outputs),
    );
    link.count("engine.runs", batch.into());
    result.map_err(|error| {
        session.note(log::Level::Error, &format!("run failed: {error}"));
        FAILED
    })
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
