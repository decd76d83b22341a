// SPDX-License-Identifier: MIT OR Apache-2.0

//! Good and broken firmware containers, made from a list of changes to a good one. Two parsers are
//! judged by them: the kernel's and the loader's.

use md5::{Digest, Md5};

/// Length of the header, and of a record.
pub const HEADER: usize = 128;
/// Length of a record.
pub const RECORD: usize = 464;

/// Offsets in the header.
mod at {
    pub const MAGIC: usize = 0;
    pub const VERSION: usize = 4;
    pub const SIZE: usize = 8;
    pub const RECORDS: usize = 80;
    pub const COUNT: usize = 84;
    pub const KIND: usize = 88;
    pub const CRC: usize = 92;
    pub const MD5: usize = 96;
    /// In a record.
    pub const OFFSET: usize = 320;
    pub const LENGTH: usize = 328;
    pub const DESTINATION: usize = 336;
}

/// What a parser should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Structure and digest are right.
    Good,
    /// The structure is wrong.
    BadStructure,
    /// The structure is right, the digest is not.
    BadDigest,
}

/// One container.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was done to it.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// What a parser should say.
    pub expect: Expect,
}

/// How a container says that it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digesting {
    /// Not at all.
    None,
    /// MD5.
    Md5,
    /// CRC-16.
    Crc16,
}

/// CRC-16 bit by bit, as the protocol notes define it.
fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0u16;
    for &byte in bytes {
        crc ^= u16::from(byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xA001;
            }
        }
    }
    crc
}

/// A container with images of these sizes, from the offset `first` on, at the destinations.
pub fn build(images: &[(u64, usize)], digesting: Digesting) -> Vec<u8> {
    build_at(HEADER, images, digesting)
}

fn build_at(first: usize, images: &[(u64, usize)], digesting: Digesting) -> Vec<u8> {
    let mut file = vec![0; first + images.len() * RECORD];
    file[16..26].copy_from_slice(b"AX650_card");
    file[48..54].copy_from_slice(b"V1.2.3");
    for (index, &(destination, size)) in images.iter().enumerate() {
        let record = first + index * RECORD;
        let offset = file.len() as u64;
        file[record] = b'A' + (index % 26) as u8;
        file[record + 32..][..4].copy_from_slice(b"CODE");
        file[record + 64..][..9].copy_from_slice(b"image.bin");
        set64(&mut file, record + at::OFFSET, offset);
        set64(&mut file, record + at::LENGTH, size as u64);
        set64(&mut file, record + at::DESTINATION, destination);
        file.extend((0..size).map(|n| (n * 7 + index) as u8));
    }
    let size = file.len() as u64;
    set32(&mut file, at::MAGIC, 0x5C6D_8E9F);
    set32(&mut file, at::VERSION, 1);
    set64(&mut file, at::SIZE, size);
    set32(&mut file, at::RECORDS, first as u32);
    set32(&mut file, at::COUNT, images.len() as u32);
    seal(&mut file, digesting);
    file
}

/// Writes the digest fields.
fn seal(file: &mut [u8], digesting: Digesting) {
    let first = u32::from_le_bytes(file[at::RECORDS..][..4].try_into().expect("4 bytes"));
    let content = &file[first as usize..];
    match digesting {
        Digesting::None => set32(file, at::KIND, 0),
        Digesting::Md5 => {
            let text = format!("{:x}", Md5::digest(content));
            set32(file, at::KIND, 1);
            file[at::MD5..][..32].copy_from_slice(text.as_bytes());
        }
        Digesting::Crc16 => {
            let crc = crc16(content);
            set32(file, at::KIND, 2);
            set32(file, at::CRC, crc.into());
        }
    }
}

fn set32(file: &mut [u8], offset: usize, value: u32) {
    file[offset..][..4].copy_from_slice(&value.to_le_bytes());
}

fn set64(file: &mut [u8], offset: usize, value: u64) {
    file[offset..][..8].copy_from_slice(&value.to_le_bytes());
}

/// Images of the container that most cases are made from.
const IMAGES: [(u64, usize); 5] = [
    (0x1400_1000, 1500),
    (0x1_1008_0000, 192),
    (0x1_1FF1_0000, 28),
    (0x1_0020_0000, 2028),
    (0x1_4000_0000, 4096),
];

