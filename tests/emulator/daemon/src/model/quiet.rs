// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keeps a library's chatter off the error output.
//!
//! The ONNX Runtime of Debian 13 registers all operators twice when it starts, and its ONNX library
//! says so on the error output, in some 700 lines that mean nothing.  There is no setting for it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use nix::sys::memfd::{memfd_create, MFdFlags};
use nix::unistd::{dup, dup2_stderr};

/// What the lines begin with; each is followed by an empty one.
const CHATTER: &str = "Schema error: Trying to register schema with name ";

/// Runs `work`.  What is written to the error output meanwhile, by any thread, is written out after
/// it, without the chatter.
pub(super) fn without_chatter<R>(work: impl FnOnce() -> R) -> R {
    let Ok((catcher, stderr)) = catcher() else {
        return work();
    };
    let result = work();
    // Cannot fail: both descriptors are open.
    let _ = dup2_stderr(&stderr);
    let _ = pass_on(catcher, &mut File::from(stderr));
    result
}

/// Puts a file in memory in the place of the error output; returns both.
fn catcher() -> io::Result<(File, std::os::fd::OwnedFd)> {
    let stderr = dup(io::stderr())?;
    let catcher = memfd_create("stderr", MFdFlags::MFD_CLOEXEC)?;
    dup2_stderr(&catcher)?;
    Ok((catcher.into(), stderr))
}

fn pass_on(mut catcher: File, stderr: &mut File) -> io::Result<()> {
    let mut text = Vec::new();
    catcher.rewind()?;
    catcher.read_to_end(&mut text)?;
    stderr.write_all(filter(&String::from_utf8_lossy(&text)).as_bytes())
}

fn filter(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if line.starts_with(CHATTER) {
            lines.next_if_eq(&"\n");
        } else {
            kept.push_str(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_chatter_goes() {
        let noise = format!("{CHATTER}Abs (domain:  version: 1)\n\n");
        let text = format!("one\n{noise}{noise}two\n\n{noise}three");
        assert_eq!(filter(&text), "one\ntwo\n\nthree");
    }
}
