// SPDX-License-Identifier: GPL-2.0

//! `/dev/axcl_host`: which cards there are, their state, and ports on them [pcie 8.1].

use kernel::{
    fs::{
        File,
        Kiocb, //
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
    clients::Clients,
    group::Group,
    record::Record,
    registry,
    requests,
    rules::FAILED, //
};
use crate::{
    glue::{
        chardev::{
            self,
            POLL_IN, //
        },
        pci,
        prelude::*, //
    },
    link::{
        life::Life,
        ports::MAX_SESSIONS, //
    },
    wire::{
        axcl::host::{
            self,
            Location,
            PidList,
            Status, //
        },
        bytes::u32_at,
        control::{
            Packet,
            CREATE,
            DESTROY,
            PACKET_SIZE,
            RECYCLE_PORTS,
            REQUEST_PORTS, //
        }, //
    }, //
};

impl chardev::Client for Record {
    type Shared = ();
    const COMPAT: bool = false;

    fn poll_queue(&self) -> Option<&PollCondVar> {
        Some(self.queue())
    }

    /// Returns what a poller finds; each look takes an event.
    fn poll_state(&self) -> u32 {
        if self.take_event() {
            POLL_IN
        } else {
            0
        }
    }
}

#[vtable]
impl MiscDevice for Record {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        access::check()?;
        let record = Arc::pin_init(Record::new(access::is_trusted())?, GFP_KERNEL)?;
        registry::add_file(&record)?;
        Ok(record)
    }

    fn release(me: Arc<Self>, _file: &File) {
        registry::remove_file(&me);
        while let Some(clients) = registry::clients_with(&me) {
            if let Some(group) = clients.group_of(&me) {
                clients.end(&group, group.farewell());
            }
        }
    }

    fn read_iter(_kiocb: Kiocb<'_, Self::Ptr>, _to: &mut IovIterDest<'_>) -> Result<usize> {
        Ok(0)
    }

    fn write_iter(_kiocb: Kiocb<'_, Self::Ptr>, _from: &mut IovIterSource<'_>) -> Result<usize> {
        Ok(0)
    }

    fn ioctl(
        me: kernel::sync::ArcBorrow<'_, Self>,
        _file: &File,
        cmd: u32,
        arg: usize,
    ) -> Result<isize> {
        let user = Argument(arg);
        match cmd {
            host::CONTROL => control(&me.into(), user)?,
            host::STATUS => status(user)?,
            host::LIST => list(user)?,
            host::WAKE => me.raise(),
            host::RESET => {
                let packet = read_packet(user)?;
                let card = requests::admin(|| Some(packet.device))?;
                requests::reset(&card)?;
            }
            host::REBOOT => {
                let packet = read_packet(user)?;
                let card = requests::admin(|| Some(packet.device))?;
                requests::reboot(&card)?;
            }
            host::BUS_INFO => bus_info(user)?,
            host::PID_COUNT => pid_count(user)?,
            host::PID_LIST => pid_list(user)?,
            _ => {}
        }
        Ok(0)
    }
}

/// The argument of a request, wherever it is; what cannot be copied is -1.
#[derive(Clone, Copy)]
struct Argument(usize);

impl Argument {
    fn read<const N: usize>(self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        UserSlice::new(UserPtr::from_addr(self.0), N)
            .reader()
            .read_slice(&mut bytes)
            .map_err(|_| FAILED)?;
        Ok(bytes)
    }

    fn write(self, bytes: &[u8]) -> Result {
        UserSlice::new(UserPtr::from_addr(self.0), bytes.len())
            .writer()
            .write_slice(bytes)
            .map_err(|_| FAILED)
    }
}

fn read_packet(user: Argument) -> Result<Packet> {
    let bytes: [u8; PACKET_SIZE] = user.read()?;
    Packet::parse(&bytes).ok_or(FAILED)
}

/// Returns the device id, which is the first word of all arguments.
fn first_word(bytes: &[u8]) -> u32 {
    u32_at(bytes, 0).unwrap_or(u32::MAX)
}

