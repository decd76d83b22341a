// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who may open a device node, in words.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Tells why the node at `path` cannot be opened, and what to do.
pub(crate) fn refusal(path: &Path) -> String {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let words = match fs::metadata(path) {
        Ok(metadata) => words(metadata.mode(), metadata.gid(), &groups),
        Err(_) => "permission denied".into(),
    };
    format!("{words}; `ax650 check` tells more")
}

fn words(mode: u32, gid: u32, groups: &str) -> String {
    if mode & 0o060 != 0o060 || gid == 0 {
        return "permission denied; only root may use it: are the udev rules installed?".into();
    }
    let name = groups.lines().find_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let id = rest.split(':').nth(1)?;
        (id.parse() == Ok(gid)).then_some(name)
    });
    match name {
        Some(name) => format!("permission denied; members of the group {name} may use it"),
        None => format!("permission denied; members of group {gid} may use it"),
    }
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use super::*;

    #[test]
    fn F10_the_group_is_that_of_the_node() {
        let groups = "root:x:0:\nrender:x:105:jo\ncards:x:4711:\n";
        assert!(words(0o100660, 4711, groups).contains("the group cards "));
        assert!(words(0o100660, 105, groups).contains("the group render "));
        assert!(words(0o100660, 7, groups).contains("group 7 "));
        assert!(words(0o100600, 105, groups).contains("only root"));
        assert!(words(0o100660, 0, groups).contains("only root"));
        assert!(refusal(Path::new("/nonexistent")).starts_with("permission denied; `ax650 check`"));
    }
}
