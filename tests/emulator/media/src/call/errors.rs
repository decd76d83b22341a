// SPDX-License-Identifier: MIT OR Apache-2.0

//! Return values of the card's calls: module, part of the module and what went wrong [rpc 3.3].

/// Why a call failed: the lowest byte of the code, the same in all modules but for [`Self::Codec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// No such module.
    InvalidModule = 0x01,
    /// No such group number.
    InvalidGroup = 0x03,
    /// No such channel number.
    InvalidChannel = 0x04,
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
    /// Out of CMM memory.
    NoMemory = 0x18,
    /// Out of blocks, pools, channels; no room for another stream or frame, and the caller does not
    /// wait.
    NoBuffer = 0x19,
    /// Nothing there yet, and the caller does not wait.
    Empty = 0x20,
    /// No group or channel has anything, and the caller does not wait.
    QueueEmpty = 0x22,
    /// The caller's time is over.
    TimedOut = 0x27,
    /// The last picture or packet of the stream has been taken.
    FlowEnd = 0x28,
    /// The data cannot be decoded or encoded: "stream" of the decoder, "unknown" elsewhere.
    Codec = 0x29,
}

/// The parts of the card that have codes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Memory, links, time stamps.
    Sys,
    /// Pools, whose codes are those of [`Self::Sys`].
    Pool,
    /// Decoder.
    Vdec,
    /// Encoder.
    Venc,
    /// Image processor.
    Ivps,
    /// Regions of the image processor.
    Region,
    /// Lens correction and warping of the image processor.
    Gdc,
    /// Copies within the card.
    Dma,
}

impl Area {
    /// The area of a native call.
    pub fn of(module: u32, api: u32) -> Self {
        match (module, api) {
            (crate::call::table::VDEC, _) => Self::Vdec,
            (crate::call::table::VENC, _) => Self::Venc,
            (crate::call::table::IVPS, 41..=45) => Self::Region,
            (crate::call::table::IVPS, 111 | 114..=119) => Self::Gdc,
            (crate::call::table::IVPS, _) => Self::Ivps,
            (crate::call::table::DMADIM, _) => Self::Dma,
            (_, 41..=59) => Self::Pool,
            _ => Self::Sys,
        }
    }

    /// The 32-bit code of `fault` in this area.
    pub fn code(self, fault: Fault) -> u32 {
        let base = match self {
            Self::Sys | Self::Pool => 0x800b_0100,
            Self::Vdec => 0x8008_0100,
            Self::Venc => 0x8007_0200,
            Self::Ivps => 0x800d_0100,
            Self::Region => 0x800d_0200,
            Self::Gdc => 0x800d_0300,
            Self::Dma => 0x8010_0100,
        };
        let id = match (self, fault) {
            (Self::Vdec, Fault::Codec) => 0x81,
            (_, fault) => fault as u32,
        };
        base | id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D6: every prefix and every number of the notes.
    #[test]
    #[allow(non_snake_case)]
    fn D6_codes_of_the_notes() {
        for (module, api, base) in [
            (0, 2, 0x800b_0100),
            (0, 31, 0x800b_0100),
            (0, 44, 0x800b_0100),
            (0, 45, 0x800b_0100),
            (1, 0, 0x8008_0100),
            (2, 0, 0x8007_0200),
            (3, 5, 0x800d_0100),
            (3, 41, 0x800d_0200),
            (3, 45, 0x800d_0200),
            (3, 51, 0x800d_0100),
            (3, 114, 0x800d_0300),
            (6, 5, 0x8010_0100),
        ] {
            for (fault, id) in [
                (Fault::InvalidModule, 0x01),
                (Fault::InvalidGroup, 0x03),
                (Fault::InvalidChannel, 0x04),
                (Fault::IllegalParam, 0x0a),
                (Fault::NullPointer, 0x0b),
                (Fault::BadAddress, 0x0c),
                (Fault::Busy, 0x11),
                (Fault::NotInit, 0x12),
                (Fault::NotConfig, 0x13),
                (Fault::NotSupported, 0x14),
                (Fault::NotPermitted, 0x15),
                (Fault::Exists, 0x16),
                (Fault::Unexist, 0x17),
                (Fault::NoMemory, 0x18),
                (Fault::NoBuffer, 0x19),
                (Fault::Empty, 0x20),
                (Fault::QueueEmpty, 0x22),
                (Fault::TimedOut, 0x27),
                (Fault::FlowEnd, 0x28),
            ] {
                let code = Area::of(module, api).code(fault);
                assert_eq!(code, base | id, "{module} {api} {fault:?}");
            }
        }
        assert_eq!(Area::Vdec.code(Fault::Codec), 0x8008_0181);
        assert_eq!(Area::Venc.code(Fault::Codec), 0x8007_0229);
    }
}
