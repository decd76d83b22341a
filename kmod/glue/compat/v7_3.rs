// SPDX-License-Identifier: GPL-2.0

//! Linux 7.3, and newer ones until one differs.

pub(crate) use kernel::{
    pci_device_table as pci_table,
    sync::poll::PollCondVarBox, //
};

use kernel::{
    bindings,
    device::Bound,
    dma::Coherent,
    irq,
    pci,
    prelude::*, //
};

use super::Handler;

pub(crate) type Bar = pci::DevresBar<0>;

/// Data of the id table's entry; none for a device whose id was added by way of sysfs.
pub(crate) type IdInfo<'a, T> = Option<&'a T>;

pub(crate) mod errno {
    pub(crate) use kernel::error::code::{
        ECANCELED,
        EDQUOT,
        EHOSTDOWN,
        ENOBUFS,
        ENODATA,
        EOPNOTSUPP,
        EPROTO,
        EREMOTEIO,
        ESTALE,
        ETIME, //
    };
}

pub(crate) fn bus_address(memory: &Coherent<[u8]>) -> u64 {
    memory.dma_address()
}

/// Returns `table` as it is: `kernel::miscdevice` has set the owner.
pub(crate) const fn with_owner(table: bindings::file_operations) -> bindings::file_operations {
    table
}

struct Thread<T>(T);

impl<T: Handler> irq::ThreadedHandler for Thread<T> {
    fn handle_threaded(&self) -> irq::IrqReturn {
        self.0.handle();
        irq::IrqReturn::Handled
    }
}

/// A registered handler of the device's only message interrupt.  Must not be leaked: it is part of the
/// driver's data, which the kernel crate drops.
#[pin_data]
pub(crate) struct Interrupt<'bound, T: Handler> {
    #[pin]
    registration: irq::ThreadedRegistration<'bound, Thread<T>>,
    vectors: pci::IrqVectorRegistration<'bound>,
}

impl<'bound, T: Handler> Interrupt<'bound, T> {
    /// Has `handler` called for each message interrupt of `pdev`.
    ///
    /// # Errors
    ///
    /// What the kernel has against a vector or a handler.
    pub(crate) fn new(
        pdev: &'bound pci::Device<Bound>,
        name: &'static CStr,
        handler: T,
    ) -> impl PinInit<Self, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            let msi = pci::IrqTypes::default().with(pci::IrqType::Msi);
            let vectors = pdev.alloc_irq_vectors(1, 1, msi)?;
            Ok(try_pin_init!(Self {
                vectors,
                // SAFETY: `vectors` is in the same pinned structure and dropped after
                // `registration`, which is not leaked.
                registration <- unsafe {
                    let vectors: &'bound pci::IrqVectorRegistration<'bound> =
                        &*core::ptr::from_ref(vectors);
                    irq::ThreadedRegistration::new(
                        vectors.index(0)?.into(),
                        irq::Flags::ONESHOT,
                        name,
                        Ok::<_, Error>(Thread(handler)),
                    )
                },
            }? Error))
        })
    }
}
