// SPDX-License-Identifier: GPL-2.0

//! `/dev/msg_userdev`: an open file for each port [pcie 8.2].

use kernel::{
    fs::{
        File,
        Kiocb, //
    },
    ioctl::{
        _IOC_NR,
        _IOC_TYPE, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    sync::{
        poll::PollCondVar,
        Arc, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

use super::{
    access,
    endpoint::Endpoint,
    registry,
    requests,
    rules::{
        FAILED,
        UP_WAIT, //
    }, //
};
use crate::{
    glue::{
        chardev,
        prelude::*,
        time::Instant, //
    },
    wire::axcl::msg, //
};

impl chardev::Client for Endpoint {
    type Shared = ();
    const COMPAT: bool = false;

    fn poll_queue(&self) -> Option<&PollCondVar> {
        Some(self.queue())
    }

    fn poll_state(&self) -> u32 {
        self.look()
    }
}

#[vtable]
impl MiscDevice for Endpoint {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        access::check()?;
        Self::new()
    }

    fn release(me: Arc<Self>, _file: &File) {
        Self::disconnect(&me);
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, to: &mut IovIterDest<'_>) -> Result<usize> {
        let message = kiocb.file().pop()?;
        // A message that does not fit, or cannot be copied, is lost.
        if message.len() > to.len() || to.copy_to_iter(&message) != message.len() {
            return Err(FAILED);
        }
        Ok(message.len())
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, from: &mut IovIterSource<'_>) -> Result<usize> {
        kiocb.file().write(from)
    }

    fn ioctl(
        me: kernel::sync::ArcBorrow<'_, Self>,
        _file: &File,
        cmd: u32,
        arg: usize,
    ) -> Result<isize> {
        let user = || UserSlice::new(UserPtr::from_addr(arg), msg::SIZE);
        let mut argument = [0; msg::SIZE];
        // Whatever is asked for.
        user()
            .reader()
            .read_slice(&mut argument)
            .map_err(|_| FAILED)?;
        if _IOC_TYPE(cmd) != msg::TYPE {
            return Ok(0);
        }
        match _IOC_NR(cmd) {
            msg::CONNECT => connect(&me.into(), &argument)?,
            msg::CHECK => check(&argument)?,
            msg::REMOTE_IDS => {
                let cards = registry::cards()?;
                msg::put_remotes(cards.iter().map(|entry| entry.id), &mut argument);
                give_back(user(), &argument)?;
            }
            msg::INIT => {
                msg::init(&mut argument);
                give_back(user(), &argument)?;
            }
            msg::RESET => {
                let card = requests::admin(|| msg::device(&argument))?;
                requests::reset(&card)?;
            }
            msg::STOP => me.stop(),
            // The host's own id is 0, and so is the answer to what nobody knows.
            _ => {}
        }
        Ok(0)
    }
}

/// Connects a file to a port.
fn connect(me: &Arc<Endpoint>, argument: &[u8; msg::SIZE]) -> Result {
    let (device, port) = msg::target(argument).ok_or(FAILED)?;
    let clients = registry::find(device).map_err(|_| FAILED)?;
    let line = clients.line(port).ok_or(FAILED)?;
    Endpoint::connect(me, line)
}

/// Waits for a card that is being booted.
fn check(argument: &[u8; msg::SIZE]) -> Result {
    let device = msg::device(argument).ok_or(FAILED)?;
    let clients = registry::find(device).map_err(|_| FAILED)?;
    match clients.wait_until_up(Instant::now() + UP_WAIT) {
        Ok(_) => Ok(()),
        Err(e) if e == ERESTARTSYS => Err(e),
        Err(_) => Err(FAILED),
    }
}

fn give_back(user: UserSlice, argument: &[u8; msg::SIZE]) -> Result {
    user.writer().write_slice(argument).map_err(|_| FAILED)
}
