#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# root.sh              make (once) the toolchain root and print its path
# root.sh CMD [ARG...] run a command in it, with this tree at /src and the cache at /cache
# root.sh --forky ...  the same for the root that builds the module for Debian forky's kernel
#
# The root is a Debian 13 system made by mmdebstrap, with everything that builds and tests this
# project: the rustc, bindgen and gcc that Debian's 7.3 backports kernel was built with, QEMU,
# kernel source, libavcodec, ONNX Runtime.  It is kept in the cache directory under a name that is
# the hash of this file and of its list of packages, so a change of either makes a new one; it is
# built under another name and renamed when complete, so interrupting it costs nothing but time.
#
# The forky root is small: the compilers of that kernel and what its Rust metadata are made of
# (packages-forky.txt).  It may be entered from within the toolchain root, and is made outside.
#
#   AX650_ARCH    what is built and run there: amd64 (default), or arm64 by cross compilers and
#                 emulation, in a root of its own with the packages of packages-arm64.txt as well
#   AX650_ROOT_VARIANT=packaging   a root of its own with the packages of packages-packaging.txt as well:
#                 what makes and checks packages of other systems
#   AX650_CACHE   cache directory (default $XDG_CACHE_HOME/ax650 or ~/.cache/ax650)
#   AX650_ROOT=/  use this very system instead; it must have the packages of packages.txt
#   AX650_MIRROR  Debian mirror (default: the one this host's apt uses, else mmdebstrap's)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
# Which root this script runs in itself; nothing on the host.
inside=${AX650_INSIDE:-}
if [ -n "$inside" ]; then cache=/cache
else cache=${AX650_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ax650}; fi

say() { printf 'root: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

as_admin() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

need_tool() { # COMMAND PACKAGE
    command -v "$1" >/dev/null && return
    say "installing the package $2"
    as_admin env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null 2>&1 ||
        { as_admin apt-get update -qq &&
            as_admin env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null; } ||
        die "cannot install $2: no apt, no right to use it, or the package registry does not answer"
}

# What the root consists of: a release, lists of packages, and a part of its name.
suite=trixie name=root lists=("$here/packages.txt") foreign=()
case ${AX650_ARCH:-amd64} in
amd64) ;;
arm64)
    name=root-arm64 lists+=("$here/packages-arm64.txt")
    foreign=("--architectures=$(dpkg --print-architecture),arm64")
    ;;
*) die "AX650_ARCH=$AX650_ARCH: it must be amd64 or arm64" ;;
esac
case ${AX650_ROOT_VARIANT:-} in
'') ;;
packaging) name=root-packaging lists+=("$here/packages-packaging.txt") ;;
*) die "AX650_ROOT_VARIANT=$AX650_ROOT_VARIANT: there is only packaging" ;;
esac
if [ "${1:-}" = --forky ]; then
    suite=forky name=root-forky lists=("$here/packages-forky.txt") foreign=()
    shift
fi
packages() { sed 's/#.*//' "${lists[@]}" | xargs; }

# The mirror that this host's apt uses for Debian; nothing on other systems.
host_mirror() {
    [ -n "${AX650_MIRROR:-}" ] && { echo "$AX650_MIRROR"; return; }
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '/\/debian\/*$/ && !n++' || true
}

# For a forky root: old versions of mmdebstrap do not know where that is, so without a mirror of this
# host's it is the one that the toolchain root came from.
forky_mirror() {
    local mirror
    mirror=$(host_mirror)
    [ -n "$mirror" ] || mirror=$(sed -nE 's/^deb (\[[^]]*\] )?([^ ]+) trixie .*/\2/p' \
        "$("$here/root.sh")"/etc/apt/sources.list{,.d/*.list} 2>/dev/null | sed 1q)
    echo "${mirror:?no Debian mirror is known: set AX650_MIRROR}"
}

make_root() { # DIR
    local dir=$1 mirror sources=() tmp=$1.partial.$$ options
    [ -z "$inside" ] || die "the $suite root is missing; outside of this one, tests/env/root.sh --$suite makes it"
    need_tool mmdebstrap mmdebstrap
    [ "$(id -u)" = 0 ] || need_tool newuidmap uidmap
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || need_tool /nonexistent debian-archive-keyring
    mkdir -p "$cache"
    case $suite in
    trixie)
        mirror=$(host_mirror)
        if [ -n "$mirror" ]; then
            sources=("deb $mirror trixie main" "deb $mirror trixie-backports main")
        fi
        say "making the toolchain root in $dir (about 2 minutes, 4 GB)"
        # Backports are pinned by code name: the archive calls itself stable-backports, so a pin on
        # a=trixie-backports matches nothing.  rustc and bindgen stay trixie's own on purpose.
        options=(
            --setup-hook='mkdir -p "$1/etc/apt/preferences.d"; printf "Package: linux-*:any qemu-* seabios ipxe-qemu\nPin: release n=trixie-backports\nPin-Priority: 900\n" >"$1/etc/apt/preferences.d/backports"'
            --setup-hook='l=$(ls "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*.list 2>/dev/null | head -1); grep -q backports "$l" || sed -n "s/^deb \(.*\) trixie main.*/deb \1 trixie-backports main/p" "$l" | head -1 >>"$l"'
        )
        ;;
    forky)
        mirror=$(forky_mirror) || exit 1
        sources=("deb $mirror forky main")
        say "making the root for forky's kernel in $dir (about 2 minutes, 2 GB)"
        # A mirror that is some days behind is as good: signatures are checked all the same.
        options=(--aptopt='Acquire::Check-Valid-Until "false"')
        ;;
    esac
    mmdebstrap --variant=apt "${foreign[@]}" --include="$(packages | tr ' ' ,)" \
        --aptopt='Acquire::Retries "3"' --aptopt='Acquire::http::Timeout "30"' "${options[@]}" \
        --customize-hook='rm -rf "$1"/usr/share/doc/* "$1"/usr/share/locale/* "$1"/var/cache/apt/archives/*.deb' \
        "$suite" "$tmp" "${sources[@]}" >&2 ||
        { remove "$tmp"; die "the $suite root could not be made: see above; if names do not resolve or downloads time out, the package registry cannot be reached"; }
    mv "$tmp" "$dir"
    # Roots of earlier package lists and interrupted runs; no other kind of root.
    for old in "$cache/$name"-????????????????{,.partial.*}; do
        [ "$old" = "$dir" ] || [ ! -e "$old" ] || { say "removing $old"; remove "$old"; }
    done
}

