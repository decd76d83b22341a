// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engine: its models add 1 to the bytes of their first input, or to 0 without one.

use std::collections::HashMap;

use prost::Message;

use super::memory::Memory;
use crate::proto::axclrpc::engine::{ApiKind, Head, IoMeta, ModelKind, RequestBody, ResponseBody};

/// First bytes of a model image.
const MAGIC: &[u8] = b"fake model";

/// Handles count up from here; the first is that of the worked examples [rpc 9].
const FIRST: u64 = 0x55_0000_0000;

/// Runtime engine: illegal parameter; execution failed.
const ILLEGAL: i32 = 0x8030_0703_u32 as i32;
const FAILED: i32 = 0x8030_070C_u32 as i32;

/// Makes the image of a model with these inputs and outputs.
pub fn model_image(meta: &IoMeta) -> Vec<u8> {
    let mut image = MAGIC.to_vec();
    image.extend(meta.encode_length_delimited_to_vec());
    image
}

#[derive(Default)]
pub(super) struct Engine {
    ready: bool,
    models: HashMap<u64, IoMeta>,
    last: u64,
    pub(super) failed_runs: u64,
}

impl Engine {
    pub(super) fn call(
        &mut self,
        memory: &mut Memory,
        head: Head,
        body: RequestBody,
    ) -> ResponseBody {
        self.try_call(memory, head, body)
            .unwrap_or_else(|status| ResponseBody {
                status,
                ..Default::default()
            })
    }

    fn try_call(
        &mut self,
        memory: &mut Memory,
        head: Head,
        body: RequestBody,
    ) -> Result<ResponseBody, i32> {
        let mut answer = ResponseBody::default();
        let api = ApiKind::try_from(head.api).map_err(|_| ILLEGAL)?;
        if api == ApiKind::InitNpu {
            self.ready = true;
            return Ok(answer);
        }
        if !self.ready {
            return Err(FAILED);
        }
        if api == ApiKind::LoadModel {
            let size = body.size.ok_or(ILLEGAL)? as usize;
            let image = memory
                .bytes(body.address.ok_or(ILLEGAL)?, size)
                .ok_or(ILLEGAL)?;
            let meta = image
                .strip_prefix(MAGIC)
                .and_then(|meta| IoMeta::decode_length_delimited(meta).ok());
            self.last = self.last.max(FIRST) + 0x100;
            self.models.insert(self.last, meta.ok_or(FAILED)?);
            answer.handle = Some(self.last);
            return Ok(answer);
        }
        let handle = body.handle.ok_or(ILLEGAL)?;
        let model = self.models.get(&handle).ok_or(ILLEGAL)?;
        match api {
            ApiKind::UnloadModel => {
                self.models.remove(&handle);
            }
            ApiKind::CreateContext => answer.context = Some(handle + 1),
            ApiKind::GetModelIoInfo => answer.meta = Some(model.clone()),
            ApiKind::GetModelType => answer.model_type = Some(ModelKind::Npu1.into()),
            ApiKind::GetModelVersion => answer.model_version = Some("fake 1.0".into()),
            ApiKind::GetMemoryUsage => (answer.sys_usage, answer.cmm_usage) = (Some(0), Some(4096)),
            ApiKind::RunModel if body.context == Some(handle + 1) => {
                run(memory, model, body).inspect_err(|_| self.failed_runs += 1)?;
            }
            _ => return Err(ILLEGAL),
        }
        Ok(answer)
    }
}

fn run(memory: &mut Memory, model: &IoMeta, body: RequestBody) -> Result<(), i32> {
    let group = body.group.unwrap_or(0) as usize;
    let io = body.io.ok_or(ILLEGAL)?;
    if io.inputs.len() != model.inputs.len() || io.outputs.len() != model.outputs.len() {
        return Err(ILLEGAL);
    }
    for (desc, meta) in io
        .inputs
        .iter()
        .zip(&model.inputs)
        .chain(io.outputs.iter().zip(&model.outputs))
    {
        if meta
            .groups
            .get(group)
            .is_none_or(|shape| shape.size != desc.size)
        {
            return Err(ILLEGAL);
        }
    }
    let mut input = match io.inputs.first() {
        Some(first) => memory
            .bytes(first.address, first.size as usize)
            .ok_or(ILLEGAL)?
            .to_vec(),
        None => Vec::new(),
    };
    // Without an input, or with an empty one, it adds 1 to 0.
    if input.is_empty() {
        input.push(0);
    }
    for output in &io.outputs {
        let bytes = memory
            .bytes(output.address, output.size as usize)
            .ok_or(ILLEGAL)?;
        for (byte, source) in bytes.iter_mut().zip(input.iter().cycle()) {
            *byte = source.wrapping_add(1);
        }
    }
    Ok(())
}
