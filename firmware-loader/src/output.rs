// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files that are there whole or not at all.

use crate::{error::in_file, Error, Result};
use std::{
    fs::{File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tempfile::Builder;

/// Writes a file under another name in the same directory and renames it when it is complete and on
/// disk. A file in the way is replaced if `overwrite`, else left alone.
pub fn write_atomically(
    path: &Path,
    overwrite: bool,
    write: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    // Early, to spare the work; persist_noclobber decides.
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(Error::Exists(path.into()));
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut temporary = Builder::new()
        .prefix(".ax650-fw.")
        .permissions(Permissions::from_mode(0o666)) // and the caller's umask
        .tempfile_in(directory)
        .map_err(in_file(path))?;
    write(temporary.as_file_mut())?;
    temporary.as_file().sync_all().map_err(in_file(path))?;
    let persisted = if overwrite {
        temporary.persist(path)
    } else {
        temporary.persist_noclobber(path)
    };
    persisted.map(drop).map_err(|error| {
        if error.error.kind() == io::ErrorKind::AlreadyExists {
            Error::Exists(path.into())
        } else {
            in_file(path)(error.error)
        }
    })
}

/// Writes bytes that are there already by [`write_atomically`].
pub fn write_file(path: &Path, overwrite: bool, bytes: &[u8]) -> Result<()> {
    write_atomically(path, overwrite, |file| {
        file.write_all(bytes).map_err(in_file(path))
    })
}
