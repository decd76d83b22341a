// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tensors in files, for comparison with another engine: raw little-endian data, and `index.tsv` with a line for each run: model,
//! input's name, input's dimensions, file, output's dimensions, file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Dimensions of a tensor, and its bytes.
type Tensor<'a> = (&'a [u32], &'a [u8]);

/// A directory that is being filled.
pub struct Tensors {
    directory: PathBuf,
    index: String,
    runs: usize,
}

impl Tensors {
    /// Makes the directory.
    pub fn new(directory: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory).map_err(|error| Failure::file(directory, &error))?;
        Ok(Self {
            directory: directory.into(),
            index: String::new(),
            runs: 0,
        })
    }

    /// Adds a run.
    pub fn add(
        &mut self,
        model: &str,
        input: &str,
        from: Tensor<'_>,
        to: Tensor<'_>,
    ) -> Result<(), Failure> {
        let mut row = vec![model.to_owned(), input.to_owned()];
        for (what, (dims, bytes)) in [("in", from), ("out", to)] {
            let name = format!("{:03}-{model}-{what}.bin", self.runs);
            self.write(&name, bytes)?;
            let dims: Vec<_> = dims.iter().map(u32::to_string).collect();
            row.extend([dims.join("x"), name]);
        }
        self.index += &(row.join("\t") + "\n");
        self.runs += 1;
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.directory.join(name);
        fs::write(&path, bytes).map_err(|error| Failure::file(&path, &error))
    }

    /// Writes the index: the directory is complete.
    pub fn finish(self) -> Result<(), Failure> {
        self.write("index.tsv", self.index.as_bytes())
    }
}
