// SPDX-License-Identifier: MIT OR Apache-2.0

//! Output files that appear when they are complete, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::whole_file::NameToBe;

/// Bytes that are collected before they are written.
const COLLECT: usize = 1 << 20;

/// A file that is being written.
///
/// It has its name when it is complete ([`Output::commit`]), else nothing is left of it.  Standard output (`-`) and what
/// is no regular file are written directly.
pub struct Output {
    writer: BufWriter<File>,
    path: PathBuf,
    /// None for what is written directly.
    name: Option<NameToBe>,
    force: bool,
}

impl Output {
    /// Begins a file; `-` is standard output.  With `force` it replaces one that is there.
    pub fn create(path: &Path, force: bool) -> Result<Self, Failure> {
        if !force {
            refuse_existing(path)?;
        }
        Self::try_create(path, force).map_err(|error| Failure::file(path, &error))
    }

    fn try_create(path: &Path, force: bool) -> io::Result<Self> {
        let (file, name) = if path == Path::new("-") {
            (standard_output()?, None)
        } else if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            (OpenOptions::new().write(true).open(path)?, None)
        } else {
            let (file, name) = NameToBe::create(path)?;
            (file, Some(name))
        };
        Ok(Self {
            writer: BufWriter::with_capacity(COLLECT, file),
            path: path.into(),
            name,
            force,
        })
    }

    /// Tells whether it is possible to go back in the output.
    pub fn can_seek(&mut self) -> bool {
        self.writer.stream_position().is_ok()
    }

    /// Writes what was collected, if somebody may be waiting for it.
    pub fn flush_pipe(&mut self) -> io::Result<()> {
        match self.name {
            None => self.writer.flush(),
            Some(_) => Ok(()),
        }
    }

    /// Completes the file and gives it its name.
    pub fn commit(mut self) -> Result<(), Failure> {
        let path = self.path.clone();
        self.try_commit().map_err(|error| {
            // Somebody else has made it in the meantime.
            match error.kind() {
                io::ErrorKind::AlreadyExists => exists(&path),
                _ => Failure::file(&path, &error),
            }
        })
    }

    fn try_commit(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        match self.name.take() {
            Some(name) => name.commit(self.writer.get_ref(), self.force),
            None => Ok(()),
        }
    }

    /// Makes a failure of an error of writing to the output.
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

fn exists(path: &Path) -> Failure {
    let path = path.display();
    Failure::of(format!("{path}: it exists; --force replaces it"))
}

/// Refuses a file that is there.
pub fn refuse_existing(path: &Path) -> Result<(), Failure> {
    let there =
        path != Path::new("-") && fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if there {
        return Err(exists(path));
    }
    Ok(())
}

/// Refuses to write to the file that is read, by whatever name; standard output may be it, too.
pub fn refuse_input(output: Option<&Path>, input: impl AsFd, path: &Path) -> Result<(), Failure> {
    let Some(output) = output else {
        return Ok(());
    };
    let status = |file: &dyn AsFd| {
        let status = nix::sys::stat::fstat(file.as_fd()).map_err(io::Error::from)?;
        let is_file = status.st_mode & libc::S_IFMT == libc::S_IFREG;
        io::Result::Ok((status.st_dev, status.st_ino, is_file))
    };
    let target = if output == Path::new("-") {
        status(&io::stdout())
    } else {
        fs::metadata(output).map(|target| (target.dev(), target.ino(), target.is_file()))
    };
    // What is not there is no input; other errors come again.
    let Ok(target) = target else { return Ok(()) };
    let source = status(&input).map_err(|error| Failure::file(path, &error))?;
    if target.2 && target == source {
        let (output, path) = (output.display(), path.display());
        return Err(Failure::usage(format!(
            "{output}: this is the input {path}; give another name"
        )));
    }
    Ok(())
}

/// Standard output, without the buffer of the standard library.
fn standard_output() -> io::Result<File> {
    Ok(File::from(
        crate::standard::output()?.as_fd().try_clone_to_owned()?,
    ))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::whole_file::with_temporary_name;

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("ax650-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// Makes of an output what it is on a file system that has no files without names.
    fn give_temporary_name(output: &mut Output) {
        let (file, name) =
            with_temporary_name(&output.path, |name| File::create_new(name)).unwrap();
        output.writer = BufWriter::new(file);
        output.name.as_mut().unwrap().temporary = Some(name);
    }

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let directory = scratch("commit");
        let path = directory.join("out");
        let mut output = Output::create(&path, false).unwrap();
        output.write_all(b"new").unwrap();
        assert!(!path.exists());
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // It replaces what was there.
        let mut output = Output::create(&path, true).unwrap();
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
            let mut output = Output::create(&directory.join("out"), false).unwrap();
            if temporary {
                give_temporary_name(&mut output);
            }
            output.write_all(b"half").unwrap();
            drop(output);
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn nothing_is_replaced_without_force() {
        let directory = scratch("force");
        let path = directory.join("out");
        for temporary in [false, true] {
            let mut output = Output::create(&path, false).unwrap();
            if temporary {
                give_temporary_name(&mut output);
            }
            output.write_all(b"new").unwrap();
            // It comes into being meanwhile.
            fs::write(&path, b"old").unwrap();
            let failure = output.commit().unwrap_err();
            assert!(failure.message.ends_with("it exists; --force replaces it"));
            assert!(Output::create(&path, false).is_err());
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
            fs::remove_file(&path).unwrap();
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn the_input_is_never_the_output() {
        let directory = scratch("same");
        let (path, link) = (directory.join("in"), directory.join("link"));
        fs::write(&path, b"x").unwrap();
        fs::hard_link(&path, &link).unwrap();
        let input = File::open(&path).unwrap();
        for output in [&path, &link] {
            assert!(refuse_input(Some(output), &input, &path).is_err());
        }
        let other = directory.join("other");
        refuse_input(Some(&other), &input, &path).unwrap();
        fs::write(&other, b"x").unwrap();
        refuse_input(Some(&other), &input, &path).unwrap();
        // By another way to the same file, and by a descriptor.
        let soft = directory.join("soft");
        std::os::unix::fs::symlink(&path, &soft).unwrap();
        let roundabout = directory.join(".").join("in");
        let descriptor = PathBuf::from(format!("/dev/fd/{}", input.as_raw_fd()));
        for output in [soft, roundabout, descriptor] {
            let refused = refuse_input(Some(&output), &input, &path);
            assert!(refused.is_err(), "{}", output.display());
        }
        // A terminal or a pipe may be both.
        let stdout = File::open("/dev/null").unwrap();
        refuse_input(Some(Path::new("/dev/null")), stdout, Path::new("/dev/null")).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn impossible_places() {
        let failure = Output::create(Path::new("/nonexistent/out"), false)
            .err()
            .unwrap();
        assert_eq!(
            failure.message,
            "/nonexistent/out: no such file or directory"
        );
        assert!(Output::create(Path::new("/"), false).is_err());
        let mut null = Output::create(Path::new("/dev/null"), false).unwrap();
        null.write_all(b"x").unwrap();
        null.commit().unwrap();
    }
}
