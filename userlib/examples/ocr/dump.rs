// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tensors in files, for comparison with another engine: raw little-endian data, and `index.tsv` with a
//! line for each run: model, input's name, input's dimensions, file, output's dimensions, file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Result;

/// A directory that is being filled.
pub struct Dump {
    dir: PathBuf,
    index: String,
    runs: usize,
}

impl Dump {
    /// Makes the directory.
    pub fn new(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(Self {
            dir: dir.to_owned(),
            index: String::new(),
            runs: 0,
        })
    }

    /// Adds a run.
    pub fn add(
        &mut self,
        model: &str,
        input: &str,
        from: &[u32],
        data: &[u8],
        to: &[u32],
        result: &[u8],
    ) -> Result<()> {
        let names = [
            format!("{:03}-{model}-in.bin", self.runs),
            format!("{:03}-{model}-out.bin", self.runs),
        ];
        fs::write(self.dir.join(&names[0]), data)?;
        fs::write(self.dir.join(&names[1]), result)?;
        let dims = |dims: &[u32]| {
            dims.iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join("x")
        };
        self.index += &format!(
            "{model}\t{input}\t{}\t{}\t{}\t{}\n",
            dims(from),
            names[0],
            dims(to),
            names[1]
        );
        self.runs += 1;
        Ok(())
    }

    /// Writes the index: the directory is complete.
    pub fn finish(self) -> Result<()> {
        Ok(fs::write(self.dir.join("index.tsv"), self.index)?)
    }
}
