// SPDX-License-Identifier: MIT OR Apache-2.0

//! Error numbers of the card [rpc 3.3].

/// What a runtime error is about: the `sub` part of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum About {
    Context = 2,
    Stream = 3,
    Memory = 5,
    Engine = 7,
    SysCtrl = 9,
    P2p = 11,
    UsrWork = 12,
}

/// What went wrong: the `id` part of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Why {
    IllegalParameter = 3,
    Unsupported = 4,
    Timeout = 5,
    NoMemory = 7,
    Decode = 9,
    ExecuteFailed = 12,
}

/// A runtime error number.
pub(crate) const fn code(about: About, why: Why) -> u32 {
    0x8030_0000 | ((about as u32) << 8) | why as u32
}

/// The status of a request that never gets to its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An error of the service that was meant.
    Own(Why),
    /// This very number.
    Number(u32),
}

/// A runtime error number whose `id` means something for this `sub` only.  Where the notes give the
/// range of the ids but not their meanings, which is which is this card's own choice: see
/// docs/protocol/own-numbers.md.
const fn special(about: About, id: u32) -> u32 {
    0x8030_0000 | ((about as u32) << 8) | id
}

/// There is no such context.
pub(crate) const NO_CONTEXT: u32 = special(About::Context, 0x81);
/// The context is there already.
pub(crate) const CONTEXT_EXISTS: u32 = special(About::Context, 0x82);
/// There is no such stream.
pub(crate) const NO_STREAM: u32 = special(About::Stream, 0x81);
/// The stream is there already.
pub(crate) const STREAM_EXISTS: u32 = special(About::Stream, 0x82);
/// Errors of events have the `sub` of streams.  There is no such event.
pub(crate) const NO_EVENT: u32 = special(About::Stream, 0x84);
/// The event is there already.
pub(crate) const EVENT_EXISTS: u32 = special(About::Stream, 0x83);
/// An address that is not that of allocated card memory.
pub(crate) const NOT_CARD_MEMORY: u32 = special(About::Memory, 0x81);
/// An index beyond what a model has.
pub(crate) const ENGINE_INDEX: u32 = special(About::Engine, 0x81);
/// A path that cannot be one.
pub(crate) const BAD_PATH: u32 = special(About::UsrWork, 0x81);
/// There is no such file.
pub(crate) const NO_FILE: u32 = special(About::UsrWork, 0x82);
/// The data is not as long as the request says.
pub(crate) const FILE_SIZE: u32 = special(About::UsrWork, 0x83);
/// The card has no room for the file.
pub(crate) const FILES_FULL: u32 = special(About::UsrWork, 0x84);
/// There is no such program.
pub(crate) const NO_PROGRAM: u32 = special(About::UsrWork, 0x85);
/// The ports cannot be a worker's.
pub(crate) const WORKER_PORTS: u32 = special(About::UsrWork, 0x86);
/// There is no such worker.
pub(crate) const NO_WORKER: u32 = special(About::UsrWork, 0x87);

/// The answer of a native call that this card does not have: an axclError of the module "native"
/// whose `sub` is the native module's number.
pub(crate) const fn native_code(module: u32, why: Why) -> u32 {
    0x8130_0000 | ((module & 0xff) << 8) | why as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_form_of_the_notes() {
        assert_eq!(code(About::Engine, Why::Decode), 0x8030_0709);
        assert_eq!(code(About::Memory, Why::NoMemory), 0x8030_0507);
        assert_eq!(native_code(3, Why::Unsupported), 0x8130_0304);
    }

    /// Ids from 0x81 on are those that the notes list for each `sub`, and each number means one thing.
    #[test]
    fn special_numbers_are_within_the_lists_of_the_notes() {
        let last = |sub: u32| match sub {
            2 | 3 => 0x84,
            5 | 7 => 0x81,
            12 => 0x87,
            other => panic!("sub {other} has no special numbers"),
        };
        let all = [
            NO_CONTEXT,
            CONTEXT_EXISTS,
            NO_STREAM,
            STREAM_EXISTS,
            NO_EVENT,
            EVENT_EXISTS,
            NOT_CARD_MEMORY,
            ENGINE_INDEX,
            BAD_PATH,
            NO_FILE,
            FILE_SIZE,
            FILES_FULL,
            NO_PROGRAM,
            WORKER_PORTS,
            NO_WORKER,
        ];
        for number in all {
            let (sub, id) = ((number >> 8) & 0xff, number & 0xff);
            assert_eq!(number >> 16, 0x8030, "{number:#x}");
            assert!((0x81..=last(sub)).contains(&id), "{number:#x}");
        }
        let distinct: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(NOT_CARD_MEMORY, 0x8030_0581);
        assert_eq!(ENGINE_INDEX, 0x8030_0781);
    }
}
