// SPDX-License-Identifier: GPL-2.0

//! Streaming DMA mappings of pages, for one device.
//!
//! Mappings must be undone while the device is bound, but buffers live as long as open files do.  So
//! the mappings are kept here, not in the buffers: unbind takes all of them away at once.

use kernel::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    dma::DataDirection,
    error::to_result,
    new_mutex,
    page::PAGE_SIZE,
    pci,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::{
        aref::ARef,
        Mutex, //
    }, //
};

use super::{
    pages::Pages,
    pci::raw_device,
    shim, //
};

/// One contiguous piece of bus addresses.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    /// First bus address.
    pub(crate) bus: u64,
    /// Bytes, not 0.
    pub(crate) len: u32,
}

/// Who may touch memory next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The card.
    Card,
    /// The CPU.
    Cpu,
}

/// A mapped scatter list.
///
/// # Invariants
///
/// In the tree of a [`State`] the table is mapped for that state's device.
struct Mapping {
    table: KBox<bindings::sg_table>,
}

// SAFETY: a scatter list may be used and freed on any thread.
unsafe impl Send for Mapping {}

struct State {
    /// The bound device; `None` once unbind has begun.
    device: Option<ARef<Device>>,
    mappings: RBTree<u64, Mapping>,
    next: u64,
}

/// All DMA mappings of one device.
#[pin_data]
pub(crate) struct Space {
    #[pin]
    state: Mutex<State>,
}

impl Space {
    /// Makes an empty space for `pdev`.  [`Self::close`] must be called before `pdev` is unbound.
    pub(crate) fn new(pdev: &pci::Device<Bound>) -> impl PinInit<Self> {
        let device: &Device = pdev.as_ref();
        let device: ARef<Device> = device.into();
        pin_init!(Self {
            state <- new_mutex!(State {
                device: Some(device),
                mappings: RBTree::new(),
                next: 1,
            }, "ax650_dma"),
        })
    }

    /// Maps `pages` for reading and writing by the card.  Returns the mapping's number and its
    /// pieces, which hold the pages in order.
    ///
    /// # Errors
    ///
    /// `ENODEV` after [`Self::close`]; `ENOMEM`; what the DMA API has against it.
    pub(crate) fn map(&self, pages: &Pages) -> Result<(u64, KVVec<Piece>)> {
        let mut state = self.state.lock();
        let device = state.device.clone().ok_or(ENODEV)?;
        let mut mapping = Mapping {
            table: KBox::new(pin_init::zeroed(), GFP_KERNEL)?,
        };
        let node = RBTreeNodeReservation::new(GFP_KERNEL)?;
        let count = u32::try_from(pages.count())?;
        let table: *mut bindings::sg_table = &mut *mapping.table;
        // SAFETY: `count` valid pages; the table is zeroed and stays in its box.
        to_result(unsafe {
            bindings::sg_alloc_table_from_pages_segment(
                table,
                pages.as_array(),
                count,
                0,
                pages.count() * PAGE_SIZE,
                longest_piece(&device),
                bindings::GFP_KERNEL,
            )
        })?;
        // SAFETY: a valid table, and a device that is bound: `close` has not been called.
        let mapped =
            unsafe { bindings::dma_map_sgtable(raw_device(&device), table, both_ways(), 0) };
        let mapped = to_result(mapped);
        if let Err(e) = mapped {
            // SAFETY: allocated above.
            unsafe { bindings::sg_free_table(table) };
            return Err(e);
        }
        let number = state.next;
        let list = match pieces(&mapping.table) {
            Ok(list) => list,
            Err(e) => {
                undo(&device, &mut mapping);
                return Err(e);
            }
        };
        // INVARIANT: it was mapped above, with the lock held that `close` takes.
        state.mappings.insert(node.into_node(number, mapping));
        // PANIC: nobody lives to see 2^64 mappings.
        state.next += 1;
        Ok((number, list))
    }

    /// Undoes mapping `number`; nothing if it is gone already.
    pub(crate) fn unmap(&self, number: u64) {
        let mut state = self.state.lock();
        if let Some(mut mapping) = state.mappings.remove(&number) {
            if let Some(device) = &state.device {
                undo(device, &mut mapping);
            }
        }
    }

