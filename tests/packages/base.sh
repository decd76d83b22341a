#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck disable=SC2016,SC2046,SC2086 # commands for other shells; lists of words
#
# base.sh NAME                make (once) a Debian system for packages and print its path
# base.sh enter DIR CMD...    run a command in the system DIR: tree on /src, cache on /cache, network
#
# NAME is
#   build    Debian 13 with what the package's Build-Depends ask for, lintian and autopkgtest
#   trixie   what a user has: a minimal Debian 13 that boots, with the backports kernel and its headers
#   forky    the same of Debian forky with its own kernel
#
# Kept in the cache directory under the hash of how they are made, like the toolchain root
# (tests/env/root.sh); made under another name and renamed when complete.  The mirror is that of
# root.sh.  Runs on the host, as root or with user namespaces.
#
#   AX650_CACHE, AX650_MIRROR   as for root.sh
#   AX650_PROC=no               enter: without /proc, /sys and the network's settings
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$here/../.." && pwd)
cache=${AX650_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ax650}

say() { printf 'base: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

mirror() {
    [ -z "${AX650_MIRROR:-}" ] || { echo "$AX650_MIRROR"; return; }
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '/\/debian\/*$/ && !n++' || true
}

# Names in Build-Depends and Build-Depends-Arch, without versions and alternatives.
build_depends() {
    awk '/^[A-Z]/ { on = /^Build-Depends/; sub(/^[^:]*:/, "") } on' "$tree/dkms/debian/control" | tr ',' '\n' |
        sed -E 's/[(|].*//; s/ //g; s/^debhelper-compat$/debhelper/; s/^dh-sequence-/dh-/; /^$/d'
}

# Suites and packages of NAME, one a line; the first suite is the system's.
suites() {
    case $1 in
    build) echo trixie ;;
    trixie) printf '%s\n' trixie trixie-backports ;;
    forky) echo forky ;;
    *) die "unknown system '$1': build, trixie or forky" ;;
    esac
}

packages() {
    local boots='systemd-sysv udev kmod initramfs-tools ca-certificates'
    case $1 in
    build) printf '%s\n' $(build_depends) build-essential fakeroot lintian autopkgtest e2fsprogs ;;
    trixie) printf '%s\n' $boots linux-image-amd64/trixie-backports linux-headers-amd64/trixie-backports ;;
    forky) printf '%s\n' $boots linux-image-amd64 linux-headers-amd64 ;;
    esac
}

make_base() { # NAME DIR
    local name=$1 dir=$2 new=$2.partial.$$ from sources=() suite
    command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: run tests/env/root.sh first, or install it"
    from=$(mirror)
    # Without a mirror of this host's: the one that the toolchain root came from.
    [ -n "$from" ] || from=$(sed -nE 's/^deb (\[[^]]*\] )?([^ ]+) trixie .*/\2/p' \
        "$("$tree/tests/env/root.sh")"/etc/apt/sources.list{,.d/*.list} 2>/dev/null | sed 1q)
    [ -n "$from" ] || die "no Debian mirror is known: set AX650_MIRROR"
    for suite in $(suites "$name"); do
        sources+=("deb $from $suite main")
    done
    say "making the system '$name' in $dir (2 to 4 minutes)"
    # Signatures count, dates do not: mirrors that are kept as they were on some day are welcome.
    # A small initramfs: the disk is virtio's.
    mmdebstrap --variant=minbase --include="$(packages "$name" | paste -sd,)" \
        --aptopt='Acquire::Retries "3"' --aptopt='Acquire::http::Timeout "30"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --setup-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
            printf "MODULES=list\nCOMPRESS=gzip\n" >"$1/etc/initramfs-tools/conf.d/test"
            printf "virtio_pci\nvirtio_blk\next4\n" >"$1/usr/share/initramfs-tools/modules.d/test.conf"' \
        --customize-hook='rm -rf "$1"/var/cache/apt/archives/*.deb' \
        "$(suites "$name" | head -1)" "$new" "${sources[@]}" >&2 ||
        { remove "$new"; die "the system '$name' could not be made: see above"; }
    mv "$new" "$dir"
    for old in "$cache/systems/$name"-*; do
        [ "$old" = "$dir" ] || { say "removing $old"; remove "$old"; }
    done
}

# What was made without privilege belongs to mapped ids.
remove() {
    if [ "$(id -u)" = 0 ]; then rm -rf --one-file-system "$1"
    else unshare --map-auto --map-root-user rm -rf --one-file-system "$1"; fi
}

# Nothing is left mounted when the command ends.
enter() { # DIR CMD...
    local dir=$1 map=() apt
    shift
    [ "$(id -u)" = 0 ] || map=(--map-auto --map-root-user)
    # Downloads, apart for each release.
    apt=$cache/apt/$(sed -n 's/^VERSION_CODENAME=//p' "$dir/etc/os-release")
    mkdir -p "$apt" "$cache/cargo"
    exec unshare "${map[@]}" --mount --propagation slave bash -c '
        set -e
        dir=$1 tree=$2 cache=$3 apt=$4; shift 4
        mkdir -p "$dir/src" "$dir/cache"
        mount --rbind "$tree" "$dir/src"
        mount --rbind "$cache" "$dir/cache"
        mount --bind "$apt" "$dir/var/cache/apt/archives"
        if [ "${AX650_PROC:-}" != no ]; then
            for fs in proc sys dev; do mount --rbind "/$fs" "$dir/$fs"; done
        fi
        mount -t tmpfs -o mode=1777 tmp "$dir/tmp"
        for file in resolv.conf hosts; do
            [ ! -f "/etc/$file" ] || cat "/etc/$file" >"$dir/etc/$file"
        done
        # What this host needs to reach its registries.
        if [ -f /etc/ssl/certs/ca-certificates.crt ] && [ -d "$dir/etc/ssl/certs" ]; then
            cat /etc/ssl/certs/ca-certificates.crt >"$dir/etc/ssl/certs/ca-certificates.crt"
        fi
        export HOME=/root CARGO_HOME=/cache/cargo LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
        export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        unset RUSTUP_HOME RUSTUP_TOOLCHAIN CARGO_TARGET_DIR LD_LIBRARY_PATH
        exec chroot "$dir" "$@"
    ' sh "$dir" "$tree" "$cache" "$apt" "$@"
}

case ${1:-} in
enter) shift; enter "$@" ;;
remove) remove "$2" ;;
build | trixie | forky)
    mkdir -p "$cache/systems"
    dir=$cache/systems/$1-$({ declare -f make_base; suites "$1"; packages "$1"; } | sha256sum | cut -c1-16)
    if [ ! -d "$dir" ]; then
        exec 9>"$cache/systems/$1.lock"
        flock 9
        [ -d "$dir" ] || make_base "$1" "$dir"
        exec 9>&-
    fi
    echo "$dir"
    ;;
*) die "usage: $0 build|trixie|forky | enter DIR CMD... | remove DIR" ;;
esac
