// SPDX-License-Identifier: MIT OR Apache-2.0

//! Room for the inputs and outputs of a model, and running it.

use std::ops::Range;
use std::time::Duration;

use crate::buffer::{Buffer, ReadGuard, WriteGuard};
use crate::engine::engine_answer;
use crate::error::{Error, Result};
use crate::job::{Done, Job, Part, Pending};
use crate::memory::CardMemory;
use crate::model::Model;
use crate::proto::axclrpc::engine::{ApiKind, Desc, IoDesc, RequestBody};
use crate::tensor::TensorInfo;

/// Tensors begin at multiples of this, in bytes.
const ALIGN: usize = 4096;

/// Room for the inputs and outputs of a model, on host and card.
///
/// All inputs lie in one buffer and all outputs in another, so that a run is one job of three steps: copy
/// in, run, copy out.  The buffers belong to the card from [`Binding::start`] until the end of the run is
/// seen; meanwhile they are [busy](Error::BufferBusy).  For runs that overlap with filling and reading use
/// two bindings in turn.
#[derive(Debug)]
pub struct Binding {
    model: Model,
    group: usize,
    inputs: Area,
    outputs: Area,
    timeout: Option<Duration>,
}

/// Tensors one behind the other, in a buffer and in card memory alike.
#[derive(Debug)]
struct Area {
    buffer: Buffer,
    memory: CardMemory,
    ranges: Vec<Range<usize>>,
}

impl Area {
    fn new(model: &Model, tensors: &[TensorInfo], group: usize) -> Result<Self> {
        let mut end: usize = 0;
        let mut ranges = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let start = end.next_multiple_of(ALIGN);
            end = start
                .checked_add(tensor.shapes[group].size)
                .ok_or_else(|| Error::invalid("the model's tensors are too large"))?;
            ranges.push(start..end);
        }
        let memory = CardMemory::new(model.stream(), end as u64)?;
        Ok(Self {
            buffer: model.stream().session().buffer(end)?,
            memory,
            ranges,
        })
    }

    fn range(&self, index: usize, kind: &str) -> Result<Range<usize>> {
        let count = self.ranges.len();
        self.ranges
            .get(index)
            .cloned()
            .ok_or_else(|| Error::invalid(format!("{kind} {index} of a model that has {count}")))
    }

    fn descriptions(&self) -> Vec<Desc> {
        let describe = |range: &Range<usize>| Desc {
            address: self.memory.address() + range.start as u64,
            size: range.len() as u64,
        };
        self.ranges.iter().map(describe).collect()
    }

    fn all(&self) -> Range<usize> {
        0..self.buffer.len()
    }
}

impl Binding {
    pub(crate) fn new(model: Model, group: usize) -> Result<Self> {
        if group >= model.groups() {
            let groups = model.groups();
            return Err(Error::invalid(format!(
                "shape group {group} of a model that has {groups}"
            )));
        }
        Ok(Self {
            inputs: Area::new(&model, model.inputs(), group)?,
            outputs: Area::new(&model, model.outputs(), group)?,
            group,
            model,
            timeout: None,
        })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Ends runs with an error when they take longer; else the driver's default holds.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Bytes of input number `index`, to be filled in place.  One input at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no such input; [`Error::BufferBusy`]: a run, or another guard.
    pub fn input(&self, index: usize) -> Result<WriteGuard<'_>> {
        let range = self.inputs.range(index, "input")?;
        Ok(self.inputs.buffer.write()?.narrow(range))
    }

    /// Copies `bytes` into input number `index`; they must be as many as it has.
    pub fn set_input(&self, index: usize, bytes: &[u8]) -> Result<()> {
        let mut input = self.input(index)?;
        if input.len() != bytes.len() {
            let (given, wanted) = (bytes.len(), input.len());
            let name = &self.model.inputs()[index].name;
            return Err(Error::invalid(format!(
                "{given} bytes for input `{name}`, which has {wanted}"
            )));
        }
        input.copy_from_slice(bytes);
        Ok(())
    }

    /// Bytes of output number `index`.
    pub fn output(&self, index: usize) -> Result<ReadGuard<'_>> {
        let range = self.outputs.range(index, "output")?;
        Ok(self.outputs.buffer.read()?.narrow(range))
    }

    /// Runs the model and waits for its outputs.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card cannot run it; [`Error::Job`]: the card failed or was too slow.
    pub fn run(&self) -> Result<RunTimes> {
        self.start()?.wait()
    }

    /// Starts a run.
    pub fn start(&self) -> Result<PendingRun> {
        Ok(PendingRun {
            pending: self.job().submit()?,
        })
    }

    fn job(&self) -> Job<'_> {
        let stream = self.model.stream();
        let body = RequestBody {
            handle: Some(self.model.handle()),
            context: Some(self.model.context()),
            group: Some(self.group as u64),
            io: Some(IoDesc {
                inputs: self.inputs.descriptions(),
                outputs: self.outputs.descriptions(),
                batch: 1,
            }),
            noresp: Some(0),
            ..Default::default()
        };
        let Area { buffer, memory, .. } = &self.inputs;
        let copy_in = Part::to_card(buffer, self.inputs.all(), memory.address());
        let run = stream.engine_call(RUN, ApiKind::RunModel, body);
        let Area { buffer, memory, .. } = &self.outputs;
        let copy_out = Part::from_card(buffer, self.outputs.all(), memory.address());
        // Copies and calls travel on different ports: the card keeps no order between them.
        let job = stream.job().then(copy_in).then(run).then(copy_out);
        match self.timeout {
            Some(timeout) => job.timeout(timeout),
            None => job,
        }
    }
}

const RUN: &str = "run the model";

/// A run that is under way.
#[must_use = "its result tells whether it went well"]
pub struct PendingRun {
    pending: Pending,
}

impl PendingRun {
    /// Waits for the end of the run.
    pub fn wait(self) -> Result<RunTimes> {
        finish(self.pending.wait()?)
    }

    /// Looks whether the run has ended.
    pub fn poll(&mut self) -> Result<Option<RunTimes>> {
        self.pending.poll()?.map(finish).transpose()
    }
}

fn finish(mut done: Done) -> Result<RunTimes> {
    engine_answer(RUN, ApiKind::RunModel, done.answer(1)?)?;
    let span = |from: u64, to: u64| Duration::from_nanos(to.saturating_sub(from));
    let step = |index: usize| span(done.steps[index].sent_ns, done.steps[index].done_ns);
    Ok(RunTimes {
        queue: span(done.queued_ns, done.steps[0].sent_ns),
        copy_in: step(0),
        run: step(1),
        copy_out: step(2),
        wake: span(done.done_ns, done.woken_ns),
        total: span(done.queued_ns, done.woken_ns),
    })
}

/// Where the time of a run went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunTimes {
    /// From submit until the first message was sent.
    pub queue: Duration,
    /// Inputs to the card.
    pub copy_in: Duration,
    /// The call: from its message to its answer.
    pub run: Duration,
    /// Outputs from the card.
    pub copy_out: Duration,
    /// From the end until the waiting thread went on.
    pub wake: Duration,
    /// From submit until the waiting thread went on.
    pub total: Duration,
}
