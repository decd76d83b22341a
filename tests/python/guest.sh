#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# guest.sh [GLOB...]   the part of `make test-python` that runs in the guest: the cases, in the system that system.sh made
set -eu
share=/mnt/share root=/run/python
insmod /lib/modules/ax650.ko
ax650-fw boot --if-needed
mkdir -p $root
tar -C $root -xf $share/python.tar
for fs in proc sys dev; do mount --bind /$fs $root/$fs; done
mount --bind $share $root/share
# For the driver's counters.
mount -t debugfs debugfs $root/sys/kernel/debug
cp "$(command -v ax650-fw)" "$(command -v ax650)" $root/usr/bin/
mkdir -p $root/lib/firmware
mount --bind /lib/firmware $root/lib/firmware
status=0
env -i PATH=/usr/bin LC_ALL=C.UTF-8 /bin/chroot $root /usr/bin/python3 -B /share/cases.py "$@" || status=$?
[ $status = 0 ] || dmesg | tail -n 20
exit $status
