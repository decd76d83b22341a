// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cards.

use std::ffi::c_char;
use std::ops::ControlFlow;
use std::time::Duration;

use ax650::{boot_and_wait, BootError, BootGoal, BootOptions, Card, CardInfo, CardState};

use crate::pointer::{end, give, object, place, text};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};

/// A card.  Made by ax650_card_open(), ended by ax650_card_close().
pub struct ax650_card(pub(crate) Card);

/// State of a card.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ax650_card_state {
    /// Not on the bus.
    AX650_CARD_ABSENT = 0,
    /// Reset; waits for firmware.
    AX650_CARD_LOADER = 1,
    /// Firmware is being sent, or starts.
    AX650_CARD_BOOTING = 2,
    /// Serves.
    AX650_CARD_RUNNING = 3,
    /// Serves, but its heartbeat is late.
    AX650_CARD_SUSPECT = 4,
    /// Failed; somebody has to order a boot.
    AX650_CARD_DEAD = 5,
    /// Is being reset.
    AX650_CARD_RESETTING = 6,
    /// The driver has left it for good.
    AX650_CARD_GONE = 7,
    /// A state of a newer driver.
    AX650_CARD_OTHER = 8,
}

/// What is known of a card.  Strings end with a zero and are "" where nothing is known.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ax650_card_info {
    /// State.
    pub state: ax650_card_state,
    /// Number of the card's boot: grows by one at each.
    pub generation: u32,
    /// PCI address, such as "0000:01:00.0".
    pub pci: [c_char; 16],
    /// Firmware version that the card reports.
    pub firmware: [c_char; 64],
    /// Junction temperature in degrees Celsius; NaN if not known.
    pub temperature: f64,
    /// Load of the NPU, 0 to 1; NaN if not known.
    pub npu_load: f64,
    /// Memory for models, tensors and pictures, bytes; 0 if not known.
    pub memory_total: u64,
    /// How much of that is in use, bytes.
    pub memory_used: u64,
}

fn chars<const N: usize>(text: &str) -> [c_char; N] {
    let mut out = [0; N];
    for (out, byte) in out[..N - 1].iter_mut().zip(text.bytes()) {
        *out = byte as c_char;
    }
    out
}

/// Opens a card: `name` is its index ("0"), its node ("/dev/ax650-0") or its PCI address ("01:00.0").  NULL: the one
/// that AX650_DEVICE names, else the first that there is.
///
/// @return AX650_ERR_NO_CARD, AX650_ERR_PERMISSION, AX650_ERR_INVALID for a name that is none.
#[no_mangle]
pub unsafe extern "C" fn ax650_card_open(
    name: *const c_char,
    out: *mut *mut ax650_card,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let out = unsafe { place(out) }?;
        let card = if name.is_null() {
            match std::env::var("AX650_DEVICE") {
                Ok(name) if !name.is_empty() => Card::open(&name)?,
                _ => Card::open_first()?,
            }
        } else {
            // SAFETY: the header's promise.
            Card::open(unsafe { text(name) }?)?
        };
        *out = give(ax650_card(card));
        Ok(AX650_OK)
    })
}

/// Ends a handle of a card.  Sessions made with it go on.
#[no_mangle]
pub unsafe extern "C" fn ax650_card_close(card: *mut ax650_card) {
    // SAFETY: the header's promise.
    unsafe { end(card) }
}

/// Returns how many cards there are: nodes of the driver, whether they can be opened or not.
#[no_mangle]
pub extern "C" fn ax650_card_count() -> usize {
    std::panic::catch_unwind(|| Card::list().len()).unwrap_or(0)
}

/// Asks what is known of a card.
#[no_mangle]
pub unsafe extern "C" fn ax650_card_get_info(
    card: *const ax650_card,
    out: *mut ax650_card_info,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (card, out) = unsafe { (object(card)?, place(out)?) };
        let info = card.0.info()?;
        // A card that is not up tells nothing of itself.
        let told = card.0.telemetry().unwrap_or_default();
        *out = ax650_card_info {
            state: match info.state {
                CardState::Absent => ax650_card_state::AX650_CARD_ABSENT,
                CardState::Loader => ax650_card_state::AX650_CARD_LOADER,
                CardState::Booting | CardState::Handshake => ax650_card_state::AX650_CARD_BOOTING,
                CardState::Running => ax650_card_state::AX650_CARD_RUNNING,
                CardState::Suspect => ax650_card_state::AX650_CARD_SUSPECT,
                CardState::Dead => ax650_card_state::AX650_CARD_DEAD,
                CardState::Resetting => ax650_card_state::AX650_CARD_RESETTING,
                CardState::Gone => ax650_card_state::AX650_CARD_GONE,
                _ => ax650_card_state::AX650_CARD_OTHER,
            },
            generation: info.generation,
            pci: chars(&info.pci.to_string()),
            firmware: chars(&info.firmware_version),
            temperature: told.temperature.unwrap_or(f64::NAN),
            npu_load: told.npu_load.unwrap_or(f64::NAN),
            memory_total: told.cmm.map_or(0, |usage| usage.total),
            memory_used: told.cmm.map_or(0, |usage| usage.used),
        };
        Ok(AX650_OK)
    })
}

/// Boots a card unless it runs, and waits until it does, for `timeout_ms` at most.
///
/// @return AX650_ERR_PERMISSION: only the administrator may, unless it is booting already; AX650_ERR_TIMEOUT; AX650_ERR_CARD.
#[no_mangle]
pub unsafe extern "C" fn ax650_card_boot(card: *const ax650_card, timeout_ms: u32) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let mut card = unsafe { object(card) }?.0.clone();
        let options = BootOptions {
            timeout: Duration::from_millis(timeout_ms.into()),
            ..BootOptions::default()
        };
        let go_on = &mut |_: &CardInfo| ControlFlow::Continue(());
        match boot_and_wait(&mut card, BootGoal::BootIfNeeded, &options, go_on) {
            Ok(_) => Ok(AX650_OK),
            Err(BootError::Driver(error)) => Err(error.into()),
            Err(error @ BootError::Late { .. }) => {
                Err(Failure::Told(AX650_ERR_TIMEOUT, error.to_string()))
            }
            Err(error) => Err(Failure::Told(AX650_ERR_CARD, error.to_string())),
        }
    })
}
