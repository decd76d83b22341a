// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the card has received while booting, for tests to compare.

use parking_lot::Mutex;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// Largest transfer [pcie 3.2].
pub(crate) const CHUNK: u32 = 0x30_0000;

/// One firmware image, put together from its chunks.
#[derive(Debug, Clone)]
pub struct Image {
    /// First card address.
    pub destination: u64,
    /// Bytes received.
    pub size: u64,
    /// Boot commands that it came in.
    pub chunks: u32,
    last_chunk: u32,
    digest: Sha256,
}

impl Image {
    /// SHA-256 in lower-case hexadecimal digits.
    pub fn sha256(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

/// The images of the last boot, in the order in which they came.
#[derive(Debug, Default)]
pub struct Images(Mutex<Vec<Image>>);

impl Images {
    /// A new boot begins.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// A chunk has arrived.  It continues the last image if it lies right behind it and the chunk
    /// before was a full one; else an image begins.
    pub(crate) fn add(&self, destination: u64, data: &[u8]) {
        let mut images = self.0.lock();
        let goes_on = images
            .last()
            .is_some_and(|i| i.destination + i.size == destination && i.last_chunk == CHUNK);
        if !goes_on {
            images.push(Image {
                destination,
                size: 0,
                chunks: 0,
                last_chunk: 0,
                digest: Sha256::new(),
            });
        }
        if let Some(image) = images.last_mut() {
            image.digest.update(data);
            image.size += data.len() as u64;
            image.chunks += 1;
            image.last_chunk = data.len() as u32;
        }
    }

    /// All images.
    pub fn list(&self) -> Vec<Image> {
        self.0.lock().clone()
    }

    /// All images for the control socket.
    pub fn report(&self) -> Value {
        self.list()
            .iter()
            .map(|image| {
                json!({
                    "destination": format!("{:#x}", image.destination),
                    "size": image.size,
                    "chunks": image.chunks,
                    "sha256": image.sha256(),
                })
            })
            .collect()
    }
}
