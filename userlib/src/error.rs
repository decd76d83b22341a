// SPDX-License-Identifier: MIT OR Apache-2.0

//! Errors of the library, one line each.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::code::CardCode;
use crate::transport::FORKED;

/// Returns `text` without what is no good in a line, and cut where it is too long for people.
fn one_line(text: String, most: usize) -> String {
    let mut text = text.replace(char::is_control, " ");
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push_str(" ...");
    }
    text
}

/// Result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.  [`Error::kind`] sorts it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No card answers to that name.
    #[error("{0}")]
    NoCard(String),

    /// The device node of a card cannot be opened.
    #[error("{}: {}", .path.display(), explain_open(.path, *.errno))]
    Open {
        /// The node.
        path: PathBuf,
        /// Why the node cannot be opened.
        errno: Errno,
    },

    /// The driver refused a request.
    #[error("{card}: {what}: {}", explain(.card, *.request, *.errno))]
    Driver {
        /// Name of the card, `ax650-N`.
        card: String,
        /// What was to be done.
        what: String,
        /// The request.
        request: Request,
        /// The driver's answer.
        errno: Errno,
    },

    /// A job was begun and did not end well.
    #[error("{card}: {what}: {}", explain(.card, Request::Job, *.errno))]
    Job {
        /// Name of the card.
        card: String,
        /// The step that failed.
        what: String,
        /// Error that the step ended with.
        errno: Errno,
    },

    /// The card carried a call out and answered with an error number.
    #[error("{what}: {code}")]
    Card {
        /// The call.
        what: String,
        /// The number and its meaning.
        code: CardCode,
    },

    /// The card refused the request, and its log tells why.
    #[error("{what}: {code}: {reason}")]
    Refused {
        /// The call.
        what: String,
        /// The number and its meaning.
        code: CardCode,
        /// The line of the log.
        reason: String,
    },

    /// The card's answer makes no sense.
    #[error("{what}: bad answer from the card: {problem}")]
    Answer {
        /// The call.
        what: String,
        /// What is wrong with the answer.
        problem: String,
    },

    /// A job or a guard is using the buffer.
    #[error("the buffer is in use")]
    BufferBusy,

    /// A job that wrote to the buffer did not end properly: the card may still write to it, so its
    /// bytes can never be looked at again.
    #[error("the buffer is lost: a copy into it was broken off")]
    BufferLost,

    /// The caller asked for something impossible.
    #[error("{0}")]
    Invalid(String),

    /// The object is still used by something else.
    #[error("{0}")]
    Busy(String),

    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What went wrong with the file.
        source: io::Error,
    },
}

/// The driver's requests, as far as their error numbers differ in meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Ask for facts.
    Query,
    /// Open or close a session.
    Session,
    /// Make, map or destroy a buffer.
    Buffer,
    /// Queue a job.
    Submit,
    /// Wait for a job.
    Wait,
    /// Look how a job ended.
    Job,
    /// Reset or boot.
    Control,
}

/// Kinds of errors, for programs that act on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such card, or the card is gone.
    NoCard,
    /// The caller may not do this.
    Permission,
    /// Busy or not ready: worth another try later.
    Busy,
    /// What was asked for did not happen in time.
    Timeout,
    /// The session has ended: the card was reset, or another process opened it.  A new one may do.
    LostSession,
    /// Memory is used up, of the host or of the card.
    NoMemory,
    /// The card failed, or answered with an error.
    Card,
    /// Wrong arguments.
    Invalid,
    /// Anything else: files.
    Other,
}

