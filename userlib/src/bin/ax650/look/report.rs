// SPDX-License-Identifier: MIT OR Apache-2.0

//! What was found, as lines of JSON.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{json, Value};

use crate::failure::Failure;
use crate::output::Output;

/// Names of classes.
pub struct Labels(Vec<String>);

impl Labels {
    /// Reads a file with one a line.
    pub fn read(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self(Vec::new()));
        };
        let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
        Ok(Self(
            text.lines().map(|line| line.trim().to_owned()).collect(),
        ))
    }

    /// Makes a list for tests.
    #[cfg(test)]
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Returns the name of a class, if it has one.
    pub fn name(&self, class: usize) -> Option<&str> {
        self.0.get(class).map(String::as_str)
    }
}

/// What is told of a picture.
pub struct Picture<'a> {
    /// Where it is from.
    pub input: &'a Path,
    /// Number of the picture there, from 0.
    pub number: u64,
    /// When it is shown.
    pub seconds: f64,
    /// Columns and rows.
    pub size: (u32, u32),
    /// What is told of it, by name.
    pub seen: (&'static str, Value),
}

/// The file for results, that all inputs write to.
pub struct Report {
    path: PathBuf,
    output: Mutex<Output>,
    labels: Labels,
    /// There are several inputs, so lines say which.
    names_inputs: bool,
}

impl Report {
    /// Begins the file.
    pub fn create(
        path: &Path,
        force: bool,
        labels: Labels,
        names_inputs: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            path: path.into(),
            output: Mutex::new(Output::create(path, force)?),
            labels,
            names_inputs,
        })
    }

    /// Returns the names of classes.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Writes a line.
    pub fn tell(&self, picture: Picture<'_>) -> Result<(), Failure> {
        let line = line(picture, self.names_inputs);
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(output, "{line}")
            .and_then(|()| output.flush_pipe())
            .map_err(|error| Failure::file(&self.path, &error))
    }

    /// Completes the file.
    pub fn finish(self) -> Result<(), Failure> {
        let output = self.output.into_inner();
        output.unwrap_or_else(PoisonError::into_inner).commit()
    }
}

fn line(picture: Picture<'_>, names_input: bool) -> Value {
    let (name, seen) = picture.seen;
    let mut object = json!({
        "frame": picture.number,
        "pts": (picture.seconds * 1e6).round() / 1e6,
        "width": picture.size.0,
        "height": picture.size.1,
        name: seen,
    });
    if names_input {
        object["input"] = picture.input.display().to_string().into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_objects() {
        let picture = || Picture {
            input: Path::new("a.mp4"),
            number: 7,
            seconds: 0.28,
            size: (640, 360),
            seen: ("classes", json!([])),
        };
        assert_eq!(
            line(picture(), true).to_string(),
            r#"{"classes":[],"frame":7,"height":360,"input":"a.mp4","pts":0.28,"width":640}"#
        );
        assert!(line(picture(), false).get("input").is_none());
    }
}
