// SPDX-License-Identifier: MIT OR Apache-2.0

//! From the image that the host loads to the model that runs.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::groups::{parse_groups, Group};
use super::runtime::LoadError;

/// The SHA-256 of an image, in small hexadecimal digits.
pub fn digest(image: &[u8]) -> String {
    format!("{:x}", Sha256::digest(image))
}

/// A model image with what the model directory says about it.
#[derive(Debug, Clone)]
pub struct Image {
    /// SHA-256 of the image that the host has loaded.
    pub sha256: String,
    /// The ONNX model.
    pub model: Vec<u8>,
    /// Shape groups of the model directory.
    pub groups: Option<Vec<Group>>,
}

impl Image {
    /// Looks `image` up in the model directory.
    pub fn find(image: Vec<u8>, model_dir: Option<&Path>) -> Result<Self, LoadError> {
        let sha256 = digest(&image);
        let mut found = Self {
            model: image,
            groups: None,
            sha256,
        };
        let Some(dir) = model_dir else {
            return Ok(found);
        };
        for name in [format!("{}.onnx", found.sha256), found.sha256.clone()] {
            if let Some(model) = read(&dir.join(name))? {
                found.model = model;
                break;
            }
        }
        if let Some(text) = read(&dir.join(format!("{}.json", found.sha256)))? {
            found.groups = Some(parse_groups(&String::from_utf8_lossy(&text))?);
        }
        Ok(found)
    }
}

/// The content of a file, `None` if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, LoadError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LoadError::File(path.to_owned(), error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_digest() {
        let dir = tempfile::tempdir().unwrap();
        let image = b"a compiled model".to_vec();
        let name = digest(&image);
        assert_eq!(
            digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let plain = Image::find(image.clone(), Some(dir.path())).unwrap();
        assert_eq!((plain.model, plain.groups), (image.clone(), None));
        std::fs::write(dir.path().join(&name), b"onnx").unwrap();
        std::fs::write(dir.path().join(format!("{name}.json")), r#"[{"x":[1]}]"#).unwrap();
        let found = Image::find(image.clone(), Some(dir.path())).unwrap();
        assert_eq!(found.model, b"onnx");
        assert_eq!(found.groups.unwrap().len(), 1);
        assert_eq!(found.sha256, name);
        std::fs::write(dir.path().join(format!("{name}.json")), "{").unwrap();
        assert!(matches!(
            Image::find(image, Some(dir.path())),
            Err(LoadError::Groups(_))
        ));
    }
}
