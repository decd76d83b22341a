#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# dist.sh [source] [crates] [sbom] [sums]
#
# Make the files of a release in dist/ (default: all of them):
#   source   ax650-VERSION.tar.xz          this tree
#   crates   ax650-VERSION-vendor.tar.xz   the crates, to be unpacked over it for builds without network
#   sbom     ax650-VERSION.cdx.json        what packages are made of (CycloneDX)
#   sums     SHA256SUMS                    of what is in dist/
#
# The same tree gives the same bytes, from git as from an unpacked source archive: files are those
# that git does not ignore, sorted, owned by nobody, and of one date.
#   SOURCE_DATE_EPOCH   that date (default: of the last commit; in an unpacked archive, the archive's)
#   OUT                 where to (default dist/)
# Needs git, tar, xz; cargo for crates and sbom.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC
unset XZ_OPT XZ_DEFAULTS TAR_OPTIONS

say() { printf 'dist: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

version=$(dkms/version.sh)
name=ax650-$version
out=${OUT:-dist}
mkdir -p "$out"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The tree may belong to somebody else: it is mounted into the toolchain root.
git() { command git -c safe.directory='*' "$@"; }

if [ -e .git ]; then
    git rev-parse --git-dir >/dev/null || die "git cannot read this repository"
    date=$(git log -1 --format=%ct)
    git diff --quiet HEAD -- || say "there are changes that are not committed; they are in"
else
    date=$(stat -c %Y Cargo.toml)
fi
epoch=${SOURCE_DATE_EPOCH:-$date}

release() { cargo run --quiet --locked -p ax650-release -- "$@"; }

# The tree's files, NUL-terminated.
list() {
    if [ -e .git ]; then
        git ls-files -z --cached
    else
        # A repository for a moment, for its understanding of .gitignore.
        git init -q --bare "$tmp/empty"
        git --git-dir="$tmp/empty" --work-tree=. ls-files -z --others --exclude-standard \
            --exclude=/vendor --exclude=/.cargo
    fi | sort -z
}

# pack FILE TAR-ARGUMENT...
pack() {
    local file=$1
    shift
    tar --create --format=gnu --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
        --mode=u=rwX,go=rX "$@" | xz -T1 -6 >"$tmp/file"
    mv "$tmp/file" "$out/$file"
    say "$file: $(stat -c %s "$out/$file") bytes"
}

make_source() {
    list >"$tmp/list"
    [ -s "$tmp/list" ] || die "no files"
    pack "$name.tar.xz" --no-recursion --transform="s,^,$name/,S" --null --verbatim-files-from \
        --files-from="$tmp/list"
}

# Of crates for other systems only, which are half of all and have libraries for the linker in them,
# cargo needs the manifests and the names of the sources.
drop_other_systems() { # VENDOR
    local crate sum
    release crates >"$tmp/crates-used"
    for crate in "$1"/*; do
        ! grep -qxF "${crate##*/}" "$tmp/crates-used" || continue
        sum=$(sed -nE 's/.*"package":("[0-9a-f]+").*/\1/p' "$crate/.cargo-checksum.json")
        find "$crate" -type f ! -name '*.rs' ! -path "$crate/Cargo.toml" -delete
        find "$crate" -type f -name '*.rs' -exec truncate --size=0 {} +
        find "$crate" -type d -empty -delete
        printf '{"files":{},"package":%s}' "$sum" >"$crate/.cargo-checksum.json"
    done
}

make_crates() {
    local top=$tmp/crates/$name
    mkdir -p "$top/.cargo"
    # From where this system gets its crates, which need not be crates.io.
    cargo vendor --quiet --locked --versioned-dirs --respect-source-config "$top/vendor" >/dev/null
    drop_other_systems "$top/vendor"
    cat >"$top/.cargo/config.toml" <<'END'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
END
    pack "$name-vendor.tar.xz" --directory="$tmp/crates" "$name"
}

make_sbom() {
    release sbom >"$tmp/sbom"
    mv "$tmp/sbom" "$out/$name.cdx.json"
}

make_sums() {
    (cd "$out" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%f\n' | sort |
        xargs sha256sum) >"$tmp/sums"
    mv "$tmp/sums" "$out/SHA256SUMS"
}

[ $# -gt 0 ] || set -- source crates sbom sums
for what in "$@"; do
    case $what in
    source | crates | sbom | sums) "make_$what" ;;
    *) die "usage: $0 [source] [crates] [sbom] [sums]" ;;
    esac
done
