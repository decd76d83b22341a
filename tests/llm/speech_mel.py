#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes every 50th frame of the spectrum that faster-whisper makes of a WAV file (16 kHz, one channel, 16 bits) with 2 s of
silence behind it, as float32: tests/data/llm/log-mel.f32.

usage: speech_mel.py WAV OUT
"""
import sys

import numpy
from faster_whisper.feature_extractor import FeatureExtractor

from speech_reference import read


def main():
    sound, out = sys.argv[1:]
    samples = numpy.concatenate([read(sound), numpy.zeros(32000)]).astype(numpy.float32)
    spectrum = FeatureExtractor()(samples, padding=0)
    spectrum[:, ::50].T.astype("<f4").tofile(out)


if __name__ == "__main__":
    main()
