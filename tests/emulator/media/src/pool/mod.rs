// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pools of equal blocks of card memory, with reference counts [rpc 7.3].

pub mod calls;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use ax650_emu_api::{Cmm, Link};

use crate::call::blobs::View;
use crate::call::errors::Fault;
use crate::memory::block::CardBlock;
use crate::memory::session::{trusts, Owner};
use crate::work::wait::{lock, Deadline};

/// Pools that the card can have.
pub const MAX_POOLS: usize = 256;
/// Blocks of one pool.
pub const MAX_BLOCKS: u32 = 1024;
/// In place of a pool's id: any common pool.
pub const ANY_POOL: u32 = u32::MAX;
/// The highest byte of each block's handle.
const HANDLE_MAGIC: u32 = 0x5e00_0000;

/// `AX_POOL_CONFIG_T`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Bytes of each block's metadata.
    pub meta_size: u64,
    /// Bytes of each block.
    pub block_size: u64,
    /// Number of blocks.
    pub count: u32,
    /// Blocks are cached for the card's processor.
    pub cached: bool,
    /// CMM partition.
    pub partition: String,
    /// Name in the card's table.
    pub name: String,
}

impl PoolConfig {
    /// Size of the structure.
    pub const SIZE: usize = 96;

    /// Reads the structure.
    pub fn parse(v: View) -> Self {
        Self {
            meta_size: v.u64(0),
            block_size: v.u64(8),
            count: v.u32(16),
            cached: v.u32(24) != 0,
            partition: v.text(28, 32),
            name: v.text(60, 32),
        }
    }
}

/// Who made a pool, which says who may destroy it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The client, by CreatePool.
    User,
    /// The client, by Init.
    Common,
    /// A decoder channel for its pictures.
    Codec,
}

/// A block that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its handle.
    pub handle: u32,
    /// Its pool.
    pub pool: u32,
    /// Card address.
    pub phys: u64,
    /// Card address of its metadata.
    pub meta: u64,
    /// Usable bytes.
    pub size: u64,
}

/// State of a pool for the card's table.
#[derive(Debug, Clone)]
pub struct PoolInfo {
    /// Id.
    pub id: u32,
    /// Owner.
    pub owner: Owner,
    /// Maker.
    pub kind: Kind,
    /// Configuration.
    pub config: PoolConfig,
    /// Card address of the first block.
    pub phys: u64,
    /// Blocks in use.
    pub used: usize,
}

#[derive(Debug)]
struct Pool {
    owner: Owner,
    kind: Kind,
    config: PoolConfig,
    memory: CardBlock,
    /// Bytes from block to block; the metadata of all blocks follows the last one.
    pitch: u64,
    first_handle: u32,
    /// Reference count of each block.
    refs: Vec<u32>,
}

impl Pool {
    fn block(&self, id: u32, index: usize) -> Block {
        let (index, count) = (index as u64, u64::from(self.config.count));
        let base = self.memory.address();
        Block {
            handle: self.first_handle + index as u32,
            pool: id,
            phys: base + index * self.pitch,
            meta: base + count * self.pitch + index * self.config.meta_size,
            size: self.config.block_size,
        }
    }

    fn take(&mut self, id: u32) -> Option<Block> {
        let index = self.refs.iter().position(|&refs| refs == 0)?;
        self.refs[index] = 1;
        Some(self.block(id, index))
    }
}

#[derive(Debug, Default)]
struct State {
    pools: BTreeMap<u32, Pool>,
    handles: u32,
}

impl State {
    /// Pool and index of a block in use that `owner` may use.
    fn locate(&self, link: &dyn Link, owner: Owner, handle: u32) -> Option<(u32, usize)> {
        self.pools
            .iter()
            .filter(|(_, p)| owner.may_use(p.owner, link))
            .find_map(|(&id, p)| {
                let index = handle.checked_sub(p.first_handle)? as usize;
                (*p.refs.get(index)? > 0).then_some((id, index))
            })
    }
}

/// All pools of the card.
pub struct Pools {
    link: Arc<dyn Link>,
    state: Mutex<State>,
    freed: Condvar,
}

