// SPDX-License-Identifier: MIT OR Apache-2.0

//! What all descriptions of directories have in common: how they are read, and checks of their fields, whose errors name the
//! field and its value.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Largest description.
const MAX_FILE: u64 = 1 << 20;

/// Reads a description, of which `check` says what is wrong.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    check: impl FnOnce(&T) -> Result<(), String>,
) -> Result<T> {
    let failed = |error| Error::file(path, error);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE {
        let problem = format!("{size} bytes, at most {MAX_FILE} are read");
        return Err(Error::directory(path, problem));
    }
    let text = std::fs::read(path).map_err(failed)?;
    parse(&text, check).map_err(|problem| Error::directory(path, problem))
}

/// Turns text into a description, of which `check` says what is wrong.
pub(crate) fn parse<T: DeserializeOwned>(
    text: &[u8],
    check: impl FnOnce(&T) -> Result<(), String>,
) -> Result<T, String> {
    let description = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    check(&description)?;
    Ok(description)
}

/// Checks the name of a model.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    match name.is_empty() || name.chars().any(char::is_control) {
        true => Err(format!("name: {name:?} is no name")),
        false => Ok(()),
    }
}

/// Checks numbers, each with the most that it may be.
pub(crate) fn check_numbers(numbers: &[(&str, usize, usize)]) -> Result<(), String> {
    for (field, value, most) in numbers {
        if *value == 0 || value > most {
            return Err(format!("{field}: {value} is not from 1 to {most}"));
        }
    }
    Ok(())
}

/// Checks names of files: nothing of a directory from elsewhere leads out of it.
pub(crate) fn check_files(files: &[(&str, &str)]) -> Result<(), String> {
    for (field, value) in files {
        if value.is_empty() || value.contains(['/', '\0']) || *value == "." || *value == ".." {
            return Err(format!(
                "{field}: {value:?} is no name of a file in the directory"
            ));
        }
    }
    Ok(())
}

/// Checks that tokens are in the vocabulary.
pub(crate) fn check_tokens(field: &str, tokens: &[u32], vocabulary: usize) -> Result<(), String> {
    match tokens.iter().find(|token| **token as usize >= vocabulary) {
        Some(token) => Err(format!(
            "{field}: {token} is not from 0 to {}",
            vocabulary - 1
        )),
        None => Ok(()),
    }
}
