#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# host.sh SHARE   run the GStreamer elements without a guest, with the library's card without hardware, on the clips that inputs.sh
#                 has put into SHARE/in; runs inside the root of root.sh
#
# That card's codecs are none, so what is looked at is the way through the elements: how much comes out, and that pipelines end.
# The last line is `N passed, N failed, N skipped`.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
share=$1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$tree/target}/gst
(cd "$tree/userlib/gst" && cargo build --quiet --release --locked -j "${JOBS:-$(nproc)}" --lib --features fake)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/plugins"
cp "$CARGO_TARGET_DIR/release/libgstax650.so" "$work/plugins/"
export GST_PLUGIN_PATH=$work/plugins GST_REGISTRY=$work/registry
passed=0 failed=0
cd "$share/in"

# case NAME BYTES ELEMENT...: the pipeline ends well within a minute, with so many bytes.
case_of() {
    local name=$1 want=$2 got
    shift 2
    rm -f "$work/out"
    if timeout 60 gst-launch-1.0 -q "$@" ! filesink "location=$work/out" >"$work/log" 2>&1; then
        got=$(stat -c %s "$work/out")
    else
        got="an error"
    fi
    if [ "$got" = "$want" ]; then
        passed=$((passed + 1))
        echo "ok       gst-host/$name"
    else
        failed=$((failed + 1))
        echo "FAILED   gst-host/$name: $got instead of $want bytes"
        cat "$work/log"
    fi
}
clip='filesrc location=clip.mp4 ! qtdemux ! h264parse ! ax650h264dec device=fake'
source='filesrc location=source.nv12 ! rawvideoparse format=nv12 width=640 height=272 framerate=25/1'
# The card's packets have 64 bytes; sides of its pictures are multiples of 16.
# shellcheck disable=SC2086 # words
{
    case_of decoded $((60 * 640 * 272 * 3 / 2)) $clip
    case_of size_changes $(((24 * 320 * 144 + 12 * 640 * 272) * 3 / 2)) \
        filesrc location=change.h264 ! h264parse ! ax650h264dec device=fake
    case_of encoded $((30 * 64)) $source ! ax650h264enc device=fake
    case_of stays_on_the_card $((60 * 64)) $clip ! 'video/x-raw(memory:AX650)' ! ax650h265enc device=fake
    case_of shared_by_two $((60 * 64)) $clip ! 'video/x-raw(memory:AX650)' ! tee name=t \
        t. ! queue ! ax650h265enc device=fake ! fakesink t. ! queue ! ax650h264enc device=fake
    case_of scaled $((30 * 320 * 136 * 3 / 2)) $source ! ax650scale device=fake ! video/x-raw,width=320,height=136
    case_of pixels $((30 * 320 * 136 * 3)) $source ! ax650scale device=fake ! video/x-raw,format=BGR,width=320,height=136
    case_of scaled_stays_on_the_card $((60 * 64)) $clip ! ax650scale device=fake ! \
        'video/x-raw(memory:AX650),width=320,height=136' ! ax650h265enc device=fake
    case_of jpeg_encoded $((5 * 64)) videotestsrc num-buffers=5 ! ax650jpegenc device=fake
    case_of live $((20 * 64)) videotestsrc num-buffers=20 is-live=true ! video/x-raw,format=NV12,framerate=10/1 ! \
        ax650h264enc device=fake
}
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