/// Writes the same line as [`fmt::Display`]: users see it of a program whose `main` returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Returns what kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoCard(_) => ErrorKind::NoCard,
            Error::Open { errno, .. } | Error::Driver { errno, .. } | Error::Job { errno, .. } => {
                match *errno {
                    Errno::ENOENT if matches!(self, Error::Open { .. }) => ErrorKind::NoCard,
                    Errno::ENXIO => ErrorKind::NoCard,
                    Errno::EPERM | Errno::EACCES => ErrorKind::Permission,
                    Errno::EAGAIN | Errno::EBUSY | Errno::ENOSPC | Errno::EDQUOT => ErrorKind::Busy,
                    Errno::ENODEV
                    | Errno::EHOSTDOWN
                    | Errno::EREMOTEIO
                    | Errno::EIO
                    | Errno::EPROTO => ErrorKind::Card,
                    Errno::ETIME | Errno::ETIMEDOUT => ErrorKind::Timeout,
                    Errno::ESTALE | Errno::ECANCELED | FORKED => ErrorKind::LostSession,
                    Errno::ENOMEM => ErrorKind::NoMemory,
                    Errno::EINVAL | Errno::ERANGE | Errno::EFBIG => ErrorKind::Invalid,
                    _ => ErrorKind::Other,
                }
            }
            Error::Card { code, .. } | Error::Refused { code, .. } if code.is_no_memory() => {
                ErrorKind::NoMemory
            }
            Error::Card { code, .. } if code.is_timeout() => ErrorKind::Timeout,
            Error::Card { .. } | Error::Refused { .. } | Error::Answer { .. } => ErrorKind::Card,
            Error::BufferBusy | Error::Busy(_) => ErrorKind::Busy,
            Error::BufferLost => ErrorKind::Card,
            Error::Invalid(_) => ErrorKind::Invalid,
            Error::File { .. } => ErrorKind::Other,
        }
    }

    /// Returns the card's number, if the card gave one.
    pub fn card_code(&self) -> Option<CardCode> {
        match self {
            Error::Card { code, .. } | Error::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        // Names of a model's tensors may be in it, as many and as long as the card likes.
        Error::Invalid(one_line(what.into(), 6000))
    }

    pub(crate) fn answer(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Answer {
            what: what.into(),
            // An answer may have megabytes.
            problem: one_line(problem.into(), 300),
        }
    }

    /// Makes the error of the file at `path`.
    pub fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Error::File {
            path: path.into(),
            source,
        }
    }
}

fn explain_open(path: &Path, errno: Errno) -> String {
    match errno {
        Errno::ENOENT => "there is no such device; is the module ax650 loaded?".into(),
        Errno::EACCES | Errno::EPERM => crate::node_group::refusal(path),
        Errno::ENODEV | Errno::ENXIO => "the card is gone".into(),
        Errno::ENOTTY => "not a card of the ax650 driver".into(),
        other => other.desc().to_lowercase(),
    }
}

