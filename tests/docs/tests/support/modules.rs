// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which file of a Rust crate names which: all paths that begin with `crate`, `super`, `self`, or, in
//! a `use`, with a child module.  Read from the tokens, so that macros count and comments do not.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use proc_macro2::{token_stream, Delimiter, TokenStream, TokenTree};

/// A module's or item's path from the root of its crate.
type Path = Vec<String>;
type Tokens = Peekable<token_stream::IntoIter>;

/// The files of one crate.
pub struct Crate {
    /// By the module that the file is: its name from the top of the tree, and its text.
    files: BTreeMap<Path, (String, String)>,
    /// What modules call by another path: public `use`.
    aliases: BTreeMap<Path, Path>,
    /// Paths that files name, by the file's module.
    named: BTreeMap<Path, BTreeSet<Path>>,
}

/// One file that is being read.
struct Reader<'a> {
    files: &'a BTreeMap<Path, (String, String)>,
    aliases: BTreeMap<Path, Path>,
    named: BTreeSet<Path>,
}

impl Crate {
    /// Reads the crate in `files` (names from the top of the tree, texts), whose root is `root`.
    pub fn read(root: &str, files: Vec<(String, String)>) -> Self {
        let directory = root.rsplit_once('/').expect("a path with a directory").0;
        let files: BTreeMap<Path, (String, String)> = files
            .into_iter()
            .map(|(name, text)| (module_of(&name, root, directory), (name, text)))
            .collect();
        let mut aliases = BTreeMap::new();
        let mut named = BTreeMap::new();
        for (module, (name, text)) in &files {
            let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
            let mut reader = Reader {
                files: &files,
                aliases: BTreeMap::new(),
                named: BTreeSet::new(),
            };
            reader.block(tokens, module);
            aliases.append(&mut reader.aliases);
            named.insert(module.clone(), reader.named);
        }
        Self {
            files,
            aliases,
            named,
        }
    }

    /// Returns all files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.values().map(|(name, _)| name.as_str())
    }

    /// Returns which file names which others.
    pub fn arrows(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        self.named
            .iter()
            .map(|(module, paths)| {
                let from = self.files[module].0.as_str();
                let to = paths
                    .iter()
                    .map(|path| self.file_of(path))
                    .filter(|to| *to != from)
                    .collect();
                (from, to)
            })
            .collect()
    }

    /// Returns the file in which `path` is, behind all aliases.
    fn file_of(&self, path: &[String]) -> &str {
        let mut path = path.to_vec();
        // Aliases of aliases end; a circle of them does not compile.
        for _ in 0..16 {
            let alias = (1..=path.len())
                .rev()
                .find_map(|len| Some((len, self.aliases.get(&path[..len])?)));
            let Some((len, meant)) = alias else { break };
            path = [meant.as_slice(), &path[len..]].concat();
        }
        (0..=path.len())
            .rev()
            .find_map(|len| self.files.get(&path[..len]))
            .map(|(name, _)| name.as_str())
            .expect("the root has a file")
    }
}

/// Returns the module which the file `name` is.
fn module_of(name: &str, root: &str, directory: &str) -> Path {
    if name == root {
        return Path::new();
    }
    let inside = name[directory.len() + 1..]
        .strip_suffix(".rs")
        .expect("Rust");
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    inside.split('/').map(str::to_owned).collect()
}

