#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a model directory for ax650-llm out of a GGUF file of a Llama, such as SmolLM2-135M-Instruct.

usage: smollm2.py GGUF OUT [CONTEXT [PREFILL]]
"""
import sys
import time

import gguf
import numpy
from onnx import TensorProto

from layers import write
from tokenizer import tokenizer_json

# Kind of a token that stands for no text.
CONTROL = 3


def main():
    path, out, *sizes = sys.argv[1:]
    context, prefill = [*map(int, sizes), *(256, 64)[len(sizes) :]]
    reader = gguf.GGUFReader(path)
    field = lambda key: reader.fields[key].contents()
    heads, kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    shape = {
        "layers": field("llama.block_count"),
        "hidden": field("llama.embedding_length"),
        "heads": heads,
        "kv_heads": kv_heads,
        "epsilon": field("llama.attention.layer_norm_rms_epsilon"),
        "rope_base": field("llama.rope.freq_base"),
        "context": context,
        "prefill": prefill,
    }
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def weights(name):
        tensor = tensors[name]
        array = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        # Such files have the two of a pair side by side, not each in its half of the head.
        for part, count in (("attn_q", heads), ("attn_k", kv_heads)):
            if f".{part}." in name:
                array = array.reshape(count, -1, 2, array.shape[-1]).swapaxes(1, 2).reshape(array.shape)
        return array

    shown = [time.monotonic()]

    def say(text):
        if time.monotonic() - shown[0] > 5:
            print(text, flush=True)
            shown[0] = time.monotonic()

    kinds = field("tokenizer.ggml.token_type")
    tokenizer = tokenizer_json(
        field("tokenizer.ggml.tokens"),
        field("tokenizer.ggml.merges"),
        [number for number, kind in enumerate(kinds) if kind == CONTROL],
    )
    end = [field("tokenizer.ggml.eos_token_id")]
    template = field("tokenizer.chat_template")
    # With bfloat16, numbers of the likeliest tokens are often equal, and how a library adds up decides what is said.
    write(out, "SmolLM2-135M-Instruct", shape, weights, tokenizer, end, template, TensorProto.FLOAT, say)


if __name__ == "__main__":
    main()
