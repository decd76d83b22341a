// SPDX-License-Identifier: MIT OR Apache-2.0

//! The manual knows every switch, state and option.

mod host;

use std::process::Command;

use ax650_emu::control::{COMMANDS, INJECT};
use ax650_emu::parts::State;
#[cfg(feature = "service")]
use ax650_emu::switches::TABLE;
use serde_json::json;

fn manual() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/emulator.md");
    std::fs::read_to_string(path).unwrap()
}

fn has_row(manual: &str, name: &str) -> bool {
    manual
        .lines()
        .any(|line| line.starts_with(&format!("| `{name}` |")))
}

/// What the manual says before the switches of the service.
#[cfg(feature = "service")]
const OF_THE_SERVICE: &str = "\
### The service

These are read by the service; with `--echo` they do not exist. A count is used up from when it was set; clear it before
setting the same number again.

| switch | effect |
| --- | --- |
";

#[cfg(feature = "service")]
#[test]
fn the_page_of_switches_is_that_of_the_tables() {
    let mut page = String::new();
    for (heading, specs) in TABLE {
        page += &format!("### {heading}\n\n| switch | type | effect |\n| --- | --- | --- |\n");
        for spec in *specs {
            page += &format!(
                "| `{}` | {} | {} |\n",
                spec.name,
                spec.kind.name(),
                spec.about
            );
        }
        page.push('\n');
    }
    page += OF_THE_SERVICE;
    for (name, about) in ax650_emu_daemon::SWITCHES {
        page += &format!("| `{name}` | {about} |\n");
    }
    ax650_test_docs::marked("emulator.md", "switches", &page);
}

#[test]
fn every_state_is_described() {
    let manual = manual();
    for state in State::ALL {
        assert!(has_row(&manual, state.name()), "{}", state.name());
    }
}

#[test]
fn every_command_is_described_and_known() {
    let manual = manual();
    for (name, ..) in COMMANDS.iter().chain(INJECT) {
        assert!(has_row(&manual, name), "{name}");
    }
    let host = host::Host::new(host::quick());
    for (name, ..) in COMMANDS {
        let reply = host.try_control(json!({ "cmd": name }));
        let error = reply["error"].as_str().unwrap_or_default();
        assert!(!error.contains("there is no command"), "{name}: {error}");
    }
    for (name, ..) in INJECT {
        let reply = host.try_control(json!({ "cmd": "inject", "what": name }));
        let error = reply["error"].as_str().unwrap_or_default();
        assert!(!error.contains("cannot inject"), "{name}: {error}");
    }
}

#[test]
fn every_option_is_described() {
    let manual = manual();
    let help = Command::new(env!("CARGO_BIN_EXE_ax650-emu"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options: Vec<&str> = help
        .lines()
        .filter_map(|line| line.split_whitespace().find(|w| w.starts_with("--")))
        .filter(|o| !["--help", "--version"].contains(o))
        .collect();
    assert!(options.len() > 10, "{options:?}");
    for option in options {
        assert!(manual.contains(&format!("| `{option}")), "{option}");
    }
}
