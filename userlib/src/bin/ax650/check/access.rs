// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether somebody may open a node, and what to do if not.

use std::os::unix::fs::MetadataExt;

use nix::unistd::{access, AccessFlags};

use crate::host::System;

/// Who wants to open a node.
#[derive(Debug, Clone)]
pub struct Person {
    /// User id.
    pub uid: u32,
    /// Group ids of the process.
    pub groups: Vec<u32>,
}

impl Person {
    /// Returns the person who runs the program.
    pub fn me() -> Self {
        let mut groups: Vec<u32> = nix::unistd::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(|group| group.as_raw())
            .collect();
        groups.push(nix::unistd::getegid().as_raw());
        Self {
            uid: nix::unistd::geteuid().as_raw(),
            groups,
        }
    }
}

/// Why somebody may not open a node.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// A line of `/etc/group`.
struct Group {
    name: String,
    members: Vec<String>,
}

/// Checks that `person` may open the device node `node` for reading and writing.
pub fn may_open(system: &System, node: &str, person: &Person) -> Result<(), Refusal> {
    let path = system.path(node);
    let metadata = path.metadata().map_err(|error| Refusal {
        message: format!("{node}: {error}"),
        remedy: "see the kernel log; in a container, pass the node to it".into(),
    })?;
    let (mode, owner, gid) = (metadata.mode(), metadata.uid(), metadata.gid());
    let bits = if person.uid == owner {
        mode >> 6
    } else if person.groups.contains(&gid) {
        mode >> 3
    } else {
        mode
    } & 6;
    // An access list may say more than the mode.
    let listed =
        || system.is_here() && access(&path, AccessFlags::R_OK | AccessFlags::W_OK).is_ok();
    if person.uid == 0 || bits == 6 || listed() {
        return Ok(());
    }
    let user = user(system, person.uid);
    let group = group(system, gid);
    let name = group
        .as_ref()
        .map_or(gid.to_string(), |group| group.name.clone());
    let message = format!("{user} may not open {node}: it is for group {name}");
    let open_to_group = (mode >> 3) & 6 == 6 && gid != 0;
    let remedy = if !open_to_group {
        "it is root's alone: install the udev rules of the packages (70-ax650.rules), then `sudo udevadm trigger`"
            .into()
    } else if group.is_some_and(|group| group.members.contains(&user)) {
        format!("{user} is a member of {name} since the last login only: log out and in again, or use `newgrp {name}`")
    } else {
        format!("`sudo adduser {user} {name}`, then log out and in again")
    };
    Err(Refusal { message, remedy })
}

/// Name of a user, or else the number.
fn user(system: &System, uid: u32) -> String {
    let passwd = system.read("/etc/passwd").unwrap_or_default();
    let found = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    // Users of a directory service are not in the file.
    let known = || std::env::var("USER").ok().filter(|_| system.is_here());
    found.or_else(known).unwrap_or_else(|| uid.to_string())
}

fn group(system: &System, gid: u32) -> Option<Group> {
    system.read("/etc/group")?.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        if fields.nth(1)?.parse() != Ok(gid) {
            return None;
        }
        let members = fields.next().unwrap_or_default().split(',');
        Some(Group {
            name,
            members: members.map(str::to_owned).collect(),
        })
    })
}
