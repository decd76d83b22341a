// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! Jobs: arrays of steps that the driver carries out in order.

use crate::layout::{consts, plain};

consts! { u32:
    /// [`ax650_step::op`]: from a buffer to card memory.
    AX650_STEP_COPY_TO_CARD = 1;
    /// [`ax650_step::op`]: from card memory to a buffer.
    AX650_STEP_COPY_FROM_CARD = 2;
    /// [`ax650_step::op`]: a request frame, and its answer.
    AX650_STEP_CALL = 3;
}

consts! { u32:
    /// [`ax650_step::flags`]: the step may be sent before the steps ahead of it are done.
    ///
    /// Steps still are sent in order, and the card keeps calls on one stream in order.  Without
    /// the flag a step waits until all steps ahead of it have ended well.
    AX650_STEP_PIPELINED = 1 << 0;
    /// [`ax650_step::flags`], CALL only: the frame asks for no answer; the step is done when it
    /// is sent.
    AX650_STEP_NO_REPLY = 1 << 1;
}

plain! {
    /// One step of a job.
    ///
    /// A frame is a 28 byte header and a protobuf message, see docs/protocol/rpc.md.  Frames that
    /// carry host addresses or own the card are refused (EPERM).
    pub struct ax650_step {
        /// An `AX650_STEP_` operation.
        pub op: u32,
        /// `AX650_STEP_` flags.
        pub flags: u32,
        /// COPY: sequence number of the copy, not in use by another step in flight; CALL: 0 (it is in
        /// the frame).
        pub sequence: u64,
        /// COPY: context id; CALL: 0.
        pub context: u32,
        /// COPY: stream id (1 = default); CALL: 0.
        pub stream: u32,
        /// COPY: address in card memory; CALL: 0.
        pub card_address: u64,
        /// COPY: buffer handle; CALL: 0.
        pub buffer: u32,
        /// CALL: buffer for the answer frame, 0 for none; COPY: 0.
        pub reply_buffer: u32,
        /// COPY: first byte in the buffer; CALL: 0.
        pub offset: u64,
        /// COPY: bytes, not 0; CALL: bytes of the frame, header included.
        pub size: u64,
        /// CALL: address of the frame in user memory, copied by SUBMIT; COPY: 0.
        pub frame: u64,
        /// CALL: where in `reply_buffer`; COPY: 0.
        pub reply_offset: u64,
        /// CALL: room there, bytes; a longer answer is cut and the step ends with EMSGSIZE.
        pub reply_capacity: u32,
        /// Must be 0.
        pub reserved: u32,
    }
}

plain! {
    /// Queue a job.
    pub struct ax650_submit {
        /// Session handle.
        pub session: u32,
        /// Must be 0.
        pub flags: u32,
        /// Address of the array of steps.
        pub steps: u64,
        /// 1 to [`ax650_limits::max_steps_per_job`](crate::ax650_limits::max_steps_per_job).
        pub step_count: u32,
        /// `size_of::<ax650_step>()` of the caller.
        pub step_size: u32,
        /// The job ends with ETIME at this time; 0: the default from now.
        pub timeout_ns: u64,
        /// Given back by WAIT.
        pub user_data: u64,
        /// Eventfd to signal when the job ends, or -1.
        pub eventfd: i32,
        /// Must be 0.
        pub reserved: u32,
        /// Out: number of the job; never used again in this file.
        pub job: u64,
    }
}

plain! {
    /// How a step ended.
    pub struct ax650_step_result {
        /// 0, or a negative errno; ECANCELED: not begun because of an earlier step.
        pub status: i32,
        /// Always 0.
        pub flags: u32,
        /// COPY: bytes moved; CALL: length of the answer frame.
        pub bytes: u64,
        /// When its first message was published, 0 if never.
        pub sent_ns: u64,
        /// When its last message had come.
        pub done_ns: u64,
    }
}

plain! {
    /// Wait for the end of a job, and forget it.
    ///
    /// Returns 0 if the job has ended, well or not: see `status`.  ETIME: not ended at `timeout_ns`
    /// (EAGAIN when that is 0).  ENOENT: no such job.
    pub struct ax650_wait {
        /// In: number of the job, 0: any ended job of this file, oldest first; out: which.
        pub job: u64,
        /// Wait until then; 0: do not wait.
        pub timeout_ns: u64,
        /// Where to write the results of its steps, may be 0.
        pub results: u64,
        /// In: room there; out: steps of the job.
        pub result_count: u32,
        /// `size_of::<ax650_step_result>()` of the caller.
        pub result_size: u32,
        /// Must be 0.
        pub flags: u32,
        /// Out: 0, or the negative errno of the first failed step.
        pub status: i32,
        /// Out: of SUBMIT.
        pub user_data: u64,
        /// Out: time of SUBMIT.
        pub queued_ns: u64,
        /// Out: time of the job's end.
        pub done_ns: u64,
        /// Out: time when this request went on.
        pub woken_ns: u64,
    }
}
