// SPDX-License-Identifier: GPL-2.0

//! `AX650_IOC_SUBMIT`: every field of every step is checked here, before anything is queued.

use kernel::uaccess::{
    UserPtr,
    UserSlice, //
};

use super::{
    client::{
        Client,
        Holdings, //
    },
    DEFAULT_TIMEOUT,
    MAX_JOBS,
    MAX_STEPS,
    MAX_STEP_SIZE, //
};
use crate::{
    glue::{
        eventfd::EventFd,
        plain,
        prelude::*,
        task,
        time::{
            Instant,
            Moment, //
        }, //
    },
    link::life::NotServing,
    session::{
        base::MAX_FRAME,
        claim::Claim,
        job::{
            Call,
            Copy,
            Frame,
            Job,
            Reply,
            Step,
            Work, //
        },
        Session, //
    },
    uapi::{
        self,
        Submit,
        STEP_CALL,
        STEP_COPY_FROM_CARD,
        STEP_COPY_TO_CARD,
        STEP_NO_REPLY,
        STEP_PIPELINED, //
    },
    wire::{
        bytes,
        frame::{
            HEADER_SIZE,
            MAX_MESSAGE, //
        },
        grants::{
            Effect,
            Named, //
        },
        policy, //
    }, //
};

impl Client {
    /// Checks and queues a job.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `ESTALE` or `EHOSTDOWN` if the card does not serve; `ENOENT` for a handle that names
    /// nothing; `EINVAL` or `EPERM` for a step that is not allowed; `EACCES`, `EBUSY` or `ENOSPC` for what it
    /// names; `E2BIG` for steps that are too long; `EDQUOT` for too much memory in long frames; those of
    /// [`EventFd::get`],
    /// [`Board::admit`] and [`Session::submit`].
    pub(super) fn submit_job(&self, args: &mut Submit) -> Result {
        self.check_there()?;
        if args.flags != 0 || args.reserved != 0 || args.step_size == 0 || args.eventfd < -1 {
            return Err(EINVAL);
        }
        if args.step_size > MAX_STEP_SIZE {
            return Err(E2BIG);
        }
        if args.step_count == 0 || args.step_count > MAX_STEPS {
            return Err(EINVAL);
        }
        let session = self.holdings.lock().sessions.get(args.session)?;
        // A session is never older than its boot: a card that is not up yet is being reset.
        let serving = self.card.check_serving(session.generation);
        serving.map_err(|reason| match reason {
            NotServing::NotYet => NotServing::Stale,
            other => other,
        })?;
        let eventfd = match args.eventfd {
            -1 => None,
            fd => Some(EventFd::get(fd)?),
        };
        let steps = self.read_steps(&session, args)?;
        let deadline = match args.timeout_ns {
            0 => Instant::now() + DEFAULT_TIMEOUT,
            at => at.instant(),
        };
        let number = self.board.admit(MAX_JOBS)?;
        let board = self.board.clone();
        let job = Job::new(number, args.user_data, steps, deadline, board, eventfd);
        let submitted = KBox::new(job, GFP_KERNEL_ACCOUNT)
            .map_err(Error::from)
            .and_then(|job| session.submit(job));
        if let Err(e) = submitted {
            self.board.revoke(number);
            return Err(e);
        }
        args.job = number;
        Ok(())
    }

