// SPDX-License-Identifier: GPL-2.0

//! Sending: the host to card ring and its doorbell [pcie 4.6], [pcie 4.8].

use super::{
    device::Device,
    traffic::Traffic, //
};
use crate::{
    glue::{
        prelude::*,
        region,
        time::{
            Delta,
            Instant, //
        },
        trace, //
    },
    wire::{
        handshake::{
            PAGE_HANDLED,
            PAGE_RUNG, //
        },
        header::Header,
        mailbox::{
            FlowControl,
            DATA_WORD,
            DATA_WORDS,
            SLOT_DATA,
            SLOT_INFO, //
        },
        register::{
            FixedRegister,
            RegisterArray, //
        },
        ring, //
    }, //
};

// TIMEOUT: a doorbell that the card has not acted upon for so long was lost, and is rung again.
const RECOVERY: Delta = Delta::from_millis(50);

/// Room in the ring that clients leave free: for port 11 and the driver's own session, so that it can tell how
/// the card is, and end sessions, whatever the clients do.
const KEPT_ROOM: u32 = 16 << 10;

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The driver, for itself.
    Driver,
    /// A client.
    Client,
}

/// Why a message was not published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendError {
    /// No room now; there will be when the card has read.
    Full,
    /// Never: the card is not up, or the message is too long.
    Failed(Error),
}

impl From<SendError> for Error {
    /// Makes the error of a sender that has waited for room.
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full => ETIMEDOUT,
            SendError::Failed(e) => e,
        }
    }
}

/// The sending side of one device.  Empty unless the rings are set up.
#[derive(Default)]
pub(crate) struct Tx {
    live: Option<Live>,
    traffic: Traffic,
}

struct Live {
    /// Our write pointer.
    wp: u64,
    /// Doorbells rung, as in the control page.
    rung: u64,
    flow: FlowControl,
    /// Messages were published since the last doorbell.
    unrung: bool,
    /// A doorbell that is not handled serves for what is published until it is: that has always worked.
    is_served: bool,
    /// Messages were published since the last doorbell which one before serves for.
    left_out: bool,
    /// A sender was turned away since the card last made room.
    blocked: bool,
    /// The card's read pointer as last seen, and when it moved or a bell was rung.
    seen_rp: u64,
    seen_at: Instant,
}

impl Tx {
    /// Begins to send: the rings have been set up.
    pub(crate) fn start(&mut self) {
        self.live = Some(Live {
            wp: 0,
            rung: 0,
            flow: FlowControl::default(),
            unrung: false,
            is_served: true,
            left_out: false,
            blocked: false,
            seen_rp: 0,
            seen_at: Instant::now(),
        });
    }

    /// Ends sending: nothing goes any more.
    pub(crate) fn stop(&mut self) {
        self.live = None;
    }

    /// Puts a message into the ring.  The card learns of it by [`Self::ring`].
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is no room now; [`SendError::Failed`] if the card is not up, or the
    /// message is too long.
    pub(crate) fn publish(
        &mut self,
        device: &Device,
        sender: Sender,
        port: u32,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let live = self.live.as_mut().ok_or(SendError::Failed(EHOSTDOWN))?;
        let begun = Instant::now();
        let sent = live.publish(device, sender, port, payload);
        match sent {
            Ok(()) => {
                device.counters.messages_sent.add(1);
                self.traffic.note(port, payload, begun, begun.elapsed());
            }
            Err(SendError::Full) => {
                live.blocked = true;
                device.counters.ring_full.add(1);
            }
            Err(SendError::Failed(_)) => {}
        }
        sent
    }

    /// Rings the doorbell if there is anything to tell.  A bell that cannot be rung now is rung by
    /// [`Self::recover`].
    pub(crate) fn ring(&mut self, device: &Device) {
        if let Some(live) = &mut self.live {
            if live.unrung {
                live.ring(device);
            }
        }
    }

    /// Rings again for messages that the card has left lying.  Returns true when senders that were
    /// turned away should try again.
    pub(crate) fn recover(&mut self, device: &Device) -> bool {
        let Some(live) = &mut self.live else {
            return false;
        };
        let Ok(rp) = device.region.read64(device.geometry.h2c.rp_at as usize) else {
            return false;
        };
        if rp != live.seen_rp {
            live.seen_rp = rp;
            live.seen_at = Instant::now();
        }
        if live.unrung {
            // A bell that was not urgent, or could not be rung.
            live.ring(device);
        }
        if rp == live.wp {
            live.left_out = false;
            // All messages are read, so whatever bells are missing in the count are lost for good.
            if let Ok(handled) = PAGE_HANDLED::read(&device.region) {
                live.flow.forgive(live.rung, handled.into());
            }
        } else if live.seen_at.elapsed() >= RECOVERY {
            if let Ok(handled) = PAGE_HANDLED::read(&device.region) {
                live.flow.forgive(live.rung, handled.into());
            }
            device.counters.doorbells_recovered.add(1);
            if core::mem::take(&mut live.left_out) {
                // Lost, or handled without a look at what was published meanwhile: nobody can tell.
                live.is_served = false;
            }
            live.ring(device);
        }
        core::mem::take(&mut live.blocked)
    }

