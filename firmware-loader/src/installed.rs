// SPDX-License-Identifier: MIT OR Apache-2.0

//! The firmware file that the kernel would load.

use crate::{error::in_file, Container, Error, Progress, Result};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// What the kernel module asks the kernel's firmware loader for.
pub const FIRMWARE_NAME: &str = "axcl/ax650_card.pac";

/// Where the kernel's command line or an administrator may have put another directory first.
const PATH_PARAMETER: &str = "/sys/module/firmware_class/parameters/path";
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// The installed firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The file.
    pub path: PathBuf,
    /// What it is; `None` if it is compressed, which the kernel can read and this crate cannot.
    pub container: Option<Container>,
}

impl Installed {
    /// Finds the file as the kernel does and checks it completely.
    pub fn check(progress: Progress<'_>) -> Result<Self> {
        let custom = fs::read_to_string(PATH_PARAMETER).unwrap_or_default();
        let release = fs::read_to_string(RELEASE).unwrap_or_default();
        Self::find(&directories(custom.trim(), release.trim()), progress)
    }

    fn find(directories: &[PathBuf], progress: Progress<'_>) -> Result<Self> {
        // The kernel looks for the plain file everywhere before it looks for compressed ones.
        let plain: Vec<_> = directories.iter().map(|d| d.join(FIRMWARE_NAME)).collect();
        if let Some(path) = plain.iter().find(|path| path.exists()) {
            let mut file = File::open(path).map_err(in_file(path))?;
            let within = |error: Error| error.within(path);
            let container = Container::read(&mut file).map_err(within)?;
            container.verify(&mut file, progress).map_err(within)?;
            return Ok(Self {
                path: path.clone(),
                container: Some(container),
            });
        }
        for suffix in [".zst", ".xz"] {
            let compressed = |path: &PathBuf| {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                PathBuf::from(name)
            };
            if let Some(path) = plain.iter().map(compressed).find(|path| path.exists()) {
                return Ok(Self {
                    path,
                    container: None,
                });
            }
        }
        Err(Error::NotInstalled(plain))
    }
}

/// Where the kernel looks, in its order.
fn directories(custom: &str, release: &str) -> Vec<PathBuf> {
    let base = Path::new("/lib/firmware");
    let updates = base.join("updates");
    let mut found = Vec::new();
    if !custom.is_empty() {
        found.push(custom.into());
    }
    for base in [updates.as_path(), base] {
        if !release.is_empty() {
            found.push(base.join(release));
        }
        found.push(base.into());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pack, write_atomically, Sample};

    #[test]
    fn order_is_the_kernels() {
        let names = |custom| -> Vec<_> {
            let found = directories(custom, "7.3.4");
            found.iter().map(|d| d.display().to_string()).collect()
        };
        let standard = [
            "/lib/firmware/updates/7.3.4",
            "/lib/firmware/updates",
            "/lib/firmware/7.3.4",
            "/lib/firmware",
        ];
        assert_eq!(names(""), standard);
        assert_eq!(names("/opt/fw")[0], "/opt/fw");
        assert_eq!(names("/opt/fw")[1..], standard);
    }

    #[test]
    fn finds_and_checks() {
        let root = tempfile::tempdir().unwrap();
        let directories = [root.path().join("first"), root.path().join("second")];
        let find = || Installed::find(&directories, &mut |_, _| {});
        assert!(matches!(find(), Err(Error::NotInstalled(paths)) if paths.len() == 2));

        for directory in &directories {
            fs::create_dir_all(directory.join("axcl")).unwrap();
        }
        let compressed = directories[0].join("axcl/ax650_card.pac.xz");
        fs::write(&compressed, "").unwrap();
        let found = find().unwrap();
        assert_eq!((found.path, found.container), (compressed, None));

        let path = directories[1].join(FIRMWARE_NAME);
        write_atomically(&path, false, |file| {
            pack(&Sample::Small.content(), file, &mut |_, _| {}).map(drop)
        })
        .unwrap();
        let found = find().unwrap();
        assert_eq!(found.path, path);
        assert_eq!(found.container.unwrap().records.len(), 5);

        let wrong = directories[0].join(FIRMWARE_NAME);
        fs::write(&wrong, "not firmware").unwrap();
        match find() {
            Err(Error::Container { path, source }) => {
                assert_eq!(path, wrong);
                assert!(matches!(*source, Error::Truncated { length: 12 }));
            }
            other => panic!("{other:?}"),
        }
    }
}
