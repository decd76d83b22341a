// SPDX-License-Identifier: GPL-2.0

//! Streaming DMA mappings of pages, for one device.
//!
//! Mappings must be undone while the device is bound, but buffers live as long as open files do.  So
//! the mappings are kept here, not in the buffers: unbind takes all of them away at once.

use core::mem::ManuallyDrop;

use kernel::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    dma::DataDirection,
    error::to_result,
    new_condvar,
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
        CondVar,
        Mutex, //
    }, //
};

use super::{
    dmabuf::{
        Attachment,
        Import, //
    },
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
    /// The card, which can only read.
    Reader,
    /// The CPU.
    Cpu,
}

/// Memory that is mapped.
///
/// # Invariants
///
/// In the tree of a [`State`] it is mapped for that state's device.
enum Mapping {
    /// Of pages.
    Table {
        table: KBox<bindings::sg_table>,
        direction: bindings::dma_data_direction,
    },
    /// Of another driver's memory.
    Attachment(Attachment),
}

// SAFETY: a scatter list may be used and freed on any thread.
unsafe impl Send for Mapping {}

struct State {
    /// Unbind has begun.
    closed: bool,
    /// Who is at work with the device, and has not the lock.
    users: usize,
    mappings: RBTree<u64, Mapping>,
    next: u64,
}

/// All DMA mappings of one device.
///
/// The lock is not held over work that is long: who works with the device is counted, and [`Self::close`]
/// waits for them.
#[pin_data]
pub(crate) struct Space {
    /// Bound as long as [`State::closed`] is not set, or somebody is counted in [`State::users`].
    device: ARef<Device>,
    #[pin]
    state: Mutex<State>,
    #[pin]
    idle: CondVar,
}

/// The right to work with the device: it stays bound.
struct User<'a>(&'a Space);

impl User<'_> {
    fn device(&self) -> *mut bindings::device {
        raw_device(&*self.0.device)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        // PANIC: `enter` has counted this user.
        state.users -= 1;
        if state.users == 0 && state.closed {
            self.0.idle.notify_all();
        }
    }
}

impl Space {
    /// Makes an empty space for `pdev`.  [`Self::close`] must be called before `pdev` is unbound.
    pub(crate) fn new(pdev: &pci::Device<Bound>) -> impl PinInit<Self> {
        let device: &Device = pdev.as_ref();
        let device: ARef<Device> = device.into();
        pin_init!(Self {
            device,
            state <- new_mutex!(State {
                closed: false,
                users: 0,
                mappings: RBTree::new(),
                next: 1,
            }, "ax650_dma"),
            idle <- new_condvar!("ax650_dma_idle"),
        })
    }

