#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# source.sh DIR: unpack the source of the reference kernel, less what no build here needs (half
# of it: other architectures' boot files, generated register lists of one GPU driver, prose).
set -euo pipefail
me=source
. "$(dirname "$0")/../lib.sh"

dir=$1
say "unpacking linux-source-$series"
rm -rf "$dir.partial"
mkdir -p "$dir.partial"
tar -C "$dir.partial" --strip-components=1 \
    --exclude='*/Documentation/[!K]*/*' --exclude='*/drivers/gpu/drm/amd/include/asic_reg' \
    --exclude='*/arch/*/boot/dts' --exclude='*/tools/testing' --exclude='*/tools/perf' \
    -xf "/usr/src/linux-source-$series.tar.xz"
mv "$dir.partial" "$dir"
say "done: $dir ($(du -sh "$dir" | cut -f1))"
