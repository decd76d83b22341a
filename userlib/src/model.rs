// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models: loading, binding, running, unloading [rpc 6].

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::binding::Binding;
use crate::call::Call;
use crate::card_binding::CardBinding;
use crate::engine::engine_answer;
use crate::error::{Error, Result};
use crate::memory::CardMemory;
use crate::part::Part;
use crate::pending::Pending;
use crate::proto::axclrpc::engine::{
    ApiKind, Desc, IoDesc, Meta, ModelKind, RequestBody, ResponseBody,
};
use crate::run::RUN;
use crate::session::Session;
use crate::stream::Stream;
use crate::tensor::{TensorInfo, TensorKey};

/// Bytes of a model that are moved at a time; two such pieces are under way.
const PIECE: usize = 4 << 20;
/// Room for the description of inputs and outputs.
const IO_INFO_CAPACITY: usize = 256 << 10;

/// A model that is loaded on the card; unloaded when the last handle and [`Binding`] of it are dropped and all runs have
/// ended.  That does not wait for the card, see [`Session`].
///
/// Runs of one model are carried out one after the other; those of different models, and of the same
/// model loaded twice, can overlap.
#[derive(Debug, Clone)]
pub struct Model {
    inner: Arc<Inner>,
    /// With life, which the one of `inner` has not.
    stream: Stream,
}

/// The model as jobs keep it.
#[derive(Debug)]
struct Inner {
    stream: Stream,
    is_unloaded: bool,
    handle: u64,
    context: u64,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
}

