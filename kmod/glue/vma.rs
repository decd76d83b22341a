// SPDX-License-Identifier: GPL-2.0

//! What a mapping in user space keeps, as long as any part of it is there.

use core::marker::PhantomData;

use kernel::{
    bindings,
    mm::virt::VmaNew,
    sync::Arc,
    types::ForeignOwnable, //
};

/// Has the mapping, and what forks and splits make of it, hold a reference to `thing`.  Nothing may fail any
/// more in the set-up of the mapping.
pub(crate) fn keep<T: Send + Sync + 'static>(vma: &VmaNew, thing: Arc<T>) {
    let vma = vma.as_ptr();
    // SAFETY: the vma is being set up, so its fields are ours; the table has what its operations expect
    // in `vm_private_data`, of the same type.
    unsafe {
        (*vma).vm_private_data = thing.into_foreign().cast();
        (*vma).vm_ops = &Operations::<T>::TABLE;
    }
}

struct Operations<T>(PhantomData<T>);

impl<T: Send + Sync + 'static> Operations<T> {
    const TABLE: bindings::vm_operations_struct = bindings::vm_operations_struct {
        open: Some(Self::open),
        close: Some(Self::close),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// For the memory management: a copy of a mapping of [`keep`].
    unsafe extern "C" fn open(vma: *mut bindings::vm_area_struct) {
        // SAFETY: `keep` has stored it, and the mapping that was copied holds a reference.
        let thing = unsafe { <Arc<T> as ForeignOwnable>::borrow((*vma).vm_private_data.cast()) };
        // The copy has one of its own.
        core::mem::forget(Arc::from(thing));
    }

    /// # Safety
    ///
    /// For the memory management: a mapping of [`keep`], which is used no more.
    unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
        // SAFETY: the mapping's own reference, given up once.
        drop(unsafe { <Arc<T> as ForeignOwnable>::from_foreign((*vma).vm_private_data.cast()) });
    }
}
