#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# kernels.sh source|stock|debug    make it, unless the cache has it
# kernels.sh print KERNEL WHAT     say where it is: KERNEL stock or debug, WHAT vmlinuz, build
#                                  (directory for "make -C ... M=...") or modules (the guest's
#                                  /lib/modules; debug has everything built in and no such)
# kernels.sh print source          the kernel's source
# kernels.sh prune                 remove what earlier versions of these scripts made
#
# With AX650_ARCH=arm64 it is all about kernels for arm64, of which there is "stock" only.
#
# Runs inside the toolchain root.  The reference kernels are Debian's unmodified backports kernel
# ("stock") and one with run-time checkers out of the same source ("debug").  A kernel lives in
# the cache under the hash of everything that it is made of, is made under another name and renamed
# when complete: interrupting it is safe, and calling it again costs nothing.
set -euo pipefail
me=kernels
. "$(dirname "$0")/lib.sh"

here=$tree/tests/env
base=$cache/kernel
source_version=$(version "linux-source-$series")
# What the kernels are built with; a new version of any makes them anew.
toolchain=$(dpkg-query -W -f '${Package} ${Version}\n' rustc bindgen clang-19 lld-19 "gcc-14${cross:+-${cross%-}}")

# The release whose packaged headers match the source, e.g. 7.3.4+deb13-amd64.
release() {
    local dir
    for dir in /usr/src/linux-headers-"$series".*-"$arch"; do
        dir=${dir#/usr/src/linux-headers-}
        [ "$(version "linux-headers-$dir")" != "$source_version" ] || { echo "$dir"; return; }
    done
    die "no linux-headers package of the version $source_version"
}

source_dir() { echo "$base/source-$(plain "$source_version")-$(key "$here/kernel/source.sh" -- "$source_version")"; }

stock_dir() {
    echo "$base/${prefix}stock-$(key "$here/kernel/stock.sh" "$tree/dkms/rust-metadata.sh" -- \
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

make_stock() {
    local dir
    dir=$(stock_dir)
    [ -d "$dir" ] && return
    make_source
    lock stock
    [ -d "$dir" ] || "$here/kernel/stock.sh" "$dir" "$(source_dir)" "$(release)"
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
    stock) dir=$(stock_dir) ;;
    debug) dir=$(debug_dir) ;;
    *) die "unknown kernel '$1': stock or debug" ;;
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
    local keep dir mine
    keep=" $(source_dir) $(stock_dir) "
    case $arch in
    amd64) keep+="$(debug_dir) " mine=("$base"/{source,stock,debug}-*) ;;
    *) mine=("$base/$prefix"*) ;;
    esac
    for dir in "${mine[@]}"; do
        case "$keep" in *" ${dir%.partial} "*) continue ;; esac
        [ -d "$dir" ] || continue
        say "removing $dir"
        rm -rf "$dir"
    done
}

main() {
    mkdir -p "$base"
    case ${1:-} in
    source) make_source ;;
    stock) make_stock ;;
    debug) make_debug ;;
    print) print_path "${2:-}" "${3:-}" ;;
    prune) prune ;;
    *) die "usage: $0 source|stock|debug|print KERNEL WHAT|print source|prune" ;;
    esac
}

# On one line: bash reads a script as it goes, and this one may be edited during the long runs.
main "$@"; exit
