#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# system.sh OUT WHEELS PROGRAMS   make a small system with CPython, numpy and the wheels in the directory WHEELS, for a chroot
#                                 in the guest, and a directory PROGRAMS with what published programs need besides; runs
#                                 inside the toolchain root, whose Python it is
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$1 wheels=$2 programs=$3
packages=$(dirname "$("$tree/tests/env/assets.sh" print programs-python)")/..
version=$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
packages+=/lib/$version/site-packages
site=$out/usr/local/lib/$version/dist-packages

mkdir -p "$out"/{dev,proc,sys,tmp,share,usr/bin,usr/lib,usr/lib64} "$site"
for dir in bin lib lib64; do ln -s "usr/$dir" "$out/$dir"; done
cp "/usr/bin/$version" "$out/usr/bin/"
ln -s "$version" "$out/usr/bin/python3"
tar -C /usr/lib -cf - --exclude="$version/"{test,ensurepip,idlelib,tkinter,pydoc_data} "$version" | tar -C "$out/usr/lib" -xf -
# In the programs' directory is the rest.
cp -a "$packages" "$programs"
mv "$programs"/{numpy,numpy.libs,ml_dtypes} "$site/"
rm -rf "$site"/numpy/*/tests "$site/numpy/f2py"
# As users do; what they depend on is there already.
python3 -m pip --disable-pip-version-check --no-input --quiet install --root-user-action=ignore --no-deps --no-index \
    --target "$site" "$wheels"/ax650*.whl

# Libraries of the system; wheels have the others with them.
{ echo "$out/usr/bin/$version"; find "$out" "$programs" -name '*.so*' -type f; } | xargs ldd 2>/dev/null |
    sed -nE 's/^[^/]*(\/(usr\/)?lib[^ ]*) \(.*/\1/p' | sort -u |
    while read -r library; do
        mkdir -p "$out$(dirname "$library")"
        cp -L "$library" "$out$library"
    done
