// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a card is doing when something happens to it, and what must be true afterwards.

use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use crate::card::{Card, BOOT};
use crate::case::Context;
use crate::client::{canary, pattern, Buffer, Client, PATIENCE};
use crate::errors::expect_any;
use crate::kernel;

/// Bytes of the buffer that is mapped all the time.
const HELD: usize = 1 << 20;

/// How long the card takes for a call or a piece of a copy: longer than it takes to fall asleep, and shorter than the
/// driver waits for a copy that stands still (10 s).
const SLOW_MS: u32 = 8_000;

/// Copies of a job: a busy machine takes longer to fall asleep than for one of them.
const COPIES: usize = 4;

/// What the card is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing.
    Idle,
    /// It takes firmware.
    Boot,
    /// It has firmware, which does not answer yet.
    Handshake,
    /// It moves data.
    Copy,
    /// It works on a call.
    Call,
}

impl Moment {
    /// Those of `make test`.
    pub const USUAL: &'static [Self] = &[Self::Idle, Self::Copy];
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Idle,
        Self::Boot,
        Self::Handshake,
        Self::Copy,
        Self::Call,
    ];

    fn is_of_a_boot(self) -> bool {
        matches!(self, Self::Boot | Self::Handshake)
    }
}

/// What an event does to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It is booted again, with the same node.
    Boot,
    /// The driver lets go of it: there is another node.
    Node,
}

/// A client that was there before, with files, a session and mappings open.
pub struct Witness {
    client: Client,
    held: Buffer,
    /// A job and how many steps it has.
    job: Option<(u64, usize)>,
    moment: Moment,
    /// Bytes of buffers that there were before.
    buffers: u64,
}

impl Witness {
    /// Brings the card to `moment`.
    pub fn at(context: &mut Context, moment: Moment) -> Result<Self> {
        let card = Card::open(0)?;
        card.wait_state(AX650_STATE_RUNNING, BOOT)?;
        let buffers = card.counters()?.buffer_bytes;
        let mut client = Client::on(card)?;
        client.works()?;
        let held = client.buffer(HELD)?;
        held.map.write(0, &pattern(HELD, 7));
        let boot = |context: &mut Context, switch, state| -> Result<()> {
            context.host.switch(0, switch, true)?;
            client.card.control(AX650_CONTROL_BOOT, 0).context("BOOT")?;
            client.card.wait_state(state, BOOT).map(drop)
        };
        let mut job = None;
        match moment {
            Moment::Idle => {}
            Moment::Boot => boot(context, "boot.status_never", AX650_STATE_BOOTING)?,
            Moment::Handshake => boot(context, "step0.no_ack", AX650_STATE_HANDSHAKE)?,
            Moment::Copy => {
                let (op, size) = (AX650_STEP_COPY_TO_CARD, HELD);
                let address = client.malloc(size as u32)?;
                context.host.switch(0, "dma.stall_ms", SLOW_MS)?;
                let step = client.copy_step(op, &held, 0, address, size);
                job = Some((client.submit(&[step; COPIES])?, COPIES));
            }
            Moment::Call => {
                context.host.switch(0, "rpc.delay_ms", SLOW_MS)?;
                let (_, frame) = client.echo_frame(b"in good time");
                job = Some((client.submit(&[client.call_step(&frame, 0, 4096)])?, 1));
            }
        }
        // It is on its way.
        std::thread::sleep(Duration::from_millis(100));
        Ok(Self {
            client,
            held,
            job,
            moment,
            buffers,
        })
    }

    /// Sees that all is as it must be after an event with this effect, and returns whether the event met the moment: on
    /// a busy machine it can take longer to fall asleep than the card was slow for.
    pub fn see(mut self, effect: Effect) -> Result<bool> {
        let mut met = true;
        let generation = self.client.session.generation;
        match effect {
            Effect::None if !self.moment.is_of_a_boot() => {
                if let Some((job, steps)) = self.job {
                    self.client.finish(job, steps)?;
                }
                self.client.works()?;
                let now = self.client.card.info()?.generation;
                ensure!(now == generation, "booted anew without a reason");
            }
            Effect::None | Effect::Boot => {
                let card = self.client.card.duplicate()?;
                runs_again(&card, generation)?;
                met = self.is_over(&[libc::ESTALE, libc::ENODEV])?;
            }
            Effect::Node => met = self.is_over(&[libc::ENODEV])?,
        }
        let bytes = self.held.map.read(0, HELD);
        ensure!(
            bytes == pattern(HELD, 7) || bytes.iter().all(|&byte| byte == 0),
            "the mapping has other bytes in it"
        );
        let before = if effect == Effect::Node {
            0
        } else {
            self.buffers
        };
        drop(self);
        let card = Card::open(0)?;
        card.wait_state(AX650_STATE_RUNNING, BOOT)?;
        kernel::until("memory to be given back", PATIENCE, || {
            let counters = card.counters()?;
            Ok(counters.quarantined_bytes == 0 && counters.buffer_bytes <= before)
        })?;
        kernel::until("sessions to end", PATIENCE, || {
            Ok(card.clients()?.is_empty())
        })?;
        canary(0)?;
        Ok(met)
    }

    /// Sees that the file answers what it must to whoever goes on as before, and returns whether the job was under way
    /// when it was over.
    fn is_over(&mut self, errors: &[i32]) -> Result<bool> {
        let mut under_way = true;
        if let Some((job, steps)) = self.job {
            match self.client.wait(job, steps, PATIENCE) {
                Ok((wait, _)) => {
                    ensure!(wait.status <= 0, "the job ended with {}", wait.status);
                    under_way = wait.status != 0;
                }
                Err(e) => ensure!(format!("{e:#}").contains("No such device"), "{e:#}"),
            }
        }
        let (_, frame) = self.client.echo_frame(b"too late");
        let late = self
            .client
            .submit(&[self.client.call_step(&frame, 0, 4096)]);
        expect_any(errors, late, || "SUBMIT".into())?;
        Ok(under_way)
    }
}

/// Waits until a card runs a later boot than `generation`.
pub fn runs_again(card: &Card, generation: u32) -> Result<()> {
    kernel::until("the card to run again", BOOT, || {
        let info = card.info()?;
        ensure!(info.state != AX650_STATE_DEAD, "dead: {}", info.last_error);
        Ok(info.state == AX650_STATE_RUNNING && info.generation > generation)
    })
}
