// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs of models whose tensors stay on the card.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::job::Job;
use crate::memory::CardMemory;
use crate::model::Model;
use crate::proto::axclrpc::engine::Desc;
use crate::run::{PendingRun, RunSteps, RunTimes};
use crate::tensor::{TensorInfo, TensorKey};

/// A model with card memory for its inputs and outputs: a run is one call, and copies nothing.
///
/// What one model leaves in its output can be the input of the next ([`CardBinding::set_input`]), and what a model
/// keeps from run to run, such as the cache of a language model, is [swapped](CardBinding::swap) or written in place.
/// Several runs, and the copies of what has to cross the link, go to the card as one job:
///
/// ```no_run
/// # fn token(first: ax650::Model, second: ax650::Model, session: ax650::Session) -> ax650::Result<()> {
/// use ax650::Part;
///
/// let (first, mut second) = (first.bind_on_card(0)?, second.bind_on_card(0)?);
/// second.set_input("hidden", first.output("hidden")?)?;
/// let token = session.buffer(4)?;
/// let (input, stream) = (first.input("token")?, session.stream());
/// let job = stream.job().then(Part::to_card(&token, 0..4, input));
/// let (job, one) = first.add_to(job);
/// let (job, two) = second.add_to(job);
/// let mut done = job.run()?;
/// one.finish(&mut done)?;
/// two.finish(&mut done)?;
/// # Ok(())
/// # }
/// ```
///
/// A run keeps the memory that it uses until it has ended; it may be replaced or dropped at any time.
#[derive(Debug)]
pub struct CardBinding {
    model: Model,
    group: usize,
    inputs: Vec<CardMemory>,
    outputs: Vec<CardMemory>,
    timeout: Option<Duration>,
}

impl CardBinding {
    pub(crate) fn new(model: Model, group: usize) -> Result<Self> {
        model.check_group(group)?;
        let allocate = |tensor: &TensorInfo| {
            // An empty tensor has an address all the same.
            let size = tensor.shapes[group].size.max(1);
            CardMemory::new(model.stream(), size as u64)
        };
        Ok(Self {
            inputs: model.inputs().iter().map(allocate).collect::<Result<_>>()?,
            outputs: model
                .outputs()
                .iter()
                .map(allocate)
                .collect::<Result<_>>()?,
            group,
            model,
            timeout: None,
        })
    }

    pub(crate) fn of(
        model: Model,
        group: usize,
        inputs: Vec<CardMemory>,
        outputs: Vec<CardMemory>,
    ) -> Result<Self> {
        model.check_group(group)?;
        let binding = Self {
            inputs,
            outputs,
            group,
            model,
            timeout: None,
        };
        binding.check_all("input", binding.model.inputs(), &binding.inputs)?;
        binding.check_all("output", binding.model.outputs(), &binding.outputs)?;
        Ok(binding)
    }

    fn check_all(&self, kind: &str, tensors: &[TensorInfo], memories: &[CardMemory]) -> Result<()> {
        let (given, wanted) = (memories.len(), tensors.len());
        if given != wanted {
            return Err(Error::invalid(format!(
                "{given} pieces of card memory for {wanted} {kind}s"
            )));
        }
        let mut pairs = tensors.iter().zip(memories);
        pairs.try_for_each(|(tensor, memory)| self.check(kind, tensor, memory))
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

    /// Returns the memory of an input, by number or name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no such input.
    pub fn input(&self, which: impl TensorKey) -> Result<&CardMemory> {
        Ok(&self.inputs[which.index(self.model.inputs(), "input")?])
    }

    /// Returns the memory of an output, by number or name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no such output.
    pub fn output(&self, which: impl TensorKey) -> Result<&CardMemory> {
        Ok(&self.outputs[which.index(self.model.outputs(), "output")?])
    }

    /// Has later runs read an input, by number or name, from the beginning of `memory`: an output of another model, or a
    /// [part](CardMemory::part) of something larger.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no such input, too little memory, or memory of another session.
    pub fn set_input(&mut self, which: impl TensorKey, memory: &CardMemory) -> Result<()> {
        let index = which.index(self.model.inputs(), "input")?;
        self.check("input", &self.model.inputs()[index], memory)?;
        self.inputs[index] = memory.clone();
        Ok(())
    }

    /// Has later runs write an output, by number or name, to the beginning of `memory`.  It may be that of an input, if
    /// the model can do with that.
    ///
    /// # Errors
    ///
    /// As [`CardBinding::set_input`].
    pub fn set_output(&mut self, which: impl TensorKey, memory: &CardMemory) -> Result<()> {
        let index = which.index(self.model.outputs(), "output")?;
        self.check("output", &self.model.outputs()[index], memory)?;
        self.outputs[index] = memory.clone();
        Ok(())
    }

    /// Exchanges the memory of an input and an output: what the last run wrote is what the next one reads.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no such tensor, or one of the two has too little memory for the other.
    pub fn swap(&mut self, input: impl TensorKey, output: impl TensorKey) -> Result<()> {
        let input = input.index(self.model.inputs(), "input")?;
        let output = output.index(self.model.outputs(), "output")?;
        self.check("input", &self.model.inputs()[input], &self.outputs[output])?;
        self.check("output", &self.model.outputs()[output], &self.inputs[input])?;
        std::mem::swap(&mut self.inputs[input], &mut self.outputs[output]);
        Ok(())
    }

    fn check(&self, kind: &str, tensor: &TensorInfo, memory: &CardMemory) -> Result<()> {
        let session = self.model.session();
        session.same_session(memory.session(), "card memory")?;
        let (wanted, there) = (tensor.shapes[self.group].size as u64, memory.size());
        if there < wanted {
            let name = &tensor.name;
            return Err(Error::invalid(format!(
                "{there} bytes of card memory for {kind} `{name}`, which has {wanted}"
            )));
        }
        Ok(())
    }

    /// Runs the model and waits for its end.
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
    /// [`Error::Driver`].
    pub fn start(&self) -> Result<PendingRun> {
        let (job, steps) = self.add_to(self.model.stream().job());
        steps.start(job, self.timeout)
    }

    /// Adds a run to a job of the same session, behind all that it has.  The job keeps what the run uses; its timeout
    /// is the job's.  [`RunSteps::finish`] tells how the run went when the job has ended.
    pub fn add_to<'a>(&self, job: Job<'a>) -> (Job<'a>, RunSteps) {
        let inputs = descriptions(self.model.inputs(), self.group, &self.inputs);
        let outputs = descriptions(self.model.outputs(), self.group, &self.outputs);
        let mut run = self.model.run_call(self.group, inputs, outputs);
        for memory in self.inputs.iter().chain(&self.outputs) {
            run = run.keep(memory);
        }
        let at = job.len();
        let steps = RunSteps {
            first: at,
            copy_in: None,
            run: at,
            copy_out: None,
        };
        (job.then(run), steps)
    }
}

fn descriptions(tensors: &[TensorInfo], group: usize, memories: &[CardMemory]) -> Vec<Desc> {
    let describe = |(tensor, memory): (&TensorInfo, &CardMemory)| Desc {
        address: memory.address(),
        size: tensor.shapes[group].size as u64,
    };
    tensors.iter().zip(memories).map(describe).collect()
}
