// SPDX-License-Identifier: GPL-2.0

//! An open file of `/dev/msg_userdev`: the messages of the port that it is connected to.

use kernel::{
    iov::IovIterSource,
    new_mutex,
    static_lock_class,
    sync::{
        poll::PollCondVar,
        Arc,
        Mutex, //
    }, //
};

use super::{
    line::Line,
    rules::FAILED, //
};
use crate::{
    glue::{
        chardev::{
            POLL_ERROR,
            POLL_IN,
            POLL_REMOVE, //
        },
        compat::PollCondVarBox,
        prelude::*, //
    },
    wire::header::MAX_PAYLOAD, //
};

/// Messages that wait to be read: as many, and of so many bytes (R29).
const MOST_MESSAGES: usize = 1024;
const MOST_BYTES: usize = 4 << 20;

/// Pollers are told so often that the port is lost.  Programs of AXCL have threads that poll and read
/// for ever, whatever comes of it, until they are told to stop: from then on they sleep.
const MOST_HANGUPS: u32 = 8;

/// An open file.
#[pin_data]
pub(super) struct Endpoint {
    /// Held while the file is being connected; outside of the line's.
    #[pin]
    connecting: Mutex<()>,
    /// A leaf.
    #[pin]
    state: Mutex<State>,
    queue: PollCondVarBox,
}

struct State {
    line: Option<Arc<Line>>,
    stopped: bool,
    messages: KVec<KVVec<u8>>,
    bytes: usize,
    /// How often pollers have been told that the port is lost.
    hangups: u32,
}

impl Endpoint {
    /// Makes a file that is not connected.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Arc<Self>> {
        let queue = PollCondVarBox::new(c"ax650_axcl_messages", static_lock_class!())?;
        Arc::pin_init(
            pin_init!(Self {
                connecting <- new_mutex!((), "ax650_axcl_connecting"),
                state <- new_mutex!(State {
                    line: None,
                    stopped: false,
                    messages: KVec::new(),
                    bytes: 0,
                    hangups: 0,
                }, "ax650_axcl_endpoint"),
                queue,
            }),
            GFP_KERNEL,
        )
    }

    /// Queues a message that has come.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` if there is no room for it; `ENOMEM`.
    pub(super) fn push(&self, message: &[u8]) -> Result {
        let mut copy = KVVec::with_capacity(message.len(), GFP_KERNEL)?;
        copy.extend_from_slice(message, GFP_KERNEL)?;
        let mut state = self.state.lock();
        let bytes = state.bytes + message.len();
        if state.messages.len() >= MOST_MESSAGES || bytes > MOST_BYTES {
            return Err(ENOBUFS);
        }
        state.messages.push(copy, GFP_KERNEL)?;
        state.bytes = bytes;
        drop(state);
        self.queue.notify_all();
        Ok(())
    }

    /// Has pollers look again.
    pub(super) fn wake(&self) {
        self.queue.notify_all();
    }

    fn line(&self) -> Option<Arc<Line>> {
        self.state.lock().line.clone()
    }

    /// Disconnects this file from the port that it is connected to, and connects it to `line`.
    ///
    /// # Errors
    ///
    /// [`FAILED`], whatever the reason.
    pub(super) fn connect(me: &Arc<Self>, line: Arc<Line>) -> Result {
        let _one = me.connecting.lock();
        if me.line().is_some_and(|old| Arc::ptr_eq(&old, &line)) {
            me.state.lock().stopped = false;
            return Ok(());
        }
        // Whatever the reason [pcie 8.2].
        line.attach(me).map_err(|_| FAILED)?;
        let (old, messages) = {
            let mut state = me.state.lock();
            state.stopped = false;
            state.bytes = 0;
            state.hangups = 0;
            (
                state.line.replace(line),
                core::mem::take(&mut state.messages),
            )
        };
        if let Some(old) = old {
            old.detach(me);
        }
        drop(messages);
        Ok(())
    }

    /// Tells pollers that there is nothing to come any more.
    pub(super) fn stop(&self) {
        self.state.lock().stopped = true;
        self.wake();
    }

    /// Returns whether a poller shall hear that the port is lost.
    fn tell_of_loss(&self) -> bool {
        let mut state = self.state.lock();
        let first = state.hangups < MOST_HANGUPS;
        state.hangups = state.hangups.saturating_add(u32::from(first));
        first
    }

    /// Takes the oldest message.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none and the card has gone, else [`FAILED`].
    pub(super) fn pop(&self) -> Result<KVVec<u8>> {
        let mut state = self.state.lock();
        match state.messages.remove(0) {
            Ok(message) => {
                state.bytes -= message.len();
                Ok(message)
            }
            Err(_) => {
                let line = state.line.clone();
                drop(state);
                match line {
                    Some(line) if line.is_cut() => Err(ENODEV),
                    _ => Err(FAILED),
                }
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// [`FAILED`] for a length that cannot be, or without a port; `ENOMEM`; those of [`Line::send`].
    pub(super) fn write(&self, from: &mut IovIterSource<'_>) -> Result<usize> {
        let len = from.len();
        // Nothing is allocated for a message that is too long (R41).
        if len == 0 || len > MAX_PAYLOAD as usize {
            return Err(FAILED);
        }
        let line = self.line().ok_or(FAILED)?;
        let mut message = KVVec::from_elem(0, len, GFP_KERNEL)?;
        if from.copy_from_iter(&mut message) != len {
            return Ok(0);
        }
        line.send(&message)?;
        Ok(len)
    }

    /// Returns what a poller finds.
    pub(super) fn look(&self) -> u32 {
        let state = self.state.lock();
        let data = !state.messages.is_empty();
        let (line, stopped) = (state.line.clone(), state.stopped);
        drop(state);
        let Some(line) = line else {
            return POLL_ERROR;
        };
        if stopped {
            return POLL_REMOVE;
        }
        let closed = line.is_lost() && self.tell_of_loss();
        let closed = if closed { POLL_REMOVE } else { 0 };
        closed | if data { POLL_IN } else { 0 }
    }

    /// Returns where pollers wait.
    pub(super) fn queue(&self) -> &PollCondVar {
        &self.queue
    }

    /// Disconnects this file for good.
    pub(super) fn disconnect(me: &Arc<Self>) {
        let line = me.state.lock().line.take();
        if let Some(line) = line {
            line.detach(me);
        }
    }
}
