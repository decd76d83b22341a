// SPDX-License-Identifier: MIT OR Apache-2.0

//! Writes shape groups into an ONNX model, which is otherwise kept byte for byte.

use prost::Message;

use super::groups::{fix, Group, GroupError, GROUPS_KEY};
use super::onnx::{dimension, Model, StringStringEntry, ValueInfo};

/// Field number of `metadata_props` in the model.
const METADATA_FIELD: u64 = 14;

/// Why a model cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Not a protobuf message with a graph that has inputs.
    #[error("this is no ONNX model: {0}")]
    NoModel(String),
    /// The groups do not fit.
    #[error(transparent)]
    Groups(#[from] GroupError),
}

/// `model` with the property [`GROUPS_KEY`] set to `groups`, in place of any that it has.
pub fn pin(model: &[u8], groups: &[Group]) -> Result<Vec<u8>, PinError> {
    let no_model = |text: &str| PinError::NoModel(text.to_owned());
    let known = Model::decode(model).map_err(|e| PinError::NoModel(e.to_string()))?;
    let graph = known.graph.ok_or_else(|| no_model("it has no graph"))?;
    let weights: Vec<&str> = graph.initializer.iter().map(|w| w.name.as_str()).collect();
    // Old models list their weights as inputs too.
    let inputs: Vec<_> = graph
        .input
        .iter()
        .filter(|input| !weights.contains(&input.name.as_str()))
        .map(|input| (input.name.clone(), shape(input)))
        .collect();
    if inputs.is_empty() {
        return Err(no_model("its graph has no inputs"));
    }
    fix(&inputs, Some(groups))?;

    let mut edited = Vec::with_capacity(model.len() + 256);
    for field in fields(model) {
        let (number, content, raw) = field.ok_or_else(|| no_model("a field is cut off"))?;
        let ours = number == METADATA_FIELD && {
            let entry =
                StringStringEntry::decode(content).map_err(|e| PinError::NoModel(e.to_string()))?;
            entry.key == GROUPS_KEY
        };
        if !ours {
            edited.extend_from_slice(raw);
        }
    }
    let entry = StringStringEntry {
        key: GROUPS_KEY.into(),
        value: serde_json::to_string(groups).map_err(|e| GroupError::Json(e.to_string()))?,
    };
    let addition = Model {
        metadata_props: vec![entry],
        ..Default::default()
    };
    edited.extend_from_slice(&addition.encode_to_vec());
    Ok(edited)
}

/// The shape of an input, -1 for what is dynamic.
fn shape(input: &ValueInfo) -> Vec<i64> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let shape = tensor.and_then(|t| t.shape.as_ref());
    shape.map_or(Vec::new(), |shape| {
        let dims = shape.dim.iter().map(|dim| match dim.value {
            Some(dimension::Value::DimValue(n)) if n > 0 => n,
            _ => -1,
        });
        dims.collect()
    })
}

/// The fields of a message: number, content (of length-delimited ones, else empty), all bytes.  The
/// last item is `None` if the message is cut off.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Option<(u64, &[u8], &[u8])>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = split_field(rest);
        rest = field.map_or(&[], |(_, _, raw)| &rest[raw.len()..]);
        Some(field)
    })
}

fn split_field(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (tag, at) = varint(bytes, 0)?;
    let (start, end) = match tag & 7 {
        0 => (at, varint(bytes, at)?.1),
        1 => (at, at + 8),
        2 => {
            let (len, at) = varint(bytes, at)?;
            (at, at.checked_add(usize::try_from(len).ok()?)?)
        }
        5 => (at, at + 4),
        _ => return None,
    };
    let raw = bytes.get(..end)?;
    let content = if tag & 7 == 2 { &raw[start..] } else { &[] };
    Some((tag >> 3, content, raw))
}

fn varint(bytes: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::groups::parse_group;
    use super::super::onnx::{Dimension, Graph, TensorShape, TensorType, Type};
    use super::*;

    fn model() -> Vec<u8> {
        let dims = [None, Some(3)].map(|n| Dimension {
            value: n.map(dimension::Value::DimValue),
        });
        let tensor = TensorType {
            elem_type: 1,
            shape: Some(TensorShape { dim: dims.to_vec() }),
        };
        let input = ValueInfo {
            name: "x".into(),
            r#type: Some(Type {
                tensor_type: Some(tensor),
            }),
        };
        let graph = Graph {
            input: vec![input],
            ..Default::default()
        };
        let mut bytes = Model {
            ir_version: 8,
            graph: Some(graph),
            ..Default::default()
        }
        .encode_to_vec();
        // Fields that the subset does not know: number 25 of each wire type.
        bytes.extend_from_slice(&[0xc8, 1, 0x96, 1, 0xca, 1, 2, 7, 7, 0xcd, 1, 1, 2, 3, 4]);
        bytes
    }

    #[test]
    fn adds_and_replaces_the_property_only() {
        let model = model();
        let one = pin(&model, &[parse_group("x:2x3").unwrap()]).unwrap();
        assert_eq!(&one[..model.len()], &model[..]);
        let two = pin(
            &one,
            &[parse_group("x:4x3").unwrap(), parse_group("x:5x3").unwrap()],
        )
        .unwrap();
        assert_eq!(&two[..model.len()], &model[..]);
        let props = Model::decode(&two[..]).unwrap().metadata_props;
        assert_eq!(props.len(), 1);
        assert_eq!(props[0].value, r#"[{"x":[4,3]},{"x":[5,3]}]"#);
    }

    #[test]
    fn refuses_what_is_no_model_or_does_not_fit() {
        let group = [parse_group("x:2x3").unwrap()];
        assert!(matches!(pin(b"", &group), Err(PinError::NoModel(_))));
        assert!(matches!(pin(b"\x0a", &group), Err(PinError::NoModel(_))));
        assert!(matches!(pin(b"garbage", &group), Err(PinError::NoModel(_))));
        assert!(matches!(
            pin(&model(), &[parse_group("x:2x4").unwrap()]),
            Err(PinError::Groups(_))
        ));
    }
}
