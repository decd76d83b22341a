#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a directory for `ax650-llm transcribe` of a Whisper in the format of CTranslate2: model.bin, config.json, tokenizer.json.

usage: speech_weights.py MODEL OUT NAME
"""
import json
import os
import struct
import sys

import numpy

from speech import write

# By CTranslate2's numbers.
TYPES = [numpy.float32, numpy.int8, numpy.int16, numpy.int32, numpy.float16]
VERSION = 6
# Tokens that are there in all of them, by their text; the one for silence has had two names.
TEXTS = {"end": "<|endoftext|>", "start": "<|startoftranscript|>", "no_speech": "<|nospeech|>|<|nocaptions|>"}
NO_TIMES, TRANSCRIBE = "<|notimestamps|>", "<|transcribe|>"
HIDDEN = [NO_TIMES, TRANSCRIBE, "<|translate|>", "<|startoflm|>", "<|startofprev|>"]


def variables(path):
    """The variables of a model.bin by name."""
    with open(path, "rb") as file:
        read = lambda kind: struct.unpack("<" + kind, file.read(struct.calcsize(kind)))[0]
        text = lambda: file.read(read("H")).rstrip(b"\0").decode()
        version, spec = read("I"), text()
        if (version, spec) != (VERSION, "WhisperSpec"):
            sys.exit(f"{path}: {spec}, version {version}")
        read("I")
        found = {}
        for _ in range(read("I")):
            name = text()
            dims = [read("I") for _ in range(read("B"))]
            kind = TYPES[read("B")]
            found[name] = numpy.frombuffer(file.read(read("I")), kind).reshape(dims)
    return found


def main():
    model, out, name = sys.argv[1:]
    at = lambda file: os.path.join(model, file)
    stored = variables(at("model.bin"))
    weights = lambda part: stored[part].astype(numpy.float32)
    with open(at("config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(at("tokenizer.json"), encoding="utf-8") as file:
        tokenizer = file.read()
    known = {token["content"]: token["id"] for token in json.loads(tokenizer)["added_tokens"]}
    tokens = {
        part: next(known[text] for text in texts.replace(">|<", ">\0<").split("\0") if text in known)
        for part, texts in TEXTS.items()
    }
    tokens["timestamps"] = known[NO_TIMES] + 1
    parts = lambda side: {part.split("/")[1] for part in stored if part.startswith(f"{side}/layer_")}
    layers = lambda side: len(parts(side) - {"layer_norm"})
    vocabulary, state = stored["decoder/embeddings/weight"].shape
    # Vocabularies of English alone have this size, and know languages by name only.
    if vocabulary > 51864:
        tokens["transcribe"] = known[TRANSCRIBE]
        tokens["languages"] = {text[2:-2]: number for text, number in known.items() if number in config["lang_ids"]}
    shape = {
        "mels": stored["encoder/conv1/weight"].shape[1],
        "audio_context": len(stored["encoder/position_encodings/encodings"]),
        "state": state,
        "heads": int(stored["decoder/num_heads"]),
        "encoder_layers": layers("encoder"),
        "layers": layers("decoder"),
        "context": len(stored["decoder/position_encodings/encodings"]),
        "first_tokens": 3 if "languages" in tokens else 1,
    }
    hidden = {known[text] for text in HIDDEN if text in known} | {tokens["start"], tokens["no_speech"]}
    suppress = sorted(hidden | set(config["suppress_ids"]))
    write(out, name, shape, weights, tokenizer, tokens, suppress, config["suppress_ids_begin"])


if __name__ == "__main__":
    main()
