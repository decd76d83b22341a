// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command `ax650-llm`, and the small models of tests/data/llm for it.

use std::process::{Command, Output, Stdio};

use anyhow::{ensure, Result};
use serde_json::Value;

/// Name and bytes of a file of a model.
pub type ModelFile = (&'static str, &'static [u8]);

/// The file `$name` of the model `$model`, a directory of tests/data/llm.
macro_rules! model_file {
    ($model:literal, $name:literal) => {
        (
            $name,
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../data/llm/",
                $model,
                "/",
                $name
            ))
            .as_slice(),
        )
    };
}
pub(crate) use model_file;

/// Writes a model to the directory `home`.
pub fn write(home: &str, files: &[ModelFile]) -> Result<()> {
    std::fs::create_dir_all(home)?;
    for (name, bytes) in files {
        std::fs::write(format!("{home}/{name}"), bytes)?;
    }
    Ok(())
}

/// Runs the command.
pub fn run(args: &[&str]) -> Result<Output> {
    let mut command = Command::new("ax650-llm");
    Ok(command.args(args).stdin(Stdio::null()).output()?)
}

/// Runs the command, which must go well, and returns what it prints.
pub fn text_of(args: &[&str]) -> Result<String> {
    let output = run(args)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{args:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs the command, which must go well, and reads the JSON that it prints.
pub fn json_of(args: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&text_of(args)?)?)
}
