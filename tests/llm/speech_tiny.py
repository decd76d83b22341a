#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes tests/data/llm/speech: a Whisper of random weights, always the same, that hears windows of 2 s, and what it hears.

usage: speech_tiny.py OUT
"""
import json
import os
import sys
import wave

import numpy

from speech import write
from tokenizer import byte_characters, tokenizer_json
from tiny import PAIRS

SHAPE = {
    "mels": 80,
    "audio_context": 100,
    "state": 32,
    "heads": 2,
    "encoder_layers": 2,
    "layers": 2,
    "context": 40,
    # One more than the prompt has with times.
    "first_tokens": 4,
}
LANGUAGES = ["en", "de", "fr"]
RATE, SECONDS = 16000, 5
# Of some seeds the one whose choices are the clearest, so that roundings of other programs do not matter.
SEED = 39


def generator(name):
    """One for each matrix, the same everywhere and in all versions."""
    return numpy.random.Generator(numpy.random.PCG64(int.from_bytes(f"{SEED}{name}".encode(), "little")))


def uniform(name, shape):
    return generator(name).integers(-(1 << 16), 1 << 16, shape) / float(1 << 16) * 3**0.5


def write_tones(path):
    """A tone that climbs, five times, with silence in between."""
    at = numpy.arange(RATE * SECONDS)
    within = at % RATE
    phase = within * (200 + at // RATE * 150 + within // 40) % RATE
    samples = numpy.where(within < 12000, phase * 12000 // RATE - 6000, 0).astype("<i2")
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", None))
        file.writeframes(samples.tobytes())


def main():
    out = sys.argv[1]
    text = byte_characters() + PAIRS.split()
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{name}|>" for name in LANGUAGES)]
    special += ["<|transcribe|>", "<|nospeech|>", "<|notimestamps|>"]
    number = {token: len(text) + at for at, token in enumerate(special)}
    times = len(text) + len(special)
    vocabulary = times + SHAPE["audio_context"] + 1
    state, mels = SHAPE["state"], SHAPE["mels"]
    inner = 2 * state
    sizes = {
        "encoder/conv1/weight": (state, mels, 3),
        "encoder/conv2/weight": (state, state, 3),
        "encoder/position_encodings/encodings": (SHAPE["audio_context"], state),
        "decoder/position_encodings/encodings": (SHAPE["context"], state),
        "decoder/embeddings/weight": (vocabulary, state),
        "self_attention/linear_0": (3 * state, state),
        "self_attention/linear_1": (state, state),
        "attention/linear_0": (state, state),
        "attention/linear_1": (2 * state, state),
        "attention/linear_2": (state, state),
        "ffn/linear_0": (inner, state),
        "ffn/linear_1": (state, inner),
    }

    def weights(name):
        part, _, kind = name.rpartition("/")
        if kind == "gamma":
            return numpy.ones(state, numpy.float32)
        if kind == "beta":
            return numpy.zeros(state, numpy.float32)
        # Those of a layer are as large as those of any other; a bias has as many elements as its matrix has rows.
        whole = f"{part}/weight" if kind == "bias" else name
        size = sizes[part.split("/", 2)[2]] if "/layer_" in name else sizes[whole]
        if kind == "bias":
            return (uniform(name, size[:1]) * 0.1).astype(numpy.float32)
        scale = 1.0 if kind == "encodings" or "embeddings" in name else 2.5 / numpy.prod(size[1:]) ** 0.5
        return (uniform(name, size) * scale).astype(numpy.float32)

    tokenizer = tokenizer_json(text + special, [" ".join(pair) for pair in PAIRS.split()], number.values())
    tokens = {
        "end": number["<|endoftext|>"],
        "start": number["<|startoftranscript|>"],
        "no_speech": number["<|nospeech|>"],
        "timestamps": times,
        "transcribe": number["<|transcribe|>"],
        "languages": {name: number[f"<|{name}|>"] for name in LANGUAGES},
    }
    suppress = [number[token] for token in special[1:]]
    text = json.dumps(tokenizer, ensure_ascii=False) + "\n"
    write(out, "tiny", SHAPE, weights, text, tokens, suppress, [number["<|endoftext|>"]])
    write_tones(os.path.join(out, "tones.wav"))


if __name__ == "__main__":
    main()
