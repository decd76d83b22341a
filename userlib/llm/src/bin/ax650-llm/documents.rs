// SPDX-License-Identifier: MIT OR Apache-2.0

//! The manual pages and completions in docs/ are made from the command line's definition; this keeps them so.

use ax650_command::failure::exit_codes_roff;
use ax650_test_docs::{completions, manual_page};
use clap::CommandFactory;

use crate::args::Arguments;

/// What for, and the command.
const EXAMPLES: [(&str, &str); 6] = [
    ("A conversation:", "ax650-llm run SmolLM2-135M-Instruct"),
    (
        "One question, the same answer each time:",
        "ax650-llm run SmolLM2-135M-Instruct --prompt Hello --temperature 0.7 --seed 1",
    ),
    (
        "What is in a picture, by a model that sees some?",
        "ax650-llm run SmolVLM-256M-Instruct --image cat.png --prompt Describe",
    ),
    (
        "For programs that know OpenAI's interface:",
        "ax650-llm serve SmolLM2-135M-Instruct --listen 127.0.0.1:8650",
    ),
    (
        "What does a token cost?",
        "ax650-llm bench SmolLM2-135M-Instruct",
    ),
    (
        "What is said in a file?",
        "ax650-llm transcribe whisper-tiny.en speech.wav",
    ),
];

fn roff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
}

#[test]
fn manual_pages_are_up_to_date() {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let names: Vec<_> = command
        .get_subcommands()
        .map(|sub| format!("ax650-llm-{}", sub.get_name()))
        .collect();
    for (sub, name) in command.get_subcommands().zip(&names) {
        page(sub, name, &["ax650-llm".into()]);
    }
    page(&command, "ax650-llm", &names);
}

/// Compares a page, which has the examples of its command, or all.
fn page(command: &clap::Command, name: &str, others: &[String]) {
    let of_command = name.replacen("ax650-llm-", "ax650-llm ", 1);
    let examples: Vec<_> = EXAMPLES
        .iter()
        .filter(|(_, line)| line.starts_with(&of_command))
        .map(|(what, line)| {
            let (what, line) = (roff(what), roff(line));
            format!("{what}\n.PP\n.nf\n.RS\n{line}\n.RE\n.fi\n.PP\n")
        })
        .collect();
    let also: Vec<_> = others
        .iter()
        .map(|other| format!(".BR {} (1),\n", roff(other)))
        .collect();
    let (examples, also) = (examples.concat(), also.concat());
    let end = format!(
        ".SH EXAMPLES\n{examples}.SH ENVIRONMENT\n\
         .TP\n\\fBAX650_DEVICE\\fR\nThe card to use, unless \\fB\\-d\\fR names one.\n\
         .TP\n\\fBAX650_LOG\\fR\nWhat to tell on standard error, such as \\fBdebug\\fR or \\fBax650::session=trace\\fR.\n\
         {}.SH \"SEE ALSO\"\n{also}.BR ax650 (1),\n.BR ax650 (4)\n",
        exit_codes_roff(true),
    );
    let command = command.clone().after_help(None::<&'static str>);
    manual_page(command, name, &end);
}

/// What the page shows has to be a command line of today.
#[test]
fn examples_are_understood() {
    for (_, line) in EXAMPLES {
        let parsed = Arguments::command().try_get_matches_from(line.split_whitespace());
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn completions_are_up_to_date() {
    completions(Arguments::command(), "ax650-llm");
}
