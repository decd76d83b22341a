#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# rust-metadata.sh KERNEL-RELEASE OUT [SOURCE]
# rust-metadata.sh KERNEL-RELEASE               only check whether it can be done
#
# Make OUT, a kernel build directory for out-of-tree Rust modules on Debian, so that
#   make -C OUT M=$PWD modules
# works.  Debian's linux-headers packages lack the Rust metadata (rust/*.rmeta, the procedural
# macros, scripts/target.json).  It is regenerated here by `modules_prepare` in the source of the
# very same package version with the packaged configuration and the same rustc and bindgen; the
# rest of OUT are links to the packaged headers.  Two to three minutes and 700 MB of temporary
# space on two cores (2.5 GB without SOURCE), 180 MB for good; once per kernel package.
#
# SOURCE is an unpacked, clean linux-source; by default the packaged archive is unpacked to a
# temporary directory.  JOBS is the number of parallel jobs.  It may be interrupted at any time, and run
# twice at once: OUT is whole or not there, and what is in MADE_FOR (a key of the caller's) is written to
# OUT/made-for before OUT exists.  Temporary files go to the first of TMPDIR, /var/tmp, OUT's parent and
# /tmp where programs may run (what is built is run there) and that has the space.
#
# For tests: USR_SRC is where headers and sources are, instead of /usr/src.
#
# Needs: linux-headers-RELEASE, linux-source-X.Y, the rustc and bindgen that the kernel was built
# with, rust-src, libclang-dev, gcc, make, bc, bison, flex, libelf-dev, libssl-dev, openssl,
# python3, xz-utils, util-linux.
#
# Exit status: 0 made; 77 cannot be made on this system, one line says what is missing (so that
# DKMS can skip this kernel instead of failing the package manager); 1 failed.
set -euo pipefail

