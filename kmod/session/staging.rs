// SPDX-License-Identifier: GPL-2.0

//! Memory from which the card fetches long frames [rpc 2.4]: mapped once for all of a session's, as long as they fit.

use kernel::{
    new_mutex,
    page::PAGE_SIZE,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use crate::{
    buffer::{
        account::{
            Account,
            Payer, //
        },
        Buffer,
        Memory, //
    },
    glue::prelude::*, //
};

/// Bytes that a session's frames share.
const AREA: usize = 256 * 1024;
const PAGES: usize = AREA / PAGE_SIZE;
/// Longest frame that goes there: four such have room.
const LONGEST: usize = AREA / 4;

// A bit for each page.
const _: () = assert!(PAGES <= u64::BITS as usize && LONGEST >= PAGE_SIZE);

/// Where a session's long frames go.
#[pin_data]
pub(crate) struct Staging {
    /// Made with the first of them.
    #[pin]
    area: Mutex<Option<Arc<Area>>>,
}

/// Memory that frames share.
#[pin_data]
struct Area {
    buffer: Arc<Buffer>,
    /// Pages with a frame.  A leaf.
    #[pin]
    taken: Mutex<u64>,
}

/// Pages of a frame in the area, given back when dropped.
pub(super) struct Pages {
    area: Arc<Area>,
    mask: u64,
}

/// A frame in memory that the card can reach.
pub(crate) struct Staged {
    pub(super) buffer: Arc<Buffer>,
    /// First byte in the buffer.
    pub(super) offset: usize,
    /// Bytes.
    pub(super) len: u32,
    /// None: the buffer is the frame's own.
    pub(super) pages: Option<Pages>,
}

impl Staging {
    /// Makes it, without memory.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            area <- new_mutex!(None, "ax650_staging"),
        })
    }

    /// Copies a frame to memory that the card can reach: what the session's frames share, or, if it is too long for
    /// that or all is taken, memory of its own.
    ///
    /// # Errors
    ///
    /// Those of [`Buffer::new`].
    pub(crate) fn stage(
        &self,
        memory: &Arc<Memory>,
        account: &Arc<Account>,
        frame: &[u8],
    ) -> Result<Staged> {
        let payer = Payer::Frame(account);
        let len = frame.len();
        let staged = match self.share(memory, payer, len) {
            Some(staged) => staged,
            None => Staged {
                buffer: Arc::new(Buffer::new(memory, len, payer)?, GFP_KERNEL)?,
                offset: 0,
                len: len as u32,
                pages: None,
            },
        };
        staged.buffer.write(staged.offset, frame)?;
        Ok(staged)
    }

    /// Returns room in the area; none if the frame is too long for it or it is full, or if there is no memory for it, as
    /// there may be for the frame.
    fn share(&self, memory: &Arc<Memory>, payer: Payer<'_>, len: usize) -> Option<Staged> {
        if len > LONGEST {
            return None;
        }
        let area = self.area(memory, payer).ok()?;
        let (pages, offset) = Area::take(&area, len)?;
        Some(Staged {
            buffer: area.buffer.clone(),
            offset,
            len: len as u32,
            pages: Some(pages),
        })
    }

    fn area(&self, memory: &Arc<Memory>, payer: Payer<'_>) -> Result<Arc<Area>> {
        let mut own = self.area.lock();
        if let Some(area) = &*own {
            return Ok(area.clone());
        }
        let buffer = Arc::new(Buffer::in_few_pieces(memory, AREA, payer)?, GFP_KERNEL)?;
        let area = Arc::pin_init(
            pin_init!(Area {
                buffer,
                taken <- new_mutex!(0, "ax650_staged"),
            }),
            GFP_KERNEL,
        )?;
        *own = Some(area.clone());
        Ok(area)
    }
}

impl Area {
    /// Takes pages in a row for so many bytes, [`LONGEST`] at most; returns where they begin, too.
    fn take(this: &Arc<Self>, bytes: usize) -> Option<(Pages, usize)> {
        let count = bytes.div_ceil(PAGE_SIZE);
        let row = (1u64 << count) - 1;
        let mut taken = this.taken.lock();
        let first = (0..=PAGES - count).find(|&first| *taken & row << first == 0)?;
        let mask = row << first;
        *taken |= mask;
        let area = this.clone();
        Some((Pages { area, mask }, first * PAGE_SIZE))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        *self.area.taken.lock() &= !self.mask;
    }
}
