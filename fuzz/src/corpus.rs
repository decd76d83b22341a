// SPDX-License-Identifier: MIT OR Apache-2.0

//! corpus DIR: writes the seeds of all targets as files, a directory for each, as libFuzzer wants them.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let usage = || std::io::Error::other("usage: corpus DIR");
    let top = PathBuf::from(std::env::args_os().nth(1).ok_or_else(usage)?);
    for target in ax650_fuzz::TARGETS.iter().copied().flatten() {
        let directory = top.join(target.name);
        std::fs::create_dir_all(&directory)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
