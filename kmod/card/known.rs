// SPDX-License-Identifier: GPL-2.0

//! Firmware files that have passed their check, for all cards: the same bytes are known again by a keyed tag, which
//! takes a fraction of what their digests take.
//!
//! The key is secret and made anew each time the module is loaded, so nobody can make a file that is taken for
//! another.

use crate::glue::{
    digest::{
        Key,
        Tag, //
    },
    global,
    prelude::*, //
};

/// Bytes of a file that a tag takes at a time: it depends on this, too.
pub(super) const PIECE: usize = 64 << 10;

/// Files that are remembered; another one takes the place of the oldest.
const FILES: usize = 4;

/// A file that has passed its check.
#[derive(Clone, Copy)]
struct File {
    bytes: usize,
    tag: u64,
    sha256: [u8; 32],
}

struct Table {
    key: Option<Key>,
    files: [Option<File>; FILES],
    next: usize,
}

impl Table {
    const fn new() -> Self {
        Self {
            key: None,
            files: [None; FILES],
            next: 0,
        }
    }

    fn sha256(&self, bytes: usize, tag: u64) -> Option<[u8; 32]> {
        let mut files = self.files.iter().flatten();
        let file = files.find(|file| (file.bytes, file.tag) == (bytes, tag));
        file.map(|file| file.sha256)
    }
}

global::table! {
    static TABLE: Mutex<Table> = Table::new();
}

/// Makes the table usable; to be called before there are cards.
pub(crate) fn init() {
    init_table();
}

/// Begins the tag of a file.
pub(super) fn tag() -> Tag {
    Tag::new(*TABLE.lock().key.get_or_insert_with(Key::random))
}

/// Says whether a file of as many bytes is known, which needs no tag.
pub(super) fn has_length(bytes: usize) -> bool {
    let table = TABLE.lock();
    let mut files = table.files.iter().flatten();
    files.any(|file| file.bytes == bytes)
}

/// Returns the SHA-256 of a file that has passed.
pub(super) fn sha256(bytes: usize, tag: u64) -> Option<[u8; 32]> {
    TABLE.lock().sha256(bytes, tag)
}

/// Remembers a file that has passed.
pub(super) fn remember(bytes: usize, tag: u64, sha256: [u8; 32]) {
    let mut table = TABLE.lock();
    // Another card has had it meanwhile.
    if table.sha256(bytes, tag).is_some() {
        return;
    }
    let next = table.next;
    if let Some(place) = table.files.get_mut(next) {
        *place = Some(File { bytes, tag, sha256 });
    }
    table.next = (next + 1) % FILES;
}
