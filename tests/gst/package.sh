#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# package.sh OUT   make the Debian package gstreamer1.0-ax650 of OUT/libgstax650.so, in the directory OUT; runs inside the root
#                  of root.sh, whose packages of libraries it depends on
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

library=$out/libgstax650.so
version=$(sed -nE 's/^version = "(.*)"/\1/p' "$tree/userlib/gst/Cargo.toml" | head -1)
architecture=$(dpkg --print-architecture)
# What the oldest usable C library has, and the API that the crates were told to use.
libc=$(objdump -T "$library" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -uV | tail -1)
depends=
for name in $(objdump -p "$library" | awk '$1 == "NEEDED" { print $2 }'); do
    path=$(ldd "$library" | awk -v name="$name" '$1 == name { print $3 }')
    [ -n "$path" ] || continue
    owner=$(dpkg -S "$(readlink -f "$path")" 2>/dev/null || dpkg -S "*/$(basename "$(readlink -f "$path")")")
    owner=$(sed -n '1s/:.*//p' <<<"$owner")
    case $owner in
    libc6) owner="libc6 (>= $libc)" ;;
    libgstreamer*) owner="$owner (>= 1.22)" ;;
    esac
    depends+=$owner$'\n'
done
depends=$(sort -u <<<"$depends" | sed '/^$/d' | paste -sd, | sed 's/,/, /g')

install -D -m 644 "$library" "$work/usr/lib/$(gcc -print-multiarch)/gstreamer-1.0/libgstax650.so"
install -D -m 644 "$tree/dkms/debian/copyright" "$work/usr/share/doc/gstreamer1.0-ax650/copyright"
install -D -m 644 "$tree/docs/gstreamer.md" "$work/usr/share/doc/gstreamer1.0-ax650/gstreamer.md"
mkdir "$work/DEBIAN"
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@DEPENDS@/$depends/" "$tree/userlib/gst/debian/control" \
    >"$work/DEBIAN/control"
strip --strip-unneeded "$work"/usr/lib/*/gstreamer-1.0/libgstax650.so
rm -f "$out"/gstreamer1.0-ax650_*.deb
dpkg-deb --root-owner-group --build "$work" "$out" >/dev/null
ls -l "$out"/gstreamer1.0-ax650_*.deb
