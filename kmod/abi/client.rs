// SPDX-License-Identifier: GPL-2.0

//! An open file of a card's device node.

use kernel::{
    fs::File,
    ioctl::{
        _IOC_NR,
        _IOC_SIZE,
        _IOC_TYPE, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    mm::virt::{
        flags,
        VmaNew, //
    },
    new_mutex,
    page::PAGE_SIZE,
    seq_file::SeqFile,
    sync::{
        poll::PollCondVar,
        Arc,
        Mutex, //
    },
    uaccess::UserSlice, //
};

use super::{
    fdinfo,
    wait::Waits,
    MAX_SESSIONS_PER_FILE,
    OPEN_TIMEOUT, //
};
use crate::{
    buffer::{
        account::{
            Account,
            MAX_BUFFERS_PER_FILE, //
        },
        Buffer,
        MAX_BUFFER, //
    },
    card::Card,
    glue::{
        chardev::{
            self,
            Node,
            POLL_GONE,
            POLL_IN, //
        },
        pages::page_offset,
        plain,
        prelude::*,
        task,
        time::{
            Instant,
            Moment, //
        }, //
    },
    link::orders::Order,
    session::{
        job::Board,
        open::CONTEXT,
        Session, //
    },
    uapi::{
        number,
        Control,
        Query,
        SessionCreate,
        SessionDestroy,
        Submit,
        CONTROL_BOOT,
        CONTROL_IF_NEEDED,
        CONTROL_RESET,
        IOC_TYPE, //
    }, //
};

/// Things a file holds, under handles from 1 on.
pub(super) struct Handles<T> {
    slots: KVec<Option<Arc<T>>>,
    most: usize,
}

impl<T> Handles<T> {
    fn new(most: usize) -> Self {
        Self {
            slots: KVec::new(),
            most,
        }
    }

    /// Returns a free handle, with room for what it will stand for.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there are as many as may be; `ENOMEM`.
    pub(super) fn free_slot(&mut self) -> Result<usize> {
        if let Some(at) = self.slots.iter().position(Option::is_none) {
            return Ok(at);
        }
        if self.slots.len() == self.most {
            return Err(ENOSPC);
        }
        self.slots.push(None, GFP_KERNEL)?;
        Ok(self.slots.len() - 1)
    }

    /// Gives `thing` a handle.
    ///
    /// # Errors
    ///
    /// Those of [`Self::free_slot`].
    pub(super) fn insert(&mut self, thing: Arc<T>) -> Result<u32> {
        let at = self.free_slot()?;
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(thing);
        }
        Ok(at as u32 + 1)
    }

    /// Returns what `handle` names.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it names nothing.
    pub(super) fn get(&self, handle: u32) -> Result<Arc<T>> {
        let at = (handle as usize).checked_sub(1).ok_or(ENOENT)?;
        self.slots.get(at).and_then(Option::clone).ok_or(ENOENT)
    }

    /// Takes away what `handle` names.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it names nothing.
    pub(super) fn remove(&mut self, handle: u32) -> Result<Arc<T>> {
        let at = (handle as usize).checked_sub(1).ok_or(ENOENT)?;
        self.slots.get_mut(at).and_then(Option::take).ok_or(ENOENT)
    }

    /// Iterates over all of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.slots.iter().flatten()
    }
}

/// What a file holds.
pub(super) struct Holdings {
    pub(super) buffers: Handles<Buffer>,
    pub(super) sessions: Handles<Session>,
}

/// An open file.
#[pin_data(PinnedDrop)]
pub(crate) struct Client {
    /// Tells it from other files.
    pub(super) id: u64,
    pub(super) card: Arc<Card>,
    pub(super) board: Arc<Board>,
    pub(super) waits: Waits,
    /// Who pays for its memory and sessions.
    pub(super) account: Arc<Account>,
    #[pin]
    pub(super) holdings: Mutex<Holdings>,
}

#[allow(unsafe_code, reason = "of the macro")]
#[pinned_drop]
impl PinnedDrop for Client {
    fn drop(self: Pin<&mut Self>) {
        self.board.close();
        self.card.unregister_board(&self.board);
        for session in self.holdings.lock().sessions.iter() {
            session.close();
        }
        self.card.link.life.orders.kick();
    }
}

impl chardev::Client for Client {
    type Shared = Card;

    fn poll_queue(&self) -> Option<&PollCondVar> {
        Some(self.board.poll_queue())
    }

    fn poll_state(&self) -> u32 {
        let ended = if self.board.has_ended() { POLL_IN } else { 0 };
        let gone = if self.card.is_gone() { POLL_GONE } else { 0 };
        ended | gone
    }
}

#[vtable]
impl MiscDevice for Client {
    type Ptr = Arc<Self>;

