// SPDX-License-Identifier: MIT OR Apache-2.0

//! What operations cost by way of the library: counts in `make test`, where none may become dearer, with time
//! and CPU besides in `make bench` (docs/performance.md).  `axcl_bench` does the same by the nodes of AXCL.

mod boot;
mod calls;
mod many;
mod overlap;
mod video;

use anyhow::{ensure, Result};
use ax650::{Card, CardMemory, Part};
use ax650_test_kit::costs::Meter;

use crate::case::{Context, Start, HIGH_MEMORY, STOCK, TWO_CARDS};

use boot::{boot, boot_of_real_size};
use calls::{calls, chains_on_two_cards, inference};
use many::many_streams;
use overlap::{programs_overlap, requests_overlap};
use video::{channels_at_once, decode_and_encode};

crate::cases!["bench":
    calls { kernels: STOCK, soak_s: 300 },
    chains_on_two_cards { kernels: STOCK, machines: &[TWO_CARDS], soak_s: 120 },
    inference { kernels: STOCK, soak_s: 120 },
    requests_overlap,
    programs_overlap { timeout_s: 90 },
    copies { kernels: STOCK, timeout_s: 90, soak_s: 600 },
    boot { kernels: STOCK, start: Start::Unloaded, soak_s: 300 },
    boot_of_real_size {
        kernels: STOCK, start: Start::Unloaded, machines: &[HIGH_MEMORY], timeout_s: 240, soak_s: 300,
    },
    decode_and_encode { kernels: STOCK, timeout_s: 90, soak_s: 600 },
    channels_at_once { kernels: STOCK, timeout_s: 120, soak_s: 600 },
    many_streams { kernels: STOCK, machines: &[TWO_CARDS], timeout_s: 120, soak_s: 1200 },
];

const NATIVE: &str = "native";

/// Sizes of copies, and how often each is done with a watch.
const SIZES: [(&str, usize, u32); 5] = [
    ("4 KiB", 4 << 10, 300),
    ("64 KiB", 64 << 10, 300),
    ("1 MiB", 1 << 20, 100),
    ("4 MiB", 4 << 20, 50),
    ("64 MiB", 64 << 20, 8),
];

fn copies(context: &mut Context) -> Result<()> {
    let mut meter = Meter::new(context, NATIVE);
    let session = Card::open_first()?.session()?;
    let stream = session.stream();
    for (name, size, times) in SIZES {
        let memory = CardMemory::new(&stream, size as u64)?;
        let (source, target) = (session.buffer(size)?, session.buffer(size)?);
        source
            .write()?
            .copy_from_slice(&crate::client::pattern(size, 1));
        let address = memory.address();
        meter.measure(&format!("copy of {name} to the card"), times, || {
            let part = Part::to_card(&source, 0..size, address);
            Ok(stream.job().then(part).run().map(drop)?)
        })?;
        meter.measure(&format!("copy of {name} from the card"), times, || {
            let part = Part::from_card(&target, 0..size, address);
            Ok(stream.job().then(part).run().map(drop)?)
        })?;
        ensure!(
            *source.read()? == *target.read()?,
            "{name} came back changed"
        );
    }
    Ok(())
}
