#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build.sh DIR [PREFIX [LIBDIR]]: links libax650.so out of the archive that cargo has made (cargo build --release -p
# ax650-c), and puts it, the header and what build systems ask for below DIR, as for an installation in PREFIX.
#
# The library is not linked by cargo: rustc gives the linker a list of symbols of its own, and ours gives them versions.
set -eu
dir=${1?usage: build.sh DIR [PREFIX [LIBDIR]]} prefix=${2:-/usr/local}
libdir=${3:-$prefix/lib}
here=$(cd "$(dirname "$0")" && pwd)
archive=${AX650_C_ARCHIVE:-${CARGO_TARGET_DIR:-$here/../../target}/release/libax650_c.a}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$here/../../Cargo.toml")
lib=$dir$libdir
mkdir -p "$lib/pkgconfig" "$lib/cmake/ax650" "$dir$prefix/include"
# shellcheck disable=SC2086 # LDFLAGS is a list of options
${CC:-cc} ${LDFLAGS:-} -shared -o "$lib/libax650.so.$version" -Wl,-soname,libax650.so.0 \
	-Wl,--version-script="$here/libax650.map" -Wl,--whole-archive "$archive" -Wl,--no-whole-archive \
	-Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,defs -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
ln -sf "libax650.so.$version" "$lib/libax650.so.0"
ln -sf libax650.so.0 "$lib/libax650.so"
cp "$archive" "$lib/libax650.a"
cp "$here/include/libax650.h" "$dir$prefix/include/"
for file in libax650.pc:pkgconfig ax650-config.cmake:cmake/ax650; do
	sed -e "s|@PREFIX@|$prefix|g; s|@LIBDIR@|$libdir|g; s|@VERSION@|$version|g" "$here/${file%:*}.in" \
		>"$lib/${file#*:}/${file%:*}"
done