/// Creates and destroys ports, and grants more of them.
fn control(me: &Arc<Record>, user: Argument) -> Result {
    let mut packet = read_packet(user)?;
    if packet.pid == 0 {
        return Err(FAILED);
    }
    let known = [CREATE, DESTROY, REQUEST_PORTS, RECYCLE_PORTS];
    if !known.contains(&packet.command) {
        return Err(FAILED);
    }
    let entry = registry::entry(packet.device).map_err(|_| FAILED)?;
    if !entry.translated && !me.trusted {
        return Err(EPERM);
    }
    let clients = entry.clients;
    let _turn = me.turn()?;
    let own = clients.group_of(me);
    match packet.command {
        CREATE => {
            if own.is_none() {
                Group::create(&clients, me, &packet)?;
            }
            let group = clients.group_of(me).ok_or(FAILED)?;
            group.describe(&mut packet);
        }
        DESTROY => own.ok_or(FAILED)?.destroy(&clients, &packet)?,
        REQUEST_PORTS => {
            group_for_extras(own, &packet)?.request(&mut packet)?;
        }
        _ => group_for_extras(own, &packet)?.recycle(&packet)?,
    }
    user.write(&packet.encode())
}

/// Returns the group whose extra ports a packet is about.  The count is looked at first.
fn group_for_extras(own: Option<Arc<Group>>, packet: &Packet) -> Result<Arc<Group>> {
    if packet.count == 0 || packet.count as usize > packet.ports.len() {
        return Err(EINVAL);
    }
    own.ok_or(FAILED)
}

fn status_of(life: &Life) -> Status {
    if life.state().serves_sessions() && !life.is_gone() {
        Status::Alive
    } else {
        Status::Dead
    }
}

fn status(user: Argument) -> Result {
    let cards = registry::cards()?;
    let mut map = [0; host::STATUS_SIZE];
    let states = cards
        .iter()
        .map(|entry| (entry.id, status_of(&entry.card.link.life)));
    host::status_map(states, &mut map);
    user.write(&map)
}

fn list(user: Argument) -> Result {
    let cards = registry::cards()?;
    let mut list = [0; host::LIST_SIZE];
    host::list(cards.iter().map(|entry| entry.id), &mut list);
    user.write(&list)
}

/// Fills in the bus of a card.  An unknown card is no error, but leaves the argument as it is.
fn bus_info(user: Argument) -> Result {
    let mut bytes: [u8; host::BUS_INFO_SIZE] = user.read()?;
    if let Ok(entry) = registry::entry(first_word(&bytes)) {
        let (domain, location) = pci::location(&entry.card.pdev);
        let location = Location {
            domain,
            slot: location >> 3 & 0x1f,
            function: location & 7,
        };
        host::bus_info(location, &mut bytes);
    }
    user.write(&bytes)
}

/// Threads of the programs on a card, as the caller sees them; those of other containers it does not.
fn threads(clients: &Clients) -> Result<KVec<i32>> {
    let mut numbers = KVec::with_capacity(MAX_SESSIONS as usize, GFP_KERNEL)?;
    clients.for_each_thread(|thread| {
        let number = thread.number_for_caller();
        if number != 0 {
            // There are no more groups than there is room for.
            let _ = numbers.push_within_capacity(number);
        }
    });
    Ok(numbers)
}

fn pid_count(user: Argument) -> Result {
    let mut bytes: [u8; host::PID_COUNT_SIZE] = user.read()?;
    let clients = registry::find(first_word(&bytes))?;
    let count = threads(&clients)?.len() as u32;
    if let Some((_, room)) = bytes.split_at_mut_checked(4) {
        room.copy_from_slice(&count.to_le_bytes());
    }
    user.write(&bytes)
}

fn pid_list(user: Argument) -> Result {
    let bytes: [u8; host::PID_LIST_SIZE] = user.read()?;
    let wanted = PidList::parse(&bytes).ok_or(FAILED)?;
    let clients = registry::find(wanted.device)?;
    if wanted.capacity == 0 {
        return Ok(());
    }
    if wanted.capacity > host::MOST_PIDS {
        return Err(EINVAL);
    }
    let to = usize::try_from(wanted.user).map_err(|_| FAILED)?;
    if to == 0 {
        return Err(FAILED);
    }
    let size = wanted.capacity as usize * 4;
    let mut writer = UserSlice::new(UserPtr::from_addr(to), size).writer();
    for number in threads(&clients)?.iter().take(wanted.capacity as usize) {
        let number = number.to_ne_bytes();
        writer.write_slice(&number).map_err(|_| FAILED)?;
    }
    let zeros = [0; 256];
    while !writer.is_empty() {
        let part = zeros.get(..writer.len().min(zeros.len())).ok_or(FAILED)?;
        writer.write_slice(part).map_err(|_| FAILED)?;
    }
    Ok(())
}
