// SPDX-License-Identifier: GPL-2.0

//! Declarations of `shim.c`, and safe forms of those that need no context.

use kernel::{
    bindings,
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    pub(super) fn ax650_alloc_pages(order: c_uint, eager: bool) -> *mut bindings::page;
    fn ax650_not_a_leak(object: *const c_void);
    pub(super) fn ax650_put_page(page: *mut bindings::page);
    pub(super) fn ax650_max_order() -> c_uint;
    pub(super) fn ax650_next_page(page: *mut bindings::page, n: c_uint) -> *mut bindings::page;
    pub(super) fn ax650_copy_to_page(
        page: *mut bindings::page,
        offset: usize,
        from: *const u8,
        len: usize,
    );
    pub(super) fn ax650_copy_from_page(
        to: *mut u8,
        page: *mut bindings::page,
        offset: usize,
        len: usize,
    );
    pub(super) fn ax650_dma_rmb();
    pub(super) fn ax650_dma_wmb();
    pub(super) fn ax650_dma_mb();
    pub(super) fn ax650_needs_sync(dev: *mut bindings::device) -> bool;
    pub(super) fn ax650_syncs_pages(dev: *mut bindings::device) -> bool;
    pub(super) fn ax650_is_translated(dev: *mut bindings::device) -> bool;
    pub(super) fn ax650_dma_alignment(dev: *mut bindings::device) -> c_uint;
    pub(super) fn ax650_sync_for_device(
        dev: *mut bindings::device,
        address: u64,
        len: usize,
        writes: bool,
    );
    pub(super) fn ax650_sync_for_cpu(dev: *mut bindings::device, address: u64, len: usize);
    pub(super) fn ax650_eventfd_signal(ctx: *mut bindings::eventfd_ctx);
    pub(super) fn ax650_kthread_run(
        main: unsafe extern "C" fn(*mut c_void) -> c_int,
        data: *mut c_void,
        name: *const c_char,
    ) -> *mut bindings::task_struct;
    fn ax650_current_comm(to: *mut u8, size: usize);
    pub(super) fn ax650_current_pid() -> *mut bindings::pid;
    pub(super) fn ax650_current_thread() -> *mut bindings::pid;
    pub(super) fn ax650_pid_number(pid: *mut bindings::pid) -> c_int;
    pub(super) fn ax650_pid_in_current_ns(pid: *mut bindings::pid) -> c_int;
    pub(super) fn ax650_must_leave() -> bool;
    pub(super) fn ax650_be_prompt();
    pub(super) fn ax650_need_resched() -> bool;
    pub(super) fn ax650_is_urgent() -> bool;
    pub(super) fn ax650_accountable_user() -> u32;
    pub(super) fn ax650_cpu_relax();
    pub(super) fn ax650_irq_mask_at_once(irq: c_uint);
    pub(super) fn ax650_md5(data: *const u8, len: usize, out: *mut u8);
    pub(super) fn ax650_siphash_key(key: *mut u64);
    pub(super) fn ax650_siphash(before: u64, data: *const u8, len: usize, key: *const u64) -> u64;
    pub(super) fn ax650_sha256_init(state: *mut c_void);
    pub(super) fn ax650_sha256_update(state: *mut c_void, data: *const u8, len: usize);
    pub(super) fn ax650_sha256_final(state: *mut c_void, out: *mut u8);
    pub(super) fn ax650_pci_domain(pdev: *mut bindings::pci_dev) -> c_int;
    pub(super) fn ax650_pci_bar_size(pdev: *mut bindings::pci_dev, bar: c_int) -> u64;
    pub(super) fn ax650_pci_behind_switch(pdev: *mut bindings::pci_dev) -> bool;
    pub(super) fn ax650_pci_reaches(
        client: *mut bindings::pci_dev,
        provider: *mut bindings::pci_dev,
    ) -> bool;
    pub(super) fn ax650_pci_location(pdev: *mut bindings::pci_dev) -> u32;
    pub(super) fn ax650_pci_program_addresses(pdev: *mut bindings::pci_dev);
    pub(super) fn ax650_pci_addresses_hold(pdev: *mut bindings::pci_dev) -> bool;
    pub(super) fn ax650_pci_restore_addresses(pdev: *mut bindings::pci_dev);
    pub(super) fn ax650_pci_link(pdev: *mut bindings::pci_dev, speed: *mut u32, width: *mut u32);
}

/// Keeps `what` for ever.
pub(crate) fn keep_for_ever<T: 'static>(what: Arc<T>) {
    let object = what.into_foreign();
    // SAFETY: the begin of an allocation that nobody frees any more.
    unsafe { ax650_not_a_leak(object) };
}

/// Returns the name of the calling task, NUL padded.
pub(crate) fn current_comm() -> [u8; 16] {
    let mut comm = [0; 16];
    // SAFETY: writes at most `comm.len()` bytes.
    unsafe { ax650_current_comm(comm.as_mut_ptr(), comm.len()) };
    comm
}
