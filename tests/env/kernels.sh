#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# kernels.sh source|KERNEL         make it, unless the cache has it
# kernels.sh print KERNEL WHAT     say where it is: WHAT is vmlinuz, build (directory for
#                                  "make -C ... M=...") or modules (the guest's /lib/modules; debug
#                                  has everything built in and no such)
# kernels.sh print source          the kernel's source
# kernels.sh prune                 remove what earlier versions of these scripts made in this root
#
# KERNEL is trixie-backports (or stock): Debian 13's unmodified backports kernel; debug: one with
# run-time checkers out of the same source; forky: Debian forky's unmodified kernel.  With
# AX650_ARCH=arm64 it is about kernels for arm64, of which there is trixie-backports only.
#
# Runs inside the toolchain root; what is about forky it has done in the forky root.  A kernel lives
# in the cache under the hash of everything that it is made of, is made under another name and
# renamed when complete: interrupting it is safe, and calling it again costs nothing.
set -euo pipefail
me=kernels
. "$(dirname "$0")/lib.sh"

here=$tree/tests/env
base=$cache/kernel
source_version=$(version "linux-source-$series")
# What the kernels are built with; a new version of any makes them anew.
toolchain=$(dpkg-query -W -f '${Package} ${Version}\n' "${compilers[@]}")

# The release whose packaged headers match the source, e.g. 7.3.4+deb13-amd64.
release() {
    local dir
    for dir in /usr/src/linux-headers-"$series".*-"$arch"; do
        dir=${dir#/usr/src/linux-headers-}
        [ "$(version "linux-headers-$dir")" != "$source_version" ] || { echo "$dir"; return; }
    done
    die "no linux-headers package of the version $source_version"
}

source_dir() { echo "$base/${prefix}source-$(plain "$source_version")-$(key "$here/kernel/source.sh" -- "$source_version")"; }

# KERNEL is the one of the distribution whose root this is.
stock_dir() { # KERNEL
    echo "$base/$mark$1-$(key "$here/kernel/stock.sh" "$tree/dkms/rust-metadata.sh" -- \
        "$(release)" "$source_version" "$toolchain")"
}

debug_dir() {
    [ "$arch" = amd64 ] || die "there is no debug kernel for $arch"
    echo "$base/debug-$(key "$here/kernel/debug.sh" "$here"/kernel/{guest,debug}.config -- \
        "$source_version" "$toolchain")"
}

make_source() {
    local dir
    dir=$(source_dir)
    [ -d "$dir" ] && return
    lock source
    [ -d "$dir" ] || "$here/kernel/source.sh" "$dir"
}

make_stock() { # KERNEL
    local dir
    dir=$(stock_dir "$1")
    [ -d "$dir" ] && return
    make_source
    lock "$1"
    [ -d "$dir" ] || "$here/kernel/stock.sh" "$dir" "$(source_dir)" "$(release)"
    # Nothing else is made of this source.
    [ "$root" != forky ] || rm -rf "$(source_dir)"
}

make_debug() {
    local dir
    dir=$(debug_dir)
    [ -d "$dir" ] && return
    make_source
    lock debug
    [ -d "$dir" ] || "$here/kernel/debug.sh" "$dir" "$(source_dir)"
}

print_path() { # KERNEL WHAT
    local dir path
    case $1 in
    source) make_source; source_dir; return ;;
    trixie-backports | forky) dir=$(stock_dir "$1") ;;
    debug) dir=$(debug_dir) ;;
    *) die "unknown kernel '$1': trixie-backports, debug or forky" ;;
    esac
    case $2 in
    vmlinuz | build) path=$dir/$2 ;;
    modules) path=$dir/lib/modules ;;
    *) die "unknown part '$2': vmlinuz, build or modules" ;;
    esac
    [ -e "$path" ] || [ "$1 $2" = "debug modules" ] || die "$1 is not made yet: $0 $1"
    echo "$path"
}

prune() {
    local keep dir
    case $arch-$root in
    *-forky) keep=" $(source_dir) $(stock_dir forky) " ;;
    amd64-*) keep=" $(source_dir) $(stock_dir trixie-backports) $(debug_dir) " ;;
    *) keep=" $(source_dir) $(stock_dir trixie-backports) " ;;
    esac
    for dir in "$base"/*; do
        case "$keep" in *" ${dir%.partial} "*) continue ;; esac
        # What belongs to another root, or to another architecture, stays.
        case ${dir##*/} in
        forky-*) [ "$root" = forky ] || continue ;;
        arm64-*) [ "$arch" = arm64 ] || continue ;;
        source-*) [ "$root" = trixie ] || continue ;;
        *) [ "$arch-$root" = amd64-trixie ] || continue ;;
        esac
        [ -d "$dir" ] || continue
        say "removing $dir"
        rm -rf "$dir"
    done
}

main() {
    local what=${1:-} kernel path
    kernel=$what
    [ "$what" != print ] || kernel=${2:-}
    kernel=$(full_name "$kernel")
    if [ "$kernel" = forky ] && [ "$root" != forky ]; then
        if [ "$what" = print ]; then
            path=$(elsewhere forky kernels.sh "$@")
            echo "$cache${path#/cache}"
        else
            elsewhere forky kernels.sh "$@"
        fi
        return
    fi
    mkdir -p "$base"
    case $what in
    source) make_source ;;
    print) print_path "$kernel" "${3:-}" ;;
    prune) prune ;;
    *)
        case $kernel in
        trixie-backports | forky) make_stock "$kernel" ;;
        debug) make_debug ;;
        *) die "usage: $0 source|trixie-backports|debug|forky|print KERNEL WHAT|print source|prune" ;;
        esac
        ;;
    esac
}

# On one line: bash reads a script as it goes, and this one may be edited during the long runs.
main "$@"; exit
