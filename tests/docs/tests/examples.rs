// SPDX-License-Identifier: MIT OR Apache-2.0

//! The messages in `docs/protocol/rpc-examples.md` are those that the code is tested with.

mod support;

use regex::Regex;
use support::read;

/// A message: its port, `>` to the card or `<` from it, its bytes in hexadecimal.
type Message = (String, String, String);

#[test]
fn examples_are_those_of_the_tests() {
    let text = read("docs/protocol/rpc-examples.md");
    let example = Regex::new(
        r"(?s)\*\*[^*]+\*\* \((P\d), (host|card) to (?:host|card), (\d+) bytes\)[^\n]*\n\n```\n(.*?)```",
    )
    .expect("a pattern");
    let mut whole: Vec<Message> = Vec::new();
    let mut cut = 0;
    for found in example.captures_iter(&text) {
        let bytes: String = found[4]
            .lines()
            .flat_map(|line| line.split_whitespace().skip(1))
            .collect();
        let length: usize = found[3].parse().expect("a length");
        if bytes.len() == 2 * length {
            let direction = if &found[2] == "host" { ">" } else { "<" };
            whole.push((found[1].to_owned(), direction.to_owned(), bytes));
        } else {
            assert_eq!(bytes.len(), 640, "a dump that is neither whole nor cut");
            cut += 1;
        }
    }
    assert!(
        whole.len() > 70 && cut < 5,
        "{} whole, {cut} cut",
        whole.len()
    );
    let data = read("vectors/worked-examples.txt");
    let tested: Vec<Message> = data
        .lines()
        .filter(|line| line.starts_with('P'))
        .filter_map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            let mut word = || words.next().expect("port, direction, length, bytes");
            let (port, direction, length) = (word(), word(), word());
            let bytes = word();
            let is_whole = length.parse() == Ok(bytes.len() / 2);
            is_whole.then_some((port, direction, bytes))
        })
        .collect();
    assert_eq!(whole, tested);
}
