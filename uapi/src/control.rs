// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! Reset and boot (CAP_SYS_ADMIN).

use crate::layout::{consts, plain};

consts! { u32:
    /// [`ax650_control::op`]: reset the card and boot the installed firmware.
    AX650_CONTROL_BOOT = 1;
    /// [`ax650_control::op`]: reset the card and leave it in its loader.
    AX650_CONTROL_RESET = 2;
}

consts! { u32:
    /// [`ax650_control::flags`], BOOT only: do nothing if the card is RUNNING, SUSPECT or being
    /// booted.
    AX650_CONTROL_IF_NEEDED = 1 << 0;
}

plain! {
    /// Reset or boot.
    ///
    /// Returns as soon as the work is queued; QUERY_CARD shows the progress.  All sessions end: their
    /// jobs with ESTALE.  EBUSY: a boot or reset is already under way.
    pub struct ax650_control {
        /// An `AX650_CONTROL_` operation.
        pub op: u32,
        /// `AX650_CONTROL_` flags.
        pub flags: u32,
        /// Out: the generation that is running or will be when the boot is done.
        pub generation: u32,
        /// Must be 0.
        pub reserved: u32,
    }
}
