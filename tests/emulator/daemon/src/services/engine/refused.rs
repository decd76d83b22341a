// SPDX-License-Identifier: MIT OR Apache-2.0

//! Why the engine does not do what it is asked to: the number that is answered, and the reason, for
//! which the protocol has no place but the card's log.

use crate::model::LoadError;
use crate::ports::session::Session;
use crate::protocol::errors::{code, About, Why, ENGINE_INDEX};

pub(super) const ILLEGAL: u32 = code(About::Engine, Why::IllegalParameter);
pub(super) const INDEX: u32 = ENGINE_INDEX;
pub(super) const UNSUPPORTED: u32 = code(About::Engine, Why::Unsupported);
pub(super) const NO_MEMORY: u32 = code(About::Engine, Why::NoMemory);
pub(super) const DECODE: u32 = code(About::Engine, Why::Decode);
pub(super) const FAILED: u32 = code(About::Engine, Why::ExecuteFailed);

/// A call that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The error number.
    pub(crate) status: u32,
    /// In words.
    pub(crate) why: String,
}

impl Refused {
    fn new(status: u32, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
        }
    }

    /// What the caller has given cannot be.
    pub(super) fn illegal(why: impl Into<String>) -> Self {
        Self::new(ILLEGAL, why)
    }

    /// An index beyond what a model has.
    pub(super) fn index(why: impl Into<String>) -> Self {
        Self::new(INDEX, why)
    }

    /// The card does not do that.
    pub(super) fn unsupported(why: impl Into<String>) -> Self {
        Self::new(UNSUPPORTED, why)
    }

    /// It was begun, or should have been, and came to nothing.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::new(FAILED, why)
    }

    /// A number that a fault switch gives.
    pub(super) fn by_switch(status: u32) -> Self {
        Self::new(status, "the switch engine.fail is set")
    }

    /// The handle of a call is none.
    pub(super) fn no_model(handle: u64) -> Self {
        Self::illegal(format!("no model has the handle {handle:#x}"))
    }

    /// The session is ending.
    pub(super) fn ending() -> Self {
        Self::failed("the session is ending")
    }

    /// There are not `bytes` of card memory left.
    pub(super) fn no_memory(session: &Session, bytes: u64, what: &str) -> Self {
        let cmm = session.card.link.cmm();
        let (size, used) = (cmm.size(), cmm.used());
        let why = format!(
            "no memory for {what}: {bytes} bytes are needed in one piece, {} of {size} are free",
            size.saturating_sub(used)
        );
        Self::new(NO_MEMORY, why)
    }

    /// More objects than the card has room for.
    pub(super) fn too_many(why: impl Into<String>) -> Self {
        Self::new(NO_MEMORY, why)
    }

    /// A model that cannot be loaded.  Whoever wants to put one into the model directory needs the
    /// digest of the image.
    pub(super) fn model(error: &LoadError, sha256: Option<&str>) -> Self {
        let status = match error {
            LoadError::Groups(_)
            | LoadError::Type { .. }
            | LoadError::Outputs { .. }
            | LoadError::Operators(_) => UNSUPPORTED,
            LoadError::NoModel(_) => DECODE,
            LoadError::Runtime(_) | LoadError::File(..) => FAILED,
        };
        let of = sha256.map_or_else(String::new, |sha256| format!(" (image of sha256 {sha256})"));
        Self::new(status, format!("{error}{of}"))
    }
}
