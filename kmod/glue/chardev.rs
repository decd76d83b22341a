// SPDX-License-Identifier: GPL-2.0

//! A character device per card, with poll.
//!
//! `kernel::miscdevice` has neither poll nor data per device nor names made at run time; this adds
//! them around its file operations.

use core::{
    marker::PhantomData,
    ptr, //
};

use kernel::{
    bindings,
    device::Device,
    error::to_result,
    fs::File,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    str::CString,
    sync::{
        poll::{
            PollCondVar,
            PollTable, //
        },
        Arc, //
    },
    types::{
        ForeignOwnable,
        Opaque, //
    }, //
};

use super::{
    compat,
    pci::raw_device, //
};

/// Something is there to be read or waited for.
pub(crate) const POLL_IN: u32 = 0x0001 | 0x0040;
/// The device is gone.
pub(crate) const POLL_GONE: u32 = POLL_ERROR | 0x0010;
/// The file is in no state to be polled.
pub(crate) const POLL_ERROR: u32 = 0x0008;
/// Nothing is to come any more: the poller takes the file off its list.
pub(crate) const POLL_REMOVE: u32 = 0x0010 | 0x1000;

/// What an open file of the device is.
pub(crate) trait Client: MiscDevice<Ptr = Arc<Self>> + Send + Sync + 'static {
    /// What all files of one device share.
    type Shared: Send + Sync + 'static;

    /// Whether files can be polled.
    const POLL: bool = true;
    /// Whether 32-bit processes are served.
    const COMPAT: bool = true;

    /// Returns where pollers wait, if files can be polled.
    fn poll_queue(&self) -> Option<&PollCondVar> {
        None
    }
    /// Returns what a poller finds now: `POLL_` bits.
    fn poll_state(&self) -> u32 {
        0
    }
}

/// A registered device.  `misc` comes first, so that the `&MiscDeviceRegistration<C>` which the
/// kernel hands to `open` is also a `Node`.
///
/// # Invariants
///
/// `misc` is registered from the end of [`Self::new`] to the drop, and has a pointer into `name`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub(crate) struct Node<C: Client> {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    shared: Arc<C::Shared>,
    name: CString,
}

// SAFETY: `misc_deregister` may run on any thread.
unsafe impl<C: Client> Send for Node<C> {}
// SAFETY: nothing in `Node` is changed through a shared reference.
unsafe impl<C: Client> Sync for Node<C> {}

impl<C: Client> Node<C> {
    /// Registers `/dev/NAME`, mode 0660, as a child of `parent` if it is that of one card.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one of that name; what else the kernel has against it.
    pub(crate) fn new(
        name: CString,
        parent: Option<&Device>,
        shared: Arc<C::Shared>,
    ) -> impl PinInit<Self, Error> {
        let parent = parent.map_or(ptr::null_mut(), raw_device);
        let chars = name.as_char_ptr();
        try_pin_init!(Self {
            shared,
            name,
            misc <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                let mut misc = MiscDeviceOptions { name: c"ax650" }.into_raw::<C>();
                misc.name = chars;
                misc.fops = &Operations::<C>::TABLE;
                misc.parent = parent;
                misc.mode = 0o660;
                // SAFETY: `slot` is valid for writes and stays in place until `drop`; the name is
                // owned by the same structure.
                unsafe {
                    slot.write(misc);
                    to_result(bindings::misc_register(slot))
                }
            }),
        })
    }

    /// Returns what the files of the device behind `misc` share.  To be used in `open` only.
    pub(crate) fn shared(misc: &MiscDeviceRegistration<C>) -> &Arc<C::Shared> {
        // SAFETY: a `MiscDeviceRegistration<C>` is what the kernel crate makes of the `miscdevice` that was
        // opened.  This module registers those of a `Client` by `Node::new` only, with the `miscdevice`
        // as first field of a `Node<C>`, which stays in place until it is deregistered: not during
        // `open`, which holds the lock that deregistering takes.
        let node = unsafe { &*ptr::from_ref(misc).cast::<Node<C>>() };
        &node.shared
    }
}

#[pinned_drop]
impl<C: Client> PinnedDrop for Node<C> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: registered in `new`.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

/// The kernel crate's file operations with `poll` added.
struct Operations<C>(PhantomData<C>);

impl<C: Client> Operations<C> {
    const TABLE: bindings::file_operations = {
        let misc = MiscDeviceOptions { name: c"ax650" }.into_raw::<C>();
        // SAFETY: `into_raw` points `fops` at a `'static` table.
        let mut table = unsafe { *misc.fops };
        if C::POLL {
            table.poll = Some(Self::poll);
        }
        if !C::COMPAT {
            table.compat_ioctl = None;
        }
        compat::with_owner(table)
    };

    /// # Safety
    ///
    /// For the VFS: `file` is an open file of a device registered with these operations.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) -> bindings::__poll_t {
        // SAFETY: `open` stored an `Arc<C>`; poll runs before release.
        let client = unsafe { <Arc<C> as ForeignOwnable>::borrow((*file).private_data) };
        if let Some(queue) = client.poll_queue() {
            // SAFETY: both pointers are valid during the call.
            unsafe { PollTable::from_raw(table).register_wait(File::from_raw_file(file), queue) };
        }
        client.poll_state()
    }
}
