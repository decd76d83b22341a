// SPDX-License-Identifier: MIT OR Apache-2.0

//! container-corpus DIR: writes the good and broken containers as files, for fuzzers and for trying
//! programs by hand. Good ones are named good-N, the others structure-N and digest-N; the list on
//! standard output says what N is.

use ax650_wire_tests::containers::{cases, Expect};
use std::{env, fs, io, path::PathBuf, process::ExitCode};

fn write_all(directory: PathBuf) -> io::Result<()> {
    fs::create_dir_all(&directory)?;
    for (number, case) in cases().into_iter().enumerate() {
        let class = match case.expect {
            Expect::Good => "good",
            Expect::BadStructure => "structure",
            Expect::BadDigest => "digest",
        };
        let name = format!("{class}-{number}.pac");
        println!("{name}\t{}", case.name);
        fs::write(directory.join(name), case.bytes)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: container-corpus DIR");
        return ExitCode::from(2);
    };
    match write_all(directory.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("container-corpus: {error}");
            ExitCode::FAILURE
        }
    }
}
