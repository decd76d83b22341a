// SPDX-License-Identifier: GPL-2.0

//! The 28 bytes in front of every call and answer [rpc 3.1].

use super::bytes::{
    u32_at,
    u64_at, //
};

/// Length of the header.
pub const HEADER_SIZE: usize = 28;
/// Longest frame that travels as a message; longer ones go by DMA [rpc 2.4].
pub const MAX_MESSAGE: usize = 1024;

/// Latency echo.
pub const LATENCY: u32 = 0x0001_0000;
/// Card log.
pub const LOG: u32 = 0x0002_0000;
/// Contexts, streams, events, shell.
pub const CONTROL: u32 = 0x0003_0000;
/// Queued copy from host memory. Carries host addresses.
pub const MEMORY_WRITE: u32 = 0x0005_0100;
/// Queued copy to host memory. Carries host addresses.
pub const MEMORY_READ: u32 = 0x0006_0100;
/// Copy between card and host memory, begun by the host: not a frame but a 57 byte record.
pub const COPY: u32 = 0x4105_0100;
/// Type of a copy that the card begins: a queued copy is due.
pub const COPY_DUE: u32 = 0x4106_0100;

/// Runtime services, byte 1 of a runtime type.
pub mod service {
    /// System: control, log, latency.
    pub const SYSTEM: u8 = 0;
    /// Card memory.
    pub const MEMORY: u8 = 1;
    /// Inference.
    pub const ENGINE: u8 = 2;
    /// Card to card.
    pub const P2P: u8 = 3;
    /// Programs on the card.
    pub const USRWORK: u8 = 4;
}

/// Frame header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Type of the call, see [`Target`].
    pub kind: u32,
    /// Counts the requests of a session, from 1.
    pub sequence: u64,
    /// Card id.
    pub card: u32,
    /// Context id.
    pub context: u32,
    /// Stream id, 1 is the context's own.
    pub stream: u32,
    /// Command number of a control request, else 0.
    pub command: u32,
}

/// The parts of a frame type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A runtime service; for system, `api` is the sub-service.
    Runtime {
        /// See [`service`].
        service: u8,
        /// Number of the call in the service.
        api: u8,
    },
    /// A native call.
    Native {
        /// Module number, 0 SYS to 7 DSP.
        module: u8,
        /// Number of the call in the module.
        api: u8,
    },
    /// Not a call.
    Other,
}

impl Header {
    /// Reads the header of a frame; `None` if the frame is too short for one.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        Some(Self {
            kind: u32_at(frame, 0)?,
            sequence: u64_at(frame, 4)?,
            card: u32_at(frame, 12)?,
            context: u32_at(frame, 16)?,
            stream: u32_at(frame, 20)?,
            command: u32_at(frame, 24)?,
        })
    }

    /// Encodes the header as it travels.
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.sequence.to_le_bytes();
        let words = [
            self.kind,
            u32::from_le_bytes([s0, s1, s2, s3]),
            u32::from_le_bytes([s4, s5, s6, s7]),
            self.card,
            self.context,
            self.stream,
            self.command,
        ];
        let mut out = [0; HEADER_SIZE];
        for (field, word) in out.chunks_exact_mut(4).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Splits the frame's type into its parts.
    pub fn target(&self) -> Target {
        match self.kind.to_le_bytes() {
            [0, service, api, 0] => Target::Runtime { service, api },
            [1, module, api, 0] => Target::Native { module, api },
            _ => Target::Other,
        }
    }

    /// Returns whether the call has the NPU run a model: RunModel [rpc 6], or one of the native RunSync [rpc 7].
    pub fn runs_model(&self) -> bool {
        match self.target() {
            Target::Runtime { service, api } => (service, api) == (service::ENGINE, 11),
            Target::Native { module, api } => module == 5 && matches!(api, 15..=17),
            Target::Other => false,
        }
    }

    /// Returns whether `self` heads the answer to the request headed by `request`: sequence, card,
    /// context and stream agree [rpc 1.2].
    pub fn answers(&self, request: &Self) -> bool {
        (self.sequence, self.card, self.context, self.stream)
            == (
                request.sequence,
                request.card,
                request.context,
                request.stream,
            )
    }
}
