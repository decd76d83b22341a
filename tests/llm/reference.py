#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs a model directory of ax650-llm with ONNX Runtime on the CPU: always the likeliest token.

usage: reference.py DIR COUNT [--one-by-one] [--system TEXT] [--image FILE]... PROMPT...

Prints a line of JSON for each prompt: its tokens, the tokens of the answer and its text.  The prompt goes through shape group 1
as far as it fills it or ends in it, or with --one-by-one through group 0 like the answer's.  Each prompt has all pictures; a
piece of it is of text or of a picture.
"""
import argparse
import json
import os

import jinja2
import numpy
import onnxruntime
import tokenizers
from onnx import TensorProto
from PIL import Image, ImageOps

from layers import to_bfloat16

NOT_SEEN = numpy.uint16(0xC780)  # -65536 as bfloat16


class Model:
    """The models of a directory."""

    def __init__(self, directory):
        at = lambda name: os.path.join(directory, name)
        with open(at("model.json"), encoding="utf-8") as file:
            self.description = description = json.load(file)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        load = lambda name: onnxruntime.InferenceSession(at(name), options, providers=["CPUExecutionProvider"])
        self.layers = [load(description["layer"].format(number)) for number in range(description["layers"])]
        self.head = load(description["head"])
        properties = self.layers[0].get_modelmeta().custom_metadata_map
        self.prefill = json.loads(properties["ax650.groups"])[1]["input"][1]
        self.hidden = description["hidden_size"]
        self.embeddings = numpy.fromfile(at(description["embeddings"]), "<u2").reshape(-1, self.hidden)
        self.tokens = tokenizers.Tokenizer.from_file(at(description["tokenizer"]))
        self.vision = description.get("vision")
        self.encoder = load(self.vision["encoder"]) if self.vision else None

    def picture(self, path):
        """What the encoder says to a picture: bits of bfloat16, a row for each of its places."""
        size = self.vision["width"], self.vision["height"]
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        array, given, shape = numpy.asarray(picture)[None], self.encoder.get_inputs()[0], (1, self.vision["tokens"], self.hidden)
        if given.type == "tensor(float)":
            array = (array / numpy.float32(255) - numpy.float32(self.vision["mean"])) / numpy.float32(self.vision["std"])
            if given.shape[1] == 3:
                array = array.transpose(0, 3, 1, 2)
        kind = {"tensor(bfloat16)": numpy.uint16, "tensor(float)": numpy.float32}[self.encoder.get_outputs()[0].type]
        rows = numpy.empty(shape, kind)
        run(self.encoder, {given.name: numpy.ascontiguousarray(array)}, {self.encoder.get_outputs()[0].name: rows})
        return (rows if kind == numpy.uint16 else to_bfloat16(rows))[0]


# What arrays of the binding are; bfloat16 has no type of its own.
KINDS = {
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.BFLOAT16,
    "uint32": TensorProto.UINT32,
    "float32": TensorProto.FLOAT,
}


def run(session, inputs, outputs):
    """Runs a model whose tensors are arrays of bits; those of the outputs are written in place."""
    binding = session.io_binding()
    kind = lambda array: KINDS[array.dtype.name]
    for name, array in inputs.items():
        binding.bind_input(name, "cpu", 0, kind(array), array.shape, array.ctypes.data)
    for name, array in outputs.items():
        binding.bind_output(name, "cpu", 0, kind(array), array.shape, array.ctypes.data)
    session.run_with_iobinding(binding)


class Chat:
    """The caches of one chat."""

    def __init__(self, model):
        self.model, self.length = model, 0
        context, kv_size = model.description["context"], model.description["kv_size"]
        shape = (len(model.layers), 1, context, kv_size)
        self.keys, self.values = numpy.zeros(shape, numpy.uint16), numpy.zeros(shape, numpy.uint16)

    def take(self, states, rows):
        """Runs the layers on `states`, with `rows` at a time in the model; returns what the head says to the last."""
        model, context, count = self.model, self.model.description["context"], len(states)
        hidden = numpy.zeros((1, rows, model.hidden), numpy.uint16)
        hidden[0, :count] = states
        indices = numpy.zeros((1, rows), numpy.uint32)
        indices[0, :count] = numpy.arange(self.length, self.length + count)
        mask = numpy.full((1, rows, context + rows), NOT_SEEN)
        mask[:, :, : self.length] = 0
        for row in range(rows):
            mask[0, row, context : context + row + 1] = 0
        for number, layer in enumerate(model.layers):
            new = [numpy.empty((1, rows, model.description["kv_size"]), numpy.uint16) for _ in range(2)]
            output = numpy.empty_like(hidden)
            caches = {"K_cache": self.keys[number], "V_cache": self.values[number]}
            run(
                layer,
                caches | {"indices": indices, "mask": mask, "input": hidden},
                {"K_cache_out": new[0], "V_cache_out": new[1], "output": output},
            )
            for cache, row in zip(caches.values(), new):
                cache[0, self.length : self.length + count] = row[0, :count]
            hidden = output
        self.length += count
        is_narrow = "bfloat16" in model.head.get_outputs()[0].type
        logits = numpy.empty((1, 1, len(model.embeddings)), numpy.uint16 if is_narrow else numpy.float32)
        run(model.head, {"input": numpy.ascontiguousarray(hidden[:, count - 1 : count])}, {"output": logits})
        logits = logits.ravel()
        return (logits.astype(numpy.uint32) << 16).view(numpy.float32) if is_narrow else logits


def answer(model, prompt, pictures, count, one_by_one):
    """The tokens of the answer: `count` of them, or fewer with an end."""
    chat, rows = Chat(model), 1 if one_by_one else model.prefill
    states = model.embeddings[prompt]
    edges = {0, len(prompt)}
    if pictures:
        places = numpy.flatnonzero(numpy.array(prompt) == model.vision["image_token"])
        states[places] = numpy.concatenate(pictures)
        for first in places.reshape(len(pictures), -1)[:, 0].tolist():
            edges |= {first, first + model.vision["tokens"]}
    edges = sorted(edges)
    for begin, end in zip(edges, edges[1:]):
        for at in range(begin, end, rows):
            logits = chat.take(states[at : min(at + rows, end)], rows)
    found = []
    while len(found) < count:
        found.append(int(logits.argmax()))
        if found[-1] in model.description["end_tokens"] or chat.length == model.description["context"]:
            break
        logits = chat.take(model.embeddings[found[-1:]], 1)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("count", type=int)
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("--system")
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("prompt", nargs="+")
    arguments = parser.parse_args()
    model = Model(arguments.directory)
    pictures, shown = [model.picture(path) for path in arguments.image], ""
    if pictures:
        shown = model.tokens.id_to_token(model.vision["image_token"]) * model.vision["tokens"]
        shown = (model.vision.get("image_start", "") + shown + model.vision.get("image_end", "")) * len(pictures)
    for text in arguments.prompt:
        messages = [{"role": "user", "content": shown + text}]
        if arguments.system:
            messages.insert(0, {"role": "system", "content": arguments.system})
        template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(model.description["chat_template"])
        prompt = model.tokens.encode(template.render(messages=messages, add_generation_prompt=True)).ids
        tokens = answer(model, prompt, pictures, arguments.count, arguments.one_by_one)
        ends = model.description["end_tokens"]
        said = model.tokens.decode([token for token in tokens if token not in ends])
        line = {"user": text, "prompt": prompt, "answer": tokens, "text": said}
        if pictures:
            line["images"] = [os.path.basename(path) for path in arguments.image]
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
