// SPDX-License-Identifier: MIT OR Apache-2.0

//! Captured frames and messages, `vectors/worked-examples.txt`.

const FILE: &str = include_str!("../../../vectors/worked-examples.txt");

/// One captured message.
#[derive(Clone, Debug)]
pub struct Example {
    /// Port of the session, 0 to 3.
    pub port: u32,
    /// Whether the host sent it.
    pub to_card: bool,
    /// The message.
    pub bytes: Vec<u8>,
    /// What it is.
    pub title: &'static str,
}

/// All messages that the notes print to their end.
///
/// # Panics
///
/// If the file is not what its own head says.
pub fn all() -> Vec<Example> {
    let lines = FILE.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let examples = lines.filter_map(|line| {
        let mut words = line.splitn(5, ' ');
        let mut word = || words.next().expect("five words in a line");
        let (port, direction) = (&word()[1..], word());
        let length: usize = word().parse().expect("a length");
        let bytes = unhex(word());
        (bytes.len() == length).then(|| Example {
            port: port.parse().expect("a port number"),
            to_card: direction == ">",
            bytes,
            title: word(),
        })
    });
    examples.collect()
}

/// The first example whose title begins so.
///
/// # Panics
///
/// If there is none.
pub fn named(title: &str) -> Example {
    let found = all()
        .into_iter()
        .find(|example| example.title.starts_with(title));
    found.unwrap_or_else(|| panic!("no example {title:?}"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|two| {
        let two = std::str::from_utf8(two).expect("ASCII");
        u8::from_str_radix(two, 16).expect("hexadecimal digits")
    });
    bytes.collect()
}
