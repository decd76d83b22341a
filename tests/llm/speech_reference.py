#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs a directory of `ax650-llm transcribe` with ONNX Runtime on the CPU: always the likeliest token.

usage: speech_reference.py DIR [--language CODE] WAV...

Prints a line of JSON for each file (16 kHz, one channel, 16 bits): language, segments, and the tokens of each window.
"""
import argparse
import json
import os
import wave

import numpy
import onnxruntime
import tokenizers
from onnx import TensorProto

RATE, FFT, HOP = 16000, 400, 160
KINDS = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "uint32": TensorProto.UINT32,
    "uint16": TensorProto.BFLOAT16,
}
NOT_SEEN = numpy.uint16(0xC780)  # -65536 as bfloat16
FRAMES_A_STEP = 2  # of time: 20 ms
FIRST_TIME = 50
SILENCE, SURE = 0.6, -1.0


def filters(mels):
    """Triangles on Slaney's scale of mels: linear to 1000 Hz, then 27 mels for each factor of 6.4; each of area 1."""
    hertz = lambda mel: numpy.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
    corners = hertz(numpy.linspace(0, 15 + 27 * numpy.log(8) / numpy.log(6.4), mels + 2))
    bins = numpy.arange(FFT // 2 + 1) * RATE / FFT
    rows = [numpy.interp(bins, corners[at : at + 3], [0, 2 / (corners[at + 2] - corners[at]), 0]) for at in range(mels)]
    return numpy.array(rows)


def log_mel(samples, mels):
    """The logarithms of mels x frames; behind the samples there has to be a frame of silence."""
    padded = numpy.pad(samples, FFT // 2, mode="reflect")
    window = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(FFT) / FFT)
    frames = numpy.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][: len(samples) // HOP]
    power = numpy.abs(numpy.fft.rfft(frames * window)) ** 2
    logs = numpy.log10(numpy.maximum(filters(mels) @ power.T, 1e-10))
    return (numpy.maximum(logs, logs.max() - 8) + 4) / 4


def read(path):
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise SystemExit(f"{path}: not 16 kHz, one channel, 16 bits")
        return numpy.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


class Decoder:
    """The three models, and what they keep."""

    def __init__(self, directory):
        at = lambda name: os.path.join(directory, name)
        with open(at("speech.json"), encoding="utf-8") as file:
            self.description = description = json.load(file)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        load = lambda name: onnxruntime.InferenceSession(at(name), options, providers=["CPUExecutionProvider"])
        self.models = {part: load(description[part]) for part in ("encoder", "main", "loop")}
        self.first = self.models["main"].get_inputs()[0].shape[1]
        self.text = tokenizers.Tokenizer.from_file(at(description["tokenizer"]))
        row = description["layers"] * description["state"]
        self.caches = [numpy.zeros((1, description["context"], row), numpy.float16) for _ in range(2)]

    def run(self, part, **inputs):
        session = self.models[part]
        binding = session.io_binding()
        inputs = {name: numpy.ascontiguousarray(array) for name, array in inputs.items()}
        for name, array in inputs.items():
            binding.bind_input(name, "cpu", 0, KINDS[array.dtype.name], array.shape, array.ctypes.data)
        for output in session.get_outputs():
            binding.bind_output(output.name, "cpu")
        session.run_with_iobinding(binding)
        return dict(zip((output.name for output in session.get_outputs()), binding.copy_outputs_to_cpu()))

    def listen(self, mel):
        self.audio = self.run("encoder", mel=mel[None].astype(numpy.float32))["audio"]

    def begin(self, prompt):
        """Logits behind the first token, and behind the last."""
        tokens = numpy.full((1, self.first), self.description["tokens"]["end"], numpy.uint32)
        count = min(len(prompt), self.first)
        tokens[0, :count] = prompt[:count]
        out = self.run("main", tokens=tokens, audio=self.audio)
        self.cross = {name: out[name] for name in ("cross_k", "cross_v")}
        for cache, name in zip(self.caches, ("self_k_out", "self_v_out")):
            cache[:, :count] = out[name][:, :count]
        self.length, last = count, out["logits"][0, count - 1]
        for token in prompt[count:]:
            last = self.next(token)
        return out["logits"][0, 0], last

    def next(self, token):
        context, one = self.description["context"], lambda value: numpy.array([[value]], numpy.uint32)
        mask = numpy.full((1, 1, context + 1), NOT_SEEN)
        mask[..., : self.length] = mask[..., context] = 0
        out = self.run(
            "loop",
            token=one(token),
            position=one(self.length),
            mask=mask,
            self_k=self.caches[0],
            self_v=self.caches[1],
            **self.cross,
        )
        for cache, name in zip(self.caches, ("self_k_out", "self_v_out")):
            cache[:, self.length] = out[name][:, 0]
        self.length += 1
        return out["logits"][0, 0]


def log_softmax(logits):
    shifted = logits.astype(numpy.float64) - logits.max()
    return shifted - numpy.log(numpy.exp(shifted).sum())


def choose(logits, found, description):
    """The likeliest token that may come behind `found`, its logarithm, and how far it is from the next."""
    end, times = description["tokens"]["end"], description["tokens"]["timestamps"]
    allowed = logits.astype(numpy.float64)
    allowed[description["suppress"]] = -numpy.inf
    allowed[times + description["audio_context"] + 1 :] = -numpy.inf
    if not found:
        allowed[description["suppress_first"]] = -numpy.inf
        allowed[:times] = -numpy.inf
        allowed[times + FIRST_TIME + 1 :] = -numpy.inf
    is_time = [token >= times for token in found]
    if found and is_time[-1]:
        # Times come in pairs, the end of a segment and the begin of the next, but for the first and the last.
        if len(found) < 2 or is_time[-2]:
            allowed[times:] = -numpy.inf
        else:
            allowed[:end] = -numpy.inf
    past = [token for token in found if token >= times]
    if past:
        # They do not go back, and a segment is not empty.
        is_pair = is_time[-1] and not (len(found) > 1 and is_time[-2])
        allowed[times : past[-1] if is_pair else past[-1] + 1] = -numpy.inf
    logs = log_softmax(allowed)
    if numpy.logaddexp.reduce(logs[times:]) > logs[:times].max():
        allowed[:times] = -numpy.inf
    token = int(allowed.argmax())
    rest = numpy.delete(allowed, token)
    return token, log_softmax(allowed)[token], allowed[token] - rest.max()


def segments(tokens, times, frames, window):
    """Begin and end in frames and tokens of each segment, and by how many frames to go on."""
    is_time = [token >= times for token in tokens]
    ends = [at for at in range(1, len(tokens)) if is_time[at - 1] and is_time[at]]
    is_single_end = is_time[-2:] == [False, True]
    if not ends:
        last = next((token for token in reversed(tokens) if token >= times), times)
        return [(0, (last - times) * FRAMES_A_STEP if last > times else frames, tokens)], frames
    slices, begin = ends + ([len(tokens)] if is_single_end else []), 0
    found = []
    for at in slices:
        part = tokens[begin:at]
        found.append(((part[0] - times) * FRAMES_A_STEP, (part[-1] - times) * FRAMES_A_STEP, part))
        begin = at
    return found, frames if is_single_end else (tokens[begin - 1] - times) * FRAMES_A_STEP


def transcribe(decoder, path, language):
    description = decoder.description
    special, window = description["tokens"], FRAMES_A_STEP * description["audio_context"]
    samples = read(path)
    count, at, margin = len(samples) // HOP, 0, numpy.inf
    mel = log_mel(numpy.concatenate([samples, numpy.zeros(FFT)]), description["mels"])[:, :count]
    # As Whisper does: what is behind the sound is 0, whatever silence is in logarithms.
    mel = numpy.pad(mel, ((0, 0), (0, window)))
    result = {"audio": os.path.basename(path), "segments": [], "windows": []}
    while at < count:
        decoder.listen(mel[:, at : at + window])
        prompt = [special["start"]]
        if "languages" in special:
            if language is None:
                first, _ = decoder.begin(prompt)
                language = max(special["languages"], key=lambda name: first[special["languages"][name]])
            prompt += [special["languages"][language], special["transcribe"]]
        first, logits = decoder.begin(prompt)
        silence = float(numpy.exp(log_softmax(first)[special["no_speech"]]))
        tokens, total = [], 0.0
        while True:
            token, log, distance = choose(logits, tokens, description)
            total, margin = total + log, min(margin, distance)
            if token == special["end"]:
                break
            tokens.append(token)
            if decoder.length == description["context"]:
                break
            logits = decoder.next(token)
        sure, frames = total / (len(tokens) + 1), min(window, count - at)
        result["windows"].append({"at": at, "tokens": tokens, "no_speech": silence, "log_probability": sure})
        forward = frames
        if not (silence > SILENCE and sure < SURE):
            found, forward = segments(tokens, special["timestamps"], frames, window)
            for begin, end, part in found:
                text = decoder.text.decode([token for token in part if token < special["end"]])
                if text.strip() and begin != end:
                    seconds = {"start": (at + begin) / 100, "end": (at + end) / 100}
                    result["segments"].append(seconds | {"text": text, "tokens": part})
        at += forward
    text = "".join(segment["text"] for segment in result["segments"]).strip()
    return result | {"language": language, "text": text, "margin": float(margin)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--language")
    parser.add_argument("wav", nargs="+")
    arguments = parser.parse_args()
    decoder = Decoder(arguments.directory)
    for path in arguments.wav:
        print(json.dumps(transcribe(decoder, path, arguments.language), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
