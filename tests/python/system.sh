#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# system.sh OUT WHEELS PROGRAMS   make a small system with CPython, numpy and the wheels in the directory WHEELS, for a chroot
#                                 in the guest, and a directory PROGRAMS with what published programs need besides; runs
#                                 inside the toolchain root, whose Python it is
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$1 wheels=$2 programs=$3
reference=$(dirname "$("$tree/tests/env/assets.sh" print python)")/..
version=$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
site=$out/usr/local/lib/$version/dist-packages

mkdir -p "$out"/{dev,proc,sys,tmp,share,usr/bin,usr/lib,usr/lib64} "$site"
for dir in bin lib lib64; do ln -s "usr/$dir" "$out/$dir"; done
cp "/usr/bin/$version" "$out/usr/bin/"
ln -s "$version" "$out/usr/bin/python3"
tar -C /usr/lib -cf - --exclude "$version/"{test,ensurepip,idlelib,tkinter,pydoc_data} "$version" | tar -C "$out/usr/lib" -xf -
cp -a "$reference/lib/$version"/site-packages/numpy{,.libs} "$site/"
rm -rf "$site"/numpy/*/tests "$site/numpy/f2py"
pip=(python3 -m pip --disable-pip-version-check --no-input --quiet --root-user-action=ignore install --target "$site" --no-deps)
"${pip[@]}" --only-binary :all: --require-hashes -r "$tree/tests/env/assets/bfloat16.txt"
# As users do; what they depend on is there already.
"${pip[@]}" --no-index "$wheels"/ax650*.whl

published=$(dirname "$("$tree/tests/env/assets.sh" print programs-python)")/..
cp -a "$published/lib/$version/site-packages" "$programs"
rm -rf "$programs"/numpy*

# Libraries of the system; wheels have the others with them.
{ echo "$out/usr/bin/$version"; find "$out" "$programs" -name '*.so*' -type f; } | xargs ldd 2>/dev/null |
    sed -nE 's/^[^/]*(\/(usr\/)?lib[^ ]*) \(.*/\1/p' | sort -u |
    while read -r library; do
        mkdir -p "$out$(dirname "$library")"
        cp -L "$library" "$out$library"
    done
