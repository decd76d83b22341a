// SPDX-License-Identifier: MIT OR Apache-2.0

//! What belongs to one client process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use ax650_emu_api::Link;

use crate::call::errors::Fault;
use crate::memory::block::CardBlock;
use crate::work::wait::lock;

/// Names the owner of a pool, group or channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The session's number, which is its first port; used again after the session's end.
    pub session: u32,
    /// Never used again.
    pub serial: u64,
}

impl Owner {
    /// Whether this session may use what belongs to `other`: its own only, unless the card has been told to trust every
    /// caller.
    pub fn may_use(self, other: Self, link: &dyn Link) -> bool {
        self == other || trusts(link)
    }
}

/// Whether the card has been told to trust every caller.
pub fn trusts(link: &dyn Link) -> bool {
    link.switch("service.trust") == Some(serde_json::Value::Bool(true))
}

/// A session: begins with its first call.
#[derive(Debug)]
pub struct Session {
    /// Its name in the tables.
    pub owner: Owner,
    state: Mutex<State>,
}

/// What a session has.
#[derive(Debug, Default)]
pub struct State {
    ended: bool,
    /// Calls of VDEC Init less those of Deinit.
    pub vdec_inits: u32,
    /// `u32MaxGroupCount` of the first Init.
    pub vdec_groups: u32,
    /// Calls of VENC Init less those of Deinit.
    pub venc_inits: u32,
    /// `enVencType` of the first Init.
    pub venc_type: u32,
    /// Argument of VENC SetModParam by encoder type.
    pub venc_params: BTreeMap<u32, Vec<u8>>,
    /// Calls of IVPS Init less those of Deinit.
    pub ivps_inits: u32,
    /// Blocks of SYS MemAlloc by address.
    pub memory: BTreeMap<u64, Memory>,
    /// Partition set by SYS MemSetConfig for a module (its three numbers).
    pub partitions: BTreeMap<[u8; 12], Vec<u8>>,
    /// Argument of POOL SetConfig.
    pub pool_config: Option<Vec<u8>>,
    /// Pools made by POOL Init.
    pub common_pools: Option<Vec<u32>>,
}

/// A block of SYS MemAlloc.
#[derive(Debug)]
pub struct Memory {
    /// The block.
    pub block: CardBlock,
    /// Made by MemAllocCached.
    pub cached: bool,
}

impl Session {
    /// A session without anything.
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            state: Mutex::default(),
        }
    }

    /// The session's state; fails once the session has ended.  Whoever creates something for the
    /// session does so with this lock held, so that nothing is created after the end.
    pub fn state(&self) -> Result<MutexGuard<'_, State>, Fault> {
        let state = lock(&self.state);
        if state.ended {
            Err(Fault::NotInit)
        } else {
            Ok(state)
        }
    }

    /// Marks the session as ended and frees its memory.
    pub fn end(&self) {
        *lock(&self.state) = State {
            ended: true,
            ..State::default()
        };
    }
}
