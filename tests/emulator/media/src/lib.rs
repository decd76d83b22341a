// SPDX-License-Identifier: MIT OR Apache-2.0

//! Codec, image processor and pools of the emulated card: the native calls of the modules SYS, VDEC,
//! VENC, IVPS and DMADIM [rpc 7], done for real.  Streams are decoded and encoded by libavcodec; pictures lie in the
//! card's memory, in blocks of the card's CMM.
//!
//! Groups, channels and pools are numbered over the whole card, as their hardware is, but each
//! belongs to the session that made it: to others it does not exist.
//!
//! What a call does where the notes are silent is said where it is done; the larger choices are:
//!
//! * Out of memory, groups, channels or blocks is "no buffer" (0x19), also when a caller does not
//!   wait for room; one that waited in vain gets "timed out" (0x27).
//! * StopRecvStream and StopRecvFrame end the stream: what was sent is still worked on, then there
//!   is "flow end" (0x28).  Starting again begins a new stream.
//! * Both display modes show every picture.  A decoder whose client keeps all buffers waits.
//! * SendFrame copies the picture: its memory may be used again when the call returns.
//! * "Virtual addresses" are equal to card addresses.
//! * Pictures flow over links from decoder and image processor to image processor and encoder; there
//!   are no other links.

mod call;
mod flow;
mod ivps;
mod memory;
mod pool;
mod sys;
#[cfg(test)]
mod tests;
mod vdec;
mod venc;
mod work;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ax650_emu_api::Link;
use serde_json::json;

use crate::call::answer::{self, Answer, Outcome};
use crate::call::blobs::Args;
use crate::call::errors::{Area, Fault};
use crate::call::table::{self, Call};
use crate::flow::flows::{Flows, Modules};
use crate::ivps::Ivps;
use crate::memory::session::{Owner, Session};
use crate::pool::Pools;
use crate::sys::calls::Sys;
use crate::sys::{dma, proc};
use crate::vdec::Vdec;
use crate::venc::Venc;
use crate::work::wait::lock;

/// SYS calls that make and end a link.
const LINK: u32 = 31;
const UNLINK: u32 = 32;

/// The media modules of one card, from boot to reset.
pub struct Media {
    sessions: Mutex<Sessions>,
    stopped: AtomicBool,
    pools: Arc<Pools>,
    sys: Sys,
    vdec: Arc<Vdec>,
    venc: Arc<Venc>,
    ivps: Arc<Ivps>,
    flows: Flows,
    link: Arc<dyn Link>,
}

#[derive(Default)]
struct Sessions {
    open: HashMap<u32, Arc<Session>>,
    serial: u64,
}

