// SPDX-License-Identifier: MIT OR Apache-2.0

//! The SYS calls: card memory, links between modules ([`crate::flow::links`]), time stamps.
//!
//! "Virtual addresses" are those of the card's processor and mean nothing to a client; here they
//! are equal to the card addresses, as in the worked examples of [rpc 9].

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ax650_emu_api::{Cmm, CmmBlock, Link};

use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{Args, Record, View};
use crate::call::errors::Fault;
use crate::flow::links::Links;
use crate::memory::block::CardBlock;
use crate::memory::session::{Memory, Session};
use crate::work::wait::lock;

/// `AX_MOD_INFO_T`: module, group, channel.
type Module = [u8; 12];
/// Number of the AX650N in `AX_CHIP_TYPE_E`.
const CHIP_AX650N: u32 = 2;
/// Modules of a session that a partition is kept for.
const MAX_PARTITIONS: usize = 256;
/// The card's only CMM partition.
const PARTITION: &str = "anonymous";

/// State of module SYS.
pub struct Sys {
    link: Arc<dyn Link>,
    boot: Instant,
    /// What is added to the time since boot, in microseconds.
    pts_offset: Mutex<i64>,
    /// The links between modules.
    pub links: Links,
    log_level: AtomicU32,
    log_target: AtomicU32,
}

impl Sys {
    /// The state after boot.
    pub fn new(link: &Arc<dyn Link>) -> Self {
        Self {
            link: link.clone(),
            boot: Instant::now(),
            pts_offset: Mutex::default(),
            links: Links::default(),
            log_level: AtomicU32::new(4),
            log_target: AtomicU32::new(0),
        }
    }

    /// Serves the SYS call `api`.
    pub fn call(&self, session: &Session, api: u32, args: Args) -> Outcome {
        match api {
            2 => self.alloc(session, args.u32(1), args.u32(2), args.view(3), false),
            3 => self.alloc(session, args.u32(0), args.u32(1), args.view(2), true),
            4 => {
                let memory = session.state()?.memory.remove(&args.u64(0));
                memory.map(drop).ok_or(Fault::Unexist)?;
                Answer::ok()
            }
            5..=8 => {
                self.own_block(session, args.u64(0), args.u32(1).into())?;
                Answer::value(args.u64(0))
            }
            9 => self
                .own_block(session, args.u64(0), args.u32(1).into())
                .and_then(|_| Answer::ok()),
            10 | 11 => self
                .own_block(session, args.u64(0), args.u32(2).into())
                .and_then(|_| Answer::ok()),
            12 | 13 => self.block_info(session, api, args.u64(0)),
            14 => Answer::with(self.partitions()),
            15 => {
                let name = args.bytes(1);
                if View(name).text(0, name.len()) != PARTITION {
                    return Err(Fault::IllegalParam);
                }
                let mut state = session.state()?;
                if state.partitions.len() >= MAX_PARTITIONS {
                    return Err(Fault::NoBuffer);
                }
                state.partitions.insert(module(args, 0), name.to_vec());
                Answer::ok()
            }
            16 => {
                let state = session.state()?;
                let name = state.partitions.get(&module(args, 0));
                Answer::with(name.cloned().ok_or(Fault::NotConfig)?)
            }
            17 => Answer::with(self.status()),
            31 => self.links.add(session.owner, args.view(0), args.view(1)),
            32 => self.links.remove(session.owner, args.view(0), args.view(1)),
            33 => self.links.by_target(session.owner, args.view(0)),
            34 => self.links.by_source(session.owner, args.view(0)),
            71 => Answer::with(self.pts().to_le_bytes().to_vec()),
            72 | 73 => {
                // The one starts, the other corrects the same clock.
                let since_boot = self.since_boot();
                *lock(&self.pts_offset) = (args.u64(0) as i64).wrapping_sub(since_boot);
                Answer::ok()
            }
            81 => Answer::value(CHIP_AX650N),
            91 => set(&self.log_level, args.u32(0), 7),
            92 => set(&self.log_target, args.u32(0), 3),
            _ => Err(Fault::NotSupported),
        }
    }

    fn alloc(
        &self,
        session: &Session,
        size: u32,
        align: u32,
        token: View,
        cached: bool,
    ) -> Outcome {
        let align = u64::from(align.max(1));
        if size == 0 || !align.is_power_of_two() {
            return Err(Fault::IllegalParam);
        }
        let spare = if align > Cmm::ALIGN { align } else { 0 };
        let name = match token.text(0, 64) {
            name if name.is_empty() => "sys".to_owned(),
            name => name,
        };
        let mut state = session.state()?;
        let total = u64::from(size) + spare;
        let block = CardBlock::new(&self.link, total, &name, session.owner.session)?;
        let address = block.address().next_multiple_of(align);
        state.memory.insert(address, Memory { block, cached });
        let address = address.to_le_bytes().to_vec();
        Answer::all(vec![address.clone(), address])
    }

    /// The session's block that holds all of `[address, address + len)`.
    fn own_block(&self, session: &Session, address: u64, len: u64) -> Result<CmmBlock, Fault> {
        let block = self.link.cmm().find(address, len);
        block
            .filter(|b| b.owner == session.owner.session)
            .ok_or(Fault::BadAddress)
    }

    fn block_info(&self, session: &Session, api: u32, address: u64) -> Outcome {
        let block = self.own_block(session, address, 1)?;
        let state = session.state()?;
        let cached = state
            .memory
            .values()
            .any(|m| m.cached && m.block.address() == block.address);
        let cached = u32::from(cached).to_le_bytes().to_vec();
        let start = block.address.to_le_bytes().to_vec();
        let size = u32::try_from(block.size).unwrap_or(u32::MAX);
        Answer::all(match api {
            12 => vec![cached, start, size.to_le_bytes().to_vec()],
            _ => vec![start, cached],
        })
    }

    /// `AX_PARTITION_INFO_T`: the count, then 16 entries of address, KiB and name.
    fn partitions(&self) -> Vec<u8> {
        let cmm = self.link.cmm();
        let mut r = Record::new(776);
        r.u32(0, 1)
            .u64(8, cmm.base())
            .u32(16, kib(cmm.size()))
            .bytes(20, PARTITION.as_bytes());
        r.finish()
    }

    /// `AX_CMM_STATUS_T`: KiB in all, KiB free, blocks; the partitions.
    fn status(&self) -> Vec<u8> {
        let cmm = self.link.cmm();
        let mut r = Record::new(792);
        r.u32(0, kib(cmm.size()))
            .u32(4, kib(cmm.size().saturating_sub(cmm.used())))
            .u32(8, crate::call::blobs::clamp32(cmm.list().len()))
            .bytes(16, &self.partitions());
        r.finish()
    }

    fn since_boot(&self) -> i64 {
        i64::try_from(self.boot.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    /// The card's time stamp in microseconds.
    fn pts(&self) -> u64 {
        lock(&self.pts_offset).wrapping_add(self.since_boot()) as u64
    }

    /// State for the control socket.
    pub fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "links": self.links.list().len(),
            "log_level": self.log_level.load(Ordering::Relaxed),
            "log_target": self.log_target.load(Ordering::Relaxed),
        })
    }
}

fn module(args: Args, i: usize) -> Module {
    args.bytes(i).try_into().unwrap_or_default()
}

fn set(value: &AtomicU32, to: u32, max: u32) -> Outcome {
    if to > max {
        return Err(Fault::IllegalParam);
    }
    value.store(to, Ordering::Relaxed);
    Answer::ok()
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}
