// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{AtFlags, RenameFlags};

/// Where descriptors have names by which a file without one can be linked.
const DESCRIPTORS: &str = "/proc/self/fd";

/// The name that a file gets when it is complete.
///
/// Until [`Self::commit`] the file has none, where the system can do that; elsewhere it has a temporary one and is
/// removed when this is dropped.
pub struct NameToBe {
    path: PathBuf,
    pub(crate) temporary: Option<PathBuf>,
}

impl NameToBe {
    /// Begins a file, to be read and written, that is to be called `path`.
    pub fn create(path: &Path) -> io::Result<(File, Self)> {
        let nameless = fs::metadata(DESCRIPTORS).and_then(|_| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_TMPFILE)
                .mode(0o666)
                .open(directory(path))
        });
        let (file, temporary) = match nameless {
            Ok(file) => (file, None),
            // Not on this file system; other errors come again.
            Err(_) => {
                let mut create = OpenOptions::new();
                create.read(true).write(true).create_new(true);
                let (file, name) = with_temporary_name(path, |name| create.open(name))?;
                (file, Some(name))
            }
        };
        let path = path.into();
        Ok((file, Self { path, temporary }))
    }

    /// Gives `file` its name; with `force` also if another file has it, which then loses it.
    pub fn commit(mut self, file: &File, force: bool) -> io::Result<()> {
        let temporary = match self.temporary.take() {
            Some(temporary) => temporary,
            None if !force => return link(file, &self.path),
            // A name cannot be taken from another file in one step, so take one that is free first.
            None => with_temporary_name(&self.path, |name| link(file, name))?.1,
        };
        let renamed = match force {
            true => fs::rename(&temporary, &self.path),
            false => rename_to_new(&temporary, &self.path),
        };
        renamed.inspect_err(|_| self.temporary = Some(temporary))
    }
}

impl Drop for NameToBe {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            if let Err(error) = fs::remove_file(temporary) {
                log::warn!("{}: {error}", temporary.display());
            }
        }
    }
}

/// Gives a file without name one that is free.
fn link(file: &File, name: &Path) -> io::Result<()> {
    let this = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
    let here = nix::fcntl::AT_FDCWD;
    nix::unistd::linkat(here, this.as_str(), here, name, AtFlags::AT_SYMLINK_FOLLOW)?;
    Ok(())
}

/// As [`fs::rename`], but not over what is there.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    let here = nix::fcntl::AT_FDCWD;
    match nix::fcntl::renameat2(here, from, here, to, RenameFlags::RENAME_NOREPLACE) {
        // Not on this file system: look, then do.
        Err(nix::errno::Errno::EINVAL) if fs::symlink_metadata(to).is_err() => fs::rename(from, to),
        Err(nix::errno::Errno::EINVAL) => Err(io::ErrorKind::AlreadyExists.into()),
        result => Ok(result?),
    }
}

/// Tries names beside `path` until `make` finds one free.
pub(crate) fn with_temporary_name<T>(
    path: &Path,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = directory(path).join(format!(".ax650.{}.{number}", std::process::id()));
        match make(&name) {
            // Left by a process of that number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
            made => return Ok((made?, name)),
        }
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
