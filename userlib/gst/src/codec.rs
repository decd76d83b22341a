// SPDX-License-Identifier: MIT OR Apache-2.0

//! What decoders and encoders have in common without their GObjects: the card, the state of a stream, waiting for the card
//! and giving it up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ax650::Error;
use gst::prelude::*;
use gst_video::video_codec_state::Readable;
use gst_video::VideoCodecState;

use crate::card::{lock, message, post, Seat};
use crate::stream_lock::{StreamLock, StreamLocked};
use crate::worker::Worker;

/// A codec that was fed and gives nothing for so long is stuck.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks whether the element is to stop.
const TURN: Duration = Duration::from_millis(200);
/// How long a thread that waits for the card is waited for.
const GOODBYE: Duration = Duration::from_secs(2);

/// What came of giving something on.
pub type Flow = Result<gst::FlowSuccess, gst::FlowError>;

/// A codec on the card, with the thread that waits for what comes out of it.
pub trait Running: Send + Sync + 'static {
    /// What comes out.
    type Item: Send + 'static;
    /// The thread.
    fn worker(&self) -> &Worker<Self::Item>;
    /// The thread alone: the rest is let go.
    fn into_worker(self) -> Worker<Self::Item>;
}

/// State of a codec's element; `R`: the codec on the card, `O`: what was negotiated with the next element.
#[derive(Debug)]
pub struct Base<R, O> {
    state: Mutex<State<R, O>>,
    /// The element is on its way to READY: nobody waits any more.
    stopping: AtomicBool,
}

/// What changes with a stream.
pub struct State<R, O> {
    /// The card.
    pub seat: Option<Arc<Seat>>,
    /// What comes in.
    pub input: Option<VideoCodecState<'static, Readable>>,
    /// The codec on the card.
    pub running: Option<Arc<R>>,
    /// What was negotiated with the next element.
    pub output: O,
    /// Why the stream does not go on.
    pub flow: Option<gst::FlowError>,
}

impl<R, O> std::fmt::Debug for State<R, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl<R: Running, O: Default> Default for Base<R, O> {
    fn default() -> Self {
        let state = State {
            seat: None,
            input: None,
            running: None,
            output: O::default(),
            flow: None,
        };
        Self {
            state: Mutex::new(state),
            stopping: AtomicBool::new(false),
        }
    }
}

impl<R: Running, O: Default> Base<R, O> {
    /// Locks the state.
    pub fn state(&self) -> MutexGuard<'_, State<R, O>> {
        lock(&self.state)
    }

    /// Opens the card: its absence is told at once, when the element gets READY.
    pub fn open(&self, device: Option<&str>) -> Result<(), gst::ErrorMessage> {
        let seat = Seat::open(device).map_err(|error| message(&error))?;
        self.state().seat = Some(seat);
        Ok(())
    }

    /// Lets go of the card.
    pub fn close(&self) {
        self.state().seat = None;
    }

    /// Begins a stream.
    pub fn start(&self) {
        self.stopping.store(false, Ordering::Relaxed);
        let mut state = self.state();
        state.flow = None;
        state.output = O::default();
    }

    /// Tells all who wait to give up.
    pub fn interrupt(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Tells whether nobody is to wait any more.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Ends a stream.
    pub fn stop(&self) {
        self.interrupt();
        let running = {
            let mut state = self.state();
            state.input = None;
            state.running.take()
        };
        if let Some(running) = running.and_then(Arc::into_inner) {
            running.into_worker().stop(GOODBYE);
        }
    }

    /// Forgets all that is in the codec.
    pub fn flush(&self) {
        let running = {
            let mut state = self.state();
            state.flow = None;
            state.running.take()
        };
        drop(running);
    }

    /// Takes note of another format of what comes in.
    pub fn set_input(&self, input: &VideoCodecState<'static, Readable>) {
        let mut state = self.state();
        state.input = Some(input.clone());
        state.output = O::default();
    }

    /// Returns the codec on the card, if it is at work.
    pub fn running(&self) -> Option<Arc<R>> {
        self.state().running.clone()
    }

    /// Fails if the stream does not go on.
    pub fn check(&self) -> Result<(), gst::FlowError> {
        self.state().flow.map_or(Ok(()), Err)
    }

    /// Gives on all that is there.  Called with the stream lock held.
    pub fn push_ready(
        &self,
        element: &impl IsA<gst::Element>,
        push: impl Fn(&R, R::Item) -> Flow,
    ) -> Flow {
        let Some(running) = self.running() else {
            return Ok(gst::FlowSuccess::Ok);
        };
        while let Some(item) = running.worker().take() {
            push(&running, item).inspect_err(|flow| self.state().flow = Some(*flow))?;
        }
        match running.worker().failure() {
            Some(error) => Err(self.fail(element, &error)),
            None => Ok(gst::FlowSuccess::Ok),
        }
    }

    /// Waits until `is_good`, and gives on meanwhile what comes, by `push`.
    pub fn wait_until(
        &self,
        element: &impl IsA<gst::Element>,
        running: &R,
        push: impl Fn() -> Flow,
        is_good: impl Fn() -> bool,
    ) -> Result<(), gst::FlowError> {
        let mut progress = Progress::of(running.worker());
        loop {
            push()?;
            if is_good() {
                return Ok(());
            }
            if self.is_stopping() {
                return Err(gst::FlowError::Flushing);
            }
            running.worker().wait(TURN);
            if progress.is_none() {
                let text = format!("the card gave nothing for {} s", PATIENCE.as_secs());
                return Err(self.fail(element, &Error::Invalid(text)));
            }
        }
    }

    /// Tells the world of an error, once.
    pub fn fail(&self, element: &impl IsA<gst::Element>, error: &Error) -> gst::FlowError {
        if self.is_stopping() {
            return gst::FlowError::Flushing;
        }
        let mut state = self.state();
        if let Some(seat) = &state.seat {
            seat.note(error);
        }
        if state.flow.replace(gst::FlowError::Error).is_none() {
            drop(state);
            post(element, error);
        }
        gst::FlowError::Error
    }
}

/// Looks whether anything comes out of a codec.
pub struct Progress<'a, T> {
    worker: &'a Worker<T>,
    since: Instant,
    count: u64,
}

impl<'a, T: Send + 'static> Progress<'a, T> {
    /// Begins to look.
    pub fn of(worker: &'a Worker<T>) -> Self {
        Self {
            worker,
            since: Instant::now(),
            count: worker.count(),
        }
    }

    /// Tells whether nothing has come for longer than anybody has patience.
    pub fn is_none(&mut self) -> bool {
        let now = self.worker.count();
        if now != self.count {
            (self.since, self.count) = (Instant::now(), now);
        }
        self.since.elapsed() > PATIENCE
    }
}

/// Makes what a [`Worker`] calls when something has come: it pushes, unless the streaming thread is at it.
pub fn deliver<E: StreamLocked, C: Send + Sync + 'static>(
    element: &E,
    common: &Arc<C>,
    push: impl Fn(&Arc<C>, &E) + Send + 'static,
) -> impl FnMut() + Send + 'static {
    let (element, common) = (element.downgrade(), Arc::downgrade(common));
    move || {
        let (Some(element), Some(common)) = (element.upgrade(), common.upgrade()) else {
            return;
        };
        let Some(_held) = StreamLock::try_of(&element) else {
            return;
        };
        push(&common, &element);
    }
}
