// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models (spec 6).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::binding::Binding;
use crate::error::{Error, Result};
use crate::job::{Part, Pending};
use crate::memory::CardMemory;
use crate::proto::axclrpc::engine::{ApiKind, Meta, ModelKind, RequestBody};
use crate::session::{Session, Stream};
use crate::tensor::TensorInfo;

/// Bytes of a model that are moved at a time; two such pieces are under way.
const PIECE: usize = 4 << 20;
/// Room for the description of inputs and outputs.
const IO_INFO_CAPACITY: usize = 256 << 10;

/// A model that is loaded on the card; unloaded when the last handle and [`Binding`] of it are dropped.
///
/// Runs of one model are carried out one after the other; those of different models, and of the same
/// model loaded twice, can overlap.
#[derive(Debug, Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    stream: Stream,
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
    /// use it.
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
    pub fn load_bytes(session: &Session, image: &[u8]) -> Result<Self> {
        Self::load_from(session, "model", &mut &*image, image.len() as u64)
    }

    /// Loads the `size` bytes that `source` gives; errors call the model `name`.  An error of `source` ends it.
    pub fn load_from(
        session: &Session,
        name: &str,
        source: &mut dyn Read,
        size: u64,
    ) -> Result<Self> {
        if size == 0 {
            return Err(Error::invalid(format!("{name}: a model cannot be empty")));
        }
        let stream = session.new_context()?;
        stream.start_engine()?;
        let image = CardMemory::new(&stream, size)?;
        send_image(&stream, name, source, &image)?;
        let what = format!("load {name}");
        let body = RequestBody {
            address: Some(image.address()),
            size: Some(size),
            ..Default::default()
        };
        let handle = stream
            .engine(&what, ApiKind::LoadModel, body)?
            .handle
            .ok_or_else(|| Error::answer(&what, "no handle"))?;
        drop(image);
        // From here on the model is unloaded if anything fails.
        let mut inner = Inner {
            stream,
            handle,
            context: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        inner.describe()?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Its inputs, in order.
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inner.inputs
    }

    /// Its outputs, in order.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.inner.outputs
    }

    /// Number of shape groups: each is one set of shapes for all inputs and outputs.
    pub fn groups(&self) -> usize {
        let tensors = self.inner.inputs.iter().chain(&self.inner.outputs);
        tensors.map(|tensor| tensor.shapes.len()).min().unwrap_or(0)
    }

    /// Version of the compiler that made the model, as the card reports it.
    pub fn version(&self) -> Result<String> {
        let what = "ask for the model's version";
        let answer = self.inner.ask(what, ApiKind::GetModelVersion)?;
        answer
            .model_version
            .ok_or_else(|| Error::answer(what, "no version"))
    }

    /// NPU cores that the model uses at a time.
    pub fn cores(&self) -> Result<u32> {
        let what = "ask for the model's type";
        match self
            .inner
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

    /// Memory that the model uses on the card: of its Linux, and of the contiguous one; bytes.
    pub fn memory_usage(&self) -> Result<(u64, u64)> {
        let answer = self
            .inner
            .ask("ask for the model's memory", ApiKind::GetMemoryUsage)?;
        Ok((answer.sys_usage.unwrap_or(0), answer.cmm_usage.unwrap_or(0)))
    }

    /// Makes room for the inputs and outputs of shape group `group`, on host and card; then the model can be run
    /// any number of times without further allocations.
    pub fn bind(&self, group: usize) -> Result<Binding> {
        Binding::new(self.clone(), group)
    }

    /// Runs the model once: inputs in, outputs back, shape group 0.  To run it more than once,
    /// [`Model::bind`] is the better way.
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

    pub(crate) fn stream(&self) -> &Stream {
        &self.inner.stream
    }

    pub(crate) fn handle(&self) -> u64 {
        self.inner.handle
    }

    pub(crate) fn context(&self) -> u64 {
        self.inner.context
    }
}

impl Inner {
    fn ask(&self, what: &str, api: ApiKind) -> Result<crate::proto::axclrpc::engine::ResponseBody> {
        let body = RequestBody {
            handle: Some(self.handle),
            ..Default::default()
        };
        self.stream.engine(what, api, body)
    }

    /// Makes the card ready to run the model and learns what it takes and gives.
    fn describe(&mut self) -> Result<()> {
        let what = "create a model context";
        self.context = self
            .ask(what, ApiKind::CreateContext)?
            .context
            .ok_or_else(|| Error::answer(what, "no context"))?;

        let what = "ask for inputs and outputs";
        let body = RequestBody {
            handle: Some(self.handle),
            ..Default::default()
        };
        let call = self
            .stream
            .engine_call(what, ApiKind::GetModelIoInfo, body)
            .with_capacity(IO_INFO_CAPACITY);
        let answer = self.stream.call(call, None)?;
        let meta = crate::engine::engine_answer(what, ApiKind::GetModelIoInfo, answer)?
            .meta
            .ok_or_else(|| Error::answer(what, "no description"))?;
        let tensors = |metas: Vec<Meta>| metas.into_iter().map(TensorInfo::from_meta).collect();
        let (inputs, outputs): (Result<Vec<_>>, Result<Vec<_>>) =
            (tensors(meta.inputs), tensors(meta.outputs));
        (self.inputs, self.outputs) = (inputs?, outputs?);
        if self.inputs.is_empty() || self.outputs.is_empty() {
            return Err(Error::answer(what, "a model without inputs or outputs"));
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(timeout) = self.stream.session().health().cleanup_timeout() else {
            return;
        };
        let what = "unload a model";
        let body = RequestBody {
            handle: Some(self.handle),
            ..Default::default()
        };
        let call = self.stream.engine_call(what, ApiKind::UnloadModel, body);
        if let Err(error) = self.stream.call(call, Some(timeout)) {
            log::debug!("{what}: {error}");
        }
    }
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
        let address = target.at(offset, len as u64)?;
        let part = Part::to_card(&buffers[turn], 0..len, address);
        under_way[turn] = Some(stream.job().then(part).submit()?);
        offset += len as u64;
    }
    for pending in under_way.into_iter().flatten() {
        pending.wait()?;
    }
    Ok(())
}
