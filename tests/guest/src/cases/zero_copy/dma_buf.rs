// SPDX-License-Identifier: MIT OR Apache-2.0

//! Memory of other drivers as buffers, and buffers as memory of other drivers.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use super::memory::{copy, import, memfd, Own};
use super::{FROM, TO};
use crate::case::Context;
use crate::client::{pattern, Client};
use crate::errors::expect;
use crate::kernel;
use crate::map::Map;

const SIZE: usize = 1 << 20;

/// An ioctl with a structure of numbers.
///
/// # Safety
///
/// The request takes a `T`, and addresses in it are none.
unsafe fn ioctl<T>(file: &File, request: u64, argument: &mut T) -> io::Result<i32> {
    // SAFETY: by the caller.
    match unsafe { libc::ioctl(file.as_raw_fd(), request as _, argument) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// A code of a request that reads and writes, `_IOWR`, or only reads its argument, `_IOW`.
const fn code(direction: u64, kind: u8, number: u64, size: usize) -> u64 {
    (direction << 30) | ((size as u64) << 16) | ((kind as u64) << 8) | number
}

/// Says that the CPU begins or ends to use a dma-buf (`DMA_BUF_IOCTL_SYNC`, read and write).
fn sync(file: &File, ends: bool) -> io::Result<()> {
    let mut flags: u64 = 3 | (u64::from(ends) << 2);
    // SAFETY: the request takes a number.
    unsafe { ioctl(file, code(1, b'b', 0, 8), &mut flags) }.map(drop)
}

/// A dma-buf of the driver `udmabuf`: a memfd.
fn udmabuf() -> Result<File> {
    const SEAL_SHRINK: i32 = 2;
    #[repr(C)]
    struct Create {
        memfd: i32,
        flags: u32,
        offset: u64,
        size: u64,
    }
    let file = memfd(SIZE)?;
    // SAFETY: two numbers.
    let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEAL_SHRINK) };
    ensure!(sealed == 0, "no seal");
    let driver = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/udmabuf")?;
    let mut create = Create {
        memfd: file.as_raw_fd(),
        flags: 1, // close on exec
        offset: 0,
        size: SIZE as u64,
    };
    // SAFETY: the request takes this structure, and makes a descriptor.
    unsafe {
        let fd = ioctl(
            &driver,
            code(1, b'u', 0x42, size_of::<Create>()),
            &mut create,
        )?;
        Ok(File::from_raw_fd(fd))
    }
}

/// A dma-buf of the system's heap.
fn system_heap(access: i32) -> Result<File> {
    #[repr(C)]
    struct Allocation {
        len: u64,
        fd: u32,
        fd_flags: u32,
        heap_flags: u64,
    }
    let heap = File::open("/dev/dma_heap/system")?;
    let mut allocation = Allocation {
        len: SIZE as u64,
        fd: 0,
        fd_flags: (access | libc::O_CLOEXEC) as u32,
        heap_flags: 0,
    };
    // SAFETY: the request takes this structure, and makes a descriptor.
    unsafe {
        ioctl(
            &heap,
            code(3, b'H', 0, size_of::<Allocation>()),
            &mut allocation,
        )?;
        Ok(File::from_raw_fd(allocation.fd as i32))
    }
}

/// Fills a dma-buf by the CPU, has the card read it, write it, and looks at it by the CPU.
fn there_and_back(client: &mut Client, file: &File) -> Result<()> {
    let map = Map::new(file, 0, SIZE).context("mmap of the dma-buf")?;
    let data = pattern(SIZE, 21);
    sync(file, false)?;
    map.write(0, &data);
    sync(file, true)?;
    let buffer = import(client, file, SIZE, 0)?;
    let card = client.malloc(SIZE as u32)?;
    let there = copy(client, TO, buffer, card, SIZE);
    client.run(&[there])?;
    sync(file, false)?;
    map.write(0, &vec![0; SIZE]);
    sync(file, true)?;
    let back = copy(client, FROM, buffer, card, SIZE);
    client.run(&[back])?;
    sync(file, false)?;
    ensure!(map.read(0, SIZE) == data, "not what was sent");
    sync(file, true)?;
    // Whoever writes answers does not wait for others' drivers.
    let (_, frame) = client.echo_frame(&[9; 700]);
    let mut step = client.call_step(&frame, 13, 4000);
    step.reply_buffer = buffer;
    let refused = client.submit(&[step]);
    expect(libc::EOPNOTSUPP, refused, || "an answer".into())?;
    client.card.end_buffer(buffer)?;
    ensure!(client.free(card)? == 0);
    Ok(())
}

pub fn memory_of_other_drivers(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let bytes = client.card.counters()?.buffer_bytes;
    there_and_back(&mut client, &udmabuf().context("udmabuf")?).context("udmabuf")?;
    let heap = system_heap(libc::O_RDWR).context("the system's heap")?;
    there_and_back(&mut client, &heap).context("the system's heap")?;
    // One that may only be read.
    let reader = system_heap(libc::O_RDONLY)?;
    let refused = import(&client, &reader, SIZE, 0);
    expect(libc::EACCES, refused, || {
        "to write to what may be read".into()
    })?;
    let buffer = import(&client, &reader, SIZE, AX650_BUFFER_READ_ONLY)?;
    let card = client.malloc(SIZE as u32)?;
    let there = copy(&mut client, TO, buffer, card, SIZE);
    client.run(&[there])?;
    let back = copy(&mut client, FROM, buffer, card, SIZE);
    expect(libc::EROFS, client.submit(&[back]), || "a copy".into())?;
    // It lives as long as somebody has it.
    drop(reader);
    let there = copy(&mut client, TO, buffer, card, SIZE);
    client.run(&[there])?;
    client.card.end_buffer(buffer)?;
    ensure!(client.card.counters()?.buffer_bytes == bytes);
    // What is none.
    let own = memfd(4096)?;
    for (fd, errno) in [
        (own.as_raw_fd(), libc::EINVAL),
        (9999, libc::EBADF),
        (-1, libc::EBADF),
    ] {
        let request = ax650_buffer_create {
            flags: AX650_BUFFER_DMA_BUF,
            dma_buf: fd,
            ..Default::default()
        };
        // SAFETY: it names no memory.
        let made = unsafe { client.card.buffer_with(request) };
        expect(errno, made, || format!("descriptor {fd}"))?;
    }
    client.works()
}