say() { printf 'rust-metadata: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
skip() { say "$*"; exit 77; }

[ $# -ge 1 ] || die "usage: $0 KERNEL-RELEASE [OUT [SOURCE]]"
release=$1 out=${2:-} source=${3:-}
usr_src=${USR_SRC:-/usr/src}
headers=$usr_src/linux-headers-$release
# Output of make and messages of tools are compared below.
export LC_ALL=C

version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null; }
# Value of a string option in the packaged configuration.
conf() { sed -n "s/^$1=\"\\(.*\\)\"$/\\1/p" "$headers/.config"; }

# --- can it be done here? ---------------------------------------------------------------------
command -v dpkg-query >/dev/null ||
    skip "this is not a Debian system; other distributions ship the Rust metadata with their headers"
[ -e "$headers/.config" ] || skip "the package linux-headers-$release is not installed"
grep -q '^CONFIG_RUST=y' "$headers/.config" || skip "the kernel $release was built without Rust"
series=$(sed -nE 's/^([0-9]+\.[0-9]+).*/\1/p' <<<"$release")
archive=$usr_src/linux-source-$series.tar.xz
headers_version=$(version "linux-headers-$release") || skip "linux-headers-$release is not a Debian package"
source_version=$(version "linux-source-$series") || skip "the package linux-source-$series is not installed"
[ "$source_version" = "$headers_version" ] ||
    skip "linux-source-$series is $source_version, but linux-headers-$release is $headers_version"
for pair in "CONFIG_RUSTC_VERSION_TEXT rustc" "CONFIG_BINDGEN_VERSION_TEXT bindgen"; do
    read -r option tool <<<"$pair"
    command -v "$tool" >/dev/null || skip "$tool is not installed; the kernel needs '$(conf "$option")'"
    [ "$(conf "$option")" = "$("$tool" --version)" ] ||
        skip "the kernel was built with '$(conf "$option")', installed is '$("$tool" --version)'"
done
# The compiler by the name that the packaged configuration has, or the configuration would differ.
cc=$(conf CONFIG_CC_VERSION_TEXT)
cc=${cc%% *}
command -v "$cc" >/dev/null || skip "the kernel's compiler $cc is not installed"
for tool in make bc bison flex flock openssl python3 xz; do
    command -v "$tool" >/dev/null || skip "the command $tool is missing"
done
[ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] || skip "the package rust-src is not installed"

# MiB of temporary space.
if [ -n "$source" ]; then space=700; else space=2500; fi
fit() { # DIR
    local try status=1 free
    try=$(mktemp "$1/ax650-XXXXXXXX" 2>/dev/null) || { why="$1: cannot write there"; return 1; }
    printf '#!/bin/sh\nexit 0\n' >"$try" && chmod 700 "$try"
    if "$try" 2>/dev/null; then status=0; else why="$1: no programs may run there (noexec)"; fi
    rm -f "$try"
    free=$(df --output=avail -BM "$1" | tr -dc '0-9\n' | tail -n 1)
    [ "${free:-0}" -ge "$space" ] || { why="$1: ${free:-0} of $space MB free"; return 1; }
    return $status
}
place='' tried='' parent=${out%/*}
[ "$parent" != "$out" ] || parent=.
[ -z "$out" ] || mkdir -p "$parent"
for candidate in ${TMPDIR:+"$TMPDIR"} /var/tmp ${out:+"$parent"} /tmp; do
    if fit "$candidate"; then place=$candidate; break; fi
    tried="${tried:+$tried, }$why"
done
# The caller has a parent for OUT, which is not known when it only asks.
[ -n "$place" ] || [ -z "$out" ] || skip "there is no directory for temporary files: $tried"

[ -n "$out" ] || exit 0

# --- regenerate -------------------------------------------------------------------------------
tmp=$(mktemp -d "$place/ax650-XXXXXXXX")
trap 'rm -rf "$tmp"' EXIT
# That of compilers and so on, too.
export TMPDIR=$tmp
if [ -z "$source" ]; then
    say "unpacking linux-source-$series"
    source=$tmp/source
    mkdir "$source"
    tar -C "$source" --strip-components=1 -xf "$archive"
fi
mkdir "$tmp/o"
cp "$headers/.config" "$tmp/o/.config"
options=() prepare=()
if grep -q '^CONFIG_ARM64=y' "$headers/.config"; then
    # For a kernel of another architecture.  That there is a compiler for 32-bit programs is part of the
    # configuration, but it is not needed: what it makes is for the kernel itself only.
    options=(ARCH=arm64 "CROSS_COMPILE=${cc%gcc*}" CROSS_COMPILE_COMPAT=arm-linux-gnueabihf-)
    prepare=(CONFIG_COMPAT_VDSO=)
fi
kernel_make() {
    make -C "$source" O="$tmp/o" KERNELRELEASE="$release" CC="$cc" "${options[@]}" "$@" >>"$tmp/log" 2>&1 </dev/null ||
        { tail -n 30 "$tmp/log" >&2; die "make $* failed"; }
}
kernel_make olddefconfig
diff "$headers/.config" "$tmp/o/.config" >&2 ||
    die "the tools on this system would change the kernel's configuration (lines above: '<' is the kernel's)"
say "regenerating the Rust metadata of $release"
kernel_make -j"${JOBS:-$(nproc)}" "${prepare[@]}" modules_prepare

# Every Rust symbol that the running kernel exports must be among the regenerated ones: their
# names carry the hashes of the crates, so equal names mean equal crates.
cut -f2 "$headers/Module.symvers" | grep '^_R' | sort -u >"$tmp/want"
grep -ohE 'EXPORT_SYMBOL_RUST_GPL\(_R[^)]*' "$tmp"/o/rust/exports_*_generated.h | sed 's/.*(//' | sort -u >"$tmp/have"
missing=$(comm -23 "$tmp/want" "$tmp/have" | wc -l)
[ -s "$tmp/want" ] || die "the kernel $release exports no Rust symbols"
[ "$missing" = 0 ] || die "$missing of the $(wc -l <"$tmp/want") Rust symbols of $release did not come out the same"

# --- put it together --------------------------------------------------------------------------
# Under another name first: OUT exists only when it is whole.
out=$(cd "$parent" && pwd)/${out##*/}
# One at a time; what others have left behind when they were killed goes.
exec 9<"${out%/*}"
flock 9
rm -rf "$out".new.* "$out".old.*
new=$out.new.$$
trap 'rm -rf "$tmp" "$new" "$out".old.*' EXIT
mkdir -p "$new/rust"
cp -as "$headers/." "$new/"
rm -rf "$new/scripts" "$new/tools" "$new/Makefile"
mkdir "$new/scripts"
cp -as "$(readlink -f "$headers/scripts")/." "$new/scripts/"
ln -s "$(readlink -f "$headers/tools")" "$new/tools"
sed "s|^KBUILD_OUTPUT=.*|KBUILD_OUTPUT=$out|" "$headers/Makefile" >"$new/Makefile"
cp "$tmp"/o/rust/*.rmeta "$tmp"/o/rust/*.so "$new/rust/"
# Some architectures use a target that rustc knows by itself.
[ ! -e "$tmp/o/scripts/target.json" ] || cp "$tmp/o/scripts/target.json" "$new/scripts/"
[ -z "${MADE_FOR:-}" ] || printf '%s\n' "$MADE_FOR" >"$new/made-for"
# On the disk before it has its name, and the old one out of the way in one step, not file by file.
sync -f "$new"
[ ! -e "$out" ] || mv -T "$out" "$out.old.$$"
mv -T "$new" "$out"
say "$out: $(wc -l <"$tmp/want") Rust symbols, $(du -sh "$out" | cut -f1)"
