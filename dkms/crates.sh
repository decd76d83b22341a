#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# crates.sh DIR
#
# Put the crates for users of the library into DIR, a directory of crates as Debian has it in
# /usr/share/cargo/registry and cargo takes it as a source: NAME-VERSION/ with a Cargo.toml that
# needs no workspace.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)

# Value of a key of [workspace.package].
workspace() { sed -nE '/^\[workspace.package\]/,/^\[/{s/^'"$1"' = "(.*)"$/\1/p}' "$tree/Cargo.toml"; }
version=$(workspace version)

crate() { # NAME SOURCE DIRECTORY...
    local source=$2 to=$out/$1-$version key script=''
    shift 2
    mkdir -p "$to"
    (cd "$tree/$source" && cp -r "$@" "$to/")
    for key in version edition rust-version license; do
        script+="s|^$key.workspace = true|$key = \"$(workspace "$key")\"|;"
    done
    # Tests, lints and examples are left out with what they need.
    sed -E "$script"'
        s#^(ax650-(uapi|command)) = \{ workspace = true#\1 = { version = "'"$version"'", path = "../\1-'"$version"'"#
        s|^ax650 = \{ workspace = true, |ax650 = { version = "'"$version"'", path = "../ax650-'"$version"'", default-features = false, |
        s|path = "\.\./uapi"|path = "../ax650-uapi-'"$version"'"|
        /^\[dev-dependencies\]/,/^$/d
        /^\[lints\]/,$d' "$tree/$source/Cargo.toml" >"$to/Cargo.toml"
    # No checksums: what the package manager installs it checks itself.
    printf '{"package":null,"files":{}}' >"$to/.cargo-checksum.json"
    find "$to" -type f -exec chmod 644 {} +
}

crate ax650-uapi uapi src
crate ax650-command userlib/command src
crate ax650 userlib src proto build.rs
crate ax650-firmware firmware-loader src