    fn open(_file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        let card = Node::shared(misc).clone();
        let board = Arc::pin_init(Board::new(), GFP_KERNEL_ACCOUNT)?;
        let account = card.pool.users.account()?;
        let client: Arc<Self> = Arc::pin_init(
            pin_init!(Self {
                id: fdinfo::next_id(),
                card,
                board,
                waits: Waits::new(),
                account,
                holdings <- new_mutex!(Holdings {
                    buffers: Handles::new(MAX_BUFFERS_PER_FILE),
                    sessions: Handles::new(MAX_SESSIONS_PER_FILE),
                }, "ax650_holdings"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        client.card.register_board(&client.board)?;
        Ok(client)
    }

    fn ioctl(
        me: kernel::sync::ArcBorrow<'_, Self>,
        _file: &File,
        cmd: u32,
        arg: usize,
    ) -> Result<isize> {
        if _IOC_TYPE(cmd) != IOC_TYPE {
            return Err(ENOTTY);
        }
        let user = || UserSlice::new(UserPtr::from_addr(arg), _IOC_SIZE(cmd));
        match _IOC_NR(cmd) {
            number::QUERY => me.update(user, Client::query, |_, _| ()),
            number::SESSION_CREATE => {
                me.update(user, Client::session_create, Client::forget_session)
            }
            number::SESSION_DESTROY => me.session_destroy(&plain::read(user())?),
            number::BUFFER_CREATE => me.update(user, Client::buffer_create, Client::forget_buffer),
            number::BUFFER_DESTROY => me.buffer_destroy(&plain::read(user())?),
            number::BUFFER_EXPORT => me.buffer_export(user),
            number::SUBMIT => me.submit(user),
            number::WAIT => me.wait(user),
            number::CONTROL => me.update(user, Client::control, |_, _| ()),
            _ => Err(ENOTTY),
        }?;
        Ok(0)
    }

    fn show_fdinfo(me: kernel::sync::ArcBorrow<'_, Self>, seq: &SeqFile, _file: &File) {
        fdinfo::show(&me, seq);
    }

    fn mmap(me: kernel::sync::ArcBorrow<'_, Self>, _file: &File, vma: &VmaNew) -> Result {
        if vma.flags() & flags::SHARED == 0 {
            return Err(EINVAL);
        }
        let offset = page_offset(vma) * PAGE_SIZE as u64;
        let handle = u32::try_from(offset / MAX_BUFFER).map_err(|_| EINVAL)?;
        if offset % MAX_BUFFER != 0 {
            return Err(EINVAL);
        }
        let buffer = me.holdings.lock().buffers.get(handle).map_err(|_| EINVAL)?;
        vma.try_clear_mayexec()?;
        vma.set_dontexpand();
        buffer.mmap(vma)
    }
}

impl Client {
    /// Fails with `ENODEV` when the card is gone.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the card is gone.
    pub(super) fn check_there(&self) -> Result {
        if self.card.is_gone() {
            return Err(ENODEV);
        }
        Ok(())
    }

    /// Reads a structure, has `f` fill it in, and writes it back.  If that fails, the caller does
    /// not know what it has got: `undo` takes it back.
    fn update<T: plain::Plain>(
        &self,
        user: impl Fn() -> UserSlice,
        f: impl FnOnce(&Self, &mut T) -> Result,
        undo: impl FnOnce(&Self, &T),
    ) -> Result {
        let mut value = plain::read(user())?;
        f(self, &mut value)?;
        plain::write(user(), &value).inspect_err(|_| undo(self, &value))
    }

    fn session_create(&self, args: &mut SessionCreate) -> Result {
        self.check_there()?;
        if args.flags != 0 || args.log_level > 7 {
            return Err(EINVAL);
        }
        let deadline = match args.timeout_ns {
            0 => Instant::now() + OPEN_TIMEOUT,
            at => at.instant(),
        };
        // Before the card is troubled.
        self.holdings.lock().sessions.free_slot()?;
        let account = Some(&self.account);
        let session = self.card.sessions.open(account, args.log_level, deadline)?;
        let handle = self.holdings.lock().sessions.insert(session.clone());
        args.session = handle.inspect_err(|_| session.close())?;
        args.generation = session.generation;
        args.context = CONTEXT;
        args.card_id = self.card.link.id;
        args.next_sequence = session.first_sequence();
        Ok(())
    }

    fn session_destroy(&self, args: &SessionDestroy) -> Result {
        if args.flags != 0 {
            return Err(EINVAL);
        }
        self.end_session(args.session)
    }

    fn end_session(&self, handle: u32) -> Result {
        let session = self.holdings.lock().sessions.remove(handle)?;
        session.close();
        Ok(())
    }

    fn forget_session(&self, made: &SessionCreate) {
        // Another thread may have guessed the handle and been faster.
        let _ = self.end_session(made.session);
    }

    fn control(&self, args: &mut Control) -> Result {
        if !task::is_admin() {
            return Err(EPERM);
        }
        self.check_there()?;
        if args.reserved != 0 {
            return Err(EINVAL);
        }
        let order = match (args.op, args.flags) {
            (CONTROL_BOOT, 0) => Order::Boot,
            (CONTROL_BOOT, CONTROL_IF_NEEDED) => Order::BootIfNeeded,
            (CONTROL_RESET, 0) => Order::Reset,
            _ => return Err(EINVAL),
        };
        args.generation = self.card.order(order)?;
        Ok(())
    }

    fn submit(&self, user: impl Fn() -> UserSlice) -> Result {
        let mut args: Submit = plain::read(user())?;
        self.submit_job(&mut args)?;
        // The job runs whether or not the caller gets to know its number.
        plain::write(user(), &args)
    }

    fn query(&self, args: &mut Query) -> Result {
        self.answer_query(args)
    }
}
