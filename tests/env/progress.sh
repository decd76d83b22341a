#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# progress.sh LABEL CMD...   run CMD; if it takes more than a moment, say so, and every eight seconds how far it is:
#                            the last line that it has printed.  Its output is shown if it fails.
set -euo pipefail

label=$1
shift
log=$(mktemp)
"$@" >"$log" 2>&1 </dev/null &
pid=$!
# A command in the background does not hear Ctrl-C.
trap 'kill "$pid" 2>/dev/null || true; rm -f "$log"' EXIT
say() { printf '%s: %s\n' "$label" "$*" >&2; }

shown=-1
while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    if [ "$shown" -lt 0 ] && [ "$SECONDS" -ge 1 ]; then
        say "..."
        shown=$SECONDS
    elif [ "$shown" -ge 0 ] && [ $((SECONDS - shown)) -ge 8 ]; then
        say "$SECONDS s: $(tr '\r' '\n' <"$log" | grep -v '^ *$' | tail -n 1 | cut -c1-100 | sed 's/^ *//')"
        shown=$SECONDS
    fi
done
status=0
wait "$pid" || status=$?
if [ "$status" != 0 ]; then
    cat "$log" >&2
    say "failed"
    exit "$status"
fi
[ "$shown" -lt 0 ] || say "done, $SECONDS s"
