// SPDX-License-Identifier: GPL-2.0

//! A kernel thread with an owner.

use core::{
    marker::PhantomData,
    ptr, //
};

use kernel::{
    bindings,
    prelude::*,
    sync::Arc, //
};

use super::{
    shim,
    time::{
        fsleep,
        Delta, //
    }, //
};

/// What a thread runs.
pub(crate) trait Main: Send + Sync + 'static {
    /// Runs until `me` says that it shall stop.
    fn main(self: &Arc<Self>, me: &Running);
    /// Makes `main` look at [`Running::should_stop`] at once.
    fn wake(&self);
}

/// The calling kernel thread, as one that was started here.
pub(crate) struct Running(PhantomData<*mut ()>);

impl Running {
    /// Returns whether the thread shall end.
    pub(crate) fn should_stop(&self) -> bool {
        // SAFETY: the current task is a kernel thread: `run` makes the only values, and lends them, which
        // cannot be sent, to what it calls.
        unsafe { bindings::kthread_should_stop() }
    }
}

/// Between looks of a thread that has nothing to do any more but to be stopped.
const END: Delta = Delta::from_millis(100);

/// A running thread; dropping it stops it and waits for its end.
///
/// # Invariants
///
/// `task` runs [`run`] with the content of the box, and is not stopped but by dropping `self`.
pub(crate) struct Thread<T: Main> {
    task: ptr::NonNull<bindings::task_struct>,
    // In a box, so that the thread can be given its address.
    target: KBox<Arc<T>>,
}

// SAFETY: a task may be stopped from any thread, and `T` is `Send + Sync`.
unsafe impl<T: Main> Send for Thread<T> {}
// SAFETY: no method takes `&self`.
unsafe impl<T: Main> Sync for Thread<T> {}

impl<T: Main> Thread<T> {
    /// Starts a thread that runs `target.main()`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn start(target: Arc<T>, name: &CStr) -> Result<Self> {
        let target = KBox::new(target, GFP_KERNEL)?;
        let data = core::ptr::from_ref(&*target).cast_mut().cast();
        // SAFETY: `target` outlives the thread: it is dropped after `kthread_stop` has returned.
        let task = unsafe { shim::ax650_kthread_run(run::<T>, data, name.as_char_ptr()) };
        let task = ptr::NonNull::new(task).ok_or(ENOMEM)?;
        Ok(Self { task, target })
    }
}

impl<T: Main> Drop for Thread<T> {
    fn drop(&mut self) {
        // `kthread_stop` sets the flag before it wakes the task, but the task may be about to sleep
        // on a condition variable: that wait ends by the wake-up of the task itself.
        self.target.wake();
        // SAFETY: the task is there still: `run` does not return before this call.
        unsafe { bindings::kthread_stop(self.task.as_ptr()) };
    }
}

/// # Safety
///
/// `data` is what [`Thread::start`] passes.
unsafe extern "C" fn run<T: Main>(data: *mut c_void) -> c_int {
    // SAFETY: `start` passed a pointer to an `Arc<T>` that lives until this thread has been joined.
    let target = unsafe { &*data.cast::<Arc<T>>() };
    let me = Running(PhantomData);
    target.main(&me);
    // Nobody has a reference of the task's own: it must be there when it is stopped.
    while !me.should_stop() {
        fsleep(END);
    }
    0
}