impl Model {
    /// Loads the model in a file.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::Invalid`] if the file is empty or too large; [`Error::Card`] if the card cannot
    /// use it, or [`Error::Refused`] if the card's log tells why.
    pub fn load_file(session: &Session, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |source| Error::file(path, source);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!("{}: not a file", path.display())));
        }
        Self::load_from(
            session,
            &path.display().to_string(),
            &mut &file,
            metadata.len(),
        )
    }

    /// Loads a model that is in memory.
    ///
    /// # Errors
    ///
    /// As [`Model::load_file`].
    pub fn load_bytes(session: &Session, image: &[u8]) -> Result<Self> {
        Self::load_from(session, "model", &mut &*image, image.len() as u64)
    }

    /// Loads the `size` bytes that `source` gives; errors call the model `name`.  An error of `source` ends it.
    ///
    /// # Errors
    ///
    /// As [`Model::load_file`].
    pub fn load_from(
        session: &Session,
        name: &str,
        source: &mut dyn Read,
        size: u64,
    ) -> Result<Self> {
        // Before there is a context for it.
        check_size(name, size)?;
        Self::load_on(&session.new_context()?, name, source, size)
    }

    /// Loads the `size` bytes that `source` gives, as [`Model::load_from`], but has the model's calls belong to `stream`.
    ///
    /// Runs of models on one stream are carried out in order and go to the card together: a layered model in one job costs
    /// one doorbell and one interrupt.  Else each model has a stream of its own.
    ///
    /// # Errors
    ///
    /// As [`Model::load_file`].
    pub fn load_on(stream: &Stream, name: &str, source: &mut dyn Read, size: u64) -> Result<Self> {
        check_size(name, size)?;
        stream.start_engine()?;
        let stream = stream.clone();
        let image = CardMemory::new(&stream, size)?;
        send_image(&stream, name, source, &image)?;
        let handle = load_image(&stream, name, &image)?;
        drop(image);
        // From here on the model is unloaded if anything fails.
        let mut inner = Inner {
            stream: stream.without_life(),
            is_unloaded: false,
            handle,
            context: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        inner.describe(&stream)?;
        let inner = Arc::new(inner);
        Ok(Self { inner, stream })
    }

    /// Returns the session that the model belongs to.
    pub fn session(&self) -> &Session {
        self.stream.session()
    }

    /// Returns the model's inputs, in order.
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inner.inputs
    }

    /// Returns the model's outputs, in order.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.inner.outputs
    }

    /// Finds the input with this number or name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there is none.
    pub fn input(&self, which: impl TensorKey) -> Result<&TensorInfo> {
        Ok(&self.inputs()[which.index(self.inputs(), "input")?])
    }

    /// Finds the output with this number or name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there is none.
    pub fn output(&self, which: impl TensorKey) -> Result<&TensorInfo> {
        Ok(&self.outputs()[which.index(self.outputs(), "output")?])
    }

    /// Returns the number of shape groups: each is one set of shapes for all inputs and outputs.
    pub fn groups(&self) -> usize {
        let tensors = self.inner.inputs.iter().chain(&self.inner.outputs);
        tensors.map(|tensor| tensor.shapes.len()).min().unwrap_or(0)
    }

    /// Asks the card for the version of the compiler that made the model.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it; [`Error::Answer`]: the answer makes no sense.
    pub fn version(&self) -> Result<String> {
        let what = "ask for the model's version";
        let answer = self.ask(what, ApiKind::GetModelVersion)?;
        answer
            .model_version
            .ok_or_else(|| Error::answer(what, "no version"))
    }

    /// Asks the card how many NPU cores the model uses at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it; [`Error::Answer`]: the answer makes no sense.
    pub fn cores(&self) -> Result<u32> {
        let what = "ask for the model's type";
        match self
            .ask(what, ApiKind::GetModelType)?
            .model_type
            .map(ModelKind::try_from)
        {
            Some(Ok(ModelKind::Npu1)) => Ok(1),
            Some(Ok(ModelKind::Npu2)) => Ok(2),
            Some(Ok(ModelKind::Npu3)) => Ok(3),
            other => Err(Error::answer(what, format!("{other:?}"))),
        }
    }

    /// Asks the card how much memory the model uses: of the card's Linux, and of the contiguous one; bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it; [`Error::Answer`]: the answer makes no sense.
    pub fn memory_usage(&self) -> Result<(u64, u64)> {
        let answer = self.ask("ask for the model's memory", ApiKind::GetMemoryUsage)?;
        Ok((answer.sys_usage.unwrap_or(0), answer.cmm_usage.unwrap_or(0)))
    }

    /// Makes room for the inputs and outputs of shape group `group`, on host and card; then the model can be run
    /// any number of times without further allocations.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there is no such group; [`Error::Card`]: the card has no memory left;
    /// [`Error::Driver`]: the host has none.
    pub fn bind(&self, group: usize) -> Result<Binding> {
        Binding::new(self.clone(), group)
    }

    /// Makes room for the inputs and outputs of shape group `group` on the card alone, for tensors that stay there
    /// between runs and models.
    ///
    /// # Errors
    ///
    /// As [`Model::bind`].
    pub fn bind_on_card(&self, group: usize) -> Result<CardBinding> {
        CardBinding::new(self.clone(), group)
    }

    /// Binds shape group `group` to card memory that is there, for the inputs and the outputs in their order; each has to be
    /// as large as its tensor, and may be a [part](CardMemory::part) of something larger.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there is no such group; not as much memory as tensors, too little of it, or of another session.
    pub fn bind_to(
        &self,
        group: usize,
        inputs: Vec<CardMemory>,
        outputs: Vec<CardMemory>,
    ) -> Result<CardBinding> {
        CardBinding::of(self.clone(), group, inputs, outputs)
    }

    /// Refuses a shape group that there is none of.
    pub(crate) fn check_group(&self, group: usize) -> Result<()> {
        let groups = self.groups();
        if group >= groups {
            return Err(Error::invalid(format!(
                "shape group {group} of a model that has {groups}"
            )));
        }
        Ok(())
    }

    /// Prepares a run with tensors at these places, which the caller has it keep.
    pub(crate) fn run_call(&self, group: usize, inputs: Vec<Desc>, outputs: Vec<Desc>) -> Call {
        let body = RequestBody {
            handle: Some(self.inner.handle),
            context: Some(self.inner.context),
            group: Some(group as u64),
            io: Some(IoDesc {
                inputs,
                outputs,
                batch: 1,
            }),
            noresp: Some(0),
            ..Default::default()
        };
        let run = self.stream.engine_call(RUN, ApiKind::RunModel, body);
        run.keeping(self.inner.clone())
    }

    /// Runs the model once: inputs in, outputs back, shape group 0.  To run it more than once,
    /// [`Model::bind`] is the better way.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: inputs of another number or size than the model's; else as [`Model::bind`] and
    /// [`Binding::run`].
    pub fn run_bytes(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        let binding = self.bind(0)?;
        if inputs.len() != self.inputs().len() {
            let (given, wanted) = (inputs.len(), self.inputs().len());
            return Err(Error::invalid(format!(
                "{given} inputs for a model that has {wanted}"
            )));
        }
        for (index, bytes) in inputs.iter().enumerate() {
            binding.set_input(index, bytes)?;
        }
        binding.run()?;
        (0..self.outputs().len())
            .map(|index| Ok(binding.output(index)?.to_vec()))
            .collect()
    }

    /// Unloads it, and tells how that went; dropping the last handle does the same without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`]: there are other handles and bindings of it, or runs whose end was not seen; the last of them
    /// unloads it.  [`Error::Card`], [`Error::Job`]: the card did not unload it.
    pub fn close(self, timeout: Duration) -> Result<()> {
        let Self { inner, stream } = self;
        stream.session().reap();
        let mut inner =
            Arc::into_inner(inner).ok_or_else(|| Error::Busy("the model is still used".into()))?;
        inner.is_unloaded = true;
        let answer = stream.call(inner.unload_call(), Some(timeout))?;
        engine_answer(UNLOAD, ApiKind::UnloadModel, answer).map(drop)
    }

    fn ask(&self, what: &str, api: ApiKind) -> Result<ResponseBody> {
        self.inner.ask(&self.stream, what, api)
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }
}

