#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the model directory tests/data/llm/tiny: two layers of random weights, always the same.

usage: tiny.py OUT
"""
import sys

import numpy

from layers import write
from tokenizer import byte_characters, tokenizer_json

SHAPE = {
    "layers": 2,
    "hidden": 64,
    "heads": 4,
    "kv_heads": 2,
    "epsilon": 1e-5,
    "rope_base": 10000.0,
    "context": 96,
    "prefill": 16,
}
INNER = 96
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PAIRS = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make(out, name, shape, inner, special, seed="", **more):
    """Writes the directory `out`, whose first tokens are `special`; `seed` makes other weights, `more` goes to `write`."""
    pairs = PAIRS.split()
    tokens = special + byte_characters() + pairs
    hidden, kv_size = shape["hidden"], shape["kv_heads"] * shape["hidden"] // shape["heads"]
    shapes = {
        "attn_q": (hidden, hidden),
        "attn_k": (kv_size, hidden),
        "attn_v": (kv_size, hidden),
        "attn_output": (hidden, hidden),
        "ffn_gate": (inner, hidden),
        "ffn_up": (inner, hidden),
        "ffn_down": (hidden, inner),
        "token_embd": (len(tokens), hidden),
    }

    def weights(name):
        part = name.split(".")[-2]
        if part.endswith("_norm"):
            return numpy.ones(hidden, numpy.float32)
        return random(seed + name, shapes[part], 1.0 if part == "token_embd" else 2.5)

    tokenizer = tokenizer_json(tokens, [" ".join(pair) for pair in pairs], range(len(special)))
    end = [special.index("<|im_end|>"), special.index("<|endoftext|>")]
    write(out, name, shape, weights, tokenizer, end, TEMPLATE, **more)


def random(name, shape, scale):
    """A matrix of a generator that is the same everywhere and in all versions; one for each name."""
    generator = numpy.random.Generator(numpy.random.PCG64(int.from_bytes(name.encode(), "little")))
    uniform = generator.integers(-(1 << 16), 1 << 16, shape) / float(1 << 16)
    return (uniform * scale * 3**0.5 / shape[-1] ** 0.5).astype(numpy.float32)


def main():
    make(sys.argv[1], "tiny", SHAPE, INNER, SPECIAL)


if __name__ == "__main__":
    main()
