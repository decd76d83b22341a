// SPDX-License-Identifier: GPL-2.0

//! The host memory that one card may reach: its buffers, and those in quarantine.

use kernel::{
    device::Bound,
    new_mutex,
    pci,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    account::Users,
    Buffer,
    Memory, //
};
use crate::{
    counters::Counter,
    glue::{
        dma::Space,
        prelude::*,
        shim, //
    },
    link::Link, //
};

/// Memory that the card may still write to.
struct Quarantined {
    generation: u32,
    buffer: Arc<Buffer>,
}

/// The memory of one card; as long as anybody holds it.
#[pin_data]
pub(crate) struct Pool {
    /// Knows the generation.
    link: Arc<Link>,
    pub(crate) memory: Arc<Memory>,
    #[pin]
    pub(crate) users: Users,
    /// Until the next reset.  A leaf.
    #[pin]
    quarantine: Mutex<KVec<Quarantined>>,
    /// Bytes that could not even be quarantined, and are lost.
    pub(crate) leaked: Counter,
}

impl Pool {
    /// Makes the memory of a card, with nothing allocated.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(pdev: &pci::Device<Bound>, link: &Arc<Link>) -> Result<Arc<Self>> {
        let space = Arc::pin_init(Space::new(pdev), GFP_KERNEL)?;
        let memory = Arc::new(Memory::new(space), GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                link: link.clone(),
                memory,
                users <- Users::new(),
                quarantine <- new_mutex!(KVec::new(), "ax650_quarantine"),
                leaked: Counter::default(),
            }),
            GFP_KERNEL,
        )
    }

    /// Keeps `buffer` until the card has been reset, unless it has been since `generation`.
    pub(crate) fn quarantine(&self, generation: u32, buffer: Arc<Buffer>) {
        if self.link.life.generation() != generation {
            return;
        }
        let mut list = self.quarantine.lock();
        if list.reserve(1, GFP_KERNEL).is_ok() {
            // There is room now.
            let _ = list.push_within_capacity(Quarantined { generation, buffer });
            return;
        }
        drop(list);
        // Better lost for good than written to by the card after it is somebody else's: the reference is
        // kept for ever, and with it the pages and, until unbind, the mapping.
        self.leaked.add(buffer.size() as u64);
        dev_err!(
            self.link.pdev,
            "no memory to quarantine a buffer: {} bytes are lost\n",
            buffer.size()
        );
        shim::keep_for_ever(buffer);
    }

    /// Bytes in quarantine.
    pub(crate) fn quarantined_bytes(&self) -> u64 {
        let list = self.quarantine.lock();
        list.iter().map(|entry| entry.buffer.size() as u64).sum()
    }

    /// Empties the quarantine.  The card has been reset, or cannot reach memory any more: it writes to
    /// nothing of before.
    pub(crate) fn release_quarantine(&self) {
        let released = core::mem::take(&mut *self.quarantine.lock());
        if let Some(last) = released.last() {
            dev_dbg!(
                self.link.pdev,
                "{} buffers of generation {} released\n",
                released.len(),
                last.generation
            );
        }
    }
}