# A root made without privilege belongs to mapped ids, so it is removed under the same map.
remove() {
    if [ "$(id -u)" = 0 ]; then rm -rf --one-file-system "$1"
    else unshare --map-auto --map-root-user rm -rf --one-file-system "$1"; fi
}

# Enter DIR in a mount namespace of its own: nothing is left mounted when the command ends.
enter() { # DIR CMD...
    local dir=$1 map=()
    shift
    [ "$(id -u)" = 0 ] || map=(--map-auto --map-root-user)
    # Inside of a root "/" is no mount, and what is mounted there is out of the host's sight already.
    if [ -n "$inside" ]; then map+=(--propagation unchanged); else map+=(--propagation slave); fi
    AX650_INSIDE=$suite exec unshare "${map[@]}" --mount bash -c '
        set -e
        dir=$1 tree=$2 cache=$3 nested=$4; shift 4
        # The toolchain root has no mount, but busybox.
        command -v mount >/dev/null || mount() { busybox mount "$@"; }
        for fs in proc sys dev; do mount -o rbind "/$fs" "$dir/$fs"; done
        mkdir -p "$dir/src" "$dir/cache" "$dir/tmp"
        mount -o rbind "$tree" "$dir/src"
        mount -o rbind "$cache" "$dir/cache"
        mount -t tmpfs -o mode=1777 tmp "$dir/tmp"
        cat /etc/resolv.conf >"$dir/etc/resolv.conf" 2>/dev/null || true
        cat /etc/hosts >"$dir/etc/hosts" 2>/dev/null || true
        # Except where another root has done so: what this host needs to reach its package registries: certificates, cargo and pip settings.
        if [ -z "$nested" ] && [ -f /etc/ssl/certs/ca-certificates.crt ]; then
            mkdir -p "$dir/etc/ssl/certs"
            cat /etc/ssl/certs/ca-certificates.crt >"$dir/etc/ssl/certs/ca-certificates.crt"
        fi
        for f in /etc/pip.conf "$HOME/.config/pip/pip.conf"; do
            [ -z "$nested" ] && [ -f "$f" ] && cat "$f" >"$dir/etc/pip.conf"
        done
        mkdir -p "$cache/cargo"
        for f in "${CARGO_HOME:-$HOME/.cargo}/config.toml" "${CARGO_HOME:-$HOME/.cargo}/config"; do
            [ -z "$nested" ] && [ -f "$f" ] && cp "$f" "$cache/cargo/config.toml"
        done
        export HOME=/root CARGO_HOME=/cache/cargo CARGO_TARGET_DIR=/cache/target
        export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
        unset AX650_ROOT AX650_CACHE RUSTUP_HOME RUSTUP_TOOLCHAIN PYENV_ROOT PYENV_VERSION LD_LIBRARY_PATH
        exec chroot "$dir" /bin/sh -c '\''cd /src && exec "$@"'\'' sh "$@"
    ' sh "$dir" "$tree" "$cache" "$inside" "$@"
}

if [ "$suite" != trixie ]; then
    # Only the toolchain root can be one of the user's.
    unset AX650_ROOT
elif [ "${AX650_ROOT:-}" = / ]; then
    [ $# -gt 0 ] || { echo /; exit 0; }
    die "AX650_ROOT=/ needs no root.sh: the Makefile runs the commands itself"
fi
mkdir -p "$cache"
dir=${AX650_ROOT:-$cache/$name-$(cat "$here/root.sh" "${lists[@]}" | sha256sum | cut -c1-16)}
if [ ! -d "$dir" ]; then
    exec 9>"$cache/$name.lock"
    flock 9
    [ -d "$dir" ] || make_root "$dir"
    exec 9>&-
fi
if [ $# = 0 ]; then echo "$dir"; else enter "$dir" "$@"; fi
