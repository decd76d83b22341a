// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! Numbers of the requests.
//!
//! The size in a request's code is that of the caller's structure; the kernel dispatches on type
//! and number only, so that older and newer callers work (see `docs/uapi.md`).

use crate::{
    ax650_buffer_create, ax650_buffer_destroy, ax650_control, ax650_query, ax650_session_create,
    ax650_session_destroy, ax650_submit, ax650_wait,
};

/// Type byte of all requests.
pub const AX650_IOC_TYPE: u8 = 0xA6;

macro_rules! request {
    ($(#[$meta:meta])* $name:ident = $kind:ident($number:expr, $type:ty)) => {
        $(#[$meta])*
        pub const $name: u32 = ioctl_sys::$kind!(AX650_IOC_TYPE, $number, size_of::<$type>()) as u32;
    };
}

request! {
    /// Ask for facts; [`ax650_query`].
    ///
    /// EINVAL: unknown kind, flags or reserved not 0.  EFAULT: `data` cannot be written.  TELEMETRY:
    /// EAGAIN: the card is not up; ETIMEDOUT: it did not answer.
    AX650_IOC_QUERY = iorw(0x00, ax650_query)
}
request! {
    /// Open a session; [`ax650_session_create`].
    ///
    /// EAGAIN: the card is not up yet.  EHOSTDOWN: it is down and will not come up by itself.  ENOSPC: too
    /// many sessions of this file or card.  ETIMEDOUT: the card did not answer in time.  EREMOTEIO: the card
    /// refused.  EPROTO: its answer makes no sense.
    AX650_IOC_SESSION_CREATE = iorw(0x01, ax650_session_create)
}
request! {
    /// End a session; [`ax650_session_destroy`].
    ///
    /// ENOENT: no such session in this file.
    AX650_IOC_SESSION_DESTROY = iow(0x02, ax650_session_destroy)
}
request! {
    /// Make a buffer; [`ax650_buffer_create`].
    ///
    /// EINVAL: size 0, or above [`max_buffer_bytes`](crate::ax650_limits::max_buffer_bytes).  ENOSPC: too many
    /// buffers of this file.  EDQUOT: memory limit of the file or the card.  EIO: the memory cannot be mapped for the
    /// card.
    AX650_IOC_BUFFER_CREATE = iorw(0x03, ax650_buffer_create)
}
request! {
    /// Give up a buffer; [`ax650_buffer_destroy`].
    ///
    /// ENOENT: no such buffer in this file.
    AX650_IOC_BUFFER_DESTROY = iow(0x04, ax650_buffer_destroy)
}
request! {
    /// Queue a job; [`ax650_submit`].
    ///
    /// ENOENT: no such session or buffer.  ESTALE: the session is of an earlier boot.  EAGAIN: too many jobs
    /// not waited for, or the card is not up.  EHOSTDOWN: the card is down.  ECANCELED: the session has ended.
    /// EPERM: a frame that only the driver or an administrator may send.  EMSGSIZE: a frame too short or too
    /// long.  EINVAL: a bad field or range, a malformed frame.  EBADF: `eventfd` is none.
    AX650_IOC_SUBMIT = iorw(0x05, ax650_submit)
}
request! {
    /// Wait for the end of a job; [`ax650_wait`].
    ///
    /// ENOENT: no such job.  ETIME: not ended in time.  EAGAIN: not ended, and no time was given.
    AX650_IOC_WAIT = iorw(0x06, ax650_wait)
}
request! {
    /// Reset or boot the card; [`ax650_control`].
    ///
    /// EPERM: no CAP_SYS_ADMIN.  EBUSY: a boot or reset is under way.
    AX650_IOC_CONTROL = iorw(0x07, ax650_control)
}