    /// Hands ranges to the card, or takes them back from it.  They are of buffers that the caller holds.
    ///
    /// # Errors
    ///
    /// `ENODEV` after [`Self::close`].
    pub(crate) fn sync(&self, ranges: impl Iterator<Item = Piece>, owner: Owner) -> Result {
        let state = self.state.lock();
        let device = raw_device(&**state.device.as_ref().ok_or(ENODEV)?);
        // SAFETY: a bound device.
        if !unsafe { shim::ax650_needs_sync(device) } {
            return Ok(());
        }
        // SAFETY: a bound device.
        let mask = match unsafe { shim::ax650_syncs_pages(device) } {
            true => PAGE_SIZE as u64 - 1,
            false => u64::MAX >> 1,
        };
        for range in ranges.flat_map(|range| parts(range, mask)) {
            let len = range.len as usize;
            // SAFETY: a bound device, as `close` has not been called.  The ranges are inside live mappings:
            // they are pieces of a buffer that the caller holds, whose mapping goes with it, and the lock
            // keeps `close` from taking it away now.
            unsafe {
                match owner {
                    Owner::Card => shim::ax650_sync_for_device(device, range.bus, len),
                    Owner::Cpu => shim::ax650_sync_for_cpu(device, range.bus, len),
                }
            }
        }
        Ok(())
    }

    /// Undoes all mappings and refuses new ones.  The card must not be able to reach memory any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        let Some(device) = state.device.take() else {
            return;
        };
        for mapping in state.mappings.values_mut() {
            undo(&device, mapping);
        }
        state.mappings = RBTree::new();
    }
}

fn both_ways() -> bindings::dma_data_direction {
    DataDirection::Bidirectional.into()
}

/// The longest piece: entries of the card's lists have 32-bit lengths [rpc 2.1].
const MAX_PIECE: u32 = 0x4000_0000;

/// Returns the longest piece that the protocol and the way to the card allow: bounce buffers are small.
fn longest_piece(device: &Device) -> u32 {
    // SAFETY: a valid device.
    let most = unsafe { bindings::dma_max_mapping_size(raw_device(device)) };
    let pages = (most / PAGE_SIZE * PAGE_SIZE).max(PAGE_SIZE);
    u32::try_from(pages).unwrap_or(MAX_PIECE).min(MAX_PIECE)
}

/// Cuts a range wherever all the bits of `mask` are 0 in an address.
fn parts(range: Piece, mask: u64) -> impl Iterator<Item = Piece> {
    let (mut at, mut left) = (range.bus, u64::from(range.len));
    core::iter::from_fn(move || {
        let room = (!at & mask) + 1;
        // Not longer than the range.
        let len = room.min(left) as u32;
        let part = Piece { bus: at, len };
        at = at.wrapping_add(len.into());
        // PANIC: `len` is at most `left`.
        left -= u64::from(len);
        (len > 0).then_some(part)
    })
}

/// Returns the bus addresses of a mapped table.
///
/// # Errors
///
/// `ENOMEM`.
fn pieces(table: &bindings::sg_table) -> Result<KVVec<Piece>> {
    let mut list = KVVec::with_capacity(table.nents as usize, GFP_KERNEL)?;
    let mut entry = table.sgl;
    for _ in 0..table.nents {
        // SAFETY: `nents` entries of the table are mapped; `sg_next` walks them.
        let piece = unsafe {
            let piece = Piece {
                bus: bindings::sg_dma_address(entry),
                len: bindings::sg_dma_len(entry),
            };
            entry = bindings::sg_next(entry);
            piece
        };
        list.push(piece, GFP_KERNEL)?;
    }
    Ok(list)
}

/// Unmaps and frees; the device must be bound.
fn undo(device: &Device, mapping: &mut Mapping) {
    // SAFETY: mapped and allocated by `Space::map`, undone once.
    unsafe {
        bindings::dma_unmap_sgtable(raw_device(device), &mut *mapping.table, both_ways(), 0);
        bindings::sg_free_table(&mut *mapping.table);
    }
}
