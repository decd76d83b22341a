// SPDX-License-Identifier: MIT OR Apache-2.0

//! Running a model on tensors in card memory.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use ax650_emu_api::{Held, Hold};

use super::model::Model;
use super::refused::{Refused, FAILED};
use super::state::Engine;
use crate::machine::switches;
use crate::model::runtime::Stop;
use crate::model::TensorInfo;
use crate::ports::session::Session;
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

/// A run that can be made.  From its arrival on, while it waits for its stream, the host has handed the
/// memory over.
pub(crate) struct Prepared {
    model: Arc<Model>,
    group: usize,
    batch: u32,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
    /// The memory of inputs, outputs, weights and work space.
    held: Hold,
}

/// Marks the memory of all tensors, which has to be allocated, as used by this run.
fn hold(
    session: &Session,
    model: &Model,
    space: u64,
    batch: u64,
    (inputs, outputs): (&[Slot], &[Slot]),
) -> Result<Hold, Refused> {
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

/// Looks at everything that a run needs.
pub(super) fn prepare(
    session: &Session,
    engine: &Engine,
    request: &RequestBody,
) -> Result<Prepared, Refused> {
    let model = engine.model(request.handle)?;
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
    let held = hold(session, &model, space, batch.into(), (&inputs, &outputs))?;
    Ok(Prepared {
        model,
        group,
        batch,
        inputs,
        outputs,
        held,
    })
}

impl Prepared {
    /// Runs the model, as soon as it gets its cores.
    pub(super) fn run(&self, session: &Session, engine: &Engine) -> Result<(), Refused> {
        if !self.held.is_whole() {
            let why = "memory or model of the run was freed before it began";
            return Err(Refused::failed(why));
        }
        let link = &session.card.link;
        if let Some(status) = switches::number(&**link, "engine.fail", FAILED.into()) {
            return Err(Refused::by_switch(status as u32));
        }
        let model = &self.model;
        let mask = match model.affinity.load(Ordering::Relaxed) {
            0 => u32::MAX,
            mask => mask,
        };
        let _cores = session
            .card
            .npu
            .take(model.network.cores, mask, &session.ended)
            .ok_or_else(Refused::ending)?;
        let run = engine.begin()?;
        let result = (0..self.batch.into()).try_for_each(|item| self.one(session, item, &run.stop));
        link.count("engine.runs", self.batch.into());
        result.map_err(Refused::failed)
    }

    /// Runs the model for one item of the batch.
    fn one(&self, session: &Session, item: u64, stop: &Stop) -> Result<(), String> {
        let dram = session.card.link.dram();
        let read = self.inputs.iter().map(|slot| match slot.bytes {
            0 => Ok(Vec::new()),
            bytes => dram.read_vec(slot.address + item * bytes, bytes),
        });
        let bytes: Vec<_> = read.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        let results = self.model.network.run(self.group, &bytes, stop)?;
        for (index, (slot, bytes)) in self.outputs.iter().zip(results).enumerate() {
            if slot.bytes == 0 {
                continue;
            }
            let address = slot.address + item * slot.bytes;
            let place = self.inputs.len() + index;
            // The memory may be somebody else's by now.
            let written = self.held.if_intact(place, || dram.write(address, &bytes));
            written
                .ok_or_else(|| format!("the memory of output {index} was freed meanwhile"))?
                .map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}
