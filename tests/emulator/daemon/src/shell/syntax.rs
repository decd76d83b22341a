// SPDX-License-Identifier: MIT OR Apache-2.0

//! Command lines: words, quotes, pipes, `&&`, `||`, `;` and `>`.

/// When a pipeline runs, given how the one before it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    Always,
    And,
    Or,
}

/// A command of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stage {
    words: Vec<String>,
    /// Where its output goes.
    pub(super) target: Option<String>,
}

impl Stage {
    /// The command's name.
    pub(super) fn name(&self) -> &str {
        &self.words[0]
    }

    /// The rest.
    pub(super) fn args(&self) -> &[String] {
        &self.words[1..]
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Pipe,
    And,
    Or,
    Then,
    Into,
}

impl Token {
    fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Pipe => "|".into(),
            Self::And => "&&".into(),
            Self::Or => "||".into(),
            Self::Then => ";".into(),
            Self::Into => ">".into(),
        }
    }
}

/// Takes a line apart; the error is what was not expected.
pub(super) fn parse(line: &str) -> Result<Vec<(Joint, Vec<Stage>)>, String> {
    let mut list = Vec::new();
    let mut joint = Joint::Always;
    let mut stages = Vec::new();
    let mut stage = Stage::default();
    let mut tokens = tokens(line)?.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let near = token.text();
        match token {
            Token::Word(word) => stage.words.push(word),
            Token::Into => match tokens.next() {
                Some(Token::Word(path)) => stage.target = Some(path),
                _ => return Err(near),
            },
            Token::Pipe | Token::And | Token::Or | Token::Then => {
                if stage.words.is_empty() {
                    return Err(near);
                }
                stages.push(std::mem::take(&mut stage));
                if token == Token::Pipe {
                    if tokens.peek().is_none() {
                        return Err("newline".into());
                    }
                    continue;
                }
                list.push((joint, std::mem::take(&mut stages)));
                joint = match token {
                    Token::And => Joint::And,
                    Token::Or => Joint::Or,
                    _ => Joint::Always,
                };
            }
        }
    }
    if !stage.words.is_empty() {
        stages.push(stage);
        list.push((joint, stages));
    } else if stage.target.is_some() || joint != Joint::Always {
        return Err("newline".into());
    }
    Ok(list)
}

fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            ' ' | '\t' | '\n' => {
                chars.next();
            }
            '|' | '&' | ';' | '>' => {
                chars.next();
                let double = chars.next_if_eq(&c).is_some();
                tokens.push(match (c, double) {
                    ('|', false) => Token::Pipe,
                    ('|', true) => Token::Or,
                    ('&', true) => Token::And,
                    (';', false) => Token::Then,
                    ('>', false) => Token::Into,
                    _ => return Err(c.to_string()),
                });
            }
            _ => tokens.push(Token::Word(word(&mut chars)?)),
        }
    }
    Ok(tokens)
}

fn word(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut word = String::new();
    while let Some(&c) = chars.peek() {
        if matches!(c, ' ' | '\t' | '\n' | '|' | '&' | ';' | '>') {
            break;
        }
        chars.next();
        match c {
            '\'' => loop {
                match chars.next().ok_or("end of file")? {
                    '\'' => break,
                    c => word.push(c),
                }
            },
            '"' => loop {
                match chars.next().ok_or("end of file")? {
                    '"' => break,
                    '\\' => {
                        // Within these quotes a backslash is kept unless what follows is special.
                        let next = chars.next().ok_or("end of file")?;
                        if !matches!(next, '"' | '\\' | '$' | '`') {
                            word.push('\\');
                        }
                        word.push(next);
                    }
                    c => word.push(c),
                }
            },
            '\\' => word.extend(chars.next()),
            // Substitutions would run more than what is written here.
            '$' | '`' | '(' | ')' | '<' => return Err(c.to_string()),
            c => word.push(c),
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(words: &[&str]) -> Stage {
        Stage {
            words: words.iter().map(ToString::to_string).collect(),
            target: None,
        }
    }

    #[test]
    fn lines_of_the_property_queries() {
        let line = r#"cat /proc/ax_proc/mem_cmm_info | grep -E 'name="npu_.*_pid7.*"' || true"#;
        assert_eq!(
            parse(line).unwrap(),
            [
                (
                    Joint::Always,
                    vec![
                        stage(&["cat", "/proc/ax_proc/mem_cmm_info"]),
                        stage(&["grep", "-E", r#"name="npu_.*_pid7.*""#]),
                    ]
                ),
                (Joint::Or, vec![stage(&["true"])]),
            ]
        );
        let line = parse("echo 1 > /sys/x;true").unwrap();
        assert_eq!(line[0].1[0].target.as_deref(), Some("/sys/x"));
        assert_eq!(line[1].1, [stage(&["true"])]);
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(
            parse(r#"echo "a \| b""#).unwrap()[0].1,
            [stage(&["echo", r"a \| b"])]
        );
    }

    #[test]
    fn broken_lines() {
        for line in [
            "|",
            "a |",
            "a ||",
            "&& a",
            "a & b",
            "a >",
            "> x",
            "echo 'a",
            "echo $(id)",
            "echo `id`",
            "a >> b",
        ] {
            assert!(parse(line).is_err(), "{line}: {:?}", parse(line));
        }
    }
}
