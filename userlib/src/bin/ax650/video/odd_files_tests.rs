// SPDX-License-Identifier: MIT OR Apache-2.0

//! MP4 files that bend the rules, and are played all the same elsewhere.

use std::io::{Read, Write};

use super::clip::Clip;
use super::ffmpeg_tests::{checksums, ffmpeg, shown, units, Scratch};
use super::input::Input;
use super::mp4::{append_sets, to_annexb, Entry, Movie, Reader};
use ax650::media::Codec;

fn block(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = (8 + body.len()) as u32;
    [&size.to_be_bytes()[..], kind, body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A description of one track whose samples of `size` bytes all begin at 0.
fn trak(samples: usize, size: u32) -> Vec<u8> {
    let avcc = block(b"avcC", &[1, 66, 0, 30, 0xFF, 0xE0, 0]);
    let entry = block(b"avc1", &[&[0; 78][..], &avcc].concat());
    let count = samples as u32;
    let stbl = [
        block(b"stsd", &[words(&[0, 1]), entry].concat()),
        block(b"stts", &words(&[0, 1, count, 1])),
        block(b"stsz", &words(&[0, size, count])),
        block(b"stsc", &words(&[0, 1, 1, 1, 1])),
        block(
            b"stco",
            &words(&[&[0, count], &vec![0; samples][..]].concat()),
        ),
    ]
    .concat();
    let mdia = [
        block(b"mdhd", &words(&[0, 0, 0, 25, 0, 0])),
        block(b"hdlr", &[&[0; 8][..], b"vide", &[0; 13]].concat()),
        block(b"minf", &block(b"stbl", &stbl)),
    ]
    .concat();
    block(b"trak", &block(b"mdia", &mdia))
}

/// Puts `with` where `what` is for the first time behind `after`.
fn replace(bytes: &mut [u8], after: &[u8], what: &[u8], with: &[u8]) {
    let place = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|part| part == what);
    let begin = place(bytes, after).unwrap();
    let at = begin + place(&bytes[begin..], what).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
}

/// Names that are not those of the standard, handlers that are none, unknown boxes in front, and files that end a few
/// bytes early: as ffmpeg reads them.
#[test]
fn names_that_are_not_in_the_standard() {
    let scratch = Scratch::new("odd");
    let base = scratch.0.join("base.mp4");
    let line = "-f lavfi -i testsrc2=size=64x48:rate=25 -frames:v 12 -c:v libx264 -pix_fmt yuv420p -g 5 -bf 2";
    let mut line: Vec<_> = line.split_whitespace().collect();
    line.push(base.to_str().unwrap());
    if ffmpeg(&line).is_none() {
        return;
    }
    let wanted = checksums(&base);
    assert_eq!(wanted.len(), 12);
    let base = std::fs::read(base).unwrap();
    let read = |bytes: &[u8], what: &str| {
        let path = scratch.0.join("odd.mp4");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(checksums(&path), wanted, "ffmpeg: {what}");
        let mut clip = Clip::open(&path, None, None)
            .map_err(|failure| failure.message)
            .expect(what);
        assert_eq!(shown(&units(&mut clip), &scratch.0), wanted, "{what}");
        clip.problems().to_vec()
    };
    for (after, what, with) in [
        (b"stsd", b"avc1", b"ai1q"),
        (b"stsd", b"avc1", b"AVin"),
        (b"stsd", b"avc1", b"x264"),
        (b"hdlr", b"vide", b"MPEG"),
        (b"hdlr", b"vide", b"\0\0\0\0"),
        (b"mdia", b"hdlr", b"free"),
        (b"ftyp", b"ftyp", b"bloc"),
        (b"ftyp", b"ftyp", b"junk"),
    ] {
        let mut bytes = base.clone();
        replace(&mut bytes, after, what, with);
        let text = String::from_utf8_lossy(with);
        assert!(read(&bytes, &text).is_empty(), "{text}");
    }
    let problems = read(&base[..base.len() - 10], "cut");
    assert_eq!(
        problems,
        ["the file is cut short in its description (moov)"]
    );
    // The shape of a sample in the container counts more than that in the parameter sets.
    let mut bytes = base.clone();
    if let Some(at) = bytes.windows(4).position(|part| part == b"pasp") {
        bytes[at + 4..at + 12].copy_from_slice(&words(&[4, 3]));
    }
    let path = scratch.0.join("aspect.mp4");
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(Clip::open(&path, None, None).unwrap().look.aspect, (4, 3));
}

/// Samples that lie upon each other make a small file a long film: it ends, with a word.
#[test]
fn samples_upon_each_other() {
    let scratch = Scratch::new("upon");
    let path = scratch.0.join("a.mp4");
    let ftyp = block(b"ftyp", b"isom\0\0\0\0");
    let moov = block(b"moov", &trak(50_000, 100_000));
    std::fs::write(&path, [ftyp, moov, block(b"mdat", &[0; 100_000])].concat()).unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let Ok(mut reader) = Reader::open(Input::open(&path).unwrap(), None) else {
        panic!("it can be read");
    };
    let (mut bytes, mut all) = (Vec::new(), 0);
    while reader.next(&mut bytes).unwrap().is_some() {
        all += bytes.len() as u64;
    }
    assert!(all <= 9 * length, "{all} bytes of a file of {length}");
    assert!(
        reader.problems[0].starts_with("its samples lie upon each other: 49"),
        "{:?}",
        reader.problems
    );
}

/// Start codes in MP4, where the description does not tell of lengths and where it tells wrongly.
#[test]
fn start_codes_where_lengths_must_be() {
    let entry = |length_size| Entry {
        kind: *b"avc1",
        codec: Some(Codec::H264),
        size: (0, 0),
        length_size,
        sets: Vec::new(),
        aspect: None,
        clean: None,
        colour: None,
    };
    let packet = |length_size, bytes: &[u8]| {
        let mut packet = Vec::new();
        append_sets(&entry(length_size), &mut packet);
        (to_annexb(&entry(length_size), bytes, &mut packet), packet)
    };
    let stream = [&[0, 0, 0, 1][..], &[0x65; 20], &[0, 0, 1], &[0x65; 20]].concat();
    for length_size in [None, Some(4)] {
        assert_eq!(packet(length_size, &stream), (true, stream.clone()));
    }
    assert_eq!(packet(None, &stream[1..]), (true, stream[1..].to_vec()));
    assert_eq!(packet(Some(3), &stream[1..]), (true, stream[1..].to_vec()));
    // A NAL unit of one byte, and another.
    let lengths = [&[0, 0, 0, 1, 9][..], &[0, 0, 0, 2, 0x65, 0x88]].concat();
    assert_eq!(
        packet(Some(4), &lengths).1,
        [&[0, 0, 0, 1, 9][..], &[0, 0, 0, 1, 0x65, 0x88]].concat()
    );
}

/// Old QuickTime files have their description packed.
#[test]
fn packed_descriptions() {
    let moov = block(b"moov", &trak(3, 1));
    let mut packer = flate2::read::ZlibEncoder::new(&moov[..], flate2::Compression::best());
    let mut packed = words(&[moov.len() as u32]);
    packer.read_to_end(&mut packed).unwrap();
    let body = |packed: &[u8]| {
        block(
            b"cmov",
            &[block(b"dcom", b"zlib"), block(b"cmvd", packed)].concat(),
        )
    };
    let movie = Movie::read(&body(&packed));
    assert_eq!((movie.tracks.len(), movie.choose(None)), (1, Ok(0)));
    // Cut ones, and one that says the same for ever.
    for length in 0..packed.len() {
        assert!(Movie::read(&body(&packed[..length])).tracks.len() <= 1);
    }
    let mut bomb = flate2::write::ZlibEncoder::new(words(&[0]), flate2::Compression::best());
    for _ in 0..80 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    assert!(Movie::read(&body(&bomb.finish().unwrap()))
        .tracks
        .is_empty());
}

/// A video track without samples ahead of that with the film.
#[test]
fn empty_tracks_are_passed_over() {
    let moov = [trak(0, 0), trak(3, 1)].concat();
    assert_eq!(Movie::read(&moov).choose(None), Ok(1));
    assert_eq!(Movie::read(&moov).choose(Some(1)), Ok(0));
    assert_eq!(Movie::read(&trak(0, 0)).choose(None), Ok(0));
}
