// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and pipes that are read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use crate::failure::Failure;
use crate::interrupt;

/// How long to wait for a pipe before looking whether the program is to end, milliseconds.
const TURN: u16 = 100;
/// What is looked at to tell what a file is.
const HEAD: usize = 64 << 10;

/// A file, or a pipe; waiting for one ends when the program is interrupted or told to stop.
pub struct Input {
    file: File,
    stop: Arc<AtomicBool>,
    /// Bytes of a regular file.
    pub length: Option<u64>,
    /// What was looked at and not read yet.
    head: Vec<u8>,
    taken: usize,
    /// Where the next byte is in the file.
    position: u64,
}

impl Input {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::try_open(path).map_err(|error| Failure::file(path, &error))
    }

    fn try_open(path: &Path) -> io::Result<Self> {
        let file = if path == Path::new("-") {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(path)?
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        let mut input = Self {
            file,
            stop: Arc::default(),
            length: metadata.is_file().then_some(metadata.len()),
            head: Vec::new(),
            taken: 0,
            position: 0,
        };
        // Somebody may have read from the beginning of it already.
        if input.length.is_some() && input.file.stream_position()? != 0 {
            input.file.rewind()?;
        }
        Ok(input)
    }

    /// Returns the file itself.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Makes reading end with an error when it is set.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Looks at the beginning without taking it: a part of it, of a pipe that gives no more yet.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        if self.head.is_empty() && self.position == 0 {
            let mut head = vec![0; HEAD];
            let mut filled = 0;
            // A pipe that has given a few bytes may never give more.
            while filled < 16 {
                match self.read_file(&mut head[filled..])? {
                    0 => break,
                    count => filled += count,
                }
            }
            head.truncate(filled);
            self.head = head;
        }
        Ok(&self.head[self.taken..])
    }

    /// Looks at more of the beginning; false if there is no more, or enough of it was seen.
    pub fn peek_more(&mut self) -> io::Result<bool> {
        if self.position > 0 || self.head.len() >= HEAD {
            return Ok(false);
        }
        let mut more = vec![0; HEAD - self.head.len()];
        let count = self.read_file(&mut more)?;
        self.head.extend_from_slice(&more[..count]);
        Ok(count > 0)
    }

    /// Goes to `offset`; in a pipe forward only.
    pub fn go_to(&mut self, offset: u64) -> io::Result<()> {
        if offset == self.position {
            return Ok(());
        }
        if self.length.is_some() {
            self.file.seek(SeekFrom::Start(offset))?;
            (self.head, self.taken) = (Vec::new(), 0);
            self.position = offset;
            return Ok(());
        }
        let Some(skip) = offset.checked_sub(self.position) else {
            return Err(io::Error::other(
                "its parts are in an order that cannot be read from a pipe",
            ));
        };
        io::copy(&mut self.by_ref().take(skip), &mut io::sink())?;
        Ok(())
    }

    /// Fills `bytes` as far as there is anything; how much it was.
    pub fn fill(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read(&mut bytes[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    fn read_file(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.load(Ordering::Relaxed) || interrupt::check().is_err() {
                return Err(io::Error::other("interrupted"));
            }
            if self.length.is_none() {
                let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
                match poll(&mut fds, PollTimeout::from(TURN)) {
                    Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                    Ok(_) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            match self.file.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let head = &self.head[self.taken..];
        let count = if head.is_empty() {
            self.read_file(bytes)?
        } else {
            let count = head.len().min(bytes.len());
            bytes[..count].copy_from_slice(&head[..count]);
            self.taken += count;
            count
        };
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_was_looked_at_is_read_again() {
        let path = std::env::temp_dir().join(format!("ax650-input-{}", std::process::id()));
        std::fs::write(&path, (0..=255).collect::<Vec<u8>>()).unwrap();
        let mut input = Input::open(&path).unwrap();
        assert_eq!(input.peek().unwrap().len(), 256);
        let mut bytes = [0; 4];
        assert_eq!(input.fill(&mut bytes).unwrap(), 4);
        assert_eq!(bytes, [0, 1, 2, 3]);
        input.go_to(254).unwrap();
        assert_eq!(input.fill(&mut bytes).unwrap(), 2);
        input.go_to(1).unwrap();
        assert_eq!(input.fill(&mut bytes).unwrap(), 4);
        assert_eq!(bytes, [1, 2, 3, 4]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn pipes_go_forward_only() {
        let (read, write) = nix::unistd::pipe().unwrap();
        let mut write = File::from(write);
        write.write_all(&[7; 100]).unwrap();
        write.write_all(&[8; 100]).unwrap();
        drop(write);
        let mut input = Input {
            file: File::from(read),
            stop: Arc::default(),
            length: None,
            head: Vec::new(),
            taken: 0,
            position: 0,
        };
        assert_eq!(input.peek().unwrap().len(), 200);
        assert!(!input.peek_more().unwrap());
        input.go_to(150).unwrap();
        let mut bytes = [0; 60];
        assert_eq!(input.fill(&mut bytes).unwrap(), 50);
        assert_eq!(bytes[0], 8);
        assert!(input.go_to(0).is_err());
    }

    #[test]
    fn waiting_for_a_pipe_ends_when_told_to() {
        let (read, write) = nix::unistd::pipe().unwrap();
        let mut input = Input {
            file: File::from(read),
            stop: Arc::default(),
            length: None,
            head: Vec::new(),
            taken: 0,
            position: 0,
        };
        let stop = input.stop();
        let waiter = std::thread::spawn(move || input.read(&mut [0; 4]).is_err());
        stop.store(true, Ordering::Relaxed);
        assert!(waiter.join().unwrap());
        drop(write);
    }
}
