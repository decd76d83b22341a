// SPDX-License-Identifier: GPL-2.0

//! Linux 7.2.

use core::{
    marker::PhantomData,
    ops::Deref,
    pin::Pin, //
};

use kernel::{
    alloc::AllocError,
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    dma::Coherent,
    irq,
    pci,
    prelude::*,
    sync::{
        poll::PollCondVar,
        LockClassKey, //
    },
    types::Opaque, //
};

use super::Handler;

pub(crate) type Bar = Devres<pci::Bar<'static>>;

/// Data of the id table's entry; for a device whose id was added by way of sysfs, that of the first.
pub(crate) type IdInfo<'a, T> = &'a T;

/// Makes a table like the macro of the kernel crate, which wants a name for the table's alias too.
macro_rules! pci_table {
    ($name:ident, $($rest:tt)*) => {
        kernel::pci_device_table!($name, MODULE_PCI_TABLE, $($rest)*);
    };
}
pub(crate) use pci_table;

/// Error codes: `kernel::error::code` has the first 34, and makes of others at run time only.
pub(crate) mod errno {
    use core::mem::transmute;

    use kernel::{
        bindings,
        error::{
            code::EINVAL,
            Error, //
        }, //
    };

    // An `Error` is the negative number.
    const _: () = {
        // SAFETY: a number without padding, and any number is an `i32`.
        let number = unsafe { transmute::<Error, i32>(EINVAL) };
        assert!(number == -(bindings::EINVAL as i32));
    };

    const fn error(code: u32) -> Error {
        assert!(0 < code && code <= bindings::MAX_ERRNO);
        // SAFETY: see above; the number is in the range that `Error` allows.
        unsafe { transmute::<i32, Error>(-(code as i32)) }
    }

    pub(crate) const ECANCELED: Error = error(bindings::ECANCELED);
    pub(crate) const EDQUOT: Error = error(bindings::EDQUOT);
    pub(crate) const EHOSTDOWN: Error = error(bindings::EHOSTDOWN);
    pub(crate) const ENOBUFS: Error = error(bindings::ENOBUFS);
    pub(crate) const ENODATA: Error = error(bindings::ENODATA);
    pub(crate) const EOPNOTSUPP: Error = error(bindings::EOPNOTSUPP);
    pub(crate) const EPROTO: Error = error(bindings::EPROTO);
    pub(crate) const EREMOTEIO: Error = error(bindings::EREMOTEIO);
    pub(crate) const ESTALE: Error = error(bindings::ESTALE);
    pub(crate) const ETIME: Error = error(bindings::ETIME);
}

/// Where pollers wait, in memory of its own.  Dropping it waits until nobody looks at it.
pub(crate) struct PollCondVarBox(Pin<KBox<PollCondVar>>);

impl PollCondVarBox {
    /// Makes a place where nobody waits yet.
    ///
    /// # Errors
    ///
    /// `AllocError` if there is no memory.
    pub(crate) fn new(
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> Result<Self, AllocError> {
        KBox::pin_init(PollCondVar::new(name, key), GFP_KERNEL)
            .map(Self)
            .map_err(|_| AllocError)
    }
}

impl Deref for PollCondVarBox {
    type Target = PollCondVar;

    fn deref(&self) -> &PollCondVar {
        &self.0
    }
}

pub(crate) fn bus_address(memory: &Coherent<[u8]>) -> u64 {
    memory.dma_handle()
}

#[cfg(MODULE)]
const fn this_module() -> *mut bindings::module {
    // The empty structs that bindgen makes of opaque types are behind a pointer only.
    #[allow(improper_ctypes)]
    extern "C" {
        static __this_module: Opaque<bindings::module>;
    }
    // SAFETY: every module has it.
    unsafe { __this_module.get() }
}

#[cfg(not(MODULE))]
const fn this_module() -> *mut bindings::module {
    core::ptr::null_mut()
}

/// Sets the owner, which `kernel::miscdevice` does not.
pub(crate) const fn with_owner(mut table: bindings::file_operations) -> bindings::file_operations {
    table.owner = this_module();
    table
}

struct Thread<T>(T);

impl<T: Handler> irq::ThreadedHandler for Thread<T> {
    fn handle_threaded(&self, _: &Device<Bound>) -> irq::IrqReturn {
        self.0.handle();
        irq::IrqReturn::Handled
    }
}

/// A registered handler of the device's only message interrupt, which devres frees.
#[pin_data]
pub(crate) struct Interrupt<'bound, T: Handler> {
    #[pin]
    registration: irq::ThreadedRegistration<Thread<T>>,
    device: PhantomData<&'bound pci::Device<Bound>>,
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
            let vector = *pdev.alloc_irq_vectors(1, 1, msi)?.start();
            Ok(try_pin_init!(Self {
                device: PhantomData,
                registration <- pdev.request_threaded_irq(
                    vector,
                    irq::Flags::ONESHOT,
                    name,
                    Ok::<_, Error>(Thread(handler)),
                ),
            }? Error))
        })
    }
}
