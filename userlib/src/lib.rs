// SPDX-License-Identifier: MIT OR Apache-2.0

//! Inference and codec jobs on AX650N accelerator cards.
//!
//! The card is reached through the driver's one node per card, `/dev/ax650-N`; nothing else is needed: no daemon,
//! no shared library of Axera's, no configuration file.
//!
//! * [`Card`]: find, open, ask, reset.
//! * [`Session`]: one serving process on the card; makes everything else.  [`Stream`]: a queue of it.
//! * [`Buffer`]: host memory that the card reaches by DMA, filled and read in place.
//! * [`CardMemory`]: memory on the card.
//! * [`Job`]: several copies and calls, queued at once.  [`Chain`]: calls that are queued at once again and again.
//!
//! * [`Model`], [`Binding`]: inference.  [`media`]: video and pictures.  [`vision`]: what models have seen in them.
//!
//! ```no_run
//! use ax650::{Card, Model};
//!
//! # fn main() -> ax650::Result<()> {
//! let session = Card::open_first()?.session()?;
//! let model = Model::load_file(&session, "model.axmodel")?;
//! let binding = model.bind(0)?;
//! for _ in 0..100 {
//!     binding.input_as::<f32>("images")?.fill(0.5); // filled in place
//!     let times = binding.run()?; // one request: copy in, run, copy out
//!     println!("{:?}: {}", times.total, binding.output_as::<f32>(0)?[0]);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Threads
//!
//! Everything can be used from any thread.  Calls of one [`Stream`] are carried out one after the other, so
//! threads whose calls block for long want a stream each, see [`Session::new_context`].
//!
//! # Who owns what
//!
//! A job owns what it uses until its end was seen: buffers, card memory, models.  Anything may be dropped at any time;
//! dropping does not wait for the card, see [`Session`].  Event loops poll [`Pending`] and [`PendingRun`], which are
//! readable when they have ended.
//!
//! # Fork
//!
//! A child made by `fork()` cannot use what its parent has opened, and does it no harm: calls fail with
//! [`ErrorKind::LostSession`], drops do nothing, and buffers are not mapped there (an access to a slice that was taken
//! before ends with SIGSEGV).  It can open the card itself.
//!
//! # Errors
//!
//! All are [`Error`], one line each; [`Error::kind`] sorts them.  Nothing waits for ever: a job without a timeout of its
//! own gets the driver's default.  After a reset of the card the old sessions answer ESTALE; open a new one.

#![warn(clippy::missing_errors_doc)]

mod arena;
mod binding;
mod boot_wait;
mod buffer;
mod call;
mod card;
mod card_binding;
mod card_log;
mod chain;
mod cleanup;
mod clock;
mod code;
mod discover;
mod dtype;
mod engine;
mod error;
#[cfg(feature = "command")]
mod failure;
#[cfg(feature = "fake")]
pub mod fake;
mod fork;
mod frame;
mod health;
mod host_memory;
mod info;
mod job;
pub mod media;
mod memory;
mod model;
mod native;
mod node_group;
mod part;
mod pending;
mod pixels;
pub mod proto;
mod reason;
mod run;
mod service;
mod session;
mod stream;
mod system;
mod tensor;
mod transport;
mod view;
pub mod vision;

/// The examples of the interface's documentation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/uapi.md")]
struct Documentation;

pub use ax650_uapi as uapi;
pub use binding::Binding;
pub use boot_wait::{
    boot_and_wait, explain_last_error, BootControl, BootError, BootGoal, BootOptions, Booted,
    FIRMWARE_NAME,
};
pub use buffer::{Buffer, ReadGuard, WriteGuard};
pub use call::Call;
pub use card::{Card, Listed};
pub use card_binding::CardBinding;
pub use card_log::CardLog;
pub use chain::Chain;
pub use code::CardCode;
pub use dtype::{DataType, Layout};
pub use error::{Error, ErrorKind, Request, Result};
pub use frame::{Header, Kind};
pub use host_memory::{HostMemory, HostPages};
pub use info::{CardInfo, CardState, Client, Counters, PciAddress, Telemetry, Usage};
pub use job::Job;
pub use memory::CardMemory;
pub use model::Model;
pub use part::{CardRange, Part};
pub use pending::{Done, DoneStep, Pending};
pub use pixels::{Normalize, Pixels};
pub use run::{PendingRun, RunSteps, RunTimes};
pub use session::Session;
pub use stream::Stream;
pub use system::check_echo;
pub use tensor::{Shape, TensorInfo, TensorKey};
#[cfg(feature = "transport")]
pub use transport::{Action, Mapping, ReplyRange, Step, Submission, Transport};
pub use transport::{Direction, Place};
pub use view::{Element, Elements, ElementsMut, Viewed};
