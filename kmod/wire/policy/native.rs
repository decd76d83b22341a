// SPDX-License-Identifier: GPL-2.0

//! The native media calls [rpc 7]: which there are, who may make them, and what their arguments name.
//!
//! No native call carries a host bus address. Arguments are numbers and C structures in raw bytes. Calls of
//! which every address and every number of a thing is known ([`layout`]) are everybody's, the others
//! the privileged's; in those every aligned 64 bit word is checked not to point to the windows through which the card
//! reaches the host.

use super::{
    address::{
        check_card_range,
        WINDOWS, //
    },
    expect,
    head,
    Names,
    Once,
    Refusal,
    Result, //
};
use crate::wire::{
    bytes::{
        u32_at,
        u64_at, //
    },
    grants::Effect,
    pb::Reader, //
};

mod layout;
mod picture;

pub use layout::is_known;

const SYS: u8 = 0;
const VDEC: u8 = 1;
const VENC: u8 = 2;
const IVPS: u8 = 3;
const IVE: u8 = 4;
const ENGINE: u8 = 5;
const DMADIM: u8 = 6;
const DSP: u8 = 7;
const MODULES: usize = 8;

/// Returns whether there is such a call.
pub fn exists(module: u8, api: u8) -> bool {
    match module {
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
    }
}

/// Most arguments a call has is 9.
const MAX_ARGUMENTS: usize = 16;

/// Lengths of `AX_VIDEO_FRAME_T` and `AX_VIDEO_FRAME_INFO_T`.
const FRAME_SIZES: [usize; 2] = [232, 240];
/// Offsets in them of physical addresses: planes, and their headers.
const FRAME: [usize; 6] = [56, 64, 72, 104, 112, 120];

/// The arguments of a call.
pub(super) struct Arguments<'a> {
    all: [&'a [u8]; MAX_ARGUMENTS],
    count: usize,
}

/// Reads the arguments of a native request, whose type has to be that in the header.
pub(super) fn arguments(request: &[u8], module: u8, api: u8) -> Result<'_, Arguments<'_>> {
    let request = Once::<2>::read("native request", request)?;
    let head = head("native head", request.bytes(1)?)?;
    expect("module", module.into(), head)?;
    let members = Once::<MODULES>::read("native body", request.required(2)?)?;
    let call = members.only(usize::from(module).wrapping_add(1))?;

    let malformed = Refusal::Malformed("native call");
    let mut seen_api = None;
    let mut arguments = Arguments {
        all: [&[]; MAX_ARGUMENTS],
        count: 0,
    };
    let mut reader = Reader::new(call);
    while let Some((number, value)) = reader.field().map_err(|_| malformed)? {
        match number {
            1 => {
                if seen_api.replace(value.u32().ok_or(malformed)?).is_some() {
                    return Err(Refusal::Repeated("native call", 1));
                }
            }
            2 => {
                let slot = arguments.all.get_mut(arguments.count).ok_or(malformed)?;
                *slot = value.bytes().ok_or(malformed)?;
                arguments.count = arguments.count.wrapping_add(1);
            }
            _ => return Err(Refusal::Unknown("native call", number)),
        }
    }
    expect("api", api.into(), seen_api.unwrap_or(0))?;
    Ok(arguments)
}

/// Checks a call by what is known of it, and returns what a good answer means.
pub(super) fn known(
    arguments: &Arguments<'_>,
    module: u8,
    api: u8,
    names: &mut Names<'_>,
) -> Result<'static, Effect> {
    layout::check(arguments, module, api, names)
}

impl<'a> Arguments<'a> {
    /// Returns the bytes of an argument; an absent one has none.
    fn get(&self, argument: usize) -> &'a [u8] {
        self.all.get(argument).copied().unwrap_or(&[])
    }

    /// Reads an argument that is a number of 4 bytes.
    fn u32(&self, argument: usize) -> u32 {
        u32_at(self.get(argument), 0).unwrap_or(0)
    }

    /// Reads an argument that is a number of 8 bytes.
    fn u64(&self, argument: usize) -> u64 {
        u64_at(self.get(argument), 0).unwrap_or(0)
    }
}

/// Checks what can be checked in arguments of unknown layout: frames, and that nothing looks like an address of the
/// windows. In calls that carry times and sizes only a scan would take those for addresses.
pub(super) fn scan(arguments: &Arguments<'_>, module: u8, api: u8) -> Result<'static, ()> {
    if matches!((module, api), (SYS, 2 | 3 | 15 | 41 | 72 | 73)) {
        return Ok(());
    }
    let all = arguments.all.iter().take(arguments.count);
    all.copied().try_for_each(|argument| {
        if FRAME_SIZES.contains(&argument.len()) && matches!(module, VDEC | VENC | IVPS) {
            return FRAME
                .into_iter()
                .try_for_each(|offset| match u64_at(argument, offset) {
                    None | Some(0) => Ok(()),
                    Some(address) => check_card_range(address, 0),
                });
        }
        let mut words = argument.chunks_exact(8).filter_map(|word| u64_at(word, 0));
        words
            .find(|word| WINDOWS.contains(word))
            .map_or(Ok(()), |word| Err(Refusal::Address(word)))
    })
}
