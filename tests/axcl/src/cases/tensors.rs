// SPDX-License-Identifier: MIT OR Apache-2.0

//! The description of a model's tensors, as a program sees it that knows the public numbers only: the
//! bytes of the answer are taken apart here, without the schema.

use anyhow::{bail, ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::onnx;

use crate::client::{Device, Scope};
use crate::rpc::engine::{self, ApiKind};
use crate::wire::header::HEADER;

ax650_test_kit::cases!["axcl_tensors":
    S1_types_and_layouts_have_the_public_numbers,
];

/// What a field holds.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().context("a number breaks off")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    bail!("a number without an end")
}

/// The fields of a protobuf message.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Content<'_>)>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let content = match tag & 7 {
            0 => Content::Number(varint(&mut bytes)?),
            2 => {
                let len = varint(&mut bytes)? as usize;
                ensure!(len <= bytes.len(), "a field of {len} bytes breaks off");
                let (content, rest) = bytes.split_at(len);
                bytes = rest;
                Content::Bytes(content)
            }
            other => bail!("wire type {other}"),
        };
        all.push((tag >> 3, content));
    }
    Ok(all)
}

/// The first field `number` of a message, which holds bytes.
fn inner(bytes: &[u8], number: u64) -> Result<&[u8]> {
    let found = fields(bytes)?.into_iter().find(|(n, _)| *n == number);
    match found {
        Some((_, Content::Bytes(bytes))) => Ok(bytes),
        _ => bail!("no field {number} in {bytes:x?}"),
    }
}

/// The number in field `number`; 0 is left out on the wire.
fn number(bytes: &[u8], number: u64) -> Result<u64> {
    let found = fields(bytes)?.into_iter().find(|(n, _)| *n == number);
    match found {
        Some((_, Content::Number(value))) => Ok(value),
        None => Ok(0),
        Some(_) => bail!("field {number} is no number"),
    }
}

/// Layout, type and bytes of the first input (1) or output (2) of an answer to GetModelIoInfo.
fn tensor(frame: &[u8], which: u64) -> Result<[u64; 3]> {
    // Body, runtime, body, engine, body, meta.
    let path = [2, 1, 2, 3, 2, 11, which];
    let meta = path
        .iter()
        .try_fold(&frame[HEADER..], |bytes, n| inner(bytes, *n))?;
    Ok([
        number(meta, 2)?,
        number(meta, 3)?,
        number(inner(meta, 4)?, 1)?,
    ])
}

fn tensors(scope: &Scope<'_>, image: &[u8]) -> Result<[[u64; 3]; 2]> {
    let model = scope.load(image)?;
    let call = engine::of_model(ApiKind::GetModelIoInfo, model.handle);
    let (_, frame) = scope.call_raw(&call)?;
    let found = [tensor(&frame, 1)?, tensor(&frame, 2)?];
    model.unload(scope)?;
    Ok(found)
}

/// FP32 is 15, NCHW is 2, and so on.
fn S1_types_and_layouts_have_the_public_numbers(_: &mut Context) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    scope.init_npu()?;
    for (element, dims, want) in [
        (1, &[1, 100][..], [0, 15, 400]),
        (1, &[1, 3, 8, 8], [2, 15, 768]),
        (2, &[1, 8, 8, 3], [1, 4, 192]),
        (3, &[1, 100], [0, 3, 100]),
        (10, &[1, 100], [0, 13, 200]),
        (16, &[1, 100], [0, 14, 200]),
        (6, &[1, 100], [0, 7, 400]),
        (7, &[1, 100], [0, 9, 800]),
        (11, &[1, 100], [0, 16, 800]),
    ] {
        let found = tensors(&scope, &onnx::identity(element, dims))?;
        ensure!(
            found == [want, want],
            "ONNX type {element}, {dims:?}: layout, type and bytes {found:?}, not {want:?}"
        );
    }
    device.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::examples;

    /// The worked example: a picture of bytes in NHWC, and floats of no layout.
    #[test]
    fn S1_the_worked_example_has_the_public_numbers() {
        let all = examples::all().unwrap();
        let at = all
            .iter()
            .position(|example| example.what == "GetModelIoInfo")
            .unwrap();
        let answer = &all[at + 1].bytes;
        assert_eq!(tensor(answer, 1).unwrap(), [1, 4, 150_528]);
        assert_eq!(tensor(answer, 2).unwrap(), [0, 15, 4000]);
    }
}
