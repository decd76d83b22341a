// SPDX-License-Identifier: MIT OR Apache-2.0

//! Results: a number for programs, a text for people.

use std::cell::RefCell;
use std::ffi::{c_char, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};

use ax650::{Error, ErrorKind};

/// What a function has come to.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ax650_result {
    /// It went well.
    AX650_OK = 0,
    /// There is nothing yet: the time was over before.
    AX650_NOTHING = 1,
    /// The end of the stream: nothing follows.
    AX650_END = 2,
    /// There is no such card, or the card is gone.
    AX650_ERR_NO_CARD = -1,
    /// The caller may not do this.
    AX650_ERR_PERMISSION = -2,
    /// Busy or not ready: worth another try later.
    AX650_ERR_BUSY = -3,
    /// What was asked for did not happen in time.
    AX650_ERR_TIMEOUT = -4,
    /// The session has ended: the card was reset, or another process opened it.  A new one may do.
    AX650_ERR_LOST_SESSION = -5,
    /// Memory is used up, of the host or of the card.
    AX650_ERR_NO_MEMORY = -6,
    /// The card failed, or answered with an error; ax650_last_card_code() has its number.
    AX650_ERR_CARD = -7,
    /// Wrong arguments.
    AX650_ERR_INVALID = -8,
    /// Anything else: files.
    AX650_ERR_OTHER = -9,
}

use ax650_result::*;

/// Why a call failed.
pub(crate) enum Failure {
    Error(Error),
    Argument(&'static str),
    Told(ax650_result, String),
    Panic,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

#[derive(Default)]
struct Last {
    text: CString,
    code: u32,
}

thread_local! {
    static LAST: RefCell<Last> = RefCell::default();
}

/// Does the work of a call, and keeps the error it ends with.
pub(crate) fn call(work: impl FnOnce() -> Result<ax650_result, Failure>) -> ax650_result {
    // What a panic leaves is an object in the state it had, which the crate keeps sound.
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Panic));
    done.unwrap_or_else(|failure| {
        let (result, text, code) = match failure {
            Failure::Error(error) => {
                let code = error.card_code().map_or(0, |code| code.0);
                (number(error.kind()), error.to_string(), code)
            }
            Failure::Told(result, text) => (result, text, 0),
            Failure::Argument(text) => (AX650_ERR_INVALID, text.to_owned(), 0),
            Failure::Panic => (
                AX650_ERR_OTHER,
                "a defect of libax650: it has panicked".into(),
                0,
            ),
        };
        let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
        // During the end of a thread there is nobody to ask.
        let _ = LAST.try_with(|last| *last.borrow_mut() = Last { text, code });
        result
    })
}

fn number(kind: ErrorKind) -> ax650_result {
    match kind {
        ErrorKind::NoCard => AX650_ERR_NO_CARD,
        ErrorKind::Permission => AX650_ERR_PERMISSION,
        ErrorKind::Busy => AX650_ERR_BUSY,
        ErrorKind::Timeout => AX650_ERR_TIMEOUT,
        ErrorKind::LostSession => AX650_ERR_LOST_SESSION,
        ErrorKind::NoMemory => AX650_ERR_NO_MEMORY,
        ErrorKind::Card => AX650_ERR_CARD,
        ErrorKind::Invalid => AX650_ERR_INVALID,
        _ => AX650_ERR_OTHER,
    }
}

/// Returns the text of the last error of this thread, one line; "" before the first.  It lives until the next error of
/// this thread.
#[no_mangle]
pub extern "C" fn ax650_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().text.as_ptr())
        .unwrap_or(c"".as_ptr())
}

/// Returns the number that the card gave with the last error of this thread; 0 if it gave none.
#[no_mangle]
pub extern "C" fn ax650_last_card_code() -> u32 {
    LAST.try_with(|last| last.borrow().code).unwrap_or(0)
}

/// Returns the version of the library, such as "0.1.0".
#[no_mangle]
pub extern "C" fn ax650_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Writes what the library does to standard error, as the environment variable AX650_LOG says: "warn", "info", "debug".
/// Without it nothing is written.
#[no_mangle]
pub extern "C" fn ax650_log_to_stderr() {
    // A program that has a logger of its own keeps it.
    let _ = catch_unwind(|| env_logger::Builder::from_env("AX650_LOG").try_init());
}
