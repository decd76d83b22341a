// SPDX-License-Identifier: MIT OR Apache-2.0
pub(crate) struct Outcome { pub(crate) status: i32, pub(crate) output: String }
pub(crate) fn run(_card: &crate::card::Card, line: &str) -> Outcome { Outcome { status: 127, output: format!("sh: {line}: not found\n") } }
