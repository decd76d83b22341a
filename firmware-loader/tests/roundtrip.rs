// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is packed is read, verified, taken apart and packed again, byte for byte.

use ax650_firmware::{
    extract, pack, Container, Error, FixedText, Image, Integrity, Manifest, ManifestIntegrity,
    RecordFault, Sample, Source, MANIFEST_NAME,
};
use std::{fs, io::Cursor, path::Path};

fn packed(content: &ax650_firmware::Content) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    pack(content, &mut file, &mut |_, _| {}).expect("packs");
    file.into_inner()
}

fn unpacked(bytes: &[u8], directory: &Path) -> Manifest {
    let mut file = Cursor::new(bytes);
    let container = Container::read(&mut file).expect("sound");
    extract(&container, &mut file, directory, false, &mut |_, _| {}).expect("extracts")
}

#[test]
fn sample_is_the_real_layout() {
    let bytes = packed(&Sample::Small.content());
    let mut file = Cursor::new(&bytes);
    let container = Container::read(&mut file).unwrap();
    let seen: Vec<_> = container
        .records
        .iter()
        .map(|r| (r.id.to_string(), r.name.to_string(), r.destination))
        .collect();
    let expected = [
        ("UBOOT", "u-boot.bin", 0x1400_1000),
        ("DTB", "AX650_card.dtb", 0x1_1008_0000),
        ("ATF", "atf_bl31.img", 0x1_1FF1_0000),
        ("KERNEL", "Image", 0x1_0020_0000),
        ("ROOTFS", "rootfs.ext4", 0x1_4000_0000u64),
    ];
    assert_eq!(
        seen,
        expected.map(|(id, name, to)| (id.into(), name.into(), to))
    );
    assert_eq!(container.records[0].offset, 2448);
    assert_eq!(
        packed(&Sample::Small.content()),
        bytes,
        "the same each time"
    );
}

/// Offsets and size of the large sample are those of real firmware [pcie 3.1]; its bytes
/// are left to the command line test.
#[test]
fn large_sample_has_real_sizes() {
    let content = Sample::Real.content();
    let sizes = content.images.iter().map(|image| match image.source {
        Source::Noise { size, .. } => size,
        Source::File(_) => panic!("a sample needs no files"),
    });
    assert_eq!(2448 + sizes.sum::<u64>(), 155_795_761);
}

#[test]
fn extract_and_pack_again() {
    for integrity in [
        ManifestIntegrity::None,
        ManifestIntegrity::Md5,
        ManifestIntegrity::Crc16,
    ] {
        let mut content = Sample::Small.content();
        content.integrity = integrity;
        content.images.truncate(3);
        content.images[1].partition = FixedText::new("partition", "p\u{e9}\u{1b}").unwrap();
        content.images[1].flags = 5;
        content.images[2].select = 7;
        content.images[2].block_size = u64::MAX;
        let bytes = packed(&content);

        let directory = tempfile::tempdir().unwrap();
        unpacked(&bytes, directory.path());
        let manifest = Manifest::read(&directory.path().join(MANIFEST_NAME)).unwrap();
        let again = packed(&manifest.content(directory.path()).unwrap());
        assert!(again == bytes, "{integrity:?}");
    }
}

fn image(id: &str, name: &str, destination: u64, size: u64) -> Image {
    Image {
        id: FixedText::new("id", id).unwrap(),
        kind: FixedText::new("kind", "CODE").unwrap(),
        name: FixedText::new("name", name).unwrap(),
        destination,
        block_size: 0,
        partition: FixedText::new("partition", "").unwrap(),
        flags: 1,
        select: 0,
        source: Source::Noise { seed: 1, size },
    }
}

fn content(images: Vec<Image>) -> ax650_firmware::Content {
    ax650_firmware::Content {
        images,
        ..Sample::Small.content()
    }
}

#[test]
fn container_cannot_choose_where_to_write() {
    let bytes = packed(&content(vec![
        image("A", "../../../../etc/passwd", 0, 1),
        image("B", "/etc/shadow", 10, 1),
        image("C", "..", 20, 1),
        image("D", ".", 30, 1),
        image("..", "", 40, 1),
        image("E", "passwd", 50, 1),
        image("F", MANIFEST_NAME, 60, 1),
        image("G", "a\nb c", 70, 1),
    ]));
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("out");
    let manifest = unpacked(&bytes, &directory);
    let files: Vec<_> = manifest.records.iter().map(|r| r.file.as_str()).collect();
    assert_eq!(
        files,
        [
            "passwd",
            "shadow",
            "C",
            "D",
            "4-",
            "5-passwd",
            "6-manifest.toml",
            "a_b_c"
        ]
    );
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 9);
    // The names of the records survive in the manifest.
    let again = Manifest::read(&directory.join(MANIFEST_NAME)).unwrap();
    assert!(packed(&again.content(&directory).unwrap()) == bytes);
}

