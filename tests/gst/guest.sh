#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# guest.sh [GLOB...]   the part of `make test-gst` that runs in the guest: the cases, in the system that system.sh made
set -eu
share=/mnt/share root=/run/gst
insmod /lib/modules/ax650.ko
ax650-fw boot --if-needed
mkdir -p $root
tar -C $root -xf $share/gst.tar
for fs in proc sys dev; do mount --bind /$fs $root/$fs; done
mount --bind $share $root/share
status=0
env -i PATH=/usr/bin HOME=/tmp LC_ALL=C.UTF-8 GST_REGISTRY_FORK=no GST_REGISTRY=/tmp/registry ${GST_DEBUG:+GST_DEBUG=$GST_DEBUG} \
    /bin/chroot $root /usr/bin/gst-cases "$@" || status=$?
[ $status = 0 ] || dmesg | tail -n 20
exit $status
