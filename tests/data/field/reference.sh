#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# reference.sh FILE [STREAM]   what ffmpeg makes of a file: the number of its pictures, and the MD5 of the list of
#                              their MD5s.  table.txt holds these, unless a remark there says why not.
set -euo pipefail
sums=$(ffmpeg -v quiet -noautorotate -i "$1" -noautoscale -map "0:${2:-v:0}" -fps_mode passthrough -f framemd5 - |
    sed -n '/^#/!s/.*, *//p')
echo "$(grep -c . <<<"$sums") $(md5sum <<<"$sums" | cut -d' ' -f1)"
