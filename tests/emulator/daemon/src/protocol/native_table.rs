// SPDX-License-Identifier: MIT OR Apache-2.0

//! The calls of the notes [rpc 7.5] with the sizes of their blobs, read from `data/native-calls.txt`.

use std::collections::HashMap;
use std::sync::OnceLock;

/// One column of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Blobs {
    /// Bytes of each blob; `None` for any length.
    Sizes(Vec<Option<usize>>),
    /// The notes could not tell.
    Unknown,
    /// The host answers the call itself, or refuses it.
    NotSent,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The public name.
    pub(crate) name: &'static str,
    /// The request.
    pub(crate) request: Blobs,
    /// The answer; the return value is the first blob.
    pub(crate) answer: Blobs,
}

/// All calls, by module and api number.
pub(crate) fn calls() -> &'static HashMap<(u32, u32), Call> {
    static CALLS: OnceLock<HashMap<(u32, u32), Call>> = OnceLock::new();
    CALLS.get_or_init(|| {
        let lines = include_str!("../../data/native-calls.txt").lines();
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| parse(line).expect("the table of calls is part of this program"))
            .collect()
    })
}

/// The call `api` of `module`, if the notes have it.
pub(crate) fn find(module: u32, api: u32) -> Option<&'static Call> {
    calls().get(&(module, api))
}

fn parse(line: &'static str) -> Option<((u32, u32), Call)> {
    let mut words = line.split_whitespace();
    let key = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let call = Call {
        name: words.next()?,
        request: blobs(words.next()?)?,
        answer: blobs(words.next()?)?,
    };
    words.next().is_none().then_some((key, call))
}

fn blobs(word: &str) -> Option<Blobs> {
    let size = |size: &str| match size {
        "var" => Some(None),
        size => size.parse().ok().map(Some),
    };
    Some(match word {
        "-" => Blobs::NotSent,
        "?" => Blobs::Unknown,
        "none" => Blobs::Sizes(Vec::new()),
        sizes => Blobs::Sizes(sizes.split(',').map(size).collect::<Option<_>>()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(
            parse("1 20 AX_VDEC_GetUserData 4 4,112,var"),
            Some((
                (1, 20),
                Call {
                    name: "AX_VDEC_GetUserData",
                    request: Blobs::Sizes(vec![Some(4)]),
                    answer: Blobs::Sizes(vec![Some(4), Some(112), None]),
                }
            ))
        );
        assert_eq!(parse("1 20 AX_VDEC_GetUserData 4"), None);
        assert_eq!(parse("1 20 AX_VDEC_GetUserData 4 4,x"), None);
        assert_eq!(parse("1 20 AX_VDEC_GetUserData 4 4 4"), None);
    }

    /// The sizes that were measured are those of the table.
    #[test]
    fn measured_sizes() {
        let text = include_str!("../../../../../vectors/native-call-sizes.json");
        let measured: HashMap<String, Vec<usize>> = serde_json::from_str(text).unwrap();
        for (name, sizes) in &measured {
            let call = calls().values().find(|call| call.name == name);
            let sizes = sizes.iter().copied().map(Some).collect();
            assert_eq!(
                call.map(|c| &c.answer),
                Some(&Blobs::Sizes(sizes)),
                "{name}"
            );
        }
    }
}
