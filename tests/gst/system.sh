#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# system.sh SHARE   make the file SHARE/gst.tar, a small system with GStreamer, the elements and their cases for a chroot in the
#                   guest, and in SHARE/in what Debian's own elements make of the clips there; runs inside the root of
#                   root.sh
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
share=$1
target=${CARGO_TARGET_DIR:-$tree/target}/gst/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
plugins=/usr/lib/$(uname -m)-linux-gnu/gstreamer-1.0
out=$work/system

launch() { gst-launch-1.0 -q "$@" || { echo "gst-launch-1.0 $* failed" >&2; exit 1; }; }
nv12='videoconvert ! video/x-raw,format=NV12'
cd "$share/in"
launch filesrc location=clip.mp4 ! qtdemux ! h264parse ! avdec_h264 ! $nv12 ! filesink location=clip.nv12
launch filesrc location=hevc.mp4 ! qtdemux ! h265parse ! avdec_h265 ! $nv12 ! filesink location=hevc.nv12
launch filesrc location=change.h264 ! h264parse ! avdec_h264 ! $nv12 ! filesink location=change.nv12

mkdir -p "$out"/{dev,proc,sys,tmp,share,run,usr/bin,usr/lib,usr/lib64,etc} "$out$plugins"
for dir in bin lib lib64; do ln -s "usr/$dir" "$out/$dir"; done
cp /usr/bin/gst-launch-1.0 /usr/bin/gst-inspect-1.0 "$target/examples/gst-cases" "$out/usr/bin/"
# Elements that ours are put between, and decoders that ours are to be preferred to.
for name in app coreelements debugutilsbad isomp4 jpeg jpegformat multifile openh264 playback rawparse typefindfunctions \
    videoconvertscale videocrop videoparsersbad videorate videotestsrc; do
    cp "$plugins/libgst$name.so" "$out$plugins/"
done
# As users install it.
dpkg-deb -x "$tree"/dist/gst/gstreamer1.0-ax650_*.deb "$out"
find "$out/usr/bin" "$out$plugins" -type f | xargs ldd 2>/dev/null | sed -nE 's/^[^/]*(\/(usr\/)?lib[^ ]*) \(.*/\1/p' | sort -u |
    while read -r library; do
        mkdir -p "$out$(dirname "$library")"
        cp -L "$library" "$out$library"
    done
# GLib asks who it is.
echo 'root:x:0:0:root:/tmp:/bin/sh' >"$out/etc/passwd"
tar -C "$out" -cf "$share/gst.tar" .
ls -l "$share/gst.tar"