impl Inner {
    fn ask(&self, stream: &Stream, what: &str, api: ApiKind) -> Result<ResponseBody> {
        let body = RequestBody {
            handle: Some(self.handle),
            ..Default::default()
        };
        stream.engine(what, api, body)
    }

    fn unload_call(&self) -> Call {
        let body = RequestBody {
            handle: Some(self.handle),
            ..Default::default()
        };
        self.stream.engine_call(UNLOAD, ApiKind::UnloadModel, body)
    }

    /// Makes the card ready to run the model and learns what it takes and gives.
    fn describe(&mut self, stream: &Stream) -> Result<()> {
        let what = "create a model context";
        self.context = self
            .ask(stream, what, ApiKind::CreateContext)?
            .context
            .ok_or_else(|| Error::answer(what, "no context"))?;

        let what = "ask for inputs and outputs";
        let body = RequestBody {
            handle: Some(self.handle),
            ..Default::default()
        };
        let call = stream
            .engine_call(what, ApiKind::GetModelIoInfo, body)
            .with_capacity(IO_INFO_CAPACITY);
        let answer = stream.call(call, None)?;
        let meta = engine_answer(what, ApiKind::GetModelIoInfo, answer)?
            .meta
            .ok_or_else(|| Error::answer(what, "no description"))?;
        let tensors = |metas: Vec<Meta>| metas.into_iter().map(TensorInfo::from_meta).collect();
        let (inputs, outputs): (Result<Vec<_>>, Result<Vec<_>>) =
            (tensors(meta.inputs), tensors(meta.outputs));
        (self.inputs, self.outputs) = (inputs?, outputs?);
        // Without inputs it may be: there are models that only make something up.
        if self.outputs.is_empty() {
            return Err(Error::answer(what, "a model without outputs"));
        }
        Ok(())
    }
}

/// What the call is named in errors.
const UNLOAD: &str = "unload a model";

impl Drop for Inner {
    fn drop(&mut self) {
        let session = self.stream.session();
        if !self.is_unloaded && !session.is_over() {
            session.release(self.unload_call());
        }
    }
}

/// Refuses an image without bytes.
fn check_size(name: &str, size: u64) -> Result<()> {
    if size == 0 {
        return Err(Error::invalid(format!("{name}: a model cannot be empty")));
    }
    Ok(())
}

/// Has the card load the image; the model's handle.
fn load_image(stream: &Stream, name: &str, image: &CardMemory) -> Result<u64> {
    let what = format!("load {name}");
    let body = RequestBody {
        address: Some(image.address()),
        size: Some(image.size()),
        ..Default::default()
    };
    let load = || {
        // The card may still read the image when the call was not answered in time.
        let call = stream.engine_call(&what, ApiKind::LoadModel, body.clone());
        let answer = stream.call(call.keep(image), None)?;
        engine_answer(&what, ApiKind::LoadModel, answer)
    };
    let answer = stream.session().with_room(load);
    answer
        .map_err(|error| stream.with_reason(error))?
        .handle
        .ok_or_else(|| Error::answer(&what, "no handle"))
}

/// Moves the image to the card; one piece is read while another is on its way.
fn send_image(
    stream: &Stream,
    name: &str,
    source: &mut dyn Read,
    target: &CardMemory,
) -> Result<()> {
    let piece = PIECE.min(target.size() as usize);
    let buffers = [
        stream.session().buffer(piece)?,
        stream.session().buffer(piece)?,
    ];
    let mut under_way: [Option<Pending>; 2] = [None, None];
    let mut offset = 0;
    for turn in (0..2).cycle() {
        if let Some(pending) = under_way[turn].take() {
            pending.wait()?;
        }
        let len = (target.size() - offset).min(piece as u64) as usize;
        if len == 0 {
            break;
        }
        source
            .read_exact(&mut buffers[turn].write()?[..len])
            .map_err(|error| Error::file(name, error))?;
        let target = target.part(offset, len as u64)?;
        let part = Part::to_card(&buffers[turn], 0..len, &target);
        under_way[turn] = Some(stream.job().then(part).submit()?);
        offset += len as u64;
    }
    for pending in under_way.into_iter().flatten() {
        pending.wait()?;
    }
    Ok(())
}
