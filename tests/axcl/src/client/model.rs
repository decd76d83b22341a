// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models [rpc 6].

use anyhow::{ensure, Context, Result};

use super::device::Scope;
use crate::rpc::engine::{self, ApiKind, Desc, IoDesc, IoMeta, Meta, RequestBody, ResponseBody};

/// A model that is loaded, with a context and buffers for its tensors.
#[derive(Debug)]
pub struct Model {
    /// Handle.
    pub handle: u64,
    /// Engine context.
    pub context: u64,
    /// Its inputs and outputs.
    pub meta: IoMeta,
    inputs: Vec<Desc>,
    outputs: Vec<Desc>,
}

impl Scope<'_> {
    /// An engine call, whose status must be 0.
    pub fn engine(&self, api: ApiKind, body: RequestBody) -> Result<ResponseBody> {
        let answer = self.try_engine(api, body)?;
        ensure!(answer.status == 0, "{api:?}: {:#x}", answer.status);
        Ok(answer)
    }

    /// An engine call.
    pub fn try_engine(&self, api: ApiKind, body: RequestBody) -> Result<ResponseBody> {
        engine::answer(api, self.call(&engine::call(api, body))?)
    }

    /// An engine call that names a model only.
    pub fn of_model(&self, api: ApiKind, handle: u64) -> Result<ResponseBody> {
        let body = RequestBody {
            handle: Some(handle),
            ..Default::default()
        };
        self.engine(api, body)
    }

    /// Switches the NPU on.
    pub fn init_npu(&self) -> Result<()> {
        let body = RequestBody {
            npu_type: Some(0),
            ..Default::default()
        };
        self.engine(ApiKind::InitNpu, body).map(drop)
    }

    /// Loads a model: its image goes to card memory, which is free again when the card has answered.
    pub fn load(&self, image: &[u8]) -> Result<Model> {
        let at = self.malloc(image.len() as u32)?;
        self.write(at, image)?;
        let body = RequestBody {
            address: Some(at),
            size: Some(image.len() as u64),
            ..Default::default()
        };
        let loaded = self.engine(ApiKind::LoadModel, body);
        self.free(at)?;
        let handle = loaded?.handle.context("LoadModel without a handle")?;
        let context = self.of_model(ApiKind::CreateContext, handle)?;
        let context = context.context.context("CreateContext without one")?;
        let meta = self.of_model(ApiKind::GetModelIoInfo, handle)?;
        let meta = meta.meta.context("GetModelIoInfo without any")?;
        let tensors = |list: &[Meta]| -> Result<Vec<Desc>> {
            list.iter()
                .map(|one| {
                    let size = one.groups.first().context("no shape group")?.size;
                    Ok(Desc {
                        address: self.malloc(size as u32)?,
                        size,
                    })
                })
                .collect()
        };
        let (inputs, outputs) = (tensors(&meta.inputs)?, tensors(&meta.outputs)?);
        Ok(Model {
            handle,
            context,
            meta,
            inputs,
            outputs,
        })
    }
}

impl Model {
    /// The body of a run.
    pub fn run_body(&self) -> RequestBody {
        RequestBody {
            handle: Some(self.handle),
            context: Some(self.context),
            group: Some(0),
            io: Some(IoDesc {
                inputs: self.inputs.clone(),
                outputs: self.outputs.clone(),
                batch: 1,
            }),
            noresp: Some(0),
            ..Default::default()
        }
    }

    /// Puts inputs to their places.
    pub fn put(&self, scope: &Scope<'_>, inputs: &[Vec<u8>]) -> Result<()> {
        ensure!(inputs.len() == self.inputs.len(), "{} inputs", inputs.len());
        for (data, place) in inputs.iter().zip(&self.inputs) {
            ensure!(data.len() as u64 == place.size, "{} bytes", data.len());
            scope.write(place.address, data)?;
        }
        Ok(())
    }

    /// Fetches the outputs.
    pub fn get(&self, scope: &Scope<'_>) -> Result<Vec<Vec<u8>>> {
        self.outputs
            .iter()
            .map(|place| scope.read(place.address, place.size as usize))
            .collect()
    }

    /// Runs it on these inputs.
    pub fn run(&self, scope: &Scope<'_>, inputs: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        self.put(scope, inputs)?;
        scope.engine(ApiKind::RunModel, self.run_body())?;
        self.get(scope)
    }

    /// Gives it up.
    pub fn unload(self, scope: &Scope<'_>) -> Result<()> {
        for place in self.inputs.iter().chain(&self.outputs) {
            scope.free(place.address)?;
        }
        scope.of_model(ApiKind::UnloadModel, self.handle).map(drop)
    }
}
