// SPDX-License-Identifier: GPL-2.0

//! Who pays for memory and sessions: open files, and the users behind them.
//!
//! What is charged is given back when the memory is really gone: after the handle, the last mapping, the
//! last job and, if the card may still write to it, the quarantine.

use kernel::{
    new_mutex,
    sync::{
        Arc,
        Mutex, //
    },
};

use crate::{
    counters::Counter,
    glue::{
        prelude::*,
        task, //
    },
    link::{
        meter::Meter,
        ports::Claim, //
    }, //
};

/// Buffers of one open file, those among them that are mapped still and have no handle any more.
pub(crate) const MAX_BUFFERS_PER_FILE: usize = 1024;
/// Memory of all buffers and long frames of one open file.
pub(crate) const MAX_BYTES_PER_FILE: u64 = 1 << 30;
/// Memory of all files of a user without `CAP_SYS_RESOURCE` on one card, which leaves others as much as a
/// file may have.
pub(crate) const MAX_BYTES_PER_USER: u64 = 3 << 30;

/// Open files of a user without `CAP_SYS_RESOURCE` on one card: the card's thread looks after each.
pub(crate) const MAX_FILES_PER_USER: u32 = 1024;

/// One user, as far as a card knows.
struct User {
    /// Of the initial namespace.
    id: u32,
    /// Accounts that are his: 0, and he can be forgotten.
    accounts: Counter,
    bytes: Counter,
    sessions: Counter,
}

/// The users of one card.
#[pin_data]
pub(crate) struct Users {
    /// A leaf.
    #[pin]
    list: Mutex<KVec<Arc<User>>>,
}

impl Users {
    /// Makes an empty list of users.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_mutex!(KVec::new(), "ax650_users"),
        })
    }

    /// Opens an account for the calling user.
    ///
    /// # Errors
    ///
    /// `EMFILE` if the user has too many; `ENOMEM`.
    pub(crate) fn account(&self) -> Result<Arc<Account>> {
        let id = task::accountable_user();
        let npu = Meter::new()?;
        let mut list = self.list.lock();
        list.retain(|user| user.accounts.get() > 0);
        let user = match list.iter().find(|user| user.id == id) {
            Some(user) => user.clone(),
            None => {
                let user = Arc::new(
                    User {
                        id,
                        accounts: Counter::default(),
                        bytes: Counter::default(),
                        sessions: Counter::default(),
                    },
                    GFP_KERNEL,
                )?;
                list.push(user.clone(), GFP_KERNEL)?;
                user
            }
        };
        if user.accounts.get() >= MAX_FILES_PER_USER.into() && !task::may_exceed() {
            return Err(EMFILE);
        }
        user.accounts.add(1);
        let account = Account {
            npu,
            user,
            bytes: Counter::default(),
            buffers: Counter::default(),
        };
        // One that cannot be made is dropped, and counts no more.
        Ok(Arc::new(account, GFP_KERNEL_ACCOUNT)?)
    }
}

/// What one open file holds.
pub(crate) struct Account {
    user: Arc<User>,
    bytes: Counter,
    buffers: Counter,
    /// Time in which a session of the file had a model run.
    pub(crate) npu: Meter,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.user.accounts.sub(1);
    }
}

/// Who pays for a buffer.
#[derive(Clone, Copy)]
pub(crate) enum Payer<'a> {
    /// The driver, for what it needs itself.
    Driver,
    /// A file that has asked for a buffer.
    Buffer(&'a Arc<Account>),
    /// A file that has a long frame sent.
    Frame(&'a Arc<Account>),
}

impl Payer<'_> {
    /// Charges `bytes` of a buffer.
    ///
    /// # Errors
    ///
    /// `ENOSPC` for too many buffers; `EDQUOT` for too much memory, of the file or the user.
    pub(super) fn charge(self, bytes: u64) -> Result<Option<Charge>> {
        let (account, buffers) = match self {
            Self::Driver => return Ok(None),
            Self::Buffer(account) => (account, 1),
            Self::Frame(account) => (account, 0),
        };
        // Given back by its drop if something is exceeded.
        let charge = Charge {
            account: account.clone(),
            bytes,
            buffers,
        };
        let held = account.buffers.add_to(buffers);
        let of_file = account.bytes.add_to(bytes);
        let of_user = account.user.bytes.add_to(bytes);
        if buffers > 0 && held > MAX_BUFFERS_PER_FILE as u64 {
            return Err(ENOSPC);
        }
        let user_is_over = || of_user > MAX_BYTES_PER_USER && !task::may_exceed();
        if of_file > MAX_BYTES_PER_FILE || user_is_over() {
            return Err(EDQUOT);
        }
        Ok(Some(charge))
    }
}

/// Memory that an account pays for.
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: u64,
    buffers: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.bytes.sub(self.bytes);
        self.account.user.bytes.sub(self.bytes);
        self.account.buffers.sub(self.buffers);
    }
}

/// A session that an account's user has.
pub(crate) struct Seat {
    account: Arc<Account>,
    /// For whom its ports are.
    pub(crate) claim: Claim,
}

impl Seat {
    /// Bytes of the file that the session is of.
    pub(crate) fn bytes(&self) -> u64 {
        self.account.bytes()
    }

    /// Returns the meter of models that the file has run.
    pub(crate) fn npu(&self) -> &Meter {
        &self.account.npu
    }
}

impl Account {
    /// Returns the bytes of the file's buffers and long frames.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Counts one more session of the user.
    pub(crate) fn take_seat(self: &Arc<Self>) -> Seat {
        let first = self.user.sessions.add_to(1) == 1;
        Seat {
            account: self.clone(),
            claim: match first || task::may_exceed() {
                true => Claim::Urgent,
                false => Claim::More,
            },
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.account.user.sessions.sub(1);
    }
}
