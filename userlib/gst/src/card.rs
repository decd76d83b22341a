// SPDX-License-Identifier: MIT OR Apache-2.0

//! The way from an element to a card: which one, by which session, and what is said when it fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ax650::{Card, Error, ErrorKind, Session};
use gst::prelude::*;

/// Log category of all elements.
pub static LOG: std::sync::LazyLock<gst::DebugCategory> = std::sync::LazyLock::new(|| {
    gst::DebugCategory::new("ax650", gst::DebugColorFlags::empty(), Some("AX650N cards"))
});

/// Environment variable with the card of elements whose property `device` is not set.
const ENVIRONMENT: &str = "AX650_DEVICE";

/// A session that all elements of this process share that use the same card: pictures stay on the card only within one.
#[derive(Debug)]
pub struct Seat {
    session: Session,
    is_lost: AtomicBool,
}

static SEATS: Mutex<Vec<Weak<Seat>>> = Mutex::new(Vec::new());

/// Locks a mutex that nobody leaves half-changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seat {
    /// Opens the card that `device` names: an index, a node or a PCI address; `None`: that of the environment, else the
    /// first one.
    pub fn open(device: Option<&str>) -> ax650::Result<Arc<Self>> {
        let card = open_card(device)?;
        let mut seats = lock(&SEATS);
        seats.retain(|seat| seat.strong_count() > 0);
        let generation = card.info()?.generation;
        let usable = |seat: &Arc<Seat>| {
            seat.session.card_name() == card.name()
                && seat.session.generation() == generation
                && !seat.is_lost.load(Ordering::Relaxed)
        };
        if let Some(seat) = seats.iter().filter_map(Weak::upgrade).find(usable) {
            return Ok(seat);
        }
        let seat = Arc::new(Self {
            session: card.session()?,
            is_lost: AtomicBool::new(false),
        });
        seats.push(Arc::downgrade(&seat));
        Ok(seat)
    }

    /// Returns the session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Sees to it that nobody else gets a session that is over.
    pub fn note(&self, error: &Error) {
        if error.kind() == ErrorKind::LostSession {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

fn open_card(device: Option<&str>) -> ax650::Result<Card> {
    #[cfg(feature = "fake")]
    if device == Some("fake") {
        static CARD: std::sync::LazyLock<Arc<ax650::fake::FakeCard>> =
            std::sync::LazyLock::new(ax650::fake::FakeCard::new);
        return Ok(CARD.open());
    }
    let environment = std::env::var(ENVIRONMENT).ok();
    let wanted = device.or(environment.as_deref());
    match wanted.filter(|name| !name.is_empty()) {
        Some(name) => Card::open(name),
        None => Card::open_first(),
    }
}

/// Makes a message of an error of the library, with the library's text.
pub fn message(error: &Error) -> gst::ErrorMessage {
    macro_rules! message {
        ($code:expr) => {
            gst::error_msg!($code, ("{error}"))
        };
    }
    match error.kind() {
        ErrorKind::NoCard => message!(gst::ResourceError::NotFound),
        ErrorKind::Permission => message!(gst::ResourceError::NotAuthorized),
        ErrorKind::Busy => message!(gst::ResourceError::Busy),
        ErrorKind::NoMemory => message!(gst::ResourceError::NoSpaceLeft),
        ErrorKind::Invalid => message!(gst::LibraryError::Settings),
        _ => message!(gst::ResourceError::Failed),
    }
}

/// Posts an error of the library as a message of `element`.
pub fn post(element: &impl IsA<gst::Element>, error: &Error) {
    element
        .upcast_ref::<gst::Element>()
        .post_error_message(message(error));
}

/// Tells whether a codec has only no room at the moment.
pub fn is_full(error: &Error) -> bool {
    error
        .card_code()
        .is_some_and(|code| code.is_timeout() || code.is_no_memory())
}

/// Makes the property `device`, which all elements have.
pub fn device_property() -> gst::glib::ParamSpec {
    gst::glib::ParamSpecString::builder("device")
        .nick("Device")
        .blurb("Card: an index (0), a node (/dev/ax650-0, ax650-0) or a PCI address (0000:01:00.0); unset: that of the environment variable AX650_DEVICE, else the first")
        .mutable_ready()
        .build()
}
