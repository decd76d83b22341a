// SPDX-License-Identifier: MIT OR Apache-2.0

//! Token embeddings: a file of rows of bfloat16.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ax650::{CardMemory, Part, Stream};

use crate::error::{Error, Result};

/// Bytes that go to the card at a time.
const PIECE: usize = 4 << 20;

/// The embeddings of all tokens, in a file.
#[derive(Debug)]
pub(crate) struct Embeddings {
    file: File,
    path: PathBuf,
    rows: usize,
    row_bytes: usize,
}

impl Embeddings {
    /// Opens the file, which must have `rows` of `width` elements.
    pub(crate) fn open(path: &Path, rows: usize, width: usize) -> Result<Self> {
        let failed = |error| Error::file(path, error);
        let file = File::open(path).map_err(failed)?;
        let (there, row_bytes) = (file.metadata().map_err(failed)?.len(), width * 2);
        let wanted = rows as u64 * row_bytes as u64;
        if there != wanted {
            return Err(Error::directory(
                path,
                format!(
                    "{there} bytes, but {rows} rows of {width} elements of bfloat16 are {wanted}"
                ),
            ));
        }
        let path = path.into();
        Ok(Self {
            file,
            path,
            rows,
            row_bytes,
        })
    }

    /// Reads the row of `token` into `row`.
    pub(crate) fn read(&self, token: u32, row: &mut [u8]) -> Result<()> {
        let at = self.offset(token)?;
        self.file
            .read_exact_at(row, at)
            .map_err(|error| Error::file(&self.path, error))
    }

    /// Returns where the row of `token` begins.
    pub(crate) fn offset(&self, token: u32) -> Result<u64> {
        if token as usize >= self.rows {
            return Err(Error::Invalid(format!(
                "token {token}: the model has {} of them, from 0",
                self.rows
            )));
        }
        Ok(u64::from(token) * self.row_bytes as u64)
    }

    /// Moves all rows to the card; `None`: they are more than a piece of its memory can have.
    pub(crate) fn to_card(&self, stream: &Stream) -> Result<Option<CardMemory>> {
        let size = self.rows as u64 * self.row_bytes as u64;
        if size > u32::MAX.into() {
            return Ok(None);
        }
        let memory = CardMemory::new(stream, size)?;
        let piece = PIECE.min(size as usize);
        let buffer = stream.session().buffer(piece)?;
        let mut at = 0;
        while at < size {
            let len = (size - at).min(piece as u64) as usize;
            self.file
                .read_exact_at(&mut buffer.write()?[..len], at)
                .map_err(|error| Error::file(&self.path, error))?;
            let part = Part::to_card(&buffer, 0..len, &memory.part(at, len as u64)?);
            stream.job().then(part).run()?;
            at += len as u64;
        }
        Ok(Some(memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows");
        std::fs::write(&path, [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let embeddings = Embeddings::open(&path, 2, 2).unwrap();
        let mut row = [0; 4];
        embeddings.read(1, &mut row).unwrap();
        assert_eq!(row, [5, 6, 7, 8]);
        let error = embeddings.read(2, &mut row).unwrap_err().to_string();
        assert_eq!(error, "token 2: the model has 2 of them, from 0");
        let error = Embeddings::open(&path, 3, 2).unwrap_err().to_string();
        assert!(
            error.ends_with("rows: 8 bytes, but 3 rows of 2 elements of bfloat16 are 12"),
            "{error}"
        );
    }
}
