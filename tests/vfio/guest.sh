#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=busybox
#
# init of the guest of `make test-vfio` (busybox): gives all cards to vfio-pci and runs the cases.  Lines that begin with
# "vfio: " are for run.sh.
#
# Cards by their buses: 01 is in order, 02 loses all interrupts, 03 never reads its firmware.
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /tmp

for module in irqbypass vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
    insmod /lib/modules/$module.ko || echo "vfio: cannot load $module"
done
cd /sys/bus/pci/devices || exit
cards=0
for device in *; do
    [ "$(cat "$device/vendor")$(cat "$device/device")" = 0x1f4b0x0650 ] || continue
    echo vfio-pci >"$device/driver_override"
    echo "$device" >/sys/bus/pci/drivers_probe
    cards=$((cards + 1))
done
cd /tmp || exit
echo "vfio: up, kernel $(uname -r), $cards cards"

# Runs the model on the card on bus $1, with its outputs in the directory $2 and what is said in $2/log; more options behind.
infer() {
    local bus=$1 dir=$2
    shift 2
    mkdir -p "$dir"
    ax650-vfio --card "0000:$bus:00.0" --output "$dir" "$@" /in/model /in/input >"$dir/log" 2>&1
}

# The low byte of COMMAND of the card on bus $1.
command_of() {
    hexdump -s 4 -n 1 -e '1/1 "%02x"' "/sys/bus/pci/devices/0000:$1:00.0/config"
}

passed() { echo "vfio: ok $1"; }
failed() {
    echo "vfio: not ok $1: $2"
    sed 's/^/vfio: | /' "$3"
}
# What the model has given is judged outside.
given() { echo "vfio: output $1 $(base64 "$2/0" | tr -d '\n')"; }

if infer 01 first --runs 3 && grep -q '^interrupts [1-9]' first/log; then
    given infer first
else
    failed infer "the program failed, or heard no interrupt" first/log
fi
sed 's/^/vfio: # /' first/log

# Bit 2: bus mastering.  The kernel resets the card once more, and nobody answers meanwhile.
for _ in $(seq 50); do
    [ "$(command_of 01)" = ff ] || break
    sleep 0.1
done
case $(command_of 01) in
?[4567cdef]) failed card_is_stopped "COMMAND is $(command_of 01)" first/log ;;
?[0-9a-f]) passed card_is_stopped ;;
*) failed card_is_stopped "COMMAND cannot be read" first/log ;;
esac

if infer 01 bytes --check && grep -q '^moved bytes' bytes/log; then
    given long_transfers bytes
else
    failed long_transfers "the program failed" bytes/log
fi

infer 01 killed --runs 1000000 &
program=$!
for _ in $(seq 600); do
    grep -q '^ran in' killed/log 2>/dev/null && break
    sleep 0.1
done
# The shell waits for the program, which is its child.
kill -9 "$(pidof ax650-vfio)"
wait $program
if [ $? -ne 137 ]; then
    failed again_after_kill "the program was not killed while it ran" killed/log
elif infer 01 again; then
    given again_after_kill again
else
    failed again_after_kill "the program failed" again/log
fi

if infer 02 lost && ! grep -q '^interrupts ' lost/log; then
    given lost_interrupts lost
else
    failed lost_interrupts "the program failed, or there were interrupts" lost/log
fi
sed 's/^/vfio: # /' lost/log

if infer 03 never; then
    failed no_boot "the program ended well" never/log
elif grep -q 'does not read the firmware' never/log; then
    passed no_boot
else
    failed no_boot "it does not say why" never/log
fi

echo "vfio: end"
echo o >/proc/sysrq-trigger
sleep 60
