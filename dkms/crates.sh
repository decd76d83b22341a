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

# The file with what [workspace.dependencies] says of each crate in place of `workspace = true`.
inline() { # CARGO.TOML
    awk '
        /^\[/ { section = $0 }
        !/^[a-z0-9_-]+(\.workspace)? = / { if (NR > FNR) print; next }
        NR == FNR {
            name = $1
            sub(/^[^=]*= /, "")
            gsub(/^\{ | \}$/, "")
            if (/^"/) $0 = "version = " $0
            if (section == "[workspace.dependencies]") said[name] = $0
            next
        }
        section ~ /dependencies\]$/ && /workspace = true/ {
            name = $1
            sub(/\.workspace$/, "", name)
            if (!(name in said)) { print "crates: " name " is not in the workspace" >"/dev/stderr"; exit 1 }
            more = $0
            if (!sub(/^[^{]*\{ workspace = true/, "", more)) more = " }"
            value = said[name]
            if (sub(/, default-features = true/, "", more)) sub(/, default-features = false/, "", value)
            print name " = { " value more
            next
        }
        { print }' "$tree/Cargo.toml" "$1"
}

crate() { # NAME SOURCE DIRECTORY...
    local source=$2 to=$out/$1-$version key script=''
    shift 2
    mkdir -p "$to"
    (cd "$tree/$source" && cp -rL "$@" "$to/")
    for key in version edition rust-version license; do
        script+="s|^$key.workspace = true|$key = \"$(workspace "$key")\"|;"
    done
    # Tests, lints and examples are left out with what they need.
    inline "$tree/$source/Cargo.toml" | sed -E "$script"'
        s|path = "userlib"|path = "../ax650-'"$version"'"|
        s|path = "userlib/command"|path = "../ax650-command-'"$version"'"|
        s|path = "uapi"|path = "../ax650-uapi-'"$version"'"|
        /^\[dev-dependencies\]/,/^$/d
        /^\[lints\]/,$d' >"$to/Cargo.toml"
    # No checksums: what the package manager installs it checks itself.
    printf '{"package":null,"files":{}}' >"$to/.cargo-checksum.json"
    find "$to" -type f -exec chmod 644 {} +
}

crate ax650-uapi uapi src ax650.rs README.md
crate ax650-command userlib/command src
crate ax650 userlib src proto README.md
crate ax650-firmware firmware-loader src README.md
