# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016 # variables of lib.sh; commands for other shells
#
# The package with the GStreamer elements, which `make gst` makes, in a Debian 13 without anything of ours.

gstreamer_elements='ax650h264dec ax650h264enc ax650h265dec ax650h265enc ax650infer ax650jpegdec ax650jpegenc ax650scale'

gstreamer_package() {
    local deb root base
    deb=$(echo "$dist"/gst/gstreamer1.0-ax650_*.deb)
    [ -f "$deb" ] || skip "there is no package in dist/gst: make gst makes it"
    base=$(system trixie)
    root=$work/gstreamer
    [ ! -e "$root" ] || system remove "$root"
    if [ "$(id -u)" = 0 ]; then cp -a "$base" "$root"
    else unshare --map-auto --map-root-user cp -a "$base" "$root"; fi
    system enter "$root" bash -euc 'apt-get update -q
        apt-get install -y -q --no-install-recommends "$1" gstreamer1.0-tools
        gst-inspect-1.0 ax650 | sed -nE "s/^ +(ax650[a-z0-9]+):.*/\1/p" | sort | xargs >/tmp/elements
        cat /tmp/elements
        cp /tmp/elements /cache/packages-test/elements
        # Without a card that is what it says, and no crash.
        ! gst-launch-1.0 fakesrc num-buffers=1 ! "video/x-raw,format=NV12,width=64,height=64" ! ax650scale ! fakesink 2>/tmp/said
        cat /tmp/said
        grep -q "no card" /tmp/said
        apt-get purge -y -q gstreamer1.0-ax650
        ! gst-inspect-1.0 ax650' sh "/src/${deb#"$tree/"}"
    expect "elements" "$gstreamer_elements" "$(cat "$work/elements")"
    figure "size of gstreamer1.0-ax650: $(($(stat -c %s "$deb") / 1024)) KiB"
    system remove "$root"
}

case_ gstreamer/package gstreamer_package
