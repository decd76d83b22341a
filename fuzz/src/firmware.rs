// SPDX-License-Identifier: MIT OR Apache-2.0

//! Firmware as `ax650-fw` reads it: containers and manifests.

use std::fs;
use std::io::Cursor;

use ax650_firmware::{
    extract, pack, Container, FixedText, Image, Manifest, ManifestIntegrity, Source,
};

use crate::Target;

pub const TARGETS: &[Target] = &[
    Target {
        name: "firmware_container",
        run: container,
        seeds: || vec![small_container()],
    },
    Target {
        name: "firmware_manifest",
        run: manifest,
        seeds: || {
            let good = Manifest::real("V1").to_toml().into_bytes();
            let odd = "\n[[record]]\n= -1\n\u{e9}\"\"\"0x99999999999999999999\n[";
            let path = String::from_utf8_lossy(&good).replace(".bin", "/../../x");
            vec![good, odd.into(), path.into_bytes()]
        },
    },
];

fn small_container() -> Vec<u8> {
    let image = |id: &str, size, destination| Image {
        id: FixedText::new("id", id).unwrap(),
        kind: FixedText::new("kind", "CODE").unwrap(),
        name: FixedText::new("name", &format!("{id}.bin")).unwrap(),
        destination,
        block_size: 0,
        partition: FixedText::new("partition", "").unwrap(),
        flags: 1,
        select: 0,
        source: Source::Noise { size, seed: 7 },
    };
    let content = ax650_firmware::Content {
        product: FixedText::new("product", "P").unwrap(),
        version: FixedText::new("version", "V1").unwrap(),
        integrity: ManifestIntegrity::Md5,
        images: vec![image("A", 300, 0x1400_1000), image("B", 500, 0x1_4000_0000)],
    };
    let mut file = Cursor::new(Vec::new());
    pack(&content, &mut file, &mut |_, _| {}).unwrap();
    file.into_inner()
}

/// Nothing is made of bytes that are not there, nothing leaves the directory, and what was written can be read again.
fn container(bytes: &[u8]) {
    let mut file = Cursor::new(bytes);
    let Ok(container) = Container::read(&mut file) else {
        return;
    };
    let sum: u64 = container.records.iter().map(|record| record.size).sum();
    assert!(sum <= bytes.len() as u64, "more than there is");
    let _ = container.verify(&mut file, &mut |_, _| {});
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("out");
    if let Ok(manifest) = extract(&container, &mut file, &to, true, &mut |_, _| {}) {
        assert!(manifest
            .records
            .iter()
            .all(|record| !record.file.contains('/')));
        Manifest::read(&to.join("manifest.toml")).expect("its own manifest");
    }
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        usize::from(to.exists())
    );
}

/// A manifest is read, or refused in one line.
fn manifest(bytes: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifest.toml");
    fs::write(&path, bytes).unwrap();
    match Manifest::read(&path).and_then(|manifest| manifest.content(directory.path())) {
        Ok(content) => assert!(content.images.len() < 100),
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
    }
}