#[test]
fn nothing_is_overwritten_unasked() {
    let bytes = packed(&content(vec![image("A", "a.bin", 0, 5)]));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.bin"), "mine").unwrap();
    let mut file = Cursor::new(&bytes);
    let container = Container::read(&mut file).unwrap();
    let mut run = |overwrite| {
        extract(
            &container,
            &mut file,
            directory.path(),
            overwrite,
            &mut |_, _| {},
        )
    };
    assert!(matches!(run(false), Err(Error::Exists(_))));
    assert_eq!(fs::read(directory.path().join("a.bin")).unwrap(), b"mine");
    run(true).unwrap();
    assert_eq!(fs::read(directory.path().join("a.bin")).unwrap().len(), 5);
}

#[test]
fn what_would_be_refused_is_not_packed() {
    let fault = |images| match pack(
        &content(images),
        &mut Cursor::new(Vec::new()),
        &mut |_, _| {},
    ) {
        Err(Error::Record { index, fault, .. }) => (index, fault),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(vec![image("A", "a", 0, 0)]), (0, RecordFault::Empty));
    assert_eq!(
        fault(vec![image("A", "a", 0, (3 << 20) + 1)]),
        (0, RecordFault::TooBigToStart((3 << 20) + 1))
    );
    assert_eq!(
        fault(vec![image("A", "a", 100, 10), image("B", "b", 95, 6)]),
        (1, RecordFault::Collides(0))
    );
    assert_eq!(
        fault(vec![image("A", "a", u64::MAX, 1)]),
        (
            0,
            RecordFault::Wraps {
                destination: u64::MAX,
                size: 1
            }
        )
    );
    for count in [0, 65] {
        let images = (0..count).map(|n| image("A", "a", n * 10, 1)).collect();
        let result = pack(
            &content(images),
            &mut Cursor::new(Vec::new()),
            &mut |_, _| {},
        );
        assert!(matches!(result, Err(Error::Count(n)) if u64::from(n) == count));
    }
}

#[test]
fn image_crc32_is_the_usual_one() {
    let mut file = Cursor::new(Vec::new());
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), "123456789").unwrap();
    let images = vec![Image {
        source: Source::File(directory.path().join("a")),
        ..image("A", "a", 0, 0)
    }];
    let mut content = content(images);
    content.integrity = ManifestIntegrity::Crc16;
    pack(&content, &mut file, &mut |_, _| {}).unwrap();
    let container = Container::read(&mut file).unwrap();
    let report = container.verify(&mut file, &mut |_, _| {}).unwrap();
    assert_eq!(report.crc32, [0xCBF4_3926]);
    assert!(matches!(report.computed, Integrity::Crc16(_)));
}

#[test]
fn manifest_errors_name_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(MANIFEST_NAME);
    let message = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = Manifest::read(&path).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
        error[path.display().to_string().len() + 2..].to_owned()
    };
    let head = "product = \"P\"\nversion = \"V\"\n[[record]]\nid = \"A\"\nfile = \"a\"\n";
    assert_eq!(
        message(&format!("{head}destination = \"10\"\n")),
        "line 6: \"10\" is not a number like \"0x140000000\""
    );
    assert!(message(&format!("{head}destination = 1\nsize = 5\n"))
        .starts_with("line 7: unknown field `size`"));
    assert!(message("product = 5\n").starts_with("line 1: "));
    fs::write(&path, format!("{head}destination = 0x1_0000\n")).unwrap();
    assert_eq!(
        Manifest::read(&path).unwrap().records[0].destination.0,
        0x10000
    );
}

#[test]
fn texts_that_do_not_fit() {
    let long = "x".repeat(33);
    assert!(matches!(
        FixedText::<32>::new("id", &long),
        Err(Error::TextTooLong { limit: 32, .. })
    ));
    assert!(FixedText::<32>::new("id", &long[..32]).is_ok());
    for text in ["\u{20ac}", "a\0b"] {
        assert!(matches!(
            FixedText::<32>::new("id", text),
            Err(Error::TextCharacter { .. })
        ));
    }
}

/// A program whose `main` returns the error ends with a line for people.
#[test]
fn errors_are_shown_as_text() {
    let error = Container::read(&mut Cursor::new(b"no")).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "2 bytes are less than a header of 128"
    );
}
