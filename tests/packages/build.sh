#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build.sh [OUT [TREE-CHANGE]]
#
# Build the Debian packages in the system `build` (base.sh), offline, and put them into OUT, by default
# dist/.  TREE-CHANGE is a shell command that is run in a copy of the tree first; then only the
# packages that need no compiler are built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
cache=${AX650_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ax650}
out=${1:-$tree/dist} change=${2:-}

mkdir -p "$out" "$cache"
base=$("$here/base.sh" build)
# The results go through the cache, which the system can see.
made=$(mktemp -d "$cache/deb.XXXXXX")
trap 'rm -rf "$made"' EXIT
# shellcheck disable=SC2016 # for the shell inside
"$here/base.sh" enter "$base" env JOBS="${JOBS:-$(nproc)}" CARGO_BUILD_JOBS="${JOBS:-$(nproc)}" \
    CARGO_TARGET_DIR=/cache/deb-target bash -euc '
        to=$1 change=$2
        [ -n "$change" ] || exec /src/dkms/build-deb.sh "$to"
        mkdir /tmp/changed
        tar -C /src -cf - --exclude=./.git --exclude=./target --exclude=./dist . | tar -C /tmp/changed -xf -
        (cd /tmp/changed && eval "$change")
        exec /tmp/changed/dkms/build-deb.sh "$to" --build=all
    ' sh "/cache/${made##*/}" "$change" >"$made/log" 2>&1 </dev/null ||
    { tail -n 30 "$made/log" >&2; echo "build: the packages could not be built; crates missing? (make packages fetches them)" >&2; exit 1; }
rm -f "$out"/*.deb "$out"/ax650_*.{changes,buildinfo}
mv "$made"/*.{deb,changes,buildinfo} "$out/"
