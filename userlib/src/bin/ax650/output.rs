// SPDX-License-Identifier: MIT OR Apache-2.0

//! Output files that appear when they are complete, or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::AtFlags;

use crate::failure::Failure;

/// Bytes that are collected before they are written.
const COLLECT: usize = 1 << 20;

/// A file that is being written.
///
/// It has no name until [`Output::commit`], where the file system can do that; elsewhere it has a temporary name
/// and is removed when dropped.  Standard output (`-`) and what is no regular file are written directly.
pub struct Output {
    writer: BufWriter<File>,
    path: PathBuf,
    place: Place,
}

enum Place {
    Direct,
    Nameless,
    Temporary(PathBuf),
}

impl Output {
    /// Begins a file; `-` is standard output.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        Self::try_create(path).map_err(|error| Failure::file(path, &error))
    }

    fn try_create(path: &Path) -> io::Result<Self> {
        let (file, place) = if path == Path::new("-") {
            (standard_output()?, Place::Direct)
        } else if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            (OpenOptions::new().write(true).open(path)?, Place::Direct)
        } else {
            let nameless = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_TMPFILE)
                .mode(0o666)
                .open(directory(path));
            match nameless {
                Ok(file) => (file, Place::Nameless),
                // Not on this file system; other errors come again.
                Err(_) => {
                    let temporary = temporary_name(path);
                    (File::create_new(&temporary)?, Place::Temporary(temporary))
                }
            }
        };
        Ok(Self {
            writer: BufWriter::with_capacity(COLLECT, file),
            path: path.into(),
            place,
        })
    }

    /// Whether it is possible to go back in it.
    pub fn can_seek(&mut self) -> bool {
        self.writer.stream_position().is_ok()
    }

    /// Completes the file and gives it its name.
    pub fn commit(mut self) -> Result<(), Failure> {
        let path = self.path.clone();
        self.try_commit()
            .map_err(|error| Failure::file(&path, &error))
    }

    fn try_commit(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        match std::mem::replace(&mut self.place, Place::Direct) {
            Place::Direct => Ok(()),
            Place::Nameless => {
                // A name cannot be taken from another file in one step, so take one that is free first.
                let temporary = temporary_name(&self.path);
                let this = format!("/proc/self/fd/{}", self.writer.get_ref().as_raw_fd());
                let here = nix::fcntl::AT_FDCWD;
                nix::unistd::linkat(
                    here,
                    this.as_str(),
                    here,
                    &temporary,
                    AtFlags::AT_SYMLINK_FOLLOW,
                )?;
                self.place = Place::Temporary(temporary);
                self.try_commit()
            }
            Place::Temporary(temporary) => fs::rename(&temporary, &self.path).inspect_err(|_| {
                self.place = Place::Temporary(temporary);
            }),
        }
    }

    /// An error of writing to it.
    pub fn failure(&self, error: &io::Error) -> Failure {
        Failure::file(&self.path, error)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.writer.seek(to)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Place::Temporary(temporary) = &self.place {
            if let Err(error) = fs::remove_file(temporary) {
                log::warn!("{}: {error}", temporary.display());
            }
        }
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A name beside `path`.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    directory(path).join(name)
}

/// Standard output, without the buffer of the standard library.
fn standard_output() -> io::Result<File> {
    Ok(File::from(
        crate::standard::output()?.as_fd().try_clone_to_owned()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("ax650-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let directory = scratch("commit");
        let path = directory.join("out");
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"new").unwrap();
        assert!(!path.exists());
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // It replaces what was there.
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"newer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn nothing_is_left_of_an_unfinished_file() {
        let directory = scratch("drop");
        for temporary in [false, true] {
            let mut output = Output::create(&directory.join("out")).unwrap();
            if temporary {
                let name = temporary_name(&output.path);
                File::create_new(&name).unwrap();
                output.place = Place::Temporary(name);
            }
            output.write_all(b"half").unwrap();
            drop(output);
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn impossible_places() {
        let failure = Output::create(Path::new("/nonexistent/out")).err().unwrap();
        assert_eq!(
            failure.message,
            "/nonexistent/out: no such file or directory"
        );
        assert!(Output::create(Path::new("/")).is_err());
        let mut null = Output::create(Path::new("/dev/null")).unwrap();
        null.write_all(b"x").unwrap();
        null.commit().unwrap();
    }
}
