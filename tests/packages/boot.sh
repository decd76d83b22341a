#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# boot.sh DIR EMULATOR
#
# Boot the system in DIR (vmlinuz, initrd, disk) in QEMU with an emulated card, until it powers off;
# its console goes to DIR/console, the card's log to DIR/card.log.  Runs inside the toolchain root.
# The machine is that of the rig (tests/rig/src/qemu.rs), with a disk.
set -euo pipefail
dir=$1 emulator=$2 limit=${LIMIT:-1200}

socket=$(mktemp -u /tmp/card.XXXXXX)
"$emulator" --socket "$socket" >"$dir/card.log" 2>&1 &
card=$!
trap 'kill $card 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    [ ! -S "$socket" ] || break
    sleep 0.1
done
[ -S "$socket" ] || { cat "$dir/card.log" >&2; echo "boot: the emulated card does not start" >&2; exit 1; }

timeout "$limit" qemu-system-x86_64 -name ax650-packages -nodefaults -display none -no-reboot \
    -machine q35,memory-backend=ram,kernel-irqchip=split -accel tcg,thread=multi -cpu max,la57=off -smp 2 \
    -m 1536M -object memory-backend-memfd,id=ram,size=1536M,share=on \
    -kernel "$dir/vmlinuz" -initrd "$dir/initrd" -serial "file:$dir/console" \
    -drive "file=$dir/disk,if=none,id=disk,format=raw,snapshot=on" -device virtio-blk-pci,drive=disk \
    -device intel-iommu,intremap=on,caching-mode=on \
    -device pcie-root-port,id=rp0,slot=1,chassis=1 \
    -device '{"driver":"vfio-user-pci","id":"card0","bus":"rp0","socket":{"type":"unix","path":"'"$socket"'"}}' \
    -append "root=/dev/vda rw console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable intel_iommu=on iommu.passthrough=0 iommu.strict=1 systemd.show_status=no systemd.default_timeout_start_sec=900" \
    </dev/null || { tail -n 20 "$dir/console" >&2; echo "boot: the guest did not end by itself in $limit s" >&2; exit 1; }
