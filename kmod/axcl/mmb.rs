// SPDX-License-Identifier: GPL-2.0

//! `/dev/ax_mmb_dev`: host memory for the card, one buffer for each open file [pcie 7].
//!
//! The memory is that of the driver's own buffers: zeroed, accounted, counted in the card's limit,
//! pages that are still mapped stay when everything else has gone.  It is mapped cached whatever is
//! asked for; who may touch it when is kept in order with the messages that name it ([`super::line`]).

use kernel::{
    fs,
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    mm::virt::{
        flags,
        VmaNew, //
    },
    new_mutex,
    sync::{
        Arc,
        Mutex, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

use super::{
    access,
    place::Place,
    registry, //
};
use crate::{
    buffer::{
        account::Payer,
        Buffer,
        Memory,
        MAX_BUFFER, //
    },
    glue::{
        chardev,
        pages::page_offset,
        prelude::*, //
    },
    wire::axcl::mmb::{
        self,
        Wanted, //
    }, //
};

/// The buffer of a file.
struct Allocated {
    place: Arc<Place>,
    buffer: Arc<Buffer>,
}

/// How far a file has come.
enum State {
    Empty,
    /// The file is getting its buffer.  Memory of the caller cannot be touched with the lock held that mmap
    /// takes too.
    Busy,
    Full(Allocated),
}

/// An open file.
#[pin_data]
pub(super) struct File {
    #[pin]
    state: Mutex<State>,
}

impl File {
    /// Allocates the one buffer of this file.  `tell` writes to the caller where it is; if that fails
    /// the buffer is gone again.
    fn allocate(
        &self,
        wanted: Wanted,
        make: impl FnOnce(&Arc<Memory>, usize, Payer<'_>) -> Result<Buffer>,
        tell: impl FnOnce(&Buffer) -> Result,
    ) -> Result {
        {
            let mut state = self.state.lock();
            if wanted.size == 0 || !matches!(*state, State::Empty) {
                return Err(EINVAL);
            }
            *state = State::Busy;
        }
        let allocated = Self::make(wanted, make, tell);
        let mut state = self.state.lock();
        let (next, result) = match allocated {
            Ok(allocated) => (State::Full(allocated), Ok(())),
            Err(e) => (State::Empty, Err(e)),
        };
        *state = next;
        result
    }

    fn make(
        wanted: Wanted,
        make: impl FnOnce(&Arc<Memory>, usize, Payer<'_>) -> Result<Buffer>,
        tell: impl FnOnce(&Buffer) -> Result,
    ) -> Result<Allocated> {
        let place = registry::find(wanted.device)?.place.clone();
        if place.link.life.is_gone() {
            return Err(ENODEV);
        }
        // The file has but this one buffer, so the account that counts is the user's.
        let account = place.pool.users.account()?;
        let payer = Payer::Buffer(&account);
        let buffer = make(&place.pool.memory, wanted.size as usize, payer)?;
        let buffer = Arc::new(buffer, GFP_KERNEL)?;
        tell(&buffer)?;
        place.hold(&buffer)?;
        Ok(Allocated { place, buffer })
    }

    fn single(&self, user: impl Fn(usize) -> UserSlice) -> Result {
        let mut argument = [0; mmb::SINGLE_SIZE];
        user(0).reader().read_slice(&mut argument)?;
        let wanted = Wanted::single(&argument).ok_or(EINVAL)?;
        let make = |memory: &Arc<Memory>, size, payer: Payer<'_>| {
            check_size(size)?;
            Buffer::contiguous(memory, size, payer).map_err(|_| ENOMEM)
        };
        self.allocate(wanted, make, |buffer| {
            let piece = buffer.pieces().first().ok_or(ENOMEM)?;
            let bus = piece.bus.to_ne_bytes();
            user(mmb::SINGLE_BUS).writer().write_slice(&bus)
        })
    }

    fn scatter(&self, user: impl Fn(usize) -> UserSlice) -> Result {
        let mut argument = KVec::from_elem(0, mmb::SCATTER_SIZE, GFP_KERNEL)?;
        user(0).reader().read_slice(&mut argument)?;
        let argument = argument.first_chunk_mut().ok_or(EINVAL)?;
        let wanted = Wanted::scatter(argument).ok_or(EINVAL)?;
        let make = |memory: &Arc<Memory>, size, payer: Payer<'_>| {
            // Any failure of this request is -1.
            check_size(size)
                .and_then(|()| Buffer::in_few_pieces(memory, size, payer))
                .map_err(|_| EPERM)
        };
        self.allocate(wanted, make, |buffer| {
            let pieces = buffer.pieces().iter().map(|piece| (piece.bus, piece.len));
            mmb::scatter(pieces, wanted.size, argument).ok_or(EPERM)?;
            user(0).writer().write_slice(argument)
        })
    }

    /// Hands over all of the buffer, whatever range is asked for (R48).
    fn sync(&self, user: UserSlice, to_card: bool) -> Result {
        let mut argument = [0; mmb::SINGLE_SIZE];
        user.reader().read_slice(&mut argument)?;
        let state = self.state.lock();
        if let State::Full(Allocated { buffer, .. }) = &*state {
            let size = buffer.size() as u32;
            // Fails only when the card has gone, and then there is nothing to be done.
            let _ = if to_card {
                buffer.give_to_card(0, size)
            } else {
                buffer.take_from_card(0, size)
            };
        }
        Ok(())
    }
}

fn check_size(size: usize) -> Result {
    if size as u64 > MAX_BUFFER {
        return Err(ENOMEM);
    }
    Ok(())
}

impl chardev::Client for File {
    type Shared = ();
    const POLL: bool = false;
    const COMPAT: bool = false;
}

#[vtable]
impl MiscDevice for File {
    type Ptr = Arc<Self>;

    fn open(_file: &fs::File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        access::check()?;
        Arc::pin_init(
            pin_init!(Self {
                state <- new_mutex!(State::Empty, "ax650_axcl_memory"),
            }),
            GFP_KERNEL,
        )
    }

    /// Gives up the buffer after the last close and the last unmap.  What the card has been told of stays
    /// until it is through with it.
    fn release(me: Arc<Self>, _file: &fs::File) {
        let state = core::mem::replace(&mut *me.state.lock(), State::Empty);
        if let State::Full(Allocated { place, buffer }) = state {
            place.let_go(&buffer);
        }
    }

    fn ioctl(
        me: kernel::sync::ArcBorrow<'_, Self>,
        _file: &fs::File,
        cmd: u32,
        arg: usize,
    ) -> Result<isize> {
        let size = match cmd {
            mmb::ALLOC_SCATTER => mmb::SCATTER_SIZE,
            _ => mmb::SINGLE_SIZE,
        };
        let user = |skip: usize| {
            let at = UserPtr::from_addr(arg.wrapping_add(skip));
            UserSlice::new(at, size.saturating_sub(skip))
        };
        match cmd {
            mmb::ALLOC | mmb::ALLOC_CACHED => me.single(user)?,
            mmb::ALLOC_SCATTER => me.scatter(user)?,
            mmb::FLUSH => me.sync(user(0), true)?,
            mmb::INVALIDATE => me.sync(user(0), false)?,
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }

    fn mmap(me: kernel::sync::ArcBorrow<'_, Self>, _file: &fs::File, vma: &VmaNew) -> Result {
        let buffer = match &*me.state.lock() {
            State::Full(allocated) => allocated.buffer.clone(),
            _ => return Err(EPERM),
        };
        if vma.flags() & flags::SHARED == 0 {
            return Err(EINVAL);
        }
        let first = usize::try_from(page_offset(vma)).map_err(|_| EINVAL)?;
        vma.try_clear_mayexec()?;
        vma.set_dontexpand();
        buffer.mmap_from(vma, first)
    }
}
