// SPDX-License-Identifier: MIT OR Apache-2.0

//! The kernel's coverage of the calling thread, where the kernel has been built to tell (`CONFIG_KCOV`).

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;

use crate::map::Map;

const PATH: &str = "/sys/kernel/debug/kcov";
/// Words of the trace.
const WORDS: usize = 256 << 10;

// From include/uapi/linux/kcov.h.
const INIT_TRACE: u64 = 0x8008_6301;
const ENABLE: u64 = 0x6364;
const TRACE_PC: u64 = 0;

/// A trace for one thread.
pub(super) struct Kcov {
    file: File,
    map: Map,
}

impl Kcov {
    /// Opens one, if the kernel has it; the caller must be privileged.
    pub(super) fn open() -> Option<Self> {
        let file = OpenOptions::new().read(true).write(true).open(PATH).ok()?;
        // SAFETY: the argument is a number.
        let rc = unsafe { libc::ioctl(file.as_raw_fd(), INIT_TRACE as libc::Ioctl, WORDS) };
        let map = Map::new(&file, 0, WORDS * 8).ok()?;
        (rc == 0).then_some(Self { file, map })
    }

    /// Begins to trace the calling thread.
    pub(super) fn enable(&self) -> bool {
        // SAFETY: the argument is a number.
        unsafe { libc::ioctl(self.file.as_raw_fd(), ENABLE as libc::Ioctl, TRACE_PC) == 0 }
    }

    /// Adds what was reached since the last call.
    pub(super) fn take(&self, seen: &mut HashSet<u64>) {
        let word = |at: usize| {
            let bytes = self.map.read(at * 8, 8).try_into();
            u64::from_ne_bytes(bytes.expect("8 bytes"))
        };
        let count = (word(0) as usize).min(WORDS - 1);
        seen.extend((1..=count).map(word));
        self.map.write(0, &[0; 8]);
    }
}