type Change = fn(&mut Vec<u8>);

/// Offset of a field of a record.
const fn record(index: usize, field: usize) -> usize {
    HEADER + index * RECORD + field
}

/// Changes that leave a container good.
const HARMLESS: [(&str, Change); 5] = [
    ("text fields without a NUL", |file| {
        file[16..48].fill(b'p');
        file[48..80].fill(b'v');
        file[record(0, 0)..][..320].fill(0xFF);
        seal(file, Digesting::Md5);
    }),
    ("upper case MD5", |file| {
        file[at::MD5..][..32].make_ascii_uppercase()
    }),
    ("bytes after the last image", |file| {
        file.extend([1, 2, 3]);
        let size = file.len() as u64;
        set64(file, at::SIZE, size);
        seal(file, Digesting::Md5);
    }),
    ("images not in the order of the records", |file| {
        let (first, second) = (record(1, at::OFFSET), record(2, at::OFFSET));
        for n in 0..16 {
            file.swap(first + n, second + n);
        }
        seal(file, Digesting::Md5);
    }),
    ("destination up to the last address but one", |file| {
        set64(file, record(4, at::DESTINATION), u64::MAX - 4096);
        seal(file, Digesting::Md5);
    }),
];

/// Changes after which the structure is wrong. They are re-sealed, so the digest is right.
const STRUCTURE: [(&str, Change); 29] = [
    ("magic", |f| set32(f, at::MAGIC, 0x5C6D_8E9E)),
    ("big endian magic", |f| set32(f, at::MAGIC, 0x9F8E_6D5C)),
    ("version 0", |f| set32(f, at::VERSION, 0)),
    ("version 2", |f| set32(f, at::VERSION, 2)),
    ("size less by one", |f| {
        let size = f.len() as u64 - 1;
        set64(f, at::SIZE, size)
    }),
    ("size more by one", |f| {
        let size = f.len() as u64 + 1;
        set64(f, at::SIZE, size)
    }),
    ("size more by 2^32", |f| {
        let size = f.len() as u64 + (1 << 32);
        set64(f, at::SIZE, size)
    }),
    ("no records", |f| set32(f, at::COUNT, 0)),
    ("65 records", |f| set32(f, at::COUNT, 65)),
    ("2^32-1 records", |f| set32(f, at::COUNT, u32::MAX)),
    ("records * 464 is 0 in 32 bits", |f| {
        set32(f, at::COUNT, 1 << 28)
    }),
    ("record table behind the end", |f| set32(f, at::COUNT, 40)),
    ("record offset in the header", |f| {
        set32(f, at::RECORDS, 127)
    }),
    ("record offset 0", |f| set32(f, at::RECORDS, 0)),
    ("record offset 2^32-1", |f| set32(f, at::RECORDS, u32::MAX)),
    ("integrity kind 3", |f| set32(f, at::KIND, 3)),
    ("integrity kind 2^31", |f| set32(f, at::KIND, 1 << 31)),
    ("image of no bytes", |f| set64(f, record(1, at::LENGTH), 0)),
    ("image of 2^32+1 bytes", |f| {
        set64(f, record(1, at::LENGTH), (1 << 32) + 1)
    }),
    ("image longer by one than there is", |f| {
        set64(f, record(4, at::LENGTH), 4097)
    }),
    ("offset + size wraps to something small", |f| {
        set64(f, record(1, at::OFFSET), u64::MAX - 10);
        set64(f, record(1, at::LENGTH), 5000);
    }),
    ("offset 2^64-1", |f| {
        set64(f, record(3, at::OFFSET), u64::MAX)
    }),
    ("image begins in the header", |f| {
        set64(f, record(2, at::OFFSET), 100)
    }),
    ("image begins in the records", |f| {
        set64(f, record(2, at::OFFSET), record(4, 463) as u64)
    }),
    ("two records share an image", |f| {
        let offset = f[record(1, at::OFFSET)..][..8].to_vec();
        f[record(2, at::OFFSET)..][..8].copy_from_slice(&offset);
    }),
    ("images overlap by one byte", |f| {
        set64(f, record(0, at::LENGTH), 1501)
    }),
    ("destination wraps", |f| {
        set64(f, record(4, at::DESTINATION), u64::MAX - 4095)
    }),
    ("two images to the same place", |f| {
        set64(f, record(4, at::DESTINATION), 0x1_1008_0000)
    }),
    ("destinations overlap by one byte", |f| {
        set64(f, record(2, at::DESTINATION), 0x1_1008_0000 + 191)
    }),
];

