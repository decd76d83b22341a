// SPDX-License-Identifier: MIT OR Apache-2.0

//! Containers and manifests with random damage: an error or not, but no panic and no work without end.
//!
//! `AX650_FUZZ_SECONDS` says for how long each test goes on.

use ax650_firmware::{
    extract, pack, Container, FixedText, Image, Manifest, ManifestIntegrity, Source,
};
use std::{
    fs,
    io::Cursor,
    time::{Duration, Instant},
};

/// xorshift64: the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Some changes of the kinds that break parsers.
    fn damage(&mut self, bytes: &mut Vec<u8>, words: &[&[u8]]) {
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len().max(1)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][self.below(5)],
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.below(256) as u8),
                4 => {
                    // A field of four or eight bytes.
                    let value =
                        [0, 1, u64::MAX, 1 << 31, 1 << 63, bytes.len() as u64][self.below(6)];
                    let field = &value.to_le_bytes()[..[4, 8][self.below(2)]];
                    let end = (at + field.len()).min(bytes.len());
                    bytes[at..end].copy_from_slice(&field[..end - at]);
                }
                _ => {
                    let word = words[self.below(words.len())];
                    bytes.splice(at..at, word.iter().copied());
                }
            }
        }
    }
}

fn for_a_while(mut one: impl FnMut(&mut Random)) {
    let seconds = std::env::var("AX650_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(0.5);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut random = Random(0x6500_1F4B_2026_1129);
    while Instant::now() < end {
        one(&mut random);
    }
}

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

#[test]
fn containers() {
    let good = small_container();
    let directory = tempfile::tempdir().unwrap();
    for_a_while(|random| {
        let mut bytes = good.clone();
        random.damage(&mut bytes, &[b"../../x", b"\0", b"\xff\xff\xff\xff", b"/"]);
        let mut file = Cursor::new(&bytes);
        let Ok(container) = Container::read(&mut file) else {
            return;
        };
        let sum: u64 = container.records.iter().map(|record| record.size).sum();
        assert!(sum <= bytes.len() as u64, "more than there is");
        let _ = container.verify(&mut file, &mut |_, _| {});
        let to = directory.path().join("out");
        if let Ok(manifest) = extract(&container, &mut file, &to, true, &mut |_, _| {}) {
            // Nothing leaves the directory, and what was written can be read again.
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
        let _ = fs::remove_dir_all(&to);
    });
}

#[test]
fn manifests() {
    let good = Manifest::real("V1").to_toml().into_bytes();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifest.toml");
    for_a_while(|random| {
        let mut bytes = good.clone();
        random.damage(
            &mut bytes,
            &[
                b"[[record]]\n",
                b"= -1\n",
                "\u{e9}".as_bytes(),
                b"\"\"\"",
                b"0x",
                b"99999999999999999999",
                b"\n[",
            ],
        );
        fs::write(&path, &bytes).unwrap();
        match Manifest::read(&path).and_then(|manifest| manifest.content(directory.path())) {
            Ok(content) => assert!(content.images.len() < 100),
            Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{error}"),
        }
    });
}
