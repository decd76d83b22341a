// SPDX-License-Identifier: MIT OR Apache-2.0

//! `grep` over the output of the stage before.

use regex_lite::Regex;

use super::outcome::Outcome;

/// Runs `grep [-E] [-v] [-i] PATTERN` on `input`.
pub(super) fn run(args: &[String], input: &str) -> Outcome {
    let (mut extended, mut invert, mut ignore_case) = (false, false, false);
    let mut pattern = None;
    for arg in args {
        match arg.strip_prefix('-') {
            Some(options) if pattern.is_none() && !options.is_empty() => {
                for option in options.chars() {
                    match option {
                        'E' => extended = true,
                        'v' => invert = true,
                        'i' => ignore_case = true,
                        other => {
                            return Outcome::fail(
                                2,
                                format!("grep: unrecognized option: {other}\n"),
                            )
                        }
                    }
                }
            }
            _ if pattern.is_none() => pattern = Some(arg),
            _ => return Outcome::fail(2, format!("grep: {arg}: No such file or directory\n")),
        }
    }
    let Some(pattern) = pattern else {
        return Outcome::fail(2, "Usage: grep [-Evi] PATTERN\n");
    };
    let pattern = if extended {
        pattern.clone()
    } else {
        basic(pattern)
    };
    let pattern = if ignore_case {
        format!("(?i){pattern}")
    } else {
        pattern
    };
    let Ok(regex) = Regex::new(&pattern) else {
        return Outcome::fail(2, "grep: bad regex\n");
    };
    let mut output = String::new();
    for line in input.lines().filter(|line| regex.is_match(line) != invert) {
        output.push_str(line);
        output.push('\n');
    }
    Outcome {
        status: i32::from(output.is_empty()),
        output,
    }
}

/// A basic regular expression as an extended one: there `+?|(){}` are plain, and special after a
/// backslash.
fn basic(pattern: &str) -> String {
    let mut extended = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '+' | '?' | '|' | '(' | ')' | '{' | '}' => extended.extend(['\\', c]),
            '\\' => match chars.next() {
                Some(c @ ('+' | '?' | '|' | '(' | ')' | '{' | '}')) => extended.push(c),
                Some(c) => extended.extend(['\\', c]),
                None => extended.push_str("\\\\"),
            },
            c => extended.push(c),
        }
    }
    extended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grep(args: &[&str]) -> Outcome {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        run(&args, "one 1\ntwo (2)\nThree 3\n")
    }

    #[test]
    fn patterns() {
        assert_eq!(grep(&["two"]), Outcome::ok("two (2)\n"));
        assert_eq!(grep(&["(2)"]), Outcome::ok("two (2)\n"));
        assert_eq!(grep(&["-E", "one|Three"]), Outcome::ok("one 1\nThree 3\n"));
        assert_eq!(grep(&["one\\|Three"]), Outcome::ok("one 1\nThree 3\n"));
        assert_eq!(grep(&["-vi", "t"]), Outcome::ok("one 1\n"));
        assert_eq!(grep(&["four"]), Outcome::fail(1, ""));
        assert_eq!(grep(&["-E", "("]).status, 2);
        assert_eq!(grep(&["-z", "a"]).status, 2);
        assert_eq!(grep(&[]).status, 2);
    }
}
