// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compiles the schema of the card's calls and the subset of ONNX that the model tool edits.
//! protox is a protobuf compiler in Rust, so no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manifest = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    for (file, directory) in [
        ("axcl_rpc.proto", manifest.join("../../../proto")),
        ("onnx_subset.proto", manifest.join("proto")),
    ] {
        println!("cargo::rerun-if-changed={}", directory.display());
        let schema = protox::compile([file], [&directory])?;
        prost_build::Config::new().compile_fds(schema)?;
    }
    Ok(())
}
