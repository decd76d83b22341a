#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh [NAME...]   the host's part of `make test-onnx`: runs the node tests of ONNX (all, or those whose names match
#                    a glob) in a guest; runs inside the toolchain root
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/onnx

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/share/{in,out} "$work/plan"

nodes=$("$env/assets.sh" print onnx-nodes)
python=$("$env/assets.sh" print onnx-python)
"$env/progress.sh" "ONNX Runtime runs the node tests" \
    "$python" "$here/prepare.py" "$nodes" "$work/share" "$work/plan" "$@"
"$env/guest.sh" "$here/guest.sh" "$work/share" 3600 || echo "the guest's part failed, see above"
"$python" "$here/compare.py" "$work/plan" "$work/share/out"