impl Pools {
    /// No pools yet.
    pub fn new(link: &Arc<dyn Link>) -> Self {
        Self {
            link: link.clone(),
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Whether the card has been told to trust every caller.
    pub fn trusts(&self) -> bool {
        trusts(&*self.link)
    }

    /// Makes a pool; returns its id.
    pub fn create(&self, owner: Owner, kind: Kind, config: PoolConfig) -> Result<u32, Fault> {
        if config.block_size == 0 || !(1..=MAX_BLOCKS).contains(&config.count) {
            return Err(Fault::IllegalParam);
        }
        let pitch = config
            .block_size
            .checked_next_multiple_of(Cmm::ALIGN)
            .ok_or(Fault::NoBuffer)?;
        let total = pitch
            .checked_add(config.meta_size)
            .and_then(|n| n.checked_mul(config.count.into()))
            .ok_or(Fault::NoBuffer)?;
        let mut state = lock(&self.state);
        if state.pools.len() >= MAX_POOLS {
            return Err(Fault::NoBuffer);
        }
        let name = match config.name.as_str() {
            "" => "pool",
            name => name,
        };
        let memory = CardBlock::new(&self.link, total, name, owner.session)?;
        let id = (1..).find(|id| !state.pools.contains_key(id)).unwrap_or(1);
        // 24 bits of the handle count blocks; those of pools long gone come round again.
        if state.handles + config.count > 0xff_ffff {
            state.handles = 0;
        }
        let first_handle = HANDLE_MAGIC + state.handles + 1;
        state.handles += config.count;
        let pool = Pool {
            owner,
            kind,
            memory,
            pitch,
            first_handle,
            refs: vec![0; config.count as usize],
            config,
        };
        state.pools.insert(id, pool);
        Ok(id)
    }

    /// Removes a pool of that owner and kind.  Pools of the client must have no block in use; the
    /// others go with their blocks.
    pub fn destroy(&self, owner: Owner, kind: Kind, id: u32) -> Result<(), Fault> {
        let mut state = lock(&self.state);
        match state
            .pools
            .get(&id)
            .filter(|p| owner.may_use(p.owner, &*self.link))
        {
            None => return Err(Fault::Unexist),
            Some(p) if p.kind != kind => return Err(Fault::NotPermitted),
            Some(p) if kind == Kind::User && !self.trusts() && p.refs.iter().any(|&n| n > 0) => {
                return Err(Fault::Busy)
            }
            Some(_) => (),
        }
        state.pools.remove(&id);
        self.freed.notify_all();
        Ok(())
    }

    /// Removes all pools of a session that has ended.
    pub fn end(&self, owner: Owner) {
        lock(&self.state).pools.retain(|_, p| p.owner != owner);
        self.freed.notify_all();
    }

    /// A free block of at least `size` bytes of pool `id`, or of any common pool of the owner.
    pub fn get(&self, owner: Owner, id: u32, size: u64) -> Result<Block, Fault> {
        self.try_get(&mut lock(&self.state), owner, id, size)
    }

    fn try_get(&self, state: &mut State, owner: Owner, id: u32, size: u64) -> Result<Block, Fault> {
        let may_use = |p: &Pool| owner.may_use(p.owner, &*self.link);
        let fits = |p: &Pool| may_use(p) && p.config.block_size >= size;
        if id != ANY_POOL {
            let pool = state.pools.get_mut(&id).filter(|p| may_use(p));
            let pool = pool.ok_or(Fault::Unexist)?;
            if !fits(pool) {
                return Err(Fault::IllegalParam);
            }
            return pool.take(id).ok_or(Fault::NoBuffer);
        }
        let mut common = state
            .pools
            .iter_mut()
            .filter(|(_, p)| p.kind == Kind::Common && fits(p))
            .peekable();
        common.peek().ok_or(Fault::Unexist)?;
        common
            .find_map(|(&id, p)| p.take(id))
            .ok_or(Fault::NoBuffer)
    }

    /// As [`Self::get`], but waits for a block to come back until `cancelled` says not to; see
    /// [`Self::wake`].
    pub fn wait(
        &self,
        owner: Owner,
        id: u32,
        size: u64,
        cancelled: impl Fn() -> bool,
    ) -> Result<Block, Fault> {
        let mut state = lock(&self.state);
        loop {
            match self.try_get(&mut state, owner, id, size) {
                Err(Fault::NoBuffer) if cancelled() => return Err(Fault::NoBuffer),
                Err(Fault::NoBuffer) => {
                    state = Deadline::Never.wait(&self.freed, state, Fault::NoBuffer)?;
                }
                other => return other,
            }
        }
    }

    /// Lets those in [`Self::wait`] look at `cancelled` again.
    pub fn wake(&self) {
        // With the lock, so that nobody is between looking and waiting.
        let _state = lock(&self.state);
        self.freed.notify_all();
    }

    /// The block of a handle.
    pub fn block(&self, owner: Owner, handle: u32) -> Option<Block> {
        let state = lock(&self.state);
        let (id, index) = state.locate(&*self.link, owner, handle)?;
        Some(state.pools.get(&id)?.block(id, index))
    }

    /// The block in use that holds `phys`.
    pub fn by_address(&self, owner: Owner, phys: u64) -> Option<Block> {
        let state = lock(&self.state);
        let mut own = state.pools.iter().filter(|(_, p)| p.owner == owner);
        own.find_map(|(&id, p)| {
            let offset = phys.checked_sub(p.memory.address())?;
            let index = usize::try_from(offset / p.pitch).ok()?;
            (*p.refs.get(index)? > 0).then(|| p.block(id, index))
        })
    }

    /// One more user of a block.
    pub fn retain(&self, owner: Owner, handle: u32) -> Result<(), Fault> {
        self.change(owner, handle, |refs| refs.checked_add(1))
    }

    /// One user less; the last one gives the block back.
    pub fn release(&self, owner: Owner, handle: u32) -> Result<(), Fault> {
        self.change(owner, handle, |refs| refs.checked_sub(1))?;
        self.freed.notify_all();
        Ok(())
    }

    fn change(
        &self,
        owner: Owner,
        handle: u32,
        by: impl Fn(u32) -> Option<u32>,
    ) -> Result<(), Fault> {
        let mut state = lock(&self.state);
        let (id, index) = state
            .locate(&*self.link, owner, handle)
            .ok_or(Fault::Unexist)?;
        let pool = state.pools.get_mut(&id).ok_or(Fault::Unexist)?;
        let refs = pool.refs.get_mut(index).ok_or(Fault::Unexist)?;
        *refs = by(*refs).ok_or(Fault::NotPermitted)?;
        Ok(())
    }

    /// One pool of `owner`.
    pub fn info(&self, owner: Owner, id: u32) -> Option<PoolInfo> {
        self.list()
            .into_iter()
            .find(|p| p.id == id && p.owner == owner)
    }

    /// All pools, for the card's table.
    pub fn list(&self) -> Vec<PoolInfo> {
        lock(&self.state)
            .pools
            .iter()
            .map(|(&id, p)| PoolInfo {
                id,
                owner: p.owner,
                kind: p.kind,
                config: p.config.clone(),
                phys: p.memory.address(),
                used: p.refs.iter().filter(|&&n| n > 0).count(),
            })
            .collect()
    }
}
