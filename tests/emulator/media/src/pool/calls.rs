// SPDX-License-Identifier: MIT OR Apache-2.0

//! The POOL calls.

use super::{Block, Kind, PoolConfig, Pools};
use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{Args, View};
use crate::call::errors::Fault;
use crate::memory::session::Session;

/// Bytes of `AX_POOL_FLOORPLAN_T`: configurations of common pools, unused ones with 0 blocks.
const PLAN_SIZE: usize = 64 * PoolConfig::SIZE;

/// Serves the POOL call `api`.
pub fn call(pools: &Pools, session: &Session, api: u32, args: Args) -> Outcome {
    let owner = session.owner;
    let block = |handle| pools.block(owner, handle).ok_or(Fault::Unexist);
    let field = |pick: fn(Block) -> u64| Answer::value(pick(block(args.u32(0))?));
    let known = |id| pools.info(owner, id).ok_or(Fault::Unexist);
    match api {
        41 => set_config(session, args.bytes(0)),
        42 => {
            let plan = session.state()?.pool_config.clone();
            Answer::with(plan.unwrap_or_else(|| vec![0; PLAN_SIZE]))
        }
        43 => init(pools, session),
        44 => exit(pools, session),
        45 => {
            let _open = session.state()?;
            let config = PoolConfig::parse(args.view(0));
            Answer::value(pools.create(owner, Kind::User, config)?)
        }
        46 => pools
            .destroy(owner, Kind::User, args.u32(0))
            .and_then(|()| Answer::ok()),
        47 => Answer::value(pools.get(owner, args.u32(0), args.u64(1))?.handle),
        48 | 59 => pools
            .release(owner, args.u32(0))
            .and_then(|()| Answer::ok()),
        49 => {
            let block = pools.by_address(owner, args.u64(0));
            Answer::value(block.ok_or(Fault::Unexist)?.handle)
        }
        // The addresses that blocks are mapped at on the card mean nothing to a client; as the
        // worked example shows, they may be the same as the card addresses.
        50 | 56 => field(|b| b.phys),
        51 | 57 => field(|b| b.meta),
        52 => field(|b| b.pool.into()),
        53 => field(|b| b.size),
        54 | 55 => known(args.u32(0)).and_then(|_| Answer::ok()),
        58 => pools.retain(owner, args.u32(0)).and_then(|()| Answer::ok()),
        _ => Err(Fault::NotSupported),
    }
}

fn plan(bytes: &[u8]) -> impl Iterator<Item = PoolConfig> + '_ {
    bytes
        .chunks_exact(PoolConfig::SIZE)
        .map(|chunk| PoolConfig::parse(View(chunk)))
        .filter(|config| config.count > 0)
}

fn set_config(session: &Session, bytes: &[u8]) -> Outcome {
    let mut state = session.state()?;
    if state.common_pools.is_some() {
        return Err(Fault::NotPermitted);
    }
    state.pool_config = Some(bytes.to_vec());
    Answer::ok()
}

fn init(pools: &Pools, session: &Session) -> Outcome {
    let mut state = session.state()?;
    if state.common_pools.is_some() {
        return Answer::ok();
    }
    let config = state.pool_config.as_deref().ok_or(Fault::NotConfig)?;
    let mut made = Vec::new();
    for config in plan(config) {
        match pools.create(session.owner, Kind::Common, config) {
            Ok(id) => made.push(id),
            Err(fault) => {
                for id in made {
                    let _ = pools.destroy(session.owner, Kind::Common, id);
                }
                return Err(fault);
            }
        }
    }
    state.common_pools = Some(made);
    Answer::ok()
}

/// Exit: programs begin with it, to be rid of what an earlier one has left, so there may be nothing
/// to end.
fn exit(pools: &Pools, session: &Session) -> Outcome {
    let made = session.state()?.common_pools.take();
    for id in made.into_iter().flatten() {
        // Fails if there is none of that number any more.
        let _ = pools.destroy(session.owner, Kind::Common, id);
    }
    Answer::ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::blobs::Record;

    #[test]
    fn plan_skips_empty_entries() {
        let mut r = Record::new(PLAN_SIZE);
        r.u64(96 + 8, 4096).u32(96 + 16, 2);
        let plan: Vec<_> = plan(&r.finish()).collect();
        assert_eq!(plan.len(), 1);
        assert_eq!((plan[0].block_size, plan[0].count), (4096, 2));
    }
}
