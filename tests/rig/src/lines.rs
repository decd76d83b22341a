// SPDX-License-Identifier: MIT OR Apache-2.0

//! JSON documents, one a line, over a Unix socket: what QEMU's monitor, the emulated card's
//! control socket and the guest's host channel have in common.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use serde_json::Value;

/// Longest line that is accepted.
const MAX_LINE: usize = 4 << 20;

/// A connection.
pub struct Lines {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Lines {
    /// Wraps a connected socket.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Connects to `path`, trying again until `deadline` while nobody listens there yet.
    pub fn connect(path: &Path, deadline: Instant) -> Result<Self> {
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => return Ok(Self::new(stream)),
                Err(e) if Instant::now() >= deadline => {
                    return Err(e).with_context(|| format!("cannot connect to {}", path.display()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Sends one document.
    pub fn send(&mut self, value: &Value) -> Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.stream
            .set_write_timeout(Some(Duration::from_secs(10)))?;
        self.stream
            .write_all(&line)
            .context("cannot write to the socket")
    }

    /// Reads the next document; `None` at the deadline.  A closed connection is an error.
    pub fn receive(&mut self, deadline: Instant) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return serde_json::from_slice(&line).map(Some).with_context(|| {
                    format!("not JSON: {}", String::from_utf8_lossy(&line).trim_end())
                });
            }
            if self.buffer.len() > MAX_LINE {
                bail!("a line of more than {MAX_LINE} bytes");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => bail!("the connection was closed"),
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e).context("cannot read from the socket"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_may_come_in_pieces() {
        let (mut far, near) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(near);
        far.write_all(b"{\"a\":").unwrap();
        let soon = || Instant::now() + Duration::from_millis(50);
        assert_eq!(lines.receive(soon()).unwrap(), None);
        far.write_all(b"1}\n\n[2]\n").unwrap();
        assert_eq!(lines.receive(soon()).unwrap(), Some(json!({"a": 1})));
        assert_eq!(lines.receive(soon()).unwrap(), Some(json!([2])));
        far.write_all(b"nonsense\n").unwrap();
        assert!(lines.receive(soon()).is_err());
        drop(far);
        assert!(lines.receive(soon()).is_err());
    }
}