pub fn buffers_for_other_drivers(_: &mut Context) -> Result<()> {
    let (client, mut other) = (Client::new(0)?, Client::new(0)?);
    let bytes = client.card.counters()?.buffer_bytes;
    let buffer = client.buffer(SIZE)?;
    let file = client.card.export(buffer.handle)?;
    // The same memory by three ways: our mapping, that of the dma-buf, the other file's buffer.
    there_and_back(&mut other, &file)?;
    let data = pattern(SIZE, 22);
    buffer.map.write(0, &data);
    let map = Map::new(&file, 0, SIZE)?;
    ensure!(map.read(0, SIZE) == data, "other memory");
    ensure!(
        Map::new(&file, 0, SIZE + 4096).is_err(),
        "more than there is"
    );
    // What has it keeps it: not the handle, not the file that made it.
    let again = import(&other, &file, SIZE, 0)?;
    let handle = buffer.handle;
    drop(buffer);
    client.card.end_buffer(handle)?;
    drop((client, file));
    let card = other.malloc(SIZE as u32)?;
    map.write(100, &[7; 50]);
    let there = copy(&mut other, TO, again, card, SIZE);
    other.run(&[there])?;
    map.write(100, &[0; 50]);
    let back = copy(&mut other, FROM, again, card, SIZE);
    other.run(&[back])?;
    ensure!(map.read(100, 50) == [7; 50]);
    // Only the driver's own memory, and only by its handle.
    let refused = other.card.export(again);
    expect(libc::EOPNOTSUPP, refused, || "what was imported".into())?;
    let own = Own::anonymous(4096)?;
    let pinned = super::over(&other, own.address(), 4096, 0)?;
    let refused = other.card.export(pinned);
    expect(libc::EOPNOTSUPP, refused, || "the caller's memory".into())?;
    expect(libc::ENOENT, other.card.export(999), || "no buffer".into())?;
    other.card.end_buffer(pinned)?;
    other.card.end_buffer(again)?;
    drop(map);
    kernel::until("the memory to come back", super::SOON, || {
        Ok(other.card.counters()?.buffer_bytes <= bytes)
    })?;
    other.works()
}

/// The driver takes its hands off what others have, and what it has of others.
pub fn unbound_with_dma_bufs(_: &mut Context) -> Result<()> {
    let client = Client::new(0)?;
    let heap = system_heap(libc::O_RDWR)?;
    import(&client, &heap, SIZE, 0)?;
    let buffer = client.buffer(SIZE)?;
    buffer.map.write(0, &pattern(SIZE, 5));
    let file = client.card.export(buffer.handle)?;
    import(&client, &file, SIZE, 0)?;
    let address = crate::card::address(0)?;
    kernel::write("/sys/bus/pci/drivers/ax650/unbind", &address)?;
    let map = Map::new(&file, 0, SIZE)?;
    ensure!(map.read(0, SIZE) == pattern(SIZE, 5));
    drop((client, map, heap, file, buffer));
    kernel::write("/sys/bus/pci/drivers/ax650/bind", &address)?;
    let card = crate::card::Card::open(0)?;
    card.make_running()?;
    crate::client::canary(0)
}

/// By the library, and from one card to another where there are two.
pub fn dma_bufs_by_the_library(_: &mut Context) -> Result<()> {
    let last = crate::card::present()?.len() as u32 - 1;
    let (one, other) = (
        ax650::Card::open_index(0)?.session()?,
        ax650::Card::open_index(last)?.session()?,
    );
    let buffer = one.buffer(SIZE)?;
    // SAFETY: there is no guard while the other uses it.
    let file = unsafe { buffer.export() }?;
    let shared = other.buffer_of_dma_buf(file.as_fd(), true)?;
    ensure!(shared.len() == SIZE && shared.read().is_err() && shared.write().is_err());
    let (here, there) = (
        ax650::CardMemory::new(&one.stream(), SIZE as u64)?,
        ax650::CardMemory::new(&other.stream(), SIZE as u64)?,
    );
    // From the first card to memory of this one, and from there to the other, with no copy on the host.
    here.send(0, &pattern(SIZE, 6))?;
    here.fetch(0, &buffer, 0..SIZE)?;
    there.fill(0, &shared, 0..SIZE)?;
    drop((shared, file, buffer));
    let back = other.buffer_of(vec![0_u8; SIZE])?;
    there.fetch(0, &back, 0..SIZE)?;
    let back: Vec<u8> = back.into_memory().map_err(|_| anyhow::anyhow!("in use"))?;
    ensure!(back == pattern(SIZE, 6));
    Ok(())
}
