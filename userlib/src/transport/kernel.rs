// SPDX-License-Identifier: MIT OR Apache-2.0

//! The driver: each method of [`Transport`] is one ioctl of `/dev/ax650-N`.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ax650_uapi::*;
use nix::errno::Errno;

use super::{Action, Direction, Mapping, Submission, Transport};

thread_local! {
    /// Room for the steps of a job, kept for the thread's next one.
    static STEPS: Cell<Vec<ax650_step>> = const { Cell::new(Vec::new()) };
}

/// An open device node.
pub(crate) struct Kernel {
    node: File,
}

impl Kernel {
    pub(crate) fn open(path: &Path) -> Result<Self, Errno> {
        OpenOptions::new()
            .read(true)
            .write(true)
            // A path that is something else than a card's node must not hang or become a terminal.
            .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map(|node| Self { node })
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
    }

    /// Makes one request; a signal in between does not end it.
    fn ioctl<T: Plain>(&self, request: u32, argument: &mut T) -> Result<(), Errno> {
        loop {
            // SAFETY: the number of the request says that its argument is a `T`, which is plain data.
            // Addresses in it were put there by the methods below, which own what they point to.
            let result = unsafe {
                libc::ioctl(
                    self.node.as_raw_fd(),
                    request as _,
                    std::ptr::from_mut(argument),
                )
            };
            match Errno::result(result) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl Transport for Kernel {
    fn query(&self, kind: u32, data: &mut [u8]) -> Result<usize, Errno> {
        let mut request = ax650_query {
            kind,
            size: data.len().try_into().unwrap_or(u32::MAX),
            data: data.as_mut_ptr() as u64,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_QUERY, &mut request)?;
        Ok(request.size as usize)
    }

    fn session_create(&self, request: &mut ax650_session_create) -> Result<(), Errno> {
        self.ioctl(AX650_IOC_SESSION_CREATE, request)
    }

    fn session_destroy(&self, session: u32) -> Result<(), Errno> {
        let mut request = ax650_session_destroy {
            session,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_SESSION_DESTROY, &mut request)
    }

    fn buffer_create(&self, size: usize) -> Result<(u32, Mapping), Errno> {
        let mut request = ax650_buffer_create {
            size: size as u64,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_BUFFER_CREATE, &mut request)?;
        let mapping = i64::try_from(request.mmap_offset)
            .map_err(|_| Errno::EOVERFLOW)
            .and_then(|offset| Mapping::new(&self.node, offset, size));
        match mapping {
            Ok(mapping) => Ok((request.handle, mapping)),
            Err(errno) => {
                let _ = self.buffer_destroy(request.handle);
                Err(errno)
            }
        }
    }

    unsafe fn buffer_over(
        &self,
        start: *mut u8,
        len: usize,
        read_only: bool,
    ) -> Result<u32, Errno> {
        let mut request = ax650_buffer_create {
            size: len as u64,
            flags: AX650_BUFFER_USER_MEMORY | read_only_flag(read_only),
            address: start as u64,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_BUFFER_CREATE, &mut request)?;
        Ok(request.handle)
    }

    fn buffer_import(
        &self,
        dma_buf: BorrowedFd<'_>,
        read_only: bool,
    ) -> Result<(u32, usize), Errno> {
        let mut request = ax650_buffer_create {
            flags: AX650_BUFFER_DMA_BUF | read_only_flag(read_only),
            dma_buf: dma_buf.as_raw_fd(),
            ..Default::default()
        };
        self.ioctl(AX650_IOC_BUFFER_CREATE, &mut request)?;
        Ok((request.handle, request.size as usize))
    }

    fn buffer_export(&self, handle: u32) -> Result<OwnedFd, Errno> {
        let mut request = ax650_buffer_export {
            handle,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_BUFFER_EXPORT, &mut request)?;
        // SAFETY: the driver has made it for this process.
        Ok(unsafe { OwnedFd::from_raw_fd(request.dma_buf) })
    }

    fn buffer_destroy(&self, handle: u32) -> Result<(), Errno> {
        let mut request = ax650_buffer_destroy {
            handle,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_BUFFER_DESTROY, &mut request)
    }

    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<u64, Errno> {
        let mut steps = STEPS.take();
        steps.clear();
        steps.extend(submission.steps.iter().map(raw_step));
        let mut request = ax650_submit {
            session: submission.session,
            steps: steps.as_ptr() as u64,
            step_count: steps.len().try_into().map_err(|_| Errno::EINVAL)?,
            step_size: size_of::<ax650_step>() as u32,
            timeout_ns: submission.deadline_ns,
            eventfd: submission.eventfd.map_or(-1, |fd| fd.as_raw_fd()),
            ..Default::default()
        };
        let submitted = self.ioctl(AX650_IOC_SUBMIT, &mut request);
        STEPS.set(steps);
        submitted.map(|()| request.job)
    }

    fn wait(
        &self,
        job: u64,
        deadline_ns: u64,
        results: &mut [ax650_step_result],
    ) -> Result<ax650_wait, Errno> {
        let mut request = ax650_wait {
            job,
            timeout_ns: deadline_ns,
            results: results.as_mut_ptr() as u64,
            result_count: results.len().try_into().map_err(|_| Errno::EINVAL)?,
            result_size: size_of::<ax650_step_result>() as u32,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_WAIT, &mut request)?;
        Ok(request)
    }

    fn control(&self, op: u32, flags: u32) -> Result<u32, Errno> {
        let mut request = ax650_control {
            op,
            flags,
            ..Default::default()
        };
        self.ioctl(AX650_IOC_CONTROL, &mut request)?;
        Ok(request.generation)
    }

    fn poll_fd(&self) -> BorrowedFd<'_> {
        self.node.as_fd()
    }
}

fn read_only_flag(read_only: bool) -> u32 {
    if read_only {
        AX650_BUFFER_READ_ONLY
    } else {
        0
    }
}

fn raw_step(step: &super::Step<'_>) -> ax650_step {
    let pipelined = if step.pipelined {
        AX650_STEP_PIPELINED
    } else {
        0
    };
    match step.action {
        Action::Copy {
            direction,
            sequence,
            place,
            card_address,
            buffer,
            offset,
            size,
        } => ax650_step {
            op: match direction {
                Direction::ToCard => AX650_STEP_COPY_TO_CARD,
                Direction::FromCard => AX650_STEP_COPY_FROM_CARD,
            },
            flags: pipelined,
            sequence,
            context: place.context,
            stream: place.stream,
            card_address,
            buffer,
            offset,
            size,
            ..Default::default()
        },
        Action::Call { frame, reply } => {
            let call = ax650_step {
                op: AX650_STEP_CALL,
                flags: pipelined,
                size: frame.len() as u64,
                frame: frame.as_ptr() as u64,
                ..Default::default()
            };
            match reply {
                None => ax650_step {
                    flags: pipelined | AX650_STEP_NO_REPLY,
                    ..call
                },
                Some(reply) => ax650_step {
                    reply_buffer: reply.buffer,
                    reply_offset: reply.offset,
                    reply_capacity: reply.capacity,
                    ..call
                },
            }
        }
    }
}
