// SPDX-License-Identifier: GPL-2.0

//! States of a card. The numbers are those of `enum ax650_card_state` in `uapi/ax650.h`, which has no
//! [`State::Unreachable`]: programs know that as "gone".

use core::ffi::CStr;

/// State of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// Not yet looked at.
    Absent = 0,
    /// Reset, waiting for firmware.
    Loader = 1,
    /// Firmware is being sent.
    Booting = 2,
    /// Firmware was started, the rings are being set up.
    Handshake = 3,
    /// Sessions can be made.
    Running = 4,
    /// Missed a heartbeat, is being probed.
    Suspect = 5,
    /// Boot or recovery failed.
    Dead = 6,
    /// The chip is being reset.
    Resetting = 7,
    /// Lost for good: the bus says so, or the driver is being unbound.
    Gone = 8,
    /// Does not answer on the bus, but may come back.
    Unreachable = 9,
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Absent,
        Self::Loader,
        Self::Booting,
        Self::Handshake,
        Self::Running,
        Self::Suspect,
        Self::Dead,
        Self::Resetting,
        Self::Gone,
        Self::Unreachable,
    ];

    /// Returns the state with this number.
    pub fn from_u32(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Returns the state's name, as in sysfs and the log.
    pub fn name(self) -> &'static str {
        self.c_name().to_str().unwrap_or("")
    }

    /// Returns the same for C.
    pub fn c_name(self) -> &'static CStr {
        match self {
            Self::Absent => c"absent",
            Self::Loader => c"loader",
            Self::Booting => c"booting",
            Self::Handshake => c"handshake",
            Self::Running => c"running",
            Self::Suspect => c"suspect",
            Self::Dead => c"dead",
            Self::Resetting => c"resetting",
            Self::Gone => c"gone",
            Self::Unreachable => c"unreachable",
        }
    }

    /// Returns the state that programs are told.
    pub fn told(self) -> Self {
        match self {
            Self::Unreachable => Self::Gone,
            other => other,
        }
    }

    /// Returns whether sessions may be made and used: a suspect card may still answer.
    pub fn serves_sessions(self) -> bool {
        matches!(self, Self::Running | Self::Suspect)
    }

    /// Returns whether a boot or reset is under way.
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Resetting | Self::Booting | Self::Handshake)
    }

    /// Returns whether the card can be touched at all.
    pub fn is_on_bus(self) -> bool {
        !matches!(self, Self::Gone | Self::Unreachable)
    }
}

/// Returns whether a card may go from one state to the other.
///
/// Only a reset leads to the loader, only a completed handshake to running: a card that was reset
/// cannot be resurrected by a late heartbeat (R18). A card that does not answer on the bus must be reset
/// when it does again, whatever it was before. Gone is final; a card that is plugged in again is
/// another card.
pub fn may(from: State, to: State) -> bool {
    use State::*;
    match (from, to) {
        (Gone, _) => false,
        (_, Gone) => true,
        (_, Absent) => false,
        (Resetting, Resetting) | (Dead, Dead) | (Unreachable, Unreachable) => false,
        (_, Resetting | Dead | Unreachable) => true,
        (Absent | Resetting, Loader)
        | (Loader, Booting)
        | (Booting, Handshake)
        | (Handshake, Running)
        | (Running, Suspect)
        | (Suspect, Running) => true,
        _ => false,
    }
}
