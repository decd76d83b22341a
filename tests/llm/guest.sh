#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of `make test-llm` and `make demo-llm` that runs in the guest: the question to the model on the card, and what a
# token costs.
set -eu
share=/mnt/share
question=$(cat $share/question) tokens=$(cat $share/tokens)
insmod /lib/modules/ax650.ko
ax650-fw boot --if-needed
if [ "$1" = demo ]; then
    echo "$question"
    ax650-llm run $share/smollm2 --prompt "$question" --max-tokens "$tokens"
    ax650-llm bench $share/smollm2 --prompt-tokens 64 --tokens 8
    exit
fi
ax650-llm run $share/smollm2 --prompt "$question" --max-tokens "$tokens" --json >$share/answer.json
cat $share/answer.json
ax650-llm bench $share/smollm2 --prompt-tokens 64 --tokens 8 --json >$share/bench.json
cat $share/bench.json
ax650 info