impl Reader<'_> {
    /// Reads what stands in `module`.
    fn block(&mut self, tokens: TokenStream, module: &[String]) {
        let mut tokens = tokens.into_iter().peekable();
        let mut public = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => match ident.to_string().as_str() {
                    "pub" => {
                        public = true;
                        if is_group(tokens.peek(), Delimiter::Parenthesis) {
                            tokens.next();
                        }
                        continue;
                    }
                    "use" => self.tree(&mut tokens, module, Vec::new(), true, public),
                    "mod" => {
                        let name = tokens.next().map(|t| t.to_string()).unwrap_or_default();
                        if is_group(tokens.peek(), Delimiter::Brace) {
                            if let Some(TokenTree::Group(body)) = tokens.next() {
                                self.block(body.stream(), &[module, &[name]].concat());
                            }
                        }
                    }
                    head @ ("crate" | "super" | "self") => {
                        if is_punct(tokens.peek(), ':') {
                            let start = step(module, module, head);
                            self.path(&mut tokens, module, start);
                        }
                    }
                    _ => {}
                },
                TokenTree::Group(group) => self.block(group.stream(), module),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            public = false;
        }
    }

    /// Reads the rest of a path in an expression or type, up to where it cannot go on.
    fn path(&mut self, tokens: &mut Tokens, module: &[String], start: Path) {
        let mut path = start;
        while skip_colons(tokens) {
            let Some(TokenTree::Ident(ident)) = tokens.peek() else {
                break;
            };
            path = step(module, &path, &ident.to_string());
            tokens.next();
        }
        self.named.insert(path);
    }

    /// Reads a tree of a `use`, of which `prefix` is known.
    fn tree(
        &mut self,
        tokens: &mut Tokens,
        module: &[String],
        prefix: Path,
        first: bool,
        public: bool,
    ) {
        let mut path = prefix;
        let mut first = first;
        skip_colons(tokens);
        loop {
            match tokens.peek() {
                Some(TokenTree::Ident(ident)) => {
                    let name = ident.to_string();
                    tokens.next();
                    if first && !["crate", "super", "self"].contains(&name.as_str()) {
                        // A child, or another crate.
                        let child = [module, std::slice::from_ref(&name)].concat();
                        if !self.files.contains_key(&child) {
                            return skip_tree(tokens);
                        }
                        path = child;
                    } else if first {
                        path = step(module, module, &name);
                    } else {
                        path = step(module, &path, &name);
                    }
                    first = false;
                    if skip_colons(tokens) {
                        continue;
                    }
                    let mut called = path.last().cloned();
                    if matches!(tokens.peek(), Some(TokenTree::Ident(i)) if i == "as") {
                        tokens.next();
                        called = tokens.next().map(|t| t.to_string());
                    }
                    return self.used(path, module, called, public);
                }
                Some(TokenTree::Group(_)) => {
                    let Some(TokenTree::Group(group)) = tokens.next() else {
                        return;
                    };
                    let mut inner = group.stream().into_iter().peekable();
                    while inner.peek().is_some() {
                        self.tree(&mut inner, module, path.clone(), first, public);
                        if is_punct(inner.peek(), ',') {
                            inner.next();
                        }
                    }
                    return;
                }
                Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                    tokens.next();
                    return self.used(path, module, None, public);
                }
                _ => return,
            }
        }
    }

    /// Notes that `module` uses `path`, or gives it on under the name `called`.
    fn used(&mut self, path: Path, module: &[String], called: Option<String>, public: bool) {
        match called {
            Some(called) if public => {
                let alias = [module, &[called]].concat();
                if alias != path {
                    self.aliases.insert(alias, path);
                }
            }
            _ => {
                self.named.insert(path);
            }
        }
    }
}

/// Goes on from `path` by one name; what does not name a child of it is counted from `module`.
fn step(module: &[String], path: &[String], name: &str) -> Path {
    match name {
        "crate" => Path::new(),
        "self" if path == module => module.to_vec(),
        "self" => path.to_vec(),
        "super" => path[..path.len().saturating_sub(1)].to_vec(),
        name => [path, &[name.to_owned()]].concat(),
    }
}

fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(g)) if g.delimiter() == delimiter)
}

fn is_punct(token: Option<&TokenTree>, punct: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == punct)
}

/// Goes over `::`; says whether there was one.
fn skip_colons(tokens: &mut Tokens) -> bool {
    let mut any = false;
    while is_punct(tokens.peek(), ':') {
        any = true;
        tokens.next();
    }
    any
}

/// Goes to the end of one tree of a `use`.
fn skip_tree(tokens: &mut Tokens) {
    while tokens
        .peek()
        .is_some_and(|t| !matches!(t, TokenTree::Punct(p) if ",;".contains(p.as_char())))
    {
        tokens.next();
    }
}
