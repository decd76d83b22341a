// SPDX-License-Identifier: GPL-2.0

//! The native media calls [rpc 7]: which there are, who may make them, where card addresses are in
//! their arguments.
//!
//! No native call carries a host bus address. Arguments are numbers and C structures in raw bytes;
//! where the layout is known the card addresses in them are checked, elsewhere every aligned 64 bit
//! word is checked not to point to the windows through which the card reaches the host.

use super::{
    address::{
        check_card_range,
        WINDOWS, //
    },
    expect,
    head,
    Once,
    Refusal,
    Result, //
};
use crate::wire::{
    bytes::{
        u32_at,
        u64_at, //
    },
    pb::Reader, //
};

const SYS: u8 = 0;
const VDEC: u8 = 1;
const VENC: u8 = 2;
const IVPS: u8 = 3;
const IVE: u8 = 4;
const ENGINE: u8 = 5;
const DMADIM: u8 = 6;
const DSP: u8 = 7;
const MODULES: usize = 8;

/// Returns `Some` if the call exists and the client may make it.
pub fn allowed(module: u8, api: u8, privileged: bool) -> Option<()> {
    let exists = match module {
        SYS => matches!(api, 2..=17 | 31..=34 | 41..=59 | 71..=73 | 81 | 91..=93 | 101..=105),
        VDEC => api <= 35,
        VENC => api <= 44,
        IVPS => matches!(
            api,
            0..=34 | 40..=45 | 51..=59 | 65..=72 | 81..=92 | 101..=103 | 111..=119
        ),
        IVE => api <= 34,
        ENGINE => api <= 21,
        DMADIM => api <= 8,
        DSP => api <= 6,
        _ => false,
    };
    let for_all = !matches!(
        (module, api),
        // Suspend the whole card; callbacks.
        (SYS, 101..=105)
            // NPUReset: takes the NPU away from everybody.
            | (ENGINE, 1)
            // PowerOff, LoadBin, DisableCore: code on a core that sees all of the card.
            | (DSP, 1 | 2 | 4)
    );
    (exists && (for_all || privileged)).then_some(())
}

/// Most arguments a call has is 9.
const MAX_ARGUMENTS: usize = 16;

/// What to check in a call's arguments; numbers are those of arguments, from 0, and offsets in them.
enum Rule {
    /// Address and size, each an argument.
    Range(usize, usize),
    /// Two addresses and one size: a copy.
    Copy(usize, usize, usize),
    /// An address in a structure.
    Field(usize, usize),
    /// A video frame in a structure.
    Frame(usize, usize),
    /// No structure we know: the rest of an argument is scanned.
    Scan(usize, usize),
}

use Rule::{
    Copy,
    Field,
    Frame,
    Range,
    Scan, //
};

/// Offsets in `AX_VIDEO_FRAME_T` of its physical addresses: planes, and their headers.
const FRAME: [usize; 6] = [56, 64, 72, 104, 112, 120];
/// Lengths of `AX_VIDEO_FRAME_T` and `AX_VIDEO_FRAME_INFO_T`.
const FRAME_SIZES: [usize; 2] = [232, 240];
/// Offset in `AX_VDEC_STREAM_T` of its physical address, and its length.
const STREAM: usize = 40;
const STREAM_SIZE: usize = 56;
/// Offset in `AX_VDEC_GRP_ATTR_T` of its physical address.
const GROUP: usize = 32;

/// Returns the rules of a call whose arguments are known; `None`: scan them all. A scan would take times and
/// sizes for addresses, so calls that carry such are here even if there is nothing to check.
fn rules(module: u8, api: u8) -> Option<&'static [Rule]> {
    Some(match (module, api) {
        // MemAlloc, MemAllocCached, MemSetConfig, pools: sizes. InitPTSBase, SyncPTS: times.
        (SYS, 2 | 3 | 15 | 41 | 45 | 47 | 72 | 73) => &[],
        // Mmap and the like, MflushCache, MinvalidateCache.
        (SYS, 5..=8) => &[Range(0, 1)],
        (SYS, 10 | 11) => &[Range(0, 2)],
        // ExtractStreamHeaderInfo, SendStream.
        (VDEC, 4) => &[Field(0, STREAM)],
        (VDEC, 17) => &[Field(1, STREAM)],
        // CreateGrp, CreateGrpEx, SetGrpAttr.
        (VDEC, 5 | 9) => &[Field(1, GROUP)],
        (VDEC, 6) => &[Field(0, GROUP)],
        // JpegDecodeOneFrame.
        (VDEC, 33) => &[Field(0, STREAM), Frame(0, STREAM_SIZE)],
        // SendFrameEx.
        (VENC, 6) => &[Frame(1, 0), Scan(1, FRAME_SIZES[1])],
        // Given back, not read or written.
        (VDEC, 19 | 21) | (VENC, 14) | (IVPS, 13 | 15 | 18) => &[],
        // CmmCopy, DMA_MemCopy, DMA_MemSet, DMA_CheckSum.
        (IVPS, 51 | 65 | 81) | (DMADIM, 5) => &[Copy(0, 1, 2)],
        (DMADIM, 6) => &[Range(0, 2)],
        (DMADIM, 8) => &[Range(0, 1)],
        _ => return None,
    })
}

