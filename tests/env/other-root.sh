#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# other-root.sh NAME LIST              make (once) the root NAME, and print its path
# other-root.sh NAME LIST CMD [ARG...] run a command in it, with this tree at /src and the cache at /cache
#
# A Debian 13 system of its own, with the packages in the file LIST: for what only some tests need, so that the toolchain root
# does not grow by it.  It is kept in the cache directory under a name that is the hash of that list, and entered as the
# toolchain root is (root.sh; its variables AX650_CACHE and AX650_MIRROR hold here too).  Runs on the host.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${AX650_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ax650}
name=root-$1 list=$2
shift 2
dir=$cache/$name-$(sha256sum "$list" | cut -c1-16)

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die() { say "$*"; exit 1; }

# A root made without privilege belongs to mapped ids, so it is removed under the same map.
remove() {
    if [ "$(id -u)" = 0 ]; then rm -rf --one-file-system "$1"
    else unshare --map-auto --map-root-user rm -rf --one-file-system "$1"; fi
}

make_root() {
    local tmp=$dir.partial.$$ mirror sources=() old
    [ -z "${AX650_INSIDE:-}" ] || die "the root is missing; outside of the toolchain root, other-root.sh makes it"
    command -v mmdebstrap >/dev/null || die "there is no mmdebstrap: tests/env/root.sh installs it"
    mirror=${AX650_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '/\/debian\/*$/ && !n++' || true)}
    [ -z "$mirror" ] || sources=("deb $mirror trixie main")
    say "making the root in $dir (1 to 3 minutes)"
    mmdebstrap --variant=apt --include="$(sed 's/#.*//' "$list" | xargs | tr ' ' ,)" \
        --aptopt='Acquire::Retries "3"' --aptopt='Acquire::http::Timeout "30"' \
        --customize-hook='rm -rf "$1"/usr/share/doc/* "$1"/usr/share/locale/* "$1"/var/cache/apt/archives/*.deb' \
        trixie "$tmp" "${sources[@]}" >&2 ||
        { remove "$tmp"; die "the root could not be made: see above; if names do not resolve or downloads time out, the package registry cannot be reached"; }
    mv "$tmp" "$dir"
    for old in "$cache/$name"-????????????????{,.partial.*}; do
        [ "$old" = "$dir" ] || [ ! -e "$old" ] || { say "removing $old"; remove "$old"; }
    done
}

mkdir -p "$cache"
if [ ! -d "$dir" ]; then
    exec 9>"$cache/$name.lock"
    flock 9
    [ -d "$dir" ] || make_root
    exec 9>&-
fi
if [ $# = 0 ]; then echo "$dir"; else AX650_ROOT=$dir exec "$here/root.sh" "$@"; fi
