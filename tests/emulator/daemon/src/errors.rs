// SPDX-License-Identifier: MIT OR Apache-2.0

//! Error numbers of the card (spec 3.3).

/// What a runtime error is about: the `sub` part of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum About {
    Context = 2,
    Stream = 3,
    Task = 4,
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
    Open = 11,
    ExecuteFailed = 12,
}

/// A runtime error number.
pub(crate) const fn code(about: About, why: Why) -> u32 {
    0x8030_0000 | ((about as u32) << 8) | why as u32
}

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
}
