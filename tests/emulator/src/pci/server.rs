// SPDX-License-Identifier: MIT OR Apache-2.0

//! The vfio-user socket.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use log::{error, info, warn};
use vfio_bindings::bindings::vfio::*;
use vfio_user::{IrqInfo, Server, ServerRegion};

use super::Backend;
use crate::card::Card;
use crate::function::{ConfigSpace, BAR0_SIZE, BAR1_SIZE, VECTORS};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process listens there.
    #[error("{0}: another process is listening on this socket")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0}: exists and is not a socket")]
    NotSocket(PathBuf),
    /// The system refused.
    #[error("{0}: {1}")]
    System(PathBuf, #[source] io::Error),
    /// The vfio-user library refused.
    #[error("{0}: {1}")]
    Library(PathBuf, #[source] vfio_user::Error),
}

/// Removes a socket file that nobody listens on any more; fails if `path` is anything else.
pub fn clear_stale(path: &Path) -> Result<(), ServeError> {
    let system = |e| ServeError::System(path.to_owned(), e);
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(system(e)),
    };
    if !meta.file_type().is_socket() {
        return Err(ServeError::NotSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ServeError::InUse(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            warn!(
                "{}: removing the socket of a process that is gone",
                path.display()
            );
            std::fs::remove_file(path).map_err(system)
        }
        Err(e) => Err(system(e)),
    }
}

/// A listening vfio-user socket.
pub struct Listener {
    server: Server,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path` for hosts of `card`.
    pub fn bind(path: &Path, card: &Card) -> Result<Self, ServeError> {
        clear_stale(path)?;
        let server = Server::new(path, true, irqs(), regions(card.options.bar4.size()))
            .map_err(|e| ServeError::Library(path.to_owned(), e))?;
        Ok(Self {
            server,
            path: path.to_owned(),
        })
    }

    /// Serves one host after the other, for ever.
    pub fn serve(&self, card: Arc<Card>) -> ! {
        let mut backend = Backend::new(card);
        info!("waiting for a host on {}", self.path.display());
        loop {
            let run = AssertUnwindSafe(|| self.server.run(&mut backend));
            match catch_unwind(run) {
                Ok(Ok(())) => info!("the host is gone"),
                Ok(Err(e)) => {
                    error!("the connection to the host broke: {e}");
                    // A listener that keeps failing must not use up a processor.
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(_) => error!("the host sent a request that the vfio-user library cannot read"),
            }
            backend.disconnected();
        }
    }
}

/// Breaks the connections that were accepted at the socket `path`: for the host this is a surprise
/// removal.  Returns how many there were.
///
/// The vfio-user library keeps the connection to itself, so it is looked up by its local address.
pub fn hang_up(path: &Path) -> io::Result<usize> {
    let mut broken = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Ok(fd) = entry?.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        if is_connection(fd, path) {
            // SAFETY: shutdown of whatever `fd` is by now at worst fails.
            if unsafe { libc::shutdown(fd, libc::SHUT_RDWR) } == 0 {
                broken += 1;
            }
        }
    }
    Ok(broken)
}

/// Whether `fd` is a connected socket whose local address is `path`.
fn is_connection(fd: i32, path: &Path) -> bool {
    // SAFETY: all zeroes is a valid `sockaddr_un`.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` is good for `len` bytes.
    let named = unsafe { libc::getsockname(fd, (&raw mut address).cast(), &mut len) } == 0;
    if !named || address.sun_family != libc::AF_UNIX as libc::sa_family_t {
        return false;
    }
    let name: Vec<u8> = address
        .sun_path
        .iter()
        .take_while(|&&c| c != 0)
        .map(|&c| c as u8)
        .collect();
    let mut listening: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `listening` is good for `size` bytes.
    let known = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut listening).cast(),
            &mut size,
        )
    } == 0;
    known && listening == 0 && name == path.as_os_str().as_encoded_bytes()
}

fn regions(bar4: u64) -> Vec<ServerRegion> {
    (0..VFIO_PCI_NUM_REGIONS)
        .map(|index| {
            let size = match index {
                VFIO_PCI_BAR0_REGION_INDEX => BAR0_SIZE,
                VFIO_PCI_BAR1_REGION_INDEX => BAR1_SIZE,
                VFIO_PCI_BAR4_REGION_INDEX => bar4,
                VFIO_PCI_CONFIG_REGION_INDEX => ConfigSpace::SIZE as u64,
                _ => 0,
            };
            let flags = match size {
                0 => 0,
                _ => VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
            };
            ServerRegion {
                region_info: vfio_region_info {
                    argsz: size_of::<vfio_region_info>() as u32,
                    flags,
                    index,
                    cap_offset: 0,
                    size,
                    offset: 0,
                },
                sparse_areas: Vec::new(),
                mmap_fd: None,
            }
        })
        .collect()
}

fn irqs() -> Vec<IrqInfo> {
    (0..VFIO_PCI_NUM_IRQS)
        .map(|index| {
            let (flags, count) = match index {
                VFIO_PCI_MSI_IRQ_INDEX => (
                    VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
                    VECTORS as u32,
                ),
                VFIO_PCI_ERR_IRQ_INDEX | VFIO_PCI_REQ_IRQ_INDEX => (VFIO_IRQ_INFO_EVENTFD, 1),
                _ => (0, 0),
            };
            IrqInfo {
                index,
                flags,
                count,
            }
        })
        .collect()
}