/// Changes after which only the digest is wrong.
const DIGEST: [(&str, Change); 4] = [
    ("last byte of the last image", |f| {
        if let Some(byte) = f.last_mut() {
            *byte ^= 1;
        }
    }),
    ("a name", |f| f[record(3, 64)] ^= 0x20),
    ("a digit of the MD5", |f| {
        f[at::MD5 + 31] = if f[at::MD5 + 31] == b'0' { b'1' } else { b'0' }
    }),
    ("MD5 with a letter that is no digit", |f| {
        f[at::MD5 + 5] = b'g'
    }),
];

/// All cases; a few MiB, made anew each time.
pub fn cases() -> Vec<Case> {
    let base = build(&IMAGES, Digesting::Md5);
    let mut cases = vec![
        good("MD5", base.clone()),
        good("CRC-16", build(&IMAGES, Digesting::Crc16)),
        good("no digest", build(&IMAGES, Digesting::None)),
        good("one image of one byte", build(&[(0, 1)], Digesting::Md5)),
        good("a word between header and records", {
            build_at(HEADER + 4, &IMAGES, Digesting::Md5)
        }),
        good("64 records", build(&many(64), Digesting::Md5)),
        good(
            "first image of 3 MiB",
            build(&[(0, 0x30_0000)], Digesting::None),
        ),
        good("second image of more than 3 MiB", {
            build(&[(0, 10), (1 << 32, 0x30_0001)], Digesting::None)
        }),
        bad("65 records that are there", {
            build(&many(65), Digesting::Md5)
        }),
        bad("first image of 3 MiB and a byte", {
            build(&[(0, 0x30_0001)], Digesting::None)
        }),
        bad("empty file", Vec::new()),
        bad("only a magic", base[..4].to_vec()),
        bad("header less one byte", base[..HEADER - 1].to_vec()),
        bad("only a header", base[..HEADER].to_vec()),
        bad("cut in the records", base[..record(3, 7)].to_vec()),
        bad("cut in an image", base[..base.len() - 1].to_vec()),
        bad("a byte too many", [&base[..], &[0]].concat()),
        bad("another file", b"\x7fELF".repeat(100)),
    ];
    cases.extend(changed(&HARMLESS, Expect::Good, false));
    cases.extend(changed(&STRUCTURE, Expect::BadStructure, true));
    cases.extend(changed(&DIGEST, Expect::BadDigest, false));
    let mut crc = build(&IMAGES, Digesting::Crc16);
    let last = crc.len() - 1;
    crc[last] ^= 0x80;
    cases.push(Case {
        name: "CRC-16 of other content",
        bytes: crc,
        expect: Expect::BadDigest,
    });
    let mut crc = build(&IMAGES, Digesting::Crc16);
    crc[at::CRC + 2] = 1;
    cases.push(Case {
        name: "CRC-16 with a bit above 16",
        bytes: crc,
        expect: Expect::BadDigest,
    });
    cases
}

fn good(name: &'static str, bytes: Vec<u8>) -> Case {
    Case {
        name,
        bytes,
        expect: Expect::Good,
    }
}

fn bad(name: &'static str, bytes: Vec<u8>) -> Case {
    Case {
        name,
        bytes,
        expect: Expect::BadStructure,
    }
}

fn many(count: u64) -> Vec<(u64, usize)> {
    (0..count).map(|n| (n * 0x1000, 3)).collect()
}

fn changed(
    changes: &'static [(&'static str, Change)],
    expect: Expect,
    reseal: bool,
) -> impl Iterator<Item = Case> {
    changes.iter().map(move |&(name, change)| {
        let mut bytes = build(&IMAGES, Digesting::Md5);
        let records = bytes[at::RECORDS..][..8].to_vec();
        change(&mut bytes);
        // The digest is over the content only, so header changes need no new one; and it can only
        // be made while the record offset is sane.
        if reseal && bytes[at::RECORDS..][..4] == records[..4] && bytes[at::KIND] == 1 {
            seal(&mut bytes, Digesting::Md5);
        }
        Case {
            name,
            bytes,
            expect,
        }
    })
}
