// SPDX-License-Identifier: MIT OR Apache-2.0

//! Module DMADIM, as far as it copies and fills plain memory.  The queued and the two-dimensional
//! copies have structures that the notes do not describe.

use std::sync::Arc;

use ax650_emu_api::Link;

use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::Args;
use crate::call::errors::Fault;

/// Bytes that are summed at a time.
const STEP: u64 = 1 << 20;

/// Serves the DMADIM call `api`.
pub fn call(link: &Arc<dyn Link>, api: u32, args: Args) -> Outcome {
    let dram = link.dram();
    let last = match api {
        8 => 1,
        _ => 2,
    };
    let len = args.u64(last);
    if len == 0 {
        return Err(Fault::IllegalParam);
    }
    link.count("dma_calls", 1);
    match api {
        // Target before source, as in the public declaration of memcpy.
        5 => dram.copy(args.u64(1), args.u64(0), len),
        6 => dram.fill(args.u64(0), len, args.view(1).u8(0)),
        8 => return sum(link, args.u64(0), len),
        _ => return Err(Fault::NotSupported),
    }
    .map_err(|_| Fault::BadAddress)?;
    Answer::ok()
}

/// CheckSum: the sum of all little-endian 32-bit words, the last one filled up with zeros.
fn sum(link: &Arc<dyn Link>, start: u64, len: u64) -> Outcome {
    let dram = link.dram();
    dram.pointer(start, len).map_err(|_| Fault::BadAddress)?;
    let mut sum = 0_u32;
    for at in (0..len).step_by(STEP as usize) {
        let part = dram.read_vec(start + at, STEP.min(len - at));
        for word in part.map_err(|_| Fault::BadAddress)?.chunks(4) {
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            sum = sum.wrapping_add(u32::from_le_bytes(bytes));
        }
    }
    Answer::with(sum.to_le_bytes().to_vec())
}
