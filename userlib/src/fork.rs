// SPDX-License-Identifier: MIT OR Apache-2.0

//! Identity of the process, to notice a fork.
//!
//! A child made by `fork()` inherits open cards, sessions and buffers of its parent, and would end the parent's when it
//! drops them.  So each open card remembers the process that opened it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;

use nix::sys::mman::{mmap_anonymous, MapFlags, ProtFlags};

/// A process; a child made by `fork()` is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u64);

impl Process {
    /// Returns the process that calls this.
    pub(crate) fn current() -> Self {
        /// The next number; a child goes on where its parent was, so its number differs from the parent's.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Some(mark) = mark() else {
            return Self(std::process::id().into());
        };
        match mark.load(Ordering::Relaxed) {
            0 => {
                let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
                let set = mark.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
                Self(set.err().unwrap_or(fresh))
            }
            number => Self(number),
        }
    }
}

/// Returns a number in a page that the kernel zeroes in children: asking it costs no system call, and no
/// other process gets the same number, as with process ids in a new namespace.  `None`: the kernel has no
/// such pages.
fn mark() -> Option<&'static AtomicU64> {
    static MARK: OnceLock<Option<&'static AtomicU64>> = OnceLock::new();
    *MARK.get_or_init(|| {
        let len = NonZeroUsize::new(4096)?;
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses replaces nothing.
        let page = unsafe { mmap_anonymous(None, len, prot, MapFlags::MAP_PRIVATE) }.ok()?;
        // SAFETY: the range is the mapping just made.
        let advised = unsafe { libc::madvise(page.as_ptr(), len.get(), libc::MADV_WIPEONFORK) };
        if advised != 0 {
            return None; // the page stays behind, once
        }
        // SAFETY: the page is zeroed, aligned, never unmapped, and used for this number only.
        Some(unsafe { page.cast::<AtomicU64>().as_ref() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_another_process() {
        let mine = Process::current();
        assert_eq!(mine, Process::current());
        // SAFETY: the child makes no use of anything that another thread may have locked.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let other = Process::current();
            let good = other != mine && other == Process::current();
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(if good { 0 } else { 1 }) }
        }
        let mut status = 0;
        // SAFETY: writes the status of the child to a number of ours.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        assert_eq!(mine, Process::current());
    }
}
