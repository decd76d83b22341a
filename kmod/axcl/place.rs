// SPDX-License-Identifier: GPL-2.0

//! What the ports of AXCL programs on one card work with: the link, and the memory of the programs.

use kernel::{
    new_mutex,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use crate::{
    buffer::{
        pool::Pool,
        Buffer, //
    },
    glue::{
        dma::Piece,
        prelude::*,
        task::Process, //
    },
    link::Link,
    wire::axcl::reach, //
};

/// Memory, and the process that allocated it.
pub(super) struct Held {
    pub(super) owner: Process,
    pub(super) buffer: Arc<Buffer>,
}

impl Held {
    /// Returns the bus addresses of the memory, and their lengths.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.buffer.pieces().iter().map(|p| (p.bus, p.len))
    }

    /// Returns what of `[address, address + len)` is in the memory.
    pub(super) fn overlap(&self, address: u64, len: u32) -> impl Iterator<Item = Piece> + '_ {
        let pieces = self.ranges();
        let parts = pieces.filter_map(move |piece| reach::overlap(piece, (address, len)));
        parts.map(|(bus, len)| Piece { bus, len })
    }
}

/// The place; as long as a port or a file needs it.
#[pin_data]
pub(crate) struct Place {
    pub(super) link: Arc<Link>,
    pub(super) pool: Arc<Pool>,
    /// Memory of all programs.  Taken with a line locked.
    #[pin]
    buffers: Mutex<KVec<Held>>,
}

impl Place {
    /// Makes the place of a card, without memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(link: &Arc<Link>, pool: &Arc<Pool>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                link: link.clone(),
                pool: pool.clone(),
                buffers <- new_mutex!(KVec::new(), "ax650_axcl_buffers"),
            }),
            GFP_KERNEL,
        )
    }

    /// Bytes of the memory that a process has allocated.
    pub(crate) fn bytes_of(&self, process: &Process) -> u64 {
        let buffers = self.buffers.lock();
        let own = buffers.iter().filter(|held| held.owner == *process);
        own.map(|held| held.buffer.size() as u64).sum()
    }

    /// Remembers memory of the calling process.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of [`Process::current`].
    pub(super) fn hold(&self, buffer: &Arc<Buffer>) -> Result {
        let held = Held {
            owner: Process::current()?,
            buffer: buffer.clone(),
        };
        self.buffers.lock().push(held, GFP_KERNEL)?;
        Ok(())
    }

    /// Forgets memory that is given back.
    pub(super) fn let_go(&self, buffer: &Arc<Buffer>) {
        let mut buffers = self.buffers.lock();
        let removed = take_first(&mut buffers, |held| Arc::ptr_eq(&held.buffer, buffer));
        drop(buffers);
        drop(removed);
    }

    /// Lets `f` look at all memory.
    pub(super) fn with_buffers<R>(&self, f: impl FnOnce(&[Held]) -> R) -> R {
        f(&self.buffers.lock())
    }
}