/// Tells what `errno` means as an answer to `request`, in the texts of `docs/uapi.md`.
fn explain(card: &str, request: Request, errno: Errno) -> String {
    use Request::*;
    let text = match (request, errno) {
        (_, Errno::ENODEV) => "the card is gone",
        (_, Errno::ENOTTY) => {
            "the driver does not know this request; it is older than this program"
        }
        (_, FORKED) => "it was opened before a fork(); this process has to open the card itself",
        (_, Errno::E2BIG) => "the driver is too old for what was asked",
        (Control, Errno::EPERM) => "needs CAP_SYS_ADMIN",
        (Submit, Errno::EACCES) => "it names what the card has not given to this session, or what was given back",
        (Submit, Errno::EBUSY) => "what it gives back is still used by work under way",
        (Submit, Errno::ENOSPC) => "the session has too much on the card, or too many calls without an answer",
        (Submit, Errno::EDQUOT) => "no more memory for long calls of this process, this user or this card",
        (Submit, Errno::EPERM) => "this call is reserved for the driver or the administrator",
        (Control, Errno::EBUSY) => "a boot or reset is already under way",
        (Query, Errno::EAGAIN) => "the card is not up (booting or being reset)",
        (Session, Errno::EAGAIN) => "the card is not running (booting or being reset)",
        (Session | Submit, Errno::EHOSTDOWN) => {
            return format!("the card is not running and will not be by itself; see `ax650 info -d {card}` ({errno:?})")
        }
        (Session, Errno::ENOSPC) => "as many sessions are open as can be",
        (Session, Errno::EREMOTEIO) => "the card refused the session",
        (Buffer, Errno::ENOSPC) => "as many buffers are open as can be",
        (Buffer, Errno::EINVAL) => "0 bytes, or more than a buffer may have",
        (Buffer, Errno::EDQUOT) => "no more buffer memory for this process, this user or this card",
        (Buffer, Errno::EFAULT) => "memory that is not there, or not writable",
        (Buffer, Errno::EOPNOTSUPP) => "memory of a kind that cannot be shared, or no such thing in this kernel",
        (Buffer, Errno::EACCES) => "it was opened for reading only",
        (Buffer, Errno::ENOMEM) => "no memory, or more than RLIMIT_MEMLOCK allows to be pinned",
        (Submit, Errno::EROFS) => "the card cannot write to a buffer that is for reading",
        (Buffer, Errno::EIO) => "the memory cannot be mapped for the card",
        (Submit, Errno::EAGAIN) => "too many jobs at a time",
        (Submit, Errno::EMSGSIZE) => "the call is too long",
        (Submit, Errno::EINVAL) => "a malformed job or call",
        (Submit | Job | Wait, Errno::ESTALE) => "the card was reset since the session began",
        (Submit | Job, Errno::ECANCELED) => "the session has ended",
        (Session | Query | Job, Errno::ETIME | Errno::ETIMEDOUT) => {
            "the card did not answer in time"
        }
        (Job, Errno::EMSGSIZE) => "the answer is longer than expected",
        (Job, Errno::EIO) => "the card failed to move the data",
        (Session | Job, Errno::EPROTO) => "the card broke the protocol",
        (Wait, Errno::ETIME | Errno::EAGAIN) => "not done yet",
        (_, other) => return format!("{} ({other:?})", other.desc().to_lowercase()),
    };
    format!("{text} ({errno:?})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver(request: Request, errno: Errno) -> Error {
        Error::Driver {
            card: "ax650-0".into(),
            what: "open a session".into(),
            request,
            errno,
        }
    }

    #[test]
    fn one_line_with_the_meaning() {
        assert_eq!(
            driver(Request::Session, Errno::EAGAIN).to_string(),
            "ax650-0: open a session: the card is not running (booting or being reset) (EAGAIN)",
        );
        let open = Error::Open {
            path: "/dev/ax650-0".into(),
            errno: Errno::EACCES,
        };
        assert_eq!(
            open.to_string(),
            format!(
                "/dev/ax650-0: {}",
                crate::node_group::refusal("/dev/ax650-0".as_ref())
            ),
        );
        // F10: the command that helps is about the same card.
        let down = driver(Request::Session, Errno::EHOSTDOWN).to_string();
        assert!(
            down.contains("see `ax650 info -d ax650-0` (EHOSTDOWN)"),
            "{down}"
        );
        let card = Error::Card {
            what: "allocate 8 bytes".into(),
            code: CardCode(0x8030_0507),
        };
        assert_eq!(
            card.to_string(),
            "allocate 8 bytes: memory: no memory (0x80300507)"
        );
        // F10: as `fn main() -> Result<(), Error>` ends.
        assert_eq!(format!("{card:?}"), card.to_string());
    }

    #[test]
    fn kinds() {
        assert_eq!(
            driver(Request::Session, Errno::EAGAIN).kind(),
            ErrorKind::Busy
        );
        assert_eq!(
            driver(Request::Query, Errno::ENODEV).kind(),
            ErrorKind::Card
        );
        assert_eq!(
            driver(Request::Session, Errno::EHOSTDOWN).kind(),
            ErrorKind::Card
        );
        assert_eq!(
            driver(Request::Control, Errno::EPERM).kind(),
            ErrorKind::Permission
        );
        let open = Error::Open {
            path: "/dev/ax650-0".into(),
            errno: Errno::ENOENT,
        };
        assert_eq!(open.kind(), ErrorKind::NoCard);
        // ENOENT of a request is a bad handle, not a missing card.
        assert_eq!(
            driver(Request::Wait, Errno::ENOENT).kind(),
            ErrorKind::Other
        );
    }
}
