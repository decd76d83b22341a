// SPDX-License-Identifier: MIT OR Apache-2.0

//! The library's card without hardware, for this package's own tests; no wheel has it.

use std::sync::Arc;

use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use pyo3::prelude::*;

use crate::card::Card;

/// A card that is made of a few data structures; its models add 1 to bytes.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct FakeCard {
    card: Arc<ax650::fake::FakeCard>,
}

#[pymethods]
impl FakeCard {
    #[new]
    fn new() -> Self {
        Self {
            card: ax650::fake::FakeCard::new(),
        }
    }

    /// Opens the card.
    fn open(&self) -> Card {
        Card {
            card: self.card.open(),
        }
    }

    /// Leaves jobs undone from now on.
    fn hold(&self) {
        self.card.hold_jobs();
    }

    /// Carries out the jobs that were left.
    fn release(&self) {
        self.card.release_jobs();
    }

    /// Returns the number of jobs submitted so far.
    fn submits(&self) -> u64 {
        self.card.submits()
    }

    /// Returns the numbers of open sessions and buffers.
    fn open_handles(&self) -> (usize, usize) {
        self.card.open_handles()
    }
}

/// A tensor: name, number of its type, bytes of an element, dimensions in each shape group.
type Described = (String, i32, u64, Vec<Vec<i32>>);

/// Makes the image of a model for the card.
#[pyfunction]
pub fn fake_model(inputs: Vec<Described>, outputs: Vec<Described>) -> Vec<u8> {
    let meta = |(name, format, bytes, shapes): Described| Meta {
        name,
        layout: 0,
        format,
        groups: shapes
            .into_iter()
            .map(|dims| OneMeta {
                size: dims.iter().map(|dim| *dim as u64).product::<u64>() * bytes,
                dims,
                stride: Vec::new(),
            })
            .collect(),
    };
    ax650::fake::model_image(&IoMeta {
        inputs: inputs.into_iter().map(meta).collect(),
        outputs: outputs.into_iter().map(meta).collect(),
    })
}
