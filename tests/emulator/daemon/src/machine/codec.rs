// SPDX-License-Identifier: MIT OR Apache-2.0

//! The seam to the card's codec, pools and system calls.

use ax650_emu_media::Media;
use serde_json::Value;

/// Native modules SYS (0), VDEC (1) and VENC (2).
pub trait Codec: Send + Sync {
    /// Whether the card has the call.
    fn implemented(&self, module: u32, api: u32) -> bool;
    /// Runs a call of `session` (first port); may block.  The answer has the return value first.
    fn call(&self, session: u32, module: u32, api: u32, args: &[Vec<u8>]) -> Vec<Vec<u8>>;
    /// Ends all calls of a session and frees what it has.
    fn session_end(&self, session: u32);
    /// Ends everything.
    fn stop(&self);
    /// State for the control socket.
    fn report(&self) -> Value;
    /// The text of `/proc/ax_proc/NAME`.
    fn proc_text(&self, name: &str) -> String;
}

impl Codec for Media {
    fn implemented(&self, module: u32, api: u32) -> bool {
        Self::implemented(module, api)
    }
    fn call(&self, session: u32, module: u32, api: u32, args: &[Vec<u8>]) -> Vec<Vec<u8>> {
        self.call(session, module, api, args)
    }
    fn session_end(&self, session: u32) {
        self.session_end(session);
    }
    fn stop(&self) {
        self.stop();
    }
    fn report(&self) -> Value {
        self.report()
    }
    fn proc_text(&self, name: &str) -> String {
        self.proc_text(name)
    }
}
