// SPDX-License-Identifier: MIT OR Apache-2.0

//! Makes Rust types of the card's messages (`proto/` of this tree); needs no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../proto");
    let files = protox::compile(["axcl_rpc.proto"], ["../../proto"])?;
    prost_build::Config::new()
        .disable_comments(["."])
        .include_file("axcl.rs")
        .compile_fds(files)?;
    Ok(())
}
