// SPDX-License-Identifier: MIT OR Apache-2.0

//! Makes Rust types of the card's messages (`proto/*.proto`); needs no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In the repository a link to the schemas that all readers of the protocol share.
    println!(
        "cargo:rerun-if-changed={}",
        std::fs::canonicalize("proto")?.display()
    );
    let files = protox::compile(["axcl_rpc.proto"], ["proto"])?;
    prost_build::Config::new()
        .disable_comments(["."])
        .include_file("axcl.rs")
        .compile_fds(files)?;
    Ok(())
}
