// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sets of channels that a client waits for together: the SelectGrp calls.

use super::{Venc, MAX_CHANNELS};
use crate::call::answer::{Answer, Outcome};
use crate::call::blobs::{clamp32, Args, Record};
use crate::call::errors::Fault;
use crate::memory::session::Owner;
use crate::work::wait::{lock, Deadline};

/// Sets that a session can have.
const MAX_SETS: u32 = 16;

impl Venc {
    /// Serves the calls 7 to 11.
    pub fn select_call(&self, owner: Owner, api: u32, args: Args) -> Outcome {
        let set = args.u32(0);
        if set >= MAX_SETS {
            return Err(Fault::InvalidGroup);
        }
        let key = (owner, set);
        match api {
            7 => self.select(key, Deadline::after(args.i32(1))),
            8 => {
                lock(&self.selects).remove(&key).ok_or(Fault::Unexist)?;
                Answer::ok()
            }
            9 => {
                let id = self.channel(owner, args.u32(1))?.id;
                let fresh = lock(&self.selects).entry(key).or_default().insert(id);
                fresh.then_some(()).ok_or(Fault::Exists)?;
                Answer::ok()
            }
            10 => {
                let mut selects = lock(&self.selects);
                let members = selects.get_mut(&key).ok_or(Fault::Unexist)?;
                let was = members.remove(&args.u32(1));
                was.then_some(()).ok_or(Fault::Unexist)?;
                Answer::ok()
            }
            _ => {
                // 16 bit each: the number of channels, then the channels.
                let mut r = Record::new(130);
                let members = self.members(key)?;
                r.u16(0, members.len() as u16);
                for (i, id) in members.into_iter().enumerate() {
                    r.u16(2 + 2 * i, id as u16);
                }
                Answer::with(r.finish())
            }
        }
    }

    fn members(&self, key: (Owner, u32)) -> Result<Vec<u32>, Fault> {
        let selects = lock(&self.selects);
        let members = selects.get(&key).ok_or(Fault::Unexist)?;
        Ok(members.iter().copied().collect())
    }

    /// SelectGrp: `AX_CHN_STREAM_STATUS_T` of the channels that have packets, or of which the client
    /// has not yet been told that none follows; the call's own end of stream once it has been told of
    /// all (see the decoder's SelectGrp).
    fn select(&self, key: (Owner, u32), deadline: Deadline) -> Outcome {
        const _: () = assert!(MAX_CHANNELS <= 64, "the structure has room for 64");
        loop {
            let seen = self.activity.count();
            let mut r = Record::new(516);
            let mut count = 0;
            let (mut alive, mut all_over) = (false, true);
            for id in self.members(key)? {
                let Ok(channel) = self.channel(key.0, id) else {
                    continue;
                };
                alive = true;
                let state = channel.state();
                let over = state.ready.is_empty() && state.ended;
                all_over &= over && state.end_told;
                if !state.ready.is_empty() || over && !state.end_told {
                    r.u32(4 + 4 * count, id)
                        .u32(260 + 4 * count, state.attr.codec.number());
                    count += 1;
                }
            }
            if !alive {
                return Err(Fault::Unexist);
            }
            if count > 0 {
                r.u32(0, clamp32(count));
                return Answer::with(r.finish());
            }
            if all_over {
                return Err(Fault::FlowEnd);
            }
            self.activity.wait(seen, deadline, Fault::QueueEmpty)?;
        }
    }
}
