// SPDX-License-Identifier: MIT OR Apache-2.0

//! Enabling and disabling of channels, and the pools made for them.

use std::sync::atomic::Ordering;

use super::attr::ChannelAttr;
use super::group::Group;
use crate::call::errors::Fault;
use crate::pool::{Kind, PoolConfig};
use crate::work::wait::Deadline;

impl Group {
    /// EnableChn: makes the channel's pool if it is to have one.
    pub fn enable(&self, channel: usize) -> Result<(), Fault> {
        let state = self.alive()?;
        let c = &state.channels[channel];
        if c.enabled {
            return Ok(());
        }
        let attr = c.attr.ok_or(Fault::NotConfig)?;
        let wants_pool = c.attached.is_none() && state.attr.auto_pool;
        let old = c.own_pool.filter(|(_, made_for)| *made_for != attr);
        let has_pool = c.own_pool.is_some() && old.is_none();
        drop(state);
        if let Some((pool, _)) = old {
            let _ = self.pools.destroy(self.owner, Kind::Codec, pool);
            self.state().channels[channel].own_pool = None;
        }
        let made = if wants_pool && !has_pool {
            Some(self.make_pool(channel, &attr)?)
        } else {
            None
        };
        let mut state = self.state();
        let c = &mut state.channels[channel];
        if self.is_gone() || made.is_some() && c.own_pool.is_some() {
            // Another thread was faster.
            drop(state);
            if let Some(pool) = made {
                let _ = self.pools.destroy(self.owner, Kind::Codec, pool);
            }
            return Err(Fault::Busy);
        }
        if let Some(pool) = made {
            c.own_pool = Some((pool, attr));
        }
        c.enabled = true;
        c.begin();
        self.notify();
        Ok(())
    }

    fn make_pool(&self, channel: usize, attr: &ChannelAttr) -> Result<u32, Fault> {
        let config = PoolConfig {
            meta_size: 0,
            block_size: attr.pool_block()?,
            count: attr.buffers,
            cached: false,
            partition: String::new(),
            name: format!("vdec_grp{}_chn{channel}", self.id),
        };
        self.pools.create(self.owner, Kind::Codec, config)
    }

    /// DisableChn: drops the pictures that the client has not taken.  Those that it has stay good
    /// until the group is destroyed or the channel is enabled with another attribute.
    pub fn disable(&self, channel: usize) -> Result<(), Fault> {
        let mut state = self.alive()?;
        let c = &mut state.channels[channel];
        c.enabled = false;
        let blocks: Vec<_> = c.ready.drain(..).map(|p| p.block).collect();
        self.channel_epochs[channel].fetch_add(1, Ordering::SeqCst);
        drop(state);
        self.give_back(&blocks);
        let mut state = self.state();
        while state.channels[channel].writing {
            state = self.wait(state, Deadline::Never, Fault::Busy)?;
        }
        Ok(())
    }
}
