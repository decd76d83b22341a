#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of `make test-zoo` that runs in the guest: each network of zoo.tsv is run on one tensor, and looks at four pictures.
set -eu
in=/mnt/share/in out=/mnt/share/out
insmod /lib/modules/ax650.ko
ax650-fw boot --if-needed
tab=$(printf '\t')
while IFS=$tab read -r name command; do
    ax650 run "$in/$name.onnx" -i "$in/picture.bin" -o "$out/$name" --npy -q </dev/null
    case $command in
    classify) options='--top 10' ;;
    detect) options='--threshold 0.2 --nms 1' ;;
    *) options=--raw ;;
    esac
    # shellcheck disable=SC2086 # words
    ax650 "$command" "$in/clip.mp4" -m "$in/$name.onnx" --stretch -n 4 -q -o "$out/$name.jsonl" $options </dev/null
    echo "$name has looked"
done <$in/zoo.tsv
ax650 info
