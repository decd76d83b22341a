// SPDX-License-Identifier: MIT OR Apache-2.0

//! Room for the inputs and outputs of a model, and running it.

use std::ops::Range;
use std::time::Duration;

use crate::buffer::{Buffer, ReadGuard, WriteGuard};
use crate::call::Call;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::memory::CardMemory;
use crate::model::Model;
use crate::part::Part;
use crate::proto::axclrpc::engine::Desc;
use crate::run::{PendingRun, RunSteps, RunTimes};
use crate::tensor::{TensorInfo, TensorKey};
use crate::view::{self, Element, Elements, ElementsMut, Viewed};

/// Tensors begin at multiples of this, in bytes.
const ALIGN: usize = 4096;

/// Room for the inputs and outputs of a model, on host and card.
///
/// All inputs lie in one buffer and all outputs in another, so that a run is one job of three steps: copy
/// in, run, copy out.  The buffers belong to the card from [`Binding::start`] until the end of the run is
/// seen; meanwhile they are [busy](Error::BufferBusy).  For runs that overlap with filling and reading use
/// two bindings in turn.
///
/// A run keeps all that it uses until it has ended: a binding may be dropped at any time.
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
    /// `None`: there are no tensors.
    room: Option<Room>,
    ranges: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Room {
    buffer: Buffer,
    memory: CardMemory,
    /// Bytes of the tensors; 0 if all of them are empty.
    len: usize,
}

impl Area {
    fn new(model: &Model, tensors: &[TensorInfo], group: usize) -> Result<Self> {
        let too_large = || Error::invalid("the model's tensors are too large");
        let mut end: usize = 0;
        let mut ranges = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let start = end.checked_next_multiple_of(ALIGN).ok_or_else(too_large)?;
            end = start
                .checked_add(tensor.shapes[group].size)
                .ok_or_else(too_large)?;
            ranges.push(start..end);
        }
        // An empty tensor at the end has an address that is its own all the same.
        let is_empty = ranges
            .last()
            .is_some_and(|last: &Range<usize>| last.is_empty());
        let size = end
            .checked_add(usize::from(is_empty))
            .and_then(|size| size.checked_next_multiple_of(ALIGN))
            .ok_or_else(too_large)?;
        let room = match tensors {
            [] => None,
            _ => Some(Room {
                memory: CardMemory::new(model.stream(), size as u64)?,
                buffer: model.session().buffer(size)?,
                len: end,
            }),
        };
        Ok(Self { room, ranges })
    }

    fn find(&self, index: usize, kind: &str) -> Result<(&Room, Range<usize>)> {
        let range = self.ranges.get(index).cloned();
        self.room.as_ref().zip(range).ok_or_else(|| {
            let count = self.ranges.len();
            Error::invalid(format!("{kind} {index} of a model that has {count}"))
        })
    }

    fn descriptions(&self) -> Vec<Desc> {
        let address = self.room.as_ref().map_or(0, |room| room.memory.address());
        let describe = |range: &Range<usize>| Desc {
            address: address + range.start as u64,
            size: range.len() as u64,
        };
        self.ranges.iter().map(describe).collect()
    }

    /// Returns the memory that is to be copied: none if there are no bytes.
    fn copied(&self) -> Option<&Room> {
        self.room.as_ref().filter(|room| room.len > 0)
    }

    fn close(self, timeout: Duration) -> Result<()> {
        self.room.map_or(Ok(()), |room| room.memory.close(timeout))
    }
}

impl Binding {
    pub(crate) fn new(model: Model, group: usize) -> Result<Self> {
        model.check_group(group)?;
        Ok(Self {
            inputs: Area::new(&model, model.inputs(), group)?,
            outputs: Area::new(&model, model.outputs(), group)?,
            group,
            model,
            timeout: None,
        })
    }

    /// Returns the model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Returns the shape group that the binding was made for.
    pub fn group(&self) -> usize {
        self.group
    }