    /// Counts the caller among those who work with the device.
    ///
    /// # Errors
    ///
    /// `ENODEV` after [`Self::close`].
    fn enter(&self) -> Result<User<'_>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(ENODEV);
        }
        // PANIC: fewer than there are threads.
        state.users += 1;
        Ok(User(self))
    }

    /// Maps `pages` for reading by the card and, if they are writable, for writing.  Returns the mapping's
    /// number and its pieces, which hold the memory in order.
    ///
    /// # Errors
    ///
    /// `ENODEV` after [`Self::close`]; `EINVAL` for memory that shares cache lines with other memory, if that
    /// matters; `ENOMEM`; what the DMA API has against it.
    pub(crate) fn map(&self, pages: &Pages) -> Result<(u64, KVVec<Piece>)> {
        let user = self.enter()?;
        // SAFETY: a bound device.
        let line = unsafe { shim::ax650_dma_alignment(user.device()) } as usize;
        let apart = |at: usize| at.checked_rem(line).unwrap_or(0) == 0;
        if pages.is_writable() && !(apart(pages.skip()) && apart(pages.size())) {
            return Err(EINVAL);
        }
        let mut table: KBox<bindings::sg_table> = KBox::new(pin_init::zeroed(), GFP_KERNEL)?;
        let direction = direction(pages);
        let node = RBTreeNodeReservation::new(GFP_KERNEL)?;
        let count = u32::try_from(pages.count())?;
        let list: *mut bindings::sg_table = &mut *table;
        // SAFETY: `count` valid pages; the table is zeroed and stays in its box.
        to_result(unsafe {
            bindings::sg_alloc_table_from_pages_segment(
                list,
                pages.as_array(),
                count,
                pages.skip() as u32,
                pages.size(),
                longest_piece(&self.device),
                bindings::GFP_KERNEL,
            )
        })?;
        // SAFETY: a valid table, and a device that is bound, as we are a user.
        let mapped = unsafe { bindings::dma_map_sgtable(user.device(), list, direction, NO_SYNC) };
        let mapped = to_result(mapped);
        if let Err(e) = mapped {
            // SAFETY: allocated above.
            unsafe { bindings::sg_free_table(list) };
            return Err(e);
        }
        let list = pieces(&table);
        self.keep(&user, node, Mapping::Table { table, direction }, list)
    }

    /// Maps memory of another driver like [`Self::map`].
    ///
    /// # Errors
    ///
    /// `ENODEV` after [`Self::close`]; `EIO` if less is mapped than there is; `ENOMEM`; those of
    /// [`Attachment::new`].
    pub(crate) fn attach(&self, import: &Import) -> Result<(u64, KVVec<Piece>)> {
        let user = self.enter()?;
        let node = RBTreeNodeReservation::new(GFP_KERNEL)?;
        // SAFETY: the device is bound as long as there are users, and `close` undoes what is there.  The caller
        // has both the import and what comes of this, which goes first.
        let attachment = unsafe { Attachment::new(import, user.device()) }?;
        let list = pieces(attachment.table()).and_then(|list| {
            let mapped: u64 = list.iter().map(|piece| u64::from(piece.len)).sum();
            if mapped < import.size() as u64 {
                return Err(EIO);
            }
            Ok(list)
        });
        self.keep(&user, node, Mapping::Attachment(attachment), list)
    }

    /// Keeps what is mapped, unless its pieces are not known.
    fn keep(
        &self,
        user: &User<'_>,
        node: RBTreeNodeReservation<u64, Mapping>,
        mut mapping: Mapping,
        list: Result<KVVec<Piece>>,
    ) -> Result<(u64, KVVec<Piece>)> {
        let list = list.inspect_err(|_| undo(user, &mut mapping))?;
        let mut state = self.state.lock();
        let number = state.next;
        // INVARIANT: it is mapped, and `close` takes no mapping away before we are no user any more.
        state.mappings.insert(node.into_node(number, mapping));
        // PANIC: nobody lives to see 2^64 mappings.
        state.next += 1;
        Ok((number, list))
    }

    /// Undoes mapping `number`; nothing if it is gone already.
    pub(crate) fn unmap(&self, number: u64) {
        let mut state = self.state.lock();
        // What is there is mapped still, whether `close` has begun or not: it waits for us.
        let Some(mut mapping) = state.mappings.remove(&number) else {
            return;
        };
        // PANIC: fewer than there are threads.
        state.users += 1;
        drop(state);
        undo(&User(self), &mut mapping);
    }

    /// Hands ranges to the card, or takes them back from it.  They are of buffers that the caller holds.
    ///
    /// # Errors
    ///
    /// `ENODEV` after [`Self::close`], where there is something to do.
    pub(crate) fn sync(&self, ranges: impl Iterator<Item = Piece>, owner: Owner) -> Result {
        // SAFETY: a valid device: whether it is bound does not matter for what is only read of it.
        if !unsafe { shim::ax650_needs_sync(raw_device(&*self.device)) } {
            return Ok(());
        }
        let user = self.enter()?;
        let device = user.device();
        // SAFETY: a bound device.
        let mask = match unsafe { shim::ax650_syncs_pages(device) } {
            true => PAGE_SIZE as u64 - 1,
            false => u64::MAX >> 1,
        };
        for range in ranges.flat_map(|range| parts(range, mask)) {
            let len = range.len as usize;
            // SAFETY: a bound device, as we are a user.  The ranges are inside live mappings: they are
            // pieces of a buffer that the caller holds, whose mapping goes with it, and `close` waits for us.
            unsafe {
                match owner {
                    Owner::Card => shim::ax650_sync_for_device(device, range.bus, len, true),
                    Owner::Reader => shim::ax650_sync_for_device(device, range.bus, len, false),
                    Owner::Cpu => shim::ax650_sync_for_cpu(device, range.bus, len),
                }
            }
        }
        Ok(())
    }

    /// Undoes all mappings and refuses new ones.  The card must not be able to reach memory any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        if core::mem::replace(&mut state.closed, true) {
            return;
        }
        while state.users > 0 {
            // TIMEOUT: until memory is mapped or unmapped: nobody waits for the card as a user.
            self.idle.wait(&mut state);
        }
        let mut mappings = core::mem::replace(&mut state.mappings, RBTree::new());
        // The last user, which `enter` has no more to give.
        let user = ManuallyDrop::new(User(self));
        // With the lock held: pages may be given back as soon as `unmap` has returned.
        for mapping in mappings.values_mut() {
            undo(&user, mapping);
        }
        drop(state);
    }
}

fn direction(pages: &Pages) -> bindings::dma_data_direction {
    if pages.is_writable() {
        DataDirection::Bidirectional.into()
    } else {
        DataDirection::ToDevice.into()
    }
}

/// Memory is handed over by [`Space::sync`], before and after each transfer.  When a mapping is undone it would
/// be too late: the memory may be its owner's again, and bounce buffers hold what was.
const NO_SYNC: c_ulong = bindings::DMA_ATTR_SKIP_CPU_SYNC as c_ulong;

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

/// Unmaps and frees.
fn undo(user: &User<'_>, mapping: &mut Mapping) {
    // SAFETY: mapped by `Space::map` or `Space::attach`, undone once; the device is bound, as there is a user.
    unsafe {
        match mapping {
            Mapping::Table { table, direction } => {
                bindings::dma_unmap_sgtable(user.device(), &mut **table, *direction, NO_SYNC);
                bindings::sg_free_table(&mut **table);
            }
            Mapping::Attachment(attachment) => attachment.undo(),
        }
    }
}
