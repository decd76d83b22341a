// SPDX-License-Identifier: MIT OR Apache-2.0

//! Return values of the card's calls (spec 3.3).

/// Why a call failed: the lowest byte of the code.
///
/// Spec 3.3 gives null pointer, does not exist, no buffer, empty, queue empty, timed out and flow
/// end.  The other numbers are this card's choice from the gaps between these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// No such channel number.
    InvalidChannel = 0x03,
    /// No such group number.
    InvalidGroup = 0x05,
    /// A field or the size of an argument is out of range.
    IllegalParam = 0x0a,
    /// An argument is missing or has no bytes.
    NullPointer = 0x0b,
    /// A card address outside the card's memory.
    BadAddress = 0x0c,
    /// In use.
    Busy = 0x11,
    /// Init of the module was not called by this session.
    NotInit = 0x12,
    /// What the call needs has not been set.
    NotConfig = 0x13,
    /// A call, format or mode that this card does not have.
    NotSupported = 0x14,
    /// Not now: not started, already enabled, fixed at creation.
    NotPermitted = 0x15,
    /// Created before.
    Exists = 0x16,
    /// Not created, destroyed, or another session's.
    Unexist = 0x17,
    /// Out of something: CMM memory, groups, channels, blocks; no room for another stream or frame
    /// and the caller does not wait.
    NoBuffer = 0x19,
    /// Nothing there yet, and the caller does not wait.
    Empty = 0x20,
    /// No group or channel has anything, and the caller does not wait.
    QueueEmpty = 0x22,
    /// The caller's time is over.
    TimedOut = 0x27,
    /// The last picture or packet of the stream has been taken.
    FlowEnd = 0x28,
    /// The data cannot be decoded or encoded.
    Codec = 0x29,
}

/// The parts of the card that have codes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Memory, links, time stamps.  Module number 0x0b is this card's choice.
    Sys,
    /// Pools.  Module number 0x0c is this card's choice.
    Pool,
    /// Decoder.
    Vdec,
    /// Encoder.
    Venc,
    /// Image processor.  Module number 0x0d is this card's choice.
    Ivps,
    /// Copies within the card.  Module number 0x0e is this card's choice.
    Dma,
}

impl Area {
    /// The area of a native call.
    pub fn of(module: u32, api: u32) -> Self {
        match (module, api) {
            (crate::table::VDEC, _) => Self::Vdec,
            (crate::table::VENC, _) => Self::Venc,
            (crate::table::IVPS, _) => Self::Ivps,
            (crate::table::DMADIM, _) => Self::Dma,
            (_, 41..=59) => Self::Pool,
            _ => Self::Sys,
        }
    }

    /// The 32-bit code of `fault` in this area.
    pub fn code(self, fault: Fault) -> u32 {
        let base = match self {
            Self::Sys => 0x800b_0000,
            Self::Pool => 0x800c_0000,
            Self::Vdec => 0x8008_0100,
            Self::Venc => 0x8007_0200,
            Self::Ivps => 0x800d_0000,
            Self::Dma => 0x800e_0000,
        };
        base | fault as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_notes() {
        for (fault, vdec, venc) in [
            (Fault::Empty, 0x8008_0120, 0x8007_0220),
            (Fault::QueueEmpty, 0x8008_0122, 0x8007_0222),
            (Fault::TimedOut, 0x8008_0127, 0x8007_0227),
            (Fault::FlowEnd, 0x8008_0128, 0x8007_0228),
            (Fault::Unexist, 0x8008_0117, 0x8007_0217),
        ] {
            assert_eq!(Area::of(1, 0).code(fault), vdec);
            assert_eq!(Area::of(2, 0).code(fault), venc);
        }
        assert_eq!(Area::of(0, 45), Area::Pool);
        assert_eq!(Area::of(0, 2), Area::Sys);
    }
}
