#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What faster-whisper hears with a Whisper in the format of CTranslate2: always the likeliest token, computed with 32 bits.

usage: speech_listen.py MODEL WAV...

Prints a line of JSON for each file: text and segments.
"""
import json
import os
import sys

from faster_whisper import WhisperModel


def main():
    directory, *files = sys.argv[1:]
    model = WhisperModel(directory, device="cpu", compute_type="float32", cpu_threads=1)
    for path in files:
        found, _ = model.transcribe(path, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False)
        found = [{"start": part.start, "end": part.end, "text": part.text, "tokens": part.tokens} for part in found]
        text = "".join(part["text"] for part in found).strip()
        print(json.dumps({"audio": os.path.basename(path), "text": text, "segments": found}), flush=True)


if __name__ == "__main__":
    main()
