// SPDX-License-Identifier: MIT OR Apache-2.0

//! The files that hosts have put on the card: kept in memory, one name space for the card, nothing of
//! it on this machine's disk.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::protocol::errors::{BAD_PATH, FILES_FULL, NO_FILE, NO_PROGRAM};

/// Directories of the card's system, which are there without a file in them.
const DIRECTORIES: [&str; 8] = [
    "/", "/tmp", "/root", "/opt", "/home", "/mnt", "/var", "/var/tmp",
];

/// Where the firmware has programs of its own.
const PROGRAMS: [&str; 5] = ["/bin/", "/sbin/", "/usr/", "/opt/", "/soc/"];

/// The files, by absolute path.
#[derive(Debug, Default)]
pub(crate) struct Files {
    by_path: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// The absolute form of a path without `.` and `..`; a relative one begins at the root.
fn normal(path: &str) -> Result<String, u32> {
    if path.is_empty() || path.len() > Files::MAX_PATH || path.contains('\0') {
        return Err(BAD_PATH);
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

fn is_directory(files: &BTreeMap<String, Vec<u8>>, path: &str) -> bool {
    let below = format!("{}/", path.trim_end_matches('/'));
    let first = files.range(below.clone()..).next();
    DIRECTORIES.contains(&path) || first.is_some_and(|(name, _)| name.starts_with(&below))
}

impl Files {
    /// Bytes of all files: the card's file system is its RAM.
    pub(crate) const MAX_BYTES: usize = 256 << 20;
    /// Most files.
    const MAX_FILES: usize = 4096;
    /// Longest path.
    const MAX_PATH: usize = 4096;

    /// Makes a file; in a directory it gets the last name of `source`.
    pub(crate) fn put(&self, path: &str, source: &str, data: Vec<u8>) -> Result<(), u32> {
        let mut target = normal(path)?;
        let mut files = self.by_path.lock();
        if path.ends_with('/') || is_directory(&files, &target) {
            let name = source.rsplit('/').next().filter(|name| !name.is_empty());
            target = normal(&format!("{target}/{}", name.ok_or(BAD_PATH)?))?;
        }
        if is_directory(&files, &target) {
            return Err(BAD_PATH);
        }
        let others = files.iter().filter(|(name, _)| **name != target);
        let (count, used) = others.fold((0, 0), |(count, used), (name, data)| {
            (count + 1, used + name.len() + data.len())
        });
        if count >= Self::MAX_FILES || used + target.len() + data.len() > Self::MAX_BYTES {
            return Err(FILES_FULL);
        }
        files.insert(target, data);
        Ok(())
    }

    /// The content of a file.
    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>, u32> {
        let path = normal(path)?;
        self.by_path.lock().get(&path).cloned().ok_or(NO_FILE)
    }

    /// Removes a file; false if there is none.
    pub(crate) fn remove(&self, path: &str) -> bool {
        normal(path).is_ok_and(|path| self.by_path.lock().remove(&path).is_some())
    }

    /// The path of a program: a file of the host's, one of the firmware's, or, for a name without
    /// directory, a file of that name.
    pub(crate) fn program(&self, path: &str) -> Result<String, u32> {
        let full = normal(path)?;
        let files = self.by_path.lock();
        if files.contains_key(&full) || PROGRAMS.iter().any(|dir| full.starts_with(dir)) {
            return Ok(full);
        }
        let end = full.clone();
        let named = files
            .keys()
            .find(|name| !path.contains('/') && name.ends_with(&end));
        named.cloned().ok_or(NO_PROGRAM)
    }

    /// Number and bytes of the files.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let files = self.by_path.lock();
        (files.len(), files.values().map(Vec::len).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_directories() {
        let files = Files::default();
        files.put("/tmp/", "/home/me/one", vec![1]).unwrap();
        files.put("/tmp", "two", vec![2]).unwrap();
        files.put("/data/../data/./three", "", vec![3]).unwrap();
        files.put("/data", "x/four", vec![4]).unwrap();
        for (path, byte) in [
            ("/tmp/one", 1),
            ("//tmp/./two", 2),
            ("data/three", 3),
            ("/data/four", 4),
        ] {
            assert_eq!(files.get(path), Ok(vec![byte]), "{path}");
        }
        assert_eq!(files.put("/tmp/", "", vec![]), Err(BAD_PATH));
        assert_eq!(files.put("", "x", vec![]), Err(BAD_PATH));
        assert_eq!(files.get("/tmp"), Err(NO_FILE));
        assert_eq!(files.program("/tmp/one").unwrap(), "/tmp/one");
        assert_eq!(files.program("two").unwrap(), "/tmp/two");
        assert_eq!(files.program("/usr/bin/env").unwrap(), "/usr/bin/env");
        assert_eq!(files.program("/tmp/three"), Err(NO_PROGRAM));
        assert_eq!(files.program("wo"), Err(NO_PROGRAM));
        assert_eq!(files.usage(), (4, 4));
    }

    #[test]
    fn the_store_is_bounded() {
        let files = Files::default();
        files.put("/a", "", vec![0; 200 << 20]).unwrap();
        assert_eq!(files.put("/b", "", vec![0; 60 << 20]), Err(FILES_FULL));
        // Another content for the same file counts once.
        files.put("/a", "", vec![0; 100 << 20]).unwrap();
        files.put("/b", "", vec![0; 60 << 20]).unwrap();
        let small = |n: usize| files.put(&format!("/c/{n}"), "", vec![]);
        (0..Files::MAX_FILES - 2).for_each(|n| small(n).unwrap());
        assert_eq!(small(Files::MAX_FILES), Err(FILES_FULL));
    }
}
