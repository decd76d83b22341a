// SPDX-License-Identifier: GPL-2.0

//! The native media calls (rpc 7): which there are, who may make them, where card addresses are in
//! their arguments.
//!
//! No native call carries a host bus address. Arguments are C structures in raw bytes; those whose
//! layout is known are checked field by field, in the others every aligned 64 bit word is checked
//! not to point to the windows through which the card reaches the host.

use super::address::{check_card_range, WINDOWS};
use super::{expect, head, Once, Refusal, Result};
use crate::wire::bytes::u64_at;
use crate::wire::pb::{Reader, Value};

const SYS: u8 = 0;
const VDEC: u8 = 1;
const VENC: u8 = 2;
const IVPS: u8 = 3;
const IVE: u8 = 4;
const ENGINE: u8 = 5;
const DMADIM: u8 = 6;
const DSP: u8 = 7;
const MODULES: usize = 8;

/// `Some` if the call exists and the client may make it.
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

/// Where a card address is: number of the argument, offset in it.
type Field = (usize, usize);

/// Offsets in `AX_VIDEO_FRAME_T` of its physical addresses, planes and their headers.
const FRAME: [usize; 6] = [56, 64, 72, 104, 112, 120];
/// Offset in `AX_VDEC_STREAM_T` of its physical address.
const STREAM: usize = 40;

/// How a call's arguments are checked.
enum Layout {
    /// These are all the card addresses there are.
    Fields(&'static [Field]),
    /// This argument begins with a video frame; there are no other addresses.
    Frame(usize),
    /// Not known.
    Scan,
}

/// The calls that carry times or sizes, which a scan might take for addresses.
fn layout(module: u8, api: u8) -> Layout {
    match (module, api) {
        // Grp, stream, timeout, data.
        (VDEC, 17) => Layout::Fields(&[(1, STREAM)]),
        // Chn, frame info, timeout.
        (VENC, 5) => Layout::Frame(1),
        // Grp, frame, timeout.
        (IVPS, 11) => Layout::Frame(1),
        // Given back, not written to.
        (VDEC, 19) | (VENC, 14) | (IVPS, 13 | 15) => Layout::Fields(&[]),
        // MemAlloc, MemAllocCached, CreatePool, GetBlock: sizes.
        (SYS, 2 | 3 | 45 | 47) => Layout::Fields(&[]),
        // PTS.
        (SYS, 72 | 73) => Layout::Fields(&[]),
        _ => Layout::Scan,
    }
}

/// Checks a native request against the type in the header.
pub(super) fn check(request: &[u8], module: u8, api: u8) -> Result<'_, ()> {
    let request = Once::<2>::read("native request", request)?;
    expect(
        "module",
        module.into(),
        head("native head", request.bytes(1)?)?,
    )?;
    let members = Once::<MODULES>::read("native body", request.required(2)?)?;
    let call = members.only(usize::from(module).wrapping_add(1))?;

    let mut seen_api = None;
    let mut argument = 0usize;
    let mut reader = Reader::new(call);
    while let Some((number, value)) = reader
        .field()
        .map_err(|_| Refusal::Malformed("native call"))?
    {
        match number {
            1 => {
                let value = Value::u32(value).ok_or(Refusal::Malformed("native call"))?;
                if seen_api.replace(value).is_some() {
                    return Err(Refusal::Repeated("native call", 1));
                }
            }
            2 => {
                let blob = value.bytes().ok_or(Refusal::Malformed("native call"))?;
                check_argument(&layout(module, api), argument, blob)?;
                argument = argument.saturating_add(1);
            }
            _ => return Err(Refusal::Unknown("native call", number)),
        }
    }
    expect("api", api.into(), seen_api.unwrap_or(0))
}

fn check_argument(layout: &Layout, argument: usize, blob: &[u8]) -> Result<'static, ()> {
    let field = |offset| match u64_at(blob, offset) {
        None | Some(0) => Ok(()),
        Some(address) => check_card_range(address, 0),
    };
    match layout {
        Layout::Fields(fields) => fields
            .iter()
            .filter(|(of, _)| *of == argument)
            .try_for_each(|&(_, offset)| field(offset)),
        Layout::Frame(of) if *of == argument => FRAME.into_iter().try_for_each(field),
        Layout::Frame(_) => Ok(()),
        Layout::Scan => {
            let mut words = blob.chunks_exact(8).filter_map(|word| u64_at(word, 0));
            words
                .find(|address| WINDOWS.contains(address))
                .map_or(Ok(()), |address| Err(Refusal::Address(address)))
        }
    }
}