/// Checks a native request against the type in the header.
pub(super) fn check(request: &[u8], module: u8, api: u8) -> Result<'_, ()> {
    let request = Once::<2>::read("native request", request)?;
    let head = head("native head", request.bytes(1)?)?;
    expect("module", module.into(), head)?;
    let members = Once::<MODULES>::read("native body", request.required(2)?)?;
    let call = members.only(usize::from(module).wrapping_add(1))?;

    let malformed = Refusal::Malformed("native call");
    let mut seen_api = None;
    let mut arguments = [&[][..]; MAX_ARGUMENTS];
    let mut room = arguments.iter_mut();
    let mut reader = Reader::new(call);
    while let Some((number, value)) = reader.field().map_err(|_| malformed)? {
        match number {
            1 => {
                if seen_api.replace(value.u32().ok_or(malformed)?).is_some() {
                    return Err(Refusal::Repeated("native call", 1));
                }
            }
            2 => *room.next().ok_or(malformed)? = value.bytes().ok_or(malformed)?,
            _ => return Err(Refusal::Unknown("native call", number)),
        }
    }
    expect("api", api.into(), seen_api.unwrap_or(0))?;
    Arguments(&arguments).check(module, api)
}

struct Arguments<'a>(&'a [&'a [u8]]);

impl Arguments<'_> {
    fn check(&self, module: u8, api: u8) -> Result<'static, ()> {
        match rules(module, api) {
            Some(rules) => rules.iter().try_for_each(|rule| self.apply(rule)),
            None => (0..self.0.len()).try_for_each(|argument| {
                let is_frame = FRAME_SIZES.contains(&self.get(argument).len());
                if is_frame && matches!(module, VDEC | VENC | IVPS) {
                    self.apply(&Frame(argument, 0))
                } else {
                    self.apply(&Scan(argument, 0))
                }
            }),
        }
    }

    fn apply(&self, rule: &Rule) -> Result<'static, ()> {
        match *rule {
            Range(address, size) => self.range(address, self.number(size)),
            Copy(from, to, size) => {
                self.range(from, self.number(size))?;
                self.range(to, self.number(size))
            }
            Field(argument, offset) => self.field(argument, offset),
            Frame(argument, start) => FRAME
                .into_iter()
                .try_for_each(|offset| self.field(argument, start.saturating_add(offset))),
            Scan(argument, start) => {
                let rest = self.get(argument).get(start..).unwrap_or(&[]);
                let mut words = rest.chunks_exact(8).filter_map(|word| u64_at(word, 0));
                words
                    .find(|word| WINDOWS.contains(word))
                    .map_or(Ok(()), |word| Err(Refusal::Address(word)))
            }
        }
    }

    /// Returns the bytes of an argument; an absent one has none.
    fn get(&self, argument: usize) -> &[u8] {
        self.0.get(argument).copied().unwrap_or(&[])
    }

    /// Reads an argument that is a number of 4 or 8 bytes.
    fn number(&self, argument: usize) -> u64 {
        let bytes = self.get(argument);
        u64_at(bytes, 0)
            .or_else(|| u32_at(bytes, 0).map(u64::from))
            .unwrap_or(0)
    }

    fn range(&self, address: usize, size: u64) -> Result<'static, ()> {
        match self.number(address) {
            0 => Ok(()),
            address => check_card_range(address, size),
        }
    }

    fn field(&self, argument: usize, offset: usize) -> Result<'static, ()> {
        match u64_at(self.get(argument), offset) {
            None | Some(0) => Ok(()),
            Some(address) => check_card_range(address, 0),
        }
    }
}
