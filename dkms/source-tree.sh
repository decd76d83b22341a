#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# source-tree.sh DIR
#
# Make DIR, what packages install as /usr/src/ax650-VERSION for DKMS: the module's source, the
# declarations that it shares with user space, the scripts, and dkms.conf with the version of Cargo.toml.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 1; }
out=$1

version=$("$tree/dkms/version.sh")

mkdir -p "$out/dkms" "$out/uapi"
out=$(cd "$out" && pwd)
# Sources only: the tree may have been built in.
(cd "$tree/kmod" && find . -type f \( -name '*.rs' -o -name '*.[ch]' -o -name Kbuild -o -name Kconfig \) \
    ! -name '*.mod.c' -exec install -D -m 644 {} "$out/kmod/{}" \;)
install -m 644 "$tree"/uapi/ax650.{h,rs} "$out/uapi/"
install -m 755 "$tree"/dkms/{build,catch-up,probe,rust-metadata.sh} "$out/dkms/"
sed "s/@VERSION@/$version/" "$tree/dkms/dkms.conf.in" >"$out/dkms.conf"
