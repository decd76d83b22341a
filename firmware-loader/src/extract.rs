// SPDX-License-Identifier: MIT OR Apache-2.0

//! Taking a container apart.

use crate::{
    container::PIECE, error::in_file, write_atomically, write_file, Container, Manifest, Progress,
    Result, MANIFEST_NAME,
};
use std::{
    collections::HashSet,
    fs,
    io::{Read, Seek, Write},
    path::Path,
};

/// Writes every image to a file of its own, and a manifest from which `pack` makes the container
/// again. The names are those in the records, made harmless: a container cannot choose where in the
/// file system to write.
pub fn extract(
    container: &Container,
    file: &mut (impl Read + Seek),
    directory: &Path,
    overwrite: bool,
    progress: Progress<'_>,
) -> Result<Manifest> {
    fs::create_dir_all(directory).map_err(in_file(directory))?;
    let files = file_names(container);
    let total = container.records.iter().map(|record| record.size).sum();
    let mut done = 0;
    for (record, name) in container.records.iter().zip(&files) {
        let path = directory.join(name);
        write_atomically(&path, overwrite, |out| {
            let mut image = container.image(file, record)?;
            let mut piece = vec![0; PIECE];
            let mut left = record.size;
            while left > 0 {
                let bytes = &mut piece[..left.min(PIECE as u64) as usize];
                image.read_exact(bytes)?;
                out.write_all(bytes).map_err(in_file(&path))?;
                left -= bytes.len() as u64;
                done += bytes.len() as u64;
                progress(done, total);
            }
            Ok(())
        })?;
    }
    let manifest = Manifest::of(container, &files);
    write_file(
        &directory.join(MANIFEST_NAME),
        overwrite,
        manifest.to_toml().as_bytes(),
    )?;
    Ok(manifest)
}

/// A name for each record's file: no directories, no odd characters, no two the same.
fn file_names(container: &Container) -> Vec<String> {
    let mut taken = HashSet::from([MANIFEST_NAME.to_owned()]);
    let names = container.records.iter().enumerate().map(|(index, record)| {
        let name = harmless(&record.name.to_latin1());
        let name = match name.as_str() {
            "" => harmless(&record.id.to_latin1()),
            _ => name,
        };
        let mut name = name;
        while name.is_empty() || taken.contains(&name) {
            name = format!("{index}-{name}");
        }
        taken.insert(name.clone());
        name
    });
    names.collect()
}

fn harmless(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' | '+' => c,
            _ => '_',
        })
        .collect();
    name.trim_start_matches(['.', '-']).into()
}
