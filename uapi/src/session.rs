// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! Sessions: one serving process on the card each.

use crate::layout::plain;

plain! {
    /// Open a session: ports, handshake, default context.
    ///
    /// A session is one serving process on the card.  It ends with SESSION_DESTROY or with the last
    /// close of the file; the card then releases what the session held there.
    pub struct ax650_session_create {
        /// Must be 0.
        pub flags: u32,
        /// Log level of the card's serving process, 0 to 7 (2 = info).
        pub log_level: u32,
        /// Give up at this time; 0: 10 seconds from now.
        pub timeout_ns: u64,
        /// Out: handle, in this file.
        pub session: u32,
        /// Out: generation of the card.
        pub generation: u32,
        /// Out: id of the default context (1).
        pub context: u32,
        /// Out: what the card id field of frames must hold.
        pub card_id: u32,
        /// Out: first sequence number the caller may use.
        pub next_sequence: u64,
    }
}

plain! {
    /// End a session; its unfinished jobs end with ECANCELED.
    pub struct ax650_session_destroy {
        /// Handle.
        pub session: u32,
        /// Must be 0.
        pub flags: u32,
    }
}
