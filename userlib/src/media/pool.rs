// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pools: equal blocks of card memory that the card's media modules count references of [rpc 7.3].

use std::sync::Arc;

use super::waiting::give_back;
use crate::error::{Error, Result};
use crate::native::Api;
use crate::proto::axclrpc::native::{Module, SysApi};
use crate::session::Session;
use crate::stream::Stream;

/// Bytes of `AX_POOL_CONFIG_T`.
const CONFIG_SIZE: usize = 96;
/// Bytes of bookkeeping per block.
const META_SIZE: u64 = 512;
/// CreatePool's answer when it failed.
const NO_POOL: u32 = u32::MAX;

/// Calls whose return value is a number, not a status.
struct Getter {
    what: &'static str,
    api: SysApi,
}
const CREATE: Getter = Getter {
    what: "create a pool",
    api: SysApi::AxPoolCreatePool,
};
const GET: Getter = Getter {
    what: "get a block of a pool",
    api: SysApi::AxPoolGetBlock,
};
const ADDRESS: Getter = Getter {
    what: "ask for a block's address",
    api: SysApi::AxPoolHandle2PhysAddr,
};

const DESTROY: Api = Api {
    what: "destroy a pool",
    module: Module::Sys,
    number: SysApi::AxPoolDestroyPool as i32,
    outputs: &[],
};
const RELEASE: Api = Api {
    what: "give a block back",
    module: Module::Sys,
    number: SysApi::AxPoolReleaseBlock as i32,
    outputs: &[],
};

/// A pool; destroyed when it and all its blocks are dropped.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    stream: Stream,
    id: [u8; 4],
    block_size: u64,
}

/// A block of a pool, given back when dropped.
#[derive(Debug)]
pub struct Block {
    pool: Pool,
    handle: u32,
    address: u64,
}

impl Pool {
    /// Makes a pool of `count` blocks of `block_size` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`]: the card made none; it does not say why, most likely its memory is used up.
    pub fn new(session: &Session, block_size: u64, count: u32) -> Result<Self> {
        let stream = session.stream();
        let answer = CREATE.call(&stream, &[&config(block_size, count)])?;
        let id: [u8; 4] = answer
            .as_slice()
            .try_into()
            .ok()
            .filter(|id| u32::from_le_bytes(*id) != NO_POOL)
            .ok_or_else(|| {
                let size = block_size;
                Error::answer(
                    CREATE.what,
                    format!("no pool of {count} blocks of {size} bytes"),
                )
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                stream,
                id,
                block_size,
            }),
        })
    }

    /// Takes a free block; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card refused it.
    pub fn block(&self) -> Result<Option<Block>> {
        let Inner {
            stream,
            id,
            block_size,
        } = &*self.inner;
        let answer = GET.call(stream, &[id, &block_size.to_le_bytes(), &[]])?;
        let bytes: [u8; 4] = answer.try_into().map_err(|answer: Vec<u8>| {
            Error::answer(GET.what, format!("{} bytes", answer.len()))
        })?;
        let handle = u32::from_le_bytes(bytes);
        if handle == 0 {
            return Ok(None);
        }
        // From here on the block is given back if anything fails.
        let mut block = Block {
            pool: self.clone(),
            handle,
            address: 0,
        };
        let answer = ADDRESS.call(stream, &[&bytes])?;
        block.address = answer
            .try_into()
            .ok()
            .map(u64::from_le_bytes)
            .filter(|address| *address != 0)
            .ok_or_else(|| Error::answer(ADDRESS.what, "none"))?;
        Ok(Some(block))
    }
}

impl Block {
    /// Returns the block's address in card memory.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Returns the block's number, which pictures in it carry.
    pub fn handle(&self) -> u32 {
        self.handle
    }
}

impl Getter {
    fn call(&self, stream: &Stream, blobs: &[&[u8]]) -> Result<Vec<u8>> {
        let answer = stream.native_raw(Module::Sys, self.api.into(), blobs, 512, None)?;
        answer
            .into_iter()
            .next()
            .ok_or_else(|| Error::answer(self.what, "no return value"))
    }
}

/// `AX_POOL_CONFIG_T` [rpc 7.6].
fn config(block_size: u64, count: u32) -> [u8; CONFIG_SIZE] {
    let mut config = [0; CONFIG_SIZE];
    config[0..8].copy_from_slice(&META_SIZE.to_le_bytes());
    config[8..16].copy_from_slice(&block_size.to_le_bytes());
    config[16..20].copy_from_slice(&count.to_le_bytes());
    config[28..37].copy_from_slice(b"anonymous");
    config
}

impl Drop for Inner {
    fn drop(&mut self) {
        give_back(
            &self.stream,
            [self.stream.native_call(&DESTROY, &[&self.id])],
        );
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let stream = &self.pool.inner.stream;
        let handle = self.handle.to_le_bytes();
        give_back(stream, [stream.native_call(&RELEASE, &[&handle])]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn configuration_of_the_notes() {
        // [rpc 9], AX_POOL_CreatePool: 10 blocks of 640x480 NV12.
        let config = super::config(0x70800, 10);
        let head = [
            0, 2, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(config[..28], head);
        assert_eq!(&config[28..38], b"anonymous\0");
        assert!(config[38..].iter().all(|byte| *byte == 0));
    }
}