    /// Ends runs with an error when they take longer; else the driver's default holds.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Bytes of an input, by number or name, to be filled in place.  One input at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no such input; [`Error::BufferBusy`]: a run, or another guard.
    pub fn input(&self, which: impl TensorKey) -> Result<WriteGuard<'_>> {
        let index = which.index(self.model.inputs(), "input")?;
        let (room, range) = self.inputs.find(index, "input")?;
        Ok(room.buffer.write()?.narrow(range))
    }

    /// Elements of an input, by number or name, to be filled in place.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::input`]; [`Error::Invalid`]: the input has other elements than `T`.
    pub fn input_as<T: Viewed>(&self, which: impl TensorKey) -> Result<ElementsMut<'_, T>> {
        let index = which.index(self.model.inputs(), "input")?;
        let tensor = &self.model.inputs()[index];
        ElementsMut::new(tensor, &tensor.shapes[self.group], self.input(index)?)
    }

    /// Copies `bytes` into an input, by number or name; they must be as many as it has.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::input`]; [`Error::Invalid`]: not as many.
    pub fn set_input(&self, which: impl TensorKey, bytes: &[u8]) -> Result<()> {
        let index = which.index(self.model.inputs(), "input")?;
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

    /// Copies `values` into an input, by number or name; they must be as many as it has elements, and of its type.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::input`]; [`Error::Invalid`]: not as many, or of another type.
    pub fn set_values<T: Element>(&self, which: impl TensorKey, values: &[T]) -> Result<()> {
        let index = which.index(self.model.inputs(), "input")?;
        let tensor = &self.model.inputs()[index];
        let mut input = self.input(index)?;
        view::store(tensor, &tensor.shapes[self.group], values, &mut input)
    }

    /// Bytes of an output, by number or name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no such output; [`Error::BufferBusy`]: a run; [`Error::BufferLost`]: a run that was broken off
    /// while its outputs were copied.
    pub fn output(&self, which: impl TensorKey) -> Result<ReadGuard<'_>> {
        let index = which.index(self.model.outputs(), "output")?;
        let (room, range) = self.outputs.find(index, "output")?;
        Ok(room.buffer.read()?.narrow(range))
    }

    /// Elements of an output, by number or name.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::output`]; [`Error::Invalid`]: the output has other elements than `T`.
    pub fn output_as<T: Viewed>(&self, which: impl TensorKey) -> Result<Elements<'_, T>> {
        let index = which.index(self.model.outputs(), "output")?;
        let tensor = &self.model.outputs()[index];
        Elements::new(tensor, &tensor.shapes[self.group], self.output(index)?)
    }

    /// Copies the elements of an output, by number or name.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::output_as`].
    pub fn values<T: Element>(&self, which: impl TensorKey) -> Result<Vec<T>> {
        let index = which.index(self.model.outputs(), "output")?;
        let tensor = &self.model.outputs()[index];
        view::load(tensor, &tensor.shapes[self.group], &self.output(index)?)
    }

    /// Runs the model and waits for its outputs.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card cannot run it; [`Error::Job`]: the card failed or was too slow.
    pub fn run(&self) -> Result<RunTimes> {
        let (job, steps) = self.add_to(self.model.stream().job());
        steps.run(job, self.timeout)
    }

    /// Starts a run.
    ///
    /// # Errors
    ///
    /// [`Error::BufferBusy`]: another run, or a guard; [`Error::Driver`].
    pub fn start(&self) -> Result<PendingRun> {
        let (job, steps) = self.add_to(self.model.stream().job());
        steps.start(job, self.timeout)
    }

    /// Frees its memory on the card, and tells how that went; dropping it does the same without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`]: a run whose end was not seen; [`Error::Card`], [`Error::Job`]: the card did not free it.
    pub fn close(self, timeout: Duration) -> Result<()> {
        let inputs = self.inputs.close(timeout);
        self.outputs.close(timeout).and(inputs)
    }

    /// Adds the steps of a run to a job of the same session, behind all that it has: several runs, and what belongs to
    /// them, can go with one request.  The job keeps what the run uses; its timeout is the job's.
    ///
    /// [`RunSteps::finish`] tells how the run went when the job has ended.
    pub fn add_to<'a>(&self, mut job: Job<'a>) -> (Job<'a>, RunSteps) {
        // Copies and calls travel on different ports: the card keeps no order between them.
        let first = job.len();
        let mut copy_in = None;
        if let Some(Room {
            buffer,
            memory,
            len,
        }) = self.inputs.copied()
        {
            copy_in = Some(job.len());
            job = job.then(Part::to_card(buffer, 0..*len, memory));
        }
        let at = job.len();
        job = job.then(self.run_call());
        let mut copy_out = None;
        if let Some(Room {
            buffer,
            memory,
            len,
        }) = self.outputs.copied()
        {
            copy_out = Some(job.len());
            job = job.then(Part::from_card(buffer, 0..*len, memory));
        }
        let steps = RunSteps {
            first,
            copy_in,
            run: at,
            copy_out,
        };
        (job, steps)
    }

    /// Makes the call that runs the model on what lies in card memory.
    pub(crate) fn run_call(&self) -> Call {
        let (inputs, outputs) = (self.inputs.descriptions(), self.outputs.descriptions());
        let mut run = self.model.run_call(self.group, inputs, outputs);
        for room in [&self.inputs.room, &self.outputs.room]
            .into_iter()
            .flatten()
        {
            run = run.keep(&room.memory);
        }
        run
    }
}