impl Media {
    /// The modules after boot.
    pub fn new(link: Arc<dyn Link>) -> Arc<Self> {
        // Damaged streams are the business of the counters, not of the emulator's log.
        ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Quiet);
        let pools = Arc::new(Pools::new(&link));
        let modules = Modules {
            link: link.clone(),
            vdec: Arc::new(Vdec::new(&link, &pools)),
            ivps: Arc::new(Ivps::new(&link, &pools)),
            venc: Arc::new(Venc::new(&link)),
        };
        Arc::new(Self {
            sessions: Mutex::default(),
            stopped: AtomicBool::new(false),
            sys: Sys::new(&link),
            vdec: modules.vdec.clone(),
            venc: modules.venc.clone(),
            ivps: modules.ivps.clone(),
            flows: Flows::new(modules),
            pools,
            link,
        })
    }

    /// Whether the card has the call `api` of `module`.
    pub fn implemented(module: u32, api: u32) -> bool {
        table::find(module, api).is_some()
    }

    /// The public name of the call, if the card has it.
    pub fn name(module: u32, api: u32) -> Option<&'static str> {
        table::find(module, api).map(|call| call.name)
    }

    /// Sizes of the call's arguments in bytes, if the card has it; `None` for any length.
    pub fn request_sizes(module: u32, api: u32) -> Option<Vec<Option<usize>>> {
        Some(table::sizes(table::find(module, api)?.request))
    }

    /// The same of the answer, whose first blob is the return value.
    pub fn answer_sizes(module: u32, api: u32) -> Option<Vec<Option<usize>>> {
        Some(table::sizes(table::find(module, api)?.answer))
    }

    /// Serves one call of the session: `args` are its blobs in the order of declaration.  Returns
    /// the return value and all output blobs, at their full size also on failure [rpc 7.5].
    ///
    /// Blocks as long as the call's timeout says, at most until [`Self::session_end`] of the
    /// session.  May be called by many threads at once.
    pub fn call(&self, session: u32, module: u32, api: u32, args: &[Vec<u8>]) -> Vec<Vec<u8>> {
        match table::find(module, api) {
            Some(call) => answer::blobs(&call, self.serve(session, &call, args)),
            None => {
                let code = Area::of(module, api).code(Fault::NotSupported);
                vec![code.to_le_bytes().to_vec()]
            }
        }
    }

    fn serve(&self, session: u32, call: &Call, args: &[Vec<u8>]) -> Outcome {
        answer::check(call, args)?;
        let session = self.session(session)?;
        let args = Args(args);
        if call.module == table::IVE {
            // Nothing of it is there to be set up; what it would work on is refused by name.
            return Answer::ok();
        }
        match Area::of(call.module, call.api) {
            Area::Pool => pool::calls::call(&self.pools, &session, call.api, args),
            Area::Sys => {
                let outcome = self.sys.call(&session, call.api, args)?;
                match call.api {
                    LINK => {
                        let started = self.flows.start(&session, args.view(0), args.view(1));
                        if started.is_err() {
                            // No link without the flow.
                            let links = &self.sys.links;
                            let _ = links.remove(session.owner, args.view(0), args.view(1));
                        }
                        started?;
                    }
                    UNLINK => self.flows.stop(session.owner, args.view(0), args.view(1)),
                    _ => (),
                }
                Ok(outcome)
            }
            Area::Vdec => self.vdec.call(&session, call.api, args),
            Area::Venc => self.venc.call(&session, call.api, args),
            Area::Ivps | Area::Region | Area::Gdc => self.ivps.call(&session, call.api, args),
            Area::Dma => dma::call(&self.link, call.api, args),
        }
    }

    fn session(&self, number: u32) -> Result<Arc<Session>, Fault> {
        let mut sessions = lock(&self.sessions);
        // Under the lock, so that `stop` sees all sessions.
        if self.stopped.load(Ordering::SeqCst) {
            return Err(Fault::NotInit);
        }
        if let Some(session) = sessions.open.get(&number) {
            return Ok(session.clone());
        }
        sessions.serial += 1;
        let owner = Owner {
            session: number,
            serial: sessions.serial,
        };
        let session = Arc::new(Session::new(owner));
        sessions.open.insert(number, session.clone());
        Ok(session)
    }

    /// The client process has gone: wakes its blocked callers and frees all it had on the card.
    /// Call this before freeing what else the session has in the CMM.
    pub fn session_end(&self, session: u32) {
        let session = lock(&self.sessions).open.remove(&session);
        if let Some(session) = session {
            self.end(&session);
        }
    }

    fn end(&self, session: &Session) {
        session.end();
        self.vdec.end(session.owner);
        self.venc.end(session.owner);
        self.ivps.end(session.owner);
        self.flows.end(session.owner);
        self.pools.end(session.owner);
        self.sys.links.end(session.owner);
    }

    /// Ends all sessions; no thread of this crate uses the link after it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let open = std::mem::take(&mut lock(&self.sessions).open);
        open.values().for_each(|session| self.end(session));
    }

    /// The text of `/proc/ax_proc/<name>` on the card: vdec, venc, jenc, ivps, rgn, ive, pool or
    /// link_table; empty for other names.
    pub fn proc_text(&self, name: &str) -> String {
        match name {
            "vdec" => proc::vdec(&self.vdec.rows()),
            "venc" => proc::venc(&self.venc.rows(), false),
            "jenc" => proc::venc(&self.venc.rows(), true),
            "pool" => proc::pool(&self.pools.list()),
            "ivps" => proc::ivps(&self.ivps.rows()),
            "rgn" | "ive" => proc::unused(),
            "link_table" => proc::links(&self.sys.links.list()),
            _ => String::new(),
        }
    }

    /// State for the control socket.
    pub fn report(&self) -> serde_json::Value {
        json!({
            "sessions": lock(&self.sessions).open.len(),
            "sys": self.sys.report(),
            "pools": self.pools.list().len(),
            "blocks_in_use": self.pools.list().iter().map(|p| p.used).sum::<usize>(),
            "vdec": self.vdec.report(),
            "venc": self.venc.report(),
            "ivps": self.ivps.rows().iter().map(|row| row.json()).collect::<Vec<_>>(),
        })
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.stop();
    }
}
