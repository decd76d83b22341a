#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of `make test-onnx` that runs in the guest: each line of cases.tsv is a model in in/NAME and files of its
# inputs, in order.  What comes of it goes to out/NAME: outputs, log, status.
set -eu
share=/mnt/share
insmod /lib/modules/ax650.ko
ax650-fw boot --if-needed
all=$(grep -c . $share/cases.tsv)
count=0 failed=0
tab=$(printf '\t')
while IFS=$tab read -r name files; do
    out=$share/out/$name
    mkdir -p "$out"
    cd "$share/in/$name"
    set --
    for file in $files; do set -- "$@" --input "$file"; done
    status=0
    ax650 run model.onnx "$@" --quiet --output "$out" --npy --force >"$out/log" 2>&1 </dev/null || status=$?
    echo "$status" >"$out/status"
    count=$((count + 1))
    [ "$status" = 0 ] || failed=$((failed + 1))
    [ $((count % 50)) != 0 ] || echo "$count of $all models; the card took $((count - failed))"
done <$share/cases.tsv
# A card that has died of one of them shows it here.
ax650 info