    fn read_steps(&self, session: &Session, args: &Submit) -> Result<KVec<Step>> {
        let size = args.step_size as usize;
        let count = args.step_count as usize;
        let mut at = usize::try_from(args.steps).map_err(|_| EFAULT)?;
        let mut steps = KVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..count {
            let step: uapi::Step = plain::read(UserSlice::new(UserPtr::from_addr(at), size))?;
            at = at.checked_add(size).ok_or(EFAULT)?;
            // Frames can be long, and many.
            if task::must_leave() {
                return Err(ERESTARTSYS);
            }
            steps.push(self.check_step(session, &step)?, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(steps)
    }

    fn check_step(&self, session: &Session, step: &uapi::Step) -> Result<Step> {
        if step.reserved != 0 || step.flags & !(STEP_PIPELINED | STEP_NO_REPLY) != 0 {
            return Err(EINVAL);
        }
        let pipelined = step.flags & STEP_PIPELINED != 0;
        let (work, claim) = match step.op {
            STEP_COPY_TO_CARD | STEP_COPY_FROM_CARD => {
                let copy = check_copy(step, &self.holdings.lock())?;
                let mut names = KVec::new();
                names.push(
                    Named::Range {
                        address: copy.address,
                        size: copy.size.into(),
                    },
                    GFP_KERNEL,
                )?;
                (Work::Copy(copy), Claim::new(names, Effect::None, None)?)
            }
            STEP_CALL => {
                let (call, claim) = self.check_call(session, step)?;
                (Work::Call(call), claim)
            }
            _ => return Err(EINVAL),
        };
        Ok(Step::new(work, pipelined, claim))
    }

    fn check_call(
        &self,
        session: &Session,
        step: &uapi::Step,
    ) -> Result<(Call, Option<KBox<Claim>>)> {
        let unused = [
            step.sequence,
            step.context.into(),
            step.stream.into(),
            step.card_address,
            step.buffer.into(),
            step.offset,
        ];
        if unused.iter().any(|&field| field != 0) {
            return Err(EINVAL);
        }
        if step.size < HEADER_SIZE as u64 || step.size > MAX_FRAME.into() {
            return Err(EMSGSIZE);
        }
        let user = usize::try_from(step.frame).map_err(|_| EFAULT)?;
        let user = UserSlice::new(UserPtr::from_addr(user), step.size as usize);
        let (frame, (verdict, names)) = self.read_frame(session, user, step.size as usize)?;
        let no_reply = step.flags & STEP_NO_REPLY != 0;
        if verdict.reply == no_reply || (no_reply && step.reply_buffer != 0) {
            return Err(EINVAL);
        }
        let reply = match step.reply_buffer {
            0 if step.reply_offset != 0 || step.reply_capacity != 0 => return Err(EINVAL),
            0 => None,
            handle => {
                let buffer = self.holdings.lock().buffers.get(handle)?;
                if !buffer.holds(step.reply_offset, step.reply_capacity.into()) {
                    return Err(EINVAL);
                }
                if !buffer.is_writable() {
                    return Err(EROFS);
                }
                if !buffer.is_own() {
                    // The interrupt's thread writes answers, and must not wait for another driver.
                    return Err(EOPNOTSUPP);
                }
                Some(Reply {
                    buffer,
                    offset: step.reply_offset as usize,
                    capacity: step.reply_capacity,
                })
            }
        };
        let claim = Claim::new(names, verdict.effect, Some(verdict.header))?;
        let call = Call {
            header: verdict.header,
            frame,
            reply,
            no_reply,
        };
        Ok((call, claim))
    }

    /// Copies a frame into memory that its owner cannot change any more, and only then looks at it.
    fn read_frame(
        &self,
        session: &Session,
        user: UserSlice,
        len: usize,
    ) -> Result<(Frame, Admitted)> {
        if len <= MAX_MESSAGE {
            let mut bytes = KVec::new();
            user.read_all(&mut bytes, GFP_KERNEL_ACCOUNT)?;
            let admitted = self.admit_frame(&mut bytes)?;
            return Ok((Frame::Short(bytes), admitted));
        }
        let mut bytes: KVVec<u8> = KVVec::new();
        user.read_all(&mut bytes, GFP_KERNEL)?;
        let admitted = self.admit_frame(&mut bytes)?;
        let memory = &self.card.pool.memory;
        let staged = session.staging.stage(memory, &self.account, &bytes)?;
        Ok((Frame::Long(staged), admitted))
    }

    /// Checks a frame against the list of what clients may send, and puts the card's id in.
    fn admit_frame(&self, frame: &mut [u8]) -> Result<Admitted> {
        let mut names = KVec::new();
        let mut all_kept = Ok(());
        let mut visit = |named| {
            if let Err(e) = names.push(named, GFP_KERNEL_ACCOUNT) {
                all_kept = Err(e);
            }
        };
        let verdict = policy::check_with(frame, task::is_admin(), &mut visit);
        let mut verdict = verdict.map_err(|refusal| {
            dev_dbg!(self.card.pdev, "frame refused: {:?}\n", refusal);
            if refusal.is_denial() {
                EPERM
            } else {
                EINVAL
            }
        })?;
        all_kept?;
        verdict.header.card = self.card.link.id;
        let header = frame.get_mut(..HEADER_SIZE).ok_or(EINVAL)?;
        bytes::copy(header, &verdict.header.encode());
        Ok((verdict, names))
    }
}

/// What is known of a frame, and what it names.
type Admitted = (policy::Verdict, KVec<Named>);

fn check_copy(step: &uapi::Step, holdings: &Holdings) -> Result<Copy> {
    let unused = [
        step.reply_buffer.into(),
        step.frame,
        step.reply_offset,
        step.reply_capacity.into(),
    ];
    if unused.iter().any(|&field| field != 0) || step.flags & STEP_NO_REPLY != 0 {
        return Err(EINVAL);
    }
    let named = step.sequence != 0 && step.context != 0 && step.stream != 0;
    if !named || step.size == 0 || step.card_address.checked_add(step.size).is_none() {
        return Err(EINVAL);
    }
    // Elsewhere in the card's address space is a window on the rings of all sessions.
    if !policy::address::is_card_range(step.card_address, step.size) {
        return Err(EPERM);
    }
    let buffer = holdings.buffers.get(step.buffer)?;
    if !buffer.holds(step.offset, step.size) {
        return Err(EINVAL);
    }
    let to_card = step.op == STEP_COPY_TO_CARD;
    if !to_card && !buffer.is_writable() {
        return Err(EROFS);
    }
    Ok(Copy {
        to_card,
        buffer,
        offset: step.offset as usize,
        // Buffers are smaller than 4 GiB.
        size: step.size as u32,
        address: step.card_address,
        sequence: step.sequence,
        context: step.context,
        stream: step.stream,
    })
}
