// SPDX-License-Identifier: GPL-2.0

//! `/dev/msg_userdev`: an open file for each port [pcie 8.2].

use kernel::{
    fs::{File, Kiocb},
    ioctl::{_IOC_NR, _IOC_TYPE},
    iov::{IovIterDest, IovIterSource},
    miscdevice::{MiscDevice, MiscDeviceRegistration},
    new_mutex,
    prelude::*,
    static_lock_class,
    sync::{poll::PollCondVar, Arc, Mutex},
    uaccess::{UserPtr, UserSlice},
};

use super::{line::Line, registry, requests, wait_until_up, FAILED, UP_NS};
use crate::glue::compat::{errno::ENOBUFS, PollCondVarBox};
use crate::{
    glue::{
        chardev::{self, POLL_ERROR, POLL_IN, POLL_REMOVE},
        time,
    },
    transport::ports::Listener,
    wire::{axcl::msg, header::MAX_PAYLOAD},
};

/// Messages that wait to be read: as many, and of so many bytes (R29).
const MOST_MESSAGES: usize = 1024;
const MOST_BYTES: usize = 4 << 20;

/// Pollers are told so often that the port is lost.  Programs of AXCL have threads that poll and read
/// for ever, whatever comes of it, until they are told to stop: from then on they sleep.
const MOST_HANGUPS: u32 = 8;

/// An open file.
#[pin_data]
pub(crate) struct Endpoint {
    /// Held while the file is being connected.
    #[pin]
    connecting: Mutex<()>,
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
    /// A message has come.  Fails if there is no room for it.
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

    /// Connects this file to a port, and disconnects it from the one before.
    fn connect(me: &Arc<Self>, argument: &[u8; msg::SIZE]) -> Result {
        let (device, port) = msg::target(argument).ok_or(FAILED)?;
        let card = registry::find(device).map_err(|_| FAILED)?;
        let found = card.ports.lock().find(port);
        let Some(Listener::Line(line)) = found else {
            return Err(FAILED);
        };
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

    fn stop(&self) {
        self.state.lock().stopped = true;
        self.wake();
    }

    /// Whether a poller shall hear that the port is lost.
    fn tell_of_loss(&self) -> bool {
        let mut state = self.state.lock();
        let first = state.hangups < MOST_HANGUPS;
        state.hangups = state.hangups.saturating_add(u32::from(first));
        first
    }

    /// Takes the oldest message.
    fn pop(&self) -> Result<KVVec<u8>> {
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
                    Some(line) if line.card().is_gone() => Err(ENODEV),
                    _ => Err(FAILED),
                }
            }
        }
    }

    fn write(&self, from: &mut IovIterSource<'_>) -> Result<usize> {
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
}

impl chardev::Client for Endpoint {
    type Shared = ();
    const COMPAT: bool = false;

    fn poll_queue(&self) -> Option<&PollCondVar> {
        Some(&self.queue)
    }

    fn poll_state(&self) -> u32 {
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
}

#[vtable]
impl MiscDevice for Endpoint {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
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

    fn release(me: Arc<Self>, _file: &File) {
        let line = me.state.lock().line.take();
        if let Some(line) = line {
            line.detach(&me);
        }
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, to: &mut IovIterDest<'_>) -> Result<usize> {
        let message = kiocb.file().pop()?;
        // A message that does not fit, or cannot be copied, is lost.
        if message.len() > to.len() || to.copy_to_iter(&message) != message.len() {
            return Err(FAILED);
        }
        Ok(message.len())
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, from: &mut IovIterSource<'_>) -> Result<usize> {
        kiocb.file().write(from)
    }

    fn ioctl(
        me: kernel::sync::ArcBorrow<'_, Self>,
        _file: &File,
        cmd: u32,
        arg: usize,
    ) -> Result<isize> {
        let user = || UserSlice::new(UserPtr::from_addr(arg), msg::SIZE);
        let mut argument = [0; msg::SIZE];
        // Whatever is asked for.
        user()
            .reader()
            .read_slice(&mut argument)
            .map_err(|_| FAILED)?;
        if _IOC_TYPE(cmd) != msg::TYPE {
            return Ok(0);
        }
        match _IOC_NR(cmd) {
            msg::CONNECT => Self::connect(&me.into(), &argument)?,
            msg::CHECK => check(&argument)?,
            msg::REMOTE_IDS => {
                let cards = registry::cards()?;
                msg::put_remotes(cards.iter().map(|&(id, _)| id), &mut argument);
                give_back(user(), &argument)?;
            }
            msg::INIT => {
                msg::init(&mut argument);
                give_back(user(), &argument)?;
            }
            msg::RESET => {
                let card = requests::admin(|| msg::device(&argument))?;
                requests::reset(&card)?;
            }
            msg::STOP => me.stop(),
            // The host's own id is 0, and so is the answer to what nobody knows.
            _ => {}
        }
        Ok(0)
    }
}

/// Waits for a card that is being booted.
fn check(argument: &[u8; msg::SIZE]) -> Result {
    let device = msg::device(argument).ok_or(FAILED)?;
    let card = registry::find(device).map_err(|_| FAILED)?;
    match wait_until_up(&card, time::now() + UP_NS) {
        Ok(_) => Ok(()),
        Err(e) if e == ERESTARTSYS => Err(e),
        Err(_) => Err(FAILED),
    }
}

fn give_back(user: UserSlice, argument: &[u8; msg::SIZE]) -> Result {
    user.writer().write_slice(argument).map_err(|_| FAILED)
}
