#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# version.sh              print the version, that of Cargo.toml
# version.sh check        check that all places which repeat it agree (a case of `make test`)
# version.sh set VERSION  change it everywhere; the changelogs' texts are left to you
#
# A place is listed here only if the tools that read it cannot read Cargo.toml.
set -euo pipefail
cd "$(dirname "$0")/.."

# FILE, then an extended regular expression with the version as \1, for sed.
places='
Cargo.toml                  ^version = "([^"]*)"$
Cargo.toml                  ^ax650 = \{ path = "userlib", version = "([^"]*)"
Cargo.toml                  ^ax650-uapi = \{ path = "uapi", version = "([^"]*)" \}$
Cargo.toml                  ^ax650-command = \{ path = "userlib.command", version = "([^"]*)" \}$
userlib/gst/Cargo.toml      ^version = "([^"]*)"$
userlib/python/Cargo.toml   ^version = "([^"]*)"$
userlib/python/axengine/pyproject.toml ^version = "([^"]*)"$
userlib/python/axengine/pyproject.toml ^dependencies = \["ax650==([^"]*)"\]$
kmod/glue/version.c         ^MODULE_VERSION\("([^"]*)"\);$
dkms/rpm/ax650.spec         ^Version: +(.*)$
dkms/rpm/ax650-kmod.spec    ^Version: +(.*)$
dkms/arch/PKGBUILD          ^pkgver=(.*)$
dkms/alpine/APKBUILD        ^pkgver=(.*)$
'
# Changelogs: the first heading that has a version.
headings='
CHANGELOG.md                ^## \[([0-9][^]]*)\]
'
debian=dkms/debian/changelog
[ ! -e $debian ] || headings+="$debian ^ax650 \(([^)]*)-[^-)]*\)"

die() { printf 'version: %s\n' "$*" >&2; exit 1; }

# The first match of REGEX in FILE.
first() { # FILE REGEX
    [ -e "$1" ] || die "$1 is missing"
    sed -nE "/$2/{s/$2.*/\\1/p;q}" "$1"
}

version=$(first Cargo.toml '^version = "([^"]*)"')

check() {
    local file regex found bad=0
    while read -r file regex; do
        [ -n "$file" ] || continue
        found=$(first "$file" "$regex")
        [ "$found" = "$version" ] && continue
        printf 'version: %s has "%s", Cargo.toml "%s"\n' "$file" "$found" "$version" >&2
        bad=1
    done <<<"$places$headings"
    [ $bad = 0 ]
}

change() { # NEW
    local new=$1 file regex
    [[ $new =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "'$new' is not of the form 1.2.3"
    while read -r file regex; do
        [ -n "$file" ] || continue
        # The part of the line that is the version is replaced; the rest of the regex is kept.
        sed -i -E "/$regex/s/${version//./\\.}/$new/" "$file"
    done <<<"$places"
    # The lock file has the versions of the workspace's own packages.
    cargo update --workspace --offline --quiet
    sed -i "/^name = \"ax650/{n;s/\"${version//./\\.}\"/\"$new\"/}" userlib/python/Cargo.lock userlib/gst/Cargo.lock
    printf 'version: %s; now add it to the changelogs:%s\n' "$new" \
        "$(awk '{ printf " %s", $1 }' <<<"$headings")" >&2
}

case ${1:-} in
"") echo "$version" ;;
check) check ;;
set) change "${2:-}" ;;
*) die "usage: $0 [check|set VERSION]" ;;
esac
