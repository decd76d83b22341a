// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures over links between modules: from decoder channels and channels of the image processor to
//! groups of the image processor and encoder channels.
//!
//! Each link has a thread that takes pictures as a client would, hands them on and gives them back.
//! Links may be made before there is anything at their ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ax650_emu_api::Link;

use crate::call::blobs::View;
use crate::call::errors::Fault;
use crate::flow::links::End;
use crate::ivps::{self, Ivps};
use crate::memory::frame::VideoFrame;
use crate::memory::session::{Owner, Session};
use crate::vdec::{self, Vdec};
use crate::venc::{self, Venc};
use crate::work::priority::give_way;
use crate::work::wait::{lock, Deadline};

/// How long a thread waits between two looks at whether its link is still there, milliseconds.
const LOOK: i32 = 50;
/// Pause when one of the ends is not there yet.
const PAUSE: Duration = Duration::from_millis(10);

/// The modules that links join.
#[derive(Clone)]
pub struct Modules {
    /// Card memory and counters.
    pub link: Arc<dyn Link>,
    /// Decoder.
    pub vdec: Arc<Vdec>,
    /// Image processor.
    pub ivps: Arc<Ivps>,
    /// Encoder.
    pub venc: Arc<Venc>,
}

struct Flow {
    owner: Owner,
    ends: (End, End),
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flow {
    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if self.thread.take().is_some_and(|t| t.join().is_err()) {
            log::error!("media: the thread of a link panicked");
        }
    }
}

/// The threads of all links.
pub struct Flows {
    modules: Modules,
    flows: Mutex<Vec<Flow>>,
}

impl Flows {
    /// No links yet.
    pub fn new(modules: Modules) -> Self {
        Self {
            modules,
            flows: Mutex::default(),
        }
    }

    /// Lets pictures flow from the module `source` to `target`; both are `AX_MOD_INFO_T` that
    /// [`crate::flow::links`] has found good.
    pub fn start(&self, session: &Session, source: View, target: View) -> Result<(), Fault> {
        let ends = (End::parse(source), End::parse(target));
        // With the session's lock, so that the end of the session finds the thread.
        let _open = session.state()?;
        let stop = Arc::new(AtomicBool::new(false));
        let pump = Pump {
            modules: self.modules.clone(),
            owner: session.owner,
            ends,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("link".into())
            .spawn(move || pump.run())
            .map_err(|_| Fault::NoBuffer)?;
        lock(&self.flows).push(Flow {
            owner: session.owner,
            ends,
            stop,
            thread: Some(thread),
        });
        Ok(())
    }

    /// Ends the flow of a link that has been removed.
    pub fn stop(&self, owner: Owner, source: View, target: View) {
        let ends = (End::parse(source), End::parse(target));
        self.end_where(|flow| flow.owner == owner && flow.ends == ends);
    }

    /// Ends all flows of a session that has ended.
    pub fn end(&self, owner: Owner) {
        self.end_where(|flow| flow.owner == owner);
    }

    fn end_where(&self, gone: impl Fn(&Flow) -> bool) {
        let mut flows = lock(&self.flows);
        let (mut ended, left) = std::mem::take(&mut *flows).into_iter().partition(gone);
        *flows = left;
        drop(flows);
        ended.iter_mut().for_each(|flow: &mut Flow| flow.end());
    }
}

/// The thread of a link.
struct Pump {
    modules: Modules,
    owner: Owner,
    ends: (End, End),
    stop: Arc<AtomicBool>,
}

impl Pump {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn run(&self) {
        give_way();
        // Whether the target knows that the stream has ended.
        let mut told = true;
        while !self.stopped() {
            match self.take() {
                Ok(frame) => {
                    told = false;
                    let passed = self.hand_on(&frame);
                    self.give_back(&frame);
                    let counter = match passed {
                        Ok(()) => "link_pictures",
                        Err(_) => "link_lost",
                    };
                    self.modules.link.count(counter, 1);
                }
                Err(Fault::FlowEnd) if !told => {
                    let end = VideoFrame {
                        end_of_stream: true,
                        ..VideoFrame::default()
                    };
                    told = self.hand_on(&end).is_ok();
                }
                Err(Fault::TimedOut) => (),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    fn take(&self) -> Result<VideoFrame, Fault> {
        let source = &self.ends.0;
        let (channel, deadline) = (source.channel as usize, Deadline::after(LOOK));
        if source.module == vdec::MODULE {
            let group = self.modules.vdec.group(self.owner, source.group)?;
            if channel >= vdec::CHANNELS {
                return Err(Fault::InvalidChannel);
            }
            return group.get_frame(channel, deadline);
        }
        let group = self.modules.ivps.group(self.owner, source.group)?;
        if channel >= ivps::CHANNELS {
            return Err(Fault::InvalidChannel);
        }
        match group.get(channel, deadline) {
            // A stopped group may be started again: its target waits.
            Err(Fault::FlowEnd) if !group.source_ended() => Err(Fault::NotPermitted),
            other => other,
        }
    }

    fn give_back(&self, frame: &VideoFrame) {
        let source = &self.ends.0;
        let channel = source.channel as usize;
        // Fails if the group has gone meanwhile, and its pictures with it.
        let _ = if source.module == vdec::MODULE {
            let group = self.modules.vdec.group(self.owner, source.group);
            group.and_then(|group| group.release_frame(channel, frame))
        } else {
            let group = self.modules.ivps.group(self.owner, source.group);
            group.and_then(|group| group.release(channel, frame))
        };
    }

    /// Hands a picture on as soon as there is room, or the target there and started.
    fn hand_on(&self, frame: &VideoFrame) -> Result<(), Fault> {
        loop {
            match self.send(frame) {
                Err(Fault::TimedOut) => (),
                Err(Fault::Unexist | Fault::NotPermitted | Fault::NotConfig | Fault::NoBuffer) => {
                    std::thread::sleep(PAUSE);
                }
                other => return other,
            }
            if self.stopped() {
                return Err(Fault::Unexist);
            }
        }
    }

    fn send(&self, frame: &VideoFrame) -> Result<(), Fault> {
        let target = &self.ends.1;
        let (dram, deadline) = (self.modules.link.dram(), Deadline::after(LOOK));
        if target.module == venc::MODULE {
            let channel = self.modules.venc.channel(self.owner, target.channel)?;
            return channel.send(dram, frame, deadline);
        }
        let group = self.modules.ivps.group(self.owner, target.group)?;
        if frame.end_of_stream {
            return group.end_stream();
        }
        group.send(dram, frame, deadline)
    }
}
