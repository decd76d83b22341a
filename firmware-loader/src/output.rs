// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files that are there whole or not at all.

use crate::{error::in_file, Error, Result};
use ax650_command::whole_file::NameToBe;
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

/// Writes a file that gets its name when it is complete and on disk. A file in the way is replaced if `overwrite`, else left alone.
pub fn write_atomically(
    path: &Path,
    overwrite: bool,
    write: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    // Early, to spare the work; the commit decides.
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(Error::Exists(path.into()));
    }
    let (mut file, name) = NameToBe::create(path).map_err(in_file(path))?;
    write(&mut file)?;
    file.sync_all().map_err(in_file(path))?;
    name.commit(&file, overwrite).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            Error::Exists(path.into())
        } else {
            in_file(path)(error)
        }
    })
}

/// Writes bytes that are there already by [`write_atomically`].
pub fn write_file(path: &Path, overwrite: bool, bytes: &[u8]) -> Result<()> {
    write_atomically(path, overwrite, |file| {
        file.write_all(bytes).map_err(in_file(path))
    })
}