    /// Returns the write pointer, 0 if the rings are not set up, and statistics.
    pub(crate) fn facts(&self) -> (u64, Traffic) {
        let wp = self.live.as_ref().map_or(0, |live| live.wp);
        (wp, self.traffic)
    }

    /// Returns whether a sender was turned away since the last [`Self::recover`].
    pub(crate) fn is_blocked(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.blocked)
    }

    /// Returns whether the card has unread messages.
    pub(crate) fn busy(&self, device: &Device) -> bool {
        self.live.as_ref().is_some_and(|live| {
            device
                .region
                .read64(device.geometry.h2c.rp_at as usize)
                .is_ok_and(|rp| rp != live.wp)
        })
    }
}

impl Live {
    fn publish(
        &mut self,
        device: &Device,
        sender: Sender,
        port: u32,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let failed = SendError::Failed;
        let ring = &device.geometry.h2c;
        let len = u32::try_from(payload.len()).map_err(|_| failed(EMSGSIZE))?;
        if len == 0 {
            return Err(failed(EINVAL));
        }
        let place = ring.place(self.wp, len).ok_or(failed(EMSGSIZE))?;
        let rp = device.region.read64(ring.rp_at as usize).map_err(failed)?;
        let Ok(free) = ring::free(self.wp, rp, ring.size) else {
            // The card owns this pointer; it cannot be repaired from here.
            device.ring_corrupt("host to card");
            return Err(failed(EPROTO));
        };
        let kept = match sender {
            Sender::Driver => 0,
            Sender::Client => KEPT_ROOM,
        };
        if place.advance > free.saturating_sub(kept) {
            return Err(SendError::Full);
        }
        let region = &device.region;
        let (first, second) = payload
            .split_at_checked(place.first_len as usize)
            .ok_or(failed(EMSGSIZE))?;
        let header = Header { port, length: len };
        region
            .copy_in(place.first_at as usize, first)
            .map_err(failed)?;
        region
            .copy_in(place.second_at as usize, second)
            .map_err(failed)?;
        region
            .copy_in(place.header_at as usize, &header.encode(device.id))
            .map_err(failed)?;
        region::write_barrier();
        let wp = self.wp.wrapping_add(place.advance.into());
        region.write64(ring.wp_at as usize, wp).map_err(failed)?;
        self.wp = wp;
        self.unrung = true;
        Ok(())
    }

    /// Rings the bell once, if flow control and the mailbox allow; else it stays due.  Not if one is on its way that
    /// serves.
    fn ring(&mut self, device: &Device) {
        self.unrung = true;
        // Either the card finds the message when it handles its last bell, or that bell is seen to be
        // handled here: the write pointer must not be on its way still when the counter is read.
        region::full_barrier();
        let Ok(handled) = PAGE_HANDLED::read(&device.region) else {
            return;
        };
        if self.is_served && self.flow.is_awaited(self.rung, handled.into()) {
            // If not `Tx::recover` finds out.
            self.unrung = false;
            self.left_out = true;
            return;
        }
        if !self.flow.may_ring(self.rung, handled.into()) {
            device.counters.doorbell_busy.add(1);
            return;
        }
        let Some(slot) = device.answers().then(|| device.mailbox_slot()).flatten() else {
            device.counters.doorbell_busy.add(1);
            return;
        };
        let rung = (0..DATA_WORDS)
            .try_for_each(|_| SLOT_DATA::from(DATA_WORD).write_at(device, slot))
            .and_then(|()| SLOT_INFO::doorbell().write_at(device, slot));
        if rung.is_err() {
            return;
        }
        self.unrung = false;
        self.left_out = false;
        self.seen_at = Instant::now();
        self.rung = self.rung.wrapping_add(1);
        device.counters.doorbells.add(1);
        trace::doorbell(&device.pdev, self.rung);
        // Fails only when the driver is being unbound.
        let _ = PAGE_RUNG::from(self.rung).write(&device.region);
    }
}
