#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh   the host's part of `make test-vfio`: a guest with Debian 13's own kernel, which is without Rust, and emulated
#          cards that a program uses over VFIO; runs inside the toolchain root
#
# The last line is `N passed, N failed`.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/vfio
target=${CARGO_TARGET_DIR:-$tree/target}
static=$target/x86_64-unknown-linux-gnu/release
# The cases, in the order of guest.sh.
cases=(infer card_is_stopped long_transfers again_after_kill lost_interrupts no_boot)
# A guest without hardware's help on a busy host; it takes a minute.
limit=600

[ "${AX650_ARCH:-amd64}" = amd64 ] || { echo "this machine is for amd64 only"; exit 1; }

work=$(mktemp -d)
cards=()
trap 'for card in "${cards[@]}"; do kill "$card" 2>/dev/null || true; done; rm -rf "$work"' EXIT

kernel=$("$here/kernel.sh")
# What this is about: a kernel that cannot have the module.
! grep -q '^CONFIG_RUST=y' "$kernel/config" || { echo "the kernel has Rust: nothing is shown by it"; exit 1; }
model=$("$env/assets.sh" print models)/ch_ppocr_mobile_v2.0_cls_infer.onnx
python=$("$env/assets.sh" print python)

guest=$work/guest
mkdir -p "$guest"/{bin,sbin,dev,proc,sys,tmp,in,lib/modules,lib/firmware/axcl}
cp /usr/bin/busybox "$guest/bin/busybox"
for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$guest/bin/$applet"
done
cp "$kernel"/modules/*.ko "$guest/lib/modules/"
install -m 755 "$here/guest.sh" "$guest/init"
cp "$static/ax650-vfio" "$guest/bin/"
"$static/ax650-fw" pack --sample small --force --output "$guest/lib/firmware/axcl/ax650_card.pac" >/dev/null
"$target/release/ax650-emu-model" pin "$model" --group x:1x3x48x192 -o "$guest/in/model" >/dev/null
"$python" "$here/model.py" input "$guest/in/input"
(cd "$guest" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -n -1 >"$work/initrd"

# start NAME [OPTION...]: a card, and what QEMU is told of it.
devices=()
start() {
    local name=$1 number=${#cards[@]}
    shift
    "$target/release/ax650-emu" --socket "$work/$name" --strict --report "$work/$name.json" "$@" >"$work/$name.log" 2>&1 &
    cards+=($!)
    devices+=(-device "pcie-root-port,id=rp$number,slot=$((number + 1)),chassis=1"
        -device '{"driver":"vfio-user-pci","id":"card'"$number"'","bus":"rp'"$number"'","socket":{"type":"unix","path":"'"$work/$name"'"},"x-msg-timeout":30000}')
    for _ in $(seq 100); do
        [ ! -S "$work/$name" ] || return 0
        sleep 0.1
    done
    cat "$work/$name.log" >&2
    echo "the emulated card does not start" >&2
    exit 1
}
start good
start lost --switch msi.lose=true
start never --switch boot.status_never=true

# The machine is that of the rig (tests/rig/src/qemu.rs).
timeout "$limit" qemu-system-x86_64 -name ax650-vfio -nodefaults -display none -no-reboot \
    -machine q35,memory-backend=ram,kernel-irqchip=split -accel tcg,thread=multi -cpu max,la57=off -smp 2 \
    -m 1024M -object memory-backend-memfd,id=ram,size=1024M,share=on \
    -device intel-iommu,intremap=on,caching-mode=on \
    -kernel "$kernel/vmlinuz" -initrd "$work/initrd" -serial "file:$work/console" "${devices[@]}" \
    -append "console=ttyS0 loglevel=4 panic=-1 no_timer_check tsc=reliable intel_iommu=on iommu.passthrough=0 iommu.strict=1" \
    </dev/null || echo "the guest did not end by itself within $limit s"

tr -d '\r' <"$work/console" | sed -n 's/^vfio: //p' >"$work/said"
grep -v '^output \|^end$' "$work/said" || true
# Reports are written at the end.
for card in "${cards[@]}"; do kill "$card" && wait "$card" || true; done
cards=()

passed=0 failed=0
verdict() { # CASE STATUS WHAT
    if [ "$2" = 0 ]; then passed=$((passed + 1)); echo "ok $1${3:+: $3}"
    else failed=$((failed + 1)); echo "not ok $1${3:+: $3}"; fi
}
for case in "${cases[@]}"; do
    output=$(sed -n "s/^output $case //p" "$work/said")
    status=0
    if [ -n "$output" ]; then
        base64 -d <<<"$output" >"$work/output"
        what=$("$python" "$here/model.py" check "$model" "$guest/in/input" "$work/output" 2>&1) || status=1
    else
        what=''
        grep -qx "ok $case" "$work/said" || status=1
    fi
    verdict "$case" "$status" "$what"
done
# No card was told to move bytes where it must not.
status=0
what=$(python3 "$here/reports.py" "$work"/{good,lost,never}.json 2>&1) || status=1
verdict dma_was_in_order "$status" "$what"
[ "$failed" = 0 ] || { cp "$work/console" "$target/vfio-console"; tail -n 40 "$work/console"; tail -n 15 "$work"/*.log; }
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
